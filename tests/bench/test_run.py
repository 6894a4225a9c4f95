"""A run from rows to file: what is measured, refused, missing or broken."""

import json
from pathlib import Path

import pytest

from lsm_verify.bench import peers as registry
from lsm_verify.bench import record, start
from lsm_verify.bench.peers import Outcome, Peer, Prepared, Setting
from lsm_verify.bench.rows import Row
from lsm_verify.bench.run import run
from lsm_verify.bench.workloads import NAMES, Workload
from lsm_verify.routes import get_route

TINY = Workload(batch=2, steps=5, nodes=6)


def oracle(work, factor=1.0):
    """Prepare a peer that is the oracle, times a factor."""

    def call():
        found = [get_route("adjoint").evaluate([work.inputs(b)])[0][0] for b in range(work.batch)]
        value = [factor * value for value, _ in found]
        return value, [[factor * float(g[n]) for n in NAMES] for _, g in found]

    def read(found):
        import numpy as np

        return Outcome(*map(np.array, found))

    return Prepared(call, read)


def broken(work, setting):
    raise RuntimeError("out of order\nsecond line")


def known(name, prepare, **more):
    tolerance = {"float64": 1e-9}
    return Peer(name, name, tolerance, ("gradient",), prepare, **more)


@pytest.fixture
def plant(monkeypatch):
    made = {
        p.name: p
        for p in (
            known("right", lambda work, setting: oracle(work)),
            known("wrong", lambda work, setting: oracle(work, 1.01)),
            known("absent", broken, missing=lambda setting: "install the moon"),
            known("broken", broken),
            known("interrupted", interrupted),
        )
    }
    monkeypatch.setattr(registry, "peers", lambda: made)


def interrupted(work, setting):
    raise KeyboardInterrupt


def rows(*names):
    return [Row(name, TINY, Setting("gradient")) for name in names]


def test_what_was_measured_before_an_interrupt_is_kept(plant, tmp_path: Path):
    path = tmp_path / "result.json"
    with pytest.raises(KeyboardInterrupt, match=r"1 of 3 rows were measured: .*result\.json"):
        run(rows("right", "interrupted", "wrong"), path, quick=True)
    kept = record.read(path)
    assert [name.partition("-")[2] for name in kept.benchmarks] == ["right-B2-S5-N6-float64-cpu-t1"]
    assert kept.content["lsm_verify"]["interrupted"] is True


def test_an_interrupt_while_first_calls_are_measured_loses_those_alone(
    plant, tmp_path: Path, monkeypatch
):
    def interrupted():
        raise KeyboardInterrupt

    monkeypatch.setattr(start, "first_calls", interrupted)
    path = tmp_path / "result.json"
    with pytest.raises(KeyboardInterrupt):
        run(rows("right"), path, quick=True, first_calls=True)
    kept = record.read(path)
    assert len(kept.benchmarks) == 1
    assert not kept.content["lsm_verify"]["start"]


def test_an_interrupt_before_anything_was_measured_leaves_what_was_there(plant, tmp_path: Path):
    path = tmp_path / "result.json"
    path.write_text("before")
    with pytest.raises(KeyboardInterrupt):
        run(rows("interrupted", "right"), path, quick=True)
    assert path.read_text() == "before"


def test_right_rows_are_written_for_all_who_read_the_format(plant, tmp_path: Path):
    path = tmp_path / "result.json"
    found = run(rows("right"), path, quick=True)
    assert found.exit_code == 0
    kept = record.read(path)  # the reader of bench compare checks rounds and names
    (name,) = kept.benchmarks
    assert name == "lsm_verify.bench::gradient-right-B2-S5-N6-float64-cpu-t1"
    entry = kept.benchmarks[name]
    assert {"min", "mean", "median", "stddev", "iqr", "ops", "rounds"} <= set(entry["stats"])
    extra = entry["extra_info"]
    assert {k: extra[k] for k in ("peer", "mode", "columns", "steps", "nodes")} == {
        "peer": "right", "mode": "gradient", "columns": 2, "steps": 5, "nodes": 6,
    }  # fmt: skip
    assert (extra["dtype"], extra["threads"], extra["device"]) == ("float64", 1, "cpu")
    assert extra["gradient_error"] == extra["value_error"] == 0.0
    assert extra["peak_memory"] is None or extra["peak_memory"] >= 0
    assert extra["floor_seconds"] > 0
    machine = kept.content["machine_info"]
    assert machine["versions"]["numpy"]
    assert machine["cpu"]["flags"] or machine["cpu"]
    assert kept.commit["project"] == "lsm-verify"
    assert sorted(tmp_path.iterdir()) == [path]


def test_a_wrong_result_is_refused_and_not_timed(plant, tmp_path: Path):
    path = tmp_path / "result.json"
    found = run(rows("wrong", "right"), path, quick=True)
    assert found.exit_code == 1
    (name,) = found.refused
    assert name.startswith("gradient-wrong-")
    assert "the value is off by 0.01" in found.refused[name]
    timed = [b["extra_info"]["peer"] for b in json.loads(path.read_text())["benchmarks"]]
    assert timed == ["right"]


def test_missing_peers_are_named_and_alone_measure_nothing(plant, tmp_path: Path):
    path = tmp_path / "result.json"
    found = run(rows("absent"), path, quick=True)
    assert found.exit_code == 3
    assert list(found.not_measured.values()) == ["install the moon"]
    assert not path.exists()


def test_missing_peers_stand_in_the_file_of_the_others(plant, tmp_path: Path):
    path = tmp_path / "result.json"
    assert run(rows("absent", "right"), path, quick=True).exit_code == 0
    assert list(json.loads(path.read_text())["lsm_verify"]["not_measured"].values()) == [
        "install the moon"
    ]


def test_a_row_that_breaks_down_is_told_apart_from_a_wrong_one(plant, tmp_path: Path):
    found = run(rows("broken"), None, quick=True)
    assert found.exit_code == 4
    assert list(found.failed.values()) == ["RuntimeError: out of order"]
    assert not found.refused


def test_settings_of_the_surroundings_do_not_reach_the_run(plant, tmp_path, monkeypatch):
    monkeypatch.setenv("PYTEST_ADDOPTS", "--no-such-option")
    assert run(rows("right"), None, quick=True).exit_code == 0
    import os

    assert os.environ["PYTEST_ADDOPTS"] == "--no-such-option"


@pytest.mark.slow
def test_first_calls_compile_into_the_cache_that_they_are_given(tmp_path):
    from lsm_verify.bench.start import _measure

    imported, first = _measure(1, str(tmp_path))
    assert imported > 0
    assert first > 0
    assert list(tmp_path.rglob("*.nbi"))
