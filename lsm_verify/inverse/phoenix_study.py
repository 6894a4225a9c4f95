"""The Phoenix study: calibration with intervals, predictions, days held out, sensitivity."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lsm_verify.cases import Case, load_case
from lsm_verify.inverse.calibrate import calibrate
from lsm_verify.inverse.intervals import Agreement, Intervals, disagreement, intervals, naive
from lsm_verify.inverse.misfit import Misfit
from lsm_verify.inverse.phoenix_hold_out import HoldOut, hold_out
from lsm_verify.inverse.phoenix_noise import (
    BOUNDS,
    Bounded,
    Moments,
    longer_coherence,
    moments,
)
from lsm_verify.inverse.phoenix_predictions import Score, predictions
from lsm_verify.inverse.phoenix_sensitivity import (
    Albedo,
    Shift,
    before_window,
    sensitivity,
    tower_albedo,
)
from lsm_verify.inverse.profiles import calibrate_spun_up
from lsm_verify.inverse.refit import generalise, linearise, noise_model
from lsm_verify.inverse.reml import Restricted, fit_noise
from lsm_verify.inverse.result import Calibration
from lsm_verify.inverse.space import Space

Array = NDArray[np.float64]

DAYS = 14
"""Days held out after the window."""


@dataclass(frozen=True)
class Residuals:
    """Statistics of the residuals of a fit, two depths: RMS, 24 h autocorrelation, correlation."""

    rms: Array
    after_day: Array
    between: float


@dataclass(frozen=True)
class Fit:
    """A calibration with its intervals.

    Attributes
    ----------
    calibration : Calibration
        Least squares.
    rmse_published : float
        At the published parameters [K], with T⁰ as in the case.
    residuals : Residuals
        At the estimate.
    noise : Restricted
        Restricted maximum likelihood, about the least-squares estimate.
    ordinary, generalised, white : Intervals
        Of least squares with that noise; of generalised least squares, estimate and noise
        iterated until they settle; of least squares as if errors were independent.
    agreement : Agreement
        Test whether least squares and generalised least squares agree, both with ``noise``.
    bounds : tuple of Bounded
        The noise with the default bound of its coherence, and with longer ones.
    moments : Moments
        Of the residuals and of the noise.
    rounds : int
        Until estimate and noise settled.
    """

    calibration: Calibration
    rmse_published: float
    residuals: Residuals
    noise: Restricted
    ordinary: Intervals
    generalised: Intervals
    white: Intervals
    agreement: Agreement
    bounds: tuple[Bounded, ...]
    moments: Moments
    rounds: int


@dataclass(frozen=True)
class Study:
    """All of it; ``tied`` starts from T⁰ = T_b as the paper does, ``spun_up`` from a spin-up."""

    case: Case
    tied: Fit
    spun_up: Fit
    spun_up_profile: Array
    scores: tuple[Score, ...]
    scores_spun_up: tuple[Score, ...]
    held_out: HoldOut
    held_out_spun_up: HoldOut
    albedo: Albedo
    shifts: tuple[Shift, ...]


def fit(case: Case, found: Calibration | None = None) -> Fit:
    """Calibrate a case by least squares and give intervals that respect correlated residuals."""
    found = calibrate(case) if found is None else found
    misfit = Misfit(case, Space.of(case))
    space = misfit.space
    u = space.scaled(found.estimate[found.best])
    linear = linearise(misfit, u)
    model = noise_model(misfit, linear)
    noise = fit_noise(linear, model)
    ordinary = intervals(misfit, u, linear, noise)
    point, moved, settled, rounds = generalise(misfit, u, model)
    generalised = intervals(misfit, point, moved, settled, estimator="generalised")
    published = np.nan
    if case.published is not None:
        there = space.scaled(space.flatten(case.published))
        published = float(np.sqrt(misfit.mean_square(there[None])[0]))
    r = np.full(misfit.seen.shape, np.nan)
    r[misfit.seen] = linear.response
    return Fit(
        calibration=found,
        rmse_published=published,
        residuals=Residuals(
            rms=np.sqrt(np.nanmean(r**2, axis=1)),
            after_day=np.array([_correlation(row[:-24], row[24:]) for row in r]),
            between=_correlation(*r),
        ),
        noise=noise,
        ordinary=ordinary,
        generalised=generalised,
        white=naive(misfit, u, linear),
        agreement=disagreement(misfit, linear, noise),
        bounds=tuple(
            longer_coherence(misfit, u, linear, bound)
            for bound in (float(model.coherence or 0.0), *BOUNDS)
        ),
        moments=moments(misfit, linear, noise),
        rounds=rounds,
    )


def study(data: Path | None = None, *, days: int = DAYS) -> Study:
    """Run the whole study on the data in a folder (default: as `load_case`)."""
    case = load_case("phoenix", data=data)
    tied = fit(case)
    found, started, _ = calibrate_spun_up(case, before_window(data))
    spun = fit(started, found)
    space = Space.of(case)
    return Study(
        case=case,
        tied=tied,
        spun_up=spun,
        spun_up_profile=np.asarray(started.fixed["initial_temperature"]),
        scores=predictions(
            case, space, tied.ordinary.u, covariance=tied.ordinary.covariance, data=data
        ),
        scores_spun_up=predictions(
            started, space, spun.ordinary.u, covariance=spun.ordinary.covariance, data=data
        ),
        held_out=hold_out(case, tied.calibration.parameters(), days, data=data),
        held_out_spun_up=hold_out(started, found.parameters(), days, data=data),
        albedo=tower_albedo(case, data),
        shifts=sensitivity(case, tied.ordinary.deviation, tied.white.deviation, data),
    )


def _correlation(a: Array, b: Array) -> float:
    there = np.isfinite(a) & np.isfinite(b)
    return float(np.corrcoef(a[there], b[there])[0, 1])
