"""The benchmarks as pytest runs them: ``lsm-verify bench run``, or ``pytest tests/benchmarks``.

A row is prepared, run once, held against the oracle and only then timed.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import Any

import pytest

from lsm_verify.bench import devices, memory, rates
from lsm_verify.bench.check import errors, refuse_wrong
from lsm_verify.bench.floor import Rates, floor
from lsm_verify.bench.notes import ROWS, SECONDS, Notes, notes_of
from lsm_verify.bench.rows import Row, rows

SHORTEST_ROUND = 200e-6  # s
"""Calls shorter than this are timed several at a time, so that reading the clock costs nothing."""

LEAST_ROUNDS, MOST_ROUNDS = 5, 500

FULL_SECONDS, QUICK_SECONDS = 1.0, 0.25
"""Time that the rounds of a row may take; at least `LEAST_ROUNDS` are run."""


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """One test per row that the run asks for; all rows where none asks."""
    chosen = metafunc.config.stash.get(ROWS, None)
    chosen = rows() if chosen is None else chosen
    metafunc.parametrize(
        "row",
        [
            pytest.param(
                row,
                id=row.name,
                marks=pytest.mark.benchmark(
                    group=f"{row.setting.mode} {row.workload.name}",
                    timer=devices.CLOCKS[row.setting.device],
                ),
            )
            for row in chosen
        ],
    )


def test_row(row: Row, benchmark: Any, request: pytest.FixtureRequest) -> None:
    """Time a row, once its answer has been found right."""
    peer, work, setting = row.about, row.workload, row.setting
    notes = notes_of(request.config)
    reason = peer.missing(setting)
    if reason is not None:
        notes.not_measured[row.name] = reason
        pytest.skip(f"not measured: {reason}")
    prepared = peer.prepare(work, setting)
    try:
        found: list[Any] = []
        first = memory.peak(lambda: found.append(prepared.run()), setting.device)
        wrong = errors(work, prepared.outcome(found.pop()))
        refuse_wrong(peer.name, wrong, peer.tolerance[setting.dtype])
        once = peer.rounds is not None
        peak = first if once else memory.peak(prepared.run, setting.device)
        seconds = request.config.stash.get(SECONDS, FULL_SECONDS)
        iterations, rounds = (1, peer.rounds) if once else _plan(prepared.run, setting, seconds)
        benchmark.name, benchmark.fullname = row.name, f"lsm_verify.bench::{row.name}"
        benchmark.param, benchmark.params = row.name, None
        benchmark.pedantic(prepared.run, rounds=rounds, iterations=iterations)
        benchmark.extra_info |= {
            **described(row, notes),
            **{f"{name}_error": error for name, error in wrong.items()},
            "peak_memory": peak,
            **prepared.info(),
        }
    finally:
        prepared.close()


def _plan(run: Callable[[], Any], setting: Any, seconds: float) -> tuple[int, int]:
    """Choose calls per round and rounds, from how long a call takes once it is warm."""
    taken = math.inf
    for _ in range(2):
        start = time.perf_counter()
        run()
        devices.wait(setting.device)
        taken = min(taken, time.perf_counter() - start)
    iterations = 1 if setting.device == "cuda" else max(1, math.ceil(SHORTEST_ROUND / taken))
    rounds = int(seconds / (taken * iterations))
    return iterations, min(max(rounds, LEAST_ROUNDS), MOST_ROUNDS)


def described(row: Row, notes: Notes) -> dict[str, Any]:
    """Return what a row is, and the floor of its machine."""
    work, setting = row.workload, row.setting
    if setting.device == "cuda":
        able = Rates(math.inf, rates.cuda_bandwidth())
    else:
        able = Rates(
            rates.fma_rate(setting.dtype, setting.threads), rates.bandwidth(setting.threads)
        )
        notes.rates[f"fma per second, {setting.dtype}, {setting.threads} threads"] = able.operations
    where = "gpu" if setting.device == "cuda" else f"{setting.threads} threads"
    notes.rates[f"bytes per second, {where}"] = able.bytes
    least = floor(work, setting.mode, setting.dtype, setting.device, able)
    return {
        "peer": row.peer,
        "mode": setting.mode,
        "columns": work.batch,
        "steps": work.steps,
        "nodes": work.nodes,
        "dtype": setting.dtype,
        "threads": setting.threads,
        "device": setting.device,
        "floor_seconds": least.seconds,
        "floor_bound": least.bound,
        "operations": least.operations,
        "bytes": least.bytes,
    }
