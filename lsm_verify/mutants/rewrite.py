"""One place of a module's syntax tree replaced by another.

The place is found by its syntax tree, not by its text: line breaks, comments and parentheses that
change nothing do not matter.
"""

from __future__ import annotations

import ast
import copy
from dataclasses import dataclass


@dataclass(frozen=True)
class Rewrite:
    """What stands in the source and what it becomes.

    Parameters
    ----------
    old : str
        One expression or one statement.
    new : str
        What takes its place; one expression for an expression, any number of statements for a
        statement (``pass`` drops it).
    within : str
        Function, class or method (``Class.method``) in which it stands; everything if empty.
    """

    old: str
    new: str
    within: str = ""


@dataclass(frozen=True)
class Rewritten:
    """A module's syntax tree after a rewrite, and the definition in which it changed.

    ``definition`` is the outermost function or class, empty where the module itself changed.
    """

    tree: ast.Module
    definition: str


def rewrite(source: str, change: Rewrite, *, name: str = "the source") -> Rewritten:
    """Replace the one place of a source that equals ``change.old``.

    Raises
    ------
    LookupError
        If there is no such place, or more than one.
    SyntaxError
        If a statement should become an expression, or the reverse.

    Examples
    --------
    >>> ast.unparse(rewrite("y = 2 * (a + b)", Rewrite("a + b", "a - b")).tree)
    'y = 2 * (a - b)'
    """
    return replace_in(ast.parse(source), change, name=name)


def replace_in(tree: ast.Module, change: Rewrite, *, name: str) -> Rewritten:
    """Replace a place in a tree, which is changed by it."""
    replacer = _Replacer(change)
    replacer.visit(tree)
    if len(replacer.found) != 1:
        where = f"{change.within} of {name}" if change.within else name
        raise LookupError(f"{change.old!r} stands {len(replacer.found)} times in {where}, not once")
    return Rewritten(tree, replacer.found[0])


def snippet(text: str) -> list[ast.stmt] | ast.expr:
    """Parse a snippet: an expression where it is one, else statements."""
    body = ast.parse(text).body
    if len(body) == 1 and isinstance(body[0], ast.Expr):
        return body[0].value
    return list(body)


class _Replacer(ast.NodeTransformer):
    """Replaces every place that equals a pattern, and notes in which definition each stands."""

    def __init__(self, change: Rewrite) -> None:
        old, self.new = snippet(change.old), snippet(change.new)
        if isinstance(old, list):
            if len(old) != 1:
                raise SyntaxError(f"{change.old!r} is {len(old)} statements; give one")
            self.old: ast.AST = old[0]
            # An expression can stand where a statement stood, as a statement.
            if isinstance(self.new, ast.expr):
                self.new = [ast.Expr(self.new)]
        else:
            self.old = old
            if isinstance(self.new, list):
                raise SyntaxError(f"{change.new!r} must be an expression as {change.old!r} is")
        self.key = ast.dump(self.old)
        self.within = change.within.split(".") if change.within else []
        self.path: list[str] = []
        self.found: list[str] = []

    def visit(self, node: ast.AST) -> ast.AST | list[ast.stmt]:
        named = isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
        if (
            type(node) is type(self.old)
            and self.path[: len(self.within)] == self.within
            and ast.dump(node) == self.key
        ):
            self.found.append(self.path[0] if self.path else "")
            return self._replacement(node)
        if named:
            self.path.append(node.name)  # type: ignore[attr-defined]
        self.generic_visit(node)
        if named:
            self.path.pop()
        return node

    def _replacement(self, node: ast.AST) -> ast.AST | list[ast.stmt]:
        """Copy the new nodes, at the place in the source of what they replace."""
        new = copy.deepcopy(self.new)
        for part in new if isinstance(new, list) else [new]:
            for each in ast.walk(part):
                if hasattr(node, "lineno") and "lineno" in each._attributes:
                    ast.copy_location(each, node)
        return new
