"""A file in, a store out: region by region, to the same bits however it was interrupted."""

import hashlib
import json
import shutil
from dataclasses import fields, replace

import numpy as np
import pytest
import xarray as xr

import lsm_verify as lv
from lsm_verify.errors import InputError
from lsm_verify.files import alone
from lsm_verify.grid import Grid
from lsm_verify.kernels import marquardt
from lsm_verify.maps import proof, run, store, workers
from lsm_verify.maps.job import Settings
from lsm_verify.maps.result import NOT_COMPUTED
from lsm_verify.maps.run import make_map
from lsm_verify.maps.workers import Workers, workers_of
from tests.maps.conftest import ERROR, UNKNOWNS
from tests.maps.mortal import mortal

SETTINGS = Settings(ERROR, UNKNOWNS)
ONE = Workers("threads", 1)
COLUMNS, REGIONS = 16, 3
"""Columns of a region at most, and how many regions the city has then."""


def digest(folder):
    """Return every file of a store with its bytes."""
    files = sorted(p for p in folder.rglob("*") if p.is_file())
    return {str(p.relative_to(folder)): hashlib.sha256(p.read_bytes()).hexdigest() for p in files}


@pytest.fixture(scope="module")
def whole(city_file, tmp_path_factory):
    """Return the store of an undisturbed run, and what became of it."""
    target = tmp_path_factory.mktemp("whole") / "out.zarr"
    found = make_map(city_file, target, SETTINGS, ONE, columns=COLUMNS)
    return target, found


def test_a_store_holds_what_calibrate_map_finds(city, whole):
    target, mapped = whole
    assert mapped.exit_code == 0
    assert mapped.plan.regions == REGIONS
    found = xr.open_zarr(target)
    expected = lv.calibrate_map(city, ERROR, UNKNOWNS)
    assert set(found.data_vars) - set(expected.data_vars) == {store.SEAL}
    for name in expected.data_vars:
        if name in ("gradient_verified", "max_z"):
            continue
        np.testing.assert_array_equal(found[name].values, expected[name].values, name)
        assert found[name].dtype == expected[name].dtype
        assert found[name].dims == expected[name].dims
        assert found[name].attrs["units"] if "units" in expected[name].attrs else True
    np.testing.assert_array_equal(found.y.values, city.y.values)
    assert int((found.gradient_verified == proof.VERIFIED).sum()) == REGIONS
    assert mapped.count("verified") == {proof.VERIFIED: REGIONS}
    assert mapped.max_z == pytest.approx(float(found.max_z.max()))


@pytest.mark.parametrize("who", [Workers("threads", 2), Workers("processes", 2)], ids=str)
def test_workers_change_no_bit(city_file, whole, tmp_path, who):
    found = make_map(city_file, tmp_path / "out.zarr", SETTINGS, who, columns=COLUMNS)
    assert found.exit_code == 0
    assert digest(tmp_path / "out.zarr") == digest(whole[0])


def test_a_zarr_store_in_gives_the_same_map(city, whole, tmp_path):
    city.chunk({"y": 3, "x": 4}).to_zarr(tmp_path / "in.zarr", consolidated=False)
    found = make_map(tmp_path / "in.zarr", tmp_path / "out.zarr", SETTINGS, ONE)
    assert found.plan.chunk == (6, 8)
    new, old = xr.open_zarr(tmp_path / "out.zarr"), xr.open_zarr(whole[0])
    np.testing.assert_array_equal(new.albedo.values, old.albedo.values)


# ------------------------------------------------------------------ interrupted


class Stop(BaseException):
    """Ends a run as a kill does: nothing that follows is done."""


