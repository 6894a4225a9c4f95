"""The file that a map is made of: netCDF or Zarr, opened once a process, read piece by piece."""

from __future__ import annotations

import atexit
import hashlib
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from lsm_verify.errors import InputError

if TYPE_CHECKING:
    import xarray


METADATA = ("zarr.json", ".zgroup")
"""Files by which a Zarr store is known."""


def check_source(path: Path) -> None:
    """Refuse a path at which there is no netCDF file and no Zarr store."""
    if not path.exists():
        raise InputError(f"{path} is not there; give a netCDF file or a Zarr store.")
    if path.is_dir() and not any((path / n).is_file() for n in METADATA):
        raise InputError(f"{path} is a folder and no Zarr store; give a netCDF file or a store.")


def opened(path: str, period: tuple[str, str] | None = None) -> xarray.Dataset:
    """Open a file, once for as long as it stays what it is; nothing is read but coordinates.

    Parameters
    ----------
    period : pair of str, optional
        First and last time, as `numpy.datetime64` reads them; both are kept.

    Raises
    ------
    InputError
        If it cannot be read.
    """
    about = Path(path)
    told = next((about / name for name in METADATA if (about / name).is_file()), about)
    try:
        stat = told.stat()
    except OSError as error:
        raise InputError(f"{path} cannot be read ({error.strerror}).") from None
    dataset = _opened(path, (stat.st_ino, stat.st_size, stat.st_mtime_ns))
    return dataset if period is None else _within(dataset, period)


@lru_cache(maxsize=2)
def _opened(path: str, stamp: tuple[int, ...]) -> xarray.Dataset:
    """Open a file that bears a stamp: workers of a cluster outlive the files that they read."""
    import xarray

    engine: Any = "zarr" if Path(path).is_dir() else "h5netcdf"
    # A store may have its metadata in one file or not; Xarray warns where it looks in vain.
    how: Any = {"consolidated": False} if engine == "zarr" else {}
    try:
        dataset = xarray.open_dataset(path, engine=engine, chunks=None, cache=False, **how)
        atexit.register(dataset.close)  # before the libraries that would close it are gone
        return dataset
    except Exception as error:
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(".")
        if "calendar" in reason or "cftime" in reason:
            raise InputError(
                f"{path} has times that are no dates ({reason}); give a calendar of real dates."
            ) from None
        raise InputError(
            f"{path} cannot be read as {'Zarr' if engine == 'zarr' else 'netCDF-4'} "
            f"({reason}); it may be cut short or of another format: get it again."
        ) from None


def digest(dataset: xarray.Dataset) -> bytes:
    """Return a digest of the values of a dataset in memory."""
    total = hashlib.blake2b(digest_size=16)
    for name in sorted(map(str, dataset.data_vars)):
        variable = dataset[name]
        total.update(f"{name} {variable.dims} {variable.shape} {variable.dtype}".encode())
        total.update(np.ascontiguousarray(variable.values).tobytes())
    return total.digest()


def _within(dataset: xarray.Dataset, period: tuple[str, str]) -> xarray.Dataset:
    try:
        first, last = (np.datetime64(each) for each in period)
    except ValueError:
        raise InputError(
            f"period {','.join(period)} must be two times, 2012-05-01T07:00,2012-05-07T13:00, say."
        ) from None
    if "time" not in dataset.coords or dataset["time"].dtype.kind != "M":
        raise InputError("a period is given, and time is no coordinate of dates.")
    stamps = dataset["time"].values
    kept = np.flatnonzero((stamps >= first) & (stamps <= last))
    if kept.size < 2:
        raise InputError(
            f"period {','.join(period)} holds {kept.size} times of {stamps[0]} to {stamps[-1]}; "
            "give one that holds two at least."
        )
    return dataset.isel(time=slice(int(kept[0]), int(kept[-1]) + 1))
