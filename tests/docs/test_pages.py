"""Every example of the README and of the site runs and prints what the page shows."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tools import docs_examples

ROOT = Path(__file__).parents[2]
MADE = ROOT / "docs" / "reference" / "_made"
PAGES = sorted(
    [
        ROOT / "README.md",
        ROOT / "CONTRIBUTING.md",
        *(p for p in (ROOT / "docs").rglob("*.md") if MADE not in p.parents),
    ]
)
PLAIN = {"README.md", "index.md", "verdicts.md"}
"""Pages with blocks of no language that are no output: make's commands, formulas."""

LINK = re.compile(r"\]\((?!https?://|mailto:|#)([^)#\s]+)(?:#[^)]*)?\)")


def name(path: Path) -> str:
    return str(path.relative_to(ROOT))


WITH_EXAMPLES = [
    page for page in PAGES if any(b.runs for b in docs_examples.blocks(page.read_text("utf-8")))
]


@pytest.mark.parametrize("path", WITH_EXAMPLES, ids=name)
def test_a_page_shows_what_its_examples_print(path, tmp_path):
    page = docs_examples.Page(path, tmp_path)
    page.run()
    assert not page.differences, "\n".join(map(str, page.differences))


@pytest.mark.parametrize("path", PAGES, ids=name)
def test_code_of_a_page_runs_or_says_why_not(path):
    for block in docs_examples.blocks(path.read_text("utf-8")):
        if block.language in docs_examples.RUN and not block.runs:
            assert len(block.notes["not run"].split()) >= 3
        if block.language == "" and not block.runs:
            assert path.name in PLAIN or set(block.notes) == {"not run"}, block.text


@pytest.mark.parametrize("path", PAGES, ids=name)
def test_links_of_a_page_lead_somewhere(path):
    """Sphinx holds those of the site; here also those that are followed in the repository."""
    text = path.read_text("utf-8")
    for block in docs_examples.blocks(text):
        text = text.replace(block.text, "")
    for target in LINK.findall(text):
        if "_made/" not in target:
            assert (path.parent / target).exists(), target


def test_there_are_pages_of_every_kind():
    kinds = {p.parent.name for p in WITH_EXAMPLES}
    assert {"tutorials", "howto"} <= kinds
    assert ROOT / "README.md" in WITH_EXAMPLES


def test_files_named_for_developers_exist():
    """Paths in backticks on the how-to pages and in CONTRIBUTING are those of this tree."""
    named = re.compile(r"`((?:lsm_verify|reference|tests|tools)/[\w./-]+?\.(?:py|md|json))`")
    found = [
        (name(page), path) for page in PAGES for path in named.findall(page.read_text("utf-8"))
    ]
    assert len(found) > 30
    assert not [(page, path) for page, path in found if not (ROOT / path).is_file()]


def test_equations_are_numbered_once_and_those_that_the_code_cites_exist():
    text = (ROOT / "reference" / "derivation.md").read_text("utf-8")
    tags = re.findall(r"\\tag\{(\d+[a-d]?)\}", text)
    assert len(set(tags)) == len(tags)
    numbers = {int(re.match(r"\d+", tag)[0]) for tag in tags}
    assert numbers == set(range(1, 40))
    cited = {
        int(number)
        for path in (ROOT / "reference" / "lsm_reference").glob("*.py")
        for number in re.findall(r"[Ee]quations? \((\d+)\)", path.read_text("utf-8"))
    }
    assert cited
    assert cited <= numbers
