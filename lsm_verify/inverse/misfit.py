"""What is minimised: half the squares of residuals over their standard deviations, and priors."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lsm_verify.cases import Case
from lsm_verify.errors import InputError
from lsm_verify.inputs import Objective
from lsm_verify.inverse.evaluate import Compose, Evaluator
from lsm_verify.inverse.priors import Prior, stack
from lsm_verify.inverse.space import Space
from lsm_verify.validation import as_array, finite

Array = NDArray[np.float64]
Ask = Callable[[str, Array, Callable[[], tuple[Array, ...]]], tuple[Array, ...]]


def direct(kind: str, u: Array, compute: Callable[[], tuple[Array, ...]]) -> tuple[Array, ...]:
    """Ask the model itself."""
    return compute()


class Misfit:
    """F(u) = ½ Σ w (y − y_obs)² / σ² + ½ ‖L p − m‖².

    Parameters
    ----------
    case, space, route, compose, threads
        As of `Evaluator`.
    observation_error : float or (series,) array_like
        Standard deviation σ of the observations, in their unit. Without priors it does not move
        the optimum.
    priors : sequence of Prior
        See `lsm_verify.inverse.priors`.
    ask : callable
        Stands between whoever minimises and the model; keeps a journal, say.
    """

    def __init__(
        self,
        case: Case,
        space: Space,
        *,
        route: str = "fused",
        compose: Compose | None = None,
        threads: int | None = None,
        observation_error: Any = 1.0,
        priors: Sequence[Prior] = (),
        ask: Ask = direct,
    ) -> None:
        series = case.observations.series
        sigma = finite("observation_error", as_array("observation_error", observation_error))
        if sigma.shape not in ((), (len(series),)) or np.any(sigma <= 0):
            raise InputError(
                f"observation_error={observation_error!r} must be above 0: one number, or "
                f"{len(series)}, one per series."
            )
        self.sigma = np.broadcast_to(sigma, (len(series),)).copy()
        weights = np.stack([np.broadcast_to(s.weights, s.values.shape) for s in series])
        objective = Objective("half-sum-of-squares", weights / self.sigma[:, None] ** 2)
        self.space, self.ask = space, ask
        self.evaluator = Evaluator(
            case, space, route=route, objective=objective, compose=compose, threads=threads
        )
        self.values, self.weights = self.evaluator.observed
        self.seen = self.weights > 0
        self.prior_matrix, self.prior_right = stack(priors, space)

    @property
    def count(self) -> int:
        """Number of observations that count."""
        return int(np.count_nonzero(self.seen))

    def value(self, u: Array) -> tuple[Array, Array]:
        """F (B,) and its gradient (B, P) at points (B, P)."""
        return self.ask("value", u, lambda: self._value(u))  # type: ignore[return-value]

    def residuals(self, u: Array) -> tuple[Array, Array]:
        """Residuals (R,) at one point (P,), F = ½ Σ r², and their Jacobian (R, P)."""
        return self.ask("residuals", u, lambda: self._residuals(u))  # type: ignore[return-value]

    def mean_square(self, u: Array) -> Array:
        """Σ w r² / Σ w (B,) in the observations' units, the paper's misfit; no priors."""
        y = self.evaluator.predict(u)
        weights = self.weights * self.sigma[:, None] ** 2
        return np.asarray(np.sum(weights * (y - self.values) ** 2, axis=(1, 2)) / np.sum(weights))

    def _value(self, u: Array) -> tuple[Array, Array]:
        F, slope = self.evaluator.score(u)
        if not self.prior_right.size:
            return F, slope
        p = self.space.physical(u)
        prior = p @ self.prior_matrix.T - self.prior_right
        bars = prior @ self.prior_matrix * self.space.slope(u)
        return F + 0.5 * np.sum(prior**2, axis=1), slope + bars

    def _residuals(self, u: Array) -> tuple[Array, Array]:
        y, dy = self.evaluator.jacobian(u[None])
        root = np.sqrt(self.weights[self.seen])
        r = root * (y[0] - self.values)[self.seen]
        J = root[:, None] * dy[0][self.seen]
        p = self.space.physical(u)
        prior = self.prior_matrix @ p - self.prior_right
        return (
            np.concatenate([r, prior]),
            np.concatenate([J, self.prior_matrix * self.space.slope(u)]),
        )
