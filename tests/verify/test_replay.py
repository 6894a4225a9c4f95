"""Replay: a result or a case in a file is asked again; damaged files are refused in one line."""

from __future__ import annotations

import json
import shlex
from dataclasses import replace
from pathlib import Path

import pytest

from lsm_verify import InputError, Problem, load_case, verify
from lsm_verify.cases.serial import write_case
from lsm_verify.verify import replay
from lsm_verify.verify.result import Options


@pytest.fixture(scope="module")
def report():
    return verify(load_case("twin").window(5), fast=True, seed=7)


@pytest.fixture
def path(report, tmp_path):
    file = tmp_path / "result.json"
    file.write_text(json.dumps(report.to_json()), encoding="utf-8")
    return file


def changed(path, **values):
    content = json.loads(path.read_text(encoding="utf-8"))
    for name, value in values.items():
        if value is None:
            del content[name]
        else:
            content[name] = value
    path.write_text(json.dumps(content), encoding="utf-8")
    return path


def test_the_same_case_and_options_give_the_same_bits(path, report):
    asked = replay.read(path)
    assert asked.options["seed"] == 7
    assert asked.options["fast"] is True
    assert asked.options["routes"] is None
    again = verify(asked.case, **asked.options)
    line = replay.compare(asked.before, again)
    count = sum(len(row.gradients) for p in report.points for row in p.rows)
    assert line == f"replay: same verdict; {count} of {count} derivatives equal to the last bit"


def test_named_routes_are_named_again(tmp_path):
    file = tmp_path / "r.json"
    case = load_case("twin").window(3)
    found = verify(case, fast=True, routes=["adjoint", "complex-step"])
    file.write_text(json.dumps(found.to_json()), encoding="utf-8")
    assert replay.read(file).options["routes"] == ["adjoint", "complex-step"]


def test_another_answer_is_said_to_be_another(path, report):
    content = json.loads(path.read_text(encoding="utf-8"))
    row = content["points"][0]["rows"][0]
    row["gradients"]["adjoint"] *= 1 + 1e-3
    line = replay.compare(content, report)
    assert "others within 1.0e-03" in line
    content["verdict"] = "FAIL"
    assert replay.compare(content, report) == ("replay: the verdict was FAIL and is now PASS")


def test_a_counterexample_is_a_case(tmp_path):
    write_case(load_case("twin").window(2), tmp_path / "case.json")
    asked = replay.read(tmp_path / "case.json")
    assert asked.case.forcing.steps == 2
    assert asked.options == {}
    assert asked.before == {}


def test_a_problem_is_replayed_by_its_name(path):
    asked = replay.read(changed(path, replay={"kind": "problem", "target": "model:problem"}))
    assert (asked.case, asked.target) == (None, "model:problem")


@pytest.mark.parametrize(
    "values, words",
    [
        ({"schema_version": 1}, "schema version 1"),
        ({"replay": None}, "neither a result"),
        ({"options": None}, "neither a result"),
        ({"options": {"points": 1}}, "lacks option 'seed'"),
        ({"replay": {"kind": "case"}}, "damaged case"),
        ({"replay": {"kind": "problem", "target": ""}}, "made in Python"),
    ],
)
def test_what_cannot_be_replayed_is_refused(path, values, words):
    with pytest.raises(InputError, match=words) as caught:
        replay.read(changed(path, **values))
    assert "\n" not in str(caught.value)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize("text, words", [("{", "no JSON"), ("[1]", "neither a result")])
def test_a_file_that_is_no_result_is_refused(tmp_path, text, words):
    file = tmp_path / "x.json"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match=words):
        replay.read(file)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(InputError, match="check the name"):
        replay.read(tmp_path / "none.json")


# ------------------------------------------------------------------ the command

CASE = Options(
    routes=("adjoint", "tangent"),
    named=False,
    points=2,
    seed=0,
    strict=False,
    fast=False,
    jacobi_tolerance=1e-4,
    tolerance=1e-8,
)
OWN = replace(CASE, points=0, tolerance=1e-6)
PROBLEM = Problem(lambda x: float(x @ x), [1.0], gradients={"mine": lambda x: 2 * x})


@pytest.mark.parametrize(
    "changes, words",
    [
        ({}, "--seed 0"),
        ({"seed": 7}, "--seed 7"),
        ({"named": True}, "--seed 0 --routes adjoint,tangent"),
        ({"points": 0}, "--seed 0 --points 0"),
        ({"fast": True, "points": 0}, "--seed 0 --fast"),
        ({"fast": True}, "--seed 0 --points 2 --fast"),
        ({"strict": True}, "--seed 0 --strict"),
        ({"tolerance": 1e-6}, "--seed 0 --tolerance 1e-06"),
        ({"jacobi_tolerance": 1e-12}, "--seed 0 --jacobi-tol 1e-12"),
    ],
)
def test_the_command_holds_the_options_that_are_not_the_defaults(changes, words):
    command = replay.command("twin", load_case("twin"), replace(CASE, **changes))
    assert command == f"lsm-verify check twin {words}"


def test_the_command_of_a_problem_holds_no_settings_of_cases():
    assert replay.command("m:p", PROBLEM, OWN) == "lsm-verify check m:p --seed 0"
    configured = ("points", "jacobi-tol", "interpolate-gaps")
    assert replay.command("m:p", PROBLEM, OWN, configured=configured) == (
        "lsm-verify check m:p --seed 0"
    )


def test_the_command_beats_what_pyproject_sets():
    command = replay.command(
        "twin", load_case("twin"), CASE, configured=("points", "strict", "fast", "tolerance")
    )
    assert command == (
        "lsm-verify check twin --seed 0 --points 2 --no-strict --no-fast --tolerance 1e-08"
    )


def test_the_command_names_data_and_files():
    command = replay.command(
        "phoenix", load_case("twin"), CASE, data=Path("my data"), interpolate_gaps=3
    )
    assert shlex.split(command)[-4:] == ["--data", "my data", "--interpolate-gaps", "3"]
    saved = replay.command("twin", load_case("twin"), CASE, saved=Path("a b.json"))
    assert shlex.split(saved) == ["lsm-verify", "check", "--replay", "a b.json"]
