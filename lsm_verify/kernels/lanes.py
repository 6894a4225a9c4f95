"""What kernels call beside operators, in Python's own terms: one column, plain numbers.

`vector.functions` gives the same names their meaning for several columns in a register.
``binding.bind`` puts those in the place of these; bound with these, kernels run uncompiled.
"""

from __future__ import annotations

from typing import Any

Rows = Any
"""A (rows, lanes) or (rows, nodes, lanes) array of floats."""

LANES = 1


def load(rows: Rows, row: int) -> Any:
    """Return a row of a (rows, lanes) array."""
    return rows[row, 0]


def store(rows: Rows, row: int, x: Any) -> None:
    """Write a row of a (rows, lanes) array."""
    rows[row, 0] = x


def splat(number: Any) -> Any:
    """Return the same number in every lane."""
    return number


def lane(x: Any, each: int) -> Any:
    """Return the value in one lane."""
    return x


def with_lane(x: Any, each: int, number: Any) -> Any:
    """Return a copy with another value in one lane."""
    return number


def select(mask: Any, yes: Any, no: Any) -> Any:
    """Take ``yes`` in the lanes where the mask holds, else ``no``."""
    return yes if mask else no


def every(mask: Any) -> bool:
    """Whether the mask holds in all lanes."""
    return bool(mask)