@pytest.mark.parametrize("at", [0, 2, 7, 20, 21, 35, 52])
def test_killed_at_any_write_and_resumed(city_file, whole, tmp_path, monkeypatch, at):
    """Every write of an array is a moment; a region has eighteen and its seal."""
    import zarr

    target, right, count = tmp_path / "out.zarr", zarr.Array.__setitem__, [0]

    def counted(self, place, value):
        if count[0] == at:
            raise Stop
        count[0] += 1
        right(self, place, value)

    monkeypatch.setattr(zarr.Array, "__setitem__", counted)
    with pytest.raises(Stop):
        make_map(city_file, target, SETTINGS, ONE, columns=COLUMNS)
    monkeypatch.undo()
    done = len(list(target.glob(f"{store.SEAL}/c/*")))
    assert done < REGIONS
    if target.exists():  # what has a status is whole
        half = xr.open_zarr(target)
        told = half.status.values != NOT_COMPUTED
        assert told.sum() >= 16 * done
        assert np.isfinite(half[UNKNOWNS[-1]].values[told]).all()
        assert np.isfinite(half.misfit.values[told]).all()
        assert (half.iterations.values[told] > 0).all()
    if target.exists():  # what Zarr leaves when it is killed in a write
        (target / "albedo" / "c.0123.partial").write_bytes(b"half")
    again = make_map(city_file, target, SETTINGS, ONE, columns=COLUMNS, resume=True)
    assert again.exit_code == 0
    assert sum(each.kept for each in again.outcomes) == done
    assert digest(target) == digest(whole[0])


@pytest.mark.parametrize("damage", ["cut", "changed", "gone"])
def test_what_a_fallen_machine_spoiled_is_done_again(city_file, whole, tmp_path, damage):
    target = tmp_path / "out.zarr"
    shutil.copytree(whole[0], target)
    chunk = next(p for p in (target / "albedo" / "c").rglob("*") if p.is_file())
    if damage == "cut":
        chunk.write_bytes(b"")
    elif damage == "changed":
        other = next(p for p in (target / "chi_square" / "c").rglob("*") if p.is_file())
        shutil.copy(other, chunk)
    else:
        chunk.unlink()
    again = make_map(city_file, target, SETTINGS, ONE, columns=COLUMNS, resume=True)
    assert [each.kept for each in again.outcomes].count(False) == 1
    assert digest(target) == digest(whole[0])


def test_interrupted_by_the_user(city_file, tmp_path, monkeypatch):
    done = []

    def announce(outcome):
        done.append(outcome)
        raise KeyboardInterrupt

    target = tmp_path / "out.zarr"
    found = make_map(city_file, target, SETTINGS, ONE, columns=COLUMNS, announce=announce)
    assert found.interrupted
    assert found.exit_code == 130
    # What ran when it was stopped has come to its end, and counts.
    assert 1 <= len(found.outcomes) < REGIONS
    assert store.Store(str(target), found.job, found.plan).done() == [
        each.region for each in found.outcomes
    ]
    again = make_map(city_file, target, SETTINGS, ONE, columns=COLUMNS, resume=True)
    assert again.exit_code == 0


# ------------------------------------------------------------------ failures


def failing(monkeypatch, at, error):
    right = run.calibrate_block

    def sometimes(dataset, job, numbers, **options):
        if numbers.ravel()[0] == at:
            raise error
        return right(dataset, job, numbers, **options)

    monkeypatch.setattr(run, "calibrate_block", sometimes)


@pytest.mark.parametrize(
    "error, code", [(InputError("albedo=7 is odd."), 2), (ZeroDivisionError("by zero"), 4)]
)
def test_a_region_that_fails_takes_no_other_down(
    city_file, whole, tmp_path, monkeypatch, error, code
):
    target = tmp_path / "out.zarr"
    first = int(whole[1].plan.numbers(1).ravel()[0])
    failing(monkeypatch, first, error)
    found = make_map(city_file, target, SETTINGS, ONE, columns=COLUMNS)
    assert found.exit_code == code
    assert [each.region for each in found.failed] == [1]
    assert str(error) in found.failed[0].error
    assert bool(found.failed[0].trace) == (code == 4)
    made = xr.open_zarr(target)
    box = dict(zip(("y", "x"), whole[1].plan.box(1), strict=True))
    assert np.all(made.status.isel(box) == NOT_COMPUTED)
    assert np.isnan(made.albedo.isel(box)).all()
    assert int((made.status == NOT_COMPUTED).sum()) == made.status.isel(box).size
    noted = json.loads(made.attrs[store.FAILED])
    assert noted[0]["region"] == 1
    assert str(error) in noted[0]["error"]
    monkeypatch.undo()
    again = make_map(city_file, target, SETTINGS, ONE, columns=COLUMNS, resume=True)
    assert again.exit_code == 0
    assert xr.open_zarr(target).attrs[store.FAILED] == "[]"
    remade, right = xr.open_zarr(target), xr.open_zarr(whole[0])
    xr.testing.assert_identical(remade.load(), right.load())


