"""``lsm-verify map`` as it is typed: what it writes, what it says, and how it ends."""

import json
import os
import signal
import subprocess
import sys
import time
from contextlib import contextmanager

import numpy as np
import pytest
import xarray as xr

import lsm_verify as lv
from lsm_verify import cli, options
from lsm_verify.errors import InputError
from lsm_verify.kernels import marquardt
from lsm_verify.maps import proof, store
from tests.maps.conftest import ERROR, UNKNOWNS
from tests.maps.test_run import digest

ASKED = ["--unknowns", ",".join(UNKNOWNS), "--observation-error", str(ERROR)]


def call(capsys, *words):
    """Run a command; exit code, what it prints, what it says beside."""
    code = cli.run([str(word) for word in words])
    told = capsys.readouterr()
    return code, told.out, told.err


def test_a_map_and_what_is_said_of_it(city, city_file, tmp_path, capsys):
    out, told = tmp_path / "out.zarr", tmp_path / "told.json"
    code, text, beside = call(
        capsys, "map", city_file, out, *ASKED, "--chunk", 16, "--workers", 1, "--json", told
    )
    assert code == 0
    assert not beside
    found = xr.open_zarr(out).load()
    lines = text.splitlines()
    row = next(line for line in lines if line.startswith("albedo")).split()
    values = (found.albedo.min(), found.albedo.mean(), found.albedo.max())
    assert [float(word) for word in row[1:4]] == pytest.approx([float(x) for x in values], rel=1e-5)
    assert float(row[4]) == pytest.approx(float(found.albedo_standard_error.mean()), rel=0.05)
    assert "3 regions of up to 2 × 8 columns (y, x)" in text
    assert "48 of 48 columns: 48 converged" in text
    assert lines[-1].startswith("PASS  gradient verified on 3 of 3 sampled columns, max z ")
    summary = json.loads(told.read_text())
    assert summary["status"] == {"converged": 48}
    assert summary["gradient_verified"] == {"verified": 3, "wrong": 0, "inconclusive": 0}
    assert summary["exit_code"] == 0
    assert summary["max_z"] == pytest.approx(float(found.max_z.max()))
    # The same again: nothing is left to do, and the result stays.
    code, text, _ = call(capsys, "map", city_file, out, *ASKED, "--resume", "--workers", 1)
    assert code == 0
    assert "48 columns were done before" in text


def test_options_reach_the_columns(city, city_file, tmp_path, capsys):
    more = city.assign(guess=city.true_albedo * 0 + 0.3, floor=city.true_albedo * 0 + 0.2)
    more.to_netcdf(tmp_path / "in.nc", engine="h5netcdf")
    code, text, _ = call(
        capsys, "map", tmp_path / "in.nc", tmp_path / "out.zarr",
        "--unknowns", ",".join(UNKNOWNS), "--observation-error", "soil_temperature@0=0.1",
        "--observation-error", 0.05, "--start", "albedo=guess", "--bound", "albedo=floor,0.9",
        "--prior", "thermal_conductivity=0.6,0.01", "--log", "turbulent_transfer_coefficient",
        "--range", "thermal_conductivity=0.4,0.9", "--iterations", 50, "--verify", 2, "--seed", 3,
        "--period", "2012-05-01,2012-05-03T12:00", "--workers", 1, "--memory", "50MB",
    )  # fmt: skip
    assert code == 0
    found = xr.open_zarr(tmp_path / "out.zarr").load()
    asked = json.loads(found.attrs[store.ASKED])
    assert asked["observation_error"] == [0.1, 0.05]
    assert asked["start"] == {"albedo": "guess"}
    assert asked["bounds"] == {"albedo": ["floor", 0.9]}
    assert asked["logarithmic"] == ["turbulent_transfer_coefficient"]
    assert float(found.albedo.min()) == pytest.approx(0.2, abs=1e-12)
    assert int(found.observation_count.max()) == 2 * 61
    assert float(found.thermal_conductivity_standard_error.max()) <= 0.01
    assert int((found.gradient_verified == proof.VERIFIED).sum()) == 2
    assert "2 of 2 sampled columns" in text


def test_memory_bounds_the_regions(city_file, tmp_path, capsys):
    code, text, _ = call(
        capsys, "map", city_file, tmp_path / "out.zarr", *ASKED, "--memory", "70KB", "--workers", 1
    )
    assert code == 0
    assert "6 regions of up to 1 × 8 columns" in text


