"""Unknowns and their scaled coordinates: what optimisers, priors and Jacobians are written in.

Coordinates u have the size of a prior standard deviation: a parameter is p = c + s u, with c the
middle of its range and s the range's standard deviation, or where it is logarithmic
p = c exp(s u / c), which has the same slope at c and cannot change its sign.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from lsm_verify.cases import Case
from lsm_verify.errors import InputError, unknown
from lsm_verify.parameters import Knots, Parameters, Value
from lsm_verify.quantities import PARAMETERS
from lsm_verify.validation import as_array, finite

if TYPE_CHECKING:
    from torch import Tensor

Array = NDArray[np.float64]
Bounds = Mapping[str, tuple[Any, Any]]

AT_BOUND = 1e-9
"""Distance from a bound, in units of the scale, within which an estimate lies on it."""

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


class Space:
    """All unknowns side by side: a point is a row of P numbers.

    Parameters
    ----------
    unknowns : sequence of Unknown
        In the order of the coordinates.
    """

    def __init__(self, unknowns: Sequence[Unknown]) -> None:
        if not unknowns:
            raise InputError("there is nothing to estimate; name at least one parameter.")
        self.unknowns = tuple(unknowns)
        self.names = tuple(u.name for u in self.unknowns)
        if len(set(self.names)) < len(self.names):
            raise InputError(f"unknowns {', '.join(self.names)} name one twice.")
        ends = np.cumsum([0, *(u.size for u in self.unknowns)])
        self.places = {
            u.name: slice(int(a), int(b))
            for u, a, b in zip(self.unknowns, ends, ends[1:], strict=False)
        }
        self.size = int(ends[-1])
        self.middle = np.concatenate([u.middle for u in self.unknowns])
        self.scale = np.concatenate([u.scale for u in self.unknowns])
        self.logarithmic = np.repeat(
            [u.logarithmic for u in self.unknowns], [u.size for u in self.unknowns]
        )
        repeats = [u.size for u in self.unknowns]
        self.least = np.repeat([u.least for u in self.unknowns], repeats)
        self.most = np.repeat([u.most for u in self.unknowns], repeats)

    @classmethod
    def of(
        cls,
        case: Case,
        names: Iterable[str] | None = None,
        *,
        bounds: Bounds | None = None,
        logarithmic: Iterable[str] = (),
    ) -> Space:
        """Return the space of a case's free parameters, or of some of them.

        Raises
        ------
        InputError
            If a name is not free in the case, or bounds leave what is physical.
        """
        names = case.free if names is None else tuple(names)
        bounds, logarithmic = bounds or {}, tuple(logarithmic)
        for name in (*bounds, *logarithmic):
            if name not in names:
                raise unknown("parameter among the unknowns", name, names)
        return cls([unknown_of(case, n, bounds.get(n), n in logarithmic) for n in names])

    @classmethod
    def asked_for(
        cls,
        case: Case,
        unknowns: Iterable[str] | Iterable[Unknown] | None,
        *,
        composed: bool,
        bounds: Bounds | None = None,
        logarithmic: Iterable[str] = (),
    ) -> Space:
        """Return the space of what a user asks for: names, or unknowns of their own.

        ``composed``: whether a function stands between the unknowns and the model.

        Raises
        ------
        InputError
            As `of`; if a function has no unknowns, or a user's own have bounds given beside them.
        """
        given: list[Any] | None = None if unknowns is None else list(unknowns)
        if given and all(isinstance(each, Unknown) for each in given):
            if bounds or tuple(logarithmic):
                raise InputError("bounds and logarithms of your own unknowns stand in `Unknown`.")
            return cls(given)
        if given and any(isinstance(each, Unknown) for each in given):
            raise InputError("unknowns are names or Unknown, not both; give one kind.")
        if composed and given is None:
            raise InputError("compose needs unknowns: give a list of Unknown, or names.")
        return cls.of(case, given, bounds=bounds, logarithmic=logarithmic)

    @property
    def labels(self) -> tuple[str, ...]:
        """One for every coordinate: the name, with an index where it has several."""
        return tuple(
            u.name if not u.shape else f"{u.name}[{index}]"
            for u in self.unknowns
            for index in range(u.size)
        )

    @property
    def units(self) -> tuple[str, ...]:
        """Unit of every coordinate's parameter."""
        return tuple(u.unit for u in self.unknowns for _ in range(u.size))

    # ---------------------------------------------------------- physical and scaled

    def physical(self, u: Array) -> Array:
        """Parameters (..., P) at scaled coordinates (..., P)."""
        linear: Array = self.middle + self.scale * u
        if not np.any(self.logarithmic):
            return linear
        ratio = np.where(self.logarithmic, self.scale / self.middle, 0.0)
        return np.asarray(np.where(self.logarithmic, self.middle * np.exp(ratio * u), linear))

    def scaled(self, p: Array) -> Array:
        """Scaled coordinates (..., P) of parameters (..., P)."""
        p = np.asarray(p, dtype=np.float64)
        linear: Array = (p - self.middle) / self.scale
        if not np.any(self.logarithmic):
            return linear
        quotient = np.where(self.logarithmic, p / self.middle, 1.0)
        if np.any(quotient <= 0):
            bad = self.labels[int(np.argwhere(quotient <= 0)[0][-1])]
            raise InputError(f"{bad} is logarithmic and must not change its sign.")
        logarithm = np.log(quotient) * self.middle / self.scale
        return np.asarray(np.where(self.logarithmic, logarithm, linear))

    def slope(self, u: Array) -> Array:
        """dp/du (..., P)."""
        if not np.any(self.logarithmic):  # a middle may be zero then
            return np.broadcast_to(self.scale, np.shape(u)).copy()
        factor = np.where(self.logarithmic, self.physical(u) / self.middle, np.ones_like(u))
        return np.asarray(factor * self.scale)

    @property
    def box(self) -> tuple[Array, Array]:
        """Bounds in scaled coordinates, (P,) each."""
        with np.errstate(invalid="ignore", divide="ignore"):
            # The sign of a logarithmic unknown is fixed: a bound on the other side is none.
            low, high = (
                self.scaled(np.where(self.logarithmic & (end / self.middle <= 0), np.nan, end))
                for end in (self.least, self.most)
            )
        return np.where(np.isnan(low), -np.inf, low), np.where(np.isnan(high), np.inf, high)

    def at_bound(self, rows: Array) -> NDArray[np.bool_]:
        """Whether parameters (..., P) lie on a bound, or beyond it."""
        near = AT_BOUND * self.scale
        return np.asarray((rows <= self.least + near) | (rows >= self.most - near))

    # ---------------------------------------------------------- rows and names

    def flatten(self, parameters: Parameters) -> Array:
        """Return named values as one row (P,)."""
        rows = []
        for u in self.unknowns:
            if u.name not in parameters:
                raise InputError(f"{u.name} has no value; give one of shape {u.shape}.")
            value: Any = parameters[u.name]
            array = as_array(u.name, value.values if isinstance(value, Knots) else value)
            if array.shape != u.shape:
                raise InputError(f"{u.name} has shape {array.shape}; give {u.shape}.")
            rows.append(np.ravel(finite(u.name, array)))
        return np.concatenate(rows)

    def named(self, row: Array) -> dict[str, Value]:
        """Return a row (P,) of parameters as named values in the shapes that were given."""
        found: dict[str, Value] = {}
        for u in self.unknowns:
            values = np.asarray(row[self.places[u.name]]).reshape(u.shape)
            found[u.name] = (
                float(values)
                if not u.shape
                else values
                if u.times is None
                else Knots(u.times, values)
            )
        return found

    def tensors(self, rows: Array, *, requires_grad: bool = False) -> dict[str, Tensor]:
        """Return rows (B, P) of parameters as named tensors (B,) or (B, n)."""
        import torch

        found = {}
        for u in self.unknowns:
            part = rows[:, self.places[u.name]]
            part = np.array(part if u.shape else part[:, 0], dtype=np.float64)
            found[u.name] = torch.from_numpy(part).requires_grad_(requires_grad)
        return found
