"""Intervals of estimates whose residuals are correlated, with their small-sample factor.

Two estimators. ``ordinary``: weighted least squares, as calibrated; the noise V enters its
covariance, A V Aᵀ with A = (Xᵀ W X)⁻¹ Xᵀ W. ``generalised``: least squares in the metric of V,
covariance (Xᵀ V⁻¹ X)⁻¹, smaller where V is right; where the model leaves something out, or V is
wrong, the estimate may go elsewhere: `disagreement` tests that.

Where V was estimated, intervals are those of Student's t with degrees of freedom such that the
variance's own uncertainty is that of a chi-squared variable (Satterthwaite), and the generalised
covariance is inflated as Kenward and Roger do, first order in V.

References
----------
Kenward, M. G. and Roger, J. H. (1997). Small sample inference for fixed effects from restricted
maximum likelihood. Biometrics 53, 983-997, doi 10.2307/2533558. Satterthwaite, F. E. (1946).
Biometrics Bulletin 2, 110-114, doi 10.2307/3002019.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lsm_verify.errors import InputError, unknown
from lsm_verify.inverse.agreement import Agreement, disagreement
from lsm_verify.inverse.estimators import LEAST_FREEDOM, gain, small_sample
from lsm_verify.inverse.misfit import Misfit
from lsm_verify.inverse.noise import Noise
from lsm_verify.inverse.reml import Linear, Restricted, covariance

Array = NDArray[np.float64]

__all__ = ["ESTIMATORS", "Agreement", "Intervals", "disagreement", "gain", "intervals", "naive"]

ESTIMATORS = ("ordinary", "generalised")


@dataclass(frozen=True)
class Intervals:
    """Estimates with intervals.

    Attributes
    ----------
    labels, units : tuple of str
        Of the unknowns.
    estimator : str
        ``ordinary`` or ``generalised``.
    level : float
        Nominal coverage.
    u : (P,) array
        Estimate in scaled coordinates.
    estimate, deviation, lower, upper : (P,) array
        In the parameters' units: value, standard error, ends.
    covariance : (P, P) array
        Of the scaled coordinates.
    freedom : (P,) array
        Degrees of freedom; infinite where the noise is known, at least ``LEAST_FREEDOM``.
    converged : bool
        Whether the search for the noise ended by its tolerance; true where the noise is known.
    """

    labels: tuple[str, ...]
    units: tuple[str, ...]
    estimator: str
    level: float
    u: Array
    estimate: Array
    deviation: Array
    lower: Array
    upper: Array
    covariance: Array
    freedom: Array
    converged: bool = True

    @property
    def at_limit(self) -> tuple[str, ...]:
        """Names of the unknowns whose degrees of freedom are at ``LEAST_FREEDOM``."""
        pairs = zip(self.labels, self.freedom, strict=True)
        return tuple(label for label, freedom in pairs if freedom <= LEAST_FREEDOM)

    def cover(self, truth: Array) -> NDArray[np.bool_]:
        """Whether each interval holds ``truth`` (P,), in the parameters' units."""
        return (self.lower <= truth) & (truth <= self.upper)


def intervals(
    misfit: Misfit,
    u: Array,
    linear: Linear,
    noise: Noise | Restricted,
    *,
    estimator: str = "ordinary",
    level: float = 0.95,
) -> Intervals:
    """Return intervals of an estimate at ``u``, about which ``linear`` was taken.

    Parameters
    ----------
    misfit : Misfit
        Without priors.
    u : (P,) array
        The estimate: of `refit` without V for ``ordinary``, with this noise's for the other.
    linear : Linear
        Of `lsm_verify.inverse.refit.linearise` there.
    noise : Noise or Restricted
        Known, or estimated by `fit_noise`: then with the small-sample factors.
    estimator : str
        One of ``ESTIMATORS``.
    level : float
        Nominal coverage, between 0 and 1.
    """
    if estimator not in ESTIMATORS:
        raise unknown("estimator", estimator, ESTIMATORS)
    if not 0 < level < 1:
        raise InputError(f"level={level!r} must lie between 0 and 1; 0.95, say.")
    if misfit.prior_right.size:
        raise InputError("intervals of a fit with priors are not offered; leave the priors out.")
    V = covariance(noise if isinstance(noise, Noise) else noise.noise, linear)
    A = gain(misfit, linear, V if estimator == "generalised" else None)
    C: Array = np.asarray(A @ V @ A.T, dtype=np.float64)
    freedom, converged = np.full(len(C), np.inf), True
    if isinstance(noise, Restricted):
        C, freedom = small_sample(noise, linear, A, C, V, estimator)
        converged = noise.converged
    return _of(misfit, u, C, freedom, estimator, level, converged)


def naive(misfit: Misfit, u: Array, linear: Linear, level: float = 0.95) -> Intervals:
    """Return the intervals of independent errors: a warning, where residuals are correlated."""
    w = misfit.weights[misfit.seen]
    X, r = linear.design, linear.response
    freedom = len(r) - X.shape[1]
    C = np.linalg.inv(X.T @ (w[:, None] * X)) * float(w @ r**2) / freedom
    return _of(misfit, u, C, np.full(len(C), float(freedom)), "white noise", level)


def _of(
    misfit: Misfit,
    u: Array,
    C: Array,
    freedom: Array,
    estimator: str,
    level: float,
    converged: bool = True,
) -> Intervals:
    from scipy.stats import t

    half = t.ppf(0.5 + level / 2, freedom) * np.sqrt(np.diag(C))
    space = misfit.space
    ends = np.stack([space.physical(u - half), space.physical(u + half)])
    return Intervals(
        labels=space.labels,
        units=space.units,
        estimator=estimator,
        level=level,
        u=np.asarray(u),
        estimate=space.physical(u),
        deviation=np.sqrt(np.diag(C)) * np.abs(space.slope(u)),
        lower=ends.min(axis=0),
        upper=ends.max(axis=0),
        covariance=C,
        freedom=freedom,
        converged=converged,
    )
