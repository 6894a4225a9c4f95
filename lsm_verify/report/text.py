"""A report as tables on a terminal."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from rich.console import Console
from rich.table import Table
from rich.text import Text

from lsm_verify.report.findings import deciding, how_far, statistic, symbol_of, worst
from lsm_verify.verify.agreement import FAIL_Z, PASS_Z
from lsm_verify.verify.result import CheckResult, GradientRow, PointResult, Report, Verdict, judge

WIDE = 100
"""Columns of a terminal from which all columns of the check table are shown."""

LABEL_WIDTH = 18
FEWEST_DIGITS = 3
"""Digits of a gradient, at least; where they do not fit, the table is split."""

COLOURS = {
    Verdict.PASS: "green",
    Verdict.FAIL: "bold red",
    Verdict.INCONCLUSIVE: "yellow",
    Verdict.NONSMOOTH: "magenta",
}


def show(report: Report, console: Console, *, verbose: bool = False) -> None:
    """Print gradients, checks, times and the verdict; all points and checks if ``verbose``."""
    headline = f": {report.title}" if report.title else ""
    console.print(Text.assemble((report.case, "bold"), headline))
    if report.verdict is not Verdict.PASS:
        _lead(report, console)
    for point in report.points:
        if verbose or _shown(point, report):
            console.print()
            print_line(console, title(point))
            for table in gradient_tables(point, console.width):
                console.print(table)
    console.print()
    console.print(check_table(report.checks, verbose=verbose, wide=console.width >= WIDE))
    for check in report.checks:
        if check.covered:
            where = f"{check.objective} at the {check.point}"
            print_line(console, f"{where}: {check.reason}; the probe is judged there.")
        elif verbose or check.verdict is not Verdict.PASS:
            print_line(console, f"{check.verdict} {detail(check)}")
    for note in report.notes:
        print_line(console, note)
    times = ", ".join(f"{name} {seconds:.2f}" for name, seconds in report.seconds.items())
    print_line(console, f"seconds: {times}")
    console.print()
    _replay(report, console)
    console.print(verdict_line(report))


def _lead(report: Report, console: Console) -> None:
    """Print first what a log is opened for: what is wrong, where, by how much, how to replay it."""
    bad = deciding(report)
    if bad:
        text = Text(str(report.verdict), style=COLOURS[report.verdict])
        words = "; ".join(filter(None, (detail(bad[0]), how_far(report, bad[0]))))
        console.print(text.append(f"  {words}", style=""))
    _replay(report, console)


def _replay(report: Report, console: Console) -> None:
    if report.command and report.verdict is not Verdict.PASS:
        # Not wrapped: a command is there to be copied.
        console.print(replayed(report), highlight=False, markup=False, soft_wrap=True)


def replayed(report: Report) -> str:
    """Say how to ask the same again."""
    return f"replay with: {report.command}"


def verdict_words(report: Report) -> str:
    """Say after the verdict what was certified, or what is wrong and where."""
    return verdict_line(report).plain.removeprefix(str(report.verdict)).strip()


def verdict_line(report: Report) -> Text:
    """Overall verdict in one line: what was certified, or what is wrong and where."""
    text = Text(str(report.verdict), style=COLOURS[report.verdict])
    gate = [c for c in report.checks if c.primary and not c.covered]
    if report.verdict is Verdict.PASS:
        bound = max((c.bound for c in gate if c.bound is not None), default=float("nan"))
        agreed = any(c.check == "agreement" for c in gate)
        how = "exact routes agree" if agreed else _evidence(gate)
        text.append(f"  {how}; relative error of the gradient ≤ {bound:.1e}", style="")
        open_ = [c for c in report.checks if c.verdict is not Verdict.PASS and not c.covered]
        if open_:
            names = ", ".join(dict.fromkeys(c.check for c in open_))
            checks = "check" if len(open_) == 1 else "checks"
            text.append(f"; {len(open_)} other {checks} inconclusive: {names}", style="yellow")
        return text
    bad = deciding(report)
    if not bad:
        text.append("  nothing was compared", style="")
        return text
    text.append(
        f"  {len(bad)} of {len(report.checks)} checks; the first: {bad[0].check} ", style=""
    )
    found = "; ".join(filter(None, (bad[0].message, how_far(report, bad[0]))))
    text.append(f"at {bad[0].point}: {found}", style="")
    if bad[0].reason is not None:
        text.append(f" ({bad[0].reason})", style="")
    affected: dict[str, None] = {}
    for check in bad:
        if check.parameters:
            affected |= dict.fromkeys(check.parameters)
    if affected:
        text.append(f"; parameters affected: {', '.join(affected)}", style="")
    located = next((c.location for c in bad if c.location is not None), None)
    if located is not None:
        text.append(f"; {located.sentence}", style="")
    return text


def _evidence(gate: list[CheckResult]) -> str:
    """Say what a single claim rests on."""
    claimed = ", ".join(dict.fromkeys(c.subject for c in gate if c.check == "finite-difference"))
    if claimed:
        return f"finite differences confirm {claimed}"
    return "the transpose is the transpose"


def _shown(point: PointResult, report: Report) -> bool:
    """Whether to show a point: J at the start and on the short window, and what failed."""
    first = report.points[0]
    window = point.point.startswith("first") and point.objective == first.objective
    failed = Verdict.FAIL in (point.verdict, *(row.verdict for row in point.rows))
    return point is first or window or failed


def title(point: PointResult) -> str:
    """Say what the gradient tables show: where, of what, and the misfit of every series."""
    line = f"Value and gradient of {point.objective} at {point.point}"
    misfit = "; ".join(f"{label} {rmse:.4g}" for label, rmse in point.rmse.items())
    return f"{line}; root mean square misfit: {misfit}" if misfit else line


def gradient_tables(point: PointResult, width: int) -> Iterator[Table]:
    """Yield tables of one point: a row per route, a column per parameter, as many as fit.

    Of a parameter with many values the component with the largest share of ‖g∘s‖ is shown, or the
    first that failed.
    """
    chosen = _chosen(point.rows)
    room = width - LABEL_WIDTH - 1
    columns = len(chosen) + 1
    digits = min(9, room // columns - 9)
    if digits < FEWEST_DIGITS:
        digits = FEWEST_DIGITS
        columns = max(1, room // (digits + 9))
    cells: list[tuple[PointResult, GradientRow | None]] = [(point, None)]
    cells += [(point, row) for row in chosen]
    for start in range(0, len(cells), columns):
        yield _gradient_table(point, [row for _, row in cells[start : start + columns]], digits)


def _gradient_table(point: PointResult, rows: list[GradientRow | None], digits: int) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0))
    table.add_column("route", no_wrap=True, width=LABEL_WIDTH)
    for row in rows:
        table.add_column(_header(point, row), justify="right", no_wrap=True)

    def line(label: str, cell: Callable[[GradientRow], str | Text], first: str | Text = "") -> None:
        table.add_row(label, *(first if row is None else cell(row) for row in rows))

    for route, value in point.values.items():
        line(route, lambda row, r=route: f"{row.gradients[r]:.{digits}e}", f"{value:.{digits}e}")  # type: ignore[misc]
    if any(row is not None and row.finite_difference is not None for row in rows):
        line("finite-difference", lambda row: _digits(row.finite_difference, digits))
        line("  ± U", lambda row: _number(row.finite_difference_uncertainty))
    line("share of ‖g∘s‖", lambda row: f"{row.share:.1e}")
    of_value: str | Text = ""
    if point.value_z is not None:
        line(f"max z (≤ {PASS_Z:g})", lambda row: _z(row.agreement_z), f"{point.value_z:.1f}")
        verdict = judge(point.value_z, PASS_Z, FAIL_Z)
        of_value = Text(verdict, style=COLOURS[verdict])
    line("certified error", lambda row: _number(row.bound))
    line("verdict", lambda row: Text(row.verdict, style=COLOURS[row.verdict]), of_value)
    return table


def _chosen(rows: Iterable[GradientRow]) -> list[GradientRow]:
    best: dict[str, GradientRow] = {}
    for row in rows:
        held = best.get(row.parameter)
        rank = (row.verdict is Verdict.FAIL, row.share)
        if held is None or rank > (held.verdict is Verdict.FAIL, held.share):
            best[row.parameter] = row
    return list(best.values())


def _header(point: PointResult, row: GradientRow | None) -> str:
    return point.objective if row is None else f"∂/∂{symbol_of(row.parameter, row.component)}"


def check_table(checks: Iterable[CheckResult], *, verbose: bool, wide: bool) -> Table:
    """One row per check; unless ``verbose``, the same check at several points shares a row."""
    table = Table(box=None, pad_edge=False, padding=(0, 2 if wide else 1, 0, 0))
    for name in ("check", "where", "worst", "error ≤", "sees ≥", "verdict"):
        if wide or name != "sees ≥":
            table.add_column(name, no_wrap=name not in ("check", "where"))
    for group in grouped(checks, verbose=verbose):
        shown = worst(group)
        points = list(dict.fromkeys(c.point for c in group))
        cells: list[str | Text] = [
            f"{shown.check} ({shown.objective})" if shown.objective else shown.check,
            points[0] if len(points) == 1 else f"{len(points)} points",
            f"{shown.statistic} {statistic(shown, ' of ')}",
            _number(max((c.bound for c in group if c.bound is not None), default=None)),
            Text(shown.verdict, style=COLOURS[shown.verdict]),
        ]
        if wide:
            seen = max((c.detectable for c in group if c.detectable is not None), default=None)
            cells.insert(4, _number(seen))
        table.add_row(*cells)
    return table


def grouped(checks: Iterable[CheckResult], *, verbose: bool) -> list[list[CheckResult]]:
    """Put together the same check with the same verdict at several points, unless ``verbose``.

    Those that another check covers are left out.
    """
    groups: dict[tuple[str, ...], list[CheckResult]] = {}
    for check in checks:
        if check.covered:
            continue
        key: tuple[str, ...] = (check.check, check.objective, check.verdict, check.statistic)
        if verbose or check.verdict is not Verdict.PASS:
            key = (*key, check.point, check.subject)
        groups.setdefault(key, []).append(check)
    return list(groups.values())


def detail(check: CheckResult) -> str:
    """One check in a line: what, where, whose gradient, why, and which parameters."""
    objective = f" ({check.objective})" if check.objective else ""
    parts = [f"{check.check}{objective} at {check.point}: {check.message}"]
    if check.reason is not None:
        parts.append(str(check.reason))
    if check.parameters:
        parts.append(f"parameters: {', '.join(check.parameters)}")
    if check.location is not None:
        parts.append(f"where: {check.location.sentence}")
    return "; ".join(parts)


def _z(value: float | None) -> str:
    """Write a difference in units of round-off; a file has none where it was infinite."""
    return "" if value is None else f"{value:.1f}"


def _digits(value: float | None, digits: int) -> str:
    return "" if value is None else f"{value:.{digits}e}"


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.1e}"


def print_line(console: Console, text: str) -> None:
    """Print text as it stands: no markup, no highlighting."""
    console.print(text, highlight=False, markup=False)
