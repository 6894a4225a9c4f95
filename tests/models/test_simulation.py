import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
import xarray

from lsm_verify import Forcing, InputError, NoSolutionError, load_case, simulate
from lsm_verify.models import published
from lsm_verify.models.simulation import write_netcdf
from lsm_verify.quantities import OUTPUTS, STEFAN_BOLTZMANN

ROUND_OFF = 1e-12
"""Relative: fluxes are sums of a few terms of some 100 W m-2, each right to 1e-15 or so."""

FROZEN = {
    "volumetric_heat_capacity": 1e-3,
    "thermal_conductivity": 1e-9,
    "turbulent_transfer_coefficient": 0.0,
    "SWdown": [0.0, 0.0, -50.0, 0.0],
    "LWdown": [300.0, 300.0, 0.0, 300.0],
}
"""Hardly any soil, and a third step in which the surface only loses energy."""


@pytest.fixture(scope="module")
def case():
    return load_case("twin").window(4)


@pytest.fixture(scope="module")
def dated(case):
    forcing = case.forcing
    parts = {name: getattr(forcing, name) for name in ("time_step", "SWdown", "LWdown", "Tair")}
    start = np.datetime64("2012-05-01T07:00:00")
    return replace(case, forcing=Forcing(**parts, start=start))


@pytest.fixture(scope="module")
def dataset(case):
    return simulate(case)


def message(function, *arguments, **options):
    with pytest.raises(InputError) as caught:
        function(*arguments, **options)
    return str(caught.value)


class TestDataset:
    def test_names_dimensions_and_coordinates(self, dataset, case):
        assert set(dataset.data_vars) == set(OUTPUTS)
        assert dataset["SoilTemp"].dims == ("time", "depth")
        for name in set(OUTPUTS) - {"SoilTemp"}:
            assert dataset[name].dims == ("time",)
        assert dataset["time"].values.tolist() == [0.0, 3600.0, 7200.0, 10800.0, 14400.0]
        np.testing.assert_array_equal(dataset["depth"], case.grid.nodes)

    @pytest.mark.parametrize("name", OUTPUTS)
    def test_attributes(self, dataset, name):
        attributes = dataset[name].attrs
        assert attributes["units"] == OUTPUTS[name].unit
        assert attributes["long_name"] == OUTPUTS[name].description
        assert attributes.get("standard_name", "") == OUTPUTS[name].standard_name

    def test_conventions(self, dataset):
        assert dataset.attrs["Conventions"].startswith("CF-1.")
        assert dataset.attrs["title"].startswith("twin: ")
        assert dataset["depth"].attrs["positive"] == "down"
        assert dataset["depth"].attrs["units"] == "m"
        assert dataset["time"].attrs["units"] == "seconds since 2000-01-01T00:00:00"

    def test_the_initial_state_has_no_fluxes_of_a_step(self, dataset):
        for name in ("Qturb", "SWup", "Qg"):
            assert np.isnan(dataset[name][0])
            assert np.all(np.isfinite(dataset[name][1:]))
        for name in ("SoilTemp", "AvgSurfT", "LWup"):
            assert np.all(np.isfinite(dataset[name]))

    def test_signs_and_values(self, case, dataset):
        p, f = case.start, case.forcing
        T0 = dataset["SoilTemp"].values[:, 0]
        H = p["heat_transfer_coefficient"] * (1 + 1 / p["bowen_ratio"])
        up = case.fixed["emissivity"] * STEFAN_BOLTZMANN * T0**4
        turbulent = H * (T0[1:] - f.Tair)
        absorbed = (1 - p["albedo"]) * f.SWdown + f.LWdown
        expected = {
            "AvgSurfT": T0,
            "LWup": up,
            "Qturb": turbulent,
            "SWup": p["albedo"] * f.SWdown,
            "Qg": absorbed - up[1:] - turbulent,
        }
        for name, values in expected.items():
            found = dataset[name].values[-values.size :]
            np.testing.assert_allclose(found, values, rtol=ROUND_OFF, atol=ROUND_OFF, err_msg=name)
        # Night under a cold sky: the ground loses heat, and the colder surface draws on the air.
        assert np.all(dataset["Qg"][1:] < 0)
        assert np.all(dataset["Qturb"][1:] < 0)

    def test_ground_heat_flux_is_what_the_column_gains(self, case):
        wide = simulate(case, {"SWdown": np.full(4, 800.0)})
        C, V = case.start["volumetric_heat_capacity"], case.grid.volumes
        T = wide["SoilTemp"].values
        stored = (C * V[:-1] * np.diff(T[:, :-1], axis=0)).sum(axis=1) / 3600.0
        g = case.start["thermal_conductivity"] / case.grid.spacing[-1]
        below = g * (T[1:, -2] - T[1:, -1])
        assert np.all(wide["Qg"][1:] > 0)
        # The budget is a difference of heat contents of some 1e7 W m-2.
        np.testing.assert_allclose(wide["Qg"][1:], stored + below, atol=1e-6)

    def test_the_bottom_holds_the_prescribed_temperature(self, case):
        bottom = [290.0, 291.0, 292.0, 293.0]
        T = simulate(case, {"bottom_temperature": bottom})["SoilTemp"].values
        assert T[:, -1].tolist() == [290.0, *bottom]
        assert set(T[0]) == {290.0}  # the initial profile is tied to the bottom's first value


