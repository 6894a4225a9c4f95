"""How time grows with the size of a problem: the exponent of a power law."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from lsm_verify.bench.read import Entry, best, entries, same
from lsm_verify.bench.rows import GROWTH_BATCHES, GROWTH_NODES, GROWTH_STEPS, NODES_BATCH
from lsm_verify.errors import InputError

CONFIDENCE = 0.95
"""Of the one-sided bound of an exponent."""

LIMIT = 1.10
"""Largest exponent that counts as growth in proportion."""


class Fit(NamedTuple):
    """t = c n^exponent, by least squares on logarithms."""

    exponent: float
    error: float  #: standard error of the exponent
    upper: float  #: one-sided upper bound at `CONFIDENCE`
    lower: float  #: one-sided lower bound at `CONFIDENCE`
    points: int


class Growth(NamedTuple):
    """The growth of one mode with one size."""

    mode: str
    size: str
    sizes: tuple[int, ...]
    seconds: tuple[float, ...]
    fit: Fit

    @property
    def verdict(self) -> str:
        """Whether the exponent stays below the limit, as far as the measurement tells."""
        if self.fit.upper <= LIMIT:
            return "holds"
        return "fails" if self.fit.lower > LIMIT else "open"


def fit(sizes: Sequence[float], seconds: Sequence[float]) -> Fit:
    """Fit a power law.

    Raises
    ------
    InputError
        If there are fewer than three sizes, or a value is not positive.
    """
    from scipy.stats import t as student

    x, y = np.asarray(sizes, dtype=np.float64), np.asarray(seconds, dtype=np.float64)
    if x.size < 3 or x.shape != y.shape or np.unique(x).size < 3:
        raise InputError(f"an exponent of {x.size} points has no error; give three sizes or more.")
    if not (np.all(x > 0) and np.all(y > 0) and np.all(np.isfinite(y))):
        raise InputError("sizes and times of a growth must be positive; measure again.")
    x, y = np.log(x), np.log(y)
    dx = x - x.mean()
    slope = float(dx @ (y - y.mean()) / (dx @ dx))
    residual = y - y.mean() - slope * dx
    error = float(np.sqrt(residual @ residual / (x.size - 2) / (dx @ dx)))
    reach = float(student.ppf(CONFIDENCE, x.size - 2)) * error
    return Fit(slope, error, slope + reach, slope - reach, x.size)


def growths(document: dict[str, Any]) -> list[Growth]:
    """Return the growth of the kernels with columns, steps and nodes, as far as measured."""
    found = []
    for size, sizes, others in (
        ("columns", GROWTH_BATCHES, {"steps": 100, "nodes": 100}),
        ("steps", GROWTH_STEPS, {"columns": 1, "nodes": 100}),
        ("nodes", GROWTH_NODES, {"columns": NODES_BATCH, "steps": 100}),
    ):
        for mode in ("score", "checkpointed"):
            wanted = {"peer": "kernel", "mode": mode, "dtype": "float64", "threads": 1, **others}
            series: list[tuple[int, Entry]] = [
                (int(entry["extra_info"][size]), entry)
                for entry in entries(document)
                if same(entry, device="cpu", **wanted) and entry["extra_info"][size] in sizes
            ]
            if len(series) < 3:
                continue
            n, t = zip(*sorted((n, best(entry)) for n, entry in series), strict=True)
            found.append(Growth(mode, size, n, t, fit(n, t)))
    return found
