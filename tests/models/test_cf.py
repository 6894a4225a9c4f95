"""Files that simulate and calibrate write, read by a checker of the CF conventions.

The checker (IOOS's, with its own copy of the table of standard names) runs as a program: its netCDF
library and h5py bring a HDF5 each.
"""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys

import pytest

from lsm_verify import load_case
from lsm_verify.inverse.calibrate import calibrate
from lsm_verify.inverse.varying import varying
from lsm_verify.maps.calibrate_map import calibrate_map
from lsm_verify.maps.synthetic import synthetic_city
from lsm_verify.models.simulation import CONVENTIONS, simulate, write_netcdf
from lsm_verify.quantities import OUTPUTS

PROGRAM = """
import sys
from compliance_checker.runner import CheckSuite, ComplianceChecker

CheckSuite.load_all_available_checkers()
checker, path = sys.argv[1:]
passed, broke = ComplianceChecker.run_checker(path, [checker], 1, "strict")
sys.exit(0 if passed and not broke else 1)
"""
"""``strict``: recommendations too; ``broke``: the checker itself did on what it read."""


@pytest.fixture(scope="module")
def checked():
    """Return what the checker says of a file: exit code and report; warnings count as errors."""
    if importlib.util.find_spec("compliance_checker") is None:
        reason = "no CF checker: pip install 'lsm-verify[cf]', or make cf"
        if os.environ.get("LSM_VERIFY_REQUIRE_CF") == "1":
            pytest.fail(reason)
        pytest.skip(reason)

    def run(dataset, folder):
        path = folder / "out.nc"
        write_netcdf(dataset, path)
        version = CONVENTIONS.lower().replace("-", ":")
        done = subprocess.run(
            [sys.executable, "-c", PROGRAM, version, str(path)],
            capture_output=True,
            text=True,
            check=False,
        )
        return done.returncode, done.stdout + done.stderr

    return run


@pytest.fixture(scope="module")
def twin():
    return load_case("twin").window(5)


@pytest.mark.parametrize("name", ["twin", "layered"])
def test_a_simulation_passes(checked, tmp_path, name):
    code, report = checked(simulate(load_case(name).window(5)), tmp_path)
    assert (code, "All tests passed" in report) == (0, True), report


def test_a_batch_passes(checked, tmp_path, twin):
    code, report = checked(simulate(twin, {"albedo": [[0.1], [0.3]]}), tmp_path)
    assert (code, "All tests passed" in report) == (0, True), report


def test_a_map_passes(checked, tmp_path):
    city = synthetic_city(2, 3)
    placed = city.assign_coords(lat=("y", [51.0, 51.1]), lon=("x", [0.0, 0.1, 0.2]))
    placed.lat.attrs.update(standard_name="latitude", units="degrees_north")
    placed.lon.attrs.update(standard_name="longitude", units="degrees_east")
    for name in ("y", "x"):
        about = {"standard_name": f"projection_{name}_coordinate", "units": "m"}
        placed[name].attrs.update(about)
    known = {"volumetric_heat_capacity": 2.2e6, "turbulent_transfer_coefficient": 20.0}
    unknowns = ["albedo", "thermal_conductivity", "bottom_temperature"]
    code, report = checked(calibrate_map(placed, 0.05, unknowns, fixed=known), tmp_path)
    assert (code, "All tests passed" in report) == (0, True), report


@pytest.mark.phoenix
def test_a_dated_simulation_passes(checked, tmp_path, data_dir):
    case = load_case("phoenix", data=data_dir, interpolate_gaps=4).window(5)
    code, report = checked(simulate(case), tmp_path)
    assert (code, "All tests passed" in report) == (0, True), report


def test_a_calibration_passes(checked, tmp_path, twin):
    code, report = checked(calibrate(twin, iterations=1).to_dataset(), tmp_path)
    assert (code, "All tests passed" in report) == (0, True), report


def test_a_calibration_of_a_value_per_step_passes(checked, tmp_path, twin):
    found = calibrate(varying(twin, "albedo"), iterations=1)
    code, report = checked(found.to_dataset(), tmp_path)
    assert (code, "All tests passed" in report) == (0, True), report


@pytest.mark.parametrize(
    "attribute, value",
    [("units", "warm"), ("standard_name", "earth_temperature"), ("units_metadata", None)],
)
def test_the_checker_can_refuse(checked, tmp_path, twin, attribute, value):
    dataset = simulate(twin)
    dataset["SoilTemp"].attrs.pop(attribute)
    if value is not None:
        dataset["SoilTemp"].attrs[attribute] = value
    code, report = checked(dataset, tmp_path)
    assert code == 1
    assert (value or attribute) in report


def test_names_are_alma_and_attributes_those_of_the_registry(twin):
    dataset = simulate(twin)
    assert dataset.attrs["Conventions"] == CONVENTIONS
    for name, quantity in OUTPUTS.items():
        assert dataset[name].attrs["units"] == quantity.unit
        assert dataset[name].attrs.get("standard_name", "") == quantity.standard_name
        assert dataset[name].attrs["cell_methods"] == "time: point"


def test_an_undated_case_says_that_it_has_no_date(twin):
    time = simulate(twin)["time"]
    assert time.attrs["units"].startswith("seconds since ")
    assert "has no date" in time.attrs["comment"]
