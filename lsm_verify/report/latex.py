r"""A report as LaTeX tables for a paper: gradients by route, their errors, checks.

``\input`` it in a document that loads booktabs; nothing else is needed. Numbers of a row share one
power of ten, so that routes can be compared digit by digit.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence

from lsm_verify.quantities import PARAMETERS
from lsm_verify.report.findings import RANK, deciding, headline, statistic, worst
from lsm_verify.report.rounding import up
from lsm_verify.report.tex import escape, number, prose, symbol
from lsm_verify.verify.result import CheckResult, GradientRow, PointResult, Report, Verdict

MOST_COLUMNS = 6
"""Routes side by side over two columns of a paper (about 175 mm); more make another table."""

DIGITS = 7
"""Digits behind the point of a derivative: six columns of them fill two columns of a paper."""

FAR = 1e-3
"""Share of its row's largest number below which a number gets a power of ten of its own."""

VERDICTS = {
    Verdict.PASS: "pass",
    Verdict.FAIL: r"\textbf{fail}",
    Verdict.INCONCLUSIVE: r"\emph{open}",
    Verdict.NONSMOOTH: r"\emph{kink}",
}

LONGEST = 24
"""Characters of a user's parameter that one column of a paper (about 84 mm) has room for."""

HEAD = r"""% Made by lsm-verify {version}: tables of {case}, verdict {verdict}.
% Needs \usepackage{{booktabs}}. Two-column tables are table*.
"""


def render(report: Report) -> str:
    """Return the tables: of the first point and of those that failed, then of the checks."""
    version = report.provenance.get("lsm-verify", "")
    words = {"version": version, "case": " ".join(report.case.split()), "verdict": report.verdict}
    parts = [HEAD.format(**words)]
    for number_, point in enumerate(_told(report)):
        label = "" if number_ == 0 else f"-{number_}"
        parts += _routes(report, point, label)
        parts.append(_errors(report, point, label))
    parts.append(_checks(report))
    return "\n".join(parts)


def _told(report: Report) -> list[PointResult]:
    """Return the first point and those with a wrong number."""

    def failed(point: PointResult) -> bool:
        return Verdict.FAIL in (point.verdict, *(row.verdict for row in point.rows))

    return [p for p in report.points if p is report.points[0] or failed(p)]


def telling(rows: Iterable[GradientRow]) -> list[GradientRow]:
    """Return a row per parameter: of many values the worst, among equals the largest share."""
    best: dict[str, GradientRow] = {}
    for row in rows:
        held = best.get(row.parameter)
        if held is None or _rank(row) < _rank(held):
            best[row.parameter] = row
    return list(best.values())


def _rank(row: GradientRow) -> tuple[int, float]:
    return RANK.index(row.verdict), -row.share


def _routes(report: Report, point: PointResult, label: str) -> Iterator[str]:
    """Yield tables over both columns: a row per parameter, a column per route."""
    routes = list(point.values)
    rows = telling(point.rows)
    with_differences = any(row.finite_difference is not None for row in rows)
    names = [*routes, *(["finite difference"] if with_differences else [])]
    where = f"{escape(report.case)} at {escape(point.point)}"
    for k, start in enumerate(range(0, len(names), MOST_COLUMNS)):
        chosen = names[start : start + MOST_COLUMNS]
        lines = [
            _line(("parameter", "", r"$\times$", *(escape(name) for name in chosen))),
            r"\midrule",
        ]
        for row in rows:
            values = dict(row.gradients)
            if row.finite_difference is not None:
                values["finite difference"] = row.finite_difference
            ten, cells = _aligned([values.get(name) for name in chosen], _exponent(values.values()))
            lines.append(_line((*_parameter(row), ten, *cells)))
        lines += [r"\midrule", _value_line(point, chosen)]
        caption = (
            f"Derivatives of ${escape(point.objective)}$ by every route: {where}. A row's numbers "
            "are to be multiplied by its power of ten"
            + ("; of many values one is shown." if _many(point) else ".")
        )
        tail = label + ("" if k == 0 else f"-part{k + 1}")
        columns = "ll" + "r" + "r" * len(chosen)
        yield _table(
            "table*",
            caption,
            f"gradients{tail}",
            columns,
            lines,
            note=prose(_outcome(report)) if k == 0 else "",
        )


def _value_line(point: PointResult, chosen: Sequence[str]) -> str:
    exponent = _exponent(point.values.values())
    ten, cells = _aligned([point.values.get(name) for name in chosen], exponent)
    return _line((f"value of ${escape(point.objective)}$", "", ten, *cells))


