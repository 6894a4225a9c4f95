"""Least squares of many columns at once: Levenberg-Marquardt with bounds and priors.

One run of a block gives misfit and normal equations of its columns (`normal`, on a GPU
`cuda_normal`); what each column does with them is decided by itself (`marquardt`, on either). The
result for a column is the same to the last bit whatever batch it is in, wherever it lies there, and
on however many threads; from a CPU to a GPU it changes by round-off.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lsm_verify.errors import InputError, unknown
from lsm_verify.kernels import chunks, marquardt
from lsm_verify.kernels.columns import GRID, INDEX, Columns, Objective, Sight, size
from lsm_verify.kernels.cuda_arrays import numba_cuda
from lsm_verify.kernels.levenberg_run import Problem, run

Array = NDArray[np.float64]

CODES = {name: place for place, name in enumerate(Columns._fields) if place >= GRID} | {
    "h": chunks.HEAT,
    "beta": chunks.BOWEN,
}
"""What can be unknown: a quantity of `Columns`, or h and β of H = h (1 + 1/β)."""

PAIR = ("h", "beta")

STATUS = {
    marquardt.CONVERGED: "converged",
    marquardt.STALLED: "stalled",
    marquardt.NO_SOLUTION: "no solution",
    marquardt.EXHAUSTED: "iterations exhausted",
    marquardt.NOT_IDENTIFIABLE: "not identifiable",
    marquardt.MASKED: "masked",
    marquardt.NOT_OBSERVED: "not observed",
    marquardt.IMPLAUSIBLE: "implausible",
}
"""Why a column ended. Stalled: no damping leads down, short of the tolerance. No solution: the
model has none at the start."""

ITERATIONS = 200

DEVICES = ("cpu", "cuda")


@dataclass(frozen=True)
class Coordinates:
    """Unknowns, one number of each a column, and their scaled coordinates.

    Attributes
    ----------
    names : tuple of str
        Keys of `CODES`.
    middle, scale : (P,) array
        A parameter is middle + scale u, or where logarithmic middle exp(scale u / middle).
    logarithmic : (P,) array of bool
        Which are.
    tied : bool
        Whether the initial temperature is the bottom's.
    """

    names: tuple[str, ...]
    middle: Array
    scale: Array
    logarithmic: NDArray[np.bool_]
    tied: bool = False


@dataclass(frozen=True)
class Fit:
    """Where all columns ended; not-a-number where there is nothing.

    Attributes
    ----------
    u : (B, P) array
        Scaled coordinates.
    value : (B,) array
        F = ½ Σ w (y - y_obs)² + ½ Σ ((p - mean) / deviation)².
    gradient : (B, P) array
        ∂F/∂u.
    normal : (B, P, P) array
        Jᵀ W J by u, priors included.
    status : (B,) int array
        Keys of `STATUS`; never ``not identifiable``, which takes a look at ``normal``, nor ``not
        observed``.
    iterations : (B,) int array
        Steps tried after the first run.
    """

    u: Array
    value: Array
    gradient: Array
    normal: Array
    status: NDArray[np.int64]
    iterations: NDArray[np.int64]


def minimise(
    columns: Columns,
    insulated: bool,
    sight: Sight,
    objective: Objective,
    unknowns: Coordinates,
    start: Any,
    *,
    bounds: tuple[Any, Any] | None = None,
    priors: tuple[Any, Any] | None = None,
    pair: Any = None,
    mask: Any = None,
    iterations: int = ITERATIONS,
    threads: int | None = None,
    device: str = "cpu",
    at_once: int | None = None,
) -> Fit:
    """Minimise ½ Σ w r² and priors over every column of a batch.

    Parameters
    ----------
    columns : Columns
        What is known, float64; the arrays of what is unknown are not read.
    insulated : bool
        Whether the bottom is.
    sight, objective : Sight, Objective
        Where columns are observed, the values, and weights 1/σ²: 0 where a value is missing, which
        must be finite all the same.
    unknowns : Coordinates
        What is unknown.
    start : (B or 1, P) array
        Scaled coordinates, put on the bounds where they lie outside.
    bounds : pair of (B or 1, P) arrays, optional
        Least and most of the coordinates.
    priors : pair of (B or 1, P) arrays, optional
        Means and standard deviations of the parameters; infinite deviations are none.
    pair : (B or 1, 2) array, optional
        h and β, of which the one that is not unknown is read.
    mask : (B,) array of bool, optional
        Columns to leave out.
    iterations : int
        At most so many for each column; with 0, what is known at the start.
    threads : int, optional
        Of the CPU; default: all.
    device : str
        One of `DEVICES`: the CPU, or the current CUDA device.
    at_once : int, optional
        Columns that run at the same time on a GPU; by default as many as it holds.

    Raises
    ------
    InputError
        If arrays do not fit each other or have another type, a name is unknown, or the device is
        not there.
    """
    check_device(device)
    if at_once is not None and at_once < 1:
        raise InputError(f"at_once={at_once} must be at least 1 column.")
    shape = size(columns, sight, objective)
    _check(columns, unknowns, objective, pair)
    P = len(unknowns.names)
    given: list[Any] = [start, *(bounds or ()), *(priors or ())]
    given += [] if mask is None else [mask]
    B = max(shape.batch, *(len(rows) for rows in given))
    if shape.batch not in (1, B):
        raise InputError(f"columns are {shape.batch}, starts, bounds, priors or mask {B}.")
    low, high = bounds or (np.full((1, P), -np.inf), np.full((1, P), np.inf))
    mean, deviation = priors or (np.zeros((1, P)), np.full((1, P), np.inf))
    low, high = _rows("lower bounds", low, B, P), _rows("upper bounds", high, B, P)
    mean, deviation = _rows("means", mean, B, P), _rows("deviations", deviation, B, P)
    if np.any(low > high):
        raise InputError("a lower bound is above its upper one; give lower <= upper.")
    if np.any(deviation <= 0):
        raise InputError("the deviation of a prior is not above 0; give more than 0.")
    codes = np.array([CODES[name] for name in unknowns.names], INDEX)
    keep = np.ones(B, bool) if mask is None else ~np.asarray(mask, bool)
    problem = Problem(
        columns=columns,
        insulated=insulated,
        tied=unknowns.tied,
        sight=sight,
        objective=objective,
        unknowns=(codes, *_vectors(unknowns)),
        pair=_rows("pair of h and beta", np.ones((1, 2)) if pair is None else pair, B, 2),
        priors=(np.where(np.isinf(deviation), 0.0, mean), 1.0 / deviation),
        box=(low, high),
        start=np.clip(_rows("start", start, B, P), low, high),
        order=np.flatnonzero(keep).astype(INDEX),
        iterations=iterations,
    )
    if device == "cpu":
        return Fit(*run(shape, problem, B, threads))
    from lsm_verify.kernels import cuda_levenberg_run

    return Fit(*cuda_levenberg_run.run(shape, problem, B, at_once))


def check_device(device: str) -> None:
    """Refuse a device that has no kernels, or is not there.

    Raises
    ------
    InputError
        With the remedy.
    """
    if device not in DEVICES:
        raise unknown("device", device, DEVICES)
    if device == "cuda":
        numba_cuda()


def _check(columns: Columns, unknowns: Coordinates, objective: Objective, pair: Any) -> None:
    """Refuse what cannot be minimised."""
    names = unknowns.names
    for name in names:
        if name not in CODES:
            raise unknown("quantity", name, CODES)
    if len(set(names)) < len(names) or not names:
        raise InputError(f"unknowns {names} must be at least one, and each named once.")
    separate = [name for name in PAIR if name in names]
    if "H" in names and separate:
        raise InputError(f"unknowns hold H and {' and '.join(separate)}; give one form.")
    if len(separate) == 1 and pair is None:
        raise InputError(f"{separate[0]} alone of h and beta is unknown; give the pair.")
    if unknowns.tied and "T0" in names:
        raise InputError("T0 is unknown and tied to Tb; leave it out, or untie it.")
    if columns.spacing.dtype != np.float64:
        raise InputError(f"columns are of type {columns.spacing.dtype}; give float64.")
    if np.any(objective.weights < 0):
        raise InputError("a weight is below 0; give 1/σ², and 0 where a value is missing.")


def _rows(name: str, array: Any, B: int, n: int) -> Array:
    found = np.ascontiguousarray(array, dtype=np.float64)
    if found.ndim != 2 or found.shape[0] not in (1, B) or found.shape[1] != n:
        raise InputError(f"{name} have shape {found.shape}; give ({B} or 1, {n}).")
    return found


def _vectors(unknowns: Coordinates) -> tuple[Array, Array, NDArray[np.int64]]:
    """Middle, scale and whether logarithmic, as kernels take them."""
    shape = (len(unknowns.names),)
    middle, scale = (
        np.ascontiguousarray(np.broadcast_to(x, shape), dtype=np.float64)
        for x in (unknowns.middle, unknowns.scale)
    )
    return middle, scale, np.broadcast_to(unknowns.logarithmic, shape).astype(INDEX)
