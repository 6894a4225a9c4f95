"""Reader of Urban-PLUMBER flux-tower files (netCDF, ALMA names, ``_qc`` flags).

Stamps end the period over which a sample is averaged, in UTC; that is the convention of the
Urban-PLUMBER project, which its files do not state. Where a file has time bounds, they are
checked against it.

References
----------
Lipson, M. et al. (2022), Harmonized gap-filled datasets from 20 urban flux tower sites, Earth
System Science Data 14, 5157-5178, doi 10.5194/essd-14-5157-2022; data doi 10.5281/zenodo.5517550.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lsm_verify.datasets.gaps import fill_gaps
from lsm_verify.datasets.netcdf import Variable, read_variables
from lsm_verify.datasets.timeline import (
    Times,
    check_inside,
    regular_interval,
    state_times,
)
from lsm_verify.errors import InputError, unknown
from lsm_verify.forcing import Forcing
from lsm_verify.quantities import COLDEST, FORCING, HOTTEST, OUTPUTS, PARAMETERS, Quantity
from lsm_verify.validation import whole, within

Array = NDArray[np.float64]

MISSING_FLAG = 3
"""The qc flag that marks a missing sample; 0 observed, 1 and 2 gap-filled."""

TOWER: dict[str, Quantity] = {
    **{name: PARAMETERS[name] for name in FORCING},
    "SWup": replace(OUTPUTS["SWup"], lower=-50.0, upper=2000.0),
    "LWup": replace(OUTPUTS["LWup"], lower=0.0, upper=2000.0),
    "Qh": Quantity("Qh", "Q_h", "W m-2", "sensible heat flux, positive up", -2000.0, 2000.0),
    "Qle": Quantity("Qle", "Q_le", "W m-2", "latent heat flux, positive up", -2000.0, 2000.0),
    "SoilTemp": replace(OUTPUTS["SoilTemp"], lower=COLDEST, upper=HOTTEST),
    "Wind_N": Quantity("Wind_N", "v", "m s-1", "wind towards the north", -100.0, 100.0),
    "Wind_E": Quantity("Wind_E", "u", "m s-1", "wind towards the east", -100.0, 100.0),
}
"""Variables of a tower file that can be read, with bounds of plausible values."""

METHODS = ("sample", "mean")

_UNITS = {
    "w/m2": "W m-2", "wm-2": "W m-2", "k": "K", "kelvin": "K", "degk": "K",
    "m/s": "m s-1", "ms-1": "m s-1",
}  # fmt: skip
"""Spellings of units, without blanks and powers' signs, in lower case."""

_CELSIUS = {"c", "°c", "degc", "celsius", "degreescelsius", "degreecelsius", "degreesc"}


@dataclass(frozen=True)
class ForcingRecord:
    """Forcing read from a tower, and what was filled in to get it.

    Attributes
    ----------
    forcing : Forcing
        Means over the steps.
    filled : mapping of str to array of datetime64[s]
        Stamps (UTC) of the samples that were interpolated; only variables that have some.
    """

    forcing: Forcing
    filled: Mapping[str, Times]


@dataclass(frozen=True)
class _Record:
    """Samples of a whole file: stamps, their interval [s], values with nan where missing."""

    times: Times
    interval: int
    values: Mapping[str, Array]


def read_forcing(
    path: Path | str,
    *,
    start: object,
    steps: int,
    time_step: float = 3600,
    interpolate_gaps: int = 0,
) -> ForcingRecord:
    """Read the forcing of a run from a tower file.

    Step n to n+1 is driven by the mean of the samples whose stamps lie in (t_n, t_{n+1}].

    Parameters
    ----------
    path : Path or str
        netCDF file with ``SWdown``, ``LWdown`` [W m-2], ``Tair`` [K] and their ``_qc`` flags.
    start : numpy.datetime64, datetime.datetime or str
        Time of the initial state, UTC.
    steps : int
        Number of steps.
    time_step : float
        Length of a step [s]; a multiple of the interval between samples.
    interpolate_gaps : int
        Longest gap, in samples, that may be filled by linear interpolation in time; 0 refuses all.

    Returns
    -------
    ForcingRecord
        Forcing (steps,), and the stamps of the samples that were filled.

    Raises
    ------
    InputError
        If the file cannot be read; if a variable is missing or has other units, flags or bounds;
        if the time axis is unordered, irregular or not UTC; if the window lies outside the record
        or between samples; if a gap is longer than ``interpolate_gaps``.
    """
    path = Path(path)
    wanted = state_times(start, steps, time_step)
    longest = whole("interpolate_gaps", interpolate_gaps, 0)
    record = _read(path, FORCING)
    per_step = _samples_per_step(path, record, wanted)
    before = record.times[0] - np.timedelta64(record.interval, "s")
    check_inside(str(path), wanted, before, record.times[-1])
    first = _index(record, wanted[0]) + 1
    window = slice(first, first + steps * per_step)
    means, filled = {}, {}
    for name in FORCING:
        values, stamps = fill_gaps(
            f"{path}: {name}", record.values[name], record.times, window, longest
        )
        if stamps.size:
            filled[name] = stamps
        samples = _bounded(path, name, values, wanted[0])
        means[name] = samples.reshape(steps, per_step).mean(axis=1)
    forcing = Forcing(np.full(steps, float(time_step)), **means, start=wanted[0])
    return ForcingRecord(forcing, filled)


