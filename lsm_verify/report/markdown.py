"""A report as Markdown for a pull request or a job's summary: the verdict first, then tables."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from lsm_verify.errors import InputError
from lsm_verify.report.findings import deciding, headline, statistic
from lsm_verify.report.text import detail, verdict_line
from lsm_verify.verify.result import CheckResult, GradientRow, PointResult, Report, Verdict

LIMIT = 1024 * 1024
"""Bytes that GitHub takes of a step's summary; of a longer one it shows nothing
(docs.github.com, "Workflow commands", job summaries)."""

SIGNS = {
    Verdict.PASS: "✅",
    Verdict.FAIL: "❌",
    Verdict.INCONCLUSIVE: "❔",
    Verdict.NONSMOOTH: "❔",
}

NOTE = 400
"""Bytes kept for the sentence that names what was left out."""

SPECIAL = str.maketrans(
    {
        **{c: f"\\{c}" for c in r"\`*_[]~|"},
        # As entities: GitHub reads HTML within Markdown, and mathematics between dollars.
        "&": "&amp;", "<": "&lt;", ">": "&gt;", "$": "&#36;",
    }
)  # fmt: skip


@dataclass(frozen=True)
class Section:
    """Lines that stand or fall one by one below a head that makes no sense without them."""

    name: str
    head: tuple[str, ...]
    rows: tuple[str, ...]
    tail: tuple[str, ...] = ()


def render(report: Report, *, limit: int = LIMIT) -> str:
    """Return the page, at most ``limit`` bytes of UTF-8; what had to be left out is named.

    Parameters
    ----------
    limit : int
        Bytes, at least 2000: the verdict must fit.

    Raises
    ------
    InputError
        If the limit is too small.
    """
    if limit < 5 * NOTE:
        raise InputError(
            f"limit={limit} bytes is too little for a verdict; give {5 * NOTE} or more."
        )
    lines = [_clipped(line, limit // 4) for line in _verdict(report)]
    left_out: list[str] = []
    used = _size(lines)
    for section in _sections(report):
        fixed = _size((*section.head, *section.tail))
        rows: list[str] = []
        for row in section.rows:
            if used + fixed + _size((*rows, row)) > limit - NOTE:
                break
            rows.append(row)
        if rows:
            lines += [*section.head, *rows, *section.tail]
            used = _size(lines)
        if len(rows) < len(section.rows):
            left_out.append(f"{len(section.rows) - len(rows)} rows of {section.name}")
    if left_out:
        more = f", and more of {len(left_out) - 3} other tables" if len(left_out) > 3 else ""
        words = _clipped("; ".join(left_out[:3]), NOTE // 2)
        lines += ["", f"Left out to stay below {limit} bytes: {words}{more}. The JSON has all."]
    return "\n".join(lines) + "\n"


def append(report: Report, path: Path, *, limit: int = LIMIT) -> None:
    """Append the page to a summary that may hold text already: GITHUB_STEP_SUMMARY.

    Raises
    ------
    InputError
        If the file cannot be written, or what it holds leaves too little of the limit.
    """
    try:
        held = path.stat().st_size if path.exists() else 0
        text = render(report, limit=limit - held)
        with path.open("a", encoding="utf-8") as file:
            file.write(text)
    except OSError as error:
        raise InputError(
            f"cannot write {path}: {error.strerror}; give the file that GITHUB_STEP_SUMMARY names."
        ) from None


def escape(text: object) -> str:
    """Return text that Markdown shows as it stands, in a table's cell too."""
    return " ".join(str(text).split()).translate(SPECIAL)


def code(text: str) -> list[str]:
    """Return a block of code; its fence is longer than any in the text."""
    runs = re.findall("`+", text)
    fence = "`" * max(3, 1 + max(map(len, runs), default=0))
    return [f"{fence}sh", text, fence]


