"""The commands below ``lsm-verify bench``: run, show, compare and history."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lsm_verify import usage
from lsm_verify.errors import InputError
from lsm_verify.terminal import page_of, print_text, progress, warn, working

if TYPE_CHECKING:
    from rich.console import Console

    from lsm_verify.bench.session import Command

MarkdownFile = Annotated[
    Path | None, typer.Option("--markdown", metavar="FILE", help="Write tables as Markdown.")
]
FigureFile = Annotated[
    Path | None, typer.Option("--figure", metavar="FILE", help="Draw: .png, .svg or .pdf.")
]


def run(
    select: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME",
            help="Rows to run: part of a name, or a pattern such as 'gradient-jax-*'; may be "
            "repeated.",
        ),
    ] = None,
    quick: Annotated[
        bool, typer.Option("--quick", help="The kernels alone at a few sizes: a minute.")
    ] = False,
    device: Annotated[str, typer.Option(metavar="NAME", help="cpu or cuda.")] = "cpu",
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="FILE", help="Write pytest-benchmark's JSON."),
    ] = None,
    markdown: MarkdownFile = None,
    figure: FigureFile = None,
    names: Annotated[
        bool, typer.Option("--list", help="Print the names of the rows and stop.")
    ] = False,
) -> None:
    """Time the kernels beside the published method, PyTorch, JAX and C, in one run.

    A row is timed only if its result agrees with the oracle. Rows whose library is missing are
    named as not measured. Exit codes: 0 measured, 1 a result was wrong and refused, 2 wrong usage,
    3 nothing measured, 4 a row broke down.

    Examples: lsm-verify bench run --quick; lsm-verify bench run -o result.json --markdown
    result.md; lsm-verify bench run --select 'gradient-*-B1024-*'
    """
    from lsm_verify.bench import rows as matrix

    outputs = _outputs(output, markdown, figure)
    rows = matrix.rows(quick=quick, device=device, select=select or ())
    if names:
        print_text("".join(f"{row.name}\n" for row in rows))
        raise typer.Exit(0)
    if device == "cuda":
        _check_cuda()
    from lsm_verify.bench import run as running

    whole = not quick and not select and device == "cpu"
    with working("bench run", moving=False) as announce:
        found = running.run(rows, output, quick=quick, first_calls=whole, announce=announce)
    if found.document is not None:
        _write(found.document, markdown, figure)
        _show(found.document)
        for path in outputs:
            progress(f"wrote {path}")
    for peer, why in {n.split("-B")[0]: w for n, w in found.not_measured.items()}.items():
        warn(f"{peer}: not measured: {why}.")
    for name, why in {**found.refused, **found.failed}.items():
        warn(f"{name}: {why}")
    if found.document is None and not found.refused and not found.failed:
        warn("nothing was measured.")
    raise typer.Exit(found.exit_code)


def show(
    result: Annotated[Path, typer.Argument(metavar="RESULT.json", help="Of bench run.")],
    markdown: MarkdownFile = None,
    figure: FigureFile = None,
) -> None:
    """Show a stored result: headlines and growth, as text, Markdown or a figure.

    Example: lsm-verify bench show result.json --markdown result.md --figure result.png
    """
    from lsm_verify.bench import record

    _outputs(None, markdown, figure)
    document = dict(record.read(result).content)
    _write(document, markdown, figure)
    _show(document)
    if document.get("lsm_verify", {}).get("interrupted"):
        warn("the run was interrupted: rows are missing.")


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
    from lsm_verify.bench import show as showing
    from lsm_verify.bench.session import Design

    outputs = [path for path in (output, bencher, json) if path is not None]
    for path in outputs:
        files.check_writable(path)
    if len({path.absolute() for path in outputs}) < len(outputs):
        raise InputError("--output, --bencher and --json name one file twice; give each its own.")
    design = Design(blocks, max(blocks, most_blocks), minimum_effect, significance, seed)
    with working("bench compare", moving=False) as announce:
        found = comparing.compare(base, run=_command(command), design=design, announce=announce)
    contents = {output: found.measured, bencher: found.metrics, json: found.to_json()}
    for target, content in contents.items():
        if target is not None and (found.measured or target == json):
            record.write(target, content)
            progress(f"wrote {target}")
    _print(lambda page: showing.show(found, page))
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
        progress(f"kept {keeping.append(folder, result)}")
    records = keeping.load(folder)
    if figure is not None:
        keeping.draw(records, figure)
        progress(f"wrote {figure}")
    table = keeping.markdown(records)
    if markdown is not None:
        files.write_text(markdown, table)
        progress(f"wrote {markdown}")
    else:
        print_text(table + "\n")


app = usage.group(
    "Time the kernels and their peers.",
    "lsm-verify bench run --quick",
    "lsm-verify bench compare main",
)
for function in (run, show, compare, history):
    usage.command(app, function)


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


def _outputs(output: Path | None, markdown: Path | None, figure: Path | None) -> list[Path]:
    """Refuse before any work what could not be written after it."""
    from lsm_verify import files
    from lsm_verify.bench.render import FORMATS

    given = [path for path in (output, markdown, figure) if path is not None]
    for path in given:
        files.check_writable(path)
    if len({path.absolute() for path in given}) < len(given):
        raise InputError("--output, --markdown and --figure name one file twice; give several.")
    if figure is not None and figure.suffix not in FORMATS:
        raise InputError(f"--figure {figure} must end in one of {', '.join(FORMATS)}.")
    return given


def _check_cuda() -> None:
    from lsm_verify.bench.devices import cuda_name

    if cuda_name() is None:
        raise InputError("device='cuda' is not there: torch finds no CUDA GPU; use cpu.")


def _write(document: dict[str, object], markdown: Path | None, figure: Path | None) -> None:
    from lsm_verify import files
    from lsm_verify.bench import render

    if markdown is not None:
        files.write_text(markdown, render.markdown(document))
    if figure is not None:
        render.draw(document, figure)


def _show(document: dict[str, object]) -> None:
    from rich.table import Table

    from lsm_verify.bench.growth import growths
    from lsm_verify.bench.headlines import headlines
    from lsm_verify.bench.read import entries, per_column

    def page(console: Console) -> None:
        rows = Table(title="time per column", title_justify="left")
        for head in ("row", "µs", "error"):
            rows.add_column(head, justify="left" if head == "row" else "right")
        for entry in entries(document):
            info = entry["extra_info"]
            wrong = [v for k, v in info.items() if k.endswith("_error") and v is not None]
            error = f"{max(wrong):.1e}" if wrong else ""
            rows.add_row(entry["name"], f"{per_column(entry) * 1e6:.4g}", error)
        console.print(rows)
        ratios = Table(title="times as long as ours, per column", title_justify="left")
        for head in ("what", "against", "ratio"):
            ratios.add_column(head, justify="right" if head == "ratio" else "left")
        for line in headlines(document):
            ratios.add_row(line.what, line.other, f"{line.ratio:,.3g}")
        console.print(ratios)
        for g in growths(document):
            console.print(
                f"{g.mode} grows as {g.size}^{g.fit.exponent:.3f} ± {g.fit.error:.3f} "
                f"(bound {g.fit.upper:.3f}): {g.verdict}"
            )

    _print(page)


def _print(page: Callable[[Console], None]) -> None:
    from rich.console import Console

    print_text(page_of(page, Console(highlight=False)))
