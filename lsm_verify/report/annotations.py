"""Annotations of GitHub Actions: lines in a job's log that GitHub shows beside the code."""

# No `from __future__ import annotations`: the name is that of a function here.
import ast
from pathlib import Path

from lsm_verify.report.findings import RANK, deciding, headline
from lsm_verify.report.text import replayed
from lsm_verify.verify.result import CheckResult, Report, Verdict

MOST = 10
"""Errors, and warnings, that GitHub shows of one step (docs.github.com, "Workflow commands")."""


def annotations(report: Report, *, root: Path | None = None) -> list[str]:
    """Return ``::error …::message`` for what decides, ``::warning`` for what stayed open.

    The file is that of the target, ``package.module:attr``, where it lies below ``root`` (default:
    the working directory), the line where ``attr`` is made. What is more than GitHub shows is
    counted in the last of each kind.
    """
    errors = deciding(report)
    warnings = [
        c
        for c in report.checks
        if c.verdict is not Verdict.PASS and not c.covered and c not in errors
    ]
    place = _place(report, Path.cwd() if root is None else root)
    lines: list[str] = []
    for level, checks in (("error", errors), ("warning", warnings)):
        checks = sorted(checks, key=lambda c: (RANK.index(c.verdict), not c.primary))
        for number, check in enumerate(checks[:MOST], start=1):
            more = len(checks) - MOST if number == MOST else 0
            lines.append(_line(level, check, report, place, more))
    return lines


def data(text: str) -> str:
    """Escape a message as GitHub's toolkit does."""
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def value(text: str) -> str:
    """Escape a property's value: of these colons and commas too."""
    return data(text).replace(":", "%3A").replace(",", "%2C")


def _line(level: str, check: CheckResult, report: Report, place: dict[str, str], more: int) -> str:
    properties = {**place, "title": f"{check.verdict}: {check.check} of {report.case}"}
    words = [headline(report, check)]
    if more > 0:
        words.append(f"and {more} more, see the report")
    if report.command:
        words.append(replayed(report))
    named = ",".join(f"{name}={value(text)}" for name, text in properties.items())
    return f"::{level} {named}::{data(chr(10).join(words))}"


def _place(report: Report, root: Path) -> dict[str, str]:
    """Return file and line of the target, if it is a user's module below ``root``."""
    target = report.replay.get("target")
    module, _, attribute = str(target or "").partition(":")
    if not attribute:
        return {}
    stem = module.replace(".", "/")
    for name in (f"{stem}.py", f"{stem}/__init__.py", f"src/{stem}.py", f"src/{stem}/__init__.py"):
        path = root / name
        if path.is_file():
            line = _line_of(path, attribute.partition(".")[0])
            return {"file": name} | ({"line": str(line)} if line else {})
    return {}


def _line_of(path: Path, name: str) -> int | None:
    """Return the line on which a module assigns or defines a name, the last of them."""
    try:
        tree = ast.parse(path.read_bytes())
    except (SyntaxError, ValueError):
        return None
    found = None
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and node.name == name:
            found = node.lineno
        targets = node.targets if isinstance(node, ast.Assign) else []
        if isinstance(node, ast.AnnAssign):
            targets = [node.target]
        if any(isinstance(t, ast.Name) and t.id == name for t in targets):
            found = node.lineno
    return found
