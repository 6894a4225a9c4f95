"""What several commands take and how it is read: cases, data, names and values."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lsm_verify import usage
from lsm_verify.errors import InputError, unknown

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lsm_verify.cases import Case
    from lsm_verify.observations import Series

CaseName = Annotated[
    str,
    typer.Argument(
        metavar="CASE",
        help="twin, twin-one-depth, phoenix or layered.",
        autocompletion=usage.cases,
    ),
]
DataFolder = Annotated[
    Path | None,
    typer.Option(
        "--data",
        metavar="DIR",
        help="Folder of the data files (default: LSM_VERIFY_DATA, else the cache).",
    ),
]
Gaps = Annotated[
    int,
    typer.Option(
        "--interpolate-gaps", metavar="N", help="Fill gaps of up to N half-hours in tower forcing."
    ),
]
Json = Annotated[
    Path | None, typer.Option("--json", metavar="FILE", help="Write the result as JSON.")
]


def load(case: str, data: Path | None, interpolate_gaps: int) -> Case:
    """Load a case by its name."""
    from lsm_verify.cases import load_case

    return load_case(case, data=data, interpolate_gaps=interpolate_gaps)


def names(text: str | None) -> list[str] | None:
    """Split a list at commas."""
    return None if text is None else [name.strip() for name in text.split(",") if name.strip()]


def assignments(option: str, pairs: list[str]) -> dict[str, float]:
    """Read options NAME=VALUE."""
    return {name: value for name, (value,) in _read(option, pairs, "VALUE", 1).items()}


def pairs(option: str, given: list[str], form: str) -> dict[str, tuple[float, float]]:
    """Read options NAME=A,B, whose form is named in errors."""
    return {name: (a, b) for name, (a, b) in _read(option, given, form, 2).items()}


def per_series(option: str, given: list[str], series: Sequence[Series]) -> float | list[float]:
    """Read options VALUE, for all series, KIND=VALUE and KIND@DEPTH=VALUE, each above 0.

    The nearest name counts: that of a series (``soil_temperature@0.05``), that of its kind, or the
    value without a name, for all others. Returns that value if it is all that is given, else one
    for every series.
    """
    values: dict[str, float] = {}
    for text in given:
        name, _, right = text.rpartition("=")
        try:
            value = float(right)
        except ValueError:
            value = 0.0
        if not 0 < value < float("inf"):
            raise InputError(
                f"{option} {text!r} must be a number above 0, KIND=NUMBER or KIND@DEPTH=NUMBER; "
                "soil_temperature@0.05=0.1, say."
            )
        name = name.strip()
        if name in values:
            raise InputError(f"{option} gives {name or 'a value for all'} twice; give it once.")
        values[name] = value
    if set(values) == {""}:
        return values[""]
    known = {kind for s in series for kind in _names_of(s)}
    for name in values:
        if name and name not in known:
            raise unknown(f"series in {option}", name, known)
    found = []
    for s in series:
        nearest = next((name for name in (*_names_of(s), "") if name in values), None)
        if nearest is None:
            raise InputError(
                f"{option} leaves out {s.label}; add {_names_of(s)[0]}=NUMBER, or a number for all "
                "others."
            )
        found.append(values[nearest])
    return found


def _names_of(series: Series) -> tuple[str, str]:
    return f"{series.kind}@{series.depth:g}", series.kind


def values(option: str, given: list[str]) -> dict[str, float | str]:
    """Read options NAME=VALUE, where a value is a number or the name of a variable."""
    return {name: value for name, (value,) in _read_values(option, given, "VALUE", 1).items()}


def two_values(
    option: str, given: list[str], form: str
) -> dict[str, tuple[float | str, float | str]]:
    """Read options NAME=A,B as `values` does; their form is named in errors."""
    return {name: (a, b) for name, (a, b) in _read_values(option, given, form, 2).items()}


def observed(given: list[str]) -> dict[str, float | None]:
    """Read variables that are observed, NAME or NAME@DEPTH."""
    found: dict[str, float | None] = {}
    for text in given:
        name, at, depth = text.partition("@")
        try:
            found[name] = float(depth) if at else None
        except ValueError:
            raise InputError(
                f"--observe {text!r} must be a variable, or one with its depth [m], SoilTemp@0.05."
            ) from None
    return found


def period(text: str | None) -> tuple[str, str] | None:
    """Read two times, FIRST,LAST."""
    if text is None:
        return None
    first, comma, last = text.partition(",")
    if not comma:
        raise InputError(f"--period {text!r} must be two times, FIRST,LAST.")
    return first.strip(), last.strip()


UNITS = {"": 1, "B": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12}
UNITS |= {"KIB": 2**10, "MIB": 2**20, "GIB": 2**30, "TIB": 2**40}


def size(text: str) -> int:
    """Read an amount of memory, ``500MB`` or ``2 GiB``; a number alone is bytes."""
    number = text.strip().rstrip("BbKkMmGgTtIi ")
    unit = text.strip()[len(number) :].strip().upper()
    try:
        found = float(number) * UNITS[unit]
    except (ValueError, KeyError):
        found = 0.0
    if not 1 <= found < 2**62:
        raise InputError(f"--memory {text!r} must be an amount of memory, 500MB or 2GB, say.")
    return int(found)


def _read_values(
    option: str, given: list[str], form: str, count: int
) -> dict[str, list[float | str]]:
    found: dict[str, list[float | str]] = {}
    for text in given:
        name, _, right = text.partition("=")
        words = [word.strip() for word in right.split(",")]
        if len(words) != count or not all(words) or not name.strip():
            raise InputError(
                f"{option} {text!r} must have the form NAME={form}, each a number or the name of a "
                "variable."
            )
        if name.strip() in found:
            raise InputError(f"{option} names {name.strip()} twice; give it once.")
        found[name.strip()] = [_number_or_name(word) for word in words]
    return found


def _number_or_name(word: str) -> float | str:
    try:
        return float(word)
    except ValueError:
        return word


def _read(option: str, given: list[str], form: str, count: int) -> dict[str, list[float]]:
    values: dict[str, list[float]] = {}
    for text in given:
        name, _, right = text.partition("=")
        try:
            numbers = [float(number) for number in right.split(",")]
        except ValueError:
            numbers = []
        if len(numbers) != count:
            what = "a number" if count == 1 else "numbers"
            example = "albedo=0.3" if count == 1 else "albedo=0.1,0.4"
            raise InputError(
                f"{option} {text!r} must have the form NAME={form} with {what}, {example}, say."
            )
        if name.strip() in values:
            raise InputError(f"{option} names {name.strip()} twice; give it once.")
        values[name.strip()] = numbers
    return values
