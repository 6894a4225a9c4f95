"""What every command's help has, what a shell completes, and what was meant by a wrong word."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import typer

from lsm_verify.errors import unknown
from lsm_verify.names import CASES, ROUTES

MARK = re.compile(r"\n\nExamples?:\s+(?=lsm-verify )")
"""Where the last paragraph of a command's docstring begins: commands, parted by semicolons."""


def command(app: typer.Typer, function: Callable[..., Any], name: str | None = None) -> None:
    """Add a command to an app; the examples of its docstring stand below its options."""
    words, *examples = MARK.split(inspect.getdoc(function) or "")
    words = "\n\n".join(" ".join(part.split()) for part in words.split("\n\n"))
    app.command(name, help=words, epilog=epilog(*" ".join(examples).split(";")))(function)


def group(help: str, *examples: str) -> typer.Typer:
    """Make an app for commands below a command."""
    return typer.Typer(no_args_is_help=True, help=help, epilog=epilog(*examples))


def epilog(*examples: str) -> str:
    """Return the last part of a help text, an example in each line."""
    return "\n\n".join(["Examples:", *(" ".join(each.split()) for each in examples)])


# ---------------------------------------------------------------- what was meant


def explain(error: Any, app: typer.Typer, words: Sequence[str]) -> str:
    """Return a usage error as sentences that end with the help of the command it is of.

    A word that does not exist is told with the nearest one. Empty if the error has no message:
    then the help has been shown already.
    """
    context, message = getattr(error, "ctx", None), str(error.format_message())
    if context is not None:
        message = _meant(error, context, message)
    if not message:
        return ""
    stop = "" if message.endswith((".", "?")) else "."
    return f"{message}{stop} See {' '.join(_path(app, words))} --help."


def _path(app: typer.Typer, words: Sequence[str]) -> Iterator[str]:
    """Yield the program and those words that lead to a command: not every error knows its own."""
    yield "lsm-verify"
    command: Any = typer.main.get_command(app)
    for word in words:
        command = getattr(command, "commands", {}).get(word)
        if command is None:
            return
        yield word


def _meant(error: Any, context: Any, message: str) -> str:
    if hasattr(error, "option_name"):
        options = [word for each in context.command.get_params(context) for word in each.opts]
        long = [word for word in options if word.startswith("--")]
        return str(unknown("option", error.option_name, long))
    missing = re.match(r"No such command '([^']*)'", message)
    if missing and hasattr(context.command, "list_commands"):
        names = context.command.list_commands(context)
        return str(unknown("command", missing[1], names))
    return message


# ---------------------------------------------------------------- what a shell completes


def cases(incomplete: str) -> list[tuple[str, str]]:
    """Complete a case, with what it is."""
    return [(name, about) for name, about in CASES.items() if name.startswith(incomplete)]


def routes(incomplete: str) -> list[str]:
    """Complete the last of several routes parted by commas."""
    before, comma, last = incomplete.rpartition(",")
    named = before.split(",")
    return [
        f"{before}{comma}{name}" for name in ROUTES if name.startswith(last) and name not in named
    ]


def mutants(incomplete: str) -> list[str]:
    """Complete the beginning of mutants' names; whole names, which have spaces, after the colon."""
    from lsm_verify.mutants.catalogue import MUTANTS

    known = MUTANTS if ":" in incomplete else dict.fromkeys(n.partition(":")[0] for n in MUTANTS)
    return [name for name in known if name.startswith(incomplete)]


def one_of(*names: str) -> Callable[[str], list[str]]:
    """Return a function that completes one of a few names."""

    def complete(incomplete: str) -> list[str]:
        return [name for name in names if name.startswith(incomplete)]

    return complete
