"""Sample the posterior by an ensemble of walkers, on the fused kernels as one batch.

References
----------
Foreman-Mackey, D., Hogg, D. W., Lang, D., Goodman, J. (2013). emcee: the MCMC hammer.
Publ. Astron. Soc. Pac. 125, 306-312. doi:10.1086/670067.
Goodman, J., Weare, J. (2010). Ensemble samplers with affine invariance. Comm. App. Math. Comp.
Sci. 5, 65-80. doi:10.2140/camcos.2010.5.65.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Unpack

import numpy as np
from numpy.typing import NDArray

from lsm_verify.cases import Case
from lsm_verify.errors import InputError
from lsm_verify.inverse.misfit import Misfit
from lsm_verify.inverse.point import Setting, Unknowns, misfit_at
from lsm_verify.inverse.posterior import Laplace, Posterior, about
from lsm_verify.validation import whole

Array = NDArray[np.float64]

WALKERS, STEPS = 32, 4000

WARM_UP = 10.0
"""Autocorrelation times that are left out at the beginning. Walkers start in Laplace's
distribution, so that there is little to forget."""

REDRAWS = 50
"""Halvings of the distance to the best fit that bring a walker within the bounds."""

MOST_DROPPED = 0.5
"""Of the steps, where the autocorrelation time is too long for the chain."""

LEAST_STEPS = 100
"""A shorter chain has no autocorrelation time at all."""

REMEDY = 'sampling needs emcee; install it with pip install "lsm-verify[posterior]".'


def sample(
    case: Case,
    parameters: Mapping[str, Any] | str = "start",
    unknowns: Unknowns = None,
    *,
    seed: int,
    steps: int = STEPS,
    walkers: int = WALKERS,
    announce: Callable[[int, int], None] = lambda done, total: None,
    **setting: Unpack[Setting],
) -> Posterior:
    """Sample the posterior, and compare it with Laplace's.

    Parameters
    ----------
    parameters : mapping, or the name of a point of the case
        Where the fit starts about which walkers begin.
    seed : int
        Of all draws.
    steps, walkers : int
        Length of the chain, and members of the ensemble: even, at least twice the unknowns.
    announce : callable
        Called with steps done and their number.
    **setting
        ``observation_error``, ``priors``, ``compose``, ``threads``, see
        `lsm_verify.inverse.point.Setting`.

    Raises
    ------
    InputError
        If emcee is missing, a value is wrong, or there is no posterior, see `laplace`.
    """
    try:
        import emcee
    except ModuleNotFoundError:
        raise InputError(REMEDY) from None
    misfit, start = misfit_at(case, parameters, unknowns, **setting)
    P = misfit.space.size
    count, total = whole("walkers", walkers, 2 * P), whole("steps", steps, LEAST_STEPS)
    if count % 2:
        raise InputError(f"walkers={count} must be even.")
    normal = about(misfit, start)
    random = np.random.RandomState(whole("seed", seed, 0))
    begin = emcee.State(_begin(normal, count, random), random_state=random.get_state())
    sampler = emcee.EnsembleSampler(count, P, _log_probability(misfit), vectorize=True)
    for done, _ in enumerate(sampler.sample(begin, iterations=total), 1):
        announce(done, total)
    chain = sampler.get_chain()
    slowest = float(np.max(_times(chain)))
    dropped = int(min(np.ceil(WARM_UP * slowest), MOST_DROPPED * total))
    kept = chain[dropped:]
    return Posterior(
        laplace=normal,
        samples=kept,
        autocorrelation=_times(kept),
        autocorrelation_of_squares=_times((kept - np.mean(kept, axis=(0, 1))) ** 2),
        acceptance=float(np.mean(sampler.acceptance_fraction)),
        dropped=dropped,
    )


def _log_probability(misfit: Misfit) -> Callable[[Array], Array]:
    low, high = misfit.space.box

    def log_probability(u: Array) -> Array:
        inside = np.all((u >= low) & (u <= high), axis=1)
        found = np.full(len(u), -np.inf)
        if np.any(inside):
            F = misfit.value(u[inside])[0]
            found[inside] = np.where(np.isfinite(F), -F, -np.inf)
        return found

    return log_probability


def _begin(normal: Laplace, count: int, random: np.random.RandomState) -> Array:
    """Scaled coordinates (count, P) from Laplace's distribution, within the bounds."""
    low, high = normal.space.box
    root = np.linalg.cholesky(normal.covariance)
    drawn = normal.mean + random.standard_normal((count, normal.space.size)) @ root.T
    for _ in range(REDRAWS):
        outside = np.any((drawn < low) | (drawn > high), axis=1)
        if not np.any(outside):
            break
        drawn[outside] = normal.mean + (drawn[outside] - normal.mean) / 2
    return drawn


def _times(chain: Array) -> Array:
    """Integrated autocorrelation times (P,) in steps, of (steps, walkers, P).

    ``tol=0``: a chain that is too short is told by `Posterior.reliable`.
    """
    import emcee

    return np.asarray(emcee.autocorr.integrated_time(chain, tol=0))
