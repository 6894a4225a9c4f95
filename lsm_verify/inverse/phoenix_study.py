"""The Phoenix study: calibration with intervals, predictions, days held out, sensitivity."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lsm_verify.cases import Case, load_case
from lsm_verify.inverse.calibrate import calibrate
from lsm_verify.inverse.intervals import Agreement, Intervals, disagreement, gain, intervals, naive
from lsm_verify.inverse.misfit import Misfit
from lsm_verify.inverse.phoenix_hold_out import HoldOut, hold_out
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
from lsm_verify.inverse.reml import Linear, Restricted, covariance, fit_noise
from lsm_verify.inverse.result import Calibration
from lsm_verify.inverse.space import Space

Array = NDArray[np.float64]

DAYS = 14
"""Days held out after the window."""


BOUNDS = (600.0, 3000.0)
"""Coherences of the noise [h] that are allowed beside the default, the length of the record."""

LAGS = (0, 12, 24)
"""Lags [h] at which residuals are compared with the noise that was fitted to them."""

DRAWS = 1000
"""Sets of simulated residuals: a share of 5 % is then known to 0.7 %."""


@dataclass(frozen=True)
class Residuals:
    """Statistics of the residuals of a fit, two depths: RMS, 24 h autocorrelation, correlation."""

    rms: Array
    after_day: Array
    between: float


@dataclass(frozen=True)
class Moments:
    """Second moments about zero at ``LAGS``, over root mean squares; (lags, 2, 2) each.

    Entry [k, a, b] is of series a with series b, LAGS[k] hours later. ``residuals`` are those of
    the fit, ``form`` those of the fitted noise, ``after_fit`` what residuals of such noise have:
    the fit takes a part of it. ``probability``: share of seeded sets of such noise whose residuals
    lie as far from ``after_fit`` as the residuals do, or farther.
    """

    residuals: Array
    form: Array
    after_fit: Array
    probability: Array


@dataclass(frozen=True)
class Bounded:
    """Noise and least squares' standard errors where a longer coherence is allowed.

    ``bound``, ``coherence`` [h]: the longest τ allowed, and the estimate. ``criterion``: -2 × the
    restricted log-likelihood. ``deviation``, ``freedom`` (P,): in the parameters' units.
    ``probability``: of the two estimators' agreement. ``noise`` (Restricted): all of the estimate.
    """

    bound: float
    coherence: float
    criterion: float
    deviation: Array
    freedom: Array
    probability: float
    noise: Restricted


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


def longer_coherence(misfit: Misfit, u: Array, linear: Linear, bound: float) -> Bounded:
    """Estimate the noise with a coherence up to ``bound`` [h], and the standard errors with it."""
    model = replace(noise_model(misfit, linear), coherence=bound)
    found = fit_noise(linear, model)
    row = intervals(misfit, u, linear, found)
    return Bounded(
        bound=bound,
        coherence=found.noise.coherence,
        criterion=found.criterion,
        deviation=row.deviation,
        freedom=row.freedom,
        probability=disagreement(misfit, linear, found).probability,
        noise=found,
    )


def moments(misfit: Misfit, linear: Linear, noise: Restricted) -> Moments:
    """Compare second moments of residuals with those of the noise fitted to them."""
    V = covariance(noise.noise, linear)
    rest = np.eye(len(V)) - linear.design @ gain(misfit, linear)
    where = np.flatnonzero(linear.seen)

    def lagged(second: Array) -> Array:
        S, n = linear.seen.shape
        full = np.full((S * n, S * n), np.nan)
        full[np.ix_(where, where)] = second
        blocks = full.reshape(S, n, S, n)
        at = np.arange(n)
        found = np.array([np.nanmean(blocks[:, at[: n - k], :, at[k:]], axis=0) for k in LAGS])
        size = np.sqrt(np.diag(found[0]))
        return np.asarray(found / np.outer(size, size))

    r = linear.response
    seen, form, after = (lagged(m) for m in (np.outer(r, r), V, rest @ V @ rest.T))
    sets = noise.noise.draw(DRAWS, seed=1)[:, linear.seen] @ rest.T
    drawn = np.array([lagged(np.outer(e, e)) for e in sets])
    # A series with itself at lag 0 is 1 but for round-off.
    far = np.abs(drawn - after) >= np.abs(seen - after) - 1e-12
    return Moments(seen, form, after, far.mean(axis=0))


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
