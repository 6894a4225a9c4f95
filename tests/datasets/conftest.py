import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

START = np.datetime64("2012-05-01T00:00:00")
SAMPLES = 48

UNITS = {"SWdown": "W/m2", "LWdown": "W/m2", "Tair": "K", "LWup": "W/m2", "SoilTemp": "K"}
OFFSET = {"SWdown": 500.0, "LWdown": 300.0, "Tair": 290.0, "LWup": 450.0, "SoilTemp": 295.0}


@pytest.fixture
def tower_file(tmp_path: Path) -> Callable[..., Path]:
    """Write a day of half-hourly tower data; ``change`` edits the dataset before it is written.

    Sample i of every variable is its offset plus i, so that means can be told by heart.
    """
    for module in ("h5netcdf", "h5py"):
        try:
            __import__(module)
        except ImportError:
            _absent(f"no netCDF reader ({module}); pip install h5netcdf h5py")
    import xarray

    def write(change: Callable[[Any], Any] = lambda dataset: dataset) -> Path:
        stamps = START + np.arange(1, SAMPLES + 1) * np.timedelta64(1800, "s")
        dataset = xarray.Dataset(
            coords={"time": stamps.astype("datetime64[ns]")}, attrs={"time_shown_in": "UTC"}
        )
        for name, units in UNITS.items():
            values = OFFSET[name] + np.arange(SAMPLES)
            dataset[name] = ("time", values.astype(np.float32), {"units": units})
            dataset[f"{name}_qc"] = ("time", np.zeros(SAMPLES, dtype=np.int8))
        path = tmp_path / "tower.nc"
        change(dataset).to_netcdf(path, engine="h5netcdf")
        return path

    return write


@pytest.fixture
def edi_file(tmp_path: Path) -> Callable[..., Path]:
    """Write two hours of the original soil table; ``edit`` changes its lines."""

    def write(edit: Callable[[list[str]], list[str]] = lambda lines: lines) -> Path:
        lines = ['"TIMESTAMP","Temp_C_Avg","Temp_C_2_Avg","Temp_C_3_Avg","shf_Avg"']
        for i, time in enumerate(("00:00", "00:30", "01:00", "01:30", "02:00")):
            lines.append(f'"2012-05-01 {time}:00",40.0,{30 + i}.25,{25 + i}.5,1.0')
        path = tmp_path / "591_fluxtower_data_v1.csv"
        path.write_text("\n".join(edit(lines)) + "\n", encoding="utf-8")
        return path

    return write


@pytest.fixture
def digitised_file(tmp_path: Path) -> Callable[..., Path]:
    """Write two hours of the digitised soil table; ``edit`` changes its lines."""

    def write(edit: Callable[[list[str]], list[str]] = lambda lines: lines) -> Path:
        lines = ["time_utc,time_local,SoilTemp_5cm_K,SoilTemp_15cm_K,quality"]
        lines += [
            f"2012-05-01 0{7 + i}:00:00,2012-05-01 0{i}:00:00,{305 + i}.5,{307 - i}.0,ok"
            for i in range(3)
        ]
        path = tmp_path / "US-WestPhoenix_T5_T15_digitised.csv"
        path.write_text("\n".join(edit(lines)) + "\n", encoding="utf-8")
        return path

    return write


def _absent(reason: str) -> None:
    if os.environ.get("LSM_VERIFY_REQUIRE_DATA") == "1":
        pytest.fail(reason)
    pytest.skip(reason)