def test_bad_values_in_one_region_are_told_with_it(city, tmp_path):
    bad = city.copy(deep=True)
    bad["SoilTemp"][4, 0, 1, 7] = -9999.0
    bad["SoilTemp"][4, 0, 4:] = -9999.0
    bad.to_netcdf(tmp_path / "bad.nc", engine="h5netcdf")
    found = make_map(tmp_path / "bad.nc", tmp_path / "out.zarr", SETTINGS, ONE, columns=COLUMNS)
    assert found.exit_code == 2
    assert [each.region for each in found.failed] == [REGIONS - 1]
    assert found.failed[0].error.startswith("y 4, x 0: soil_temperature=-9999.0 must lie in")
    assert len(found.odd) == 1
    assert found.odd[0].startswith("y 1, x 7: soil_temperature=-9999.0 must lie in")
    assert found.count("status")[marquardt.IMPLAUSIBLE] == 1


def test_a_wrong_gradient_is_exit_code_1_and_told(city_file, tmp_path, monkeypatch):
    right = proof._among_neighbours

    def wrong(*asked):
        return {b: (value, g * [1.001, 1, 1]) for b, (value, g) in right(*asked).items()}

    monkeypatch.setattr(proof, "_among_neighbours", wrong)
    found = make_map(city_file, tmp_path / "out.zarr", SETTINGS, ONE, columns=COLUMNS)
    assert found.exit_code == 1
    assert len(found.wrong) == REGIONS
    assert all("albedo" in text for text in found.wrong)
    made = xr.open_zarr(tmp_path / "out.zarr")
    assert int((made.gradient_verified == proof.WRONG).sum()) == REGIONS
    # What was verified as wrong stays so when the run is gone on with: nothing is left to do.
    again = make_map(city_file, tmp_path / "out.zarr", SETTINGS, ONE, columns=COLUMNS, resume=True)
    assert again.exit_code == 1


def test_nothing_converged_is_exit_code_3(city, tmp_path):
    city.assign(land=(("y", "x"), np.zeros((6, 8)))).to_netcdf(
        tmp_path / "sea.nc", engine="h5netcdf"
    )
    settings = Settings(ERROR, UNKNOWNS, mask="land")
    found = make_map(tmp_path / "sea.nc", tmp_path / "out.zarr", settings, ONE)
    assert found.count("status") == {marquardt.MASKED: 48}
    assert found.exit_code == 3


# ------------------------------------------------------------------ workers that die


def given_up(work, number, reason):
    return (number, reason)


def test_a_process_that_dies_takes_nothing_with_it(tmp_path):
    (tmp_path / "kill2").write_text("once")
    (tmp_path / "kill5").write_text("always")
    found = list(Workers("processes", 2).map(mortal, str(tmp_path), range(8), given_up))
    lost = [each for each in found if isinstance(each, tuple)]
    assert lost == [(5, f"its worker died {workers.TRIES} times")]
    assert sorted(each for each in found if not isinstance(each, tuple)) == [0, 1, 2, 3, 4, 6, 7]


@pytest.mark.slow
def test_a_cluster_of_two_workers_one_of_which_is_killed(city_file, whole, tmp_path):
    import psutil
    from distributed import LocalCluster

    target = tmp_path / "out.zarr"
    with LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster:
        who = workers_of(cluster.scheduler_address, None)
        assert who.count == 2
        killed = []

        def kill_one(outcome):
            if not killed:
                nanny = next(iter(cluster.workers.values()))
                killed.append(nanny.pid)
                psutil.Process(nanny.pid).kill()

        found = make_map(city_file, target, SETTINGS, who, columns=COLUMNS, announce=kill_one)
    assert killed
    assert found.exit_code == 0
    assert digest(target) == digest(whole[0])


# ------------------------------------------------------------------ what is refused


