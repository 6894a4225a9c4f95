"""The rewriter: one place, found by its syntax tree."""

import ast

import pytest

from lsm_verify.mutants.rewrite import Rewrite, replace_in, rewrite

SOURCE = '''
"""A module."""

LIMIT = 3


def f(x):
    y = 2 * (x + 1)  # twice
    for i in range(3):
        y += i
    return y


class Box:
    def f(self, x):
        return 2 * (x + 1)
'''


def run(source, change):
    names = {}
    exec(compile(ast.fix_missing_locations(rewrite(source, change).tree), "<>", "exec"), names)
    return names


def test_an_expression_is_replaced():
    assert run(SOURCE, Rewrite("range(3)", "range(2)"))["f"](0) == 2 + 1


def test_a_statement_is_replaced_by_several():
    assert run(SOURCE, Rewrite("y += i", "y += i\ny += 1"))["f"](0) == 2 + 3 + 3


def test_a_statement_is_dropped():
    assert run(SOURCE, Rewrite("y += i", "pass"))["f"](0) == 2


def test_an_expression_can_take_the_place_of_a_statement():
    assert run(SOURCE, Rewrite("y += i", "abs(i)"))["f"](0) == 2


def test_formatting_does_not_matter():
    reformatted = ast.unparse(ast.parse(SOURCE)).replace("range(3)", "range(\n    3\n)")
    change = Rewrite("(2  *  (x + 1))", "0", "f")
    assert run(reformatted, change)["f"](5) == run(SOURCE, change)["f"](5) == 3


@pytest.mark.parametrize(
    "change",
    [
        Rewrite("2 * (x + 1)", "0"),  # twice
        Rewrite("2 * (x + 2)", "0"),
        Rewrite("2 * (x + 1)", "0", "g"),
        Rewrite("range(3)", "0", "Box"),
        Rewrite("2 * x + 1", "0"),  # another tree
    ],
)
def test_what_is_not_there_once_is_refused(change):
    with pytest.raises(LookupError, match="not once"):
        rewrite(SOURCE, change)


def test_a_definition_narrows_the_search():
    names = run(SOURCE, Rewrite("2 * (x + 1)", "7", "Box.f"))
    assert names["Box"]().f(0) == 7
    assert names["f"](0) == 5


def test_an_expression_does_not_become_a_statement():
    with pytest.raises(SyntaxError, match="must be an expression"):
        rewrite(SOURCE, Rewrite("range(3)", "pass"))


def test_one_statement_at_a_time():
    with pytest.raises(SyntaxError, match="give one"):
        rewrite(SOURCE, Rewrite("y += i\ny += i", "pass"))


@pytest.mark.parametrize(
    "change, definition",
    [
        (Rewrite("range(3)", "range(2)"), "f"),
        (Rewrite("2 * (x + 1)", "0", "Box.f"), "Box"),
        (Rewrite("LIMIT = 3", "LIMIT = 4"), ""),
    ],
)
def test_the_definition_that_changed_is_told(change, definition):
    assert rewrite(SOURCE, change).definition == definition


def test_several_rewrites_of_one_tree():
    tree = ast.parse(SOURCE)
    for change in (Rewrite("range(3)", "range(2)"), Rewrite("LIMIT = 3", "LIMIT = 4")):
        replace_in(tree, change, name="it")
    names = {}
    exec(compile(ast.fix_missing_locations(tree), "<>", "exec"), names)
    assert (names["f"](0), names["LIMIT"]) == (3, 4)
