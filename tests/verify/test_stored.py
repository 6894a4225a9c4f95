"""`Report.from_json`: what was written is read, anything else refused with its place."""

from __future__ import annotations

import json
import math
from copy import deepcopy
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import pytest

from lsm_verify import InputError, Report, Verdict
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


@pytest.mark.parametrize("version", [v for v in READABLE if v < SCHEMA_VERSION] or [SCHEMA_VERSION])
def test_older_versions_are_read(data, version):
    data["schema_version"] = version
    assert Report.from_json(data).schema_version == SCHEMA_VERSION


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