def test_a_store_is_not_overwritten_and_not_mixed(city, city_file, whole, tmp_path):
    target = tmp_path / "out.zarr"
    shutil.copytree(whole[0], target)
    before = digest(target)
    with pytest.raises(InputError, match="give --resume"):
        make_map(city_file, target, SETTINGS, ONE)
    with pytest.raises(InputError, match="another observation_error"):
        make_map(city_file, target, Settings(0.1, UNKNOWNS), ONE, resume=True)
    city.assign_coords(y=city.y + 1).to_netcdf(tmp_path / "b.nc", engine="h5netcdf")
    with pytest.raises(InputError, match="another input"):
        make_map(tmp_path / "b.nc", target, SETTINGS, ONE, resume=True)
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "note.txt").write_text("mine")
    with pytest.raises(InputError, match="no Zarr store of a map"):
        make_map(city_file, tmp_path / "other", SETTINGS, ONE, resume=True)
    with pytest.raises(InputError, match="in regions of 2 × 8 columns"):
        make_map(city_file, target, SETTINGS, ONE, columns=5, resume=True)
    with alone(target), pytest.raises(InputError, match="another run is writing"):
        make_map(city_file, target, SETTINGS, ONE, resume=True)
    assert digest(target) == before
    assert (tmp_path / "other" / "note.txt").read_text() == "mine"


@pytest.mark.parametrize(
    "name, words",
    [("absent.nc", "is not there"), ("empty", "no Zarr store"), ("broken.nc", "cannot be read")],
)
def test_what_cannot_be_read_is_told(tmp_path, name, words):
    (tmp_path / "empty").mkdir()
    (tmp_path / "broken.nc").write_bytes(b"CDF and no more")
    with pytest.raises(InputError, match=words):
        make_map(tmp_path / name, tmp_path / "out.zarr", SETTINGS, ONE)
    assert not (tmp_path / "out.zarr").exists()


def test_netcdf_is_no_store(city_file, tmp_path):
    with pytest.raises(InputError, match=r"give .*out\.zarr"):
        make_map(city_file, tmp_path / "out.nc", SETTINGS, ONE)


@pytest.mark.parametrize(
    "scheduler, count, words",
    [
        ("thread", None, "not known"),
        ("threads", 0, "at least 1"),
        ("tcp://127.0.0.1:9", 3, "--workers is for"),
    ],
)
def test_workers_are_checked(scheduler, count, words):
    with pytest.raises(InputError, match=words):
        workers_of(scheduler, count)


def test_a_scheduler_that_does_not_answer(monkeypatch):
    monkeypatch.setattr(workers, "PATIENCE", 0.5)
    with pytest.raises(InputError, match="no Dask scheduler answers"):
        workers_of("tcp://127.0.0.1:9", None)


# ------------------------------------------------------------------ another file, another run

OTHER = {
    "unknowns": UNKNOWNS[:2], "observation_error": 0.06, "fixed": {"initial_temperature": 295.0},
    "start": {"albedo": 0.2}, "ranges": {"albedo": (0.1, 0.4)}, "bounds": {"albedo": (0.0, 0.9)},
    "priors": {"albedo": (0.2, 0.5)}, "logarithmic": ("albedo",), "iterations": 99,
    "observe": {"SoilTemp": None}, "mask": "true_albedo", "verify": 2, "seed": 1,
    "grid": Grid.uniform(1.0, 99),
}  # fmt: skip


@pytest.mark.parametrize("name", OTHER)
def test_a_run_is_not_gone_on_with_other_settings(city_file, whole, tmp_path, name):
    target = tmp_path / "out.zarr"
    shutil.copytree(whole[0], target)
    other = replace(SETTINGS, **{name: OTHER[name]})
    if name == "unknowns":  # what is not estimated must be known
        other = replace(other, fixed={UNKNOWNS[2]: 20.0})
    with pytest.raises(InputError, match="was begun with another"):
        make_map(city_file, target, other, ONE, resume=True)
    assert digest(target) == digest(whole[0])


def test_every_setting_is_among_those_that_are_compared():
    assert {field.name for field in fields(Settings)} - set(OTHER) == {"insulated", "device"}


def test_a_region_whose_values_have_changed_is_done_again(city, whole, tmp_path):
    """One value in the middle of the map: what was made of the others stays."""
    changed, target = city.copy(deep=True), tmp_path / "out.zarr"
    changed["SoilTemp"][50, 1, 3, 4] += 0.5
    changed.to_netcdf(tmp_path / "in.nc", engine="h5netcdf")
    shutil.copytree(whole[0], target)
    again = make_map(tmp_path / "in.nc", target, SETTINGS, ONE, columns=COLUMNS, resume=True)
    assert [each.kept for each in again.outcomes] == [True, False, True]
    make_map(tmp_path / "in.nc", tmp_path / "new.zarr", SETTINGS, ONE, columns=COLUMNS)
    assert digest(target) == digest(tmp_path / "new.zarr")


