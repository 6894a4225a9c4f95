"""A stored report read back: the inverse of `Report.to_json`, by the dataclasses' own type hints.

pydantic's ``TypeAdapter`` could do it, but as a dependency of every installation: our files write
not-a-number as ``null``, refuse unknown keys and want one line per error, each of which it must be
taught; what is left is the walk below.
"""

from __future__ import annotations

import json
import math
import types
from collections.abc import Mapping
from dataclasses import MISSING, Field, fields, is_dataclass
from enum import StrEnum
from functools import cache
from pathlib import Path
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from lsm_verify.errors import InputError, unknown
from lsm_verify.verify import coherence
from lsm_verify.verify.result import READABLE, SCHEMA_VERSION, Report

PLAIN: dict[Any, tuple[str, tuple[type, ...]]] = {
    str: ("a string", (str,)),
    bool: ("true or false", (bool,)),
    int: ("a whole number", (int,)),
    float: ("a number", (int, float)),
}
"""Plain types: what they are called, and what JSON makes of them."""


def load(path: Path) -> dict[str, Any]:
    """Read a JSON file that holds an object.

    Raises
    ------
    InputError
        If the file cannot be read or holds something else.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror}; check the name.") from None
    except (ValueError, RecursionError) as error:  # no JSON, or no UTF-8
        raise InputError(f"{path} is no JSON ({error}); give a file of check --json.") from None
    if not isinstance(content, dict):
        raise InputError(
            f"{path} holds a {type(content).__name__}, no result; give a file of check --json."
        )
    return content


def report(content: Mapping[str, Any], name: str = "the result") -> Report:
    """Return the report that `Report.to_json` has written; ``name`` stands in errors.

    Files of an older schema may lack the fields that have a default since. Not-a-number and
    infinity are ``null`` in a file, and become not-a-number, or ``None`` where a field allows it.

    Raises
    ------
    InputError
        If the version is unknown, a field is missing, unknown or of another type, or two do not fit
        together.
    """
    version = content.get("schema_version")
    if version not in READABLE or isinstance(version, bool):
        raise InputError(
            f"{name} has schema version {version!r}; {' or '.join(map(str, READABLE))} is wanted: "
            "give a file of check --json, or read it with the version that wrote it."
        )
    whole = version == SCHEMA_VERSION
    try:
        found = _read(Report, {**content, "schema_version": SCHEMA_VERSION}, "", whole)
        assert isinstance(found, Report)
        coherence.require(found)
    except InputError as error:
        raise InputError(f"{name}: {error} Write it anew with check --json.") from None
    return found


def settled(found: Report) -> Report:
    """Return a report as its file will give it back.

    JSON has no infinity: a bound that is infinite certifies nothing and becomes ``None``, any other
    number that is not finite not-a-number. Done once, where a report is made, so that what is shown
    of it now and what is shown of its file are the same.
    """
    again = _read(Report, found.to_json(), "", True)
    assert isinstance(again, Report)
    return again


def _read(kind: Any, value: Any, where: str, whole: bool) -> Any:
    """Return a value of a type; ``whole``: whether fields with a default must be there, too."""
    if kind is Any:
        return value
    if is_dataclass(kind):
        return _object(kind, value, where, whole)
    origin, arguments = get_origin(kind), get_args(kind)
    if origin in (Union, types.UnionType):
        if value is None and type(None) in arguments:
            return None
        others = [each for each in arguments if each is not type(None)]
        return _first(others, value, where, whole)
    if origin in (tuple, list):
        return _sequence(origin, arguments, value, where, whole)
    if origin is dict and isinstance(value, Mapping):
        return {k: _read(arguments[1], v, f"{where}[{k!r}]", whole) for k, v in value.items()}
    if origin is Literal and value in arguments:
        return value
    if isinstance(kind, type) and issubclass(kind, StrEnum):
        if isinstance(value, str) and value in list(kind):
            return kind(value)
        raise unknown(f"value of {where}", str(value), [each.value for each in kind])
    wanted, allowed = PLAIN.get(kind, ("an object" if origin is dict else str(kind), ()))
    if kind is float and value is None:
        return math.nan
    if not isinstance(value, allowed) or (isinstance(value, bool) and kind is not bool):
        raise InputError(f"{where or 'it'}={_short(value)} must be {wanted}.")
    return kind(value)


def _object(kind: Any, value: Any, where: str, whole: bool) -> Any:
    if not isinstance(value, Mapping):
        raise InputError(f"{where or 'it'}={_short(value)} must be an object.")
    known = {each.name: each for each in fields(kind)}
    for key in value:
        if key not in known:
            raise unknown(f"field of {where or 'the result'}", key, known)
    for key, field in known.items():
        if key not in value and (whole or not _has_default(field)):
            raise InputError(f"{where or 'the result'} lacks the field {key!r}.")
    hints, dot = _hints(kind), f"{where}." if where else ""
    return kind(**{key: _read(hints[key], each, dot + key, whole) for key, each in value.items()})


@cache
def _hints(kind: Any) -> dict[str, Any]:
    return get_type_hints(kind)


def _has_default(field: Field[Any]) -> bool:
    return field.default is not MISSING or field.default_factory is not MISSING


def _sequence(
    origin: Any, arguments: tuple[Any, ...], value: Any, where: str, whole: bool
) -> list[Any] | tuple[Any, ...]:
    """Return a list, a tuple of any length, or one of a fixed length."""
    if not isinstance(value, list | tuple):
        raise InputError(f"{where}={_short(value)} must be a list.")
    kinds = arguments
    if origin is list or arguments[1:] == (...,):
        kinds = (arguments[0],) * len(value)
    if len(kinds) != len(value):
        raise InputError(f"{where} has {len(value)} entries; {len(kinds)} are wanted.")
    pairs = enumerate(zip(kinds, value, strict=True))
    return origin(_read(k, v, f"{where}[{i}]", whole) for i, (k, v) in pairs)  # type: ignore[no-any-return]


def _first(kinds: list[Any], value: Any, where: str, whole: bool) -> Any:
    """Return a value as the first of several types that it fits."""
    for kind in kinds[:-1]:
        try:
            return _read(kind, value, where, whole)
        except InputError:
            continue  # The next may fit; what the last one says is raised.
    return _read(kinds[-1], value, where, whole)


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 40 else f"{text[:37]}…"
