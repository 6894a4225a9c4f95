"""Whether h(1+1/β) of Phoenix follows the wind, a + b U: intervals, other winds, hours held out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lsm_verify.cases import Case, load_case
from lsm_verify.cases.phoenix import START
from lsm_verify.datasets import find
from lsm_verify.datasets.locate import TOWER_FILE
from lsm_verify.datasets.wind import read_wind_speed
from lsm_verify.errors import InputError
from lsm_verify.inverse.calibrate import calibrate
from lsm_verify.inverse.drivers import linear
from lsm_verify.inverse.evaluate import Compose
from lsm_verify.inverse.intervals import Agreement, Intervals, disagreement, intervals, naive
from lsm_verify.inverse.misfit import Misfit
from lsm_verify.inverse.outcome import CONVERGED
from lsm_verify.inverse.phoenix_noise import BOUNDS, longer_coherences
from lsm_verify.inverse.refit import generalise, linearise, noise_model
from lsm_verify.inverse.result import Calibration
from lsm_verify.inverse.space import Space
from lsm_verify.inverse.unknowns import Unknown
from lsm_verify.inverse.wind_twin import OFFSET, SLOPE
from lsm_verify.parameters import COMBINED

Array = NDArray[np.float64]

FORMS: dict[str, bool | None] = {"constant": None, "a, b ≥ 0": False, "any sign": True}
"""Forms of h(1+1/β), and whether their a and b may be negative; the constant has neither."""

SHIFTS = 720
"""Hours after the window up to which winds of other times begin: thirty days."""

DAY = 24  # h

FITTED = 100
"""Steps to which the hold-out is fitted; the rest is predicted."""


@dataclass(frozen=True)
class Fit:
    """Least squares of one form: RMSE [K], estimates by name, names of those on a bound."""

    rmse: float
    parameters: dict[str, float]
    at_bound: tuple[str, ...]


@dataclass(frozen=True)
class Interval:
    """Value, standard error, 95 % interval and its degrees of freedom."""

    value: float
    deviation: float
    lower: float
    upper: float
    freedom: float


@dataclass(frozen=True)
class Told:
    """Offset and slope by one estimator under one noise.

    ``coherence``: the longest that the noise was allowed [h]; None for white noise. ``criterion``:
    -2 × its restricted log-likelihood, where noises are compared at one linearisation.
    """

    estimator: str
    coherence: float | None
    criterion: float | None
    converged: bool
    offset: Interval
    slope: Interval


@dataclass(frozen=True)
class OtherWinds:
    """Fits (any sign) with the wind of other times.

    ``shift`` [h]: how much later the wind is than the temperatures. ``rmse`` [K], ``slope``: of
    each fit. ``incomplete``: shifts left out because a half-hour of their wind is missing.
    """

    shift: tuple[int, ...]
    rmse: tuple[float, ...]
    slope: tuple[float, ...]
    incomplete: int


@dataclass(frozen=True)
class WindStudy:
    """All of it; ``wind`` is least, mean and largest [m s⁻¹], ``agreement`` of the last two.

    ``held_out``: RMSE [K] by form over the steps after `FITTED`.
    """

    title: str
    sources: dict[str, str]
    wind: tuple[float, ...]
    fits: dict[str, Fit]
    intervals: tuple[Told, ...]
    agreement: Agreement
    others: OtherWinds
    held_out: dict[str, float]


def form(case: Case, wind: Array, key: str) -> tuple[list[Unknown] | None, Compose | None]:
    """Return unknowns and function of one of `FORMS`, for `calibrate`."""
    signed = FORMS[key]
    if signed is None:
        return None, None
    return linear(case, COMBINED, wind, offset=OFFSET, slope=SLOPE, signed=signed)


def fitted(case: Case, wind: Array, key: str, starts: Any = None) -> Calibration:
    """Fit one of `FORMS` by least squares."""
    unknowns, compose = form(case, wind, key)
    return calibrate(case, unknowns, compose=compose, starts=starts, examine=False)


def told(found: Calibration) -> Fit:
    """Return what is told of a fit."""
    hits = zip(found.space.labels, found.at_bound[0], strict=True)
    values: Mapping[str, Any] = found.parameters()
    return Fit(
        rmse=float(found.rmse[0]),
        parameters={name: float(value) for name, value in values.items()},
        at_bound=tuple(label for label, hit in hits if hit),
    )


def slopes(case: Case, wind: Array, found: Calibration) -> tuple[tuple[Told, ...], Agreement]:
    """Intervals of offset and slope of any sign that respect correlated residuals.

    Least squares with a noise estimated by restricted maximum likelihood, whose coherence is at
    most the record's length, and longer (`phoenix_noise.BOUNDS`); as if errors were independent, a
    warning; generalised least squares. And whether the first and the last agree.

    Raises
    ------
    InputError
        If the estimate is on a bound: it has no symmetric interval.
    """
    if np.any(found.at_bound):
        raise InputError("the fit is on a bound, where these intervals do not hold; take any sign.")
    misfit = Misfit(case, found.space, compose=form(case, wind, "any sign")[1])
    u = found.space.scaled(found.estimate[0])
    line = linearise(misfit, u)
    model = noise_model(misfit, line)
    record = float(model.coherence or 0.0)
    bounded = longer_coherences(misfit, u, line, (record, *BOUNDS))
    noise = bounded[0].noise
    rows = [
        _told(intervals(misfit, u, line, b.noise), "least squares", b.bound, b.criterion)
        for b in bounded
    ]
    rows.append(_told(naive(misfit, u, line), "least squares", None))
    point, moved, settled, _ = generalise(misfit, u, model)
    last = intervals(misfit, point, moved, settled, estimator="generalised")
    rows.append(_told(last, "generalised least squares", record))
    return tuple(rows), disagreement(misfit, line, noise)


def _told(
    row: Intervals, estimator: str, coherence: float | None, criterion: float | None = None
) -> Told:
    def interval(label: str) -> Interval:
        k = row.labels.index(label)
        every = (row.estimate, row.deviation, row.lower, row.upper, row.freedom)
        return Interval(*(float(x[k]) for x in every))

    ends = (interval("offset"), interval("slope"))
    return Told(estimator, coherence, criterion, row.converged, *ends)


def winds_after(tower: Path, steps: int, shifts: int = SHIFTS) -> dict[int, Array]:
    """Winds of windows that begin 1, 2, … ``shifts`` hours later: those without a gap, by shift."""
    wind = read_wind_speed(tower, start=START, steps=steps + shifts, gaps=True)
    every = {k: wind[k : k + steps] for k in range(1, shifts + 1)}
    return {k: row for k, row in every.items() if not np.any(np.isnan(row))}


def fit_others(case: Case, winds: Mapping[int, Array], start: Calibration) -> OtherWinds:
    """Fit with winds of other times, each from the estimate with the right one.

    Raises
    ------
    InputError
        If a fit does not converge.
    """
    rmse, slope = [], []
    for shift, wind in winds.items():
        found = fitted(case, wind, "any sign", start.parameters())
        if found.status[0] != CONVERGED:
            raise InputError(f"the fit with the wind of {shift} h later ended: {found.status[0]}.")
        rmse.append(float(found.rmse[0]))
        slope.append(told(found).parameters["slope"])
    return OtherWinds(tuple(winds), tuple(rmse), tuple(slope), SHIFTS - len(winds))


def hold_out(case: Case, wind: Array) -> dict[str, float]:
    """Fit the first `FITTED` steps and predict the rest: RMSE there by form [K]."""
    first = case.window(FITTED)
    observed = np.stack([s.values for s in case.observations.series])
    errors = {}
    for key in FORMS:
        found = fitted(first, wind[:FITTED], key)
        unknowns, compose = form(case, wind, key)
        space = Space.of(case) if unknowns is None else Space(unknowns)
        y = Misfit(case, space, compose=compose).evaluator.predict(space.scaled(found.estimate))[0]
        errors[key] = float(np.sqrt(np.mean((y - observed)[:, FITTED + 1 :] ** 2)))
    return errors


def wind_study(data: Path | None = None) -> WindStudy:
    """Run the whole study on the data in a folder (default: as `load_case`)."""
    case = load_case("phoenix", data=data)
    tower, steps = find(TOWER_FILE, data), case.forcing.steps
    wind = read_wind_speed(tower, start=START, steps=steps)
    found = {key: fitted(case, wind, key) for key in FORMS}
    rows, agreement = slopes(case, wind, found["any sign"])
    return WindStudy(
        title=case.title,
        sources=dict(case.sources),
        wind=(float(wind.min()), float(wind.mean()), float(wind.max())),
        fits={key: told(each) for key, each in found.items()},
        intervals=rows,
        agreement=agreement,
        others=fit_others(case, winds_after(tower, steps), found["any sign"]),
        held_out=hold_out(case, wind),
    )
