"""Time axes of data files: what a start, a step and a window mean, and checks of the axis."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lsm_verify.errors import InputError
from lsm_verify.validation import whole

Times = NDArray[np.datetime64]
"""Times in UTC, ``datetime64[s]``."""

_NAMED = 3
"""How many times a message names before it says how many more there are."""


def utc(start: object) -> np.datetime64:
    """Return a time as ``datetime64[s]`` in UTC.

    Parameters
    ----------
    start : numpy.datetime64, datetime.datetime or str
        A time; ISO 8601 if it is text. Without a time zone it is taken as UTC.

    Raises
    ------
    InputError
        If it is not a time, or has a fraction of a second.
    """
    moment: Any = start
    try:
        if isinstance(moment, str):
            moment = dt.datetime.fromisoformat(moment.strip())
        if isinstance(moment, dt.datetime) and moment.tzinfo is not None:
            moment = moment.astimezone(dt.UTC).replace(tzinfo=None)
        if not isinstance(moment, dt.datetime | np.datetime64):
            raise TypeError
        exact = np.datetime64(moment)
    except (TypeError, ValueError, OverflowError):
        raise InputError(
            f"start={start!r} must be a date and time in UTC; write it as 2012-05-01T07:00."
        ) from None
    whole = exact.astype("datetime64[s]")
    if np.isnat(whole) or whole != exact:
        raise InputError(f"start={start!r} must be a time in whole seconds; round it.")
    return np.datetime64(whole, "s")


def state_times(start: object, steps: int, time_step: float) -> Times:
    """Return the time of every state of a run with constant steps.

    Parameters
    ----------
    start : numpy.datetime64, datetime.datetime or str
        Time of state 0, UTC.
    steps : int
        Number of steps, at least 1.
    time_step : float
        Length of a step [s], whole and positive.

    Returns
    -------
    (steps + 1,) array of datetime64[s]

    Raises
    ------
    InputError
        If one of them is not what is wanted.
    """
    begin = utc(start)
    count = whole("steps", steps, 1)
    if not np.isfinite(time_step) or time_step <= 0 or time_step != int(time_step):
        raise InputError(f"time_step={time_step!r} s must be a positive whole number of seconds.")
    offsets = np.arange(count + 1, dtype=np.int64) * int(time_step)
    return np.asarray(begin + offsets.astype("timedelta64[s]"))


def check_increasing(times: Times, place: Callable[[int], str]) -> None:
    """Refuse a time axis that is not strictly increasing; ``place`` names its i-th entry."""
    wrong = np.flatnonzero(np.diff(times) <= np.timedelta64(0, "s"))
    if wrong.size:
        i = int(wrong[0]) + 1
        raise InputError(
            f"{place(i)}={times[i]} must be later than the one before it, {times[i - 1]}; "
            "sort the file by time and remove repeated rows."
        )


def regular_interval(times: Times, place: Callable[[int], str]) -> int:
    """Return the constant interval [s] of an increasing time axis; refuse one that varies."""
    check_increasing(times, place)
    intervals = np.diff(times).astype("timedelta64[s]").astype(np.int64)
    usual = int(intervals[0])
    wrong = np.flatnonzero(intervals != usual)
    if wrong.size:
        i = int(wrong[0]) + 1
        raise InputError(
            f"{place(i)}={times[i]} is {intervals[i - 1]} s after the one before it, the first "
            f"interval is {usual} s; give a record with a regular time axis, missing values marked."
        )
    return usual


def check_inside(where: str, wanted: Times, first: np.datetime64, last: np.datetime64) -> None:
    """Refuse a window that the record does not cover; say which dates it covers."""
    if wanted[0] < first or wanted[-1] > last:
        raise InputError(
            f"{where}: the window {wanted[0]} to {wanted[-1]} (UTC) lies outside the record, which "
            f"covers {first} to {last}; choose start and steps inside it."
        )


def listed(times: Times) -> str:
    """Name the first few times for a message."""
    names = ", ".join(str(np.datetime64(t, "m")) for t in times[:_NAMED])
    return names if len(times) <= _NAMED else f"{names} and {len(times) - _NAMED} more"
