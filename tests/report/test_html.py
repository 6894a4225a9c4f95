"""The page says what the JSON says: verdict, every check, counts; and stays small."""

from __future__ import annotations

import math
import re
from collections import Counter
from dataclasses import replace
from html.parser import HTMLParser

import pytest

from lsm_verify import InputError, Verdict
from lsm_verify.report.figures import state_map
from lsm_verify.report.html import render
from lsm_verify.report.svg import COLOURS
from lsm_verify.verify.evidence import Evidence
from tests.report import samples

LARGEST = 1_500_000
"""Bytes of a page: half of the three megabytes that are promised."""


class Page(HTMLParser):
    """Tables by their caption's id, and attributes of elements with an id."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tables: dict[str, list[list[str]]] = {}
        self.known: dict[str, dict[str, str]] = {}
        self.tags: Counter[str] = Counter()
        self.headless: list[str] = []
        self._rows: list[list[str]] = []
        self._name = ""
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        given = dict(attributes)
        self.tags[tag] += 1
        if "id" in given:
            self.known[given["id"]] = given
        if tag == "table":
            self._rows, self._name = [], given.get("id", "")
        if tag == "tr":
            self._rows.append([])
        if tag in ("td", "th"):
            self._rows[-1].append("")
        if tag == "th" and given.get("scope") not in ("row", "col"):
            self.headless.append(str(given))

    def handle_endtag(self, tag):
        if tag == "table":
            self.tables[self._name or str(len(self.tables))] = self._rows

    def handle_data(self, data):
        if self._rows and self._rows[-1]:
            self._rows[-1][-1] += data


@pytest.fixture(scope="module", params=samples.NAMES)
def rendered(request):
    text = samples.page(request.param)
    return samples.everything()[request.param][0], text, Page(text)


def test_verdict_and_exit_code_are_the_reports(rendered):
    report, text, page = rendered
    data = report.to_json()
    assert page.known["verdict"]["data-verdict"] == data["verdict"]
    assert page.known["verdict"]["data-exit-code"] == str(data["exit_code"])
    assert f"<title>{data['verdict']}: {data['case']}" in text


def test_every_check_has_its_verdict_and_no_other(rendered):
    report, _, page = rendered
    head, *rows = page.tables["every-check"]
    where = head.index("verdict")
    shown = [re.search("|".join(Verdict), row[where])[0] for row in rows]
    assert shown == [check["verdict"] for check in report.to_json()["checks"]]
    for row, check in zip(rows, report.checks, strict=True):
        assert row[0].startswith(check.check)
        assert check.point in row[1]


def test_counts_are_those_of_the_checks(rendered):
    report, text, _ = rendered
    own = Counter(str(check.verdict) for check in report.checks if not check.covered)
    found = re.search(r"<dt>Checks</dt>\s*<dd>([^<]*)</dd>", text)
    counts = {verdict: int(n) for n, verdict in re.findall(r"(\d+) ([A-Z]+)", found[1])}
    assert counts == own


def test_every_derivative_is_there(rendered):
    report, _, page = rendered
    cells = {cell for rows in page.tables.values() for row in rows for cell in row}
    for point in report.points:
        for row in point.rows:
            for value in row.gradients.values():
                assert any(cell.startswith(f"{value:.11e}") for cell in cells)


def test_a_page_is_small_and_whole(rendered):
    _, text, page = rendered
    assert len(text.encode()) < LARGEST
    assert text.startswith("<!DOCTYPE html>")
    assert page.tags["script"] == 0
    assert page.tags["h1"] == page.tags["main"] == page.tags["nav"] == 1
    assert page.headless == []
    addresses = re.findall(r'(?:src|href)="([^"]*)"', text)
    assert all(a.startswith(("#", "data:")) for a in addresses)
    assert "@import" not in text
    assert not re.search(r"url\((?!#)", text)


def test_figures_take_their_colours_from_the_page(rendered):
    _, text, page = rendered
    assert page.tags["svg"] == page.tags["figure"] == page.tags["figcaption"]
    drawn = "".join(re.findall(r"<svg.*?</svg>", text, flags=re.DOTALL))
    assert not any(colour in drawn for colour in COLOURS)
    assert all(name in text for name in ("--series-1", "--series-4", "--faint"))


def test_the_same_report_gives_the_same_page():
    report, _ = samples.everything()["user"]
    assert render(report) == samples.page("user")


def test_a_report_without_evidence_is_a_page_without_figures():
    report, _ = samples.everything()["pass"]
    page = Page(render(replace(report, evidence=Evidence(), notes=(), points=())))
    assert page.tags["figure"] == 0
    assert page.known["verdict"]["data-verdict"] == "PASS"


def test_a_command_is_shown_as_it_is():
    report, _ = samples.everything()["user"]
    command = "lsm-verify check twin --data 'my <data> & more'"
    text = render(replace(report, command=command))
    assert "&#39;my &lt;data&gt; &amp; more&#39;</code>" in text


@pytest.mark.parametrize("name", ["selftest", "benchmarks", "claims", "calibration"])
@pytest.mark.parametrize("content", [{}, {"selftest": {}, "starts": "many"}])
def test_another_files_content_is_refused_in_a_line(name, content):
    report, _ = samples.everything()["pass"]
    with pytest.raises(InputError, match=name) as caught:
        render(report, **{name: content})
    assert "\n" not in str(caught.value)


def test_a_mark_stands_where_the_routes_part():
    report, _ = samples.everything()["fail"]
    marked = [m for m in report.evidence.maps if m.step is not None]
    assert [(m.kind, m.step, m.node) for m in marked] == [("adjoint", 19, 0)]
    assert "Marked: the first divergence" in state_map(marked[0]).caption


@pytest.mark.parametrize("value", [math.nan, math.inf, 0.0])
def test_evidence_that_is_no_number_is_drawn_as_nothing(value):
    """A model may give no number along a ladder; `null` in a file is read back as not-a-number."""
    found = samples.everything()["fail"][0].evidence
    other = samples.everything()["user"][0].evidence

    def spoilt(entry):
        changes = {}
        for name, kept in vars(entry).items():
            if isinstance(kept, float):
                changes[name] = value
            elif name in ("slopes", "remainder", "ratio"):
                changes[name] = (value,) * len(kept)
            elif name == "values":
                changes[name] = tuple((value,) * len(row) for row in kept)
        return replace(entry, **changes)

    evidence = Evidence(
        tuple(map(spoilt, other.taylor)),
        tuple(map(spoilt, other.differences)),
        tuple(map(spoilt, found.maps)),
        tuple(map(spoilt, found.energy)),
    )
    report = replace(samples.everything()["fail"][0], evidence=evidence)
    assert Page(render(report)).tags["figure"] == samples.panels(report) > 5
