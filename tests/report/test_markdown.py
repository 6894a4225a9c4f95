"""The Markdown summary: read back by a parser of GitHub's dialect, and kept below its limit."""

from __future__ import annotations

from dataclasses import replace

import pytest
from markdown_it import MarkdownIt

from lsm_verify import InputError, Verdict
from lsm_verify.report.markdown import LIMIT, append, escape, render
from tests.report.reports import check, flat, located, right, row, wrong

REPORTS = (right, wrong, flat, located)


def tokens(text):
    return MarkdownIt("gfm-like", {"linkify": False}).parse(text)


def shown(inline):
    """What a reader sees of a line, without markup."""
    return "".join(child.content for child in inline.children)


def tables(text):
    found, cell = [], False
    for token in tokens(text):
        if token.type == "table_open":
            found.append([])
        elif token.type == "tr_open":
            found[-1].append([])
        elif token.type in ("td_open", "th_open"):
            cell = True
        elif token.type == "inline" and cell:
            found[-1][-1].append(shown(token))
            cell = False
    return found


@pytest.mark.parametrize("made", REPORTS)
def test_the_verdict_is_the_first_line(made):
    first, *_ = (shown(t) for t in tokens(render(made())) if t.type == "inline")
    assert f"{made().verdict}: gradient of {made().case}" in first


def test_a_red_first_screen_says_what_where_how_much_and_replay():
    head = render(located()).split("###")[0]
    first = [shown(t) for t in tokens(head) if t.type == "inline"][1]
    assert "autograd stands apart from the other 2 routes" in first
    assert "parameters: emissivity, albedo" in first
    assert "at start, step 48, node 0, emission 4εσT³: autograd × 0.5" in first
    assert "max z 1.3e+09 of 32" in first
    assert "up to 3.2e-02" in first
    (fence,) = [t for t in tokens(head) if t.type == "fence"]
    assert fence.content.strip() == located().command


@pytest.mark.parametrize("made", REPORTS)
def test_tables_hold_every_check_and_derivative(made):
    report = made()
    checks, *gradients = tables(render(report))
    assert {r[0] for r in checks[1:]} == {
        f"{c.check} ({c.objective})" if c.objective else c.check for c in report.checks
    }
    assert len(checks) == 1 + len(report.checks)
    for point, table in zip(report.points, gradients, strict=False):
        assert [len(r) for r in table] == [len(table[0])] * (2 + len(point.rows))
        for r, cells in zip(point.rows, table[2:], strict=True):
            assert cells[0].startswith(r.parameter)
            assert [float(c) for c in cells[1 : 1 + len(r.gradients)]] == pytest.approx(
                list(r.gradients.values()), rel=1e-8
            )
            assert cells[-1] == r.verdict


@pytest.mark.parametrize(
    "text", ["a|b", r"\|", "*x* _y_ `z`", "<b>", "&amp;", "[a](b)", "$x$", "a\nb", "~~s~~", "100 %"]
)
def test_text_is_shown_as_it_stands(text):
    (table,) = tables(f"| a |\n| --- |\n| {escape(text)} |\n")
    assert table[1] == [" ".join(text.split())]


def test_a_title_with_markup_stays_text():
    report = replace(wrong(), title="| <script> **bold** |")
    assert "<script>" not in render(report)
    assert "| <script> **bold** |" in "".join(
        shown(t) for t in tokens(render(report)) if t.type == "inline"
    )


@pytest.fixture(scope="module")
def large():
    rows = tuple(row("thermal_conductivity", (i,)) for i in range(400))
    points = tuple(replace(located().points[0], point=f"random {k}", rows=rows) for k in range(30))
    return replace(located(), points=points, checks=located().checks + (check(),) * 300)


@pytest.mark.parametrize("limit", [2000, 5000, 50_000, LIMIT])
def test_it_stays_below_its_limit_and_names_what_is_left_out(large, limit):
    text = render(large, limit=limit)
    assert len(text.encode()) <= limit
    assert located().command in text
    left = text.splitlines()[-1]
    assert left.startswith(f"Left out to stay below {limit} bytes: ")
    whole = render(large, limit=100 * LIMIT)
    assert len(whole.encode()) > LIMIT
    assert "Left out" not in whole
    # What is named is what lacks: rows of the first section that was cut.
    words = left.partition("bytes: ")[2]
    number, name = int(words.split()[0]), words.split(" rows of ")[1].split(";")[0].split(".")[0]
    if name == "checks":
        assert len(tables(text)[0]) - 1 == len(large.checks) - number


def test_one_line_without_end_does_not_break_the_limit():
    report = replace(wrong(), title="é" * 10_000, command="x" * 10_000)
    assert len(render(report, limit=4000).encode()) <= 4000 + 4000


def test_it_appends_and_counts_what_is_there(tmp_path, large):
    path = tmp_path / "summary.md"
    append(right(), path)
    first = path.read_text("utf-8")
    assert first == render(right())
    append(large, path, limit=20_000)
    assert path.read_text("utf-8").startswith(first)
    assert path.stat().st_size <= 20_000
    with pytest.raises(InputError, match="too little"):
        append(large, path, limit=20_000)


def test_a_summary_that_cannot_be_written_is_named(tmp_path):
    with pytest.raises(InputError, match="GITHUB_STEP_SUMMARY"):
        append(right(), tmp_path / "no" / "summary.md")


def test_what_the_probe_covers_is_no_finding():
    text = render(located())
    assert "INCONCLUSIVE (the probe is judged)" in {r[2] for r in tables(text)[0]}
    assert text.count("- INCONCLUSIVE") == 1
    assert "did not pass" not in render(right())
    assert right().verdict is Verdict.PASS
