"""Gaps in a regular series: found, refused, or filled if they are short."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lsm_verify.datasets.timeline import Times, listed
from lsm_verify.errors import InputError

Array = NDArray[np.float64]

_SHORT = 6
"""Longest gap [samples] whose interpolation a message suggests; half-hours, mostly."""


def find_gaps(values: Array) -> list[tuple[int, int]]:
    """Return first and past-the-last index of every run of not-a-number.

    Examples
    --------
    >>> find_gaps(np.array([1.0, np.nan, np.nan, 4.0, np.nan]))
    [(1, 3), (4, 5)]
    """
    missing = np.isnan(values).astype(np.int8)
    edges = np.flatnonzero(np.diff(np.concatenate([[0], missing, [0]]))).tolist()
    return list(zip(edges[::2], edges[1::2], strict=True))


def fill_gaps(
    where: str, values: Array, times: Times, window: slice, longest: int
) -> tuple[Array, Times]:
    """Return the values of a window, short gaps interpolated linearly in time.

    A gap counts with its full length, also where it reaches out of the window.

    Parameters
    ----------
    where : str
        File and variable, for the message.
    values : (samples,) array
        The whole record, regular in time, not-a-number where missing.
    times : (samples,) array of datetime64[s]
        Stamps of the record.
    window : slice
        What is wanted of it, with plain bounds.
    longest : int
        Longest gap that may be filled [samples]; 0 refuses all.

    Returns
    -------
    values : (window,) array
    filled : array of datetime64[s]
        Stamps in the window whose values were interpolated.

    Raises
    ------
    InputError
        If a gap is longer than ``longest``, or ends the record so that nothing lies beyond it.
    """
    gaps = [(a, b) for a, b in find_gaps(values) if a < window.stop and b > window.start]
    missing = np.isnan(values)
    lost = times[window][missing[window]]
    if not gaps:
        return values[window], lost
    at_end = [b - a for a, b in gaps if a == 0 or b == values.size]
    most = max(b - a for a, b in gaps)
    if at_end or most > longest:
        remedy = "choose another window"
        if not at_end and most <= _SHORT:
            remedy += f", or interpolate_gaps={most} to fill gaps of up to {most} samples"
        raise InputError(
            f"{where} lacks {lost.size} of {window.stop - window.start} samples in the window "
            f"({len(gaps)} gaps, the longest of {most} samples, interpolate_gaps={longest}"
            f"{', one at an end of the record' if at_end else ''}): {listed(lost)}; {remedy}."
        )
    position = np.arange(values.size)
    filled = np.interp(position, position[~missing], values[~missing])
    return filled[window], lost
