"""Measure what observations say of the unknowns, and write reports/identifiability.json.

Usage: python tools/make_identifiability.py [--draws N] [--steps N] [--parts A,B]

Parts that are not asked for are kept as they stand in the file. Phoenix needs LSM_VERIFY_DATA,
the samples the extra `posterior`.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

from lsm_verify import load_case
from lsm_verify.cases.phoenix import RANGES
from lsm_verify.files import write_text
from lsm_verify.inverse.calibrate import calibrate
from lsm_verify.inverse.identifiability import Identifiability
from lsm_verify.inverse.identify import identify
from lsm_verify.inverse.montecarlo import monte_carlo
from lsm_verify.inverse.plain import number
from lsm_verify.inverse.profile import profile
from lsm_verify.inverse.sampling import sample
from lsm_verify.inverse.varying import combined
from lsm_verify.parameters import COMBINED, combine
from lsm_verify.verify.provenance import provenance

FILE = Path(__file__).parents[1] / "reports" / "identifiability.json"

TWINS = ("twin", "twin-one-depth")
NOISE = (0.01, 0.05, 0.1)
SEED = 0
ITERATIONS = (150, 500, 2000, 8000)

PUBLISHED = {
    "twin": "twin_two_depths.csv",
    "twin-one-depth": "twin_one_depth.csv",
    "phoenix": "phoenix_5cm_15cm.csv",
}

H_SCALES = {
    "range 6-31": (6.0, 31.0),
    "standard deviation of h's range": (25.0 - 7.5, 25.0 + 7.5),
    "range of h times range of 1+1/β": (6.0, 60.0),
}
"""Ranges that h(1+1/β) may be given; their standard deviation is its scale."""

PHOENIX_NOISE = 0.856
"""[K] The root mean square residual of the best fit, taken as white: too narrow, the residuals
are correlated. Here Laplace and samples are compared, which share it."""


def exact(draws: int, steps: int) -> dict[str, Any]:
    """Singular values, condition numbers and directions, h and β apart and joined."""
    found: dict[str, Any] = {}
    for name in TWINS:
        case = load_case(name)
        whole = identify(case, "truth", observation_error=NOISE[0])
        found[name] = {"apart": whole.to_json(), "joined": {}, "condition numbers": {}}
        for noise in NOISE:
            joined = identify(combined(case, RANGES[COMBINED]), "truth", observation_error=noise)
            found[name]["joined"][str(noise)] = joined.to_json()
        for label, limits in H_SCALES.items():
            joined = identify(combined(case, limits), "truth", observation_error=1.0)
            found[name]["condition numbers"][label] = joined.condition_number
        J = joined.jacobian / joined.space.scale
        for label, scale in (
            ("values of the truth", joined.point),
            ("columns of one length", 1 / np.linalg.norm(J, axis=0)),
        ):
            found[name]["condition numbers"][label] = float(np.linalg.cond(J * scale))
    return found


def spread(draws: int, steps: int) -> dict[str, Any]:
    """Fit noisy twins by least squares and hold their spread against the Cramér-Rao bound."""
    found: dict[str, Any] = {}
    seed = SEED
    for name in TWINS:
        for noise in NOISE:
            seed += 1  # records of their own
            mc = monte_carlo(
                combined(load_case(name), RANGES[COMBINED]),
                observation_error=noise,
                seed=seed,
                draws=draws,
            )
            (ratio, ratio_error), (bias, bias_error) = mc.spread, mc.bias
            found.setdefault(name, {})[str(noise)] = {
                "draws": len(mc.estimates),
                "converged": int(np.count_nonzero(mc.converged)),
                "unknowns": list(mc.identifiability.space.labels),
                "bound in %": [100 * b.relative for b in mc.identifiability.bounds],
                "spread over bound": ratio.tolist(),
                "spread over bound, error": ratio_error.tolist(),
                "bias over bound": bias.tolist(),
                "bias over bound, error": bias_error.tolist(),
                "quantiles over bound at 2.5, 16, 50, 84, 97.5 %": mc.quantiles.tolist(),
                "at a bound": mc.at_bound.tolist(),
            }
    return found


def ensembles(draws: int, steps: int) -> dict[str, Any]:
    """Spread of the paper's 50 starts under Adam, along the directions of the information."""
    found: dict[str, Any] = {}
    for name in (*TWINS, "phoenix"):
        case = load_case(name)
        case = combined(case, RANGES[COMBINED]) if name in TWINS else case
        point: Any = "truth"
        if name == "phoenix":
            point = calibrate(case).parameters()
        told = identify(case, point, observation_error=PHOENIX_NOISE)
        rows = np.linalg.svd(told.jacobian, full_matrices=False)[2]
        k, j = (
            told.space.names.index(n) for n in ("thermal_conductivity", "volumetric_heat_capacity")
        )
        runs = []
        for count in ITERATIONS:
            run = calibrate(
                case,
                method="adam",
                starts="published",
                iterations=count,
                stop_early=count == ITERATIONS[0],
            )
            ends = told.space.scaled(run.estimate) @ rows.T
            begins = told.space.scaled(run.start) @ rows.T
            runs.append(
                {
                    "iterations": count,
                    "the paper's stopping rule": count == ITERATIONS[0],
                    "correlation of λ and C over starts": float(
                        np.corrcoef(run.estimate[:, k], run.estimate[:, j])[0, 1]
                    ),
                    "mean": run.estimate.mean(axis=0).tolist(),
                    "spread": run.estimate.std(axis=0, ddof=1).tolist(),
                    "spread left along each direction, of the starts'": (
                        ends.std(axis=0) / begins.std(axis=0)
                    ).tolist(),
                    "share of the spread along the worst direction": float(
                        ends[:, -1].var() / ends.var(axis=0).sum()
                    ),
                }
            )
        found[name] = {
            "unknowns": list(told.space.labels),
            "correlation of λ and C by Fisher": float(told.correlation[k, j]),
            "singular values over the largest": (
                told.singular_values / told.singular_values[0]
            ).tolist(),
            "worst direction": told.directions[0].words,
            "published": _published(name, told, rows),
            "Adam": runs,
        }
    return found


