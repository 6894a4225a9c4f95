"""A small city that the tests of maps share, in memory and as a file."""

import pytest

from lsm_verify.maps.synthetic import synthetic_city

UNKNOWNS = ("albedo", "thermal_conductivity", "turbulent_transfer_coefficient")
HELD = ("volumetric_heat_capacity", "bottom_temperature")
ERROR = 0.05


@pytest.fixture(scope="session")
def city():
    """Return 6 × 8 columns with three unknown fields."""
    return synthetic_city(6, 8, ERROR, held=HELD, seed=1)


@pytest.fixture(scope="session")
def city_file(city, tmp_path_factory):
    """Return the city as a netCDF file."""
    path = tmp_path_factory.mktemp("city") / "city.nc"
    city.to_netcdf(path, engine="h5netcdf")
    return path