def test_regions_that_fail_are_told(city, tmp_path, capsys):
    bad = city.copy(deep=True)
    bad["SoilTemp"][4, 0, 1, 7] = -9999.0
    bad["SoilTemp"][:, :, 4:] -= 273.15
    bad.to_netcdf(tmp_path / "bad.nc", engine="h5netcdf")
    code, text, _ = call(
        capsys, "map", tmp_path / "bad.nc", tmp_path / "out.zarr", *ASKED, "--chunk", 16,
        "--workers", 1,
    )  # fmt: skip
    assert code == 2
    assert "FAILED  region 2 (y 4 to 5, x 0 to 7): y 4, x 0: soil_temperature=" in text
    assert "looks like °C" in " ".join(text.split())
    assert "IMPLAUSIBLE  y 1, x 7: soil_temperature=-9999.0 must lie in [150, 450] K" in text
    assert "32 of 48 columns: 31 converged, 1 implausible" in text
    assert text.splitlines()[-1].startswith("INCOMPLETE")
    assert "1 of 3 regions missing, go on with --resume" in text


def test_a_wrong_gradient_ends_with_1(city_file, tmp_path, capsys, monkeypatch):
    right = proof._among_neighbours

    def wrong(*asked):
        return {b: (value, g * [-1, 1, 1]) for b, (value, g) in right(*asked).items()}

    monkeypatch.setattr(proof, "_among_neighbours", wrong)
    code, text, _ = call(capsys, "map", city_file, tmp_path / "out.zarr", *ASKED, "--workers", 1)
    assert code == 1
    assert "NOT VERIFIED  y " in text
    assert ": wrong, levenberg stands apart from the other 2 routes" in text
    assert text.splitlines()[-1].startswith("FAIL  gradient verified on 0 of 1 sampled columns")


def test_options_of_the_model_reach_the_columns(city, tmp_path, capsys):
    """They are held against what calibrate_map makes of the same."""
    known = city.drop_vars(["emissivity"]).assign(land=city.true_albedo > 0.2)
    known.to_netcdf(tmp_path / "in.nc", engine="h5netcdf")
    code, _, _ = call(
        capsys, "map", tmp_path / "in.nc", tmp_path / "out.zarr", *ASKED, "--fix",
        "emissivity=0.9", "--fix", "initial_temperature=296", "--insulated", "--mask", "land",
        "--depth", 0.8, "--intervals", 40, "--observe", "SoilTemp", "--workers", 1,
    )  # fmt: skip
    assert code == 0
    expected = lv.calibrate_map(
        known.drop_vars("bottom_temperature"), ERROR, UNKNOWNS, grid=lv.Grid.uniform(0.8, 40),
        fixed={"emissivity": 0.9, "initial_temperature": 296.0}, insulated=True, mask="land",
    )  # fmt: skip
    found = xr.open_zarr(tmp_path / "out.zarr")
    np.testing.assert_array_equal(found.albedo.values, expected.albedo.values)
    assert 0 < int((found.status == marquardt.MASKED).sum()) < 48


PROGRAM = [sys.executable, "-c", "from lsm_verify.cli import main; main()", "map"]


def sealed(out):
    return len(list(out.glob(f"{store.SEAL}/c/*")))


