"""Derivatives by differences: a raw ladder becomes a value with its uncertainty.

A ladder of central differences is extrapolated (Richardson), the noise of the function is measured
along the same line (ECnoise, at p and at p ± h), and the step with the least uncertainty is taken.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lsm_verify.verify import kinks
from lsm_verify.verify.directions import Directions, along_parameters
from lsm_verify.verify.noise import POINTS, largest, noise_along, noise_lines
from lsm_verify.verify.target import Ladder, Target, norm_of

PAIRS = 13
RATIO = 4.0
LARGEST_STEP = 0.5
"""First step of the ladder in the units of the target; the last is 3e-8 of it."""

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Estimate:
    """Derivatives with uncertainty along every direction: arrays (objectives, directions).

    ``rungs`` are the ladders that they were read from, one for each direction. ``solver`` is the
    part of the uncertainty that an inner solver causes; ``kinks`` holds one entry per objective and
    direction, ``seed`` is that of random directions.
    """

    target: Target
    along: Directions
    scores: Array
    value: Array
    uncertainty: Array
    noise: Array
    solver: Array
    kinks: tuple[tuple[kinks.Kink | None, ...], ...]
    change: Array
    evaluations: int
    seed: int
    rungs: tuple[Ladder, ...] = ()

    def bias(self, index: int) -> float:
        """Return the solver's share of the uncertainty of one objective's gradient, as a norm."""
        return norm_of(self.solver[index] / self.along.size)

    def component(self, index: int, j: int) -> tuple[float, float] | None:
        """Return the derivative by one number and its uncertainty, where that was taken."""
        found = np.flatnonzero(self.along.component == j)
        if not found.size:
            return None
        unit = self.target.unit[j]
        k = int(found[0])
        return float(self.value[index, k] / unit), float(self.uncertainty[index, k] / unit)


def richardson(steps: Array, plus: Array, minus: Array, noise: float) -> tuple[float, float]:
    """Extrapolate a ladder of central differences to step zero.

    D_k are the differences, R_k and Q_k their first and second extrapolation. For each,

        U_k = max(|X_k - X_{k-1}|, |X_k - Y_{k+1}| / 16) + 3 ν_X,

    Y being what X was extrapolated from, and the one with the least U is taken that no finer one
    contradicts; where changes fall slowly the rest of their series is added to U. The second
    extrapolation allows longer steps where noise dominates; U is then some five times smaller.

    Parameters
    ----------
    steps, plus, minus : (pairs,) array
        Falling steps, each a fixed fraction of the last, and the function at p ± h.
    noise : float
        Standard deviation ν of the function's noise.

    Returns
    -------
    value, uncertainty : float
        Infinite uncertainty where too few neighbouring pairs are finite.
    """
    return extrapolated(steps, plus, minus, noise)[:2]


def extrapolated(
    steps: Array, plus: Array, minus: Array, noise: float
) -> tuple[float, float, tuple[float, ...]]:
    """As `richardson`; also the first and last step of the differences that were used."""
    best: tuple[float, float, tuple[float, ...]] = float("nan"), float("inf"), ()
    with np.errstate(all="ignore"):  # what overflows, or has no step left, is not finite below
        ratio = steps[:-1] / steps[1:]
        lower = (plus - minus) / (2 * steps)
        sigma = noise / (np.sqrt(2.0) * steps)
    for order in (2, 4):
        with np.errstate(all="ignore"):
            factor = ratio[: lower.size - 1] ** order
            upper = (factor * lower[1:] - lower[:-1]) / (factor - 1)
            sigma = np.hypot(factor * sigma[1:], sigma[:-1]) / (factor - 1)
            change = np.abs(np.diff(upper))
            correction = np.abs(upper - lower[1:])[1:] / ratio[: upper.size - 1] ** 2
            truncation = np.maximum(change, correction)
        uncertainty = _sceptical(upper, change, truncation, 3 * sigma[1:])
        if np.any(np.isfinite(uncertainty)):
            k = int(np.nanargmin(uncertainty))
            if uncertainty[k] < best[1]:
                # Each extrapolation takes in one difference more, with the next smaller step.
                window = float(steps[k + 1]), float(steps[k + 1 + order // 2])
                best = float(upper[k + 1]), float(uncertainty[k]), window
        lower = upper
    return best


def _sceptical(upper: Array, change: Array, truncation: Array, noise: Array) -> Array:
    """Uncertainty of extrapolated differences that looks at the finer steps as well.

    Where the changes fall slowly, as a geometric series with ratio ρ, the rest of the series is
    added. A value that a finer one contradicts, beyond the uncertainty of both, is not to be used:
    long steps see another function than the one at the point.
    """
    with np.errstate(all="ignore"):
        plain = truncation + noise
        ratio = change / np.concatenate([[np.inf], change[:-1]])
        ratio = np.where(change > noise, ratio, 0.0)
        rest = np.where(ratio < 1, ratio / (1 - ratio), np.inf)
        result = plain + np.where(rest > 1, change * (2 * rest - 1), 0.0)
        for k in range(change.size):
            if np.any(np.abs(upper[k + 2 :] - upper[k + 1]) > plain[k + 1 :] + plain[k]):
                result[k] = np.inf
    return np.asarray(result)


def estimate(target: Target, *, most: int | None = None, seed: int = 0) -> Estimate:
    """Differentiate every objective along every direction.

    Parameters
    ----------
    target : Target
        The model at its point.
    most : int, optional
        Numbers of a parameter up to which each is moved by itself; beyond, 8 random directions
        stand for the parameter. Default: each number, always.
    seed : int
        Seed of random directions.
    """
    along = along_parameters(target, most, seed)
    rungs = target.ladders(along.rows, LARGEST_STEP, RATIO, PAIRS)
    lines = noise_lines(target, along.rows)
    scores = target.scores(target.x[None])[:, 0]
    shape = (len(target.objectives), len(along.owner))
    value, uncertainty, noise, change = (np.empty(shape) for _ in range(4))
    bent: list[tuple[kinks.Kink | None, ...]] = []
    for o in range(shape[0]):
        noise[o] = noise_along(lines, rungs, o, float(scores[o]), target.epsilon)
        for j, (steps, plus, minus) in enumerate(rungs):
            value[o, j], uncertainty[o, j] = richardson(steps, plus[o], minus[o], noise[o, j])
            ends = np.concatenate([plus[o], minus[o]])
            change[o, j] = largest(ends - scores[o])
        bent.append(
            tuple(
                kinks.find(steps, plus[o], minus[o], float(scores[o]), float(noise[o, j]))
                for j, (steps, plus, minus) in enumerate(rungs)
            )
        )
    value, solver = _tightened(target, along, value, noise)
    count = len(along.owner) * (2 * PAIRS + 3 * POINTS) + 1
    return Estimate(
        target,
        along,
        scores,
        value,
        uncertainty + solver,
        noise,
        solver,
        tuple(bent),
        change,
        count,
        seed,
        tuple(rungs),
    )


def _tightened(
    target: Target, along: Directions, value: Array, noise: Array
) -> tuple[Array, Array]:
    """Take the tighter solver's derivatives where there is one, and |D(tol) - D(tol / 100)|.

    The difference is all but a hundredth of the looser one's bias: about it alone, and not about
    the tighter value, U would fall short by that hundredth.
    """
    if target.tighter is None:
        return value, np.zeros_like(value)
    tighter = np.empty_like(value)
    for j, row in enumerate(along.rows):
        nominal = np.asarray(LARGEST_STEP / RATIO ** np.arange(PAIRS), dtype=np.float64)
        points = target.x + np.concatenate([nominal, -nominal])[:, None] * row
        scores = target.tighter(points)
        for o in range(value.shape[0]):
            tighter[o, j], _ = richardson(
                nominal, scores[o, :PAIRS], scores[o, PAIRS:], float(noise[o, j])
            )
    return tighter, np.abs(value - tighter)