def read_series(
    path: Path | str,
    variable: str,
    *,
    start: object,
    steps: int,
    time_step: float = 3600,
    method: str = "sample",
) -> Array:
    """Read a tower observation at the states of a run; gaps stay not-a-number.

    Parameters
    ----------
    path : Path or str
        netCDF file.
    variable : str
        One of ``TOWER``, with its ``_qc`` flag.
    start, steps, time_step
        As in `read_forcing`.
    method : str
        ``sample``: the sample whose stamp is the state's time. ``mean``: the mean of all samples
        in the step that ends at the state, not-a-number if one of them is missing.

    Returns
    -------
    (steps + 1,) array
        In the unit of ``TOWER[variable]``, index 0 at the initial state.

    Raises
    ------
    InputError
        As in `read_forcing`, but for gaps; if ``variable`` or ``method`` is unknown.
    """
    path = Path(path)
    if variable not in TOWER:
        raise unknown("tower variable", variable, TOWER)
    if method not in METHODS:
        raise unknown("method", method, METHODS)
    wanted = state_times(start, steps, time_step)
    record = _read(path, [variable])
    per_step = _samples_per_step(path, record, wanted)
    taken = per_step if method == "mean" else 1
    reach = np.timedelta64((taken - 1) * record.interval, "s")
    check_inside(str(path), wanted, record.times[0] + reach, record.times[-1])
    last = _index(record, wanted[0]) + per_step * np.arange(steps + 1)
    samples = record.values[variable][last[:, None] - np.arange(taken)]
    return _bounded(path, variable, np.asarray(samples.mean(axis=1)), wanted[0])


def _read(path: Path, names: Iterable[str]) -> _Record:
    """Read variables with their flags; missing samples become not-a-number."""
    names = list(names)
    contents = read_variables(path, [*names, *(f"{name}_qc" for name in names)])
    if contents.attributes.get("time_shown_in") != "UTC":
        given = contents.attributes.get("time_shown_in")
        raise InputError(
            f"{path}: attribute time_shown_in={given!r} must be 'UTC'; convert the time axis."
        )
    times = contents.times
    interval = regular_interval(times, lambda i: f"{path}: time[{i}]")
    if contents.bounds is not None and np.any(contents.bounds[:, 1] != times):
        i = int(np.argmax(contents.bounds[:, 1] != times))
        raise InputError(
            f"{path}: time[{i}]={times[i]} must end its period, which ends at "
            f"{contents.bounds[i, 1]}; give period-ending stamps."
        )
    values = {}
    for name in names:
        _check_units(path, name, contents.variables[name].units)
        flags = _check_flags(path, f"{name}_qc", contents.variables[f"{name}_qc"])
        values[name] = np.where(flags == MISSING_FLAG, np.nan, contents.variables[name].values)
    return _Record(times, interval, values)


def _check_units(path: Path, name: str, units: str | None) -> None:
    """Refuse other units than those of the registry, whatever their spelling."""
    wanted = TOWER[name].unit
    plain = "".join(c for c in (units or "").lower() if c not in " ^*._")
    if _UNITS.get(plain) == wanted:
        return
    message = f"{path}: {name} has units={units!r}, {wanted!r} is wanted"
    if wanted == "K" and plain in _CELSIUS:
        raise InputError(f"{message}; it is in °C: add 273.15 and set the attribute.")
    raise InputError(f"{message}; convert the values and set the attribute.")


def _check_flags(path: Path, name: str, flags: Variable) -> Array:
    """Refuse quality flags other than 0, 1, 2 and 3."""
    wrong = ~np.isin(flags.values, np.arange(MISSING_FLAG + 1))
    if np.any(wrong):
        i = int(np.argmax(wrong))
        raise InputError(
            f"{path}: {name}[{i}]={flags.values[i]:g} must be 0 (observed), 1 or 2 (filled) or "
            "3 (missing); check the quality flags."
        )
    return flags.values


def _samples_per_step(path: Path, record: _Record, wanted: Times) -> int:
    """Return how many samples a step holds; refuse steps or starts that cut a sample."""
    step = int((wanted[1] - wanted[0]).astype(np.int64))
    if step % record.interval:
        raise InputError(
            f"{path}: time_step={step} s must be a multiple of {record.interval} s, the interval "
            "between samples."
        )
    if int((wanted[0] - record.times[0]).astype(np.int64)) % record.interval:
        raise InputError(
            f"{path}: start={wanted[0]} lies between samples, which are {record.interval} s apart, "
            f"{record.times[0]} for one; start on a stamp."
        )
    return step // record.interval


def _index(record: _Record, time: np.datetime64) -> int:
    """Return the index of the sample with this stamp; -1 is the one before the record."""
    return int((time - record.times[0]).astype(np.int64)) // record.interval


def _bounded(path: Path, name: str, values: Array, start: np.datetime64) -> Array:
    """Refuse values out of bounds, not-a-number apart; name the file and where counting starts."""
    try:
        return within(TOWER[name], values)
    except InputError as error:
        raise InputError(f"{path}, counted from {start}: {error}") from None
