"""Calibrate a synthetic city and say how long it takes, what is covered, and what peers take.

``python tools/map_city.py [FILE]`` writes reports/map_city.json. Times are of this process alone:
wall-clock time hangs on what else the machine does, processor time hardly.
"""

from __future__ import annotations

import json
import os
import platform
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from lsm_verify.cases import Case
from lsm_verify.files import write_text
from lsm_verify.inverse.city import city_case, draw_city
from lsm_verify.inverse.field_result import FieldEstimate
from lsm_verify.inverse.fields import calibrate_columns

ERROR = 0.05
"""Of an observation [K]."""

SIDE, LARGE = 100, 316
ROUNDS = 3
SEED = 0
Z95 = 1.959963984540054
"""Half the width of a 95 % interval, in standard errors."""

FORMS = {"four unknowns": ("bottom_temperature",), "five unknowns": ()}
"""What is held where it is known, by the number of unknowns."""

PEER_COLUMNS, SIMULATED = 24, 2
"""Columns that SciPy calibrates on the bare kernels, and over the public `simulate`."""

PEER_TOLERANCE = 1e-10
"""Of SciPy's least squares: `lsm_verify.inverse.local.SETTLED`, for noisy records."""


def timed(call: Callable[[], Any]) -> tuple[Any, float, float]:
    """Return what a call gives, with wall-clock and processor seconds."""
    wall, cpu = time.perf_counter(), time.process_time()
    found = call()
    return found, time.perf_counter() - wall, time.process_time() - cpu


def city(
    side: int, held: tuple[str, ...], threads: int | None = None, rounds: int = ROUNDS
) -> dict[str, Any]:
    """Calibrate side × side columns several times; times, iterations and coverage."""
    case = city_case()
    truth, observations = draw_city(case, side * side, ERROR, held=held, seed=SEED)
    names = list(truth)

    def run() -> FieldEstimate:
        return calibrate_columns(case, observations, ERROR, names, threads=threads)

    calibrate_columns(case, observations[:SIDE], ERROR, names, threads=threads)  # compiled, loaded
    times = [timed(run) for _ in range(rounds)]
    found = times[0][0]
    runs = found.iterations.sum() + side * side
    cpu = min(seconds for _, _, seconds in times)
    return {
        "columns": side * side,
        "rounds": rounds,
        "wall_s": [round(seconds, 3) for _, seconds, _ in times],
        "cpu_s": [round(seconds, 3) for _, _, seconds in times],
        "threads": threads or os.cpu_count(),
        "iterations_mean": round(float(found.iterations.mean()), 3),
        "iterations_most": int(found.iterations.max()),
        "cpu_us_per_column": round(1e6 * cpu / side**2, 2),
        "cpu_us_per_column_and_run": round(1e6 * cpu / runs, 2),
        "status": {word: found.words.count(word) for word in sorted(set(found.words))},
        "unknowns": coverage(found, truth),
    }


def coverage(found: FieldEstimate, truth: dict[str, Any]) -> dict[str, Any]:
    """Share of 95 % intervals that hold the truth, with its binomial standard error."""
    told = {}
    for j, (name, values) in enumerate(truth.items()):
        z = (found.estimate[:, j] - values[:, 0]) / found.standard_error[:, j]
        B = len(z)
        told[name] = {
            "coverage_95": round(float(np.mean(np.abs(z) <= Z95)), 4),
            "standard_error_of_coverage": round(float(np.sqrt(0.95 * 0.05 / B)), 4),
            "mean_z": round(float(z.mean()), 4),
            "deviation_z": round(float(z.std()), 4),
            "median_standard_error": float(f"{np.median(found.standard_error[:, j]):.4g}"),
        }
    return told


# ------------------------------------------------------------------ peers


def peers(held: tuple[str, ...]) -> dict[str, Any]:
    """Calibrate pixel by pixel with SciPy, on one core, and compare times and optima."""
    case = city_case()
    B = 2048
    truth, observations = draw_city(case, B, ERROR, held=held, seed=SEED)
    names = list(truth)

    def run() -> FieldEstimate:
        return calibrate_columns(case, observations, ERROR, names, threads=1)

    run()
    ours = min(timed(run)[2] for _ in range(ROUNDS)) / B
    found = run()
    told: dict[str, Any] = {"ours_cpu_us_per_column": round(1e6 * ours, 2)}
    for peer, predict, count in (
        ("scipy on the bare fused forward", bare(case, names), PEER_COLUMNS),
        ("scipy over the public simulate", public(case, names), SIMULATED),
    ):
        scipy_fit(predict, found, observations[0])
        seconds, distances = [], []
        for b in range(count):
            fitted, _, cpu = timed(partial(scipy_fit, predict, found, observations[b]))
            seconds.append(cpu)
            distances.append(np.max(np.abs(fitted - found.estimate[b]) / found.standard_error[b]))
        median = float(np.median(seconds))
        told[peer] = {
            "columns": count,
            "cpu_ms_per_column_median": round(1e3 * median, 3),
            "cpu_ms_per_column_least_and_most": [
                round(1e3 * min(seconds), 3), round(1e3 * max(seconds), 3),
            ],
            "times_slower_median": round(median / ours, 1),
            "times_slower_least": round(min(seconds) / ours, 1),
            "largest_distance_of_optima_in_standard_errors": float(f"{max(distances):.2g}"),
        }  # fmt: skip
    apart = [
        np.max(np.abs(finished(case, found, observations[b], b)) / found.standard_error[b])
        for b in range(PEER_COLUMNS)
    ]
    told["largest distance of the optima, SciPy finished"] = float(f"{max(apart):.2g}")
    return told


