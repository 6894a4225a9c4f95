"""Refit a model in the metric of a noise covariance, and the two in turn until they settle."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lsm_verify.errors import InputError
from lsm_verify.inverse.misfit import Misfit
from lsm_verify.inverse.noise import NoiseModel
from lsm_verify.inverse.reml import Linear, Restricted, covariance, fit_noise

Array = NDArray[np.float64]

STEPS = 60
"""Of a refit, at most; 3 to 8 are usual."""


def record(misfit: Misfit) -> slice:
    """Return the states from the first to the last observed one: a spin-up has no residuals."""
    there = np.flatnonzero(np.any(misfit.seen, axis=0))
    return slice(int(there[0]), int(there[-1]) + 1)


def linearise(misfit: Misfit, u: Array, values: Array | None = None) -> Linear:
    """Return residuals (observed minus predicted) and Jacobian at scaled coordinates (P,).

    ``values`` (series, steps + 1) replace the observed values; synthetic ones, say. ``seen`` of
    the result is that of the `record`.
    """
    y, dy = misfit.evaluator.jacobian(np.asarray(u)[None])
    seen = misfit.seen
    observed = misfit.values if values is None else values
    return Linear((observed - y[0])[seen], dy[0][seen], seen[:, record(misfit)])


def times_of(misfit: Misfit) -> Array:
    """Return the times of the states of the `record` [h]."""
    return np.asarray(misfit.evaluator.case.forcing.elapsed[record(misfit)] / 3600.0)


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

    Raises
    ------
    InputError
        If that takes more than ``STEPS`` evaluations.
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
    if found.status <= 0:
        raise InputError(
            f"the refit has not converged after {STEPS} evaluations; start nearer, or fix what the "
            "observations do not tell."
        )
    return found.x, at(found.x)


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