def heeding():
    """Heed SIGINT, which a shell lets what it runs in the background ignore."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


@contextmanager
def begun(city_file, out, *more, chunk=4):
    """Begin a map, and wait until three of its regions are done: twelve of four columns each."""
    with subprocess.Popen(
        [*PROGRAM, str(city_file), str(out), *ASKED, "--chunk", str(chunk), *more],
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, preexec_fn=heeding,
    ) as child:  # fmt: skip
        until = time.monotonic() + 120
        while sealed(out) < 3 and time.monotonic() < until:
            time.sleep(0.005)
        yield child


def test_killed_and_resumed(city_file, tmp_path):
    """The command itself, by SIGKILL when some regions are done; then --resume."""
    whole, out = tmp_path / "whole.zarr", tmp_path / "out.zarr"
    with begun(city_file, out, "--workers", "1") as child:
        os.kill(child.pid, signal.SIGKILL)
    assert child.returncode == -signal.SIGKILL
    assert 3 <= sealed(out) < 12
    asked = [*ASKED, "--chunk", "4", "--workers", "1", "--resume"]
    for target in (whole, out):
        assert cli.run(["map", str(city_file), str(target), *asked]) == 0
    assert digest(out) == digest(whole)


@pytest.mark.slow
@pytest.mark.parametrize("sign", [signal.SIGINT, signal.SIGKILL])
def test_processes_end_with_the_command(city_file, tmp_path, sign):
    """Stopped, it ends soon and says what is done; killed, it leaves nobody who goes on writing."""
    import psutil

    out = tmp_path / "out.zarr"
    with begun(city_file, out, "--scheduler", "processes", "--workers", "1", chunk=1) as child:
        others = psutil.Process(child.pid).children(recursive=True)
        os.kill(child.pid, sign)
        text, _ = child.communicate(timeout=60)
    gone, alive = psutil.wait_procs(others, timeout=20)
    assert not alive
    assert gone
    done = sealed(out)
    assert 3 <= done < 48
    if sign == signal.SIGINT:
        assert child.returncode == 130
        assert text.splitlines()[-1].startswith("INTERRUPTED")
        assert f"{48 - done} of 48 regions missing" in text


# ------------------------------------------------------------------ what is refused


@pytest.mark.parametrize(
    "words, told",
    [
        (["--fix", "emissivity"], "--fix 'emissivity' must have the form NAME=VALUE"),
        (["--start", "albedo="], "--start 'albedo=' must have the form"),
        (["--bound", "albedo=0.1"], "--bound 'albedo=0.1' must have the form NAME=LOW,HIGH"),
        (["--memory", "much"], "--memory 'much' must be an amount of memory"),
        (["--period", "2012"], "--period '2012' must be two times"),
        (["--period", "2013-01-01,2014-01-01"], "holds 0 times"),
        (["--observe", "SoilTemp@deep"], "must be a variable, or one with its depth"),
        (["--observe", "LST"], "variable to observe"),
        (["--scheduler", "dask"], "scheduler='dask' is not known"),
        (["--depth", "-1"], "depth=-1.0 must be positive"),
        (["--intervals", "1"], "at least 2"),
        (["--mask", "lnad"], "variable for the mask"),
        (["--chunk", "0"], "chunk=0"),
        (["--prior", "albedo=0.3,-1"], "deviation of the prior of albedo is -1"),
        (["--prior", "albedo=nan,1"], "mean of the prior of albedo is not a number"),
        (["--prior", "thermal_conductivity=-3,1"], "thermal_conductivity=-3.0 must lie in"),
        (["--bound", "albedo=nan,1"], "bounds of albedo"),
        (["--bound", "albedo=0.4,0.1"], "lower < upper"),
        (["--start", "albedo=1.5"], "albedo=1.5 must lie in [0, 1]"),
        (["--iterations", "0"], "iterations=0"),
        (["--device", "tpu"], "device 'tpu'"),
        (["--unknown", "albedo"], "--unknowns"),
    ],
)
def test_wrong_words_are_one_line_and_exit_2(city_file, tmp_path, capsys, words, told):
    code, text, beside = call(capsys, "map", city_file, tmp_path / "out.zarr", *ASKED, *words)
    assert code == 2
    assert not text
    assert told in beside
    assert beside.count("\n") == 1
    assert not (tmp_path / "out.zarr").exists()
    assert not list(tmp_path.iterdir())


def test_without_the_extra_it_says_what_to_install(city_file, tmp_path, capsys, monkeypatch):
    from lsm_verify.maps import workers

    monkeypatch.setattr(workers, "find_spec", lambda name: None if name == "zarr" else True)
    code, _, beside = call(capsys, "map", city_file, tmp_path / "out.zarr", *ASKED)
    assert code == 2
    assert "pip install 'lsm-verify[map]'" in beside


@pytest.mark.parametrize(
    "text, size", [("500MB", 5e8), ("2 GiB", 2**31), ("1e6", 1e6), ("0.5gb", 5e8), (" 7 b", 7)]
)
def test_amounts_of_memory(text, size):
    assert options.size(text) == size


@pytest.mark.parametrize("text", ["", "MB", "0", "-1GB", "1XB", "nan", "inf"])
def test_what_is_no_amount(text):
    with pytest.raises(InputError, match="amount of memory"):
        options.size(text)
