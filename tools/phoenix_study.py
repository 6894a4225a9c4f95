"""Run the Phoenix study and write reports/phoenix.json and phoenix.md.

Run from the repository: ``python tools/phoenix_study.py --data DIR`` (a minute).
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from phoenix_page import page

from lsm_verify.files import write_text
from lsm_verify.inverse.phoenix_albedo import CALIBRATION
from lsm_verify.inverse.phoenix_hold_out import QUANTITIES, HoldOut
from lsm_verify.inverse.phoenix_noise import (
    LAGS,
    LEVEL,
    interval_rows,
    noise_summary,
    not_rejected,
    rejection,
)
from lsm_verify.inverse.phoenix_study import DAYS, Fit, Study, study
from lsm_verify.inverse.phoenix_variants import SPIN_UP
from lsm_verify.verify.provenance import provenance

FOLDER = Path(__file__).parents[1] / "reports"


def main(arguments: list[str] | None = None) -> int:
    """Run the study and write the reports."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, help="folder of the data files")
    parser.add_argument("--days", type=int, default=DAYS, help="days held out")
    asked = parser.parse_args(arguments)
    done = study(asked.data, days=asked.days)
    about = {
        "command": f"python tools/phoenix_study.py --days {asked.days}",
        "case": done.case.title,
        "provenance": provenance(done.case.sources),
    }
    text = json.dumps(about | numbers(done), indent=1, ensure_ascii=False, allow_nan=False)
    write_text(FOLDER / "phoenix.json", text + "\n")
    write_text(FOLDER / "phoenix.md", page(json.loads(text)))
    return 0


def numbers(done: Study) -> dict[str, Any]:
    """Return all numbers of a study as JSON has them."""
    spun_up = _fit(done.spun_up)
    spun_up["intervals"]["profile as known"] = interval_rows(done.profile_as_known)

    def both(tied: Any, spun: Any) -> dict[str, Any]:
        return {"T0 = T_b": tied, "T0 spun up": spun}

    found = {
        "spin-up [h]": SPIN_UP,
        "fits": both(_fit(done.tied), spun_up),
        "rejection": {"rise": rejection(), "probability": LEVEL},
        "spun-up profile [K]": done.spun_up_profile,
        "predictions": both(
            [asdict(s) for s in done.scores], [asdict(s) for s in done.scores_spun_up]
        ),
        "held out": both(_held(done.held_out), _held(done.held_out_spun_up)),
        "albedo": asdict(done.albedo),
        "calibration of a radiometer": CALIBRATION,
        "albedo effects": both(*(asdict(e) for e in done.albedo_effects)),
        "sensitivity": [asdict(s) for s in done.shifts],
    }
    return dict(_plain(found))


def _held(h: HoldOut) -> dict[str, Any]:
    return asdict(h) | {"quantities": QUANTITIES, "better": h.better, "drifts": h.drifts}


def _fit(f: Fit) -> dict[str, Any]:
    rows = {"ordinary": f.ordinary, "generalised": f.generalised, "white noise": f.white}
    kept = not_rejected(f.bounds)
    return {
        "rmse": f.calibration.rmse[f.calibration.best],
        "rmse_published": f.rmse_published,
        "residuals": asdict(f.residuals),
        "agreement": asdict(f.agreement),
        "rounds": f.rounds,
        "noise": noise_summary(f.noise),
        "converged": all(row.converged for row in rows.values()),
        "at limit": {name: row.at_limit for name, row in rows.items() if row.at_limit},
        "coherence bounds": [
            {"bound [h]": b.bound, **noise_summary(b.noise), "probability": b.probability}
            | {"standard errors": b.deviation, "degrees of freedom": b.freedom}
            | {"rejected": b not in kept}
            for b in f.bounds
        ],
        "moments": {"lags [h]": LAGS, **asdict(f.moments)},
        "intervals": {name: interval_rows(row) for name, row in rows.items()},
    }


def _plain(value: Any) -> Any:
    """Turn arrays into lists; what is not finite into null."""
    if isinstance(value, dict):
        return {k: _plain(v) for k, v in value.items()}
    if isinstance(value, np.ndarray | list | tuple):
        return [_plain(v) for v in value]
    if isinstance(value, np.floating | float):
        return float(value) if np.isfinite(value) else None
    return value.item() if isinstance(value, np.generic) else value


if __name__ == "__main__":
    sys.exit(main())
