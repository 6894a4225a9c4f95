"""The runner of the pages' examples notices what differs."""

from __future__ import annotations

import pytest

from tools import docs_examples
from tools.docs_examples import Page, blocks, close, same


@pytest.mark.parametrize(
    "shown, found",
    [
        ("2.22725e+00", "2.22726e+00"),  # one unit of the last digit
        ("7.4e-12", "9.1e-12"),  # a bound of round-off
        ("0.3", "0.0"),  # less than a unit of round-off
        ("-0.025", "-0.025"),
    ],
)
def test_numbers_that_platforms_change_are_one(shown, found):
    assert close(shown, found)


@pytest.mark.parametrize(
    "shown, found",
    [
        ("2.22725e+00", "2.22728e+00"),
        ("1.29957e+01", "-1.29957e+01"),
        ("7.4e-12", "7.4e-09"),
        ("3.2", "320"),
        ("7", "8"),  # a count
        ("1.4e+00", "-1.4e+00"),
    ],
)
def test_numbers_that_mean_something_else_differ(shown, found):
    assert not close(shown, found)


def test_words_must_be_equal():
    assert not same("max z 0.3 of 32 PASS", "max z 0.3 of 32 FAIL")
    assert not same("a b", "a b c")
    assert not same("a b c", "a b")


def test_a_gap_stands_for_anything_and_nothing_else_does():
    assert same("first … last", "first and\nmuch more\nlast")
    assert same("…\nPASS", "PASS")
    assert not same("first … last", "first and last but one")
    assert not same("… PASS", "FAIL")


def test_times_do_not_count_but_what_follows_does():
    assert same("seconds: set-up 1.0, a 2.0\n\nPASS", "seconds: set-up 100.0,\na 0.1\n\nPASS")
    assert not same("seconds: set-up 1.0\n\nPASS", "seconds: set-up 1.0, maps 0.1\n\nPASS")
    assert not same("seconds: set-up 1.0\n\nPASS", "seconds: set-up 1.0\n\nFAIL")


def test_a_comment_belongs_to_the_next_block_alone():
    page = "<!-- file: a.py -->\n```python\nx = 1\n```\n\n```python\ny = 1\n```\n"
    assert [b.notes for b in blocks(page)] == [{"file": "a.py"}, {}]
    assert blocks("<!-- exit: 1 -->\n\ntext\n\n```console\n$ a\n```\n")[0].notes == {}


@pytest.fixture
def page(tmp_path):
    def make(text: str) -> Page:
        path = tmp_path / "page.md"
        path.write_text(text, encoding="utf-8")
        folder = tmp_path / "work"
        folder.mkdir()
        return Page(path, folder)

    return make


def test_a_wrong_output_is_told_with_its_line_and_mended(page):
    made = page("text\n\n```console\n$ python -c 'print(1 + 1)'\n3\n```\n")
    made.run()
    assert [d.line for d in made.differences] == [4]
    assert "```console\n$ python -c 'print(1 + 1)'\n2\n```\n" in made.refreshed()


def test_another_exit_code_is_an_error(page):
    with pytest.raises(AssertionError, match="ended with 3, not 0"):
        page("```console\n$ python -c 'raise SystemExit(3)'\n```\n").run()


def test_a_doctest_that_fails_is_told(page):
    made = page("```python\na = 2\n```\n\n```python\n>>> a + 1\n4\n```\n")
    made.run()
    assert len(made.differences) == 1


def test_a_block_that_raises_names_the_page(page):
    with pytest.raises(ZeroDivisionError) as caught:
        page("\n\n```python\n1 / 0\n```\n").run()
    assert caught.traceback[-1].lineno + 1 == 4
    assert caught.traceback[-1].path.name == "page.md"


def test_a_file_of_the_page_is_there_for_its_commands(page):
    made = page(
        "<!-- file: a.py -->\n```python\nprint(7)\n```\n\n```console\n$ python a.py\n7\n```\n"
    )
    made.run()
    assert not made.differences
    assert docs_examples.GAP not in made.refreshed()
