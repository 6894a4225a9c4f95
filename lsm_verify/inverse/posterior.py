"""Posterior of the unknowns by Laplace's approximation: normal about the best fit.

References
----------
Tierney, L., Kadane, J. B. (1986). Accurate approximations for posterior moments and marginal
densities. J. Am. Stat. Assoc. 81, 82-86. doi:10.1080/01621459.1986.10478240.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Unpack

import numpy as np
from numpy.typing import NDArray

from lsm_verify.cases import Case
from lsm_verify.errors import InputError
from lsm_verify.inverse import blas
from lsm_verify.inverse.identify import identified
from lsm_verify.inverse.local import fit
from lsm_verify.inverse.misfit import Misfit
from lsm_verify.inverse.point import Setting, Unknowns, misfit_at
from lsm_verify.inverse.space import Space
from lsm_verify.validation import whole

Array = NDArray[np.float64]

STEP = 0.01
"""Of the Hessian's differences, in units of what moves the residuals by one: truncation after
extrapolation 1e-8 of the third order's ratio, round-off of the gradient 1e-13 over 1e-2."""


@dataclass(frozen=True)
class Laplace:
    """A normal posterior in scaled coordinates, about the best fit.

    Attributes
    ----------
    space : Space
        The unknowns.
    mean : (P,) array
        Scaled coordinates of the best fit, priors included.
    covariance : (P, P) array
        Inverse of the objective's Hessian there.
    gauss_newton : (P, P) array
        Inverse of J'J + L'L, the Hessian without the residuals' own curvature; the same where the
        fit is exact.
    hessian_error : float
        Largest estimated error of the Hessian over its norm.
    objective : float
        At the best fit, ½ Σ w r²/σ² + priors.
    converged : bool
        Whether the fit has.
    """

    space: Space
    mean: Array
    covariance: Array
    gauss_newton: Array
    hessian_error: float
    objective: float
    converged: bool

    @property
    def estimate(self) -> Array:
        """The best fit (P,) in the parameters' units."""
        return self.space.physical(self.mean)

    @property
    def deviation(self) -> Array:
        """Standard deviations (P,) in the parameters' units, to first order."""
        scaled = np.sqrt(np.diag(self.covariance))
        return np.asarray(scaled * np.abs(self.space.slope(self.mean)))

    @property
    def at_bound(self) -> tuple[str, ...]:
        """Unknowns whose best fit lies on a bound: a normal posterior is wrong there."""
        hit = self.space.at_bound(self.space.physical(self.mean))
        return tuple(self.space.labels[k] for k in np.flatnonzero(hit))

    @property
    def correlation(self) -> Array:
        """Correlations (P, P)."""
        scaled = np.sqrt(np.diag(self.covariance))
        return np.asarray(self.covariance / np.outer(scaled, scaled))

    def sample(self, count: int, seed: int) -> Array:
        """Draw (count, P) parameters in their units; bounds are not looked at."""
        rng = np.random.default_rng(whole("seed", seed, 0))
        normal = rng.standard_normal((whole("count", count, 1), self.space.size))
        root = np.linalg.cholesky(self.covariance)
        return self.space.physical(self.mean + normal @ root.T)


def laplace(
    case: Case,
    parameters: Mapping[str, Any] | str = "start",
    unknowns: Unknowns = None,
    **setting: Unpack[Setting],
) -> Laplace:
    """Fit the unknowns and return the normal posterior about the best fit.

    Parameters
    ----------
    parameters : mapping, or the name of a point of the case
        Where the fit starts.
    **setting
        ``observation_error``, ``priors``, ``compose``, ``threads``, see
        `lsm_verify.inverse.point.Setting`. Without
        priors the prior is flat.

    Raises
    ------
    InputError
        If a name or value is wrong, the first fit finds no solution, or neither observations nor
        priors bound an unknown: there is no posterior then.
    """
    misfit, start = misfit_at(case, parameters, unknowns, **setting)
    return about(misfit, start)


@blas.one_thread()
def about(misfit: Misfit, start: Array) -> Laplace:
    """Return the normal posterior about the fit from a start (P,), see `laplace`."""
    best, value, converged = fit(misfit, start)
    space, found = misfit.space, identified(misfit, best)
    if not np.all(found.identifiable):
        label = space.labels[int(np.argmin(found.identifiable))]
        raise InputError(
            f"case {found.case} has no posterior: {label} is not identifiable; give a prior for "
            "it, or hold it by leaving it out of the unknowns."
        )
    H, error = hessian(misfit, best)
    size = float(np.linalg.norm(H, 2))
    if np.min(np.linalg.eigvalsh(H)) <= error:
        raise InputError(
            f"case {found.case} has no normal posterior: the fit is no minimum in every direction"
            f"{'' if converged else ', it has not converged'}; start elsewhere or give a prior."
        )
    return Laplace(
        space, best, np.asarray(np.linalg.inv(H)), found.covariance, error / size, value, converged
    )


def hessian(misfit: Misfit, u: Array) -> tuple[Array, float]:
    """Hessian (P, P) in scaled coordinates and its error, from differences of exact gradients.

    Central differences at two steps, extrapolated; their distance is the error of the cruder one.
    """
    P = u.size
    steps = [STEP / np.sqrt(d) for d in (1.0, 4.0)]
    length = 1 / np.maximum(np.linalg.norm(misfit.residuals(u)[1], axis=0), 1.0)
    points = [
        u + sign * h * length[k] * np.eye(P)[k] for h in steps for sign in (1, -1) for k in range(P)
    ]
    slopes = misfit.value(np.stack(points))[1].reshape(2, 2, P, P)
    crude, fine = (
        (pair[0] - pair[1]) / (2 * h * length[:, None])
        for pair, h in zip(slopes, steps, strict=True)
    )
    H = (4 * fine - crude) / 3
    asymmetry = float(np.linalg.norm(H - H.T, 2))
    return (H + H.T) / 2, max(asymmetry, float(np.linalg.norm(fine - crude, 2)) / 3)
