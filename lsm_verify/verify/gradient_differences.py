"""Differences of a gradient along directions: the evidence for products with the Hessian.

One ladder of gradients at x ± h v per direction serves twice: extrapolated to h → 0 it is the
product H v with an uncertainty, and its odd remainder against a claimed product falls with the
third power of h. Vectors are in units of the scales throughout.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lsm_verify.verify.differences import LARGEST_STEP, PAIRS, RATIO, richardson
from lsm_verify.verify.noise import NOISE_OFFSET, NOISE_SPACINGS, POINTS, noise_levels
from lsm_verify.verify.taylor import ABOVE_NOISE

FEWEST, MOST = 4, 5
"""Points of the window of the rate: the smallest steps above the noise; four of them span 64."""

EPSILON = float(np.finfo(np.float64).eps)

Array = NDArray[np.float64]
Slope = Callable[[Array], Array]
"""From an offset (n,) in units of the scales to the gradient (n,) there, scaled."""


@dataclass(frozen=True)
class Evidence:
    """The gradient along m directions: ladders, noise, and the products that they tend to.

    ``directions`` (m, n); ``steps`` (m, pairs); ``plus`` and ``minus`` (m, pairs, n), the gradient
    at x ± h v; ``noise``, ``value`` and ``uncertainty`` (m, n).
    """

    directions: Array
    steps: Array
    plus: Array
    minus: Array
    noise: Array
    value: Array
    uncertainty: Array
    evaluations: int

    @property
    def norm(self) -> float:
        """‖H‖, as the root mean square of ‖Hv‖ over Gaussian directions; 0 without any."""
        squares = np.sum(self.value**2, axis=1)
        seen = squares[np.isfinite(squares)]
        return float(np.sqrt(np.mean(seen))) if seen.size else 0.0

    @property
    def level(self) -> Array:
        """Noise (n,) of every component: the largest over the directions."""
        return np.asarray(np.max(self.noise, axis=0))

    @property
    def has_signal(self) -> bool:
        """Whether ‖H‖ exceeds its own uncertainty."""
        return self.norm > float(np.sqrt(np.mean(np.sum(self.uncertainty**2, axis=1))))


def differences(slope: Slope, directions: Array, reach: Array | None = None) -> Evidence:
    """Difference the gradient along directions.

    Parameters
    ----------
    slope : callable
        From an offset (n,) to the gradient (n,) there; not-a-number where there is none.
    directions : (m, n) array
        Signed Gaussian, of unit variance.
    reach : (n,) array, optional
        How far each number may be moved, at most 1; the ladder starts from half of it.
    """
    m, n = directions.shape
    limit = np.ones(n) if reach is None else reach
    with np.errstate(divide="ignore"):
        factor = np.minimum(1.0, np.min(limit / np.abs(directions), axis=1))
    steps = factor[:, None] * LARGEST_STEP / RATIO ** np.arange(PAIRS)
    noise = _noise(slope, directions * factor[:, None])
    plus, minus = np.empty((m, PAIRS, n)), np.empty((m, PAIRS, n))
    value, uncertainty = np.empty((m, n)), np.empty((m, n))
    for i, v in enumerate(directions):
        for k, h in enumerate(steps[i]):
            plus[i, k], minus[i, k] = slope(h * v), slope(-h * v)
        for j in range(n):
            value[i, j], uncertainty[i, j] = richardson(
                steps[i], plus[i, :, j], minus[i, :, j], float(noise[i, j])
            )
    return Evidence(
        directions,
        steps,
        plus,
        minus,
        noise,
        value,
        uncertainty,
        m * (2 * PAIRS + 3 * POINTS),
    )


def _noise(slope: Slope, directions: Array) -> Array:
    """Noise (m, n) of every component along every direction, at x and beside it."""
    lines = np.array(
        [
            [
                [slope((centre + NOISE_SPACINGS[0] * i) * v) for i in range(POINTS)]
                for centre in (-NOISE_OFFSET, 0.0, NOISE_OFFSET)
            ]
            for v in directions
        ]
    )
    whole = np.isfinite(lines).all(axis=(2, 3), keepdims=True)
    quiet = np.where(whole, lines, 0.0)  # a line that does not move counts for nothing
    each = [
        noise_levels([list(three[:, :, j]) for three in quiet], EPSILON)
        for j in range(lines.shape[-1])
    ]
    return np.stack(each, axis=1)


@dataclass(frozen=True)
class Remainder:
    """The gradient's odd remainder along one direction, ‖g(h) - g(-h) - 2h Hv‖.

    ``rate`` is not-a-number where fewer than four points stand out of the noise; ``error`` is what
    remainder and noise leave for ‖Hv - ∇²J v‖; ``linear`` ± ``linear_uncertainty`` is that error
    extrapolated to h → 0; ``window`` the first and last step used.
    """

    rate: float
    window: tuple[float, ...]
    error: float
    linear: float
    linear_uncertainty: float


def remainder(evidence: Evidence, i: int, Hv: Array) -> Remainder:
    """Evaluate the remainder along direction ``i`` for a claimed product."""
    h = evidence.steps[i]
    signed = evidence.plus[i] - evidence.minus[i] - 2 * h[:, None] * Hv
    size = np.linalg.norm(signed, axis=1)
    noise = float(np.linalg.norm(evidence.noise[i]))
    known = np.isfinite(size)
    error = np.where(known, (size + 3 * noise) / (2 * h), np.inf)
    certified = float(np.min(error))
    ends = np.flatnonzero(known & (size > ABOVE_NOISE * noise))
    last = int(ends[-1]) if ends.size else -1
    first = last
    while first > 0 and first - 1 in ends and last - first + 1 < MOST:
        first -= 1
    if last - first + 1 < FEWEST:
        return Remainder(np.nan, (), certified, 0.0, certified)
    a, b = np.triu_indices(last - first + 1, 1)
    x, y = np.log(h[first : last + 1]), np.log(size[first : last + 1])
    rate = float(np.median((y[a] - y[b]) / (x[a] - x[b])))
    # signed / 2h = error + c h²: extrapolated once over the last three points, checked by itself.
    e = signed[last - 2 : last + 1] / (2 * h[last - 2 : last + 1, None])
    limit = (RATIO**2 * e[1:] - e[:-1]) / (RATIO**2 - 1)
    uncertainty = np.linalg.norm(limit[1] - limit[0]) + 3 * 2 * noise / h[last]
    return Remainder(
        rate,
        (float(h[first]), float(h[last])),
        certified,
        float(np.linalg.norm(limit[1])),
        float(uncertainty),
    )
