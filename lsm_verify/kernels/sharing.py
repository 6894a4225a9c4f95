"""Pieces of work shared by threads: whoever is free takes the next.

Kernels hold no lock of the interpreter, so plain threads serve. Those of Numba's ``prange`` end
the process where two threads of a program (dask's, say) start a parallel kernel at a time, and
after a fork; and a parallel kernel takes longer to compile.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from importlib import import_module
from typing import Any, TypeVar

from lsm_verify.errors import InputError

Kind = TypeVar("Kind")
Task = Callable[[int, int], None]
"""Runs the pieces from a first to before a last one."""


def share(
    make: Callable[[Kind], Task], pieces: Sequence[tuple[Kind, int]], threads: int | None
) -> None:
    """Run all pieces, each (kind, number), on at most so many threads.

    ``make`` is called once a thread and kind: a task has memory of its own. Which thread takes
    which piece has no influence on results.
    """
    count = default_threads() if threads is None else threads
    if count < 1:
        raise InputError(f"threads={threads} must be at least 1.")
    count = min(count, len(pieces))
    rest = iter(pieces)  # next() of a list's iterator is atomic: no piece is taken twice

    def work() -> None:
        tasks: dict[Kind, Task] = {}
        for kind, number in rest:
            if kind not in tasks:
                tasks[kind] = make(kind)
            tasks[kind](number, number + 1)

    others = [_pool(count - 1).submit(work) for _ in range(count - 1)]
    try:
        work()
    finally:
        # Those that have not begun find nothing left to do: do not wait for them to wake.
        for other in [other for other in others if not other.cancel()]:
            other.result()


def default_threads() -> int:
    """Threads that Numba would use: NUMBA_NUM_THREADS, else the cores open to the process."""
    config: Any = import_module("numba").config
    return int(config.NUMBA_NUM_THREADS)


@cache
def _pool(threads: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(threads, thread_name_prefix="lsm-verify")


if hasattr(os, "register_at_fork"):
    # A forked process has the pools but not their threads.
    os.register_at_fork(after_in_child=_pool.cache_clear)
