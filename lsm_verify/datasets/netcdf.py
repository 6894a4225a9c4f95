"""The one door to netCDF-4: opens a file, takes what is asked for into memory, closes it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from lsm_verify.datasets.timeline import Times
from lsm_verify.errors import InputError, unknown

if TYPE_CHECKING:
    import xarray

_UNREADABLE = (OSError, RuntimeError, ValueError, KeyError, TypeError, AttributeError, IndexError)
"""What h5py and xarray raise on files that are damaged or of another kind."""

_DECODING = (
    "units", "calendar", "bounds", "_FillValue", "missing_value", "scale_factor", "add_offset",
)  # fmt: skip


@dataclass(frozen=True)
class Variable:
    """A series over time: values (times,), not-a-number where missing, and the units given."""

    values: NDArray[np.float64]
    units: str | None


@dataclass(frozen=True)
class Contents:
    """What was read: stamps, their bounds (times, 2) if any, variables, global attributes."""

    times: Times
    bounds: Times | None
    variables: Mapping[str, Variable]
    attributes: Mapping[str, Any]


def read_variables(path: Path, names: list[str]) -> Contents:
    """Read series over time from a netCDF file.

    Parameters
    ----------
    path : Path
        netCDF-4 file with a coordinate ``time``.
    names : list of str
        Variables of shape (times,); dimensions of length 1 are dropped.

    Returns
    -------
    Contents

    Raises
    ------
    InputError
        If the file is absent, cannot be read, or lacks a variable; if its time axis is not one;
        if no netCDF reader is installed.
    """
    dataset, present = _load(path, ["time", *names])
    for name in ("time", *names):
        if name not in present:
            raise _missing(path, name, present)
    times = _times(path, dataset)
    variables = {name: _series(path, dataset, name, times.size) for name in names}
    bounds = dataset.variables.get(dataset["time"].attrs.get("bounds", ""))
    ends = None if bounds is None else _seconds(bounds.values)
    return Contents(times, ends, variables, {str(k): v for k, v in dataset.attrs.items()})


def _load(path: Path, names: list[str]) -> tuple[xarray.Dataset, list[str]]:
    """Take those variables that there are into memory, with the time bounds; list all names.

    h5py reads, xarray decodes: on damaged files h5netcdf leaves objects behind that print a
    traceback when they are collected, and it opens all variables where few are wanted.
    """
    if not path.is_file():
        raise InputError(f"{path} is not a file; give the path of a netCDF file.")
    try:
        import h5py
        import xarray
    except ImportError as error:
        raise InputError(
            f"{path}: reading netCDF needs {error.name or 'a library'}, which is not installed; "
            "pip install xarray h5py."
        ) from None
    try:
        with h5py.File(path, "r") as file:
            present = list(file)
            attributes = {str(k): _plain(v) for k, v in file.attrs.items()}
            bounds = _plain(file["time"].attrs.get("bounds", "")) if "time" in present else ""
            taken = [name for name in (*names, bounds) if name in present]
            raw = {name: _variable(file, name) for name in taken}
        return xarray.decode_cf(xarray.Dataset(raw, attrs=attributes)), present
    except _UNREADABLE as error:
        reason = (str(error).strip("'\" \n").splitlines() or [type(error).__name__])[0]
        raise InputError(
            f"{path} cannot be read as netCDF ({reason.rstrip('.')}); it may be truncated or of "
            "another format: get it again."
        ) from None


def _variable(file: Any, name: str) -> tuple[tuple[str, ...], NDArray[Any], dict[str, Any]]:
    """Return dimensions, raw values and the attributes that say how to decode them.

    The dimension that is as long as the time axis is taken for it.
    """
    dataset = file[name]
    length = file["time"].size if "time" in file else None
    axes = [f"{name}_{i}" for i in range(dataset.ndim)]
    if length in dataset.shape:
        axes[dataset.shape.index(length)] = "time"
    attributes = {key: _plain(dataset.attrs[key]) for key in _DECODING if key in dataset.attrs}
    return tuple(axes), np.asarray(dataset[...]), attributes


def _plain(value: Any) -> Any:
    """Return an attribute as a scalar or text, however HDF5 stored it."""
    if isinstance(value, np.ndarray) and value.size == 1:
        value = value.reshape(())[()]
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else value


def _missing(path: Path, name: str, present: list[str]) -> InputError:
    """Error for a variable that the file does not have; flags are not suggested for values."""
    alike = [other for other in present if other.endswith("_qc") == name.endswith("_qc")]
    return InputError(f"{path}: {unknown('variable', name, alike)}")


def _times(path: Path, dataset: xarray.Dataset) -> Times:
    """Return the decoded time axis."""
    times = dataset["time"].values
    if times.dtype.kind != "M" or times.ndim != 1 or times.size < 2:
        units = dataset["time"].attrs.get("units")
        raise InputError(
            f"{path}: time has shape {times.shape} and units={units!r}; a one-dimensional axis of "
            "at least two stamps is wanted, in units such as 'seconds since 2012-01-01T00:00:00'."
        )
    if np.any(np.isnat(times)):
        i = int(np.argmax(np.isnat(times)))
        raise InputError(f"{path}: time[{i}] is missing; every sample needs a stamp.")
    return _seconds(times)


def _series(path: Path, dataset: xarray.Dataset, name: str, length: int) -> Variable:
    """Return one variable as a float64 series over time."""
    variable = dataset[name]
    if "time" not in variable.dims or variable.size != length or variable.dtype.kind not in "fiu":
        raise InputError(
            f"{path}: {name} has type {variable.dtype} and shape {variable.shape}; "
            f"numbers over time ({length}) alone are wanted."
        )
    units = variable.attrs.get("units")
    values = np.asarray(variable.values, dtype=np.float64).reshape(length)
    return Variable(values, None if units is None else str(units))


def _seconds(times: NDArray[np.datetime64]) -> Times:
    """Round to seconds: axes in fractions of a day miss them by rounding errors."""
    half = np.timedelta64(500, "ms")
    return np.asarray((times + half).astype("datetime64[s]"))
