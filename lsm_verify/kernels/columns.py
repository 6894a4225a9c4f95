"""What a kernel is asked: columns in canonical form, what is observed, how it is scored.

Every array is (B or 1, n or 1): a leading 1 is shared by all columns of the batch, a trailing 1
does not vary along the step, node or interface. N interfaces, N + 1 nodes, S steps, K series.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from lsm_verify.errors import InputError, unknown

SOIL_TEMPERATURE, SOIL_HEAT_FLUX, LONGWAVE_UP, TURBULENT_FLUX = range(4)
OBSERVATION_KINDS = {
    "soil_temperature": SOIL_TEMPERATURE,
    "soil_heat_flux": SOIL_HEAT_FLUX,
    "longwave_up": LONGWAVE_UP,
    "turbulent_flux": TURBULENT_FLUX,
}

MEAN_SQUARE, HALF_SUM_OF_SQUARES, PROBE = range(3)
OBJECTIVE_KINDS = {
    "mean-square": MEAN_SQUARE,
    "half-sum-of-squares": HALF_SUM_OF_SQUARES,
    "probe": PROBE,
}

FLOATS = "df"
INDEX = np.dtype(np.int64)

MIN_INTERFACES = 2
"""A flux is interpolated between interfaces, so there are two."""


class Columns(NamedTuple):
    """B columns; all arrays of one float type and C-contiguous."""

    spacing: NDArray[Any]  #: (B or 1, N) [m]
    time_step: NDArray[Any]  #: (B or 1, S) [s]
    lam: NDArray[Any]  #: (B or 1, N or 1) [W m-1 K-1]
    C: NDArray[Any]  #: (B or 1, N + 1 or 1) [J m-3 K-1]
    albedo: NDArray[Any]  #: (B or 1, S or 1)
    H: NDArray[Any]  #: (B or 1, S or 1) turbulent transfer coefficient [W m-2 K-1]
    Tb: NDArray[Any]  #: (B or 1, S or 1) [K]; not read where the bottom is insulated
    SWdown: NDArray[Any]  #: (B or 1, S or 1) [W m-2], positive down
    LWdown: NDArray[Any]  #: (B or 1, S or 1) [W m-2], positive down
    Tair: NDArray[Any]  #: (B or 1, S or 1) [K]
    T0: NDArray[Any]  #: (B or 1, N + 1 or 1) initial temperature [K]
    emissivity: NDArray[Any]  #: (B or 1, 1)


GRID = 2
"""Spacing and time step come first."""

QUANTITIES = Columns._fields[GRID:]
"""Names to differentiate by: all but the grid and the steps."""

PER_STEP = ("albedo", "H", "Tb", "SWdown", "LWdown", "Tair")
"""Names of the quantities that may vary from step to step, side by side in `Columns`."""


class Sight(NamedTuple):
    """Where the columns are looked at."""

    kind: NDArray[np.int64]  #: (K,) codes of OBSERVATION_KINDS
    index: NDArray[np.int64]  # type: ignore[assignment]  #: (B or 1, K) upper of the two nodes, or interfaces, read
    fraction: NDArray[Any]  #: (B or 1, K) share of the lower one, 0 to 1


class Objective(NamedTuple):
    """How predictions are scored, equation (16); index 0 of a series is the initial state."""

    kind: str  #: a key of OBJECTIVE_KINDS
    values: NDArray[Any]  #: (B or 1, K, S + 1) observed values; finite where the weight is zero
    weights: NDArray[Any]  #: (B or 1, K, S + 1); w ≥ 0, or the signed weights of the probe


class Size(NamedTuple):
    """Numbers of columns, interfaces, steps and series."""

    batch: int
    interfaces: int
    steps: int
    series: int


def size(columns: Columns, sight: Sight | None = None, objective: Objective | None = None) -> Size:
    """Measure a batch, and refuse arrays that do not fit each other.

    Raises
    ------
    InputError
        If a shape or a number type does not fit, or an observation reads outside of the column.
    """
    found = _size(
        _forms(columns),
        None if sight is None else _forms(sight),
        None if objective is None else (objective.kind, _forms(objective[1:])),
    )
    if sight is not None:
        _inside(sight, found.interfaces)
    return found


Form = tuple[tuple[int, ...], np.dtype[Any]]
"""Shape and type of an array."""


def _forms(arrays: Iterable[NDArray[Any]]) -> tuple[Form, ...]:
    return tuple([(array.shape, array.dtype) for array in arrays])


@lru_cache(maxsize=256)
def _size(
    columns: tuple[Form, ...],
    sight: tuple[Form, ...] | None,
    objective: tuple[str, tuple[Form, ...]] | None,
) -> Size:
    """Measure a batch by its forms: those of a descent are the same every time."""
    (spacing, dtype), (time_step, _) = columns[:2]
    if dtype.char not in FLOATS or not dtype.isnative:
        raise InputError(f"columns are of type {dtype}; give float64 or float32.")
    for name, shape in (("spacing", spacing), ("time_step", time_step)):
        if len(shape) != 2:
            raise InputError(f"{name} has shape {shape}; give (batch or 1, n).")
    N, S = spacing[1], time_step[1]
    K = 0 if sight is None else sight[0][0][0]
    if N < MIN_INTERFACES or S < 1:
        raise InputError(
            f"columns have {N} interfaces and {S} steps; give at least {MIN_INTERFACES} and 1."
        )
    faces, nodes, steps = (N, 1), (N + 1, 1), (S, 1)
    wanted = ((N,), (S,), faces, nodes, *[steps] * len(PER_STEP), nodes, (1,))
    B = 1
    for name, form, lengths in zip(Columns._fields, columns, wanted, strict=True):
        B = _fit(name, form, B, lengths, dtype)
    if sight is not None:
        B = _fit("index of the sight", sight[1], B, (K,), INDEX)
        B = _fit("fraction of the sight", sight[2], B, (K,), dtype)
    if objective is not None:
        kind, scored = objective
        if kind not in OBJECTIVE_KINDS:
            raise unknown("objective", kind, OBJECTIVE_KINDS)
        for name, form in zip(("values", "weights"), scored, strict=True):
            B = _fit(f"{name} of the objective", form, B, (K,), dtype, (S + 1,))
    return Size(B, N, S, K)


def check_gradient(wanted: Iterable[str], checkpoint: int | None) -> frozenset[str]:
    """Refuse what no gradient can be by, and segments of no step; return the names.

    Raises
    ------
    InputError
        If a name is not in `QUANTITIES`, or ``checkpoint`` is below one step.
    """
    names = frozenset(wanted)
    for name in sorted(names - set(QUANTITIES)):
        raise unknown("quantity", name, QUANTITIES)
    if checkpoint is not None and checkpoint < 1:
        raise InputError(f"checkpoint={checkpoint} must be at least 1 step.")
    return names


def _fit(
    name: str,
    form: Form,
    B: int,
    lengths: tuple[int, ...],
    dtype: np.dtype[Any],
    more: tuple[int, ...] = (),
) -> int:
    """Return the size of the batch with this array in it."""
    shape, found = form
    fits = len(shape) == 2 + len(more) and shape[1] in lengths and shape[2:] == more
    if not fits or (shape[0] != B and shape[0] != 1 and B != 1) or shape[0] == 0:
        lead = "batch" if B == 1 else B
        tail = "".join(f", {n}" for n in more)
        raise InputError(
            f"{name} has shape {shape}; give ({lead} or 1, {' or '.join(map(str, lengths))}{tail})."
        )
    if found != dtype:
        raise InputError(f"{name} is of type {found}; give {dtype}.")
    return B if shape[0] < B else shape[0]


def _inside(sight: Sight, N: int) -> None:
    """Refuse observations of what is not there: a kernel would read other memory."""
    kinds = sight.kind.tolist()
    if not kinds:
        return
    if min(kinds) < 0 or max(kinds) >= len(OBSERVATION_KINDS) or sight.kind.dtype != INDEX:
        raise InputError(
            f"kind of the sight is {kinds} of type {sight.kind.dtype}; give 0 to 3 as int64."
        )
    index = sight.index
    low = high = index[0].tolist()
    if index.shape[0] > 1:
        low, high = index.min(axis=0).tolist(), index.max(axis=0).tolist()
    for kind, first, last in zip(kinds, low, high, strict=True):
        points = N if kind == SOIL_HEAT_FLUX else N + 1
        if first < 0 or last > points - 2:
            raise InputError(
                f"index {first if first < 0 else last} of the sight lies outside of the column; "
                f"give 0 to {points - 2}, the upper of two neighbours among {points}."
            )
