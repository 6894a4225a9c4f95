"""How the Phoenix estimates move with what was held fixed, in units of their standard errors."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lsm_verify import datasets
from lsm_verify.cases import Case
from lsm_verify.cases.phoenix import START, STEPS
from lsm_verify.datasets.locate import TOWER_FILE
from lsm_verify.errors import InputError
from lsm_verify.forcing import Forcing
from lsm_verify.grid import Grid
from lsm_verify.inverse.calibrate import calibrate
from lsm_verify.inverse.profiles import (
    ROUNDS,
    SETTLED,
    calibrate_spun_up,
    observed_profile,
    with_profile,
)
from lsm_verify.inverse.result import Calibration
from lsm_verify.observations import Observations, Series
from lsm_verify.quantities import FORCING

Array = NDArray[np.float64]

DAYLIGHT = 1.0
"""Least downward shortwave radiation [W m-2] at which it is day."""

SPIN_UP = 13 * 24
"""Hours of forcing before the window that have no long gap: the tower lacks air temperature from
11 to 17 April."""

SHORT_GAP = 3
"""Longest gap that is interpolated in them, in half-hours."""


@dataclass(frozen=True)
class Albedo:
    """Albedo from the tower: ΣSWup/ΣSWdown over daylight, hours with both.

    ``error`` is the spread of whole days' values over the root of their number; ``days`` (d,) are
    those values, ``hours`` how many hours there are.
    """

    value: float
    error: float
    days: Array
    hours: int


@dataclass(frozen=True)
class Shift:
    """Estimates with one thing changed.

    Attributes
    ----------
    change : str
        What was changed, in words.
    estimate : (P,) array
        In the parameters' units.
    shift : (P,) array
        Estimate minus baseline, in the same.
    in_errors : (P,) array
        Shift over the baseline's standard error that respects correlated residuals.
    in_naive_errors : (P,) array
        Shift over that of white noise.
    rmse : float
        Root mean square misfit of both depths [K].
    tied : bool
        Whether the column starts from T_b. Where it does not, T_b is another quantity than the
        baseline's: the temperature at the bottom alone, not also that of the start.
    """

    change: str
    estimate: Array
    shift: Array
    in_errors: Array
    in_naive_errors: Array
    rmse: float
    tied: bool


def tower_albedo(case: Case, data: Path | None = None) -> Albedo:
    """Derive the albedo anew from the tower's shortwave radiation in the case's window."""
    tower = datasets.find(TOWER_FILE, data)
    down, up = (
        datasets.read_series(
            tower, name, start=case.forcing.start, steps=case.forcing.steps, method="mean"
        )[1:]
        for name in ("SWdown", "SWup")
    )
    there = np.isfinite(up) & (down > DAYLIGHT)
    if not np.any(there):
        raise InputError("SWup has no daylight value in the window; choose another.")
    whole = down.size // 24
    ratios = []
    for day in range(whole):
        part = slice(24 * day, 24 * day + 24)
        kept = there[part]
        if np.any(kept):
            ratios.append(up[part][kept].sum() / down[part][kept].sum())
    days = np.array(ratios)
    return Albedo(
        value=float(up[there].sum() / down[there].sum()),
        error=float(np.std(days, ddof=1) / np.sqrt(days.size)),
        days=days,
        hours=int(np.count_nonzero(there)),
    )


def sampled(case: Case, data: Path | None = None) -> Case:
    """Drive each step by the tower's sample at its end instead of the mean over it."""
    tower = datasets.find(TOWER_FILE, data)
    given = {
        name: datasets.read_series(tower, name, start=case.forcing.start, steps=case.forcing.steps)[
            1:
        ]
        for name in FORCING
    }
    return replace(case, forcing=Forcing(case.forcing.time_step, **given, start=case.forcing.start))


def deeper(case: Case, depth: float, spacing: float) -> Case:
    """Return the case on a uniform grid of another depth and spacing [m]."""
    return replace(case, grid=Grid.uniform(depth, round(depth / spacing)))


def later(case: Case, hours: int) -> Case:
    """Leave the first ``hours`` out: the column starts at T_b then."""
    if not 0 <= hours < case.forcing.steps:
        raise InputError(f"hours={hours} must lie in 0..{case.forcing.steps - 1}.")
    parts = {name: getattr(case.forcing, name)[hours:] for name in ("time_step", *FORCING)}
    start = None if case.forcing.start is None else case.forcing.start + np.timedelta64(hours, "h")
    return replace(
        case,
        forcing=Forcing(**parts, start=start),
        observations=Observations(
            tuple(Series(s.kind, _gaps(s)[hours:], depth=s.depth) for s in case.observations.series)
        ),
    )


def finer(case: Case, parts: int) -> Case:
    """Cut every step into ``parts`` under the same forcing: the effect of Δt alone."""
    forcing = {name: np.repeat(getattr(case.forcing, name), parts) for name in FORCING}
    series = []
    for s in case.observations.series:
        values = np.full((s.values.size - 1) * parts + 1, np.nan)
        values[::parts] = _gaps(s)
        series.append(Series(s.kind, values, depth=s.depth))
    return replace(
        case,
        forcing=Forcing(
            np.repeat(case.forcing.time_step / parts, parts), **forcing, start=case.forcing.start
        ),
        observations=Observations(tuple(series)),
    )


