"""Cases as JSON: exact both ways, and damaged files refused with the reason."""

from __future__ import annotations

import json
import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given

import lsm_verify as lv
from lsm_verify.cases.serial import case_from_json, case_to_json, read_case, write_case
from lsm_verify.parameters import Knots
from lsm_verify.strategies import cases

CASES = ("twin", "twin-one-depth", "layered", pytest.param("phoenix", marks=pytest.mark.phoenix))


@pytest.fixture
def load(request):
    def load_case(name):
        data = request.getfixturevalue("data_dir") if name == "phoenix" else None
        return lv.load_case(name, data=data)

    return load_case


def assert_same(a, b):
    assert (a.name, a.title, a.insulated, a.notes) == (b.name, b.title, b.insulated, b.notes)
    assert dict(a.sources) == dict(b.sources)
    assert a.forcing.start == b.forcing.start
    assert a.free == b.free
    assert a.points() == b.points()
    for point in a.points():
        one, other = (c.inputs(c.point(point), wrt=c.free) for c in (a, b))
        assert np.array_equal(one.spacing, other.spacing)
        assert np.array_equal(one.time_step, other.time_step)
        assert one.parameters.keys() == other.parameters.keys()
        for name, value in one.parameters.items():
            assert value.shape == other.parameters[name].shape
            assert np.array_equal(value, other.parameters[name])
        for name in a.free:
            assert np.array_equal(one.scale(name), other.scale(name))
        assert {n: t.tolist() for n, t in one.knots.items()} == {
            n: t.tolist() for n, t in other.knots.items()
        }
        for s, t in zip(one.series, other.series, strict=True):
            assert (s.kind, s.depth) == (t.kind, t.depth)
            assert np.array_equal(s.values, t.values)
            assert np.array_equal(s.weights, t.weights)


@pytest.mark.parametrize("name", CASES)
def test_a_case_comes_back_bit_by_bit(name, load, tmp_path):
    case = load(name)
    write_case(case, tmp_path / "case.json")
    assert_same(read_case(tmp_path / "case.json"), case)


@given(case=cases())
def test_any_case_comes_back_bit_by_bit(case):
    text = json.dumps(case_to_json(case), allow_nan=False)
    assert_same(case_from_json(json.loads(text)), case)


def test_every_field_of_a_case_is_written():
    content = case_to_json(lv.load_case("twin"))
    assert set(lv.Case.__dataclass_fields__) <= content.keys()


def test_knots_missing_values_and_a_tied_start_come_back():
    layered = lv.load_case("layered")
    case = replace(
        layered,
        start={"albedo": Knots(np.array([0.0, 1e5]), np.array([0.1, 1 / 3]))},
        ranges={"albedo": (0.05, 0.5)},
        truth=None,
        fixed={**layered.fixed, **layered.start, "albedo": 0.2, "initial_temperature": None},
    )
    content = case_to_json(case)
    assert content["start"]["albedo"] == {"times": [0.0, 1e5], "values": [0.1, 1 / 3]}
    assert content["fixed"]["initial_temperature"] is None
    assert None in content["observations"][0]["values"]
    assert_same(case_from_json(content), case)


def test_a_gradient_of_what_is_read_is_that_of_what_was_written(tmp_path):
    case = lv.load_case("layered").window(6)
    write_case(case, tmp_path / "case.json")
    value, slope = lv.gradient(case)
    again, other = lv.gradient(read_case(tmp_path / "case.json"))
    assert again == value
    assert all(np.array_equal(other[name], slope[name]) for name in slope)


# ------------------------------------------------------------------ damaged files


def edited(change):
    content = case_to_json(lv.load_case("twin").window(2))
    change(content)
    return content


