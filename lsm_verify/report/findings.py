"""What did not pass, in words that stand alone: what, where, by how much.

A log, a viewer of JUnit XML, an annotation and a summary show one line of a finding; this is it.
"""

from __future__ import annotations

from lsm_verify.verify.result import CheckResult, GradientRow, PointResult, Report, Verdict

RANK = (Verdict.FAIL, Verdict.NONSMOOTH, Verdict.INCONCLUSIVE, Verdict.PASS)
"""Verdicts, the worst first."""


def stops(check: CheckResult) -> bool:
    """Whether a check keeps a run from passing: it failed, or it is of the gate and open."""
    if check.verdict is Verdict.PASS or check.covered:
        return False
    return check.verdict is Verdict.FAIL or check.primary


def deciding(report: Report) -> list[CheckResult]:
    """Return the checks that a run did not pass for: what failed first, of it the gate first."""
    found = [c for c in report.checks if stops(c)]
    if not found and report.exit_code != 0:  # strict: what else is open decides
        found = [c for c in report.checks if c.verdict is not Verdict.PASS and not c.covered]
    return sorted(found, key=lambda c: (RANK.index(c.verdict), not c.primary))


def headline(check: CheckResult) -> str:
    """Say in one line what was found, where, and by how much it is off."""
    return "; ".join((_what(check), where(check), how_much(check)))


def where(check: CheckResult) -> str:
    """Say at which point and, where it is known, at which step, node and term."""
    found = check.location
    place = f"at {check.point}"
    if found is None or found.term == "unknown":
        return place
    return f"{place}, {found.sentence}"


def how_much(check: CheckResult) -> str:
    """Give the number that decides and its limit, and what the gradient's error is at most."""
    limit = f", passes up to {check.pass_limit:g}" if check.pass_limit > 0 else ""
    words = f"{check.statistic} {check.value:.3g}{limit}"
    if check.bound is None:
        return words
    return f"{words}, relative error of the gradient up to {check.bound:.1e}"


def wrong_row(point: PointResult, row: GradientRow) -> str:
    """Say of a wrong derivative what every route gives, where, and what differences say."""
    index = f"[{','.join(map(str, row.component))}]" if row.component else ""
    name = f"gradient of {point.objective} by {row.parameter}{index}"
    unit = f" (unit of {row.parameter}: {row.unit})" if row.unit not in ("", "1") else ""
    if row.finite_difference is None and row.agreement_z is None:
        return f"a number of the {name} is wrong, which is not known; at {point.point}"
    values = [f"{route} {value:.9g}" for route, value in row.gradients.items()]
    if row.finite_difference is not None:
        uncertainty = row.finite_difference_uncertainty
        sure = "" if uncertainty is None else f" ± {uncertainty:.1e}"
        values.append(f"differences {row.finite_difference:.9g}{sure}")
    return f"the {name} is wrong; at {point.point}; {', '.join(values)}{unit}"


def _what(check: CheckResult) -> str:
    objective = f" ({check.objective})" if check.objective else ""
    message = check.message or str(check.reason or check.verdict)
    of = f", parameters: {', '.join(check.parameters)}" if check.parameters else ""
    return f"{check.check}{objective}: {message}{of}"
