"""Count how often the intervals of the Phoenix calibration hold the truth, on synthetic data.

Run from the repository: ``python tools/phoenix_coverage.py --data DIR`` simulates 1,000 data sets
at the fit, with the noise that was fitted to its residuals, refits the nonlinear model to each and
writes reports/phoenix_coverage.json (some ten minutes on one core), anew after every part.
``--go-on`` takes up an interrupted run from the file beside it. A test recomputes the first sets
and compares.
"""

from __future__ import annotations

import argparse
import json
import pickle
import sys
from pathlib import Path
from typing import Any

import numpy as np

import lsm_verify as lv
from lsm_verify.files import replacing, write_text
from lsm_verify.inverse.calibrate import calibrate
from lsm_verify.inverse.coverage import KINDS, Coverage, cover, join
from lsm_verify.inverse.intervals import Intervals, intervals, naive
from lsm_verify.inverse.misfit import Misfit
from lsm_verify.inverse.refit import linearise, noise_model
from lsm_verify.inverse.reml import Restricted, fit_noise
from lsm_verify.inverse.space import Space
from lsm_verify.verify.provenance import provenance

REPORT = Path(__file__).parents[1] / "reports" / "phoenix_coverage.json"

KEPT = 5
"""Data sets whose half widths are kept for a test to compare."""

PART = 25
"""Data sets after which the report is written."""

STATEMENT = (
    "The record has six days and its errors repeat from day to day: few independent samples. The "
    "restricted likelihood sets the noise's coherence to the longest that is allowed, the length "
    "of the record; of a longer one only variance/coherence can be told. Coverage holds where the "
    "noise is of the form that was simulated; it says nothing of errors of the model itself."
)


def main(arguments: list[str] | None = None) -> int:
    """Run the experiment and write the report."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", help="folder of the data files")
    parser.add_argument("--sets", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--go-on", action="store_true", help="take up an interrupted run")
    parser.add_argument("-o", "--output", type=Path, default=REPORT)
    asked = parser.parse_args(arguments)

    case = lv.load_case("phoenix", data=asked.data)
    misfit = Misfit(case, Space.of(case), threads=1)
    u = misfit.space.scaled(calibrate(case).estimate[0])
    linear = linearise(misfit, u)
    fitted = fit_noise(linear, noise_model(misfit, linear))

    about = {
        "command": f"python tools/phoenix_coverage.py --sets {asked.sets} --seed {asked.seed}",
        "case": case.title,
        "statement": STATEMENT,
        "provenance": provenance(case.sources),
        "seed": asked.seed,
        "noise": _noise(fitted),
        "fit": {
            "ordinary": _row(intervals(misfit, u, linear, fitted)),
            "white noise": _row(naive(misfit, u, linear)),
        },
    }
    kept = asked.output.with_suffix(".parts.pickle")
    parts: list[Coverage] = pickle.loads(kept.read_bytes()) if asked.go_on else []
    while (done := sum(part.sets for part in parts)) < asked.sets:
        size = min(PART, asked.sets - done)
        parts.append(cover(misfit, u, fitted.noise, sets=size, seed=asked.seed, first=done))
        with replacing(kept) as temporary:
            temporary.write_bytes(pickle.dumps(parts))
        content = about | {"coverage": _coverage(join(parts))}
        write_text(asked.output, json.dumps(content, indent=1, ensure_ascii=False) + "\n")
        sys.stderr.write(f"{done + size} of {asked.sets} sets\n")
    kept.unlink(missing_ok=True)
    return 0


def _noise(fitted: Restricted) -> dict[str, Any]:
    noise = fitted.noise
    return {
        "components": list(noise.model.components),
        "theta": dict(zip(noise.model.names, noise.theta.tolist(), strict=True)),
        "unit": noise.model.unit.tolist(),
        "criterion": fitted.criterion,
        "at bound": list(noise.at_bound),
        "standard deviation [K]": noise.deviation.tolist(),
        "correlation of the depths": noise.correlation(0.0)[0, 1],
        "correlation after 24 h": np.diag(noise.correlation(24.0)).tolist(),
    }


def _row(row: Intervals) -> dict[str, Any]:
    return {
        label: {
            "estimate": row.estimate[k],
            "standard error": row.deviation[k],
            "lower": row.lower[k],
            "upper": row.upper[k],
            "degrees of freedom": row.freedom[k],
            "unit": row.units[k],
        }
        for k, label in enumerate(row.labels)
    }


def _coverage(found: Coverage) -> dict[str, Any]:
    kinds = {}
    for kind in KINDS:
        if kind not in found.hits:
            continue
        low, high = found.uncertainty(kind)
        kinds[kind] = {
            label: {
                "coverage": found.share(kind)[k],
                "95 % interval of it": [float(low[k]), float(high[k])],
                "median half width": float(np.median(found.widths[kind][:, k])),
            }
            for k, label in enumerate(found.labels)
        } | {"half widths of the first sets": found.widths[kind][:KEPT].tolist()}
    return {
        "nominal": found.level,
        "sets": found.sets,
        "model": "nonlinear, refitted to every set; intervals from its linearisation there",
        "re-estimated coherence [h], 5, 50, 95 %": np.percentile(
            found.coherence, [5, 50, 95]
        ).tolist(),
        "kinds": kinds,
    }


if __name__ == "__main__":
    sys.exit(main())
