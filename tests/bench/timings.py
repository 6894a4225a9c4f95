"""Made-up timings as a shared machine gives them, and results that hold them.

The numbers follow what was measured on two cores that seven others used (120 processes of 40
rounds of about 1 ms): fastest rounds spread by 1 % between processes, one process in ten is
disturbed as a whole by some 8 %, two rounds in five are stretched by up to several times, and the
level of the machine drifts.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from lsm_verify.bench.record import Record, parse
from lsm_verify.bench.session import Block

MACHINE = {
    "system": "Linux",
    "machine": "x86_64",
    "python_version": "3.11.7",
    "cpu": {
        "brand_raw": "Test CPU",
        "family": 25,
        "model": 1,
        "count": 2,
        "flags": ["avx2", "fma", "sse2"],
    },
}
COMMIT = {"id": "0123456789abcdef", "time": "2026-01-02T03:04:05+00:00", "dirty": False}
ROUNDS = 20
SPREAD, DRIFT = 0.01, 0.003
DISTURBED, DISTURBANCE = 0.1, 0.08
BUSY, STRETCH = 0.4, 0.8


def record(
    rounds: Mapping[str, Sequence[float]],
    *,
    source: str = "result",
    machine: Mapping[str, Any] = MACHINE,
    time: str = "2026-01-02T03:04:05+00:00",
    extra: Mapping[str, Any] | None = None,
    params: Any = None,
) -> Record:
    """Return a result with these rounds of these benchmarks."""
    benchmarks = [
        {
            "group": None,
            "name": name,
            "fullname": name,
            "params": params,
            "param": None,
            "extra_info": dict(extra or {}),
            "options": {},
            "stats": {"data": list(data), "iterations": 1},
        }
        for name, data in rounds.items()
    ]
    content = {
        "machine_info": machine,
        "commit_info": COMMIT,
        "benchmarks": benchmarks,
        "datetime": time,
        "version": "5.3.1",
    }
    return parse(content, source)


def process(rng: np.random.Generator, seconds: float, level: float) -> list[float]:
    """Return the rounds of one process."""
    disturbed = rng.exponential(DISTURBANCE) if rng.random() < DISTURBED else 0.0
    fastest = seconds * np.exp(level + rng.normal(0, SPREAD) + disturbed)
    busy = (rng.random(ROUNDS) < BUSY) * rng.exponential(STRETCH, ROUNDS)
    return list(fastest * (1 + busy + np.abs(rng.normal(0, 0.002, ROUNDS))))


def blocks(
    seed: int,
    count: int,
    changes: Mapping[str, float],
    *,
    sides: Sequence[str] = ("candidate", "base", "base again"),
    drift: float = DRIFT,
    offset: float = 0.0,
) -> list[Block]:
    """Return blocks in which the candidate's times are changed by these factors.

    ``drift`` is the step of the level's random walk from one process to the next; ``offset`` makes
    the base's second tree slower than its first.
    """
    rng = np.random.default_rng(seed)
    level = 0.0
    found = []
    for _ in range(count):
        block = {}
        for index in rng.permutation(len(sides)):
            side = sides[index]
            level += rng.normal(0, drift)
            factors = {
                name: change if side.startswith("candidate") else 1.0
                for name, change in changes.items()
            }
            extra = offset if side == "base again" else 0.0
            block[side] = record(
                {n: process(rng, 1e-3 * f, level + extra) for n, f in factors.items()}, source=side
            )
        found.append(block)
    return found
