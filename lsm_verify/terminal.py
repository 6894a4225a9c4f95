"""Where results go: to a terminal or a log, to stderr, to files."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from lsm_verify.errors import InputError

if TYPE_CHECKING:
    from rich.console import Console

    from lsm_verify.inverse.outcome import Announce
    from lsm_verify.inverse.outcome import Progress as Told
    from lsm_verify.verify.result import Report

LOG_WIDTH = 120
"""Columns of a result that goes to a file or a pipe."""


@dataclass(frozen=True)
class Outputs:
    """Files that a result is written to."""

    json: Path | None
    junit: Path | None

    def check(self) -> None:
        """Refuse before any work what could not be written after it."""
        from lsm_verify import files

        given = [path for path in (self.json, self.junit) if path is not None]
        for path in given:
            files.check_writable(path)
        if len({path.absolute() for path in given}) < len(given):
            raise InputError(f"--json and --junit both name {given[0]}; give two files.")

    def write(self, report: Report) -> None:
        """Write the result in every form asked for."""
        import json

        from lsm_verify import files
        from lsm_verify.report.junit import render

        if self.json is not None:
            text = json.dumps(report.to_json(), indent=1, allow_nan=False) + "\n"
            files.write_text(self.json, text)
            progress(f"wrote {self.json}")
        if self.junit is not None:
            files.write_text(self.junit, render(report))
            progress(f"wrote {self.junit}")


def progress(message: str) -> None:
    """Tell a person at a terminal what is going on; logs stay quiet."""
    if sys.stderr.isatty():
        typer.echo(message, err=True)


@contextmanager
def progress_bar(what: str) -> Iterator[Announce]:
    """Give a callback that draws a bar with evaluations and misfit, at a terminal only.

    A bar with the time left where the number of steps is known: iterations of Adam, several starts.
    One start of another method ends when it has converged, which no one knows before.
    """
    if not sys.stderr.isatty():
        yield lambda told: None
        return
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    columns = (
        TextColumn(what),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[unit]}, {task.fields[evaluations]} evaluations"),
        TextColumn("objective {task.fields[value]:.4g}, least {task.fields[best]:.6g}"),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(
            what, total=None, unit="", evaluations=0, value=float("nan"), best=float("nan")
        )

        def announce(told: Told) -> None:
            known = told.total if told.total > 1 else None
            bar.update(
                task,
                completed=told.done,
                total=known,
                unit=told.unit,
                evaluations=told.evaluations,
                value=told.value,
                best=told.best,
            )

        yield announce


def rendered(report: Report, terminal: Console, *, verbose: bool) -> str:
    """Lay a report out."""
    from lsm_verify.report import text

    return page_of(lambda page: text.show(report, page, verbose=verbose), terminal)


def page_of(show: Callable[[Console], None], terminal: Console) -> str:
    """Lay a result out for a terminal, or for a log of fixed width."""
    from rich.console import Console

    page = Console(
        file=io.StringIO(),
        highlight=False,
        width=terminal.width if terminal.is_terminal else LOG_WIDTH,
        force_terminal=terminal.is_terminal,
        no_color=terminal.no_color,
    )
    show(page)
    assert isinstance(page.file, io.StringIO)
    return page.file.getvalue()


def print_text(text: str) -> None:
    """Print a result; a reader that has left or a full disk does not change the verdict."""
    if sys.stdout is None:
        return
    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    except OSError as error:
        if not isinstance(error, BrokenPipeError):
            warn(f"cannot print the result: {error.strerror}.")
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def warn(message: str) -> None:
    """Tell on stderr, at a terminal or not."""
    typer.echo(f"lsm-verify: {message}", err=True)
