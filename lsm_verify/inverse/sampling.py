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
from typing import Any, Unpack, get_args

import numpy as np
from numpy.typing import NDArray

from lsm_verify.cases import Case
from lsm_verify.errors import InputError, unknown
from lsm_verify.inverse.misfit import Misfit
from lsm_verify.inverse.point import Setting, Unknowns, misfit_at
from lsm_verify.inverse.posterior import Laplace, about
from lsm_verify.inverse.samples import FlatIn, Posterior
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
    flat_in: FlatIn = "parameter",
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
    flat_in : {"parameter", "logarithm"}
        In what the prior of logarithmic unknowns is flat; of all others it is flat in the parameter
        itself. Within the bounds, and improper where there is none.
    announce : callable
        Called with steps done and their number.
    **setting
        ``observation_error``, ``priors``, ``compose``, ``threads``, see
        `lsm_verify.inverse.point.Setting`.

    Raises
    ------
    InputError
        If emcee is missing, a value is wrong, or there is no posterior, see `laplace`.

    Notes
    -----
    A logarithmic coordinate is a means of the minimiser and does not change what is asked: by
    default the prior is flat in the parameter, the mode of its density is the best fit about which
    Laplace's approximation stands, and a logarithmic unknown has the posterior that it would have
    as a linear one. ``flat_in="logarithm"`` is the prior of a scale (Jeffreys 1946,
    doi:10.1098/rspa.1946.0056), which draws a parameter that is known to a share δ down by δ² of
    itself.
    """
    try:
        import emcee
    except ModuleNotFoundError:
        raise InputError(REMEDY) from None
    misfit, start = misfit_at(case, parameters, unknowns, **setting)
    if flat_in not in get_args(FlatIn):
        raise unknown("flat_in", flat_in, get_args(FlatIn))
    P = misfit.space.size
    count, total = whole("walkers", walkers, 2 * P), whole("steps", steps, LEAST_STEPS)
    if count % 2:
        raise InputError(f"walkers={count} must be even.")
    normal = about(misfit, start)
    random = np.random.RandomState(whole("seed", seed, 0))
    begin = emcee.State(_begin(normal, count, random), random_state=random.get_state())
    sampler = emcee.EnsembleSampler(count, P, _log_probability(misfit, flat_in), vectorize=True)
    for done, _ in enumerate(sampler.sample(begin, iterations=total), 1):
        announce(done, total)
    chain = sampler.get_chain()
    slowest = float(np.max(_times(misfit.space.physical(chain))))
    dropped = int(min(np.ceil(WARM_UP * slowest), MOST_DROPPED * total))
    kept = chain[dropped:]
    values = misfit.space.physical(kept)
    return Posterior(
        laplace=normal,
        flat_in=flat_in,
        samples=kept,
        autocorrelation=_times(values),
        autocorrelation_of_squares=_times((values - np.mean(values, axis=(0, 1))) ** 2),
        acceptance=float(np.mean(sampler.acceptance_fraction)),
        dropped=dropped,
    )


def _log_probability(misfit: Misfit, flat_in: FlatIn) -> Callable[[Array], Array]:
    """Return the logarithm of the density of scaled coordinates (B, P), but for a constant.

    A density flat in the parameters has dp/du of logarithmic unknowns as a factor.
    """
    space = misfit.space
    low, high = space.box
    curved = space.logarithmic if flat_in == "parameter" else np.zeros(space.size, dtype=bool)

    def log_probability(u: Array) -> Array:
        inside = np.all((u >= low) & (u <= high), axis=1)
        found = np.full(len(u), -np.inf)
        if np.any(inside):
            F = misfit.value(u[inside])[0]
            slopes = np.log(np.abs(space.slope(u[inside])[:, curved]))
            found[inside] = np.where(np.isfinite(F), np.sum(slopes, axis=1) - F, -np.inf)
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
