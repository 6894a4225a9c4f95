"""What is unknown: a parameter of a case or a user's own, its range, bounds and form."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lsm_verify.cases import Case
from lsm_verify.errors import InputError, unknown
from lsm_verify.parameters import Knots
from lsm_verify.quantities import PARAMETERS
from lsm_verify.validation import as_array, finite

Array = NDArray[np.float64]
Bounds = Mapping[str, tuple[Any, Any]]

OPEN = 1e-6
"""Where a bound itself is no value (λ = 0), the bound of an optimiser, in units of the middle."""


@dataclass(frozen=True)
class Unknown:
    """One unknown, a number or an array.

    Parameters
    ----------
    name : str
        Public name of a parameter, or of a coefficient of a user's own function.
    lower, upper : () or (n,) array_like
        Ends of the range from which starts are drawn; its standard deviation is the scale. No
        bounds: see ``least`` and ``most``.
    shape : tuple of int
        ``()`` or ``(n,)``.
    least, most : float
        Bounds that no estimate may leave.
    times : (n,) array, optional
        Times of the knots [s], where the unknown is given by knots.
    logarithmic : bool
        Whether its coordinate is the logarithm.
    unit : str
        Unit, for tables.
    """

    name: str
    lower: Array
    upper: Array
    shape: tuple[int, ...] = ()
    least: float = -np.inf
    most: float = np.inf
    times: Array | None = None
    logarithmic: bool = False
    unit: str = ""

    def __post_init__(self) -> None:
        for field in ("lower", "upper"):
            given = finite(f"{field} of {self.name}", as_array(field, getattr(self, field)))
            object.__setattr__(self, field, np.broadcast_to(given, self.shape))
        if not np.all(self.lower < self.upper):
            raise InputError(f"{self.name} must have lower < upper; widen its range.")
        if self.least >= self.most:
            raise InputError(
                f"bounds of {self.name} are {self.least:g} and {self.most:g}; give lower < upper."
            )
        if self.logarithmic and np.any(self.lower * self.upper <= 0):
            raise InputError(
                f"{self.name} cannot be logarithmic: its range "
                f"{float(np.min(self.lower)):g} to {float(np.max(self.upper)):g} holds zero."
            )

    @property
    def size(self) -> int:
        """How many numbers it is."""
        return int(np.prod(self.shape))

    @property
    def middle(self) -> Array:
        """Middle of the range, (size,)."""
        return np.ravel((self.lower + self.upper) / 2)

    @property
    def scale(self) -> Array:
        """Standard deviation of the range, (size,)."""
        return np.ravel((self.upper - self.lower) / np.sqrt(12.0))


def unknown_of(case: Case, name: str, bounds: tuple[Any, Any] | None, logarithmic: bool) -> Unknown:
    """Return a free parameter of a case as an unknown."""
    if name not in case.start:
        raise unknown(f"free parameter of case {case.name}", name, case.free)
    start, (low, high) = case.start[name], case.ranges[name]
    quantity = PARAMETERS[name]
    knots = start.times if isinstance(start, Knots) else None
    shape = np.shape(start.values if isinstance(start, Knots) else np.asarray(start))
    least, most = quantity.lower, quantity.upper
    middle = float(np.min(np.abs(np.asarray(low) + np.asarray(high)))) / 2
    if quantity.open_lower:
        least = OPEN * middle
    if name == "bowen_ratio":
        least, most = (OPEN * middle, np.inf) if np.all(np.asarray(low) > 0) else (-np.inf, -1.0)
    if bounds is not None:
        least, most = _within(name, bounds, least, most)
    return Unknown(
        name,
        np.asarray(low),
        np.asarray(high),
        shape=shape,
        least=least,
        most=most,
        times=knots,
        logarithmic=logarithmic,
        unit=quantity.unit,
    )


def _within(name: str, bounds: tuple[Any, Any], least: float, most: float) -> tuple[float, float]:
    try:
        low, high = (float(end) for end in bounds)
    except (TypeError, ValueError):
        raise InputError(f"bounds of {name}, {bounds!r}, must be a pair of numbers.") from None
    if not least <= low < high <= most:
        raise InputError(
            f"bounds of {name} are {low:g} and {high:g}; give lower < upper within "
            f"{least:g} to {most:g}."
        )
    return low, high
