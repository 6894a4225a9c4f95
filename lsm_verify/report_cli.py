"""``lsm-verify report``: a stored result as tables, a page, or files for CI and papers."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lsm_verify.errors import InputError
from lsm_verify.options import Json
from lsm_verify.outputs import REPORT, Folder, HtmlFile, JunitFile, LatexFile, MarkdownFile, Outputs
from lsm_verify.report.companions import KINDS, require
from lsm_verify.terminal import print_text, rendered

if TYPE_CHECKING:
    from lsm_verify.verify.result import Report


def report(
    result: Annotated[
        Path, typer.Argument(metavar="RESULT.json", help="A result, written by check --json.")
    ],
    more: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="MORE.json",
            help="Shown beside it in the page: files of selftest --json, bench run -o, reproduce, "
            "calibrate --json.",
        ),
    ] = None,
    html: HtmlFile = None,
    junit: JunitFile = None,
    markdown: MarkdownFile = None,
    latex: LatexFile = None,
    json: Json = None,
    output: Folder = None,
    exit_code: Annotated[
        bool, typer.Option("--exit-code", help="Exit as check did, by the verdict.")
    ] = False,
    verbose: Annotated[
        bool, typer.Option("--verbose", "-v", help="Show every point and every check.")
    ] = False,
) -> None:
    """Render a stored result again, as check does; nothing is computed.

    Without a file to write, the tables of check are printed. Exit codes: 0 rendered, whatever the
    verdict; with --exit-code that of the run; 2 wrong usage or file.

    Examples: lsm-verify report result.json; lsm-verify report result.json --html report.html;
    lsm-verify report result.json selftest.json claims.json -o report --exit-code
    """
    from rich.console import Console

    outputs = Outputs.of(output, html=html, junit=junit, markdown=markdown, latex=latex, json=json)
    found, beside = read(result, more or [])
    if beside and not (output or html):
        raise InputError(
            f"{', '.join(map(str, more or []))}: shown in the page alone; give --html FILE or "
            "-o DIR."
        )
    outputs = Outputs(outputs.single, output, beside)
    outputs.check()
    if outputs:
        outputs.write(found)
    if output is not None:
        print_text(f"report: {output / REPORT}\n")
    if not outputs:
        print_text(rendered(found, Console(highlight=False), verbose=verbose))
    raise typer.Exit(found.exit_code if exit_code else 0)


def read(result: Path, more: list[Path]) -> tuple[Report, dict[str, Any]]:
    """Read a result and what is shown beside it.

    Raises
    ------
    InputError
        If a file cannot be read, is of an unknown kind or damaged, or two are of one kind.
    """
    from lsm_verify.verify import stored

    held: dict[str, tuple[Path, dict[str, Any]]] = {}
    for path in (result, *more):
        content = stored.load(path)
        kind = kind_of(content)
        if kind is None:
            written = ", ".join(KINDS.values())
            raise InputError(f"{path} is no result that is known here; give a file of {written}.")
        if kind in held:
            raise InputError(f"{held[kind][0]} and {path} are both of {KINDS[kind]}; give one.")
        held[kind] = (path, content)
    if "result" not in held:
        raise InputError(
            f"{result} is of {KINDS[next(iter(held))]}; a result of check --json is wanted beside "
            "it."
        )
    path, content = held.pop("result")
    for kind, (place, each) in held.items():
        require(kind, each, str(place))
    beside = {kind: each for kind, (_, each) in held.items()}
    if "selftest" in beside:  # tools/make_selftest.py stores it with more
        beside["selftest"] = beside["selftest"].get("selftest", beside["selftest"])
    return stored.report(content, str(path)), beside


def kind_of(content: dict[str, Any]) -> str | None:
    """Tell what a file holds from its keys."""
    form = str(content.get("format", ""))
    if form.startswith("lsm-verify reproduction "):
        return "claims"
    if form.startswith("lsm-verify calibration "):
        return "calibration"
    if len({"checks", "points", "options", "verdict"} & content.keys()) >= 2:
        return "result"
    if {"mutants", "neighbours"} <= content.keys() or "selftest" in content:
        return "selftest"
    if {"benchmarks", "machine_info"} <= content.keys():
        return "benchmarks"
    return None
