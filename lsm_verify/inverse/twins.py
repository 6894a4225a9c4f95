"""Twin experiments with parameters that vary in time: truths to recover, and errors made of them.

The column and forcing are those of the paper's twin; what is known of it (h(1+1/β), λ, C, T_b) is
either given or estimated jointly.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from lsm_verify.cases import Case
from lsm_verify.cases.twin import DAY, DEPTHS, STEPS, shortwave, twin
from lsm_verify.errors import InputError
from lsm_verify.inverse.attainable import Attainable, bound
from lsm_verify.inverse.misfit import Misfit
from lsm_verify.inverse.priors import Prior
from lsm_verify.inverse.recovery import InTime, estimate_in_time, synthetic
from lsm_verify.inverse.space import Space
from lsm_verify.inverse.varying import combined, free_only, varying
from lsm_verify.parameters import Value

Array = NDArray[np.float64]

NOISE = 0.05  # K
DAYLIGHT = 1.0  # W m-2
"""Above this SWdown it is day: the paper's formula leaves 4.9e-14 at night, not 0."""

NOON_ALBEDO, RISE = 0.18, 0.12
"""Albedo at noon, and by how much more of grazing light is reflected."""

BEFORE, AFTER, CHANGE = 25.0, 17.0, 50
"""h(1+1/β) [W m-2 K-1] up to and after the end of step ``CHANGE`` (of 100, in the morning)."""

WIND_OFFSET, WIND_SLOPE = 9.0, 4.0
"""h(1+1/β) = a + b U: W m-2 K-1, and that per m s-1."""


def ends() -> Array:
    """Return the ends of the twin's steps (100,) [s]."""
    return np.cumsum(np.full(STEPS, 3600.0))


def daylight() -> NDArray[np.bool_]:
    """Return which steps (100,) are in daylight."""
    return np.asarray(shortwave(ends()) > DAYLIGHT)


def diurnal_albedo() -> Array:
    """Return the albedo per step (100,), larger at low sun: α = 0.18 + 0.12 (1 − cos θ)."""
    return NOON_ALBEDO + RISE * (1 - shortwave(ends()) / 800.0)


def step_change() -> Array:
    """Return h(1+1/β) per step (100,), which falls once [W m-2 K-1]."""
    return np.where(np.arange(STEPS) < CHANGE, BEFORE, AFTER)


def wind_speed(seed: int = 0) -> Array:
    """Return a wind speed per step (100,) [m s-1]: a daily cycle and seeded gusts of hours."""
    draws = np.random.default_rng(seed).standard_normal(STEPS)
    gusts = np.zeros(STEPS)
    for n in range(1, STEPS):
        gusts[n] = 0.7 * gusts[n - 1] + draws[n]
    cycle = 1.5 * np.sin(2 * np.pi * (ends() / DAY - 0.4))
    return np.asarray(np.maximum(4.0 + cycle + 0.8 * gusts, 0.3))


def in_time(
    truths: dict[str, Value], *, depths: Sequence[float] = DEPTHS, known: bool = False
) -> Case:
    """Return the twin with parameters per step and exact observations of their truth.

    Parameters
    ----------
    truths : mapping
        Names to values per step (100,).
    depths : sequence of float
        Of the observed soil temperature [m].
    known : bool
        Whether all other parameters are known; else h(1+1/β), λ, C, T_b and α are unknown.
    """
    case = combined(twin())
    for name in truths:
        case = varying(case, name)
    truth = {**(case.truth or {}), **truths}
    case = replace(case, truth=truth, name="twin-in-time", notes=())
    if known:
        case = free_only(case, tuple(truths), truth)
    return synthetic(case, noise=0.0, seed=0, depths=depths)


@dataclass(frozen=True)
class Experiment:
    """Errors of an unknown per step over many records of one truth.

    Attributes
    ----------
    name : str
        The unknown.
    where : (steps,) array of bool
        Steps that count: those asked for at which it is identifiable (with the priors).
    bound : Attainable
        At the truth.
    runs : tuple of InTime
        One per seed.
    squares : (seeds,) array
        Mean square error over those steps.
    limits : tuple of float
        Root of the mean over those steps of the Cramér-Rao variance, of the variance with the
        priors, and of the expected square error with the priors at this truth.
    """

    name: str
    where: NDArray[np.bool_]
    bound: Attainable
    runs: tuple[InTime, ...]
    squares: Array
    limits: tuple[float, ...]

    @property
    def rmse(self) -> float:
        """Root of the mean square error over all seeds and steps."""
        return float(np.sqrt(self.squares.mean()))

    @property
    def standard_error(self) -> float:
        """Standard error of the RMSE, from the spread over the seeds."""
        return float(self.squares.std(ddof=1) / self.squares.size**0.5 / (2 * self.rmse))

    @property
    def spread(self) -> float:
        """Standard deviation over the seeds of the RMSE of one record."""
        return float(np.sqrt(self.squares).std(ddof=1))


def experiment(
    case: Case,
    name: str,
    *,
    seeds: Sequence[int],
    noise: float = NOISE,
    where: NDArray[np.bool_] | bool = True,
    priors: Sequence[Prior] = (),
    method: str = "least-squares",
) -> Experiment:
    """Recover an unknown per step from noisy records of a case's truth, and compare with bounds.

    Every calibration starts from the case's start, not from the truth.

    Parameters
    ----------
    case : Case
        With its truth, see `in_time`.
    name : str
        The unknown.
    seeds : sequence of int
        Two or more, one per record.
    noise : float
        Standard deviation of the errors of observation [K], known to the estimator.
    where : (steps,) array of bool
        Steps that count.
    priors, method
        As of `calibrate`.

    Raises
    ------
    InputError
        If the unknown is not identifiable at any step that counts.
    """
    space = Space.of(case)
    place = space.places[name]
    truth = case.truth or {}
    misfit = Misfit(case, space, observation_error=noise, priors=priors)
    known = bound(misfit, truth)
    # One mask for all records: that of the truth, where the expectation is taken.
    taken = known.identifiable[place] & where
    if not np.any(taken):
        raise InputError(
            f"{name} is not identifiable at any step that counts, so that it has no error; give "
            "priors, or more observations."
        )
    runs = tuple(
        estimate_in_time(
            synthetic(case, noise=noise, seed=seed),
            name,
            observation_error=noise,
            priors=priors,
            method=method,
        )
        for seed in seeds
    )
    error = np.stack([run.calibration.estimate[0][place] for run in runs]) - truth[name]
    variances = (
        known.deviation**2,
        known.posterior**2,
        known.bias**2 + known.spread**2,
    )
    return Experiment(
        name=name,
        where=taken,
        bound=known,
        runs=runs,
        squares=np.mean(error[:, taken] ** 2, axis=1),
        limits=tuple(float(np.sqrt(np.mean(v[place][taken]))) for v in variances),
    )
