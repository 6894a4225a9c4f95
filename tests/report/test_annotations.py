"""Annotations: the lines that GitHub's runner parses, their escapes, their number."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from lsm_verify import Verdict
from lsm_verify.report.annotations import MOST, annotations
from tests.report.reports import check, flat, located, right, wrong


def parsed(line):
    """Read a workflow command as the runner does (actions/runner, ActionCommand)."""
    match = re.fullmatch(r"::(\w+) ([^:]*)::(.*)", line)
    assert match, line
    level, named, message = match.groups()
    undo = {"%3A": ":", "%2C": ",", "%0A": "\n", "%0D": "\r", "%25": "%"}

    def plain(text):
        return re.sub("%(?:3A|2C|0A|0D|25)", lambda m: undo[m.group()], text)

    properties = dict(pair.split("=", 1) for pair in named.split(","))
    return level, {k: plain(v) for k, v in properties.items()}, plain(message)


def test_a_pass_has_none():
    assert annotations(right()) == []


def test_errors_decide_and_warnings_are_open():
    (error, warning) = map(parsed, annotations(located()))
    assert (error[0], warning[0]) == ("error", "warning")
    first, last = error[2].splitlines()
    assert "autograd stands apart" in first
    assert "step 48, node 0" in first
    assert last == "replay with: lsm-verify check twin --seed 7"
    assert error[1]["title"] == "FAIL: agreement of twin"
    assert "hessian" in warning[2]


def test_a_gate_that_could_not_conclude_is_an_error():
    levels = [parsed(line)[0] for line in annotations(flat())]
    assert levels[0] == "error"
    assert "warning" in levels


def test_names_are_escaped():
    made = replace(wrong(), case="50%,a:b\nc")
    for line in annotations(made):
        assert "\n" not in line
        assert parsed(line)[1]["title"].endswith(" of 50%,a:b\nc")


def test_what_github_would_not_show_is_counted():
    bad = check(Verdict.FAIL)
    lines = annotations(replace(wrong(), checks=(bad,) * (MOST + 3)))
    assert len(lines) == MOST
    assert "and 3 more" in parsed(lines[-1])[2]
    assert not any("more" in parsed(line)[2] for line in lines[:-1])


@pytest.mark.parametrize("folder", ["", "src/"])
def test_the_file_and_line_of_the_target(tmp_path, folder):
    place = tmp_path / folder / "models"
    place.mkdir(parents=True)
    (place / "soil.py").write_text("import x\n\nproblem = 1\nother: int = 2\n\n\ndef f():\n    1\n")
    for attribute, line in (("problem", "3"), ("other", "4"), ("f", "7"), ("f.inner", "7")):
        made = replace(wrong(), replay={"kind": "problem", "target": f"models.soil:{attribute}"})
        _, properties, _ = parsed(annotations(made, root=tmp_path)[0])
        assert (properties["file"], properties["line"]) == (f"{folder}models/soil.py", line)
    unknown = replace(wrong(), replay={"kind": "problem", "target": "models.soil:absent"})
    _, properties, _ = parsed(annotations(unknown, root=tmp_path)[0])
    assert properties.keys() == {"file", "title"}


@pytest.mark.parametrize("replay", [{}, {"kind": "case", "case": {}}, {"target": "not.there:x"}])
def test_without_a_file_there_is_none(tmp_path, replay):
    _, properties, _ = parsed(annotations(replace(wrong(), replay=replay), root=tmp_path)[0])
    assert properties.keys() == {"title"}
