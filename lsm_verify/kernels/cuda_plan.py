"""How a run is spread over a GPU: compiled kernels, columns at once, memory, checkpoints."""

from __future__ import annotations

import math
import warnings
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from types import FunctionType, ModuleType, SimpleNamespace
from typing import Any

import numpy as np

from lsm_verify.kernels import cuda_gradient, cuda_kernels, cuda_looks, cuda_steps, node
from lsm_verify.kernels.binding import bind
from lsm_verify.kernels.columns import QUANTITIES, Columns, Size
from lsm_verify.kernels.cuda_arrays import Home, numba_cuda

BLOCK = 32
"""Threads of a block: a warp."""

COLUMNS_PER_MULTIPROCESSOR = 256
"""Columns that run at once: as many as have their swept row of 100 nodes in the shared memory of a
multiprocessor of 228 kB (H100, H200). Reckoned, not measured."""

SHARED_BYTES = 48 * 1024
"""Shared memory that a block may have without asking for more."""

MEMORY_SHARE = 0.5
"""Share of the free memory that scratch arrays may take."""

KERNEL_ROWS = {
    "run_forward": cuda_steps.FORWARD_ROWS,
    "run_gradient": cuda_steps.GRADIENT_ROWS,
    "run_tangent": cuda_steps.TANGENT_ROWS,
}
"""Kernels, and rows of scratch that a column takes, apart from the one that is swept."""

MODULES = (node, cuda_steps, cuda_looks, cuda_kernels, cuda_gradient)


@dataclass(frozen=True)
class Plan:
    """How a kernel is launched.

    Attributes
    ----------
    threads : int
        Columns that run at once.
    length : int
        Steps whose states are kept at a time.
    scratch, kept, marks : int
        Numbers in the scratch arrays: rows, states of a segment, first states of segments.
    shared_bytes : int
        Shared memory of a block [B]; 0 if the swept row does not fit there.
    """

    kernel: str
    threads: int
    length: int
    scratch: int
    kept: int
    marks: int
    shared_bytes: int


def plan(
    kernel: str,
    shape: Size,
    dtype: np.dtype[Any],
    where: Home,
    at_once: int | None,
    checkpoint: int | None,
) -> Plan:
    """Choose how many columns run at once and which states are kept."""
    most = shape.batch if at_once is None else min(at_once, shape.batch)
    if at_once is None:
        most = _even(most, COLUMNS_PER_MULTIPROCESSOR * where.multiprocessors())
    nodes, steps = shape.interfaces + 1, shape.steps
    shared = nodes * dtype.itemsize * BLOCK
    shared = shared if shared <= SHARED_BYTES else 0
    rows = KERNEL_ROWS[kernel] + (shared == 0)
    room = MEMORY_SHARE * where.free_bytes() / (nodes * dtype.itemsize)
    backward = kernel == "run_gradient"

    def states(length: int) -> tuple[int, int]:
        return (length + 1, max((steps - 1) // length, 1)) if backward else (0, 0)

    length = steps if checkpoint is None else min(checkpoint, steps)
    if checkpoint is None and most * (rows + sum(states(length))) > room:
        length = math.ceil(math.sqrt(steps))
    kept, marks = states(length)
    threads = int(max(1, min(most, room // (rows + kept + marks))))
    row = nodes * threads
    return Plan(kernel, threads, length, rows * row, kept * row, marks * row, shared)


def _even(columns: int, most: int) -> int:
    """Columns at once that leave no round of them half empty, in whole blocks."""
    rounds = -(-columns // most)
    return -(-columns // (rounds * BLOCK)) * BLOCK


# ------------------------------------------------------------------ compiled


@cache
def compiled(kernel: str, dtype: str, shared: bool) -> Any:
    """Return a kernel for numbers of one type."""
    functions, signature = _functions(dtype, shared), signatures(dtype)[kernel]
    return compile_kernel(getattr(functions, kernel), signature)


def compile_kernel(function: FunctionType, signature: Any, registers: int | None = None) -> Any:
    """Compile a kernel for arguments of given types, or find it on disk.

    ``registers`` is how many a thread may take at most.
    """
    cuda = numba_cuda()
    options = {} if registers is None or _simulated() else {"max_registers": registers}
    try:
        return cuda.jit(signature, cache=True, **options)(function)
    except RuntimeError:  # neither the package nor the user's cache can be written to
        return cuda.jit(signature, **options)(function)


def launch(kernel: Any, threads: int, stream: Any, shared_bytes: int, *arguments: Any) -> None:
    """Launch a kernel on so many threads.

    numba-cuda warns of grids that leave a GPU idle; few columns are no mistake.
    """
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=r"(\x1b\[\d+m)*Grid size \d+ will likely")
        configured = kernel[-(-threads // BLOCK), BLOCK, stream, shared_bytes]
    configured(*arguments)


@cache
def _functions(dtype: str, shared: bool) -> SimpleNamespace:
    given = {"cuda": numba_cuda(), "REAL": signatures(dtype)["real"], "SHARED": shared}
    return bound(given, f"cuda_{dtype}_{shared}")


def bound(
    given: Mapping[str, Any],
    label: str,
    modules: Sequence[ModuleType] = MODULES,
    kernels: Collection[str] = KERNEL_ROWS,
) -> SimpleNamespace:
    """Return the functions of some modules for the device; kernels are left as they are."""
    simulated = _simulated()  # it runs plain functions, and functions of its own more slowly

    def compile_(function: FunctionType) -> Any:
        if function.__name__ in kernels or simulated:
            return function
        return given["cuda"].jit(device=True)(function)

    return bind(modules, given, compile_, label=label)


def _simulated() -> bool:
    import numba

    return bool(getattr(numba.config, "ENABLE_CUDASIM", 0))


def signatures(dtype: str) -> dict[str, Any]:
    """Return the kernels' types.

    Given beforehand, so that strides of arguments make no further kernels to compile.
    """
    import numba

    types: Any = numba.types
    real, integer = getattr(types, dtype), types.int64

    def array(ndim: int, layout: str = "A", of: Any = real) -> Any:
        return types.Array(of, ndim, layout)

    columns = types.UniTuple(array(2), len(Columns._fields))
    problem = types.Tuple(
        (
            columns,
            integer,
            types.Tuple((array(1, of=integer), array(2, of=integer), array(2))),
            types.Tuple((integer, array(3), array(3))),
            types.UniTuple(real, 7),
        )
    )
    sizes, scratch, status = types.UniTuple(integer, 4), array(1, "C"), array(1, of=integer)
    wants = types.UniTuple(integer, len(QUANTITIES))
    bars = types.UniTuple(array(2), len(QUANTITIES))
    return {
        "real": real,
        "run_forward": types.void(
            problem,
            sizes,
            types.UniTuple(integer, 3),
            scratch,
            types.Tuple((array(3), array(3), array(1), status)),
        ),
        "run_gradient": types.void(
            problem,
            sizes,
            wants,
            integer,
            scratch,
            types.UniTuple(scratch, 2),
            types.Tuple((array(3), array(1), status)),
            bars,
        ),
        "run_tangent": types.void(
            problem,
            sizes,
            columns,
            scratch,
            types.Tuple((array(3), array(3), status)),
        ),
    }
