"""What property tests draw beside columns: numbers between 0 and 1, and scales for them."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from lsm_verify.strategies import cases, columns

__all__ = ["COLD", "HOT", "UNIT", "cases", "columns", "given_as", "logarithmic", "units"]

Array = NDArray[np.float64]

COLD, HOT = 230.0, 330.0

GRID = 1024
UNIT = st.integers(0, GRID).map(lambda k: k / GRID)
"""Multiples of 1/1024: numbers of 1e-300 would test how floats underflow, not the model."""


def logarithmic(low: float, high: float) -> Callable[[Array], Array]:
    return lambda u: low * (high / low) ** u


def units(count: int) -> st.SearchStrategy[Array]:
    return arrays(np.int64, count, elements=st.integers(0, GRID)).map(lambda k: k / GRID)


def given_as(values: Array, *, scalar: bool) -> Array:
    """One number instead of a constant profile, where asked for."""
    return values[0] if scalar and np.ptp(values) == 0 else values
