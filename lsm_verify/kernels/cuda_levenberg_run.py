"""Runs the least squares of `levenberg` on a GPU: memory, pieces of a batch, the kernel.

Memory is that of the threads that run at once, and of the columns that are on the device: where a
batch is larger than what is free there, it goes in pieces.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lsm_verify.kernels import (
    chunks,
    cuda_kernels,
    cuda_levenberg,
    cuda_looks,
    cuda_normal,
    cuda_steps,
    marquardt,
    node,
)
from lsm_verify.kernels.columns import INDEX, OBJECTIVE_KINDS, Columns, Size
from lsm_verify.kernels.cuda_arrays import Home, numba_cuda
from lsm_verify.kernels.cuda_plan import MEMORY_SHARE, bound, compile_kernel, launch
from lsm_verify.kernels.levenberg_run import Problem
from lsm_verify.quantities import STEFAN_BOLTZMANN

Array = NDArray[np.float64]

DOUBLE = np.dtype(np.float64)

REGISTERS = 128
"""Registers of a thread. Without a limit the compiler takes all 255 (ptxas 13.5 for sm_90), and
half as many threads have room; of the limit, spills are outside of the sweeps over the nodes."""

THREADS_PER_MULTIPROCESSOR = 65536 // REGISTERS
"""Columns that run at once: as many as have their registers in a multiprocessor (A100, H100, H200).
Which number is the fastest is not measured."""

KERNEL = "run_marquardt"

MODULES = (
    node, cuda_steps, cuda_looks, cuda_kernels, marquardt, chunks, cuda_normal, cuda_levenberg,
)  # fmt: skip
"""The later ones win: `chunks` brings the CPU's normal equations by name."""


def run(shape: Size, problem: Problem, B: int, at_once: int | None) -> tuple[Any, ...]:
    """Return u, F, its gradient, Jᵀ W J, status and iterations of all columns."""
    P = problem.start.shape[1]
    u, g = np.full((B, P), np.nan), np.full((B, P), np.nan)
    F, A = np.full(B, np.nan), np.full((B, P, P), np.nan)
    status, runs = np.full(B, marquardt.MASKED, INDEX), np.zeros(B, INDEX)
    where = Home()
    with where.current() as stream:
        threads = _threads(shape, problem, at_once, where)
        own = (_memory(shape, P, threads, where), *_local(problem, threads, where))
        for first, last in _pieces(problem, B, where):
            order = problem.order[(problem.order >= first) & (problem.order < last)]
            if not order.size:
                continue
            out = _launch(problem, order, (first, last), own, where, stream)
            *found, stands, tried = (array.copy_to_host() for array in out)
            status[order], runs[order] = stands, tried
            ended = stands != marquardt.NO_SOLUTION
            for array, part in zip((u, F, A, g), found, strict=True):
                array[order[ended]] = part[ended]
    return u, F, g, A, status, np.maximum(runs - 1, 0)


# ------------------------------------------------------------------ memory


def _thread_bytes(shape: Size, problem: Problem) -> int:
    """Memory of a thread [B]."""
    P, nodes = problem.start.shape[1], shape.interfaces + 1
    numbers: int = nodes * (cuda_normal.DIRECTIONS + P) + cuda_levenberg.shelf_size(P)
    numbers += cuda_levenberg.SQUARES * P * P + cuda_levenberg.sums_size(P)
    numbers += marquardt.SPOTS + P
    numbers += sum(1 if place in problem.written else a.shape[1] for place, a in _own(problem))
    return DOUBLE.itemsize * numbers


def _own(problem: Problem) -> list[tuple[int, Array]]:
    """Arrays of which each column has a row of its own, with their places in `Columns`."""
    return [
        (place, array)
        for place, array in enumerate(problem.columns)
        if place in problem.written or len(array) > 1
    ]


def _threads(shape: Size, problem: Problem, at_once: int | None, where: Home) -> int:
    """Columns that run at once."""
    most = THREADS_PER_MULTIPROCESSOR * where.multiprocessors() if at_once is None else at_once
    room = MEMORY_SHARE * where.free_bytes() / _thread_bytes(shape, problem)
    threads: float = min(most, problem.order.size, room)
    return max(1, int(threads))


def _memory(shape: Size, P: int, threads: int, where: Home) -> tuple[Any, ...]:
    """Working memory of all threads, neighbours side by side; see `cuda_levenberg`."""
    nodes = shape.interfaces + 1
    return (
        where.empty(((cuda_normal.DIRECTIONS + P) * nodes * threads,), DOUBLE),
        where.empty((threads, cuda_levenberg.shelf_size(P)), DOUBLE),
        where.empty((threads, cuda_levenberg.SQUARES, P, P), DOUBLE),
        numba_cuda().device_array((cuda_levenberg.sums_size(P), threads), DOUBLE),
        where.empty((threads, marquardt.SPOTS + P), INDEX),
    )