def _errors(report: Report, point: PointResult, label: str) -> str:
    """Return the table of one column's width: size, round-off, bound and verdict of each."""
    lines = [
        _line(("by", "share", r"$z$", r"$U$", r"error $\le$", "verdict")),
        r"\midrule",
    ]
    for row in telling(point.rows):
        z = "" if row.agreement_z is None else f"{row.agreement_z:.2g}"
        sure = row.finite_difference_uncertainty
        cells = (f"{row.share:.2g}", z, _bound(sure), _bound(row.bound), _verdict(row.verdict))
        lines.append(_line((_short(row), *map(prose, cells[:2]), *cells[2:])))
    caption = (
        f"Errors of the derivatives of ${escape(point.objective)}$, {escape(report.case)} at "
        rf"{escape(point.point)}. Share: of $\|g\circ s\|$, with $s$ the scales of the parameters; "
        r"$z$: largest difference of two exact routes in units of their round-off; $U$: "
        r"uncertainty of the finite difference; error: certified, in units of $\|g\circ s\|$."
    )
    return _table("table", caption, f"errors{label}", "lrrrrl", lines)


def _checks(report: Report) -> str:
    """Return the table of checks: the same check at several points shares a row."""
    groups: dict[tuple[str, ...], list[CheckResult]] = {}
    for check in report.checks:
        if not check.covered:
            groups.setdefault((check.check, check.objective, check.verdict), []).append(check)
    lines = [
        _line(("check", "$n$", "worst / limit", r"error $\le$", "verdict")),
        r"\midrule",
    ]
    for (name, objective, _), group in groups.items():
        shown = worst(group)
        bound = max((c.bound for c in group if c.bound is not None), default=None)
        points = len({c.point for c in group})
        value = prose(statistic(shown, " / "))
        of = f" ({objective})" if objective else ""
        cells = (escape(name + of), str(points), value, _bound(bound))
        lines.append(_line((*cells, _verdict(shown.verdict))))
    covered = sum(c.covered for c in report.checks)
    more = (
        f" {covered} without a signal are left out: another objective is judged there."
        if covered
        else ""
    )
    caption = (
        f"Checks of {escape(report.case)}: the number that decides, at the worst of the points, "
        r"and its limit; $n$: points; error: certified, in units of $\|g\circ s\|$." + more
    )
    return _table("table", caption, "checks", "lrrrl", lines)


def _table(
    kind: str, caption: str, label: str, columns: str, lines: Sequence[str], *, note: str = ""
) -> str:
    told = f" {note}" if note else ""
    body = "\n".join(f"  {line}" for line in lines)
    return (
        f"\\begin{{{kind}}}\n\\centering\n\\footnotesize\n\\setlength{{\\tabcolsep}}{{3pt}}\n"
        f"\\caption{{{caption}{told}}}\n\\label{{tab:lsm-verify-{label}}}\n"
        f"\\vspace{{4pt}}\n\\begin{{tabular}}{{@{{}}{columns}@{{}}}}\n"
        f"  \\toprule\n{body}\n  \\bottomrule\n"
        f"\\end{{tabular}}\n\\end{{{kind}}}\n"
    )


def _outcome(report: Report) -> str:
    """Say what the run certified, or what it found wrong."""
    bad = deciding(report)
    if report.verdict is not Verdict.PASS:
        return f"{report.verdict}: {headline(report, bad[0])}." if bad else f"{report.verdict}."
    bounds = [c.bound for c in report.checks if c.primary and not c.covered]
    known = [bound for bound in bounds if bound is not None]
    return (
        f"Certified relative error of the gradient at all points: {up(max(known))}."
        if known
        else ""
    )


def _parameter(row: GradientRow) -> tuple[str, str]:
    """Name and symbol; a user's own parameter has its name alone."""
    known = PARAMETERS.get(row.parameter)
    index = f"[{','.join(map(str, row.component))}]" if row.component else ""
    if known is None:
        return escape(f"{row.parameter}{index}"), ""
    return escape(row.parameter.replace("_", " ") + index), symbol(known.symbol)


def _short(row: GradientRow) -> str:
    """Return the symbol alone, or a user's name, cut short: one column has no room for more."""
    name, sign = _parameter(row)
    if sign:
        index = ",".join(map(str, row.component))
        return sign + (escape(f"[{index}]") if index else "")
    if len(row.parameter) > LONGEST:
        return escape(row.parameter[: LONGEST - 1] + "…")
    return name


def _exponent(values: Iterable[float | None]) -> int:
    """Power of ten of the largest number."""
    largest = max((abs(v) for v in values if v is not None and math.isfinite(v)), default=0.0)
    return math.floor(math.log10(largest)) if largest > 0 else 0


def _aligned(values: Sequence[float | None], exponent: int) -> tuple[str, list[str]]:
    """Return the power of ten, and the numbers without it; one far smaller keeps its own."""
    cells = []
    for value in values:
        if value is None or not math.isfinite(value):
            cells.append(number(value))
        elif value != 0 and abs(value) < FAR * 10.0**exponent:
            cells.append(number(value, DIGITS - 4))
        else:
            cells.append(f"${value / 10.0**exponent:.{DIGITS}f}$")
    return (f"$10^{{{exponent}}}$" if exponent else "$1$"), cells


def _bound(value: float | None) -> str:
    return "" if value is None else prose(up(value))


def _verdict(verdict: Verdict) -> str:
    return VERDICTS[verdict]


def _many(point: PointResult) -> bool:
    return len(telling(point.rows)) < len(point.rows)


def _line(cells: Sequence[str]) -> str:
    return " & ".join(cells) + r" \\"
