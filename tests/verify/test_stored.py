"""`Report.from_json`: what was written is read, anything else refused with its place."""

from __future__ import annotations

import io
import json
import math
import re
from copy import deepcopy
from dataclasses import dataclass, field, replace
from importlib import import_module
from typing import Any, Literal

import pytest
from rich.console import Console

from lsm_verify import InputError, Report, Verdict
from lsm_verify.report import text
from lsm_verify.verify import stored
from lsm_verify.verify.result import READABLE, SCHEMA_VERSION, Location


@pytest.fixture
def data(report):
    return deepcopy(report.to_json())


def test_is_the_inverse_of_to_json(report):
    again = Report.from_json(report.to_json())
    assert again.to_json() == report.to_json()
    assert again.options == report.options
    assert again.replay == report.to_json()["replay"]
    assert len(again.checks) == len(report.checks)
    assert type(again.checks) is tuple
    assert type(again.points[0].rows[0].component) is tuple
    assert again.verdict is Verdict.PASS


def test_a_file_and_its_text_are_read(report, tmp_path):
    path = tmp_path / "result.json"
    path.write_text(json.dumps(report.to_json()), encoding="utf-8")
    for name in (path, str(path)):
        assert Report.from_json(name).to_json() == report.to_json()


def test_a_location_is_read(report):
    place = Location(48, 0, "emission", "adjoint", "step 48, node 0", series="soil")
    made = replace(report, checks=(replace(report.checks[0], location=place),))
    assert Report.from_json(made.to_json()).checks[0].location == place


def test_what_json_lacks_becomes_not_a_number(report):
    made = replace(report, checks=(replace(report.checks[0], value=math.inf, bound=math.nan),))
    check = Report.from_json(made.to_json()).checks[0]
    assert math.isnan(check.value)
    assert check.bound is None
    assert Report.from_json(made.to_json()).to_json() == made.to_json()


def test_no_bound_of_a_run_is_infinite_and_its_file_is_shown_as_it_is(report):
    """At the truth the gradient of the misfit is zero: no relative error can be excluded."""
    (silent,) = [
        c
        for c in report.checks
        if (c.check, c.point, c.objective) == ("agreement", "truth", "J") and c.covered
    ]
    assert silent.bound is None
    again = Report.from_json(report.to_json())
    forms = {form: import_module(f"lsm_verify.report.{form}").render for form in FORMS}
    for form, render in forms.items():
        assert render(report) == render(again), form
        assert not re.search(r"\binf\b", render(report)), form
    assert shown(report) == shown(again)


def test_a_settled_report_is_what_its_file_gives_back(report):
    row = replace(report.points[0].rows[0], bound=math.inf, agreement_z=math.inf)
    point = replace(report.points[0], rows=(row,), value_z=math.inf)
    check = replace(report.checks[0], bound=math.inf, detectable=-math.inf, value=math.inf)
    found = stored.settled(replace(report, checks=(check,), points=(point,)))
    assert (found.checks[0].bound, found.checks[0].detectable) == (None, None)
    assert math.isnan(found.checks[0].value)
    assert (found.points[0].value_z, found.points[0].rows[0].bound) == (None, None)
    assert shown(found) == shown(Report.from_json(found.to_json()))


def test_a_point_whose_value_alone_can_be_compared_is_shown(report):
    """An infinite difference of two routes' derivatives is no number in a file."""
    row = replace(report.points[0].rows[0], agreement_z=math.inf, verdict=Verdict.FAIL)
    made = replace(report, points=(replace(report.points[0], rows=(row,), value_z=1.5),))
    lines = shown(Report.from_json(made.to_json())).splitlines()
    (line,) = [line for line in lines if line.startswith("max z (")]
    assert line.split(")")[1].split() == ["1.5"]


@pytest.mark.parametrize("version", [v for v in READABLE if v < SCHEMA_VERSION] or [SCHEMA_VERSION])
def test_older_versions_are_read(data, version):
    data["schema_version"] = version
    assert Report.from_json(data).schema_version == SCHEMA_VERSION


FORMS = ("junit", "markdown", "latex", "methods", "provenance", "badge")


def shown(report):
    """What a terminal shows of all of it."""
    out = io.StringIO()
    text.show(report, Console(file=out, width=120, highlight=False), verbose=True)
    return out.getvalue()


def no(key):
    return lambda part: part.pop(key)


def put(**values):
    return lambda part: part.update(values)


@pytest.mark.parametrize(
    "change, message",
    [
        (no("schema_version"), r"^the result has schema version None; .* is wanted"),
        (put(schema_version=SCHEMA_VERSION + 1), "has schema version .* is wanted"),
        (put(schema_version=1), "has schema version 1; 2 .*is wanted"),
        (put(schema_version=True), "has schema version True"),
        (no("verdict"), "the result lacks the field 'verdict'. Write it anew"),
        (put(extra=1), "unknown field of the result 'extra'"),
        (put(comand=""), "Did you mean 'command'"),
        (put(verdict="PAS"), "unknown value of verdict 'PAS'; known: PASS, .*Did you mean 'PASS'"),
        (put(exit_code="0"), "exit_code='0' must be a whole number"),
        (put(exit_code=1.5), "exit_code=1.5 must be a whole number"),
        (put(exit_code=True), "exit_code=True must be a whole number"),
        (put(case=None), "case=None must be a string"),
        (put(notes="a note"), "notes='a note' must be a list"),
        (put(options=[]), r"options=\[\] must be an object"),
        (put(seconds={"adjoint": "fast"}), r"seconds\['adjoint'\]='fast' must be a number"),
        (put(seconds=[]), r"seconds=\[\] must be an object"),
        (lambda r: r["options"].pop("seed"), "options lacks the field 'seed'"),
        (lambda r: r["checks"][1].pop("value"), r"checks\[1\] lacks the field 'value'"),
        (lambda r: r["checks"][0].update(primary=1), r"checks\[0\].primary=1 must be true or f"),
        (lambda r: r["points"][0]["rows"][2].update(share="x"),
         r"points\[0\].rows\[2\].share='x' must be a number"),
        (lambda r: r["points"][0]["rows"][0].update(bound="x"), r"rows\[0\].bound='x' must be"),
    ],
)  # fmt: skip
def test_what_was_not_written_so_is_refused(data, change, message):
    change(data)
    with pytest.raises(InputError, match=message) as caught:
        Report.from_json(data)
    assert "\n" not in str(caught.value)