def _published(name: str, told: Identifiability, rows: Any) -> dict[str, Any] | None:
    """Spread of the paper's own ends, where its tables are at hand."""
    folder = os.environ.get("LSM_VERIFY_DATA")
    path = Path(folder or "") / "published" / PUBLISHED[name]
    if not folder or not path.is_file():
        return None
    table = np.genfromtxt(path, delimiter=",", names=True)
    ends, begins = (_row(table, told.space.names, when) for when in ("final", "initial"))
    ends_along, begins_along = (told.space.scaled(x) @ rows.T for x in (ends, begins))
    k, j = (told.space.names.index(n) for n in ("thermal_conductivity", "volumetric_heat_capacity"))
    return {
        "correlation of λ and C over starts": float(np.corrcoef(ends[:, k], ends[:, j])[0, 1]),
        "spread left along each direction, of the starts'": (
            ends_along.std(axis=0) / begins_along.std(axis=0)
        ).tolist(),
        "share of the spread along the worst direction": float(
            ends_along[:, -1].var() / ends_along.var(axis=0).sum()
        ),
    }


def _row(table: Any, names: tuple[str, ...], when: str) -> Any:
    columns = {
        "albedo": "albedo",
        "thermal_conductivity": "lambda",
        "volumetric_heat_capacity": "C",
        "bottom_temperature": "Tb",
        "turbulent_transfer_coefficient": "h_combined",
    }
    known = {
        name: table[f"{column}_{when}"]
        for name, column in columns.items()
        if f"{column}_{when}" in table.dtype.names
    }
    if "turbulent_transfer_coefficient" not in known:
        h, beta = (table[f"{column}_{when}"] for column in ("h", "beta"))
        known["turbulent_transfer_coefficient"] = combine(h, beta)
    return np.stack([known[name] for name in names], axis=1)


def profiles(draws: int, steps: int) -> dict[str, Any]:
    """Profile likelihoods of λ, noise-free record, and of all unknowns of Phoenix."""
    found: dict[str, Any] = {}
    asked = [
        (name, combined(load_case(name), RANGES[COMBINED]), ["thermal_conductivity"], 0.05)
        for name in TWINS
    ]
    phoenix = load_case("phoenix")
    asked.append(("phoenix", phoenix, list(phoenix.free), PHOENIX_NOISE))
    for name, case, names, noise in asked:
        for each in names:
            p = profile(case, each, observation_error=noise)
            found.setdefault(name, {})[each] = {
                "observation error": noise,
                "estimate": p.estimate,
                "Gauss-Newton deviation": p.deviation,
                "level": p.level,
                "interval": [number(p.lower), number(p.upper)],
                "ends": [p.lower_end, p.upper_end],
                "values": p.values.tolist(),
                "half chi squared": [number(x) for x in p.objective],
            }
    return found


def samples(draws: int, steps: int) -> dict[str, Any]:
    """Sample the posterior of Phoenix and compare with Laplace's approximation."""
    case = load_case("phoenix")
    p = sample(case, observation_error=PHOENIX_NOISE, seed=SEED, steps=steps)
    (shift, shift_error), (ratio, ratio_error) = p.shift, p.ratio
    normal = p.laplace
    return {
        "observation error": PHOENIX_NOISE,
        "unknowns": list(normal.space.labels),
        "estimate": normal.estimate.tolist(),
        "Laplace deviation": normal.deviation.tolist(),
        "Gauss-Newton deviation over Laplace's": np.sqrt(
            np.diag(normal.gauss_newton) / np.diag(normal.covariance)
        ).tolist(),
        "correlation": normal.correlation.tolist(),
        "correlation of samples": np.corrcoef(p.flat.T).tolist(),
        "steps": len(p.samples),
        "walkers": p.samples.shape[1],
        "acceptance": p.acceptance,
        "autocorrelation time": p.autocorrelation.tolist(),
        "effective samples": p.effective_size.tolist(),
        "long enough": p.reliable,
        "shift of the mean in deviations": shift.tolist(),
        "shift of the mean in deviations, error": shift_error.tolist(),
        "deviation over Laplace's": ratio.tolist(),
        "deviation over Laplace's, error": ratio_error.tolist(),
    }


PARTS = {
    "exact": exact,
    "spread": spread,
    "ensembles": ensembles,
    "profiles": profiles,
    "samples": samples,
}


def main() -> None:
    """Measure the parts that are asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--draws", type=int, default=400)
    parser.add_argument("--steps", type=int, default=4000)
    parser.add_argument("--parts", default=",".join(PARTS))
    asked = parser.parse_args()
    found = json.loads(FILE.read_text()) if FILE.exists() else {}
    for name in asked.parts.split(","):
        begun = time.perf_counter()
        found[name] = PARTS[name](asked.draws, asked.steps)
        found["made with"] = provenance({})
        write_text(FILE, json.dumps(found, indent=1, ensure_ascii=False, allow_nan=False) + "\n")
        print(f"{name}: {time.perf_counter() - begun:.0f} s", file=sys.stderr)


if __name__ == "__main__":
    main()
