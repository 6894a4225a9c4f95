"""Intervals of estimates whose residuals are correlated, with their small-sample factor.

Two estimators. ``ordinary``: weighted least squares, as calibrated; the noise V enters its
covariance, A V Aᵀ with A = (Xᵀ W X)⁻¹ Xᵀ W. ``generalised``: least squares in the metric of V,
covariance (Xᵀ V⁻¹ X)⁻¹, smaller where V is right; where the model leaves something out, V hides it
and the estimate may go elsewhere: `disagreement` tests that.

Where V was estimated, intervals are those of Student's t with degrees of freedom such that the
variance's own uncertainty is that of a chi-squared variable (Satterthwaite), and the generalised
covariance is inflated as Kenward and Roger do, first order in V.

References
----------
Kenward, M. G. and Roger, J. H. (1997). Small sample inference for fixed effects from restricted
maximum likelihood. Biometrics 53, 983-997, doi 10.2307/2533558. Satterthwaite, F. E. (1946).
Biometrics Bulletin 2, 110-114, doi 10.2307/3002019. Hausman, J. A. (1978). Specification tests in
econometrics. Econometrica 46, 1251-1271, doi 10.2307/1913827.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lsm_verify.errors import InputError, unknown
from lsm_verify.inverse.misfit import Misfit
from lsm_verify.inverse.noise import Noise, NoiseModel
from lsm_verify.inverse.reml import (
    Linear,
    Restricted,
    covariance,
    derivatives,
    fit_noise,
)

Array = NDArray[np.float64]

ESTIMATORS = ("ordinary", "generalised")

LEAST_FREEDOM = 1.0
"""Least degrees of freedom: below one, Satterthwaite's match of two moments means nothing, and t
has no mean; an interval that ends here is said to be at the limit."""

STEPS = 60
"""Of a refit, at most; 3 to 8 are usual."""


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
        Degrees of freedom; infinite where the noise is known.
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

    def cover(self, truth: Array) -> NDArray[np.bool_]:
        """Whether each interval holds ``truth`` (P,), in the parameters' units."""
        return (self.lower <= truth) & (truth <= self.upper)


def linearise(misfit: Misfit, u: Array, values: Array | None = None) -> Linear:
    """Return residuals (observed minus predicted) and Jacobian at scaled coordinates (P,).

    ``values`` (series, steps + 1) replace the observed values; synthetic ones, say.
    """
    y, dy = misfit.evaluator.jacobian(np.asarray(u)[None])
    seen = misfit.seen
    observed = misfit.values if values is None else values
    return Linear((observed - y[0])[seen], dy[0][seen], seen)


def times_of(misfit: Misfit) -> Array:
    """Return the times of the states [h]."""
    return np.asarray(misfit.evaluator.case.forcing.elapsed / 3600.0)


def noise_model(
    misfit: Misfit, linear: Linear, components: tuple[str, ...] = ("quasi-periodic",)
) -> NoiseModel:
    """Return the form of the noise of a fit: its times, and the size of each series' residuals."""
    r = np.full(linear.seen.shape, np.nan)
    r[linear.seen] = linear.response
    if np.any(np.all(np.isnan(r), axis=1)):
        raise InputError("a series has no observation; leave it out of the case.")
    return NoiseModel(times_of(misfit), np.sqrt(np.nanmean(r**2, axis=1)), components)


def refit(
    misfit: Misfit, u: Array, V: Array | None = None, values: Array | None = None
) -> tuple[Array, Linear]:
    """Fit the nonlinear model by least squares, in the metric of V (R, R) if given.

    Trust-region least squares of SciPy within the bounds, from ``u``; each step is a linearised
    generalised fit, iterated until the gradient vanishes to 1e-8 of its scale.
    """
    from scipy.linalg import cholesky, solve_triangular
    from scipy.optimize import least_squares

    if V is None:
        root = np.sqrt(misfit.weights[misfit.seen])

        def whiten(a: Array) -> Array:
            return root * a if a.ndim == 1 else root[:, None] * a
    else:
        factor = cholesky(V, lower=True)

        def whiten(a: Array) -> Array:
            return np.asarray(solve_triangular(factor, a, lower=True))

    last: dict[bytes, Linear] = {}

    def at(point: Array) -> Linear:
        key = point.tobytes()
        if key not in last:
            last.clear()
            last[key] = linearise(misfit, point, values)
        return last[key]

    def residuals(point: Array) -> Array:
        return whiten(-at(point).response)

    def jacobian(point: Array) -> Array:
        return whiten(at(point).design)

    low, high = misfit.space.box
    found = least_squares(
        residuals,
        np.clip(u, low, high),
        jacobian,
        bounds=(low, high),
        xtol=1e-10,
        ftol=1e-12,
        gtol=1e-8,
        tr_solver="exact",
        max_nfev=STEPS,
    )
    return found.x, at(found.x)


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
        Of `linearise` there.
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
    X = linear.design
    if estimator == "ordinary":
        WX = misfit.weights[misfit.seen][:, None] * X
        A = np.linalg.solve(X.T @ WX, WX.T)
        C: Array = np.asarray(A @ V @ A.T, dtype=np.float64)
    else:
        A = np.linalg.solve(V, X).T
        C = np.asarray(np.linalg.inv(A @ X), dtype=np.float64)
        A = C @ A
    freedom = np.full(len(C), np.inf)
    if isinstance(noise, Restricted):
        rows: Array = np.asarray(A, dtype=np.float64)
        C, freedom = _small_sample(noise, linear, rows, C, V, estimator)
    return _of(misfit, u, C, freedom, estimator, level)


