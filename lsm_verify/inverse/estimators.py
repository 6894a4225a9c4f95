"""Estimators as matrices, and what an estimated noise costs them.

References
----------
Kenward, M. G. and Roger, J. H. (1997). Small sample inference for fixed effects from restricted
maximum likelihood. Biometrics 53, 983-997, doi 10.2307/2533558. Satterthwaite, F. E. (1946).
Biometrics Bulletin 2, 110-114, doi 10.2307/3002019.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lsm_verify.inverse.misfit import Misfit
from lsm_verify.inverse.reml import Linear, Restricted, derivatives

Array = NDArray[np.float64]

LEAST_FREEDOM = 1.0
"""Least degrees of freedom: below one, Satterthwaite's match of two moments means nothing, and t
has no mean; an interval that ends here is said to be at the limit."""


def gain(misfit: Misfit, linear: Linear, V: Array | None = None) -> Array:
    """Matrix (P, R) from observations to estimates: of least squares, or in the metric of V."""
    X = linear.design
    right = misfit.weights[misfit.seen][:, None] * X if V is None else np.linalg.solve(V, X)
    return np.asarray(np.linalg.solve(X.T @ right, right.T), dtype=np.float64)


def small_sample(
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
