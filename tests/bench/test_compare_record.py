"""Result files: what is read, what is refused, what other tools find in what is written."""

from __future__ import annotations

import json
import math

import pytest

from lsm_verify.bench import bencher, record
from lsm_verify.errors import InputError
from tests.bench import timings

# What the parsers read: Bencher's python_pytest adapter, github-action-benchmark's pytest tool.
READ_BY_BENCHER = ("mean", "stddev", "median", "iqr")
READ_BY_GITHUB_ACTION = ("ops", "stddev", "mean", "rounds")
ALL_STATS = {
    *("min", "max", "mean", "stddev", "rounds", "median", "iqr", "q1", "q3", "iqr_outliers"),
    *("stddev_outliers", "outliers", "ld15iqr", "hd15iqr", "ops", "total", "data", "iterations"),
}


def pooled():
    one = timings.record({"a": [1.0, 2.0, 3.0], "b": [1.0]})
    other = timings.record({"a": [4.0, 5.0], "b": [2.0]})
    return record.pool([one, other], timings.COMMIT)


def test_pooled_file_has_the_fields_that_others_read():
    content = json.loads(json.dumps(pooled(), allow_nan=False))
    assert content["machine_info"]["cpu"]["brand_raw"] == "Test CPU"
    assert content["commit_info"] == timings.COMMIT
    assert {"benchmarks", "datetime", "version"} <= set(content)
    first = content["benchmarks"][0]
    assert first["fullname"] == "a"
    assert {"group", "name", "params", "param", "extra_info", "options"} <= set(first)
    stats = first["stats"]
    assert set(stats) == ALL_STATS
    assert all(
        isinstance(stats[key], int | float) for key in READ_BY_BENCHER + READ_BY_GITHUB_ACTION
    )
    assert (stats["mean"], stats["median"], stats["rounds"]) == (3.0, 3.0, 5)
    assert stats["ops"] == pytest.approx(1 / 3)
    assert stats["stddev"] == pytest.approx(math.sqrt(2.5))


def test_pooled_file_keeps_the_processes_apart(tmp_path):
    path = tmp_path / "r.json"
    record.write(path, pooled())
    found = record.read(path)
    assert found.processes("a") == [[1.0, 2.0, 3.0], [4.0, 5.0]]
    assert found.rounds("a") == [1.0, 2.0, 3.0, 4.0, 5.0]
    assert found.time.tzinfo is not None


def test_file_of_pytest_benchmark_itself_is_read(pytester, monkeypatch):
    monkeypatch.delenv("PYTEST_XDIST_WORKER", raising=False)
    pytester.makepyfile("def test_sum(benchmark): benchmark(sum, range(10))")
    path = pytester.path / "r.json"
    done = pytester.runpytest_inprocess(
        "-p", "no:cacheprovider", "--benchmark-json", str(path), "--benchmark-max-time=0.01"
    )
    done.assert_outcomes(passed=1)
    found = record.read(path)
    (name,) = found.benchmarks
    assert found.processes(name) == [found.rounds(name)]
    assert len(found.rounds(name)) == found.benchmarks[name]["stats"]["rounds"]


def _without(content, *path):
    content = json.loads(json.dumps(content))
    place = content
    for key in path[:-1]:
        place = place[key]
    del place[path[-1]]
    return content


def _with(content, value, *path):
    content = json.loads(json.dumps(content))
    place = content
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    return content


STATS = ("benchmarks", 0, "stats")


@pytest.mark.parametrize(
    "change, said",
    [
        (lambda c: [], "no list of benchmarks"),
        (lambda c: _without(c, "benchmarks"), "no list of benchmarks"),
        (lambda c: _without(c, "datetime"), "no valid datetime"),
        (lambda c: _without(c, "benchmarks", 0, "fullname"), "benchmark 0 has no fullname"),
        (lambda c: _with(c, "a", "benchmarks", 1, "fullname"), "holds a twice"),
        (lambda c: _without(c, *STATS, "data"), "--benchmark-save-data"),
        (lambda c: _with(c, [], *STATS, "data"), "has no rounds"),
        (lambda c: _with(c, [1.0, 0.0], *STATS, "data"), "round of 0.0 s"),
        (lambda c: _with(c, ["1"], *STATS, "data"), "round of '1' s"),
    ],
)
def test_other_files_are_refused(tmp_path, change, said):
    path = tmp_path / "r.json"
    path.write_text(json.dumps(change(pooled())))
    with pytest.raises(InputError, match=said) as raised:
        record.read(path)
    assert "r.json" in str(raised.value)


def test_wrong_count_of_rounds_is_refused():
    broken = _with(pooled(), [3, 3], "benchmarks", 0, "extra_info", record.RUNS)
    with pytest.raises(InputError, match=r"5 rounds, .* add up to 6"):
        record.parse(broken, "r.json").processes("a")


def test_unreadable_files_are_refused(tmp_path):
    with pytest.raises(InputError, match=r"cannot read .*none\.json: No such file"):
        record.read(tmp_path / "none.json")
    (tmp_path / "r.json").write_text("{")
    with pytest.raises(InputError, match="is not JSON"):
        record.read(tmp_path / "r.json")


def test_bencher_metrics():
    records = [
        timings.record({"a": [1.0]}, extra={"gradient_error": error, "peak_memory": 1000})
        for error in (1e-15, 4e-15, 2e-15)
    ]
    assert bencher.metrics(records) == {
        "a": {
            "gradient-error": {"value": 2e-15, "lower_value": 1e-15, "upper_value": 4e-15},
            "peak-memory": {"value": 1000.0, "lower_value": 1000.0, "upper_value": 1000.0},
        }
    }


def test_bencher_metrics_leave_out_what_was_not_measured():
    odd = timings.record({"a": [1.0]}, extra={"gradient_error": math.inf, "peak_memory": None})
    assert bencher.metrics([odd, timings.record({"b": [1.0]})]) == {}


def test_what_is_not_finite_becomes_null(tmp_path):
    content = {**pooled(), "rates": {"operations": math.inf, "bytes": [1.0, math.nan]}}
    record.write(tmp_path / "r.json", content)
    written = (tmp_path / "r.json").read_text()
    assert json.loads(written)["rates"] == {"operations": None, "bytes": [1.0, None]}
    assert "NaN" not in written
