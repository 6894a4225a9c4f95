"""What the first screen of a report says: the verdict; if it is bad what, where, by how much."""

from __future__ import annotations

from dataclasses import dataclass

from lsm_verify.report.findings import deciding, derivative, how_much
from lsm_verify.report.text import detail, verdict_words
from lsm_verify.verify.result import CheckResult, Report, Verdict

SIGNS = {
    Verdict.PASS: "✓",
    Verdict.FAIL: "✗",
    Verdict.INCONCLUSIVE: "?",
    Verdict.NONSMOOTH: "∧",
}
"""A verdict is told by its word, its sign and its colour."""

MEANINGS = {
    Verdict.PASS: "The gradient is right, as far as the certified error says.",
    Verdict.FAIL: "A gradient or a property of the model is wrong.",
    Verdict.INCONCLUSIVE: "Nothing could be concluded: this is no pass.",
    Verdict.NONSMOOTH: "There is no gradient here: the point sits on a kink. This is no pass.",
}

MOST_NAMES = 6
"""Parameters that are named on the first screen."""


@dataclass(frozen=True)
class Fact:
    """One line of the first screen; ``code``: to be copied as it stands."""

    name: str
    words: str
    code: bool = False


def facts(report: Report) -> list[Fact]:
    """Return the lines below the verdict."""
    if report.verdict is Verdict.PASS:
        return _certified(report)
    check = next(iter(deciding(report)), None)
    if check is None:
        found = [Fact("What", verdict_words(report))]
    else:
        words = (derivative(report, check), how_much(check))
        how = "; ".join(word for word in words if word)
        found = [*_what(check), *_where(report, check)]
        found += [Fact("By how much", how)] if how else []
    return [*found, Fact("Checks", counted(report)), *_replay(report)]


def _certified(report: Report) -> list[Fact]:
    gate = [c for c in report.checks if c.primary and not c.covered]
    bound = max((c.bound for c in gate if c.bound is not None), default=None)
    seen = max((c.detectable for c in gate if c.detectable is not None), default=None)
    routes = list(report.points[0].values) if report.points else []
    found = [Fact("Certified", f"relative error of the gradient ≤ {bound:.1e}")] if bound else []
    if seen:
        found.append(Fact("Smallest visible", f"an error of {seen:.1e} would have been seen"))
    if routes:
        found.append(Fact("Routes", ", ".join(routes)))
    return [*found, Fact("Checks", counted(report)), *_replay(report, "Repeat with")]


def counted(report: Report) -> str:
    """Count the checks by verdict; those that another check covers by themselves."""
    own = [c for c in report.checks if not c.covered]
    numbers = [f"{n} {v}" for v in Verdict if (n := sum(c.verdict is v for c in own))]
    covered = len(report.checks) - len(own)
    if covered:
        numbers.append(f"{covered} made up for by the probe")
    return ", ".join(numbers) or "none ran"


def _what(check: CheckResult) -> list[Fact]:
    objective = f" ({check.objective})" if check.objective else ""
    reason = f": {check.reason}" if check.reason else ""
    return [Fact("What", f"{check.check}{objective}{reason}")]


def _where(report: Report, check: CheckResult) -> list[Fact]:
    bad = deciding(report)
    located = next((c.location for c in bad if c.location is not None), None)
    found = []
    where = check.point if located is None else f"{check.point}: {located.sentence}"
    found.append(Fact("Where", where))
    names = list(dict.fromkeys(name for c in bad for name in c.parameters))
    more = f" and {len(names) - MOST_NAMES} more" if len(names) > MOST_NAMES else ""
    if names:
        found.append(Fact("Parameters", ", ".join(names[:MOST_NAMES]) + more))
    return found


def _replay(report: Report, name: str = "Replay with") -> list[Fact]:
    if report.command:
        return [Fact(name, report.command, code=True)]
    asked = [report.replay.get("kind", "case"), f"seed={report.options.seed}"]
    asked += ["fast=True"] if report.options.fast else []
    asked += [f"routes={list(report.options.routes)}"] if report.options.named else []
    return [Fact(name, f"lsm_verify.verify({', '.join(asked)})", code=True)]


def details(report: Report) -> list[str]:
    """Every check that did not pass, in a line each, as on a terminal."""
    return [
        f"{check.verdict} {detail(check)}"
        for check in report.checks
        if check.verdict is not Verdict.PASS and not check.covered
    ]
