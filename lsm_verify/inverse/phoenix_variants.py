"""The Phoenix case with one thing changed: forcing, grid, steps, window, initial profile."""

from __future__ import annotations

from dataclasses import replace
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
from lsm_verify.inverse.profiles import observed_profile, with_profile
from lsm_verify.inverse.result import Calibration
from lsm_verify.observations import Observations, Series
from lsm_verify.quantities import FORCING

Array = NDArray[np.float64]

SETTLED = 1e-3
"""Change of T_b [K] at which estimation and a start from it have settled: a thirtieth of what a
digitised value is uncertain by."""

ROUNDS = 40
"""Of estimation and start, at most."""

SPIN_UP = 13 * 24
"""Hours of forcing before the window that have no long gap: the tower lacks air temperature from
11 to 17 April."""

SHORT_GAP = 3
"""Longest gap that is interpolated in them, in half-hours."""


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


def _gaps(series: Series) -> Array:
    """Observed values (steps + 1,), not-a-number where missing."""
    return np.where(np.asarray(series.weights) > 0, series.values, np.nan)
