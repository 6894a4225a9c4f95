"""Write lsm_verify/verify/report.schema.json from the dataclasses that make up a report.

    python tools/make_schema.py

A test compares the file with what this script makes of the present dataclasses. Whoever changes
them runs it again, and raises ``SCHEMA_VERSION`` if a reader of old reports would be misled.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from lsm_verify.verify.result import SCHEMA_VERSION, Report

PATH = Path(__file__).resolve().parents[1] / "lsm_verify" / "verify" / "report.schema.json"


def make() -> dict[str, Any]:
    """Return the schema of `Report.to_json`."""
    raw = TypeAdapter(Report).json_schema(mode="serialization")
    schema = _adapted(raw)
    schema["properties"]["schema_version"] = {"const": SCHEMA_VERSION}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": f"urn:lsm-verify:report:{SCHEMA_VERSION}",
        "title": f"lsm-verify report, version {SCHEMA_VERSION}",
        **schema,
    }


def render() -> str:
    """Return the schema as the text of its file."""
    return json.dumps(make(), indent=1, ensure_ascii=False, sort_keys=True) + "\n"


def _adapted(node: Any) -> Any:
    """Return a part of pydantic's schema as strict as the files are.

    Every field is always written and no other; a number that JSON lacks is written as ``null``.
    Titles and defaults say nothing about a file; of docstrings the first line is enough.
    """
    if isinstance(node, list):
        return [_adapted(part) for part in node]
    if not isinstance(node, dict):
        return node
    result: dict[str, Any] = {}
    for key, value in node.items():
        if key in ("properties", "$defs"):
            result[key] = {name: _adapted(part) for name, part in value.items()}
        elif key == "description":
            result[key] = value.partition("\n")[0]
        elif key not in ("title", "default", "required"):
            result[key] = _adapted(value)
    if "properties" in result:
        result["required"] = sorted(result["properties"])
        result["additionalProperties"] = False
    if result.get("type") == "number":
        result["type"] = ["number", "null"]
    if "anyOf" in result and all(
        isinstance(part.get("type"), str | list) for part in result["anyOf"]
    ):
        result["type"] = _union(result.pop("anyOf"))
    return result


def _union(parts: list[dict[str, Any]]) -> list[str]:
    types = [
        t
        for part in parts
        for t in ([part["type"]] if isinstance(part["type"], str) else part["type"])
    ]
    return list(dict.fromkeys(types))


if __name__ == "__main__":
    PATH.write_text(render(), encoding="utf-8")
    print(f"wrote {PATH.name}")
