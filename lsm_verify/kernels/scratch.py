"""Working memory of a kernel: arrays side by side in one piece, each at a cache line."""

from __future__ import annotations

from functools import lru_cache
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

Shapes = tuple[tuple[int, ...], ...]

LINE = 64
"""Bytes of a cache line and of the widest vector."""


def carve(shapes: Shapes, dtype: np.dtype[Any]) -> list[NDArray[Any]]:
    """Return uninitialised arrays of one type, cut from one piece of memory.

    Examples
    --------
    >>> a, b = carve(((3,), (2, 4)), np.dtype(np.float64))
    >>> a.shape, b.shape, b.__array_interface__["data"][0] % LINE
    ((3,), (2, 4), 0)
    """
    cuts, total = _plan(shapes, LINE // dtype.itemsize)
    room = np.empty(total, dtype)
    skip = -(room.__array_interface__["data"][0] // dtype.itemsize) % (LINE // dtype.itemsize)
    return [room[skip + a : skip + b].reshape(shape) for shape, a, b in cuts]


@lru_cache(maxsize=64)
def _plan(shapes: Shapes, line: int) -> tuple[list[tuple[tuple[int, ...], int, int]], int]:
    """Where each array begins and ends, and the size of it all, in numbers of ``line`` a line."""
    cuts, end = [], 0
    for shape in shapes:
        cuts.append((shape, end, end + prod(shape)))
        end += -(-prod(shape) // line) * line
    return cuts, end + line
