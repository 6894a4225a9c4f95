"""Runs the least squares of `levenberg` on the CPU: working memory, pieces, threads."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from lsm_verify.kernels import chunks, cpu, marquardt, normal, steps
from lsm_verify.kernels.columns import INDEX, Columns, Objective, Sight, Size
from lsm_verify.kernels.scratch import carve
from lsm_verify.kernels.sharing import Task, share

Array = NDArray[np.float64]

DOUBLE = np.dtype(np.float64)

CHUNK = 128
"""Columns that a thread takes at a time: sixteen for every lane of some seven runs, so that lanes
idle at its end for a few of a hundred runs."""


class Problem(NamedTuple):
    """A batch in the form that the kernel takes; see `levenberg.minimise`."""

    columns: Columns
    insulated: bool
    tied: bool
    sight: Sight
    objective: Objective
    unknowns: tuple[Any, ...]  #: codes, middle, scale and whether logarithmic, (P,) each
    pair: Array  #: (B or 1, 2)
    priors: tuple[Array, Array]  #: means and 1 / deviations, (B or 1, P)
    box: tuple[Array, Array]  #: (B or 1, P)
    start: Array  #: (B or 1, P)
    order: NDArray[np.int64]  #: columns to be run
    iterations: int

    @property
    def moved(self) -> NDArray[np.int64]:
        """Place in `Columns` of what each unknown changes, (P,)."""
        codes = self.unknowns[0]
        return np.where(codes >= chunks.HEAT, chunks.TRANSFER, codes)

    @property
    def written(self) -> set[int]:
        """Places in `Columns` that the unknowns take."""
        found = set(self.moved.tolist())
        return found | ({steps.INITIAL} if self.tied and chunks.TEMPERATURE in found else set())


def run(shape: Size, problem: Problem, B: int, threads: int | None) -> tuple[Any, ...]:
    """Return u, F, its gradient, Jᵀ W J, status and iterations of all columns."""
    p = problem
    P = p.start.shape[1]
    u, g = np.full((B, P), np.nan), np.full((B, P), np.nan)
    F, A = np.full(B, np.nan), np.full((B, P, P), np.nan)
    status, runs = np.full(B, marquardt.MASKED, INDEX), np.zeros(B, INDEX)
    given, sight, seen = cpu._plain(p.columns), cpu._plain(p.sight), cpu._plain(p.objective[1:])
    asked = (
        given, p.insulated, p.tied, sight, seen, cpu._tolerance(DOUBLE),
        p.unknowns, p.moved, p.pair, p.priors, p.box, p.start, p.order, p.iterations, CHUNK,
    )  # fmt: skip

    def kernel(lanes: int) -> Task:
        near = (sight[0], *(_own(array, lanes) for array in sight[1:]))
        shown = tuple(_own(array, lanes) for array in seen)
        own = (*_local(given, p.written, lanes), near, shown, *_room(shape, P, lanes))
        call = cpu.compiled(lanes).run_levenberg
        return lambda first, last: call(*asked, first, last, *own, (u, F, A, g, status, runs))

    lanes = 1 if p.order.size <= cpu.LONE else cpu.LANES
    if p.order.size:
        share(kernel, [(lanes, piece) for piece in range(-(-p.order.size // CHUNK))], threads)
    return u, F, g, A, status, np.maximum(runs - 1, 0)


def _own(array: Any, lanes: int) -> Any:
    """Room for a row of each lane, where columns have rows of their own."""
    return np.zeros((lanes, *array.shape[1:]), array.dtype) if len(array) > 1 else array


def _local(
    given: tuple[Any, ...], written: set[int], lanes: int
) -> tuple[tuple[Any, ...], NDArray[np.int64]]:
    """Columns of the lanes, and which of their arrays are copied when a column comes in."""
    local = tuple(
        np.zeros((lanes, 1)) if place in written else _own(array, lanes)
        for place, array in enumerate(given)
    )
    copied = [place not in written and len(array) > 1 for place, array in enumerate(given)]
    return local, np.array(copied, INDEX)


def _room(shape: Size, P: int, lanes: int) -> tuple[Any, ...]:
    """Working memory of one thread: known pairs, rates, that of a run, and that of the columns."""
    nodes = shape.interfaces + 1
    run_ = cpu._scratch_shapes(shape, lanes)
    beside = (
        (2, nodes, lanes), (P, nodes, lanes), (P, nodes, lanes), (P, nodes, lanes),
        (P, steps.NOW_ROWS, lanes), (P, lanes), (normal.SLOPES + P + P * (P + 1) // 2, lanes),
    )  # fmt: skip
    column = (
        (lanes, marquardt.LEVELS), (lanes, P), (lanes, P), (lanes, P), (lanes, P, P), (lanes, P),
    )  # fmt: skip
    pieces = carve(
        (*run_, *beside, *column, (P,), (P, P), (P,), (P, P), (lanes, 2), (P, lanes)), DOUBLE
    )
    for piece in pieces:
        piece[...] = 0.0
    a, b, c = np.cumsum([len(run_), len(beside), len(column)]).tolist()
    *small, known, pace = pieces[c:]
    places = (np.zeros((shape.series, lanes), INDEX), np.zeros(shape.series, INDEX))
    tally, held = np.zeros((lanes, marquardt.SPOTS), INDEX), np.zeros(P, INDEX)
    fit = (tally, *pieces[b:c], held, *small)
    return known, pace, (*pieces[:a], *places), tuple(pieces[a:b]), fit
