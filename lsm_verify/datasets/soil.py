"""Reader of the soil temperatures at the West Phoenix tower: the original CSV or the digitised one.

The original is the table of EDI package knb-lter-cap.591 (doi
10.6073/pasta/fed17d67583eda16c439216ca40b0669): local time, UTC-7 all year, temperatures in °C.
The digitised one was read off a published figure: UTC, temperatures in K. The header says which.
"""

from __future__ import annotations

import csv
import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from lsm_verify.datasets.timeline import Times, check_increasing, check_inside, state_times
from lsm_verify.errors import InputError, unknown
from lsm_verify.quantities import COLDEST, HOTTEST, ZERO_CELSIUS

if TYPE_CHECKING:
    from _csv import Reader

Array = NDArray[np.float64]

DEPTHS = (0.05, 0.15)
"""Depths of the two sensors [m]."""


@dataclass(frozen=True)
class Layout:
    """How a table is laid out: its columns, offset to UTC, and what to add for K."""

    label: str
    digitised: bool
    time: str
    columns: tuple[str, str]
    utc_offset_hours: int
    to_kelvin: float


EDI = Layout(
    "EDI knb-lter-cap.591", False, "TIMESTAMP", ("Temp_C_2_Avg", "Temp_C_3_Avg"), -7, ZERO_CELSIUS
)
DIGITISED = Layout(
    "digitised from the published figure", True, "time_utc",
    ("SoilTemp_5cm_K", "SoilTemp_15cm_K"), 0, 0.0,
)  # fmt: skip

_MISSING = {"", "nan", "na", "-9999", "-9999.0"}


@dataclass(frozen=True)
class SoilTable:
    """A whole file.

    Attributes
    ----------
    times : (rows,) array of datetime64[s]
        Stamps, UTC, strictly increasing.
    temperature : (2, rows) array
        Soil temperature [K] at ``DEPTHS``; not-a-number where missing.
    layout : Layout
        Which kind of file it is.
    lines : (rows,) array of int
        Line of each row in the file.
    """

    times: Times
    temperature: Array
    layout: Layout
    lines: NDArray[np.intp]


@dataclass(frozen=True)
class SoilRecord:
    """Soil temperature at the states of a run.

    Attributes
    ----------
    temperature : (2, steps + 1) array
        [K], not-a-number where missing; first index as ``depths``, second 0 at the initial state.
    depths : tuple of float
        Depths of the sensors [m].
    digitised : bool
        Whether the values were read off a figure; results that use them must say so.
    label : str
        Where the values come from, in words.
    """

    temperature: Array
    depths: tuple[float, float]
    digitised: bool
    label: str


def read_soil(
    path: Path | str, *, start: object, steps: int, time_step: float = 3600
) -> SoilRecord:
    """Read soil temperature at the states of a run: the values stamped with their times.

    Parameters
    ----------
    path : Path or str
        CSV file, original or digitised.
    start : numpy.datetime64, datetime.datetime or str
        Time of the initial state, UTC.
    steps : int
        Number of steps.
    time_step : float
        Length of a step [s].

    Returns
    -------
    SoilRecord

    Raises
    ------
    InputError
        As in `read_table`; if the window lies outside the record, or a sensor has no value in it;
        if a temperature in the window is out of bounds (in another unit, say).
    """
    path = Path(path)
    wanted = state_times(start, steps, time_step)
    table = read_table(path)
    check_inside(str(path), wanted, table.times[0], table.times[-1])
    row = np.minimum(np.searchsorted(table.times, wanted), table.times.size - 1)
    found = table.times[row] == wanted
    temperature = np.where(found, table.temperature[:, row], np.nan)
    for column, values in zip(table.layout.columns, temperature, strict=True):
        _check_bounds(path, table, column, values, row)
        if np.all(np.isnan(values)):
            raise InputError(
                f"{path}: {column} has no value at any of the {wanted.size} states from "
                f"{wanted[0]} to {wanted[-1]} (UTC); choose another window or time step."
            )
    return SoilRecord(temperature, DEPTHS, table.layout.digitised, table.layout.label)


