"""What is known of the unknowns beside the observations, as rows of linear residuals.

A prior adds ½ ‖L p − m‖² to the objective: each row of L is scaled by its standard deviation.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lsm_verify.errors import InputError, unknown
from lsm_verify.inverse.space import Space
from lsm_verify.validation import as_array, finite

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Normal:
    """A normal prior of an unknown.

    Parameters
    ----------
    name : str
        The unknown.
    mean, deviation : () or (n,) array_like
        Mean and standard deviation, in the parameter's unit.
    """

    name: str
    mean: Any
    deviation: Any

    def rows(self, space: Space) -> tuple[Array, Array]:
        """Matrix (n, P) and right-hand side (n,)."""
        place = _place(space, self.name)
        n = place.stop - place.start
        mean, deviation = (
            _filled(f"{what} of the prior of {self.name}", value, n)
            for what, value in (("mean", self.mean), ("deviation", self.deviation))
        )
        if np.any(deviation <= 0):
            raise InputError(
                f"deviation of the prior of {self.name} is {deviation.min():g}; give more than 0."
            )
        matrix = np.zeros((n, space.size))
        matrix[np.arange(n), np.arange(place.start, place.stop)] = 1 / deviation
        return matrix, mean / deviation


@dataclass(frozen=True)
class Smooth:
    """A prior of an unknown that varies in time: its differences are small.

    Parameters
    ----------
    name : str
        The unknown, with two values or more (three for order 2).
    deviation : float
        Standard deviation of the difference of neighbours (order 1), or of the second difference
        (order 2), in the parameter's unit.
    order : int
        1, a random walk; 2, an integrated one, which draws straight lines.
    """

    name: str
    deviation: float
    order: int = 1

    def rows(self, space: Space) -> tuple[Array, Array]:
        """Matrix (n - order, P) and right-hand side of zeros."""
        place = _place(space, self.name)
        n = place.stop - place.start
        if self.order not in (1, 2):
            raise InputError(f"order={self.order} of the smoothness of {self.name}; give 1 or 2.")
        if n <= self.order:
            raise InputError(
                f"{self.name} has {n} values; smoothness of order {self.order} takes "
                f"{self.order + 1} or more."
            )
        if not 0 < self.deviation < np.inf:
            raise InputError(
                f"deviation={self.deviation} of the smoothness of {self.name} must be above 0."
            )
        matrix = np.zeros((n - self.order, space.size))
        matrix[:, place] = np.diff(np.eye(n), n=self.order, axis=0) / self.deviation
        return matrix, np.zeros(n - self.order)


Prior = Normal | Smooth


def stack(priors: Sequence[Prior], space: Space) -> tuple[Array, Array]:
    """Matrix (m, P) and right-hand side (m,) of all priors."""
    parts = [prior.rows(space) for prior in priors]
    matrix = np.concatenate([np.zeros((0, space.size)), *(m for m, _ in parts)])
    return matrix, np.concatenate([np.zeros(0), *(right for _, right in parts)])


def _place(space: Space, name: str) -> slice:
    if name not in space.places:
        raise unknown("parameter of a prior", name, space.names)
    return space.places[name]


def _filled(what: str, value: Any, n: int) -> Array:
    array = np.ravel(finite(what, as_array(what, value)))
    if array.size not in (1, n):
        raise InputError(f"{what} has {array.size} values; give 1 or {n}.")
    return np.broadcast_to(array, (n,)).copy()
