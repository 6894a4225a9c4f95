"""Find rows in a result."""

from __future__ import annotations

from typing import Any

Entry = dict[str, Any]
"""One benchmark of pytest-benchmark's file."""


def entries(document: dict[str, Any]) -> list[Entry]:
    """Return the rows of this package's benchmarks."""
    return [e for e in document["benchmarks"] if "peer" in e.get("extra_info", {})]


def same(entry: Entry, **wanted: Any) -> bool:
    """Whether a row has these settings."""
    return all(entry["extra_info"].get(name) == value for name, value in wanted.items())


def find(document: dict[str, Any], **wanted: Any) -> list[Entry]:
    """Return the rows with these settings, the fastest first."""
    return sorted((e for e in entries(document) if same(e, **wanted)), key=best)


def best(entry: Entry) -> float:
    """Return the seconds of a call: the median on a GPU, the shortest round on a CPU.

    What else runs on a CPU only ever makes a round longer.
    """
    statistic = "median" if entry["extra_info"]["device"] == "cuda" else "min"
    return float(entry["stats"][statistic])


def per_column(entry: Entry) -> float:
    """Seconds per column."""
    return best(entry) / int(entry["extra_info"]["columns"])
