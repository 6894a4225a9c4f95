"""Replaying a result: the same question again, and whether the answer is the same."""

from __future__ import annotations

import json
import shlex
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lsm_verify.cases import Case
from lsm_verify.cases.serial import case_from_json, read_case
from lsm_verify.errors import InputError
from lsm_verify.verify.problem import Problem
from lsm_verify.verify.result import READABLE, Options, Report
from lsm_verify.verify.run import JACOBI_TOLERANCE, default_points, default_tolerance

TYPES: dict[str, type] = {
    "points": int,
    "seed": int,
    "strict": bool,
    "fast": bool,
    "jacobi_tolerance": float,
    "tolerance": float,
    "named": bool,
    "routes": list,
}
"""Options of a report and what they are."""


@dataclass(frozen=True)
class Replay:
    """What a file asks: a case or the name of a target, options, and the answer it holds."""

    case: Case | None
    target: str
    options: dict[str, Any]
    before: dict[str, Any] = field(default_factory=dict)


def read(path: Path) -> Replay:
    """Read a report (``check --json``) or a case (a counterexample of `lsm_verify.strategies`).

    Raises
    ------
    InputError
        If the file cannot be read, is no JSON, or holds neither.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror}; check the name.") from None
    except ValueError as error:
        raise InputError(f"{path} is no JSON ({error}); give a file of check --json.") from None
    if isinstance(content, dict) and content.get("kind") == "case":
        return Replay(read_case(path), "", {})
    replay = content.get("replay") if isinstance(content, dict) else None
    if not isinstance(replay, dict) or not isinstance(content.get("options"), dict):
        raise InputError(
            f"{path} is neither a result of check --json nor a case; give one of them."
        )
    if content.get("schema_version") not in READABLE:
        raise InputError(
            f"{path} has schema version {content.get('schema_version')}; "
            f"{' or '.join(map(str, READABLE))} is wanted: replay it with the version that wrote "
            "it, see its provenance."
        )
    options = _options(path, content["options"])
    try:
        _gradients(content)
    except (KeyError, TypeError, AttributeError) as error:
        raise InputError(
            f"{path} has damaged points ({error}); write it anew with check --json."
        ) from None
    if replay.get("kind") == "case":
        try:
            case = case_from_json(replay["case"])
        except (KeyError, ValueError) as error:
            raise InputError(f"{path} holds a damaged case: {error}") from None
        return Replay(case, "", options, content)
    target = replay.get("target")
    if not isinstance(target, str) or not target:
        raise InputError(
            f"{path} is of a problem made in Python, which no file can hold; call verify again "
            f"with seed={options['seed']}."
        )
    return Replay(None, target, options, content)


def _options(path: Path, written: Mapping[str, Any]) -> dict[str, Any]:
    """Return the keyword arguments of `verify` from the options of a report."""
    wanted = [name for name in TYPES if name not in ("named", "routes")]
    missing = [name for name in TYPES if name not in written]
    if missing:
        raise InputError(f"{path} lacks option {missing[0]!r}; write it anew with check --json.")
    for name, kind in TYPES.items():
        if not isinstance(written[name], kind) or (kind is int and isinstance(written[name], bool)):
            raise InputError(
                f"{path}: option {name}={written[name]!r} is no {kind.__name__}; write it anew "
                "with check --json."
            )
    options = {name: written[name] for name in wanted}
    options["routes"] = list(written["routes"]) if written["named"] else None
    return options


def command(
    name: str,
    case: Case | Problem,
    options: Options,
    *,
    saved: Path | None = None,
    data: Path | None = None,
    interpolate_gaps: int = 0,
    configured: Collection[str] = (),
) -> str:
    """Return the line of a shell that asks again what a report answers.

    Parameters
    ----------
    name : str
        What was verified, as the command line names it; ``case`` is what that is.
    options : Options
        Of the report. Those that are not the defaults are written out, and the seed.
    saved : Path, optional
        A file that holds the question; nothing else is needed then.
    data, interpolate_gaps
        As they were given for a case by its name.
    configured : collection of str
        Options that pyproject.toml sets: written out even where they have their default value.
    """
    if saved is not None:
        return shlex.join(["lsm-verify", "check", "--replay", str(saved)])
    own = isinstance(case, Problem)

    def changed(key: str, default: object, value: object) -> bool:
        return value != default or key in configured

    words = ["lsm-verify", "check", name, "--seed", str(options.seed)]
    if options.named:
        words += ["--routes", ",".join(options.routes)]
    if not own and changed("points", default_points(options.fast), options.points):
        words += ["--points", str(options.points)]
    for key, value in (("strict", options.strict), ("fast", options.fast)):
        if changed(key, False, value):
            words.append(f"--{key}" if value else f"--no-{key}")
    if changed("tolerance", default_tolerance(case), options.tolerance):
        words += ["--tolerance", repr(options.tolerance)]
    if not own and changed("jacobi-tol", JACOBI_TOLERANCE, options.jacobi_tolerance):
        words += ["--jacobi-tol", repr(options.jacobi_tolerance)]
    if data is not None:
        words += ["--data", str(data)]
    if not own and changed("interpolate-gaps", 0, interpolate_gaps):
        words += ["--interpolate-gaps", str(interpolate_gaps)]
    return shlex.join(words)


def compare(before: Mapping[str, Any], report: Report) -> str:
    """Say in a line whether a replayed report gives what the file holds."""
    if not before:
        return ""
    after = report.to_json()
    if before.get("verdict") != after["verdict"]:
        return f"replay: the verdict was {before.get('verdict')} and is now {after['verdict']}"
    old, new = _gradients(before), _gradients(after)
    if old.keys() != new.keys():
        return "replay: same verdict; the gradients are not those of the file"
    same = sum(old[key] == new[key] for key in new)
    text = f"replay: same verdict; {same} of {len(new)} derivatives equal to the last bit"
    if same < len(new):
        apart = max(
            abs(old[k] - new[k]) / max(abs(old[k]), abs(new[k])) for k in new if old[k] != new[k]
        )
        text += f", the others within {apart:.1e}"
    return text


def _gradients(content: Mapping[str, Any]) -> dict[tuple[str, ...], float]:
    return {
        (point["point"], point["objective"], row["parameter"], str(row["component"]), route): value
        for point in content.get("points", [])
        for row in point["rows"]
        for route, value in row["gradients"].items()
        if value is not None
    }