def test_a_file_that_takes_the_place_of_another_is_read_anew(city, tmp_path):
    """Workers of a cluster live on: they must not answer for the file that was there before."""
    given = tmp_path / "in.nc"
    found = []
    for k, warmer in enumerate((0.0, 1.0)):
        changed = city.assign(SoilTemp=city.SoilTemp + warmer)
        changed.to_netcdf(tmp_path / "next.nc", engine="h5netcdf")
        (tmp_path / "next.nc").replace(given)
        make_map(given, tmp_path / f"{k}.zarr", SETTINGS, ONE)
        found.append(xr.open_zarr(tmp_path / f"{k}.zarr").albedo.values)
        expected = lv.calibrate_map(changed, ERROR, UNKNOWNS).albedo.values
        np.testing.assert_array_equal(found[k], expected)
    assert not np.any(found[0] == found[1])


def test_names_of_sites_may_be_of_any_script(city, tmp_path):
    sites = city.isel(y=0, x=[0, 1, 2]).drop_vars(["y", "x"]).rename(x="site")
    sites = sites.assign_coords(site=["Łódź", "Kumpula", "東京"])
    sites.to_netcdf(tmp_path / "in.nc", engine="h5netcdf")
    found = make_map(tmp_path / "in.nc", tmp_path / "out.zarr", SETTINGS, ONE)
    assert found.exit_code == 0
    made = xr.open_zarr(tmp_path / "out.zarr")
    assert made.site.values.tolist() == ["Łódź", "Kumpula", "東京"]
    again = make_map(tmp_path / "in.nc", tmp_path / "out.zarr", SETTINGS, ONE, resume=True)
    assert all(each.kept for each in again.outcomes)


def test_a_disk_that_fills_up_leaves_no_estimate_without_status(
    city_file, whole, tmp_path, monkeypatch
):
    import zarr

    target, right, count = tmp_path / "out.zarr", zarr.Array.__setitem__, [0]

    def full(self, place, value):
        count[0] += 1
        if 25 < count[0] < 40 and np.ndim(value):  # a fill takes a file away: that goes
            raise OSError(28, "No space left on device")
        right(self, place, value)

    monkeypatch.setattr(zarr.Array, "__setitem__", full)
    found = make_map(city_file, target, SETTINGS, ONE, columns=COLUMNS)
    monkeypatch.undo()
    assert found.exit_code == 2
    assert found.failed
    assert "No space left" in found.failed[0].error
    made = xr.open_zarr(target).load()
    for name in UNKNOWNS:
        np.testing.assert_array_equal(np.isnan(made[name]), made.status == NOT_COMPUTED)
    again = make_map(city_file, target, SETTINGS, ONE, columns=COLUMNS, resume=True)
    assert again.exit_code == 0
    xr.testing.assert_identical(xr.open_zarr(target).load(), xr.open_zarr(whole[0]).load())


def test_what_cannot_be_noted_is_told(city_file, tmp_path, monkeypatch):
    def full(self, failed):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(store.Store, "note", full)
    found = make_map(city_file, tmp_path / "out.zarr", SETTINGS, ONE)
    assert "No space left" in found.trouble
    assert found.exit_code == 2
    assert len(found.outcomes) == found.plan.regions


@pytest.mark.parametrize("what", ["sample", "_among_neighbours"])
def test_a_proof_that_breaks_is_inconclusive_and_loses_nothing(
    city_file, tmp_path, monkeypatch, what
):
    def broken(*asked, **options):
        raise ZeroDivisionError("in the proof")

    monkeypatch.setattr(proof, what, broken)
    found = make_map(city_file, tmp_path / "out.zarr", SETTINGS, ONE)
    assert found.exit_code == 3
    assert found.count("status") == {marquardt.CONVERGED: 48}
    assert found.count("verified") == {proof.INCONCLUSIVE: 1}
    assert "ZeroDivisionError: in the proof" in found.wrong[0]
