"""Examples of the README and of the site run and print what the page shows, or say why not."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import typer

from lsm_verify import cli
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
    """Paths on the pages and in CONTRIBUTING are those of this tree, in backticks or not."""
    named = re.compile(
        r"(?<![\w./-])((?:lsm_verify|reference|tests|tools)/[\w./-]+\.(?:py|md|json))"
    )
    found = [(page, path) for page in PAGES for path in named.findall(page.read_text("utf-8"))]
    assert len(found) > 30
    homes = (ROOT, ROOT / "docs")  # links between pages lead from the pages' folder
    assert not [
        (name(page), path)
        for page, path in found
        if not any((home / path).is_file() for home in homes)
    ]


def test_files_hold_what_pages_say_is_in_them():
    """``NAME`` of, in or (``PATH``): the file defines the name; of a command, its function."""
    told = re.compile(
        r"`(?P<name>\w+)(?: --help)?`\s+(?:of\s+|in\s+|\()`"
        r"(?P<path>(?:lsm_verify|reference|tests|tools)/[\w/]+\.py)`"
    )
    found = [
        (name(page), each["name"], each["path"])
        for page in PAGES
        for each in told.finditer(page.read_text("utf-8"))
    ]
    assert len(found) >= 3
    for page, defined, path in found:
        source = (ROOT / path).read_text("utf-8")
        pattern = rf"^(?:(?:def|class) {defined}\b|{defined}\b[^=\n]*=)"
        assert re.search(pattern, source, re.MULTILINE), (page, defined, path)


PLACES = dict(
    re.findall(
        r"^\| (`.*?) \| (.*) \|$", (ROOT / "CONTRIBUTING.md").read_text("utf-8"), re.MULTILINE
    )
)
"""The table of places in CONTRIBUTING: place to what is decided there."""


def files_in(cell):
    return set(re.findall(r"`(?:lsm_verify/)?([\w/*]+(?:\.py|/))`", cell))


def test_every_module_has_its_place():
    named = set().union(*map(files_in, PLACES))
    package = ROOT / "lsm_verify"
    modules = {each.name for each in package.glob("*.py")} - {"__init__.py", "_callable.py"}
    packages = {f"{each.parent.name}/" for each in package.glob("*/__init__.py")}
    assert (modules | packages) - named == set()
    assert not [each for each in named if not any((f / each).exists() for f in (package, ROOT))]
    report = {each.name for each in (package / "report").glob("*.py")} - {"__init__.py"}
    assert files_in(PLACES["`lsm_verify/report/`"]) == report | {"templates/"}


def test_modules_of_a_place_are_there():
    for place, decided in PLACES.items():
        folder = re.fullmatch(r"`(lsm_verify/\w+/)`", place)
        for each in re.findall(r"`([\w*]+\.py)`", decided) if folder else ():
            assert list((ROOT / folder[1]).glob(each)), (place, each)


def test_commands_with_exit_codes_of_their_own_stand_on_their_page():
    page = (ROOT / "docs" / "reference" / "exit-codes.md").read_text("utf-8")
    commands = typer.main.get_command(cli.app).commands
    own = {name for name, each in commands.items() if "Exit codes:" in (each.help or "")}
    assert {"report", "doctor"} <= own
    assert {each for each in own if f"`{each}" not in page} == set()


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
