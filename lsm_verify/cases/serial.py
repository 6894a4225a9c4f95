"""A case as JSON and back: every number exactly, every key known.

The form of a file: ``{"kind": "case", "schema_version": 1, ...}`` and one key for each field of
`Case`. A number is a number, values per step, node or interface are a list, knots are
``{"times": [...], "values": [...]}``, a missing observation is ``null``, and so is an
``initial_temperature`` that is tied to the bottom.
"""

from __future__ import annotations

import json
import reprlib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NoReturn, TypeVar

import numpy as np

from lsm_verify.cases.case import Case
from lsm_verify.errors import InputError, unknown
from lsm_verify.files import write_text
from lsm_verify.forcing import Forcing
from lsm_verify.grid import Grid
from lsm_verify.observations import Observations, Series
from lsm_verify.parameters import Knots, Value
from lsm_verify.quantities import FORCING, PARAMETERS

T = TypeVar("T")

KIND = "case"
SCHEMA_VERSION = 1
LARGEST_FILE = 100_000_000
"""Bytes; a year of hourly steps with every parameter per step is a tenth of it."""

FORCING_KEYS = ("time_step", *FORCING, "start")
SERIES_KEYS = ("kind", "depth", "values", "weights")
KNOTS_KEYS = ("times", "values")
PARAMETER_KEYS = ("fixed", "start", "truth", "published")
REQUIRED = ("kind", "schema_version", "name", "grid", "forcing", "observations", "start", "ranges")
WANTED: dict[type, str] = {
    list: "a list",
    dict: "a table",
    str: "a string",
    bool: "true or false",
}
"""JSON types, as messages call them."""

KEYS = (*REQUIRED, "title", "fixed", "truth", "published", "insulated", "sources", "notes")


# ------------------------------------------------------------------ to JSON


def case_to_json(case: Case) -> dict[str, Any]:
    """Return a case as plain JSON types.

    Parameters
    ----------
    case : Case
        The case.

    Returns
    -------
    dict
        Finite floats, strings, lists, dicts and ``None`` only; `json` writes floats so that they
        are read back bit by bit.

    Examples
    --------
    >>> from lsm_verify import load_case
    >>> content = case_to_json(load_case("twin"))
    >>> content["kind"], content["start"]["albedo"]
    ('case', 0.275)
    """
    forcing: dict[str, Any] = {
        name: _numbers(getattr(case.forcing, name)) for name in ("time_step", *FORCING)
    }
    forcing["start"] = None if case.forcing.start is None else str(case.forcing.start)
    content: dict[str, Any] = {
        "kind": KIND,
        "schema_version": SCHEMA_VERSION,
        "name": case.name,
        "title": case.title,
        "grid": {"spacing": _numbers(case.grid.spacing)},
        "forcing": forcing,
        "observations": [_series_to_json(s) for s in case.observations.series],
        "insulated": bool(case.insulated),
    }
    for key in PARAMETER_KEYS:
        values = getattr(case, key)
        content[key] = (
            None if values is None else {name: _value_to_json(v) for name, v in values.items()}
        )
    content["ranges"] = {name: [_numbers(end) for end in case.ranges[name]] for name in case.ranges}
    content["sources"] = dict(case.sources)
    content["notes"] = list(case.notes)
    return content


def _numbers(values: Any) -> Any:
    return np.asarray(values, dtype=np.float64).tolist()


def _value_to_json(value: Value) -> Any:
    if value is None:
        return None
    if isinstance(value, Knots):
        return {"times": _numbers(value.times), "values": _numbers(value.values)}
    return _numbers(value)


def _series_to_json(series: Series) -> dict[str, Any]:
    """One weight where all that is there weighs the same; ``null`` for what is missing."""
    weights = np.broadcast_to(series.weights, series.values.shape)
    missing = (series.values == 0) & (weights == 0)
    seen = np.unique(weights[~missing])
    return {
        "kind": series.kind,
        "depth": series.depth,
        "values": [
            None if gone else value
            for value, gone in zip(series.values.tolist(), missing, strict=True)
        ],
        "weights": float(seen[0]) if seen.size == 1 else weights.tolist(),
    }


# ------------------------------------------------------------------ from JSON


def case_from_json(content: Mapping[str, Any]) -> Case:
    """Return the case that `case_to_json` described.

    Raises
    ------
    InputError
        If it is no case, of another version, has unknown or missing keys, or values that the
        case's own checks refuse.
    """
    given: Any = content
    if not isinstance(given, Mapping) or given.get("kind") != KIND:
        kind = given.get("kind") if isinstance(given, Mapping) else type(given).__name__
        raise InputError(f"kind={kind!r} is no case; give one written by write_case.")
    if given.get("schema_version") != SCHEMA_VERSION:
        raise InputError(
            f"schema_version={given.get('schema_version')!r} of the case is not "
            f"{SCHEMA_VERSION}; read it with the release that wrote it."
        )
    _keys("case", given, KEYS, REQUIRED)
    forcing = _keys("forcing", given["forcing"], FORCING_KEYS, ("time_step", *FORCING))
    start: Any = forcing.get("start")
    if start is not None:
        _is(str, "forcing.start", start)
    sources = _is(dict, "sources", given.get("sources", {}))
    parts = {
        key: {name: _value(f"{key}.{name}", v) for name, v in _named(key, given[key]).items()}
        for key in PARAMETER_KEYS
        if given.get(key) is not None
    }
    if "start" not in parts:
        raise InputError("start=None must be a table of parameters; give at least one.")
    return Case(
        name=_is(str, "name", given["name"]),
        title=_is(str, "title", given.get("title", "")),
        grid=Grid(_array("grid.spacing", _keys("grid", given["grid"], ("spacing",))["spacing"])),
        forcing=Forcing(
            **{name: _array(f"forcing.{name}", forcing[name]) for name in ("time_step", *FORCING)},
            start=start,
        ),
        observations=Observations(
            tuple(
                _series(f"observations[{k}]", s)
                for k, s in enumerate(_is(list, "observations", given["observations"]))
            )
        ),
        fixed=parts.get("fixed", {}),
        start=parts["start"],
        ranges={
            name: tuple(_array(f"ranges.{name}", end) for end in _pair(name, pair))
            for name, pair in _named("ranges", given["ranges"]).items()
        },
        truth=parts.get("truth"),
        published=parts.get("published"),
        insulated=_is(bool, "insulated", given.get("insulated", False)),
        sources={name: _is(str, f"sources.{name}", v) for name, v in sources.items()},
        notes=tuple(_is(str, "notes", note) for note in _is(list, "notes", given.get("notes", []))),
    )


