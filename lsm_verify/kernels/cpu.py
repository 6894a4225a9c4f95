"""Kernels for the CPU: a batch of columns in the lanes of SIMD registers, on several threads.

A batch is cut into blocks of `LANES` columns; a block goes forward and back before the next, so
that its trajectory stays near. Few columns run one by one instead, by the same source with one
lane. The arithmetic of a column does not depend on where it lies: results are the same to the last
bit for every batch, number of lanes and number of threads.

Nothing is compiled before the first call, and what is compiled is cached on disk.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import cache
from importlib import import_module
from math import ceil, sqrt
from types import FunctionType, SimpleNamespace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lsm_verify.kernels import (
    along,
    backward,
    blocks,
    chunks,
    lanes,
    looks,
    marquardt,
    node,
    normal,
    steps,
)
from lsm_verify.kernels.binding import bind
from lsm_verify.kernels.columns import (
    GRID,
    INDEX,
    OBJECTIVE_KINDS,
    QUANTITIES,
    Columns,
    Objective,
    Sight,
    Size,
    check_gradient,
    size,
)
from lsm_verify.kernels.scratch import Shapes, reserve
from lsm_verify.kernels.sharing import Task, share

Array = NDArray[Any]
Status = NDArray[np.int64]

LANES = 8
"""Columns in a block. Vectors of 16 were measured to be no faster with AVX2, those of 4 slower:
they do not hide the latency of the recurrences."""

LONE = 2
"""Columns left over that are run one by one; more of them fill a block sooner."""

MODULES = (lanes, node, steps, looks, blocks, backward, along, normal, marquardt, chunks)
KERNELS = ("run_forward", "run_gradient", "run_tangent", "run_levenberg")

SELDOM = (
    "prepare", "eliminate", "aim", "total_weight", "initial", "clear", "close", "hand_out",
    "set_out", "admit", "show", "settle", "advance", "report", "propose", "decrement",
    "damped_step", "gather", "taken",
)  # fmt: skip
"""Functions that are called, not inlined: those run once a block, or where Δt changes. All others
are inlined, since their many arguments would be passed through memory step by step."""

KEPT_BYTES = 4 * 2**20
"""A trajectory of a block is kept whole up to this size, a core's share of the last cache. Measured
on 100 interfaces, whole against in segments: 13.5 and 16.7 µs per column and 100 steps at 5.7 MB,
22 and 17 µs at 19 MB. Segments of √S steps run forward once more; longer ones were no faster."""


@cache
def compiled(count: int) -> SimpleNamespace:
    """Return the kernels for so many columns at a time."""
    from lsm_verify.kernels import vector

    njit: Any = import_module("numba").njit

    def compile_(function: FunctionType) -> Any:
        # No array is made or kept by a kernel, so references need not be counted (``_nrt``):
        # counting them takes as long as the arithmetic.
        options = {"error_model": "numpy", "nogil": True, "_nrt": False}
        if function.__name__ not in KERNELS:
            return njit(forceinline=function.__name__ not in SELDOM, **options)(function)
        try:
            return njit(cache=True, **options)(function)
        except RuntimeError:  # neither the package nor the user's cache can be written to
            return njit(**options)(function)

    return bind(MODULES, vars(vector.functions(count)), compile_, label=f"{count}_lanes")


# ------------------------------------------------------------------ public functions


def simulate(columns: Columns, insulated: bool, threads: int | None = None) -> tuple[Array, Status]:
    """Run a batch forward.

    Returns
    -------
    T : (B, S + 1, N + 1) array
        Temperature [K], index 0 the initial state and the surface.
    status : (B,) array
        0, or 1 + the first step without a positive root; T is not-a-number from there on.
    """
    shape = size(columns)
    T = np.empty((shape.batch, shape.steps + 1, shape.interfaces + 1), columns.spacing.dtype)
    status = _forward(shape, columns, insulated, None, None, (T, None, None), threads)
    return T, status


def predict(
    columns: Columns, insulated: bool, sight: Sight, threads: int | None = None
) -> tuple[Array, Status]:
    """Predict the observations (B, K, S + 1) of a batch; no trajectory is kept."""
    shape = size(columns, sight)
    y = np.empty((shape.batch, shape.series, shape.steps + 1), columns.spacing.dtype)
    status = _forward(shape, columns, insulated, sight, None, (None, y, None), threads)
    if np.count_nonzero(status):
        y[status != 0] = np.nan
    return y, status


def score(
    columns: Columns,
    insulated: bool,
    sight: Sight,
    objective: Objective,
    threads: int | None = None,
) -> tuple[Array, Status]:
    """Score a batch (B,) by a forward run; no trajectory is kept."""
    shape = size(columns, sight, objective)
    J = np.empty((shape.batch, 1), columns.spacing.dtype)
    status = _forward(shape, columns, insulated, sight, objective, (None, None, J), threads)
    if np.count_nonzero(status):
        J[status != 0] = np.nan
    return J[:, 0], status


def gradient(
    columns: Columns,
    insulated: bool,
    sight: Sight,
    objective: Objective,
    wanted: Iterable[str] = QUANTITIES,
    *,
    checkpoint: int | None = None,
    return_predictions: bool = False,
    threads: int | None = None,
) -> tuple[Any, ...]:
    """Score a batch and differentiate it, forward and backward block by block.

    Parameters
    ----------
    wanted : iterable of str
        Names of `Columns` to differentiate by.
    checkpoint : int, optional
        Steps whose states are kept at a time; those before are run again from checkpoints. By
        default all, where they take little memory, else about √S.
    return_predictions : bool
        Whether to return the predictions too.

    Returns
    -------
    J : (B,) array
    gradients : dict
        By name, (B, n or 1): a value for each that was given; what all columns share is not
        summed over them.
    status : (B,) array
        0, or 1 + the first step without a positive root; the column's results are not-a-number.
    y : (B, K, S + 1) array
        Only if asked for.
    """
    shape = size(columns, sight, objective)
    dtype = columns.spacing.dtype
    names = check_gradient(wanted, checkpoint)
    B = shape.batch
    unwanted = _nothing(dtype)[2]
    bars = tuple(
        [
            np.empty((B, array.shape[1]), dtype) if name in names else unwanted
            for name, array in zip(QUANTITIES, columns[GRID:], strict=True)
        ]
    )
    y = np.empty((B if return_predictions else 0, shape.series, shape.steps + 1), dtype)
    J, status = np.empty((B, 1), dtype), np.zeros(B, np.int64)

    task = (_plain(columns), insulated, _plain(sight), _coded(objective), _tolerance(dtype))

    def kernel(lanes: int) -> Task:
        length = _segment(shape, lanes, dtype.itemsize, checkpoint)
        nodes, marks = shape.interfaces + 1, (shape.steps - 1) // length
        own = ((length + 1, nodes, lanes), (marks, nodes, lanes), (backward.BAR_ROWS, lanes))
        floats = _scratch_shapes(shape, lanes)
        work, now, fractions, *rest = reserve((*floats, *own), dtype)
        scratch = (work, now, fractions, *_places(shape, lanes))
        segments = tuple(rest)
        run = compiled(lanes).run_gradient
        return lambda first, last: run(*task, first, last, scratch, segments, (y, J, status), bars)

    _run(kernel, B, threads)
    if np.count_nonzero(status):
        for array in (J, y, *bars):
            if array.shape[0] == B:
                array[status != 0] = np.nan
    gradients = {name: bar for name, bar in zip(QUANTITIES, bars, strict=True) if name in names}
    return (J[:, 0], gradients, status, y) if return_predictions else (J[:, 0], gradients, status)


def tangent(
    columns: Columns, change: Columns, insulated: bool, sight: Sight, threads: int | None = None
) -> tuple[Array, Array, Status]:
    """Predict the observations (B, K, S + 1) and how they change along ``change``.

    ``change`` has the forms of ``columns``; its spacing and time_step are not read.
    """
    change = change._replace(spacing=columns.spacing, time_step=columns.time_step)
    shape = size(columns, sight)
    B = max(shape.batch, size(change).batch)
    shape = shape._replace(batch=B)
    dtype = columns.spacing.dtype
    y = np.empty((B, shape.series, shape.steps + 1), dtype)
    dy, status = np.empty_like(y), np.zeros(B, np.int64)

    task = (_plain(columns), _plain(change), insulated, _plain(sight), _tolerance(dtype))

    def kernel(lanes: int) -> Task:
        floats = _scratch_shapes(shape, lanes)
        work, now, fractions, *more = reserve((*floats, *floats[:2]), dtype)
        scratch, changes = (work, now, fractions, *_places(shape, lanes)), tuple(more)
        run = compiled(lanes).run_tangent
        return lambda first, last: run(*task, first, last, scratch, changes, (y, dy, status))

    _run(kernel, B, threads)
    if np.count_nonzero(status):
        y[status != 0] = dy[status != 0] = np.nan
    return y, dy, status


# ------------------------------------------------------------------ inside


def _forward(
    shape: Size,
    columns: Columns,
    insulated: bool,
    sight: Sight | None,
    objective: Objective | None,
    out: tuple[Array | None, Array | None, Array | None],
    threads: int | None,
) -> Status:
    dtype = columns.spacing.dtype
    status = np.zeros(shape.batch, np.int64)
    empty = _nothing(dtype)
    arrays = tuple(e if o is None else o for o, e in zip(out, empty, strict=True))
    if sight is None:
        sight = Sight(np.empty(0, np.int64), np.empty((1, 0), np.int64), np.empty((1, 0), dtype))
    coded = (0, *empty[:2]) if objective is None else _coded(objective)
    task = (_plain(columns), insulated, _plain(sight), coded, _tolerance(dtype))

    def kernel(lanes: int) -> Task:
        floats = _scratch_shapes(shape, lanes)
        scratch = (*reserve(floats, dtype), *_places(shape, lanes))
        run = compiled(lanes).run_forward
        return lambda first, last: run(*task, first, last, scratch, (*arrays, status))

    _run(kernel, shape.batch, threads)
    return status


def _run(kernel: Callable[[int], Task], B: int, threads: int | None) -> None:
    """Run all columns: whole blocks, then what is left over."""
    whole, left = divmod(B, LANES)
    if left > LONE:
        whole, left = whole + 1, 0
    pieces = [(LANES, block) for block in range(whole)] + [(1, c) for c in range(B - left, B)]
    share(kernel, pieces, threads)


def _plain(arrays: Iterable[Array]) -> tuple[Array, ...]:
    """Return arrays of the one layout for which kernels are compiled."""
    return tuple(
        a if a.flags.carray else np.require(a, requirements=["C", "A", "W"]) for a in arrays
    )


def _coded(objective: Objective) -> tuple[int, Array, Array]:
    values, weights = _plain(objective[1:])
    return OBJECTIVE_KINDS[objective.kind], values, weights


@cache
def _nothing(dtype: np.dtype[Any]) -> tuple[Array, Array, Array]:
    """Stand-ins for a trajectory, predictions or observations, and scores that nobody wants."""
    return np.empty((0, 0, 0), dtype), np.empty((0, 0, 0), dtype), np.empty((0, 0), dtype)


@cache
def _tolerance(dtype: np.dtype[Any]) -> Any:
    """Root of a quarter of ε: see `steps.surface_root`."""
    return dtype.type(np.sqrt(np.finfo(dtype).eps / 4))


def _segment(shape: Size, lanes: int, itemsize: int, checkpoint: int | None) -> int:
    """Choose how many steps keep their states at a time."""
    if checkpoint is not None:
        return min(checkpoint, shape.steps)
    state = (shape.interfaces + 1) * lanes * itemsize
    if state * (shape.steps + 1) <= KEPT_BYTES:
        return shape.steps
    return ceil(sqrt(shape.steps))


def _scratch_shapes(shape: Size, lanes: int) -> Shapes:
    """Shapes of the arrays of floats that every kernel needs."""
    K = shape.series
    return (steps.WORK_ROWS, shape.interfaces + 1, lanes), (steps.NOW_ROWS, lanes), (K, lanes)


def _places(shape: Size, lanes: int) -> list[NDArray[np.int64]]:
    """Room for the node that each lane reads, and whether all read the same."""
    return reserve(((shape.series, lanes), (shape.series,)), INDEX)