def cut(*path):
    """Shorten a list by its last entry."""

    def change(content):
        for key in path:
            content = content[key]
        content.pop()

    return change


def put_at(*path, value):
    def change(content):
        for key in path[:-1]:
            content = content[key]
        content[path[-1]] = value

    return change


@pytest.mark.parametrize(
    "change, message",
    [
        (put_at("points", 0, "values", value={}), r"points\[0\].values is empty; the objective by"),
        (lambda r: r["points"][1]["rows"][2]["gradients"].pop("tangent"),
         r"points\[1\].rows\[2\].gradients lacks 'tangent', of which points\[1\].values has"),
        (cut("evidence", "taylor", 0, "remainder"),
         r"evidence.taylor\[0\].remainder has \d+ entries; \d+ are wanted, as many as steps has"),
        (put_at("evidence", "taylor", 0, "window", value=[]), r"taylor\[0\].window is empty"),
        (lambda r: r["evidence"]["taylor"][1].update(steps=[], remainder=[]),
         r"taylor\[1\].steps is empty"),
        (cut("evidence", "differences", 1, "slopes"), r"differences\[1\].slopes has \d+ entries"),
        (put_at("evidence", "differences", 0, "claimed", value={}), r"\[0\].claimed is empty"),
        (put_at("evidence", "maps", 0, "kind", value="x"), r"maps\[0\].kind='x' must be one"),
        (put_at("evidence", "maps", 0, "routes", value=[]), r"maps\[0\].routes has 0 entries"),
        (cut("evidence", "maps", 0, "values"), r"maps\[0\].values has \d+ entries; \d+ are wanted"),
        (cut("evidence", "maps", 0, "values", 1), r"maps\[0\].values\[1\] has \d+ entries"),
        (cut("evidence", "maps", 0, "depths"), r"maps\[0\].depths has \d+ entries; .* as m"),
        (lambda r: r["evidence"]["maps"][0]["states"].reverse(), r"maps\[0\].states must be two"),
        (put_at("evidence", "energy", 0, "steps", value=[0]), r"energy\[0\].steps must be two"),
        (cut("evidence", "energy", 0, "ratio"), r"energy\[0\].ratio has \d+ entries; \d+ are want"),
    ],
)  # fmt: skip
def test_parts_that_do_not_fit_together_are_refused(data, change, message):
    change(data)
    with pytest.raises(InputError, match=message) as caught:
        Report.from_json(data)
    assert str(caught.value).startswith("the result: ")
    assert str(caught.value).endswith("Write it anew with check --json.")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "content, message",
    [
        (b"{", "is no JSON"),
        (b"\xff\xfe", "is no JSON"),
        (b"[]", "holds a list, no result"),
        (b"3", "holds a int, no result"),
        (b"[" * 100_000, "is no JSON"),
    ],
)
def test_files_that_hold_no_object(tmp_path, content, message):
    path = tmp_path / "r.json"
    path.write_bytes(content)
    with pytest.raises(InputError, match=message):
        Report.from_json(path)


def test_no_file(tmp_path):
    with pytest.raises(InputError, match=r"cannot read .*; check the name"):
        Report.from_json(tmp_path / "none.json")


@dataclass(frozen=True)
class Inner:
    pair: tuple[int, float]
    kind: Literal["a", "b"] = "a"


@dataclass(frozen=True)
class Outer:
    rows: list[Inner]
    either: int | str | None
    anything: Any
    held: dict[str, tuple[float, ...]] = field(default_factory=dict)


def test_types_that_a_later_version_may_bring():
    value = {"rows": [{"pair": [1, 2], "kind": "b"}], "either": "x", "anything": {"a": [1]},
             "held": {"t": [1, None]}}  # fmt: skip
    made = stored._read(Outer, value, "", True)
    assert made.rows == [Inner((1, 2.0), "b")]
    assert (made.either, made.anything) == ("x", {"a": [1]})
    assert made.held["t"][0] == 1.0
    assert math.isnan(made.held["t"][1])


@pytest.mark.parametrize(
    "change, message",
    [
        ({"rows": [{"pair": [1]}]}, r"rows\[0\].pair has 1 entries; 2 are wanted"),
        ({"rows": [{"pair": [1, 2], "kind": "c"}]}, r"rows\[0\].kind='c'"),
        ({"either": 1.5}, "either=1.5 must be a string"),
    ],
)
def test_wrong_values_of_such_types(change, message):
    value = {"rows": [], "either": None, "anything": None} | change
    with pytest.raises(InputError, match=message):
        stored._read(Outer, value, "", False)


def test_a_field_with_a_default_may_be_missing_in_an_older_file_alone():
    value = {"rows": [], "either": None, "anything": None}
    assert stored._read(Outer, value, "", False).held == {}
    with pytest.raises(InputError, match="lacks the field 'held'"):
        stored._read(Outer, value, "", True)