def half_hourly(case: Case, data: Path | None = None) -> Case:
    """Step by half-hours with the tower's own samples as forcing."""
    tower = datasets.find(TOWER_FILE, data)
    record = datasets.read_forcing(
        tower, start=case.forcing.start, steps=2 * case.forcing.steps, time_step=1800
    )
    return replace(finer(case, 2), forcing=record.forcing)


def before_window(data: Path | None = None) -> Forcing:
    """Return the forcing of the 13 days before the window, short gaps interpolated."""
    tower = datasets.find(TOWER_FILE, data)
    start = START - np.timedelta64(SPIN_UP, "h")
    return datasets.read_forcing(
        tower, start=start, steps=SPIN_UP, interpolate_gaps=SHORT_GAP
    ).forcing


def observed_start(case: Case, bottom: float, data: Path | None = None) -> Case:
    """Start from the sensors at 0.02 m (tower), 0.05 and 0.15 m, and T_b at the bottom."""
    tower = datasets.find(TOWER_FILE, data)
    top = datasets.read_series(tower, "SoilTemp", start=case.forcing.start, steps=STEPS)[0]
    series = case.observations.series
    profile = observed_profile(
        case,
        [0.02, *(s.depth for s in series)],
        [top, *(s.values[0] for s in series)],
        bottom,
    )
    return with_profile(case, profile)


def calibrate_from_sensors(case: Case, data: Path | None = None) -> tuple[Calibration, Case, int]:
    """Start from the sensors and from T_b at the bottom, estimated in turn until T_b settles.

    Returns
    -------
    calibration, the case with the profile, number of rounds

    Raises
    ------
    InputError
        If it does not settle.
    """
    found = calibrate(case)
    for k in range(ROUNDS):
        bottom = float(np.asarray(found.parameters()["bottom_temperature"]))
        tried = observed_start(case, bottom, data)
        found = calibrate(tried, starts=found.parameters())
        change = float(np.asarray(found.parameters()["bottom_temperature"])) - bottom
        if abs(change) < SETTLED:
            return found, tried, k + 1
    raise InputError(
        f"T_b still moves by {change:.2g} K after {ROUNDS} rounds of starting from it; start from "
        "a spun-up profile instead."
    )


def sensitivity(
    case: Case, errors: Array, naive_errors: Array, data: Path | None = None
) -> tuple[Shift, ...]:
    """Calibrate with one thing changed at a time.

    Parameters
    ----------
    case : Case
        Phoenix.
    errors, naive_errors : (P,) array
        Standard errors of the baseline's estimates, in their units.
    data : Path, optional
        Folder of the data.

    Returns
    -------
    tuple of Shift
        The baseline first.
    """
    base = calibrate(case)
    albedo = tower_albedo(case, data)

    def fixed(**values: float) -> Callable[[], Calibration]:
        return lambda: calibrate(replace(case, fixed={**case.fixed, **values}))

    trials: dict[str, Callable[[], Calibration]] = {
        "none": lambda: base,
        "forcing: sample on the hour": lambda: calibrate(sampled(case, data)),
        "emissivity 0.92": fixed(emissivity=0.92),
        "emissivity 0.98": fixed(emissivity=0.98),
        f"albedo {albedo.value:.4f} (tower)": fixed(albedo=albedo.value),
        f"albedo {albedo.value + albedo.error:.4f} (tower + 1 standard error)": fixed(
            albedo=albedo.value + albedo.error
        ),
        "albedo 0.152": fixed(albedo=0.152),
        "albedo 0.192": fixed(albedo=0.192),
        "initial profile: sensors": lambda: calibrate_from_sensors(case, data)[0],
        "initial profile: spun up 13 days": lambda: calibrate_spun_up(case, before_window(data))[0],
        "window: first 75 h": lambda: calibrate(case.window(75)),
        "window: first 102 h": lambda: calibrate(case.window(102)),
        "window: without the first 24 h": lambda: calibrate(later(case, 24)),
        "window: without the first 48 h": lambda: calibrate(later(case, 48)),
        "depth 0.5 m": lambda: calibrate(deeper(case, 0.5, 0.01)),
        "depth 2 m": lambda: calibrate(deeper(case, 2.0, 0.01)),
        "spacing 0.005 m": lambda: calibrate(deeper(case, 1.0, 0.005)),
        "step 1800 s, half-hourly forcing": lambda: calibrate(half_hourly(case, data)),
        "step 1800 s, same forcing": lambda: calibrate(finer(case, 2)),
        "step 600 s, same forcing": lambda: calibrate(finer(case, 6)),
    }
    rows = []
    for change, run in trials.items():
        found = run()
        estimate = found.estimate[found.best]
        shift = estimate - base.estimate[base.best]
        rows.append(
            Shift(
                change=change,
                estimate=estimate,
                shift=shift,
                in_errors=shift / errors,
                in_naive_errors=shift / naive_errors,
                rmse=float(found.rmse[found.best]),
                tied=not change.startswith("initial profile"),
            )
        )
    return tuple(rows)


def _gaps(series: Series) -> Array:
    """Observed values (steps + 1,), not-a-number where missing."""
    return np.where(np.asarray(series.weights) > 0, series.values, np.nan)
