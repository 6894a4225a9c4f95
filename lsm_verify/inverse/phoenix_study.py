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
from lsm_verify.inverse.phoenix_albedo import Albedo, AlbedoEffect, albedo_effect, tower_albedo
from lsm_verify.inverse.phoenix_hold_out import HoldOut, hold_out
from lsm_verify.inverse.phoenix_noise import (
    BOUNDS,
    Bounded,
    Moments,
    longer_coherences,
    moments,
)
from lsm_verify.inverse.phoenix_predictions import Score, predictions
from lsm_verify.inverse.phoenix_sensitivity import Shift, sensitivity
from lsm_verify.inverse.phoenix_variants import before_window
from lsm_verify.inverse.profiles import spinning_up, spun_up_profile, with_profile
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
    """All of it; ``tied`` starts from T⁰ = T_b as the paper does, ``spun_up`` from a spin-up.

    ``spun_up`` is estimated through the spin-up, on which the profile's dependence on the
    parameters rests; ``profile_as_known``: its least squares if the profile
    ``spun_up_profile`` (nodes,) [K] were known, a warning. ``albedo_effects``: of both fits.
    """

    case: Case
    tied: Fit
    spun_up: Fit
    spun_up_profile: Array
    profile_as_known: Intervals
    scores: tuple[Score, ...]
    scores_spun_up: tuple[Score, ...]
    held_out: HoldOut
    held_out_spun_up: HoldOut
    albedo: Albedo
    albedo_effects: tuple[AlbedoEffect, AlbedoEffect]
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
    r = np.full(linear.seen.shape, np.nan)
    r[linear.seen] = linear.response
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
        bounds=longer_coherences(misfit, u, linear, (float(model.coherence or 0.0), *BOUNDS)),
        moments=moments(misfit, linear, noise),
        rounds=rounds,
    )


def study(data: Path | None = None, *, days: int = DAYS) -> Study:
    """Run the whole study on the data in a folder (default: as `load_case`)."""
    case, before = load_case("phoenix", data=data), before_window(data)
    tied, spun = fit(case), fit(spinning_up(case, before))
    space = Space.of(case)
    found = spun.calibration.parameters()
    profile = spun_up_profile(case, found, before)
    started = with_profile(case, profile)
    albedo = tower_albedo(case, data)
    return Study(
        case=case,
        tied=tied,
        spun_up=spun,
        spun_up_profile=profile,
        profile_as_known=_as_known(started, spun),
        scores=predictions(
            case, space, tied.ordinary.u, covariance=tied.ordinary.covariance, data=data
        ),
        scores_spun_up=predictions(
            case,
            space,
            spun.ordinary.u,
            covariance=spun.ordinary.covariance,
            before=before,
            data=data,
        ),
        held_out=hold_out(case, tied.calibration.parameters(), days, data=data),
        held_out_spun_up=hold_out(started, found, days, data=data),
        albedo=albedo,
        albedo_effects=(
            albedo_effect(case, tied.ordinary.estimate, albedo),
            albedo_effect(spinning_up(case, before), spun.ordinary.estimate, albedo),
        ),
        shifts=sensitivity(case, tied.ordinary.deviation, tied.white.deviation, data),
    )


def _as_known(started: Case, spun: Fit) -> Intervals:
    """Return least squares' intervals with a fit's own noise if its initial profile were known."""
    misfit = Misfit(started, Space.of(started))
    return intervals(misfit, spun.ordinary.u, linearise(misfit, spun.ordinary.u), spun.noise)


def _correlation(a: Array, b: Array) -> float:
    there = np.isfinite(a) & np.isfinite(b)
    return float(np.corrcoef(a[there], b[there])[0, 1])
