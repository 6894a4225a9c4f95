"""What did not pass, in words that stand alone: what, where, by how much.

A terminal, a page, a viewer of JUnit XML, an annotation and a summary all say it; they say this.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

from lsm_verify.quantities import PARAMETERS
from lsm_verify.verify.result import CheckResult, GradientRow, PointResult, Report, Verdict

RANK = (Verdict.FAIL, Verdict.NONSMOOTH, Verdict.INCONCLUSIVE, Verdict.PASS)
"""Verdicts, the worst first."""

FEWEST_DIGITS, MOST_DIGITS = 6, 17
"""Digits of derivatives that stand side by side: so many that they differ where they are shown."""


def symbol_of(name: str, component: tuple[int, ...] = (), direction: int | None = None) -> str:
    """Write a parameter as the paper does, with the index of its number."""
    known = PARAMETERS.get(name)
    symbol = known.symbol if known else name
    if direction is not None:
        return f"{symbol}, random direction {direction}"
    return f"{symbol}[{','.join(map(str, component))}]" if component else symbol


def stops(check: CheckResult) -> bool:
    """Whether a check keeps a run from passing: it failed, or it is of the gate and open."""
    if check.verdict is Verdict.PASS or check.covered:
        return False
    return check.verdict is Verdict.FAIL or check.primary


def deciding(report: Report) -> list[CheckResult]:
    """Return the checks that a run did not pass for: those of its verdict first, of it the gate."""
    found = [c for c in report.checks if stops(c)]
    if not found and report.exit_code != 0:  # strict: what else is open decides
        found = [c for c in report.checks if c.verdict is not Verdict.PASS and not c.covered]
    return sorted(
        found,
        key=lambda c: (c.verdict is not report.verdict, RANK.index(c.verdict), not c.primary),
    )


def headline(report: Report, check: CheckResult) -> str:
    """Say in one line what was found, where, and by how much it is off."""
    return "; ".join(filter(None, (what(check), where(check), how_far(report, check))))


def what(check: CheckResult) -> str:
    """Say which check found what, and of which parameters."""
    objective = f" ({check.objective})" if check.objective else ""
    message = check.message or str(check.reason or check.verdict)
    of = f", parameters: {', '.join(check.parameters)}" if check.parameters else ""
    return f"{check.check}{objective}: {message}{of}"


def where(check: CheckResult) -> str:
    """Say at which point and, where it is known, at which step, node and term."""
    found = check.location
    place = f"at {check.point}"
    if found is None or found.term == "unknown":
        return place
    return f"{place}, {found.sentence}"


def how_far(report: Report, check: CheckResult) -> str:
    """Say by how much a check is off, after its message, which may give the derivatives already."""
    told = check.check == "finite-difference"
    words = (how_much(check),) if told else (derivative(report, check), how_much(check))
    return ", ".join(word for word in words if word)


def how_much(check: CheckResult) -> str:
    """Give the number that decides with its limit, and what the gradient's error is at most.

    A number that was not measured is left out; on a kink all of them: there is no gradient that
    they could be the error of.
    """
    if check.verdict is Verdict.NONSMOOTH:
        return ""
    limit = f" of {check.pass_limit:g}" if check.pass_limit > 0 else ""
    words = [f"{check.statistic} {check.value:.3g}{limit}"] if math.isfinite(check.value) else []
    words += [] if check.bound is None else [f"error up to {check.bound:.1e} of ‖g∘s‖"]
    return ", ".join(words)


def statistic(check: CheckResult, of: str = "") -> str:
    """Give the number that decides in a cell, its limit after ``of``, or say that there is none."""
    if not math.isfinite(check.value):
        return "no number"
    limit = f"{of}{check.pass_limit:g}" if of and check.pass_limit > 0 else ""
    return f"{check.value:.2g}{limit}"


def worst(group: Iterable[CheckResult]) -> CheckResult:
    """Return the check with the largest number; having none is the worst, unless it passed."""

    def size(check: CheckResult) -> float:
        if not math.isnan(check.value):
            return check.value
        return -math.inf if check.verdict is Verdict.PASS else math.inf

    return max(group, key=size)


def derivative(report: Report, check: CheckResult) -> str:
    """Give the derivative that shows it best: the affected one in which answers differ most.

    On a kink there is none.
    """
    row = None if check.verdict is Verdict.NONSMOOTH else _row(report, check)
    return "" if row is None else _values(row, check)


def wrong_row(point: PointResult, row: GradientRow) -> str:
    """Say of a wrong derivative what every route gives, where, and what differences say."""
    index = f"[{','.join(map(str, row.component))}]" if row.component else ""
    name = f"gradient of {point.objective} by {row.parameter}{index}"
    unit = f" (unit of {row.parameter}: {row.unit})" if row.unit not in ("", "1") else ""
    finite = all(map(math.isfinite, row.gradients.values()))
    if row.finite_difference is None and row.agreement_z is None and finite:
        return f"a number of the {name} is wrong, which is not known; at {point.point}"
    digits = _digits([*row.gradients.values()])
    values = [f"{route} {value:.{digits}g}" for route, value in row.gradients.items()]
    if row.finite_difference is not None:
        values.append(f"differences {_difference(row)}")
    return f"the {name} is wrong; at {point.point}; {', '.join(values)}{unit}"


def _row(report: Report, check: CheckResult) -> GradientRow | None:
    """Return the affected derivative in which the answers differ most."""
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
    """Say what the guilty route claims, and what another or differences do."""
    name = f"∂{check.objective}/∂{symbol_of(row.parameter, row.component)}"
    guilty = check.odd_one_out or next(iter(row.gradients), "")
    if guilty not in row.gradients:
        return ""
    claim = row.gradients[guilty]
    others = [value for route, value in row.gradients.items() if route != guilty]
    if others:
        far = max(others, key=lambda value: abs(value - claim))
        digits = _digits([claim, far])
        return f"{name} is {claim:.{digits}g} by {guilty}, {far:.{digits}g} by others"
    words = f"{name} is {claim:.{_digits([claim, row.finite_difference])}g} by {guilty}"
    return words if row.finite_difference is None else f"{words}, {_difference(row)} by differences"


def _difference(row: GradientRow) -> str:
    u = row.finite_difference_uncertainty
    value = row.finite_difference
    digits = _digits([value, *row.gradients.values()])
    return f"{value:.{digits}g}" + ("" if u is None else f" ± {u:.1e}")


def _digits(values: list[float | None]) -> int:
    """Digits with which numbers that differ look different, and two more."""
    known = [value for value in values if value is not None and math.isfinite(value)]
    if not known or max(known) == min(known):
        return FEWEST_DIGITS
    apart = (max(known) - min(known)) / max(abs(value) for value in known)
    return int(min(MOST_DIGITS, max(FEWEST_DIGITS, math.ceil(-math.log10(apart)) + 2)))
