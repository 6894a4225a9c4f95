"""What stands beside a report: committed files are shown, damaged ones refused with their place."""

from __future__ import annotations

from copy import deepcopy
from functools import cache

import pytest

from lsm_verify import InputError
from lsm_verify.report import beside
from lsm_verify.report.companions import KINDS, require
from tests.report import samples

SHOWN = {
    "selftest": beside.of_selftest,
    "benchmarks": beside.of_benchmarks,
    "claims": beside.of_claims,
    "calibration": beside.of_calibration,
}


@cache
def committed(kind):
    return samples.CALIBRATION if kind == "calibration" else samples.committed()[kind]


@pytest.mark.parametrize("kind", SHOWN)
def test_what_commands_write_is_shown(kind):
    words, tables = SHOWN[kind](committed(kind))
    assert words
    assert all(table.rows for table in tables)
    assert kind in KINDS


def test_a_calibration_without_an_estimate_is_shown():
    content = samples.CALIBRATION | {"best": 0, "starts": samples.CALIBRATION["starts"][:1]}
    words, tables = beside.of_calibration(content)
    assert words.endswith("No estimate: no start reached a solution.")
    assert tables == []


def test_starts_without_a_solution_are_left_out():
    _, (table,) = beside.of_calibration(samples.CALIBRATION)
    assert [cell.words for cell in table.rows[0][:4]] == ["albedo", "0.25", "0.25", "0.25"]


def without(*path):
    def change(content):
        for key in path[:-1]:
            content = content[key]
        del content[path[-1]]

    return change


def having(*path, value):
    def change(content):
        for key in path[:-1]:
            content = content[key]
        content[path[-1]] = value

    return change


@pytest.mark.parametrize(
    "kind, change, message",
    [
        ("selftest", having("selftest", value={"mutants": [{}], "neighbours": [], "passed": True}),
         "selftest.mutants[0] lacks 'name'."),
        ("selftest", having("selftest", value=[]), "selftest must be an object."),
        ("selftest", without("selftest", "passed"), "selftest lacks 'passed'."),
        ("selftest", having("selftest", "mutants", 1, "killed_by", value="all"),
         "selftest.mutants[1].killed_by must be a list."),
        ("selftest", having("selftest", "mutants", 0, "location_right", value=1),
         "selftest.mutants[0].location_right must be true or false."),
        ("selftest", having("selftest", "neighbours", 2, value={}),
         "selftest.neighbours[2] lacks 'exit_code'."),
        ("selftest", without("selftest", "limits", 0, "part"),
         "selftest.limits[0] lacks 'part'."),
        ("benchmarks", having("benchmarks", value=[{}]), "benchmarks[0] lacks 'name'."),
        ("benchmarks", having("benchmarks", value=[]), "benchmarks holds no row with a peer."),
        ("benchmarks", having("benchmarks", value=[{"name": "mine", "extra_info": {}}]),
         "benchmarks holds no row with a peer."),
        ("benchmarks", without("benchmarks", 3, "stats", "min"),
         "benchmarks[3].stats lacks 'min'."),
        ("benchmarks", having("benchmarks", 3, "stats", "min", value=0),
         "benchmarks[3].stats.min=0 must be positive."),
        ("benchmarks", having("benchmarks", 0, "extra_info", "columns", value="8"),
         "benchmarks[0].extra_info.columns must be a whole number."),
        ("benchmarks", having("benchmarks", 0, "extra_info", "columns", value=True),
         "benchmarks[0].extra_info.columns must be a whole number."),
        ("benchmarks", having("machine_info", "cpu", value="fast"),
         "machine_info.cpu must be an object."),
        ("benchmarks", having("commit_info", value=[1]), "commit_info must be an object."),
        ("benchmarks", having("datetime", value=None), "datetime must be a string."),
        ("claims", having("claims", value=[{}]), "claims[0] lacks 'name'."),
        ("claims", having("claims", 1, "verdict", value=None),
         "claims[1].verdict must be a string."),
        ("claims", without("claims"), "it lacks 'claims'."),
        ("calibration", having("starts", value=[{}]), "starts[0] lacks 'estimate'."),
        ("calibration", having("starts", 1, "estimate", value=[]),
         "starts[1].estimate has 0 entries; 1 are wanted, as unknowns."),
        ("calibration", having("starts", 1, "rmse", value=None),
         "starts[1].rmse must be a number."),
        ("calibration", having("best", value=0), "best=0 is no start with an objective."),
        ("calibration", having("best", value=7), "best=7 is no start with an objective."),
        ("calibration", having("truth", value=["x"]), "truth[0] must be a number."),
        ("calibration", without("unknowns"), "it lacks 'unknowns'."),
    ],
)  # fmt: skip
def test_damage_is_named_with_its_place_and_the_remedy(kind, change, message):
    content = deepcopy(committed(kind))
    change(content)
    with pytest.raises(InputError) as caught:
        require(kind, content, "some.json")
    assert str(caught.value) == f"some.json: {message} Give a file of {KINDS[kind]}."
    with pytest.raises(InputError) as caught:  # as a page in Python meets it
        SHOWN[kind](content)
    assert str(caught.value) == f"{kind}: {message} Give a file of {KINDS[kind]}."


@pytest.mark.parametrize("kind", SHOWN)
@pytest.mark.parametrize("content", [None, [], "text"])
def test_what_is_no_object_is_refused(kind, content):
    with pytest.raises(InputError, match="it must be an object"):
        require(kind, content)


def test_rows_of_other_benchmarks_may_stand_among_ours():
    content = deepcopy(committed("benchmarks"))
    before = beside.of_benchmarks(content)
    content["benchmarks"].insert(0, {"name": "mine", "extra_info": {}})
    assert beside.of_benchmarks(content) == before