def _series(where: str, content: Any) -> Series:
    _keys(where, content, SERIES_KEYS)
    values = [
        float("nan") if value is None else value
        for value in _is(list, f"{where}.values", content["values"])
    ]
    return Series(
        _is(str, f"{where}.kind", content["kind"]),
        _array(f"{where}.values", values),
        depth=_number(f"{where}.depth", content["depth"]),
        weights=_array(f"{where}.weights", content["weights"]),
    )


def _value(where: str, content: Any) -> Any:
    if content is None:
        return None
    if isinstance(content, Mapping):
        _keys(where, content, KNOTS_KEYS)
        return Knots(*(_array(f"{where}.{key}", content[key]) for key in KNOTS_KEYS))
    return _array(where, content)


def _array(where: str, content: Any) -> Any:
    """One number, or an array of as many as the list has."""
    if not isinstance(content, list):
        return _number(where, content)
    return np.array([_number(f"{where}[{k}]", v) for k, v in enumerate(content)], dtype=np.float64)


def _number(where: str, content: Any) -> float:
    if isinstance(content, bool) or not isinstance(content, int | float):
        raise InputError(f"{where}={reprlib.repr(content)} must be a number.")
    try:
        return float(content)
    except OverflowError:
        raise InputError(f"{where} is too large for a double; check its value.") from None


def _is(kind: type[T], where: str, content: Any) -> T:
    """Return what is of the wanted JSON type; refuse anything else."""
    if not isinstance(content, kind):
        raise InputError(f"{where}={reprlib.repr(content)} must be {WANTED[kind]}.")
    return content


def _named(where: str, content: Any) -> dict[str, Any]:
    """Return a table whose keys are names of parameters."""
    table = _is(dict, where, content)
    for name in table:
        if name not in PARAMETERS:
            raise unknown("parameter", name, PARAMETERS)
    return table


def _pair(name: str, content: Any) -> list[Any]:
    pair = _is(list, f"ranges.{name}", content)
    if len(pair) != 2:
        raise InputError(f"ranges.{name} has {len(pair)} ends; give a pair, [lower, upper].")
    return pair


def _keys(
    where: str, content: Any, known: Iterable[str], required: Iterable[str] | None = None
) -> Mapping[str, Any]:
    """Return a table whose keys are all known, with none missing of those required."""
    known = tuple(known)
    table = _is(dict, where, content)
    for key in table:
        if key not in known:
            raise unknown(f"key of {where}", key, known)
    for key in known if required is None else required:
        if key not in table:
            raise InputError(f"{where} has no key {key!r}; add it.")
    return table


# ------------------------------------------------------------------ files


def write_case(case: Case, path: str | Path) -> None:
    """Write a case to a JSON file, all of it or nothing.

    Raises
    ------
    InputError
        If the file cannot be written.
    """
    write_text(Path(path), json.dumps(case_to_json(case), indent=1, allow_nan=False) + "\n")


def read_case(path: str | Path) -> Case:
    """Read a case from a JSON file; ``lsm-verify check --replay`` does.

    Raises
    ------
    InputError
        If the file is missing, unreadable, damaged, or holds no case; the file is named.
    """
    path = Path(path)
    try:
        with path.open("rb") as file:
            raw = file.read(LARGEST_FILE + 1)
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror}; check the name.") from None
    if len(raw) > LARGEST_FILE:
        raise InputError(f"{path} is larger than {LARGEST_FILE:,} bytes; it is no case.")
    try:
        return case_from_json(
            json.loads(
                raw.decode("utf-8"), parse_constant=_refuse_constant, object_pairs_hook=_once
            )
        )
    except UnicodeDecodeError:
        raise InputError(f"{path} is no text in UTF-8; give a file of write_case.") from None
    except json.JSONDecodeError as error:
        raise InputError(
            f"{path} is no JSON: {error.msg} at line {error.lineno}, column {error.colno}; "
            "write it anew with write_case."
        ) from None
    except RecursionError:
        raise InputError(f"{path} is nested too deeply to be a case.") from None
    except ValueError as error:  # the case's own checks, or a whole number of 4,300 digits
        raise InputError(f"{path}: {error}") from None


def _refuse_constant(name: str) -> NoReturn:
    raise InputError(f"{name} is no number of JSON; give null for a missing observation.")


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    table = dict(pairs)
    if len(table) < len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for key in keys if keys.count(key) > 1)
        raise InputError(f"key {twice!r} is given twice; keep one.")
    return table
