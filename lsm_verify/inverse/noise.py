"""A covariance of residuals with its parameters; its form is `lsm_verify.inverse.noise_form`'s."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lsm_verify.errors import InputError
from lsm_verify.inverse.noise_form import DAY, NoiseModel
from lsm_verify.validation import finite, vector, whole

__all__ = ["DAY", "Noise", "NoiseModel"]

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Noise:
    """A covariance of residuals with its parameters.

    Attributes
    ----------
    model : NoiseModel
        Its form.
    theta : (q,) array
        Its parameters, in the order of ``model.names``.
    """

    model: NoiseModel
    theta: Array

    def __post_init__(self) -> None:
        low, high = self.model.box
        theta = finite("theta", vector("theta", self.theta, low.size))
        if np.any(theta < low) or np.any(theta > high):
            i = int(np.argmax((theta < low) | (theta > high)))
            raise InputError(
                f"{self.model.names[i]}={theta[i]:g} must lie in [{low[i]:g}, {high[i]:g}]."
            )
        object.__setattr__(self, "theta", theta)

    @property
    def covariance(self) -> Array:
        """Covariance (series n, series n), series by series."""
        return self.model.covariance(self.theta)

    @property
    def coherence(self) -> float:
        """Coherence time τ of the first process [h]."""
        names = self.model.names
        at = next(i for i, name in enumerate(names) if name.endswith("log(coherence/h)"))
        return float(np.exp(self.theta[at]))

    @property
    def deviation(self) -> Array:
        """Standard deviation of a value (series,), nugget included."""
        return np.sqrt(np.diag(self._between(0.0)))

    @property
    def at_bound(self) -> tuple[str, ...]:
        """Names of the parameters that the record pushes to an end of their range."""
        low, high = self.model.box
        near = 1e-6 * (high - low)
        hit = (self.theta <= low + near) | (self.theta >= high - near)
        return tuple(name for name, h in zip(self.model.names, hit, strict=True) if h)

    def correlation(self, lag: float) -> Array:
        """Correlation (series, series) of values ``lag`` hours apart."""
        s = self.deviation
        return self._between(lag) / np.outer(s, s)

    def _between(self, lag: float) -> Array:
        pair = NoiseModel(
            np.array([0.0, lag or 1.0]), self.model.unit, self.model.components, 1e9
        ).covariance(self.theta)
        column = 0 if lag == 0 else 1
        return np.asarray(pair[::2, column::2])

    def draw(self, count: int, seed: int) -> Array:
        """``count`` seeded sets of errors (count, series, n)."""
        rng = np.random.default_rng(whole("seed", seed, 0))
        factor = np.linalg.cholesky(self.covariance)
        white = rng.standard_normal((whole("count", count, 1), len(factor)))
        return (white @ factor.T).reshape(count, self.model.series, -1)
