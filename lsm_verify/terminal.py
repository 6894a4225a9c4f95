"""Where words go: a result to a terminal or a log, progress and warnings to stderr."""

from __future__ import annotations

import io
import os
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import typer

if TYPE_CHECKING:
    from rich.console import Console

    from lsm_verify.inverse.outcome import Announce
    from lsm_verify.inverse.outcome import Progress as Told
    from lsm_verify.verify.result import Report

LOG_WIDTH = 120
"""Columns of a result that goes to a file or a pipe."""


COUNTED = re.compile(r"\b(\d+) of (\d+)\b")
"""How an announcement says how far the work is; a bar and the time left are made of it."""


def progress(message: str) -> None:
    """Tell a person at a terminal what is going on; logs stay quiet."""
    if _watched():
        typer.echo(message, err=True)


def _watched() -> bool:
    return sys.stderr is not None and sys.stderr.isatty()


def _drawn() -> bool:
    """Whether a bar may be drawn: at a terminal, unless that is asked to stay plain."""
    plain = os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb"
    return _watched() and not plain


@contextmanager
def working(what: str, *, moving: bool = True) -> Iterator[Callable[[str], None]]:
    """Give a function that tells of the work within the block what is done now.

    At a terminal it moves a bar, with the time that is left where announcements are counted ("3 of
    7"); with NO_COLOR or TERM=dumb it prints lines; anywhere else it is quiet.

    Parameters
    ----------
    what : str
        What the bar is of.
    moving : bool
        Whether the bar is redrawn between announcements. That takes a thread, which a benchmark
        must not have beside it.
    """
    if not _drawn():
        yield progress
        return
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        SpinnerColumn,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )
    from rich.table import Column

    columns = (
        SpinnerColumn(),
        TextColumn(what),
        BarColumn(bar_width=20),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
        TextColumn("{task.description}", markup=False, table_column=Column(no_wrap=True)),
    )
    # A stream of its own: what is run may catch the file descriptors of this process, as pytest
    # does, and a bar would end up among what it caught.
    with (
        os.fdopen(os.dup(sys.stderr.fileno()), "w", encoding="utf-8", errors="replace") as stream,
        Progress(
            *columns,
            console=Console(file=stream),
            transient=True,
            auto_refresh=moving,
            redirect_stdout=False,
        ) as bar,
    ):
        task = bar.add_task("starting", total=None)

        def announce(message: str) -> None:
            counted = COUNTED.findall(message)
            if counted:
                begun, total = map(int, counted[-1])
                bar.update(task, completed=begun - 1, total=total)
            bar.update(task, description=message)
            if not moving:
                bar.refresh()

        yield announce


@contextmanager
def progress_bar(what: str) -> Iterator[Announce]:
    """Give a callback that draws a bar with evaluations and misfit, where `working` draws one.

    A bar with the time left where the number of steps is known: iterations of Adam, several starts.
    One start of another method ends when it has converged, which no one knows before.
    """
    if not _drawn():
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


class ColumnsBar:
    """A bar of columns that are done, with their rate and the time left; quiet until it begins."""

    def __init__(self, bar: Any = None) -> None:
        self._bar: Any = bar
        self._task: Any = None

    def begin(self, total: int) -> None:
        """Draw the bar."""
        if self._bar is not None:
            self._task = self._bar.add_task("columns", total=total, rate="")

    def advance(self, columns: int) -> None:
        """Move it."""
        if self._task is None:
            return
        self._bar.advance(self._task, columns)
        speed = self._bar.tasks[0].speed
        self._bar.update(self._task, rate="" if speed is None else f"{speed:,.0f} a second")


@contextmanager
def columns_bar() -> Iterator[ColumnsBar]:
    """Give a bar of columns, drawn where `working` draws one."""
    if not _drawn():
        yield ColumnsBar()
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
        TextColumn("columns"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        yield ColumnsBar(bar)


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
