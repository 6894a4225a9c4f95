"""Kept results: none lost, none doubled, machines apart; drawn and tabulated."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from matplotlib import image
from matplotlib.colors import to_rgb

from lsm_verify.bench import history, record
from lsm_verify.errors import InputError
from tests.bench import timings

OTHER = {**timings.MACHINE, "cpu": {**timings.MACHINE["cpu"], "brand_raw": "Other CPU"}}


def write(path, seconds=1e-3, day=2, machine=timings.MACHINE, names=("a", "b")):
    time = f"2026-01-{day:02d}T03:04:05+00:00"
    rounds = {name: [seconds * 8, seconds, seconds * 2] for name in names}
    record.write(path, timings.record(rounds, time=time, machine=machine).content)
    return path


@pytest.fixture
def kept(tmp_path):
    folder = tmp_path / "kept"
    for day, seconds in ((3, 3e-3), (1, 1e-3), (2, 2e-3)):
        history.append(folder, write(tmp_path / "r.json", seconds, day))
    return folder


def test_results_are_kept_whole_and_in_order_of_time(kept):
    found = history.load(kept)
    assert [each.time.day for each in found] == [1, 2, 3]
    assert found[0].rounds("a") == [8e-3, 1e-3, 2e-3]
    assert sorted(os.listdir(kept))[0] == "20260101T030405Z_0123456789.json"


def test_one_result_is_kept_once(kept, tmp_path):
    again = write(tmp_path / "again.json", 1e-3, 1)
    assert history.append(kept, again).name == "20260101T030405Z_0123456789.json"
    assert len(history.load(kept)) == 3


def test_another_result_of_the_same_second_replaces_nothing(kept, tmp_path):
    other = history.append(kept, write(tmp_path / "other.json", 5e-3, 1))
    assert other.name.endswith("-2.json")
    assert [each.rounds("a")[1] for each in history.load(kept)] == [1e-3, 5e-3, 2e-3, 3e-3]


def test_many_at_the_same_time(tmp_path):
    folder = tmp_path / "kept"
    paths = [write(tmp_path / f"{index}.json", 1e-3 * index) for index in range(1, 9)]
    with ThreadPoolExecutor(4) as pool:
        places = list(pool.map(lambda path: history.append(folder, path), paths))
    assert len(set(places)) == 8
    assert sorted(each.rounds("a")[1] for each in history.load(folder)) == pytest.approx(
        [1e-3 * index for index in range(1, 9)]
    )
    assert len(os.listdir(folder)) == 8


def test_failed_append_leaves_nothing(tmp_path, monkeypatch):
    folder = tmp_path / "kept"

    def full(*paths):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "link", full)
    with pytest.raises(InputError, match="No space left"):
        history.append(folder, write(tmp_path / "r.json"))
    assert os.listdir(folder) == []


def test_points_are_the_fastest_rounds_of_processes(tmp_path):
    records = [timings.record({"a": rounds}) for rounds in ([3.0, 1.0], [2.0, 9.0], [7.0, 5.0])]
    path = tmp_path / "r.json"
    record.write(path, record.pool(records, timings.COMMIT))
    ((point,),) = history.series([record.read(path)]).values()
    assert (point.middle, point.least, point.largest) == (2.0, 1.0, 5.0)
    assert point.commit == "0123456789"


def test_machines_are_kept_apart(kept, tmp_path):
    history.append(kept, write(tmp_path / "r.json", 9e-3, 4, OTHER))
    groups = history.machines(history.load(kept))
    assert {title: len(group) for title, group in groups.items()} == {
        "Test CPU, 2 cores": 3,
        "Other CPU, 2 cores": 1,
    }


def test_machines_with_one_name_are_kept_apart(kept, tmp_path):
    same = {**timings.MACHINE, "cpu": {**timings.MACHINE["cpu"], "model": 7}}
    history.append(kept, write(tmp_path / "r.json", 9e-3, 4, same))
    groups = history.machines(history.load(kept))
    assert sorted(map(len, groups.values())) == [1, 3]


def test_table(kept, tmp_path):
    history.append(kept, write(tmp_path / "r.json", 9e-3, 4, OTHER, names=("a", "x|y")))
    table = history.markdown(history.load(kept))
    assert "## Test CPU, 2 cores" in table
    assert (
        "| benchmark | 2026-01-01 0123456789 | 2026-01-02 0123456789 | 2026-01-03 0123456789 |"
        in table
    )
    assert "| `a` | 1.00 ms | 2.00 ms | 3.00 ms |" in table
    assert "| `x\\|y` | 9.00 ms |" in table


def test_table_shows_the_latest(tmp_path):
    for day in range(1, history.LATEST + 3):
        history.append(tmp_path / "kept", write(tmp_path / "r.json", 1e-3 * day, day))
    table = history.markdown(history.load(tmp_path / "kept"))
    assert "2026-01-10" in table
    assert "2026-01-02" not in table


def test_figure(kept, tmp_path):
    history.append(kept, write(tmp_path / "r.json", 9e-3, 4, OTHER, names=("b", "c", "d")))
    records = history.load(kept)
    history.draw(records, tmp_path / "trend.png")
    pixels = image.imread(tmp_path / "trend.png")
    for index in (0, 1):  # the lines of the first machine and of the second
        colour = to_rgb(f"C{index}")
        assert np.any(np.all(np.abs(pixels[..., :3] - colour) < 0.01, axis=-1))
    history.draw(records, tmp_path / "trend.svg")
    assert "<svg" in (tmp_path / "trend.svg").read_text()


def test_figures_that_cannot_be_drawn_are_refused(kept, tmp_path):
    with pytest.raises(InputError, match=r"must end in \.png or \.svg"):
        history.draw(history.load(kept), tmp_path / "trend.pdf")
    with pytest.raises(InputError, match="no results to draw"):
        history.draw([], tmp_path / "trend.png")
    with pytest.raises(InputError, match="is no folder"):
        history.load(tmp_path / "none")
    (kept / "broken.json").write_text("{}")
    with pytest.raises(InputError, match=r"broken\.json"):
        history.load(kept)
