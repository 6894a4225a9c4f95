"""The commands ``lsm-verify bench compare`` and ``lsm-verify bench history``."""

from __future__ import annotations

import io
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lsm_verify.errors import InputError

if TYPE_CHECKING:
    from lsm_verify.bench.finding import Comparison
    from lsm_verify.bench.session import Command

LOG_WIDTH = 120
"""Columns of a table that goes to a file or a pipe."""


def compare(
    base: Annotated[
        str,
        typer.Argument(metavar="BASE", help="A branch, tag or commit, or a stored FILE.json."),
    ],
    blocks: Annotated[
        int, typer.Option(metavar="N", help="Fresh processes of each side, at least.")
    ] = 12,
    most_blocks: Annotated[
        int,
        typer.Option(metavar="N", help="Where adding blocks ends while the machine is noisy."),
    ] = 36,
    minimum_effect: Annotated[
        float, typer.Option(metavar="R", help="Smallest change that counts: 0.05 is 5 %.")
    ] = 0.05,
    significance: Annotated[
        float, typer.Option(metavar="P", help="Of the whole comparison, all benchmarks together.")
    ] = 0.01,
    seed: Annotated[int, typer.Option(metavar="N", help="Seed of order and resampling.")] = 0,
    command: Annotated[
        str | None,
        typer.Option(
            metavar="LINE",
            help="What to time instead of lsm-verify bench run --quick; {python}, {output} and "
            "{root} are filled in.",
        ),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            metavar="FILE",
            help="Write the candidate's times as pytest-benchmark does.",
        ),
    ] = None,
    bencher: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="Write gradient error and peak memory in Bencher's metric format."
        ),
    ] = None,
    json: Annotated[
        Path | None, typer.Option("--json", metavar="FILE", help="Write the verdicts as JSON.")
    ] = None,
) -> None:
    """Tell whether the working tree is slower than a commit or a stored result.

    Both are measured in turn in fresh processes, the base twice. A benchmark counts as slower if
    Mann and Whitney's test says so, the ratio is large enough, and it is beyond what the base
    shows against itself. Exit codes: 0 none slower, 1 slower, 2 wrong usage, other machine or
    other dependencies, 3 nothing measured.

    Examples: lsm-verify bench compare main; lsm-verify bench compare main --blocks 24
    -o new.json --bencher metrics.json; lsm-verify bench compare reports/benchmarks/baseline.json
    """
    from lsm_verify import files
    from lsm_verify.bench import compare as comparing
    from lsm_verify.bench import record
    from lsm_verify.bench.session import Design

    outputs = [path for path in (output, bencher, json) if path is not None]
    for path in outputs:
        files.check_writable(path)
    if len({path.absolute() for path in outputs}) < len(outputs):
        raise InputError("--output, --bencher and --json name one file twice; give each its own.")
    design = Design(blocks, max(blocks, most_blocks), minimum_effect, significance, seed)
    found = comparing.compare(base, run=_command(command), design=design, announce=_announce)
    contents = {output: found.measured, bencher: found.metrics, json: found.to_json()}
    for target, content in contents.items():
        if target is not None and (found.measured or target == json):
            record.write(target, content)
            _announce(f"wrote {target}")
    typer.echo(_page(found), nl=False)
    raise typer.Exit(found.exit_code)


def history(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Folder of kept results.")],
    add: Annotated[
        list[Path] | None,
        typer.Option(metavar="FILE", help="Keep this result; may be repeated."),
    ] = None,
    figure: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Draw the trend: .png or .svg.")
    ] = None,
    markdown: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write the table to a file.")
    ] = None,
) -> None:
    """Keep benchmark results, show how they went. Nothing is judged: see bench compare.

    Example: lsm-verify bench history reports/benchmarks/history --add new.json --figure trend.svg
    """
    from lsm_verify import files
    from lsm_verify.bench import history as keeping

    if figure is not None:
        keeping.check_figure(figure)
    if markdown is not None:
        files.check_writable(markdown)
    for result in add or []:
        _announce(f"kept {keeping.append(folder, result)}")
    records = keeping.load(folder)
    if figure is not None:
        keeping.draw(records, figure)
        _announce(f"wrote {figure}")
    table = keeping.markdown(records)
    if markdown is not None:
        files.write_text(markdown, table)
        _announce(f"wrote {markdown}")
    else:
        typer.echo(table)


def _command(line: str | None) -> Command:
    from lsm_verify.bench.session import Command

    if line is None:
        return Command()
    try:
        words = tuple(shlex.split(line))
    except ValueError as error:
        raise InputError(f"--command {line!r} cannot be split into words: {error}.") from None
    if not any("{output}" in word for word in words):
        raise InputError(
            f"--command {line!r} does not say where its result goes; write {{output}} for the file."
        )
    return Command(words, package=None)


def _page(found: Comparison) -> str:
    from rich.console import Console

    from lsm_verify.bench.show import show

    terminal = Console(highlight=False)
    page = Console(
        file=io.StringIO(),
        highlight=False,
        width=terminal.width if terminal.is_terminal else LOG_WIDTH,
        force_terminal=terminal.is_terminal,
        no_color=terminal.no_color,
    )
    show(found, page)
    assert isinstance(page.file, io.StringIO)
    return page.file.getvalue()


def _announce(message: str) -> None:
    if sys.stderr.isatty():
        typer.echo(message, err=True)
