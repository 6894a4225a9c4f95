"""The noise of the Phoenix residuals: longer coherences than the record, moments, summaries."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lsm_verify.inverse.intervals import Intervals, disagreement, gain, intervals
from lsm_verify.inverse.misfit import Misfit
from lsm_verify.inverse.refit import noise_model
from lsm_verify.inverse.reml import Linear, Restricted, covariance, fit_noise

Array = NDArray[np.float64]

BOUNDS = (600.0, 1500.0, 3000.0, 10000.0)
"""Coherences of the noise [h] that are allowed beside the default, the length of the record; the
last is beyond the coherence that the records prefer."""

LEVEL = 0.05
"""Probability with which a right noise is rejected against the best one."""

LAGS = (0, 12, 24)
"""Lags [h] at which residuals are compared with the noise that was fitted to them."""

DRAWS = 1000
"""Sets of simulated residuals: a share of 5 % is then known to 0.7 %."""


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


def longer_coherences(
    misfit: Misfit, u: Array, linear: Linear, bounds: tuple[float, ...]
) -> tuple[Bounded, ...]:
    """Estimate the noise with coherences up to ``bounds`` [h], ascending, each from the last one.

    So the criterion never rises: what a shorter coherence reaches, a longer one is allowed too.
    """
    found: list[Bounded] = []
    for bound in bounds:
        start = found[-1].noise.noise.theta if found else None
        found.append(_longer_coherence(misfit, u, linear, bound, start))
    return tuple(found)


def _longer_coherence(
    misfit: Misfit, u: Array, linear: Linear, bound: float, start: Array | None = None
) -> Bounded:
    """Estimate the noise with a coherence up to ``bound`` [h], and the standard errors with it.

    ``start``: where the search begins; default: the model's.
    """
    model = replace(noise_model(misfit, linear), coherence=bound)
    found = fit_noise(linear, model, start)
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


def rejection() -> float:
    """Return the rise of -2 log REML above its least at which a noise is rejected: χ², 1 degree.

    Notes
    -----
    The likelihood-ratio test of one coherence against the best. Its χ² holds for many independent
    values and a best coherence inside of its range; on the range's end the right threshold is
    lower (half of the probability lies at 0), so that this one rejects too seldom, not too often.
    """
    from scipy.stats import chi2

    return float(chi2.isf(LEVEL, 1))


def not_rejected(bounds: Sequence[Bounded]) -> tuple[Bounded, ...]:
    """Return those of the noises that the record does not reject against the best of them."""
    limit = min(b.criterion for b in bounds) + rejection()
    return tuple(b for b in bounds if b.criterion <= limit)


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


def noise_summary(found: Restricted) -> dict[str, Any]:
    """Return what a report keeps of a noise."""
    noise = found.noise
    return {
        "components": list(noise.model.components),
        "theta": dict(zip(noise.model.names, noise.theta.tolist(), strict=True)),
        "unit": noise.model.unit.tolist(),
        "criterion": found.criterion,
        "converged": found.converged,
        "coherence [h]": noise.coherence,
        "at bound": list(noise.at_bound),
        "standard deviation [K]": noise.deviation.tolist(),
        "correlation of the depths": noise.correlation(0.0)[0, 1],
        "correlation after 24 h": np.diag(noise.correlation(24.0)).tolist(),
    }


def interval_rows(row: Intervals) -> dict[str, Any]:
    """Return what a report keeps of intervals, by unknown."""
    return {
        label: {
            "estimate": row.estimate[k],
            "standard error": row.deviation[k],
            "lower": row.lower[k],
            "upper": row.upper[k],
            "degrees of freedom": row.freedom[k],
            "unit": row.units[k],
        }
        for k, label in enumerate(row.labels)
    }
