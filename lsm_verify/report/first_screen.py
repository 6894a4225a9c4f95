"""What the first screen of a report says: the verdict; if it is bad what, where, by how much."""

from __future__ import annotations

from dataclasses import dataclass

from lsm_verify.report.figures import symbol_of
from lsm_verify.report.text import detail, verdict_words
from lsm_verify.verify.result import CheckResult, GradientRow, Report, Verdict

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
    check = worst(report)
    if check is None:
        found = [Fact("What", verdict_words(report))]
    else:
        found = _what(check) + _where(report, check) + _by_how_much(report, check)
    return [*found, Fact("Checks", counted(report)), *_replay(report)]


def worst(report: Report) -> CheckResult | None:
    """Return the first check that the verdict stands on: of the gate if any of it does."""
    bad = [c for c in report.checks if c.verdict is report.verdict and not c.covered]
    return min(bad, key=lambda c: not c.primary, default=None)


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
    bad = [c for c in report.checks if c.verdict is report.verdict and not c.covered]
    located = next((c.location for c in bad if c.location is not None), None)
    found = []
    where = check.point if located is None else f"{check.point}: {located.sentence}"
    found.append(Fact("Where", where))
    names = list(dict.fromkeys(name for c in bad for name in c.parameters))
    more = f" and {len(names) - MOST_NAMES} more" if len(names) > MOST_NAMES else ""
    if names:
        found.append(Fact("Parameters", ", ".join(names[:MOST_NAMES]) + more))
    return found


def _by_how_much(report: Report, check: CheckResult) -> list[Fact]:
    limit = check.fail_limit if report.verdict is Verdict.FAIL else check.pass_limit
    words = f"{check.statistic} {check.value:.2g}, limit {limit:g}" if limit > 0 else ""
    row = _row(report, check)
    if row is not None:
        words = "; ".join(part for part in (_values(row, check), words) if part)
    return [Fact("By how much", words or check.message)]


def _row(report: Report, check: CheckResult) -> GradientRow | None:
    """Return the derivative that shows the error best: the affected one with the largest share."""
    rows = [
        row
        for point in report.points
        if (point.point, point.objective) == (check.point, check.objective)
        for row in point.rows
        if row.parameter in check.parameters and row.verdict is not Verdict.PASS
    ]
    return max(rows, key=lambda row: (_apart(row), row.share), default=None)


def _apart(row: GradientRow) -> float:
    """Return how far the largest of a derivative's values is from the least, times its scale."""
    values = list(row.gradients.values())
    values += [] if row.finite_difference is None else [row.finite_difference]
    return (max(values) - min(values)) * row.scale if values else 0.0


def _values(row: GradientRow, check: CheckResult) -> str:
    """Say what the guilty route claims, and what the others and differences do."""
    name = f"∂{check.objective}/∂{symbol_of(row.parameter, row.component)}"
    guilty = check.odd_one_out or next(iter(row.gradients), "")
    if guilty not in row.gradients:
        return ""
    words = f"{name} is {row.gradients[guilty]:.6g} by {guilty}"
    others = [value for route, value in row.gradients.items() if route != guilty]
    if others:
        return f"{words}, {others[0]:.6g} by others"
    if row.finite_difference is not None:
        u = row.finite_difference_uncertainty
        return f"{words}, {row.finite_difference:.6g} ± {u:.1e} by differences"
    return words


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
