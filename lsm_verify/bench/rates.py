"""What this machine can do: multiply-adds and bytes per second, measured in the run itself.

The FMA rate is that of ten independent accumulators in registers, the bandwidth that of copying
arrays far larger than the caches (bytes read plus bytes written, as STREAM counts). Both are taken
on as many threads as the row that they are held against.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from ctypes import CFUNCTYPE, c_double, c_int64
from functools import cache, partial
from typing import Any

import numpy as np

from lsm_verify.bench.devices import EventClock

ACCUMULATORS = 10
"""Enough to hide a latency of four or five cycles on two units; sixteen registers hold them."""

COPY_BYTES = 96 * 2**20
"""Size of each array of the copy, all threads together."""

TRIALS = 50
"""Short ones, of which the best counts: other work on the machine only ever slows them."""

SPINS = 500_000
"""Of a trial: about a millisecond, against which starting the threads is little."""


@cache
def fma_rate(dtype: str = "float64", threads: int = 1) -> float:
    """Fused multiply-adds per second, all threads together."""
    best = 0.0
    for width in _vector_bytes():
        spin, lanes, _ = _spinner(dtype, width)
        rate = _rate_each([partial(spin, SPINS)] * threads)
        best = max(best, SPINS * ACCUMULATORS * lanes * rate * threads)
    return best


@cache
def bandwidth(threads: int = 1) -> float:
    """Bytes per second from and to memory, all threads together."""
    arrays = [
        (np.ones(COPY_BYTES // 8 // threads), np.zeros(COPY_BYTES // 8 // threads))
        for _ in range(threads)
    ]
    rate = _rate_each([partial(np.copyto, target, source) for source, target in arrays])
    return 2.0 * COPY_BYTES * rate


@cache
def cuda_bandwidth() -> float:
    """Bytes per second of the GPU's memory, by a copy on the device, timed by events."""
    import torch

    clock = EventClock()
    source = torch.ones(2**27, dtype=torch.float64, device="cuda")
    target = torch.empty_like(source)
    times = []
    for _ in range(TRIALS):
        start = clock()
        target.copy_(source)
        times.append(clock() - start)
    return 2.0 * source.numel() * source.element_size() / min(times[1:])


def _rate_each(calls: list[Callable[[], Any]]) -> float:
    """Return runs per second of all calls side by side, the best of some trials."""

    def timed(call: Callable[[], Any]) -> tuple[float, float]:
        start = time.perf_counter()
        call()
        return start, time.perf_counter()

    best = math.inf
    with ThreadPoolExecutor(len(calls)) as pool:
        for _ in range(TRIALS):
            starts, ends = zip(*pool.map(timed, calls), strict=True)
            best = min(best, max(ends) - min(starts))
    return 1.0 / best


def _vector_bytes() -> list[int]:
    """Sizes of a vector register here; the widest may be no faster."""
    from llvmlite import binding

    features = binding.get_host_cpu_features()
    if features.get("avx512f"):
        return [32, 64]
    return [32] if features.get("avx") else [16]


@cache
def _spinner(dtype: str, width: int) -> tuple[Callable[[int], float], int, Any]:
    """Compile a loop of multiply-adds on registers; keep the engine as long as the function."""
    from llvmlite import binding

    binding.initialize_native_target()
    binding.initialize_native_asmprinter()
    lanes = width // np.dtype(dtype).itemsize
    module = binding.parse_assembly(_source(dtype, lanes))
    machine = binding.Target.from_default_triple().create_target_machine(
        cpu=binding.get_host_cpu_name(),
        features=binding.get_host_cpu_features().flatten(),
        opt=2,
    )
    engine = binding.create_mcjit_compiler(module, machine)
    engine.finalize_object()
    spin = CFUNCTYPE(c_double, c_int64)(engine.get_function_address("spin"))
    return spin, lanes, engine


def _source(dtype: str, lanes: int) -> str:
    """LLVM assembly: x = a x + b on every accumulator, which tends to 1 and stays normal."""
    number, letter = ("double", "f64") if dtype == "float64" else ("float", "f32")
    vector = f"<{lanes} x {number}>"

    def constant(value: str) -> str:
        return "<" + ", ".join([f"{number} {value}"] * lanes) + ">"

    each = range(ACCUMULATORS)
    phis = "\n".join(
        f"  %x{k} = phi {vector} [ {constant('0.5')}, %entry ], [ %y{k}, %loop ]" for k in each
    )
    steps = "\n".join(
        f"  %y{k} = call {vector} @llvm.fma.v{lanes}{letter}({vector} %x{k}, {vector} "
        f"{constant('0.75')}, {vector} {constant('0.25')})"
        for k in each
    )
    sums = [f"  %s0 = fadd {vector} %y0, %y1"] + [
        f"  %s{k} = fadd {vector} %s{k - 1}, %y{k + 1}" for k in range(1, ACCUMULATORS - 1)
    ]
    last = f"%s{ACCUMULATORS - 2}"
    widen = "%one = fpext float %first to double" if number == "float" else ""
    result = "%one" if widen else "%first"
    return f"""
declare {vector} @llvm.fma.v{lanes}{letter}({vector}, {vector}, {vector})
define double @spin(i64 %count) {{
entry:
  br label %loop
loop:
  %i = phi i64 [ 0, %entry ], [ %next, %loop ]
{phis}
{steps}
  %next = add i64 %i, 1
  %more = icmp slt i64 %next, %count
  br i1 %more, label %loop, label %done
done:
{chr(10).join(sums)}
  %first = extractelement {vector} {last}, i32 0
  {widen}
  ret double {result}
}}
"""
