"""Unknowns and their scaled coordinates: what optimisers, priors and Jacobians are written in.

Coordinates u have the size of a prior standard deviation: a parameter is p = c + s u, with c the
middle of its range and s the range's standard deviation, or where it is logarithmic
p = c exp(s u / c), which has the same slope at c and cannot change its sign.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from lsm_verify.cases import Case
from lsm_verify.errors import InputError, unknown
from lsm_verify.inverse.unknowns import Bounds, Unknown, unknown_of
from lsm_verify.parameters import Knots, Parameters, Value
from lsm_verify.validation import as_array, finite

if TYPE_CHECKING:
    from torch import Tensor

Array = NDArray[np.float64]
AT_BOUND = 1e-9
"""Distance from a bound, in units of the scale, within which an estimate lies on it."""


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
        return self.ends(self.least, self.most)

    def ends(self, least: Array, most: Array) -> tuple[Array, Array]:
        """Scaled coordinates (..., P) of bounds (..., P); infinite where there is none."""
        with np.errstate(invalid="ignore", divide="ignore"):
            # The sign of a logarithmic unknown is fixed: a bound on the other side is none.
            low, high = (
                self.scaled(np.where(self.logarithmic & (end / self.middle <= 0), np.nan, end))
                for end in (least, most)
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
            if isinstance(value, Knots):
                _same_times(u, value.times)
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


def _same_times(u: Unknown, times: Array) -> None:
    """Refuse knots at other times than the unknown's."""
    if u.times is None:
        raise InputError(f"{u.name} is not given by knots here; give values of shape {u.shape}.")
    odd = np.flatnonzero(times != u.times)
    if odd.size:
        k = int(odd[0])
        raise InputError(
            f"knot {k} of {u.name} is at {times[k]:g} s; give knots at the times of the unknown, "
            f"there {u.times[k]:g} s."
        )
