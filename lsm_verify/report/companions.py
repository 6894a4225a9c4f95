"""Files that may stand beside a report: what writes them, and what they must hold to be shown."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from lsm_verify.errors import InputError

KINDS: dict[str, str] = {
    "result": "check --json",
    "selftest": "selftest --json",
    "benchmarks": "bench run -o",
    "claims": "reproduce (claims.json)",
    "calibration": "calibrate --json",
}
"""Kinds of files and what writes them."""

NUMBER = (int, float)
Shape = Any
"""A type, a tuple of them (``None``: may be null), a list of one shape, or names with shapes."""

WORDS: dict[type, str] = {str: "a string", bool: "true or false", int: "a whole number"}

SELFTEST: Shape = {
    "passed": bool,
    "mutants": [
        {
            "name": str,
            "killed_by": [str],
            "ran": [str],
            "location": (str, None),
            "location_right": (bool, None),
        }
    ],
    "neighbours": [{"exit_code": int, "failed": [str]}],
}
LIMITS: Shape = [{"check": str, "dtype": str, "part": str, "size": (*NUMBER, None)}]
BENCHMARKS: Shape = {"machine_info": dict, "benchmarks": [{"name": str, "extra_info": dict}]}
ROW: Shape = {
    "stats": {"min": NUMBER, "median": NUMBER},
    "extra_info": {
        "peer": str,
        "mode": str,
        "device": str,
        "dtype": str,
        "columns": int,
        "steps": int,
        "nodes": int,
        "threads": int,
        "floor_seconds": NUMBER,
        "floor_bound": str,
        "operations": NUMBER,
        "bytes": NUMBER,
    },
}
POSITIVE = (
    ("stats", "min"),
    ("stats", "median"),
    ("extra_info", "columns"),
    ("extra_info", "floor_seconds"),
)
"""What is divided by."""

ABOUT: dict[str, Shape] = {
    "": {"datetime": str, "commit_info": (dict, None)},
    "machine_info": {"cpu": (dict, None)},
    "commit_info": {"id": str},
}
"""What may be missing; the empty name is the file itself."""

PUBLISHED: Shape = {"sweeps_per_step": NUMBER, "gradient_error": NUMBER}
CLAIMS: Shape = {"claims": [{"name": str, "statement": str, "verdict": str, "evidence": str}]}
CALIBRATION: Shape = {
    "case": str,
    "title": str,
    "method": str,
    "route": str,
    "best": (int, None),
    "warnings": [str],
    "unknowns": [{"label": str, "unit": str}],
    "starts": [
        {
            "estimate": [(*NUMBER, None)],
            "objective": (*NUMBER, None),
            "rmse": (*NUMBER, None),
            "iterations": int,
        }
    ],
}
REACHED: Shape = {"estimate": [NUMBER], "objective": NUMBER, "rmse": NUMBER}
"""A start that came to a solution: none of its numbers may be missing."""


def require(kind: str, content: Any, name: str = "") -> None:
    """Refuse content that cannot be shown: of another kind, cut, or changed by hand.

    Parameters
    ----------
    kind : str
        One of `KINDS`, but no result: that has types of its own.
    content
        What the file holds.
    name : str
        The file, for errors; the kind itself where there is none.

    Raises
    ------
    InputError
        In one line: the file, what it lacks, and what writes such a file.
    """
    try:
        REQUIRED[kind](content)
    except InputError as error:
        raise InputError(f"{name or kind}: {error} Give a file of {KINDS[kind]}.") from None


def _selftest(content: Any) -> None:
    inner = isinstance(content, Mapping) and "selftest" in content
    found, where = (content["selftest"], "selftest") if inner else (content, "")
    _has(found, SELFTEST, where)
    dot = f"{where}." if where else ""
    if found.get("limits") is not None:
        _has(found["limits"], LIMITS, f"{dot}limits")
    if found.get("checks") is not None:
        _has(found["checks"], [str], f"{dot}checks")


def _benchmarks(content: Any) -> None:
    _has(content, BENCHMARKS, "")
    # Rows of a project's own benchmarks, without a peer, may stand among ours.
    rows = {i: e for i, e in enumerate(content["benchmarks"]) if "peer" in e["extra_info"]}
    if not rows:
        raise InputError("benchmarks holds no row with a peer.")
    for i, row in rows.items():
        info, where = row["extra_info"], f"benchmarks[{i}]"
        _has(row, ROW, where)
        if info["peer"].startswith("published") and info["mode"] == "gradient":
            _has(info, PUBLISHED, f"{where}.extra_info")
        for part, key in POSITIVE:
            if not row[part][key] > 0:
                raise InputError(f"{where}.{part}.{key}={row[part][key]} must be positive.")
    for name, shape in ABOUT.items():
        part = content.get(name) if name else content
        if part is not None:
            _has(part, {key: each for key, each in shape.items() if key in part}, name)


def _calibration(content: Any) -> None:
    _has(content, CALIBRATION, "")
    best, starts, count = content["best"], content["starts"], len(content["unknowns"])
    rows = {}
    for i, start in enumerate(starts):
        if start["objective"] is not None:
            _has(start, REACHED, f"starts[{i}]")
        rows[f"starts[{i}].estimate"] = start["estimate"]
    for name in ("truth", "published"):
        if content.get(name) is not None:
            _has(content[name], [NUMBER], name)
            rows[name] = content[name]
    for where, row in rows.items():
        if len(row) != count:
            raise InputError(f"{where} has {len(row)} entries; {count} are wanted, as unknowns.")
    ended = [i for i, start in enumerate(starts) if start["objective"] is not None]
    if ended and best not in ended:
        raise InputError(f"best={best} is no start with an objective.")


REQUIRED: dict[str, Callable[[Any], None]] = {
    "selftest": _selftest,
    "benchmarks": _benchmarks,
    "claims": lambda content: _has(content, CLAIMS, ""),
    "calibration": _calibration,
}


def _has(value: Any, shape: Shape, where: str) -> None:
    """Refuse a value that is not of a shape."""
    if isinstance(shape, dict):
        if not isinstance(value, Mapping):
            raise InputError(f"{where or 'it'} must be an object.")
        for key, each in shape.items():
            if key not in value:
                raise InputError(f"{where or 'it'} lacks {key!r}.")
            _has(value[key], each, f"{where}.{key}" if where else key)
    elif isinstance(shape, list):
        if not isinstance(value, list | tuple):
            raise InputError(f"{where} must be a list.")
        for i, each in enumerate(value):
            _has(each, shape[0], f"{where}[{i}]")
    else:
        _plain(value, shape if isinstance(shape, tuple) else (shape,), where)


def _plain(value: Any, kinds: Sequence[type | None], where: str) -> None:
    if value is None and None in kinds:
        return
    types = tuple(kind for kind in kinds if kind is not None)
    if not isinstance(value, types) or (isinstance(value, bool) and bool not in types):
        wanted = "a number" if float in types else WORDS.get(types[0], "an object")
        raise InputError(f"{where} must be {wanted}.")
