"""A claimed gradient to be judged: the form in which every tool is asked the same question."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.floating]
Point = Mapping[str, Array]
Number = float | np.number

TINY_STEP = 1e-30
"""Relative: a complex step subtracts nothing, so it can be as small as numbers go."""


class Group(StrEnum):
    """What a right verdict on a problem is."""

    ERROR = "planted error"
    CORRECT = "correct gradient"
    NEITHER = "nothing to conclude"


@dataclass(frozen=True)
class Pair:
    """A linear map and what is claimed to be its transpose, on flat arrays."""

    forward: Callable[[Array], Array]
    transpose: Callable[[Array], Array]
    rows: int
    columns: int


@dataclass(frozen=True)
class Problem:
    """An objective with a claimed gradient at a point.

    Attributes
    ----------
    name, title : str
        For files, and for people.
    group : Group
        Whether an error was planted.
    objective : callable
        From named parameters to one number.
    gradient : callable
        From named parameters to the claimed derivatives, same names and shapes.
    point : mapping
        Where to judge; its dtype is the model's.
    scales : mapping
        How far each parameter is uncertain, where the user knows it; else empty.
    pair : Pair, optional
        Tangent and adjoint behind the gradient, where it is made of them.
    exact : callable, optional
        The right gradient, where the objective takes no complex numbers.
    """

    name: str
    group: Group
    title: str
    objective: Callable[[Point], Number]
    gradient: Callable[[Point], Point]
    point: Point
    scales: Point = field(default_factory=dict)
    pair: Pair | None = None
    exact: Callable[[Point], Point] | None = None

    @property
    def dtype(self) -> np.dtype[np.floating]:
        """Precision in which the model computes."""
        return next(iter(self.point.values())).dtype

    def ravel(self, values: Point) -> Array:
        """All parameters in one vector, in the order of the point."""
        return np.concatenate([np.ravel(values[name]) for name in self.point])

    def unravel(self, vector: Array) -> dict[str, Array]:
        """Name the parts of a vector."""
        ends = np.cumsum([np.size(value) for value in self.point.values()])
        parts = np.split(np.asarray(vector), ends[:-1])
        return {
            name: part.reshape(np.shape(value))
            for (name, value), part in zip(self.point.items(), parts, strict=True)
        }

    def truth(self) -> Array:
        """Right gradient by complex step in double precision, flat."""
        if self.exact:
            return self.ravel(self.exact(self.point))
        point = self.ravel(self.point)
        derivatives = []
        for index in range(point.size):
            moved = point.astype(np.complex128)
            moved[index] += 1j * TINY_STEP * (abs(point[index]) or 1.0)
            value = self.objective(self.unravel(moved))
            derivatives.append(value.imag / moved[index].imag)
        return np.array(derivatives)

    def error(self) -> float:
        """Error of the claimed gradient in units of ‖g∘s‖, s the scales or |p|."""
        point = self.ravel(self.point).astype(np.float64)
        scale = self.ravel(self.scales) if self.scales else np.where(point, np.abs(point), 1.0)
        right = self.truth() * scale
        claimed = self.ravel(self.gradient(self.point)) * scale
        norm = float(np.linalg.norm(right))
        return float(np.linalg.norm(claimed - right)) / norm if norm else 0.0
