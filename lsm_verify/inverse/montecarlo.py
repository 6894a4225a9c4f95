"""Does the Cramér-Rao bound hold? Least squares on many noisy records of a known truth."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from copy import copy
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lsm_verify.cases import Case
from lsm_verify.errors import InputError
from lsm_verify.inverse.evaluate import Compose
from lsm_verify.inverse.identifiability import Identifiability
from lsm_verify.inverse.identify import identified
from lsm_verify.inverse.local import SETTLED, least_squares
from lsm_verify.inverse.misfit import Misfit
from lsm_verify.inverse.outcome import CONVERGED, Outcomes
from lsm_verify.inverse.point import Unknowns, misfit_at
from lsm_verify.validation import whole

Array = NDArray[np.float64]

DRAWS = 400


@dataclass(frozen=True)
class MonteCarlo:
    """Estimates from noisy records of one truth.

    Attributes
    ----------
    identifiability : Identifiability
        At the truth, with the bounds that the spread is held against.
    estimates : (draws, P) array
        In the parameters' units.
    objective : (draws,) array
        ½ Σ r²/σ² at the estimates.
    converged : (draws,) array of bool
        Which fits have.
    """

    identifiability: Identifiability
    estimates: Array
    objective: Array
    converged: NDArray[np.bool_]

    @property
    def spread(self) -> tuple[Array, Array]:
        """Standard deviation over the bound (P,), and its Monte Carlo error (P,).

        The error is that of a deviation from so many independent estimates of any distribution,
        from their fourth moment; it is not to be trusted where tails are long.
        """
        bound = np.array([b.deviation for b in self.identifiability.bounds])
        square = (self.estimates - np.mean(self.estimates, axis=0)) ** 2
        variance = np.mean(square, axis=0) * len(square) / (len(square) - 1)
        ratio = np.sqrt(variance) / bound
        relative = np.std(square, axis=0) / variance / np.sqrt(len(square))
        return ratio, ratio * relative / 2

    @property
    def bias(self) -> tuple[Array, Array]:
        """Mean minus truth over the bound (P,), and its Monte Carlo error (P,)."""
        bound = np.array([b.deviation for b in self.identifiability.bounds])
        error = np.std(self.estimates, axis=0, ddof=1) / np.sqrt(len(self.estimates))
        return (
            (np.mean(self.estimates, axis=0) - self.identifiability.point) / bound,
            error / bound,
        )

    @property
    def quantiles(self) -> Array:
        """Estimates minus truth over the bound at 2.5, 16, 50, 84 and 97.5 % (5, P).

        Of a normal estimate they are -1.96, -0.99, 0, 0.99 and 1.96.
        """
        bound = np.array([b.deviation for b in self.identifiability.bounds])
        away = (self.estimates - self.identifiability.point) / bound
        return np.asarray(np.percentile(away, [2.5, 16, 50, 84, 97.5], axis=0))

    @property
    def at_bound(self) -> NDArray[np.int64]:
        """How many estimates of every unknown (P,) lie on a bound."""
        space = self.identifiability.space
        return np.asarray(np.count_nonzero(space.at_bound(self.estimates), axis=0))


def monte_carlo(
    case: Case,
    parameters: Mapping[str, Any] | str = "truth",
    unknowns: Unknowns = None,
    *,
    observation_error: Any,
    seed: int,
    draws: int = DRAWS,
    compose: Compose | None = None,
    threads: int | None = None,
    announce: Callable[[int, int], None] = lambda done, total: None,
) -> MonteCarlo:
    """Fit noisy records of a truth by least squares, each from the truth.

    Parameters
    ----------
    parameters : mapping, or the name of a point of the case
        The truth. Records are the model's predictions there, where the case has observations.
    observation_error : float or one per series
        Standard deviation of the normal noise, independent, and of the fits.
    seed : int
        Of the noise.
    draws : int
        Number of records, at least 2.

    Raises
    ------
    InputError
        If a name or value is wrong, or an unknown is not identifiable at the truth: estimates of
        it would be told by where fits start.

    Notes
    -----
    Fits start from the truth and so tell the spread of the nearest optimum, not whether other
    starts find it.
    """
    misfit, u = misfit_at(
        case,
        parameters,
        unknowns,
        observation_error=observation_error,
        compose=compose,
        threads=threads,
    )
    found = identified(misfit, u)
    if not np.all(found.identifiable):
        label = misfit.space.labels[int(np.argmin(found.identifiable))]
        raise InputError(f"{label} is not identifiable; leave it out of the unknowns.")
    rng = np.random.default_rng(whole("seed", seed, 0))
    total = whole("draws", draws, 2)
    # The weights carry what of a series' errors differs from state to state.
    deviation = np.zeros_like(misfit.values)
    deviation[misfit.seen] = 1 / np.sqrt(misfit.weights[misfit.seen])
    exact = misfit.evaluator.predict(u[None])[0]
    outcomes = Outcomes.begin(np.repeat(u[None], total, axis=0))
    for b in range(total):
        noisy = _with_values(misfit, exact + deviation * rng.standard_normal(exact.shape))
        one = Outcomes.begin(u[None])
        least_squares(noisy, u[None], one, tolerance=SETTLED)
        outcomes.u[b], outcomes.value[b], outcomes.status[b] = one.u[0], one.value[0], one.status[0]
        announce(b + 1, total)
    return MonteCarlo(
        identifiability=found,
        estimates=misfit.space.physical(outcomes.u),
        objective=outcomes.value,
        converged=np.array([status == CONVERGED for status in outcomes.status]),
    )


def _with_values(misfit: Misfit, values: Array) -> Misfit:
    """Return the misfit with other observations, for residuals alone: `value` has its own copy."""
    other = copy(misfit)
    other.values = values
    return other