class TestBatch:
    def test_columns_come_first_and_do_not_mix(self, case):
        albedo = [[0.1], [0.5]]
        batch = simulate(case, {"albedo": albedo, "bottom_temperature": 292.0})
        assert batch.sizes == {"column": 2, "time": 5, "depth": 101}
        assert batch["SoilTemp"].dims == ("column", "time", "depth")
        for index, (value,) in enumerate(albedo):
            alone = simulate(case, {"albedo": value, "bottom_temperature": 292.0})
            for name in OUTPUTS:
                np.testing.assert_allclose(batch[name][index], alone[name], rtol=1e-13)

    def test_one_column_is_a_batch_too(self, case):
        assert simulate(case, {"albedo": [[0.1]]}).sizes["column"] == 1
        assert "column" not in simulate(case, {"albedo": 0.1}).sizes

    def test_a_column_without_solution_is_named(self, case):
        with pytest.raises(NoSolutionError) as caught:
            simulate(case, FROZEN | {"LWdown": [[300.0] * 4, FROZEN["LWdown"]]})
        assert (caught.value.step, caught.value.column) == (2, 1)


class TestRefusals:
    def test_unknown_model(self, case):
        assert message(simulate, case, model="dirct") == (
            "unknown model 'dirct'; known: fused, direct, published. Did you mean 'direct'?"
        )

    def test_unknown_parameter(self, case):
        assert message(simulate, case, {"albdo": 0.1}).endswith("Did you mean 'albedo'?")

    def test_no_device_of_that_name(self, case):
        assert message(simulate, case, device="gpu") == (
            "device='gpu' is no torch device; give cpu or cuda."
        )

    @pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA GPU here")
    @pytest.mark.parametrize("device", ["cuda", "cuda:1"])
    def test_no_gpu(self, case, device):
        assert message(simulate, case, device=device) == (
            f"device={device!r} is not there: torch finds no CUDA GPU; use cpu."
        )

    @pytest.mark.parametrize("device", ["meta", "xpu", "mps", "cuda:99"])
    def test_devices_that_torch_knows_and_cannot_use(self, case, device):
        assert f"device={device!r}" in message(simulate, case, device=device)

    def test_published_model_on_layers(self):
        layered = load_case("layered").window(3)
        assert message(simulate, layered, model="published").startswith(
            "the published method does not cover this case (grid spacing, time step, "
            "thermal_conductivity per node or interface, volumetric_heat_capacity per node or "
            "interface): it knows one "
        )
        truth = layered.point("truth")
        text = message(simulate, layered, truth, model="published")
        assert "grid spacing, time step" in text

    @pytest.mark.parametrize("tolerance", [1e-13, 0.0, -1.0, np.nan, np.inf])
    def test_tolerances_at_which_the_iteration_would_not_stop(self, case, tolerance):
        text = message(simulate, case, model="published", jacobi_tolerance=tolerance)
        assert text.startswith(f"Jacobi tolerance {tolerance:g} K must lie in [1e-12, 1]")

    def test_no_positive_root(self, case):
        with pytest.raises(NoSolutionError) as caught:
            simulate(case, FROZEN)
        assert (caught.value.step, caught.value.column) == (2, None)

    def test_published_iteration_that_does_not_converge(self, case, monkeypatch):
        monkeypatch.setattr(published, "MAX_SWEEPS", 500)
        # Its lagged emission swings without end where hardly any soil holds it.
        with pytest.raises(NoSolutionError) as caught:
            simulate(case, FROZEN, model="published")
        assert caught.value.step == 0


