"""The file that a map is made of: netCDF or Zarr, opened once a process, read piece by piece."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from lsm_verify.errors import InputError

if TYPE_CHECKING:
    import xarray


def check_source(path: Path) -> None:
    """Refuse a path at which there is no netCDF file and no Zarr store."""
    if not path.exists():
        raise InputError(f"{path} is not there; give a netCDF file or a Zarr store.")
    if path.is_dir() and not any((path / n).is_file() for n in ("zarr.json", ".zgroup")):
        raise InputError(f"{path} is a folder and no Zarr store; give a netCDF file or a store.")


@lru_cache(maxsize=2)
def opened(path: str, period: tuple[str, str] | None = None) -> xarray.Dataset:
    """Open a file; nothing but its coordinates is read, and of those only what has an index.

    Parameters
    ----------
    period : pair of str, optional
        First and last time, as `numpy.datetime64` reads them; both are kept.

    Raises
    ------
    InputError
        If it cannot be read.
    """
    import xarray

    engine: Any = "zarr" if Path(path).is_dir() else "h5netcdf"
    # A store may have its metadata in one file or not; Xarray warns where it looks in vain.
    how: Any = {"consolidated": False} if engine == "zarr" else {}
    try:
        dataset = xarray.open_dataset(path, engine=engine, chunks=None, cache=False, **how)
    except Exception as error:
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise InputError(
            f"{path} cannot be read as {'Zarr' if engine == 'zarr' else 'netCDF-4'} "
            f"({reason.rstrip('.')}); it may be cut short or of another format: get it again."
        ) from None
    return dataset if period is None else _within(dataset, period)


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
