"""Checks at the door. Every message says what was given, what was wanted and the remedy."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lsm_verify.errors import InputError
from lsm_verify.quantities import ZERO_CELSIUS, Quantity

Array = NDArray[np.float64]


def as_array(name: str, value: ArrayLike) -> Array:
    """Return ``value`` as a float64 array of its own; refuse what is not a number."""
    try:
        given = np.asarray(value)
        if given.dtype.kind in "cmM":  # complex numbers and times would lose their meaning
            raise TypeError
        array = np.array(given, dtype=np.float64)
    except (TypeError, ValueError):
        raise InputError(
            f"{name}={_short(value)} must be a number or an array of numbers."
        ) from None
    return array


def whole(name: str, value: object, least: int) -> int:
    """Return a whole number that is not too small; refuse anything else."""
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < least:
        raise InputError(f"{name}={value!r} must be a whole number, at least {least}.")
    return int(value)


def finite(name: str, array: Array) -> Array:
    """Refuse not-a-number and infinity; name the first place."""
    bad = np.argwhere(~np.isfinite(array))
    if len(bad):  # of a single number the indices are empty: size 0
        index = tuple(int(i) for i in bad[0])
        where = f"{name}{list(index)}" if index else name
        raise InputError(
            f"{where}={array[index]} must be finite; {len(bad)} of {array.size} values are not. "
            "Remove or fill them first."
        )
    return array


def vector(name: str, value: ArrayLike, length: int | None = None) -> Array:
    """Return a finite 1-d array, of the given length if one is given."""
    array = finite(name, as_array(name, value))
    if array.ndim != 1 or array.size == 0:
        raise InputError(f"{name} has shape {array.shape}; give a non-empty one-dimensional array.")
    if length is not None and array.size != length:
        raise InputError(f"{name} has {array.size} values; {length} are wanted, one per step.")
    return array


def positive(name: str, array: Array) -> Array:
    """Refuse zero and negative values."""
    return _all(name, array, array > 0, "must be positive")


def increasing(name: str, array: Array) -> Array:
    """Refuse values that are not strictly increasing."""
    steps = np.diff(array)
    if np.any(steps <= 0):
        i = int(np.argmax(steps <= 0)) + 1
        raise InputError(
            f"{name}[{i}]={array[i]} must be greater than {name}[{i - 1}]={array[i - 1]}; "
            "sort the values and remove repeated ones."
        )
    return array


def within(quantity: Quantity, array: Array) -> Array:
    """Refuse values outside the quantity's bounds; recognise °C where K is wanted."""
    bad = outside(quantity, array)
    if not np.any(bad):
        return array
    where, worst = _first(quantity.name, array, bad)
    bracket = "(" if quantity.open_lower else "["
    message = f"{where}={worst} must lie in {bracket}{quantity.lower:g}, {quantity.upper:g}]"
    message += f" {quantity.unit}" if quantity.unit != "1" else ""
    if quantity.is_temperature and -100 <= worst <= 100:
        raise InputError(f"{message}; it looks like °C: add {ZERO_CELSIUS}.")
    raise InputError(f"{message}; check its value and unit.")


def outside(quantity: Quantity, array: Array) -> NDArray[np.bool_]:
    """Return where values lie outside the quantity's bounds; not-a-number does not."""
    low = array <= quantity.lower if quantity.open_lower else array < quantity.lower
    return np.asarray(low | (array > quantity.upper))


def _all(name: str, array: Array, good: Any, wanted: str) -> Array:
    if not np.all(good):
        where, value = _first(name, array, ~np.asarray(good))
        raise InputError(f"{where}={value} {wanted}; check its value, sign and unit.")
    return array


def _first(name: str, array: Array, bad: Any) -> tuple[str, float]:
    index = tuple(int(i) for i in np.argwhere(bad)[0])
    return (f"{name}{list(index)}" if index else name), float(array[index])


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
