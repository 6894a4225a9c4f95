"""Directions in parameter space, scaled so that every parameter counts."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lsm_verify.verify.target import Target

DIRECTIONS = 8
"""Random directions at least: one inner product hides weak parameters."""

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Directions:
    """Directions along which differences are taken.

    ``rows`` (m, n) are the steps at h = 1; ``size`` (m,) their lengths in units of the scales, one
    for a random direction of unit variance; ``component`` (m,) the number that alone moves, or -1;
    ``owner`` (m,) the parameter that alone moves.
    """

    rows: Array
    size: Array
    component: NDArray[np.int64]
    owner: tuple[str, ...]


def random_directions(target: Target, count: int, seed: int) -> Array:
    """Draw directions v = s ξ (count, n) with signed Gaussian ξ and the parameters' scales s.

    Unscaled directions over an albedo and a heat capacity of 2e6 hide a wrong derivative by the
    capacity altogether. A direction in which a parameter has next to no part is drawn again.
    """
    rng = np.random.default_rng(seed)
    owners = target.owners
    rows: list[Array] = []
    while len(rows) < count:
        xi = rng.standard_normal(target.x.size)
        if all(np.max(np.abs(xi[owners == name])) > 1e-3 for name in target.names):
            rows.append(target.scale * xi)
    return np.stack(rows)


def within_reach(target: Target, rows: Array) -> tuple[Array, Array]:
    """Shorten directions so that no number moves by more than its unit; rows and factors (m,)."""
    with np.errstate(divide="ignore"):
        factor = np.minimum(1.0, np.min(target.unit / np.abs(rows), axis=1))
    return rows * factor[:, None], factor


def lengths(target: Target, rows: Array) -> Array:
    """Length ‖ξ‖ (m,) of directions v = s ξ (m, n), in units of the scales s."""
    return np.asarray(np.linalg.norm(rows / target.scale, axis=1))


def along_parameters(target: Target, most: int | None, seed: int) -> Directions:
    """One direction per number; for parameters of more than ``most`` numbers 8 random ones."""
    rows: list[Array] = []
    size: list[float] = []
    component: list[int] = []
    owner: list[str] = []
    rng = np.random.default_rng([seed, 1])
    for name in target.names:
        here = np.flatnonzero(target.owners == name)
        if most is None or here.size <= most:
            for j in here:
                row = np.zeros(target.x.size)
                row[j] = target.unit[j]
                rows.append(row)
                size.append(float(target.unit[j] / target.scale[j]))
                component.append(int(j))
                owner.append(name)
            continue
        drawn = np.zeros((DIRECTIONS, target.x.size))
        drawn[:, here] = target.scale[here] * rng.standard_normal((DIRECTIONS, here.size))
        drawn, factor = within_reach(target, drawn)
        rows += list(drawn)
        size += [float(f) for f in factor]
        component += [-1] * DIRECTIONS
        owner += [name] * DIRECTIONS
    return Directions(
        np.stack(rows), np.array(size), np.array(component, dtype=np.int64), tuple(owner)
    )
