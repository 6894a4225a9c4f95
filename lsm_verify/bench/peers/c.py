"""A forward run in C, compiled for this machine: the nearest thing to the limit.

One source for one purpose, without input checks, gaps, layers or variable steps. It is compiled
with ``-O3 -march=native`` for one, two and four vectors side by side; the fastest is taken.
"""

from __future__ import annotations

import ctypes
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from lsm_verify.bench.peers import EXACT, Array, Outcome, Peer, Prepared, Setting
from lsm_verify.bench.workloads import (
    AIR_TEMPERATURE,
    EMISSIVITY,
    LONGWAVE_DOWN,
    TIME_STEP,
    Workload,
)
from lsm_verify.errors import InputError
from lsm_verify.quantities import STEFAN_BOLTZMANN

SOURCE = Path(__file__).with_name("column.c")
FLAGS = ("-O3", "-march=native", "-shared", "-fPIC", "-std=gnu11", "-Wall", "-Wno-psabi")
GROUPS = (1, 2, 4)
"""Vectors side by side that are tried: more of them hide the latency of the recurrences, until the
registers run out or too many columns are wasted."""

REALS = {"float64": "double", "float32": "float"}


def compiler() -> str | None:
    """Return the C compiler: $CC, else gcc, clang or cc."""
    names = [os.environ.get("CC", ""), "gcc", "clang", "cc"]
    return next((path for name in names if name and (path := shutil.which(name))), None)


def compiler_version() -> str | None:
    """Return the first line that the compiler says of itself."""
    path = compiler()
    if path is None:
        return None
    done = subprocess.run([path, "--version"], capture_output=True, text=True, check=False)
    return next(iter(done.stdout.splitlines()), None)


def _missing(_: Setting) -> str | None:
    return None if compiler() else "install a C compiler (gcc, say) or name one in CC"


@cache
def library(dtype: str, groups: int) -> Any:
    """Compile for so many vectors side by side, and load."""
    path = compiler()
    assert path is not None
    with tempfile.TemporaryDirectory(prefix="lsm-verify-") as folder:
        target = Path(folder) / "column.so"
        command = [path, *FLAGS, f"-DG={groups}", f"-Dreal={REALS[dtype]}"]
        done = subprocess.run(
            [*command, str(SOURCE), "-o", str(target)], capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise InputError(
                f"{path} cannot compile the C peer: {done.stderr.strip().splitlines()[:1]}; set CC "
                "to another compiler."
            )
        loaded = ctypes.CDLL(str(target))
    loaded.forward.argtypes = [ctypes.c_void_p] * 5
    loaded.forward.restype = None
    loaded.vector_width.restype = ctypes.c_long
    return loaded


def _task(work: Workload, dtype: str) -> tuple[Any, tuple[Array, Array]]:
    """Return the C struct and the arrays that it points to, to be kept alive."""
    real = ctypes.c_double if dtype == "float64" else ctypes.c_float

    class Task(ctypes.Structure):
        _fields_ = (
            ("nodes", ctypes.c_long),
            ("steps", ctypes.c_long),
            ("spacing", real),
            ("time_step", real),
            ("emission", real),
            ("longwave", real),
            ("air", real),
            ("shortwave", ctypes.c_void_p),
            ("observed", ctypes.c_void_p),
            ("index", ctypes.c_long * 2),
            ("fraction", real * 2),
        )

    index, fraction = work.reading
    kept = np.ascontiguousarray(work.SWdown, dtype), np.ascontiguousarray(work.values, dtype)
    task = Task(
        nodes=work.nodes,
        steps=work.steps,
        spacing=work.spacing,
        time_step=TIME_STEP,
        emission=EMISSIVITY * STEFAN_BOLTZMANN,
        longwave=LONGWAVE_DOWN,
        air=AIR_TEMPERATURE,
        shortwave=kept[0].ctypes.data,
        observed=kept[1].ctypes.data,
        index=(ctypes.c_long * 2)(*map(int, index)),
        fraction=(real * 2)(*map(float, fraction)),
    )
    return task, kept


def aligned(shape: tuple[int, ...], dtype: str) -> Array:
    """Return an empty array that begins at a cache line."""
    count = int(np.prod(shape))
    size = np.dtype(dtype).itemsize
    raw = np.empty(count * size + 64, dtype=np.uint8)
    start = -raw.ctypes.data % 64
    return raw[start : start + count * size].view(dtype).reshape(shape)


def _build(work: Workload, setting: Setting, groups: int) -> tuple[Callable[[], Any], Any]:
    """Return the call for so many vectors side by side, and how to read what it left."""
    dtype, simulate = setting.dtype, setting.mode == "simulate"
    compiled = library(dtype, groups)
    lanes = groups * int(compiled.vector_width())
    blocks = -(-work.batch // lanes)
    nodes, states = work.nodes + 1, work.steps + 1
    padded = np.vstack([work.theta, np.repeat(work.theta[:1], blocks * lanes - work.batch, axis=0)])
    theta = aligned((blocks, 6, lanes), dtype)
    theta[:] = padded.reshape(blocks, lanes, 6).transpose(0, 2, 1)
    J = aligned((blocks, lanes), dtype)
    T = aligned((blocks, states, nodes, lanes) if simulate else (0,), dtype)
    task, kept = _task(work, dtype)
    forward = compiled.forward
    threads = min(setting.threads, blocks)
    pool = ThreadPoolExecutor(threads) if threads > 1 else None
    scratch = [aligned((4, nodes, lanes), dtype) for _ in range(threads)]
    at = ctypes.addressof(task)

    def some(thread: int) -> None:
        for block in range(thread, blocks, threads):
            trajectory = T[block].ctypes.data if simulate else None
            place = theta[block].ctypes.data, scratch[thread].ctypes.data, J[block].ctypes.data
            forward(at, *place, trajectory)

    def run(_: Any = (task, kept)) -> None:  # both outlive the calls, which read their addresses
        if pool is None:
            some(0)
        else:
            list(pool.map(some, range(threads)))

    def read(_: Any) -> Outcome:
        if not simulate:
            return Outcome(value=J.reshape(-1)[: work.batch].copy())
        whole = T.transpose(0, 3, 1, 2).reshape(-1, states, nodes)
        return Outcome(trajectory=whole[: work.batch])

    return run, (read, pool)


def _prepare(work: Workload, setting: Setting) -> Prepared:
    tried = []
    for groups in GROUPS:
        run, (read, pool) = _build(work, setting, groups)
        tried.append((_fastest(run), groups, run, read, pool))
    _, groups, run, read, kept = min(tried, key=lambda each: each[:2])
    for *_, pool in tried:
        if pool is not None and pool is not kept:
            pool.shutdown()
    info = {"vectors": groups, "compiler": f"{compiler()} {' '.join(FLAGS[:2])}"}

    def close() -> None:
        if kept is not None:
            kept.shutdown()

    return Prepared(run, read, lambda: info, close)


def _fastest(run: Callable[[], Any]) -> float:
    times = []
    for _ in range(3):
        start = time.perf_counter()
        run()
        times.append(time.perf_counter() - start)
    return min(times)


PEERS = (
    Peer(
        "c",
        "C, vectors of columns, gcc -O3 -march=native; forward runs only",
        EXACT,
        ("score", "simulate"),
        _prepare,
        missing=_missing,
        fits=lambda work: work.batch * work.steps * work.nodes <= 2e8,
    ),
)
