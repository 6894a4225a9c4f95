"""Tables of a page, as plain cells: of a report, and of what may be put beside it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lsm_verify.report import findings
from lsm_verify.report.findings import symbol_of
from lsm_verify.report.first_screen import SIGNS
from lsm_verify.report.text import grouped, title
from lsm_verify.verify.result import CheckResult, GradientRow, PointResult, Report, Verdict

DIGITS = 12
"""Digits of a gradient: what differs beyond them is shown as a difference."""

MOST_ROWS = 40
"""Rows of a table of gradients; beyond, the worst of each parameter first."""

WORST_FIRST = (Verdict.FAIL, Verdict.NONSMOOTH, Verdict.INCONCLUSIVE, Verdict.PASS)


@dataclass(frozen=True)
class Cell:
    """A cell: its words, smaller ones below, and whether it is a verdict or a number."""

    words: str
    below: str = ""
    verdict: str = ""
    number: bool = False

    @property
    def sign(self) -> str:
        """Sign of a verdict, which is never told by colour alone."""
        return SIGNS[Verdict(self.verdict)] if self.verdict in SIGNS else ""


@dataclass(frozen=True)
class Table:
    """Head and rows; the first cell of a row is its head. ``closed``: folded up on a screen."""

    caption: str
    heads: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    note: str = ""
    closed: str = ""
    name: str = ""


def number(value: float | None, form: str = ".1e") -> Cell:
    """Return a number; nothing where there is none."""
    return Cell("" if value is None else format(value, form), number=True)


def verdict(value: str) -> Cell:
    """Return a verdict."""
    return Cell(value, verdict=value)


CHECK_HEADS = (
    "check", "where", "verdict", "statistic", "worst", "PASS up to", "error ≤", "sees ≥", "notes",
)  # fmt: skip


def of_checks(report: Report) -> list[Table]:
    """Return a summary, the bad ones first, and every check by itself."""
    groups = sorted(
        grouped(report.checks, verbose=False),
        key=lambda group: (WORST_FIRST.index(group[0].verdict), not group[0].primary),
    )
    every = [_check(report, [check]) for check in report.checks]
    return [
        Table("Checks, the same at several points together", CHECK_HEADS, _rows(report, groups)),
        Table(
            "Every check",
            CHECK_HEADS,
            tuple(every),
            closed=f"Every check by itself ({len(every)})",
            name="every-check",
        ),
    ]


def _rows(report: Report, groups: Sequence[list[CheckResult]]) -> tuple[tuple[Cell, ...], ...]:
    return tuple(_check(report, group) for group in groups)


def _check(report: Report, group: Sequence[CheckResult]) -> tuple[Cell, ...]:
    """One row for checks of the same kind: their worst figures."""
    worst = findings.worst(group)
    points = list(dict.fromkeys(c.point for c in group))
    subjects = list(dict.fromkeys(c.subject for c in group))
    below = subjects[0] if len(subjects) == 1 else f"{len(subjects)} subjects"
    bounds = [c.bound for c in group if c.bound is not None]
    seen = [c.detectable for c in group if c.detectable is not None]
    name = f"{worst.check} ({worst.objective})" if worst.objective else worst.check
    notes = ["gate"] if worst.primary or report.options.strict else []
    if worst.covered:
        notes.append("made up for by the probe")
    if worst.reason is not None:
        notes.append(str(worst.reason))
    return (
        Cell(name, below=below),
        Cell(points[0] if len(points) == 1 else f"{len(points)} points", below=_more(points)),
        verdict(str(worst.verdict)),
        Cell(worst.statistic),
        Cell(findings.statistic(worst), number=True),
        number(worst.pass_limit if worst.pass_limit > 0 else None, "g"),
        number(max(bounds, default=None)),
        number(max(seen, default=None)),
        Cell("; ".join(notes)),
    )


def _more(points: Sequence[str]) -> str:
    return ", ".join(points) if 1 < len(points) <= 4 else ""


def of_gradients(report: Report) -> list[Table]:
    """One table per point and objective; the first and those that failed stand open."""
    tables = []
    for index, point in enumerate(report.points):
        bad = Verdict.FAIL in (point.verdict, *(row.verdict for row in point.rows))
        covered = any(
            c.covered and (c.point, c.objective) == (point.point, point.objective)
            for c in report.checks
        )
        made_up = ", made up for by the probe" if covered else ""
        summary = f"{point.objective} at {point.point}: {point.verdict}{made_up}"
        tables.append(_gradients(point, summary if index > 0 and not bad else ""))
    return tables


def _gradients(point: PointResult, closed: str) -> Table:
    routes = list(point.values)
    differences = any(row.finite_difference is not None for row in point.rows)
    heads = ["parameter", "verdict", "value", *routes]
    heads += ["finite differences"] if differences else []
    heads += ["share of ‖g∘s‖", "max z", "error ≤"]
    shown = list(point.rows)
    note = ""
    if len(shown) > MOST_ROWS:
        order = sorted(shown, key=lambda row: (WORST_FIRST.index(row.verdict), -row.share))
        shown = order[:MOST_ROWS]
        note = f"{MOST_ROWS} of {len(point.rows)} numbers, the worst first; all are in the JSON."
    rows = [_row(point, row, routes, differences) for row in shown]
    value = [Cell(point.objective, below="value"), verdict(str(point.verdict)), Cell("")]
    value += _beside(list(point.values.values()), abs(point.value))
    value += [Cell("")] if differences else []
    value += [Cell(""), number(point.value_z, ".1f"), Cell("")]
    return Table(
        title(point),
        tuple(heads),
        (tuple(value), *rows),
        note=note,
        closed=closed,
    )


def _row(
    point: PointResult, row: GradientRow, routes: Sequence[str], differences: bool
) -> tuple[Cell, ...]:
    unit = point.norm / row.scale if row.scale > 0 else 0.0
    cells = [
        Cell(f"∂/∂{symbol_of(row.parameter, row.component)}", below=row.parameter),
        verdict(str(row.verdict)),
        Cell(f"{row.value:.6g}", below=row.unit if row.unit != "1" else "", number=True),
        *_beside([row.gradients[route] for route in routes], unit),
    ]
    if differences:
        u = row.finite_difference_uncertainty
        below = "" if u is None else f"± {u:.1e}"
        value = row.finite_difference
        words = "" if value is None else f"{value:.{DIGITS - 1}e}"
        cells.append(Cell(words, below=below, number=True))
    return (
        *cells,
        number(row.share),
        number(row.agreement_z, ".1f"),
        number(row.bound),
    )


def _beside(values: Sequence[float], unit: float) -> list[Cell]:
    """Values by route; below each but the first how far it is from the first."""
    below = "first route" if len(values) > 1 else ""
    cells = [Cell(f"{values[0]:.{DIGITS - 1}e}", below=below, number=True)]
    for value in values[1:]:
        off = abs(value - values[0]) / unit if unit > 0 else abs(value - values[0])
        below = "same bits" if value == values[0] else f"off by {off:.1e}"
        cells.append(Cell(f"{value:.{DIGITS - 1}e}", below=below, number=True))
    return cells


def of_mapping(caption: str, content: Mapping[str, Any], heads: tuple[str, str]) -> Table:
    """Names and what they stand for."""
    rows = tuple((Cell(str(name)), Cell(str(value))) for name, value in content.items())
    return Table(caption, heads, rows)