def _local(problem: Problem, threads: int, where: Home) -> tuple[dict[int, Any], NDArray[np.int64]]:
    """Room for the threads' columns by place, and which arrays are copied there."""
    rooms = {
        place: where.empty((threads, 1 if place in problem.written else array.shape[1]), DOUBLE)
        for place, array in _own(problem)
    }
    copied = [
        place in rooms and place not in problem.written for place in range(len(Columns._fields))
    ]
    return rooms, np.array(copied, INDEX)


def _pieces(problem: Problem, B: int, where: Home) -> Iterator[tuple[int, int]]:
    """First and last column of the pieces that fit into what is free."""
    P = problem.start.shape[1]
    each = DOUBLE.itemsize * (P * P + 2 * P + 4) + sum(
        array.itemsize * prod(array.shape[1:]) for array in _rows(problem) if len(array) > 1
    )
    size = int(max(1, min(B, MEMORY_SHARE * where.free_bytes() / each)))
    for first in range(0, B, size):
        yield first, min(first + size, B)


def _rows(problem: Problem) -> list[Any]:
    """Arrays with a row for each column or one for all."""
    p = problem
    return [*p.columns, *p.sight[1:], *p.objective[1:], p.pair, *p.priors, *p.box, p.start]


# ------------------------------------------------------------------ the kernel


def _launch(
    problem: Problem, order: NDArray[np.int64], piece: tuple[int, int], own: Any, where: Home,
    stream: Any,
) -> tuple[Any, ...]:  # fmt: skip
    """Run those columns of a piece that are in ``order``; return results in this order."""
    p, P, n = problem, problem.start.shape[1], order.size
    memory, local, copied = own
    first, last = piece
    cuda = numba_cuda()

    def take(array: Any) -> Any:
        return where.take(array[first:last] if len(array) > 1 else array)

    # What is unknown is not read.
    given = tuple(take(a[:1] if i in p.written else a) for i, a in enumerate(p.columns))
    numbers = (0.0, 1.0, 0.5, 4.0, STEFAN_BOLTZMANN, np.sqrt(np.finfo(DOUBLE).eps / 4), np.nan)
    columns = tuple(local.get(place, array) for place, array in enumerate(given))
    sight = (where.take(p.sight.kind), take(p.sight.index), take(p.sight.fraction))
    objective = (OBJECTIVE_KINDS[p.objective.kind], *map(take, p.objective[1:]))
    asked = (
        tuple(map(where.take, p.unknowns)), where.take(p.moved), take(p.pair),
        tuple(map(take, p.priors)), tuple(map(take, p.box)), take(p.start),
        where.take(copied), where.take(order - first), where.take(np.zeros(1, INDEX)),
    )  # fmt: skip
    forms = ((n, P), (n,), (n, P, P), (n, P))
    out = (
        *(cuda.device_array(form, DOUBLE) for form in forms),
        *(cuda.device_array(n, INDEX) for _ in range(2)),
    )
    threads = memory[1].shape[0]
    launch(
        compiled(), threads, stream, 0,
        (columns, int(p.insulated), sight, objective, tuple(map(DOUBLE.type, numbers))),
        given, (threads, p.iterations, int(p.tied)), asked, memory, out,
    )  # fmt: skip
    return out


@cache
def compiled() -> Any:
    """Return the kernel."""
    return compile_kernel(getattr(_functions(), KERNEL), signature(), REGISTERS)


@cache
def _functions() -> Any:
    return functions(numba_cuda(), f"cuda_levenberg_{REGISTERS}")


def functions(cuda: Any, label: str) -> Any:
    """Return the functions of the kernel for the device."""
    import numba

    given = {"cuda": cuda, "REAL": numba.types.float64, "SHARED": False}
    return bound(given, label, MODULES, (KERNEL,))


def signature() -> Any:
    """Return the kernel's types, given beforehand as those of `cuda_plan.signatures`."""
    import numba

    types: Any = numba.types
    real, integer = types.float64, types.int64

    def array(ndim: int, layout: str = "A", of: Any = real) -> Any:
        return types.Array(of, ndim, layout)

    whole = array(1, of=integer)
    columns = types.UniTuple(array(2), len(Columns._fields))
    sight = types.Tuple((whole, array(2, of=integer), array(2)))
    objective = types.Tuple((integer, array(3), array(3)))
    pair = types.UniTuple(array(2), 2)
    unknowns = types.Tuple((whole, array(1), array(1), whole))
    return types.void(
        types.Tuple((columns, integer, sight, objective, types.UniTuple(real, 7))),
        columns,
        types.UniTuple(integer, 3),
        types.Tuple((unknowns, whole, array(2), pair, pair, array(2), whole, whole, whole)),
        types.Tuple((array(1, "C"), array(2), array(4), array(2), array(2, of=integer))),
        types.Tuple((array(2), array(1), array(3), array(2), whole, whole)),
    )