def test_fused_model_is_the_default_and_agrees_with_the_direct_one(case):
    fused, direct = (simulate(case, model=model) for model in ("fused", "direct"))
    xarray.testing.assert_identical(simulate(case), fused)
    for name in OUTPUTS:
        # Fluxes are small differences of terms of some 500 W m-2.
        np.testing.assert_allclose(fused[name], direct[name], rtol=ROUND_OFF, atol=5e2 * ROUND_OFF)
    assert not fused.identical(direct)  # two eliminations: not the same bits


def test_published_model_comes_near_the_direct_one(case):
    direct = simulate(case)["SoilTemp"].values
    loose = simulate(case, model="published", jacobi_tolerance=1e-2)["SoilTemp"].values
    tight = simulate(case, model="published", jacobi_tolerance=1e-9)["SoilTemp"].values
    # The sweep shrinks an error by 0.963: what is left is some 26 times the last change.
    assert np.max(np.abs(tight - direct)) < 100e-9
    assert 1e-3 < np.max(np.abs(loose - direct)) < 100e-2


class TestNetcdf:
    @pytest.mark.parametrize("parameters", [{}, {"albedo": [[0.1], [0.5]]}], ids=["one", "batch"])
    def test_reads_back(self, case, tmp_path, parameters):
        written = simulate(case, parameters)
        write_netcdf(written, tmp_path / "out.nc")
        with xarray.open_dataset(
            tmp_path / "out.nc", engine="h5netcdf", decode_times=False
        ) as read:
            xarray.testing.assert_identical(read.load(), written)

    def test_cf_time(self, dated, tmp_path):
        write_netcdf(simulate(dated), tmp_path / "out.nc")
        with xarray.open_dataset(tmp_path / "out.nc", engine="h5netcdf", decode_times=False) as raw:
            assert raw["time"].attrs["units"] == "seconds since 2012-05-01T07:00:00"
            assert raw["time"].values.tolist() == [0, 3600, 7200, 10800, 14400]
        with xarray.open_dataset(tmp_path / "out.nc", engine="h5netcdf") as read:
            assert read["time"].values[1] == np.datetime64("2012-05-01T08:00:00")

    def test_a_failure_while_writing_leaves_the_old_file(self, dataset, tmp_path, monkeypatch):
        path = tmp_path / "out.nc"
        path.write_bytes(b"old")

        def fail(self, target, **options):
            Path(target).write_bytes(b"half")
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(xarray.Dataset, "to_netcdf", fail)
        assert message(write_netcdf, dataset, path) == (
            f"cannot write {path}: No space left on device; free space or choose another place."
        )
        assert path.read_bytes() == b"old"
        assert os.listdir(tmp_path) == ["out.nc"]

    def test_places_where_nothing_can_be_written(self, dataset, tmp_path, monkeypatch):
        missing = tmp_path / "no" / "out.nc"
        assert message(write_netcdf, dataset, missing) == (
            f"cannot write {missing}: the folder {missing.parent} does not exist; create it first."
        )
        assert message(write_netcdf, dataset, tmp_path) == (
            f"cannot write {tmp_path}: it is a folder; give a file name."
        )
        # Permissions do not bind the superuser, under whom tests may run.
        monkeypatch.setattr(os, "access", lambda path, mode: False)
        assert "no permission" in message(write_netcdf, dataset, tmp_path / "out.nc")
        assert os.listdir(tmp_path) == []

    def test_without_a_netcdf_library(self, dataset, tmp_path, monkeypatch):
        monkeypatch.setitem(__import__("sys").modules, "h5netcdf", None)
        assert message(write_netcdf, dataset, tmp_path / "out.nc") == (
            "this needs h5netcdf, which is not installed; pip install h5netcdf."
        )
        assert os.listdir(tmp_path) == []
