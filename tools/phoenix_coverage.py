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
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import lsm_verify as lv
from lsm_verify.files import replacing, write_text
from lsm_verify.inverse.calibrate import calibrate
from lsm_verify.inverse.coverage import KINDS, Coverage, cover, cover_linearised, join
from lsm_verify.inverse.intervals import intervals, naive
from lsm_verify.inverse.misfit import Misfit
from lsm_verify.inverse.phoenix_noise import interval_rows, noise_summary
from lsm_verify.inverse.refit import linearise, noise_model
from lsm_verify.inverse.reml import Linear, fit_noise
from lsm_verify.inverse.space import Space
from lsm_verify.verify.provenance import provenance

Array = NDArray[np.float64]

REPORT = Path(__file__).parents[1] / "reports" / "phoenix_coverage.json"

KEPT = 5
"""Data sets whose half widths are kept for a test to compare."""

SIMULATED = (600.0, 3000.0)
"""Coherences of the noise [h] that are simulated beside that of the fit."""

LONGER_SETS = 200
"""Data sets, linearised, of noise with each of the coherences that a fit does not allow."""

PART = 25
"""Data sets after which the report is written."""

NONLINEAR = "nonlinear, refitted to every set; intervals from its linearisation there"
LINEARISED = "linearised once, at the fit; the noise re-estimated, its coherence up to the record"

STATEMENT = (
    "The record has six days and its errors repeat from day to day: few independent samples. The "
    "restricted likelihood sets the noise's coherence to the longest that is allowed, the length "
    "of the record, and would take a longer one. Coverage holds where the noise is of the form "
    "that was simulated and coherent no longer than the record. 'longer coherence' simulates noise "
    "that is: the intervals, still bounded by the record, then hold the truth far less often than "
    "they say. Nothing of this tells of errors of the model itself."
)


def main(arguments: list[str] | None = None) -> int:
    """Run the experiment and write the report."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", help="folder of the data files")
    parser.add_argument("--sets", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument(
        "--go-on", action="store_true", help="take up an interrupted run, or keep a finished one"
    )
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
        "noise": noise_summary(fitted),
        "fit": {
            "ordinary": interval_rows(intervals(misfit, u, linear, fitted)),
            "white noise": interval_rows(naive(misfit, u, linear)),
        },
        "longer coherence": _longer(misfit, u, linear, asked.seed),
    }
    kept = asked.output.with_suffix(".parts.pickle")
    if asked.go_on and not kept.exists():
        return _keep(asked.output, about)
    parts: list[Coverage] = pickle.loads(kept.read_bytes()) if asked.go_on else []
    while (done := sum(part.sets for part in parts)) < asked.sets:
        size = min(PART, asked.sets - done)
        parts.append(cover(misfit, u, fitted.noise, sets=size, seed=asked.seed, first=done))
        with replacing(kept) as temporary:
            temporary.write_bytes(pickle.dumps(parts))
        _write(asked.output, about | {"coverage": _coverage(join(parts), NONLINEAR)})
        sys.stderr.write(f"{done + size} of {asked.sets} sets\n")
    kept.unlink(missing_ok=True)
    return 0


def _keep(output: Path, about: dict[str, Any]) -> int:
    """Write the finished coverage anew beside what is quick to compute; refuse another's."""
    before = json.loads(output.read_text(encoding="utf-8"))
    if before["command"] != about["command"]:
        sys.stderr.write(f"{output} was made by {before['command']}; run without --go-on.\n")
        return 2
    _write(output, about | {"coverage": before["coverage"]})
    return 0


def _write(output: Path, content: dict[str, Any]) -> None:
    write_text(output, json.dumps(content, indent=1, ensure_ascii=False) + "\n")


def _longer(misfit: Misfit, u: Array, linear: Linear, seed: int) -> list[dict[str, Any]]:
    """Coverage where the noise is coherent for longer than intervals allow, and where it is not."""
    rows = []
    form = noise_model(misfit, linear)
    for bound in (form.coherence, *SIMULATED):
        fitted = fit_noise(linear, replace(form, coherence=bound))
        found = cover_linearised(misfit, u, linear, fitted.noise, sets=LONGER_SETS, seed=seed)
        rows.append({"simulated": noise_summary(fitted), **_coverage(found, LINEARISED)})
        sys.stderr.write(f"coherence {fitted.noise.coherence:.0f} h: {found.sets} sets\n")
    return rows


def _coverage(found: Coverage, model: str) -> dict[str, Any]:
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
        "model": model,
        "searches that converged": int(np.count_nonzero(found.converged)),
        "re-estimated coherence [h], 5, 50, 95 %": np.percentile(
            found.coherence, [5, 50, 95]
        ).tolist(),
        "kinds": kinds,
    }


if __name__ == "__main__":
    sys.exit(main())
