"""A stationary covariance of residuals: daily patterns that fade, depths that err together.

Residuals of a calibrated land-surface model repeat from day to day, because what the model leaves
out repeats. A series is a sum of stationary processes and a nugget (independent errors), and
each process has its own covariance between the series (linear model of coregionalisation):

    cov(e_a(t), e_b(t')) = Σ_c (L_c L_cᵀ)_ab k_c(|t - t'|) + s_a² [a = b, t = t']

    quasi-periodic  k(d) = exp(-d/τ - 2 sin²(π d / 24 h) / ℓ²)
    exponential     k(d) = exp(-d/τ)

References
----------
Goulard, M. and Voltz, M. (1992). Linear coregionalization model. Math. Geol. 24, 269-286,
doi 10.1007/BF00893750. Rasmussen, C. E. and Williams, C. K. I. (2006). Gaussian Processes for
Machine Learning, chapters 4 and 5 (the kernels).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lsm_verify.errors import InputError, unknown
from lsm_verify.validation import as_array, finite, increasing, positive, vector

Array = NDArray[np.float64]

DAY = 24.0
"""Period of the quasi-periodic process [h]."""

COMPONENTS = {"quasi-periodic": 2, "exponential": 1}
"""Processes, and how many numbers beside its covariance each has."""

ROUGHNESS = (0.1, 10.0)
"""Range of ℓ: at 0.1 values 1.1 h apart hardly agree, at 10 the pattern is a constant to 2 %."""

NUGGET = (1e-6, 1.0)
"""Range of the nugget's variance in units of the residuals': the lower keeps the covariance's
condition number below about 1e9, so that its Cholesky factor keeps 7 digits."""

DEVIATION = (1e-3, 100.0)
"""Range of a process's standard deviation in units of the residuals'."""


@dataclass(frozen=True)
class NoiseModel:
    """The form of a covariance; its parameters θ are unconstrained but for a box.

    Parameters
    ----------
    times : (n,) array_like
        Times of a series' values [h], increasing; common to all series.
    unit : (series,) array_like
        Size of each series' residuals, in the observations' unit: what θ counts in.
    components : sequence of str
        ``quasi-periodic`` and ``exponential``, each once at most.
    coherence : float, optional
        Longest τ that is considered [h]. Default: the length of the record. That is a convention:
        the record may prefer a longer one, and where τ ends at it, standard errors are lower
        limits; try longer ones (`lsm_verify.inverse.phoenix_noise.longer_coherences`).

    Raises
    ------
    InputError
        If a value is not finite or positive, or a component is unknown.
    """

    times: Array
    unit: Array
    components: tuple[str, ...] = ("quasi-periodic",)
    coherence: float | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "times", increasing("times", vector("times", self.times)))
        unit = finite("unit", np.atleast_1d(as_array("unit", self.unit)))
        if unit.ndim != 1 or np.any(unit <= 0):
            raise InputError(
                f"size of the residuals is {unit.tolist()}; it must be above 0 in every series: an "
                "exact fit leaves no noise to estimate."
            )
        object.__setattr__(self, "unit", unit)
        given: Sequence[str] = self.components
        if isinstance(given, str) or not given or len(set(given)) < len(given):
            raise InputError(
                f"components={given!r} must be a tuple of one or more of {', '.join(COMPONENTS)}, "
                "each once."
            )
        for name in given:
            if name not in COMPONENTS:
                raise unknown("component of the noise", name, COMPONENTS)
        object.__setattr__(self, "components", tuple(given))
        longest = self.times[-1] - self.times[0] if self.coherence is None else self.coherence
        shortest = float(np.min(np.diff(self.times)))
        positive("coherence", finite("coherence", as_array("coherence", longest)))
        if longest <= shortest:
            raise InputError(f"coherence={longest:g} h must exceed the time step, {shortest:g} h.")
        object.__setattr__(self, "coherence", float(longest))

    @property
    def series(self) -> int:
        """Number of series."""
        return int(self.unit.size)

    @property
    def names(self) -> tuple[str, ...]:
        """Name of every entry of θ."""
        factor = [f"L[{a},{b}]" for a, b in zip(*np.tril_indices(self.series), strict=True)]
        found = []
        for c in self.components:
            tail = ["log(coherence/h)", *["log(roughness)"][: COMPONENTS[c] - 1]]
            found += [f"{c} {part}" for part in (*factor, *tail)]
        return (*found, *(f"log(nugget[{a}])" for a in range(self.series)))

    @property
    def box(self) -> tuple[Array, Array]:
        """Lower and upper bounds of θ."""
        shortest = float(np.min(np.diff(self.times)))
        low, high = [], []
        for c in self.components:
            for a, b in zip(*np.tril_indices(self.series), strict=True):
                low.append(DEVIATION[0] if a == b else -DEVIATION[1])
                high.append(DEVIATION[1])
            ends = [(np.log(shortest), np.log(float(self.coherence or 0.0)))]
            ends += [tuple(np.log(ROUGHNESS))][: COMPONENTS[c] - 1]
            low += [e[0] for e in ends]
            high += [e[1] for e in ends]
        nugget = np.log(NUGGET)
        return (
            np.array([*low, *[nugget[0]] * self.series]),
            np.array([*high, *[nugget[1]] * self.series]),
        )

    @property
    def start(self) -> Array:
        """Where a search for θ starts: series that err alike, patterns that last."""
        share = 1 / np.sqrt(len(self.components))
        found = []
        for c in self.components:
            for a, b in zip(*np.tril_indices(self.series), strict=True):
                found.append(0.8 * share if a == b else 0.3 * share)
            lasting = float(self.coherence or 0.0) if c == "quasi-periodic" else DAY / 4
            found += [np.log(lasting), *[0.0][: COMPONENTS[c] - 1]]
        low, high = self.box
        return np.asarray(np.clip([*found, *[np.log(1e-3)] * self.series], low, high))

    def parts(self, theta: Array) -> Iterator[tuple[Array, Array, list[Array]]]:
        """Yield L (S, S), k (n, n) and dk/dθ of every component."""
        lag = np.abs(self.times[:, None] - self.times)
        triangle = np.tril_indices(self.series)
        at = 0
        for c in self.components:
            L = np.zeros((self.series, self.series))
            L[triangle] = theta[at : at + triangle[0].size]
            L *= self.unit[:, None]
            tail = theta[at + triangle[0].size : at + triangle[0].size + COMPONENTS[c]]
            tau = np.exp(tail[0])
            exponent = -lag / tau
            slopes = [lag / tau]
            if c == "quasi-periodic":
                bend = 2 * np.sin(np.pi * lag / DAY) ** 2 / np.exp(2 * tail[1])
                exponent = exponent - bend
                slopes.append(2 * bend)
            k = np.exp(exponent)
            yield L, k, [k * s for s in slopes]
            at += triangle[0].size + COMPONENTS[c]

    def covariance(self, theta: Array) -> Array:
        """Covariance (series n, series n), series by series."""
        return self.covariance_and_derivatives(theta)[0]

    def nugget(self, theta: Array) -> Array:
        """Variance of the independent errors (series,)."""
        return np.asarray(np.exp(theta[-self.series :]) * self.unit**2)

    def derivatives(self, theta: Array) -> list[tuple[Array, Array]]:
        """Return dV/dθ_i as Kronecker factors (S, S) and (n, n), the product of which it is."""
        return self.covariance_and_derivatives(theta)[1]

    def covariance_and_derivatives(self, theta: Array) -> tuple[Array, list[tuple[Array, Array]]]:
        """Covariance (series n, series n), and its derivatives as Kronecker factors."""
        S, n, found = self.series, self.times.size, []
        blocks = np.zeros((S, n, S, n))
        for L, k, slopes in self.parts(theta):
            between = L @ L.T
            for a in range(S):
                for b in range(S):
                    blocks[a, :, b] += between[a, b] * k
            for i, j in zip(*np.tril_indices(S), strict=True):
                dL = np.zeros((S, S))
                dL[i, j] = self.unit[i]
                found.append((dL @ L.T + L @ dL.T, k))
            found += [(L @ L.T, slope) for slope in slopes]
        one = np.eye(n)
        found += [(np.diag(row), one) for row in np.diag(self.nugget(theta))]
        V = blocks.reshape(S * n, S * n)
        V[np.diag_indices_from(V)] += np.repeat(self.nugget(theta), n)
        return V, found
