"""Gradient error and peak memory in Bencher's own metric format (BMF, version 0).

The times go to Bencher in pytest-benchmark's file (adapter ``python_pytest``); what that file has
no place for goes in this one (adapter ``json``), under the same benchmark names. Format:
https://bencher.dev/docs/reference/bencher-metric-format
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from lsm_verify.bench.record import Record

MEASURES = {"gradient_error": "gradient-error", "peak_memory": "peak-memory"}
"""Key in a benchmark's ``extra_info`` to the slug of Bencher's measure (relative; bytes)."""

LONGEST_NAME = 1024
"""Of a benchmark in Bencher."""


def metrics(records: Sequence[Record]) -> dict[str, dict[str, dict[str, float]]]:
    """Return the measures of all processes: the median, with least and largest as bounds.

    Benchmarks that state none are left out, as are values that are not finite.
    """
    found: dict[str, dict[str, dict[str, float]]] = {}
    for name in dict.fromkeys(name for record in records for name in record.benchmarks):
        extras = [record.extra(name) for record in records if name in record.benchmarks]
        measures = {
            slug: _metric(values) for key, slug in MEASURES.items() if (values := _of(extras, key))
        }
        if measures:
            found[name[:LONGEST_NAME]] = measures
    return found


def _of(extras: Sequence[Mapping[str, Any]], key: str) -> list[float]:
    values = [extra.get(key) for extra in extras]
    return [float(v) for v in values if isinstance(v, int | float) and math.isfinite(v)]


def _metric(values: Sequence[float]) -> dict[str, float]:
    return {
        "value": float(np.median(values)),
        "lower_value": min(values),
        "upper_value": max(values),
    }
