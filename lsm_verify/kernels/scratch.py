"""Working memory of a kernel: arrays side by side in one piece, each at a cache line."""

from __future__ import annotations

import threading
from functools import lru_cache
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

Shapes = tuple[tuple[int, ...], ...]

KEPT_BYTES = 8 * 2**20
"""Memory that each thread keeps for its next call."""

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


class _Kept(threading.local):
    """What a thread keeps for its next call."""

    def __init__(self) -> None:
        self.arrays: dict[tuple[Shapes, np.dtype[Any]], list[NDArray[Any]]] = {}
        self.bytes = 0


_kept = _Kept()


def reserve(shapes: Shapes, dtype: np.dtype[Any]) -> list[NDArray[Any]]:
    """Return arrays as `carve` does, the same to each thread whenever it asks for the same."""
    arrays = _kept.arrays.get((shapes, dtype))
    if arrays is None:
        arrays = carve(shapes, dtype)
        size = sum(array.nbytes for array in arrays)
        if size <= KEPT_BYTES:
            if _kept.bytes + size > KEPT_BYTES:
                forget()
            _kept.arrays[shapes, dtype] = arrays
            _kept.bytes += size
    return arrays


def forget() -> None:
    """Let go of what this thread keeps."""
    _kept.arrays.clear()
    _kept.bytes = 0


@lru_cache(maxsize=64)
def _plan(shapes: Shapes, line: int) -> tuple[list[tuple[tuple[int, ...], int, int]], int]:
    """Where each array begins and ends, and the size of it all, in numbers of ``line`` a line."""
    cuts, end = [], 0
    for shape in shapes:
        cuts.append((shape, end, end + prod(shape)))
        end += -(-prod(shape) // line) * line
    return cuts, end + line