def naive(misfit: Misfit, u: Array, linear: Linear, level: float = 0.95) -> Intervals:
    """Return the intervals of independent errors: a warning, where residuals are correlated."""
    w = misfit.weights[misfit.seen]
    X, r = linear.design, linear.response
    freedom = len(r) - X.shape[1]
    C = np.linalg.inv(X.T @ (w[:, None] * X)) * float(w @ r**2) / freedom
    return _of(misfit, u, C, np.full(len(C), float(freedom)), "white noise", level)


def disagreement(ordinary: Intervals, generalised: Intervals) -> tuple[float, float, int]:
    """Test whether two estimates of one model differ by more than the noise allows (Hausman).

    Returns
    -------
    statistic, probability, and the number of directions compared
        Under the noise model the statistic is about chi-squared; directions in which the ordinary
        estimate is not the wider one are left out.
    """
    from scipy.stats import chi2

    values, vectors = np.linalg.eigh(ordinary.covariance - generalised.covariance)
    kept = values > 1e-8 * np.max(np.abs(values))
    along = vectors[:, kept].T @ (generalised.u - ordinary.u)
    statistic = float(np.sum(along**2 / values[kept]))
    count = int(np.count_nonzero(kept))
    return statistic, float(chi2.sf(statistic, count)), count


def generalise(
    misfit: Misfit,
    u: Array,
    model: NoiseModel,
    *,
    values: Array | None = None,
    rounds: int = 20,
    settled: float = 1e-3,
) -> tuple[Array, Linear, Restricted, int]:
    """Refit and re-estimate the noise in turn until the estimate moves by < ``settled`` errors.

    Returns
    -------
    estimate (P,), its linearisation, the noise, and the number of rounds taken

    Raises
    ------
    InputError
        If it does not settle.
    """
    linear = linearise(misfit, u, values)
    start = None
    for k in range(rounds):
        noise = fit_noise(linear, model, start)
        start = noise.noise.theta
        V = covariance(noise.noise, linear)
        point, linear = refit(misfit, u, V, values)
        X = linear.design
        error = np.sqrt(np.diag(np.linalg.inv(X.T @ np.linalg.solve(V, X))))
        if np.all(np.abs(point - u) < settled * error):
            return point, linear, noise, k + 1
        u = point
    raise InputError(
        f"estimate and noise did not settle within {rounds} rounds; take estimator='ordinary'."
    )


def _small_sample(
    found: Restricted, linear: Linear, A: Array, C: Array, V: Array, estimator: str
) -> tuple[Array, Array]:
    """Covariance, inflated for the generalised estimator, and degrees of freedom (P,)."""
    W = np.linalg.pinv(found.information, hermitian=True)
    parts = derivatives(found.noise.model, linear, found.noise.theta)
    slopes = np.array([np.einsum("pr,rs,ps->p", A, D, A, optimize=True) for D in parts])
    variance = np.einsum("ip,ij,jp->p", slopes, W, slopes)
    with np.errstate(divide="ignore"):
        freedom = np.maximum(2 * np.diag(C) ** 2 / variance, LEAST_FREEDOM)
    if estimator == "ordinary":
        return C, freedom
    DA = [D @ A.T for D in parts]
    W_V = [np.linalg.solve(V, d) for d in DA]
    inner = np.array([A @ d for d in DA])
    bend = np.zeros_like(C)
    for i, d in enumerate(DA):
        for j, e in enumerate(W_V):
            bend += W[i, j] * (d.T @ e - inner[i] @ np.linalg.solve(C, inner[j]))
    return C + bend + bend.T, freedom


def _of(
    misfit: Misfit, u: Array, C: Array, freedom: Array, estimator: str, level: float
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
    )