def _verdict(report: Report) -> list[str]:
    words = verdict_line(report).plain.removeprefix(str(report.verdict)).strip()
    title = f": {escape(report.title)}" if report.title else ""
    lines = [f"## {SIGNS[report.verdict]} {report.verdict}: gradient of {escape(report.case)}", ""]
    if report.verdict is Verdict.PASS:
        lines += [f"{escape(words)}.", ""]
    else:
        first = next(iter(deciding(report)), None)
        what = words if first is None else headline(report, first)
        lines += [f"**{escape(what)}**", ""]
    if report.command:
        lines += ["Repeat with:" if report.verdict is Verdict.PASS else "Replay with:", ""]
        lines += [*code(report.command), ""]
    return [*lines, f"{escape(report.case)}{title}; exit code {report.exit_code}."]


def _sections(report: Report) -> Iterator[Section]:
    bad = [c for c in report.checks if c.verdict is not Verdict.PASS and not c.covered]
    if bad:
        order = deciding(report)
        order += [c for c in bad if c not in order]
        yield Section(
            "what did not pass",
            ("", "### What did not pass", ""),
            tuple(f"- {c.verdict}: {escape(detail(c))}" for c in order),
        )
    yield _table(
        "checks",
        ("check", "where", "verdict", "worst", "passes up to", "error ≤", "sees ≥"),
        tuple(map(_check, sorted(report.checks, key=lambda c: c.verdict is Verdict.PASS))),
    )
    for point in report.points:
        yield _gradients(point)
    if report.notes:
        notes = tuple(f"- {escape(note)}" for note in report.notes)
        yield Section("notes", ("", "### Notes", ""), notes)
    made_with = tuple(_row((name, value)) for name, value in report.provenance.items())
    yield Section(
        "provenance",
        ("", "<details><summary>Made with</summary>", "", *_head(("what", "version"))),
        made_with,
        ("", "</details>"),
    )


def _check(check: CheckResult) -> str:
    verdict = f"{check.verdict} (the probe is judged)" if check.covered else check.verdict
    name = f"{check.check} ({check.objective})" if check.objective else check.check
    limit = f"{check.pass_limit:g}" if check.pass_limit > 0 else ""
    worst = f"{check.statistic} {statistic(check)}"
    bounds = (_number(check.bound), _number(check.detectable))
    return _row((name, check.point, verdict, worst, limit, *bounds))


def _gradients(point: PointResult) -> Section:
    routes = list(point.values)
    rows = [_derivative(row, routes) for row in point.rows]
    value = _row((point.objective, *(f"{point.values[r]:.9g}" for r in routes), *[""] * 4))
    return _table(
        f"{point.objective} at {point.point}",
        ("by", *routes, "differences ± U", "share of ‖g∘s‖", "error ≤", "verdict"),
        (value, *rows),
    )


def _derivative(row: GradientRow, routes: list[str]) -> str:
    index = f"[{','.join(map(str, row.component))}]" if row.component else ""
    differences = ""
    if row.finite_difference is not None:
        differences = f"{row.finite_difference:.9g} ± {_number(row.finite_difference_uncertainty)}"
    values = [f"{row.gradients[r]:.9g}" if r in row.gradients else "" for r in routes]
    name = f"{row.parameter}{index}"
    return _row((name, *values, differences, f"{row.share:.1e}", _number(row.bound), row.verdict))


def _table(name: str, titles: tuple[str, ...], rows: tuple[str, ...]) -> Section:
    title = f"### {escape(name[:1].upper() + name[1:])}"
    return Section(name, ("", title, "", *_head(titles)), rows)


def _head(titles: tuple[str, ...]) -> tuple[str, str]:
    return _row(titles), "|" + " --- |" * len(titles)


def _row(cells: tuple[object, ...]) -> str:
    return f"| {' | '.join(map(escape, cells))} |"


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.1e}"


def _size(lines: list[str] | tuple[str, ...]) -> int:
    return sum(len(line.encode()) + 1 for line in lines)


def _clipped(line: str, limit: int) -> str:
    """Cut one line that alone would be too long, at a character, and say so."""
    held = line.encode()
    if len(held) <= limit:
        return line
    return held[: limit - 4].decode(errors="ignore").rstrip("\\") + "…"
