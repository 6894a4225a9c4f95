"""How noisy a computed function is: ECnoise, on short lines beside the point.

References
----------
Moré, J. J., Wild, S. M. (2011). Estimating computational noise. SIAM J. Sci. Comput. 33(3),
1292-1314. doi:10.1137/100786125.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from lsm_verify.verify.target import Ladder, Target

POINTS = 9
"""Equally spaced points of the difference table."""

AGREE = 4.0
"""Three consecutive levels within this factor are taken as converged."""

NOISE_SPACINGS = (1e-8, 1e-4)
"""Spacing of the points for the noise estimate, in units of the scale; the second where the
function does not move at the first: single precision on the way makes it a staircase."""

NOISE_OFFSET, NOISE_FAR = 0.05, 0.45
"""Where beside p the noise is measured, in units of the scale; the second where the function does
not move at the first: it may be flat about p, and no staircase."""

SWAMPED, QUIET, PLACES = 10.0, 100.0, 8.0
"""Noise beyond a tenth of all change along a line may be structure. Whether it is shows on points
that lie so many last places apart: structure is a hundred times quieter there, noise is not."""

RESOLVED = 4
"""Last places of J by which it must change along some line for its noise to be seen at all."""

Array = NDArray[np.float64]


def ecnoise(values: NDArray[np.float64]) -> float:
    """Estimate the standard deviation of the noise in equally spaced values.

    Parameters
    ----------
    values : (points,) array
        The function along a short line; at least 7 points.

    Returns
    -------
    float
        Noise level; where no three levels of the difference table agree, the largest level from
        the second on (an estimate that does not understate).
    """
    table = np.asarray(values, dtype=np.float64)
    size = largest(table) or 1.0
    table = table / size  # squares neither overflow nor vanish
    levels, changes = [], []
    factor = 1.0
    with np.errstate(all="ignore"):  # what overflows has no level
        for k in range(1, table.size):
            table = np.diff(table)
            factor *= k / (2.0 * (2.0 * k - 1.0))  # (k!)² / (2k)!
            levels.append(size * math.sqrt(factor * float(np.mean(table**2))))
            changes.append(bool(table.size > 1 and table.min() < 0 < table.max()))
    for k in range(len(levels) - 3):
        group = levels[k : k + 3]
        if min(group) > 0 and max(group) <= AGREE * min(group) and changes[k]:
            return levels[k]
    return max(levels[1:-1])


def noise_lines(target: Target, rows: Array) -> list[list[Array]]:
    """Scores (objectives, points) on short lines at p - h, p and p + h, for every direction."""
    fine, coarse = NOISE_SPACINGS
    lines = _lines(target, rows, fine, NOISE_OFFSET)
    for spacing, offset in ((coarse, NOISE_OFFSET), (fine, NOISE_FAR)):
        flat = [j for j, three in enumerate(lines) if not _any_moves(three)]
        if flat:
            found = _lines(target, rows[flat], spacing, offset)
            for j, three in zip(flat, found, strict=True):
                lines[j] = three if _any_moves(three) else lines[j]
    return lines


def _any_moves(three: Sequence[Array]) -> bool:
    return any(_moves(row) for line in three for row in line)


def _lines(target: Target, rows: Array, spacing: float, offset: float) -> list[list[Array]]:
    offsets = np.array(
        [centre + spacing * i for centre in (-offset, 0.0, offset) for i in range(POINTS)]
    )
    points = (target.x + offsets[None, :, None] * rows[:, None, :]).reshape(-1, target.x.size)
    lines = target.scores(points).reshape(len(target.objectives), len(rows), 3, POINTS)
    return [[lines[:, j, c] for c in range(3)] for j in range(len(rows))]


def noise_along(
    lines: Sequence[Sequence[Array]],
    rungs: Sequence[Ladder],
    o: int,
    centre: float,
    epsilon: float,
) -> Array:
    """Noise of one objective along every direction, from its short lines and its ladder.

    A change below the last place of what J is computed from leaves no trace in J, and no noise to
    measure: a temperature of 290 K hides what a misfit of 0.1 K would show a thousand times over.
    Where J stands still along every line, half of its digits are left to that.
    """
    own = [[line[o] for line in three] for three in lines]
    stairs = [
        _stair(three, plus[o], minus[o]) for three, (_, plus, minus) in zip(own, rungs, strict=True)
    ]
    noise = np.maximum(noise_levels(own, epsilon), stairs)
    change = max(largest(ends[o] - centre) for _, *both in rungs for ends in both)
    if change <= RESOLVED * epsilon * abs(centre):
        noise = np.maximum(noise, np.sqrt(noise) * math.sqrt(abs(centre)))
    return np.asarray(noise)


def noise_levels(lines: Sequence[Sequence[Array]], epsilon: float) -> Array:
    """Noise level of one objective along every direction: the largest of its lines.

    A parameter with little effect leaves most of the objective's bits alone over a short line,
    which says nothing about rounding over a longer step: no direction is taken to be quieter than
    the median of all, nor than ε max|J| / 4, ε being the number type's.
    """
    levels = np.array(
        [max((ecnoise(line) for line in three if _moves(line)), default=np.nan) for three in lines]
    )
    seen = levels[~np.isnan(levels)]
    floor = [epsilon * largest(np.concatenate(three)) / 4 for three in lines]
    return np.asarray(np.maximum(np.fmax(levels, np.median(seen) if seen.size else 0.0), floor))


def largest(values: Array) -> float:
    """Largest finite magnitude; 0 without any."""
    return float(np.max(np.abs(values), where=np.isfinite(values), initial=0.0))


def finer(target: Target, row: Array, o: int, noise: float, change: float) -> bool:
    """Whether what was taken for noise along a direction is smooth between a few last places.

    Then the function varies on lengths below the shortest step, and differences say nothing.
    """
    if not noise > change / SWAMPED:
        return False
    with np.errstate(divide="ignore", invalid="ignore"):
        place = np.max(np.where(row != 0, np.spacing(np.abs(target.x)) / np.abs(row), 0.0))
    values = target.scores(target.x + (PLACES * place * np.arange(POINTS))[:, None] * row)[o]
    return bool(np.any(values != values[0]) and ecnoise(values) < noise / QUIET)


def _stair(three: Sequence[Array], plus: Array, minus: Array) -> float:
    """Height of a step of a function that stands still over short lines: rounded, say.

    It is the smallest change that the ladder shows; zero where the function moves, or never does.
    """
    if any(_moves(line) for line in three):
        return 0.0
    change = np.abs(plus - minus)
    return float(np.min(change[change > 0], initial=np.inf)) if np.any(change > 0) else 0.0


def _moves(line: Array) -> bool:
    """Whether at least half of the neighbouring values differ, as ECnoise needs."""
    return bool(2 * np.count_nonzero(line[1:] != line[:-1]) >= line.size - 1)
