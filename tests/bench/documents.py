"""Results made up for the tests of what reads them."""

from __future__ import annotations

from typing import Any


def entry(peer: str, mode: str, seconds: float, **info: Any) -> dict[str, Any]:
    """One row that took ``seconds`` in its best round, and twice that in the median."""
    full = {
        "peer": peer,
        "mode": mode,
        "columns": 1,
        "steps": 100,
        "nodes": 100,
        "dtype": "float64",
        "threads": 1,
        "device": "cpu",
        "floor_seconds": 1e-6,
        "floor_bound": "arithmetic",
        "operations": 1000,
        "bytes": 100,
        "value_error": 1e-13,
        "peak_memory": 2**20,
        **info,
    }
    size = f"B{full['columns']}-S{full['steps']}-N{full['nodes']}"
    name = f"{mode}-{peer}-{size}-{full['dtype']}-{full['device']}-t{full['threads']}"
    return {
        "name": name,
        "fullname": f"lsm_verify.bench::{name}",
        "stats": {
            "min": seconds,
            "median": 2 * seconds,
            "rounds": 2,
            "data": [seconds, 3 * seconds],
        },
        "extra_info": full,
    }


def document(*entries: dict[str, Any], **own: Any) -> dict[str, Any]:
    """Return a result with these rows."""
    return {
        "machine_info": {"system": "Linux", "machine": "x86_64", "versions": {"numpy": "2.0"}},
        "commit_info": {"id": "0123456789abcdef", "dirty": False},
        "benchmarks": list(entries),
        "datetime": "2026-01-02T03:04:05+00:00",
        "version": "5.3.1",
        "lsm_verify": {"not_measured": {}, "rates": {}, "start": {}, **own},
    }
