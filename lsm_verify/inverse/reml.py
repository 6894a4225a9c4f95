"""Restricted maximum likelihood of a noise covariance, given the Jacobian of the fit.

With y = X b + e, e normal with covariance V(θ), the likelihood of what of y does not depend on b:

    2 R(θ) = log|V| + log|Xᵀ V⁻¹ X| + yᵀ P y,   P = V⁻¹ - V⁻¹ X (Xᵀ V⁻¹ X)⁻¹ Xᵀ V⁻¹

It accounts for the freedom that the fitted parameters took away, which plain maximum likelihood
counts as small noise.

References
----------
Patterson, H. D. and Thompson, R. (1971). Recovery of inter-block information when block sizes are
unequal. Biometrika 58, 545-554, doi 10.1093/biomet/58.3.545.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lsm_verify.errors import InputError
from lsm_verify.inverse.noise import Noise, NoiseModel

Array = NDArray[np.float64]

ITERATIONS = 300
"""Of L-BFGS-B; some 30 to 80 are usual."""

FLAT = 1e-6
"""Relative decrease of R below which the search stops: R is some hundreds, so it is then known to
about 5e-4, far below the 0.5 by which it rises one standard deviation from the optimum."""


@dataclass(frozen=True)
class Linear:
    """A linearised model: y = X b + e at the values that were observed.

    Attributes
    ----------
    response : (R,) array
        y, residuals observed minus predicted at the point of linearisation.
    design : (R, P) array
        X, derivatives of the predictions by the scaled coordinates.
    seen : (series, n) array of bool
        Which values of the series they are, in this order.
    """

    response: Array
    design: Array
    seen: NDArray[np.bool_]

    def __post_init__(self) -> None:
        R = int(np.count_nonzero(self.seen))
        if self.response.shape != (R,) or self.design.shape[:1] != (R,):
            raise InputError(
                f"response has shape {self.response.shape} and design {self.design.shape}; give "
                f"{R} rows, one per value seen."
            )
        P = self.design.shape[1]
        rank = int(np.linalg.matrix_rank(self.design))
        if R <= P or rank < P:
            raise InputError(
                f"{R} observations determine {rank} of {P} unknowns; fix the others, or add "
                "observations."
            )


@dataclass(frozen=True)
class Restricted:
    """A noise covariance by restricted maximum likelihood.

    Attributes
    ----------
    noise : Noise
        The estimate.
    criterion : float
        -2 × the restricted log-likelihood, without its constant.
    information : (q, q) array
        Expected information of θ, ½ tr(P V_i P V_j).
    evaluations : int
        Of the criterion.
    converged : bool
        Whether the search ended by its tolerance.
    """

    noise: Noise
    criterion: float
    information: Array
    evaluations: int
    converged: bool


def restricted_likelihood(model: NoiseModel, linear: Linear, theta: Array) -> tuple[float, Array]:
    """R(θ), half of -2 log-likelihood, and its gradient (q,): ½ tr(Q V_i), Q = P - P y yᵀ P.

    Raises
    ------
    numpy.linalg.LinAlgError
        If the covariance is not positive definite in double precision.
    """
    V, changes = model.covariance_and_derivatives(theta)
    inverse, half_logarithms, G = _factors(V, linear)
    projected = G.T @ linear.response
    Py = inverse @ linear.response - G @ projected
    value = half_logarithms + 0.5 * float(linear.response @ Py)
    G = np.column_stack([G, Py])
    Q = inverse - G @ G.T
    S, n = linear.seen.shape
    where = np.flatnonzero(linear.seen)
    if where.size < S * n:
        full = np.zeros((S * n, S * n))
        full[np.ix_(where, where)] = Q
        Q = full
    blocks = Q.reshape(S, n, S, n)
    sums: dict[int, Array] = {}
    slope = []
    for between, along in changes:
        if id(along) not in sums:
            sums[id(along)] = np.einsum("atbu,tu->ab", blocks, along)
        slope.append(0.5 * float(np.sum(between * sums[id(along)])))
    return value, np.array(slope)


def expected_information(model: NoiseModel, linear: Linear, theta: Array) -> Array:
    """Return the expected information (q, q) of θ: ½ tr(P V_i P V_j)."""
    inverse, _, G = _factors(model.covariance(theta), linear)
    P = inverse - G @ G.T
    products = [P @ V for V in derivatives(model, linear, theta)]
    found = np.array([[np.sum(a * b.T) for b in products] for a in products])
    return 0.5 * found


def derivatives(model: NoiseModel, linear: Linear, theta: Array) -> list[Array]:
    """Return dV/dθ_i, each (R, R), of the values that were seen."""
    where = np.flatnonzero(linear.seen)
    return [
        np.asarray(np.kron(a, b)[np.ix_(where, where)], dtype=np.float64)
        for a, b in model.derivatives(theta)
    ]


def covariance(noise: Noise, linear: Linear) -> Array:
    """Covariance (R, R) of the values that were seen."""
    where = np.flatnonzero(linear.seen)
    return np.asarray(noise.covariance[np.ix_(where, where)])


def fit_noise(linear: Linear, model: NoiseModel, start: Array | None = None) -> Restricted:
    """Estimate θ by L-BFGS-B (SciPy) on the restricted likelihood with its gradient.

    Parameters
    ----------
    linear : Linear
        Residuals and Jacobian.
    model : NoiseModel
        What is fitted.
    start : (q,) array, optional
        Default: ``model.start``.

    Returns
    -------
    Restricted
    """
    from scipy.optimize import minimize

    if linear.seen.shape != (model.series, model.times.size):
        raise InputError(
            f"observations have shape {linear.seen.shape}; the noise model is for "
            f"{(model.series, model.times.size)}."
        )
    low, high = model.box

    def both(theta: Array) -> tuple[float, Array]:
        try:
            return restricted_likelihood(model, linear, theta)
        except np.linalg.LinAlgError:
            return np.inf, np.zeros_like(theta)  # the line search steps back

    found = minimize(
        both,
        np.clip(model.start if start is None else start, low, high),
        jac=True,
        method="L-BFGS-B",
        bounds=list(zip(low, high, strict=True)),
        options={"maxiter": ITERATIONS, "ftol": FLAT, "gtol": 1e-6},
    )
    theta = np.clip(found.x, low, high)
    return Restricted(
        noise=Noise(model, theta),
        criterion=2 * float(found.fun),
        information=expected_information(model, linear, theta),
        evaluations=int(found.nfev),
        converged=found.status == 0,
    )


def _factors(V: Array, linear: Linear) -> tuple[Array, float, Array]:
    """V⁻¹ (R, R), half of log|V| + log|Xᵀ V⁻¹ X|, and G (R, P) with P = V⁻¹ - G Gᵀ."""
    from scipy.linalg import cholesky, solve_triangular
    from scipy.linalg.lapack import dpotrf, dpotri

    where = np.flatnonzero(linear.seen)
    if where.size < V.shape[0]:
        V = V[np.ix_(where, where)]
    factor, failed = dpotrf(V, lower=1, clean=1)
    if failed:
        raise np.linalg.LinAlgError("covariance is not positive definite")
    logarithm = float(np.sum(np.log(np.diag(factor))))
    half, _ = dpotri(factor, lower=1)  # its lower triangle; the other was cleared
    inverse = half + half.T
    np.fill_diagonal(inverse, np.diag(half))
    WX = inverse @ linear.design
    root = cholesky(linear.design.T @ WX, lower=True)
    logarithm += float(np.sum(np.log(np.diag(root))))
    return inverse, logarithm, solve_triangular(root, WX.T, lower=True).T
