"""The first place where two answers part beyond their round-off."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from lsm_verify.verify.terms import EPSILON, LIMIT

Array = NDArray[np.float64]


def first_divergence(
    a: Array, b: Array, spread: Array, *, backward: bool
) -> tuple[int, int] | None:
    """Name the first state, and the node in it, at which two arrays of states part.

    Parameters
    ----------
    a, b : (states, nodes) array
        Temperatures, or sensitivities to them.
    spread : (states, nodes) array
        Round-off of their difference, as a standard deviation.
    backward : bool
        Whether the states were found from the last to the first (adjoint states).

    Returns
    -------
    tuple of int or None
        State and node; of several nodes the one that differs most in units of its spread.
        ``None`` if no difference exceeds 128 spreads.

    Examples
    --------
    >>> a = np.zeros((3, 2))
    >>> b = np.array([[0.0, 0.0], [0.0, 1e-6], [1e-3, 1e-3]])
    >>> first_divergence(a, b, np.full((3, 2), 1e-12), backward=False)
    (1, 1)
    """
    with np.errstate(invalid="ignore", divide="ignore"):
        unit = spread + EPSILON * np.maximum(np.abs(a), np.abs(b))
        z = np.where(a == b, 0.0, np.abs(a - b) / unit)
    z = np.where(np.isnan(z), np.inf, z)
    states = np.flatnonzero(np.max(z, axis=1) > LIMIT)
    if states.size == 0:
        return None
    first = int(states[-1] if backward else states[0])
    return first, int(np.argmax(z[first]))


def bisect(differs: Callable[[int], bool], count: int) -> int | None:
    """Find the observation with which two gradients part, where a model shows no states.

    Parameters
    ----------
    differs : callable
        Whether two gradients of the objective truncated to its first k observations part.
    count : int
        Number of observations.

    Returns
    -------
    int or None
        Smallest k in 1 … count at which they differ, if they do so from there on: the error
        enters with observation k. ``None`` if the whole gradients agree.

    Examples
    --------
    >>> bisect(lambda k: k >= 48, 100)
    48
    """
    if count < 1 or not differs(count):
        return None
    low, high = 0, count  # does not differ at low, differs at high
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if differs(middle) else (middle, high)
    return high
