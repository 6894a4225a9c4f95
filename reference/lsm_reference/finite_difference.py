"""The raw ladder of central differences, parallel over perturbations.

It says what the objective is at the perturbed points and nothing more: turning a ladder into a
value with its uncertainty is the work of whoever asks.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from lsm_reference import namespace
from lsm_reference.evaluate import NEWTON_TOLERANCE, aim, promote
from lsm_reference.parameters import Values, expand, look
from lsm_reference.problem import Column, Problem

CHUNK = 1024
"""Columns stacked at a time: bounds the memory, leaves the threads enough to do."""

STACKED = tuple(f for f in Column._fields if f not in ("dz", "dt", "insulated"))


class Ladder(NamedTuple):
    """Objectives at p + h v and p - h v for falling steps h along one direction v.

    ``steps`` has shape (pairs,), ``plus`` and ``minus`` (objectives, pairs); not-a-number where
    the model has no solution.
    """

    steps: NDArray[np.float64]
    plus: NDArray[np.float64]
    minus: NDArray[np.float64]

    @property
    def differences(self) -> NDArray[np.float64]:
        """Central differences (objectives, pairs)."""
        return (self.plus - self.minus) / (2 * self.steps)


def scores_at(problem: Problem, points: Sequence[Values]) -> NDArray[np.float64]:
    """Return every objective (objectives, K) at K sets of public parameters."""
    sight = look(problem)
    aimed = [aim(sight, objective) for objective in problem.objectives]
    weights = np.stack([a.weights for a, _ in aimed])
    kinds = np.array([kind for _, kind in aimed])
    out = np.empty((len(aimed), len(points)))
    for start in range(0, len(points), CHUNK):
        columns = [promote(expand(problem, p)) for p in points[start : start + CHUNK]]
        stacked = {f: np.stack([getattr(c, f) for c in columns]) for f in STACKED}
        stack = columns[0]._replace(**stacked)
        part = np.empty((len(aimed), len(columns)))
        namespace.compiled().sweep(stack, sight, weights, kinds, NEWTON_TOLERANCE, part)
        out[:, start : start + CHUNK] = part
    return out


def ladders(
    problem: Problem, directions: Sequence[Values], largest: float, ratio: float, pairs: int
) -> list[Ladder]:
    """Evaluate the objectives at p ± h v for every direction v, h = largest / ratio^k.

    A direction maps public names to changes; names left out do not move. The step recorded is the
    one that the largest component really took, p ± h v being rounded: exact for a single number.
    """
    nominal = largest / ratio ** np.arange(pairs)
    parameters = problem.parameters
    points, steps = [], []
    for direction in directions:
        plus, minus = (
            [
                {
                    **parameters,
                    **{k: parameters[k] + h * np.asarray(v) for k, v in direction.items()},
                }
                for h in sign * nominal
            ]
            for sign in (1.0, -1.0)
        )
        points += plus + minus
        name = max(direction, key=lambda k: float(np.max(np.abs(direction[k]))))
        size = np.asarray(direction[name])
        top = np.unravel_index(np.argmax(np.abs(size)), size.shape)
        taken = [(p[name][top] - m[name][top]) / 2 for p, m in zip(plus, minus, strict=True)]
        steps.append(np.array(taken) / size[top])
    out = scores_at(problem, points).reshape(len(problem.objectives), len(directions), 2, pairs)
    return [Ladder(steps[i], out[:, i, 0], out[:, i, 1]) for i in range(len(directions))]
