import importlib.util
import json
from copy import deepcopy
from pathlib import Path

import jsonschema
import pytest

from lsm_verify.verify.result import SCHEMA_VERSION

ROOT = Path(__file__).resolve().parents[2]
COMMITTED = ROOT / "lsm_verify" / "verify" / "report.schema.json"


@pytest.fixture(scope="module")
def validator():
    schema = json.loads(COMMITTED.read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)


@pytest.fixture
def data(report):
    return deepcopy(report.to_json())


def test_is_what_the_dataclasses_make():
    pytest.importorskip("pydantic")
    path = ROOT / "tools" / "make_schema.py"
    spec = importlib.util.spec_from_file_location("make_schema", path)
    tool = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tool)
    assert tool.PATH == COMMITTED
    assert COMMITTED.read_text(encoding="utf-8") == tool.render(), (
        "the dataclasses changed: run tools/make_schema.py"
    )


def test_says_its_version(validator):
    assert validator.schema["$id"] == f"urn:lsm-verify:report:{SCHEMA_VERSION}"
    assert validator.schema["properties"]["schema_version"] == {"const": SCHEMA_VERSION}


def test_a_real_report_is_valid(validator, data):
    validator.validate(data)
    assert data["points"]
    assert data["points"][0]["rows"]


def test_numbers_that_json_lacks_are_valid(validator, data):
    data["checks"][0]["value"] = None
    data["points"][0]["rows"][0]["gradients"]["adjoint"] = None
    validator.validate(data)


def test_a_reason_is_valid(validator, data):
    covered = [c for c in data["checks"] if c["reason"] is not None]
    assert covered, "at the truth the misfit has no signal"
    validator.validate(data)


def no(key):
    return lambda part: part.pop(key)


def put(key, value):
    return lambda part: part.__setitem__(key, value)


@pytest.mark.parametrize(
    "change",
    [
        no("verdict"),
        no("options"),
        no("schema_version"),
        put("extra", 1),
        put("schema_version", SCHEMA_VERSION + 1),
        put("verdict", "MAYBE"),
        put("exit_code", "0"),
        put("case", None),
        put("notes", "a note"),
        put("seconds", {"adjoint": "fast"}),
        lambda r: r["options"].pop("seed"),
        lambda r: r["options"].update(verbose=True),
        lambda r: r["options"].update(points=1.5),
        lambda r: r["checks"][0].pop("seed"),
        lambda r: r["checks"][0].update(extra=1),
        lambda r: r["checks"][0].update(value="1"),
        lambda r: r["checks"][0].update(reason="bad luck"),
        lambda r: r["checks"][0].update(primary=1),
        lambda r: r["points"][0].pop("norm"),
        lambda r: r["points"][0].update(extra=1),
        lambda r: r["points"][0]["rows"][0].pop("share"),
        lambda r: r["points"][0]["rows"][0].update(extra=1),
        lambda r: r["points"][0]["rows"][0].update(component=["a"]),
        lambda r: r["points"][0]["rows"][0]["gradients"].update(adjoint="large"),
    ],
)
def test_a_changed_report_is_refused(validator, data, change):
    change(data)
    with pytest.raises(jsonschema.ValidationError):
        validator.validate(data)
