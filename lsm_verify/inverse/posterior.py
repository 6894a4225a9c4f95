"""Posterior of the unknowns: Laplace's approximation, and samples as a check on it.

References
----------
Foreman-Mackey, D., Hogg, D. W., Lang, D., Goodman, J. (2013). emcee: the MCMC hammer.
Publ. Astron. Soc. Pac. 125, 306-312. doi:10.1086/670067.
Goodman, J., Weare, J. (2010). Ensemble samplers with affine invariance. Comm. App. Math. Comp.
Sci. 5, 65-80. doi:10.2140/camcos.2010.5.65.
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

LONG_ENOUGH = 50.0
"""Autocorrelation times that a chain must have for their estimate to be trusted (the sampler's
own documentation)."""


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


@dataclass(frozen=True)
class Posterior:
    """Samples of the posterior, uniform within the bounds but for priors given.

    Attributes
    ----------
    laplace : Laplace
        What the samples are compared with.
    samples : (steps, walkers, P) array
        Scaled coordinates, after the warm-up.
    autocorrelation : (P,) array
        Integrated autocorrelation times, in steps.
    autocorrelation_of_squares : (P,) array
        Those of squared distances from the mean, which tell the error of a deviation.
    acceptance : float
        Accepted share of the proposals.
    dropped : int
        Steps of the warm-up.
    """

    laplace: Laplace
    samples: Array
    autocorrelation: Array
    autocorrelation_of_squares: Array
    acceptance: float
    dropped: int

    @property
    def reliable(self) -> bool:
        """Whether the chain has 50 autocorrelation times, of the slowest unknown."""
        slowest = max(np.max(self.autocorrelation), np.max(self.autocorrelation_of_squares))
        return bool(len(self.samples) >= LONG_ENOUGH * slowest)

    @property
    def effective_size(self) -> Array:
        """Number of independent samples (P,) that tell the mean as well."""
        return np.asarray(self.samples[..., 0].size / self.autocorrelation)

    @property
    def flat(self) -> Array:
        """All samples (steps * walkers, P) in the parameters' units."""
        return self.laplace.space.physical(self.samples.reshape(-1, self.samples.shape[-1]))

    @property
    def shift(self) -> tuple[Array, Array]:
        """Mean minus Laplace's, in Laplace's deviations (P,), and its Monte Carlo error (P,)."""
        unit = np.sqrt(np.diag(self.laplace.covariance))
        scaled = self.samples.reshape(-1, unit.size)
        error = np.std(scaled, axis=0) / unit / np.sqrt(self.effective_size)
        return (np.mean(scaled, axis=0) - self.laplace.mean) / unit, error

    @property
    def ratio(self) -> tuple[Array, Array]:
        """Deviation over Laplace's (P,), and its Monte Carlo error (P,)."""
        unit = np.sqrt(np.diag(self.laplace.covariance))
        scaled = self.samples.reshape(-1, unit.size)
        square = (scaled - np.mean(scaled, axis=0)) ** 2
        variance = np.mean(square, axis=0)
        count = len(scaled) / self.autocorrelation_of_squares
        ratio = np.sqrt(variance) / unit
        relative = np.std(square, axis=0) / variance / np.sqrt(count)
        return ratio, ratio * relative / 2

    def text(self) -> str:
        """Compare with Laplace in lines."""
        (shift, shift_error), (ratio, ratio_error) = self.shift, self.ratio
        trust = "" if self.reliable else "; too short: run more steps"
        lines = [
            f"{len(self.samples)} steps of {self.samples.shape[1]} walkers after {self.dropped} of "
            f"warm-up, {100 * self.acceptance:.0f} % accepted{trust}"
        ]
        lines += [
            f"{label}: Laplace {p:.6g} ± {d:.2g}; samples' mean {s:+.3f} ± {se:.3f} of these "
            f"deviations beside it, their deviation {r:.3f} ± {re:.3f} times as large; "
            f"autocorrelation {tau:.0f} steps, {size:.0f} effective samples"
            for label, p, d, s, se, r, re, tau, size in zip(
                self.laplace.space.labels,
                self.laplace.estimate,
                self.laplace.deviation,
                shift,
                shift_error,
                ratio,
                ratio_error,
                self.autocorrelation,
                self.effective_size,
                strict=True,
            )
        ]
        return "\n".join(lines)


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
