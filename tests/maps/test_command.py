"""``lsm-verify map`` as it is typed: what it writes, what it says, and how it ends."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest
import xarray as xr

from lsm_verify import cli, map_cli
from lsm_verify.errors import InputError
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


def test_regions_that_fail_are_told(city, tmp_path, capsys):
    bad = city.copy(deep=True)
    bad["SoilTemp"][4, 0, 5, 7] = -9999.0
    bad.to_netcdf(tmp_path / "bad.nc", engine="h5netcdf")
    code, text, _ = call(
        capsys, "map", tmp_path / "bad.nc", tmp_path / "out.zarr", *ASKED, "--chunk", 16,
        "--workers", 1,
    )  # fmt: skip
    assert code == 2
    assert "FAILED  region 2 (y 4 to 5, x 0 to 7): " in text
    assert "-9999" in text
    assert text.splitlines()[-1].startswith("INCOMPLETE")
    assert "1 of 3 regions missing, go on with --resume" in text


def test_a_wrong_gradient_ends_with_1(city_file, tmp_path, capsys, monkeypatch):
    right = proof._evaluate

    def wrong(*asked):
        ((value, gradient),) = right(*asked)
        return [(value, {**gradient, "albedo": -gradient["albedo"]})]

    monkeypatch.setattr(proof, "_evaluate", wrong)
    code, text, _ = call(capsys, "map", city_file, tmp_path / "out.zarr", *ASKED, "--workers", 1)
    assert code == 1
    assert "NOT VERIFIED  column " in text
    assert text.splitlines()[-1].startswith("FAIL  gradient verified on 0 of 1 sampled columns")


def test_killed_and_resumed(city_file, tmp_path):
    """The command itself, by SIGKILL when some regions are done; then --resume."""
    program = [sys.executable, "-c", "from lsm_verify.cli import main; main()", "map"]
    whole, out = tmp_path / "whole.zarr", tmp_path / "out.zarr"
    asked = [*ASKED, "--chunk", "4", "--workers", "1", "--resume"]
    with subprocess.Popen(
        [*program, str(city_file), str(out), *asked],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    ) as child:  # fmt: skip
        until = time.monotonic() + 120
        while len(list(out.glob(f"{store.SEAL}/c/*"))) < 3 and time.monotonic() < until:
            time.sleep(0.005)
        os.kill(child.pid, signal.SIGKILL)
    assert child.returncode == -signal.SIGKILL
    assert 3 <= len(list(out.glob(f"{store.SEAL}/c/*"))) < 12
    for target in (whole, out):
        assert cli.run(["map", str(city_file), str(target), *asked]) == 0
    assert digest(out) == digest(whole)


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
    assert map_cli.size(text) == size


@pytest.mark.parametrize("text", ["", "MB", "0", "-1GB", "1XB", "nan", "inf"])
def test_what_is_no_amount(text):
    with pytest.raises(InputError, match="amount of memory"):
        map_cli.size(text)