def bare(case: Case, names: list[str]) -> Callable[[Any], Any]:
    """Return predictions of one column by a run of the kernel, nothing between."""
    from lsm_verify.inverse.field_columns import KERNEL, batch_of
    from lsm_verify.kernels import cpu

    batch = batch_of(case, (), {name: np.full((1, 1), case.start[name]) for name in names}, 1)
    fields = [KERNEL[name] for name in names]

    def predict(p: Any) -> Any:
        given = {field: p[j].reshape(1, 1) for j, field in enumerate(fields)}
        if "Tb" in given:
            given["T0"] = given["Tb"]
        columns = batch.columns._replace(**given)
        return cpu.predict(columns, case.insulated, batch.sight, threads=1)[0][0]

    return predict


def public(case: Case, names: list[str]) -> Callable[[Any], Any]:
    """Return predictions of one column by what a user calls."""
    from lsm_verify.models.simulation import simulate

    depths = [s.depth for s in case.observations.series]

    def predict(p: Any) -> Any:
        found = simulate(case, dict(zip(names, p, strict=True)), model="fused")
        return found.SoilTemp.interp(depth=depths).values.T

    return predict


def scipy_fit(predict: Callable[[Any], Any], found: FieldEstimate, observed: Any) -> Any:
    """Fit one column by `scipy.optimize.least_squares` with its differences; parameters."""
    from scipy.optimize import least_squares

    space = found.space

    def residuals(u: Any) -> Any:
        return ((predict(space.physical(u)) - observed) / ERROR).ravel()

    fit = least_squares(
        residuals, np.zeros(space.size), bounds=space.box,
        xtol=PEER_TOLERANCE, ftol=PEER_TOLERANCE, gtol=PEER_TOLERANCE,
    )  # fmt: skip
    return space.physical(fit.x)


def finished(case: Case, found: FieldEstimate, observed: Any, b: int) -> Any:
    """Return our estimate less SciPy's root of the misfit's gradient, which the adjoint gives.

    SciPy's least squares stop where rounding hides the descent of the objective; its root finder on
    the gradient goes on from there.
    """
    from scipy.optimize import root

    from lsm_verify.inverse.field_columns import KERNEL, batch_of
    from lsm_verify.kernels import cpu
    from lsm_verify.kernels.columns import Objective

    space = found.space
    start = {name: np.full((1, 1), case.start[name]) for name in space.names}
    batch = batch_of(case, (), start, 1)
    weights = np.full((1, *observed.shape), ERROR**-2)
    objective = Objective("half-sum-of-squares", observed[None], weights)
    fields = [KERNEL[name] for name in space.names]

    def slope(u: Any) -> Any:
        p = space.physical(u)
        given = {field: p[j].reshape(1, 1) for j, field in enumerate(fields)}
        given |= {"T0": given["Tb"]} if "Tb" in given else {}
        columns = batch.columns._replace(**given)
        _, g, _ = cpu.gradient(columns, False, batch.sight, objective, given, threads=1)
        bars = [g[field][0, 0] + (g["T0"][0, 0] if field == "Tb" else 0.0) for field in fields]
        return np.array(bars) * space.scale

    end = root(slope, space.scaled(found.estimate[b]) + 1e-3, tol=1e-14)
    return found.estimate[b] - space.physical(end.x)


def main() -> None:
    """Measure, and write the file that is named."""
    path = Path(sys.argv[1] if len(sys.argv) > 1 else "reports/map_city.json")
    told: dict[str, Any] = {
        "how": (
            "twin, 100 nodes, 100 steps of an hour, observed at 0 and 0.05 m with noise of 0.05 K; "
            "fields uniform in their ranges, all columns from the middle of the ranges; times of "
            "calibrate_columns after compilation, errors and singular values included"
        ),
        "seed": SEED,
        "machine": {"processor": platform.machine(), "cores": os.cpu_count()},
        "load_at_start": [round(x, 2) for x in os.getloadavg()],
    }
    for form, held in FORMS.items():
        told[form] = {"100 x 100": city(SIDE, held), "peers": peers(held)}
        print(form, json.dumps(told[form], indent=2), flush=True)
    large, small = city(LARGE, held, rounds=1), told[form]["100 x 100"]
    told[form]["316 x 316"] = large
    told["cpu per column, 316 x 316 over 100 x 100"] = round(
        large["cpu_us_per_column"] / small["cpu_us_per_column"], 3
    )
    told["load_at_end"] = [round(x, 2) for x in os.getloadavg()]
    write_text(path, json.dumps(told, indent=2) + "\n")


if __name__ == "__main__":
    main()