WRONG = {
    "kind=None is no case": lambda c: c.pop("kind"),
    "kind='report' is no case": lambda c: c.update(kind="report"),
    "schema_version=2 of the case is not 1": lambda c: c.update(schema_version=2),
    "unknown key of case 'grids'.*Did you mean 'grid'": lambda c: c.update(grids={}),
    "case has no key 'grid'": lambda c: c.pop("grid"),
    "unknown key of grid 'nodes'": lambda c: c["grid"].update(nodes=[0.0]),
    "unknown key of forcing 'Rain'": lambda c: c["forcing"].update(Rain=[0.0]),
    "forcing has no key 'Tair'": lambda c: c["forcing"].pop("Tair"),
    "unknown key of observations\\[0\\] 'sigma'": lambda c: c["observations"][0].update(sigma=1),
    "observations\\[0\\] has no key 'depth'": lambda c: c["observations"][0].pop("depth"),
    "observations='none' must be a list": lambda c: c.update(observations="none"),
    "unknown parameter 'albdo'": lambda c: c["fixed"].update(albdo=0.2),
    "unknown key of start.albedo 'time'": lambda c: c["start"].update(
        albedo={"time": [0.0], "values": [0.1]}
    ),
    "start.albedo='high' must be a number": lambda c: c["start"].update(albedo="high"),
    "start.albedo=True must be a number": lambda c: c["start"].update(albedo=True),
    "start=None must be a table": lambda c: c.update(start=None),
    "grid.spacing\\[1\\]=None must be a number": lambda c: c["grid"].update(spacing=[0.1, None]),
    "spacing\\[0\\]=-1.0 must be positive": lambda c: c["grid"].update(spacing=[-1.0, 0.1]),
    "ranges.albedo has 1 ends": lambda c: c["ranges"].update(albedo=[0.1]),
    "insulated='no' must be true or false": lambda c: c.update(insulated="no"),
    "forcing.start=5 must be a string": lambda c: c["forcing"].update(start=5),
    "start='soon' must be a time": lambda c: c["forcing"].update(start="soon"),
    "too large for a double": lambda c: c["start"].update(albedo=10**400),
    "name=3 must be a string": lambda c: c.update(name=3),
    "notes=7 must be a string": lambda c: c.update(notes=[7]),
    "nothing is observed": lambda c: [s.update(values=[None] * 3) for s in c["observations"]],
}


@pytest.mark.parametrize("message", WRONG)
def test_a_wrong_content_is_named(message, tmp_path):
    content = edited(WRONG[message])
    with pytest.raises(lv.InputError, match=message):
        case_from_json(content)
    path = tmp_path / "case.json"
    path.write_text(json.dumps(content), encoding="utf-8")
    with pytest.raises(lv.InputError, match=f"case.json: .*{message}") as caught:
        read_case(path)
    assert "\n" not in str(caught.value)


def test_something_else_is_no_case():
    with pytest.raises(lv.InputError, match="kind='list' is no case"):
        case_from_json([])


@pytest.mark.parametrize(
    "raw, message",
    [
        (b"", "is no JSON: Expecting value at line 1, column 1"),
        (b'{"kind": "case",', "is no JSON"),
        (b"\xff\xfe", "is no text in UTF-8"),
        (b'{"kind": "case", "kind": "case"}', "key 'kind' is given twice"),
        (b'{"kind": NaN}', "NaN is no number of JSON"),
        (b'{"kind": -Infinity}', "-Infinity is no number of JSON"),
        (b"[" * 100_000, "nested too deeply"),
        (b"1" * 5000, "digits"),
    ],
)
def test_a_damaged_file_is_named(raw, message, tmp_path):
    path = tmp_path / "damaged.json"
    path.write_bytes(raw)
    with pytest.raises(lv.InputError, match=f"damaged.json.*{message}"):
        read_case(path)


def test_files_that_cannot_be_read_or_written(tmp_path):
    with pytest.raises(lv.InputError, match=r"cannot read .*no.json"):
        read_case(tmp_path / "no.json")
    with pytest.raises(lv.InputError, match="cannot read"):
        read_case(tmp_path)
    with pytest.raises(lv.InputError, match="does not exist; create it first"):
        write_case(lv.load_case("twin"), tmp_path / "no" / "case.json")


def test_a_number_beyond_doubles_is_refused(tmp_path):
    content = json.dumps(edited(lambda c: None)).replace("3600.0", "1e999")
    path = tmp_path / "case.json"
    path.write_text(content, encoding="utf-8")
    assert math.isinf(json.loads(content)["forcing"]["time_step"][0])
    with pytest.raises(lv.InputError, match=r"time_step\[0\]=inf must be finite"):
        read_case(path)
