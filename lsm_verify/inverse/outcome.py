"""What a minimiser returns for every start."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

CONVERGED, EXHAUSTED, STALLED, NO_SOLUTION, INTERRUPTED = (
    "converged",
    "iterations exhausted",
    "stalled",
    "no solution",
    "interrupted",
)
"""Why a start ended. Stalled: the minimiser gave up before its tolerances were met. No solution:
the model has none at the start, or where the minimiser went; the best point before is kept."""


@dataclass(frozen=True)
class Progress:
    """How far a minimiser has come.

    Attributes
    ----------
    done, total : int
        Starts that have ended, of all; of Adam, which runs all starts at once, iterations.
    unit : str
        ``starts`` or ``iterations``.
    evaluations : int
        Of the model, by all starts.
    value : float
        The objective where the minimiser is now; of Adam the least of all starts there.
    best : float
        The least objective so far; infinite before the first.
    """

    done: int
    total: int
    unit: str
    evaluations: int
    value: float
    best: float


Announce = Callable[[Progress], None]
"""Called after every evaluation, and where a start has ended."""


def silent(progress: Progress) -> None:
    """Announce nothing."""


@dataclass
class Outcomes:
    """Ends of all starts, filled in as they come; what is missing was not begun.

    ``u`` (B, P) scaled coordinates, the best that were seen (of Adam, which does not go downhill
    alone, the last; the best if it is interrupted); ``value`` (B,) of the objective there, infinite
    where none is known; ``iterations``, ``evaluations`` (B,); ``status`` of every start.
    """

    u: Array
    value: Array
    iterations: NDArray[np.int64]
    evaluations: NDArray[np.int64]
    status: list[str]

    @classmethod
    def begin(cls, starts: Array) -> Outcomes:
        """Return what is known before anything is done."""
        B = len(starts)
        zeros = np.zeros(B, np.int64)
        return cls(starts.copy(), np.full(B, np.inf), zeros, zeros.copy(), [INTERRUPTED] * B)