def read_table(path: Path | str) -> SoilTable:
    """Read and check a whole file; bounds apart, which a spike outside the window may break.

    Raises
    ------
    InputError
        If the file cannot be read, lacks a column, has a cell that is not a number or a time, has
        rows of the wrong length (truncated) or is not ordered by time.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError(f"{path} is not a file; give the path of a soil temperature CSV.")
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            return _parse(path, csv.reader(file, strict=True))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{path} cannot be read as CSV ({error}); get it again.") from None


def _parse(path: Path, lines: Reader) -> SoilTable:
    header = next(lines, [])
    if header and header[0] == "TOA5":
        header = next(lines, [])
        list(islice(lines, 2))  # units, and how each column was averaged
    header = [name.strip() for name in header]
    layout, places = _recognise(path, header)
    stamps: list[dt.datetime] = []
    cells: list[tuple[float, float]] = []
    numbers: list[int] = []
    for row in lines:
        if not row:
            continue
        where = f"{path}, line {lines.line_num}"
        if len(row) != len(header):
            raise InputError(
                f"{where}: {len(row)} cells, the header has {len(header)}; "
                "the file may be truncated: get it again."
            )
        time, upper, lower = (row[i].strip() for i in places)
        stamps.append(_stamp(where, layout, time))
        first, second = layout.columns
        cells.append((_number(where, first, upper), _number(where, second, lower)))
        numbers.append(lines.line_num)
    if not cells:
        raise InputError(f"{path} has no rows below its header; it may be truncated: get it again.")
    to_utc = np.timedelta64(-layout.utc_offset_hours, "h")
    times: Times = np.asarray(np.array(stamps, dtype="datetime64[s]") + to_utc)
    check_increasing(times, lambda i: f"{path}, line {numbers[i]}: {layout.time} in UTC")
    temperature = np.array(cells, dtype=np.float64).T + layout.to_kelvin
    return SoilTable(times, temperature, layout, np.array(numbers))


def _recognise(path: Path, header: Sequence[str]) -> tuple[Layout, tuple[int, ...]]:
    """Tell the layout by the time column; return it with the places of its columns."""
    for layout in (EDI, DIGITISED):
        if layout.time in header:
            break
    else:
        known = f"{EDI.time!r} (the original) or {DIGITISED.time!r} (digitised)"
        nearest = unknown("column", EDI.time, header or ["nothing"])
        raise InputError(f"{path} has no column {known}; {nearest}")
    for column in layout.columns:
        if column not in header:
            raise InputError(f"{path}: {unknown('column', column, header)}")
    return layout, tuple(header.index(name) for name in (layout.time, *layout.columns))


def _stamp(where: str, layout: Layout, cell: str) -> dt.datetime:
    """Read a time without a zone."""
    try:
        stamp = dt.datetime.fromisoformat(cell)
    except ValueError:
        stamp = None
    if stamp is None or stamp.tzinfo is not None:
        zone = f"UTC{layout.utc_offset_hours:+d}" if layout.utc_offset_hours else "UTC"
        raise InputError(
            f"{where}: {layout.time}={cell!r} must be a date and time in {zone}, written without a "
            "zone, as 2012-05-01 00:00:00."
        )
    return stamp


def _number(where: str, column: str, cell: str) -> float:
    """Read a temperature; not-a-number where the cell says that it is missing."""
    if cell.lower() in _MISSING:
        return float("nan")
    try:
        value = float(cell)
    except ValueError:
        value = float("inf")
    if not np.isfinite(value):
        raise InputError(
            f"{where}: {column}={cell!r} must be a number, or empty, NAN or -9999 if missing."
        )
    return value


def _check_bounds(
    path: Path, table: SoilTable, column: str, kelvin: Array, rows: NDArray[np.intp]
) -> None:
    """Refuse temperatures [K] that no soil has; recognise the two units taken for each other."""
    bad = np.flatnonzero((kelvin < COLDEST) | (kelvin > HOTTEST))
    if not bad.size:
        return
    i = int(bad[0])
    given = float(kelvin[i]) - table.layout.to_kelvin
    unit = "°C" if table.layout.to_kelvin else "K"
    offset = table.layout.to_kelvin
    message = (
        f"{path}, line {table.lines[rows[i]]}: {column}={given:.10g} must lie in "
        f"[{COLDEST - offset:g}, {HOTTEST - offset:g}] {unit}"
    )
    if unit == "K" and -100 <= given <= 100:
        raise InputError(f"{message}; it looks like °C: add {ZERO_CELSIUS}.")
    if unit == "°C" and COLDEST <= given <= HOTTEST:
        raise InputError(f"{message}; it looks like K: subtract {ZERO_CELSIUS}.")
    raise InputError(f"{message}; mark it as missing (NAN) or correct it.")
