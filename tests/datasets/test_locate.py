import hashlib
import subprocess
import sys

import pytest

from lsm_verify.datasets import cache_directory, data_directory, find, find_soil, provenance
from lsm_verify.datasets.locate import DIGITISED_FILE, TOWER_FILE
from lsm_verify.errors import InputError

REMEDY = r"run `lsm-verify data fetch`, or name their folder by --data DIR or LSM_VERIFY_DATA\.$"


@pytest.fixture(autouse=True)
def nowhere(monkeypatch, tmp_path):
    """Neither a variable nor a cache of the person who runs the tests."""
    monkeypatch.delenv("LSM_VERIFY_DATA", raising=False)
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache-home"))


def folder(tmp_path, name, *files):
    path = tmp_path / name
    for file in files:
        (path / file).parent.mkdir(parents=True, exist_ok=True)
        (path / file).write_text(name)
    return path


@pytest.mark.parametrize("place", ["", "us-westphoenix/"])
def test_explicit_directory_and_its_subfolder(tmp_path, place):
    given = folder(tmp_path, "given", f"{place}{TOWER_FILE}")
    assert find(TOWER_FILE, given) == given / f"{place}{TOWER_FILE}"
    assert find(TOWER_FILE, str(given)) == given / f"{place}{TOWER_FILE}"


def test_order_of_places(tmp_path, monkeypatch):
    cached = folder(tmp_path, "cache-home", f"lsm-verify/us-westphoenix/{TOWER_FILE}")
    assert find(TOWER_FILE) == cached / "lsm-verify" / "us-westphoenix" / TOWER_FILE
    named = folder(tmp_path, "named", TOWER_FILE)
    monkeypatch.setenv("LSM_VERIFY_DATA", str(named))
    assert find(TOWER_FILE) == named / TOWER_FILE
    given = folder(tmp_path, "given", TOWER_FILE)
    assert find(TOWER_FILE, given) == given / TOWER_FILE


def test_empty_variable_is_no_variable(tmp_path, monkeypatch):
    folder(tmp_path, "cache-home", f"lsm-verify/{TOWER_FILE}")
    monkeypatch.setenv("LSM_VERIFY_DATA", "")
    assert find(TOWER_FILE).read_text() == "cache-home"


@pytest.mark.parametrize("how", ["explicit", "variable"])
def test_nothing_falls_back_in_silence(tmp_path, monkeypatch, how):
    folder(tmp_path, "cache-home", f"lsm-verify/{TOWER_FILE}")
    empty = folder(tmp_path, "empty", "other.txt")
    if how == "variable":
        monkeypatch.setenv("LSM_VERIFY_DATA", str(empty))
    with pytest.raises(InputError, match=REMEDY) as caught:
        find(TOWER_FILE, empty if how == "explicit" else None)
    message = str(caught.value)
    assert f"{TOWER_FILE} is neither in {empty} nor in its subfolder us-westphoenix" in message
    assert "\n" not in message


def test_directory_that_does_not_exist(tmp_path, monkeypatch):
    gone = tmp_path / "gone"
    with pytest.raises(InputError, match=rf"--data \S+gone is not a directory; {REMEDY}"):
        find(TOWER_FILE, gone)
    monkeypatch.setenv("LSM_VERIFY_DATA", str(gone))
    with pytest.raises(InputError, match=rf"LSM_VERIFY_DATA=\S+gone is not a directory; {REMEDY}"):
        find(TOWER_FILE)


def test_no_cache_yet():
    with pytest.raises(InputError, match=rf"the cache \S+lsm-verify is not a directory; {REMEDY}"):
        data_directory()


def test_a_folder_of_that_name_is_no_file(tmp_path):
    given = folder(tmp_path, "given", f"{TOWER_FILE}/x")
    with pytest.raises(InputError, match="no data"):
        find(TOWER_FILE, given)


def test_original_soil_before_digitised(tmp_path):
    given = folder(tmp_path, "given", DIGITISED_FILE)
    assert find_soil(given).name == DIGITISED_FILE
    folder(tmp_path, "given", "us-westphoenix/591_fluxtower_data_3.csv")
    assert find_soil(given).name == "591_fluxtower_data_3.csv"
    with pytest.raises(InputError, match=rf"591_fluxtower_data\*\.csv or {DIGITISED_FILE} is"):
        find_soil(folder(tmp_path, "none", "x"))


@pytest.mark.parametrize(
    "platform, variable", [("win32", "LOCALAPPDATA"), ("darwin", "HOME"), ("linux", "HOME")]
)
def test_cache_of_each_platform(tmp_path, monkeypatch, platform, variable):
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setattr(sys, "platform", platform)
    monkeypatch.setenv(variable, str(tmp_path))
    assert cache_directory().name == "lsm-verify"
    assert tmp_path in cache_directory().parents


def test_provenance(tmp_path):
    given = folder(tmp_path, "given", "a.csv", "b/c.nc")
    expected = hashlib.sha256(b"given").hexdigest()
    assert provenance(given / "a.csv", given / "b" / "c.nc") == {
        "a.csv": expected,
        "c.nc": expected,
    }


def test_import_needs_numpy_alone():
    code = (
        "import sys, lsm_verify.datasets, lsm_verify.datasets.fetch;"
        "heavy = {'xarray', 'h5netcdf', 'h5py', 'pooch', 'requests', 'pandas', 'torch', 'numba'};"
        "sys.exit(', '.join(sorted(heavy & set(sys.modules))) or None)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
