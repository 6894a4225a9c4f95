"""``lsm-verify doctor``: what the installation has and lacks."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lsm_verify.options import DataFolder, Json
from lsm_verify.terminal import page_of, print_text, progress, working

if TYPE_CHECKING:
    from rich.console import Console

    from lsm_verify.doctor import Diagnosis

STYLES = {"ok": "green", "absent": "yellow", "wrong": "bold red", "open": "yellow"}


def doctor(
    data: DataFolder = None,
    self_check: Annotated[
        bool, typer.Option(help="Run check twin --fast, with its canaries (5 s once compiled).")
    ] = True,
    json: Json = None,
    verbose: Annotated[
        bool, typer.Option("--verbose", "-v", help="Show packages of extras that are there, too.")
    ] = False,
) -> None:
    """Look at the installation: versions, threads, GPU, data, caches, and a short self-check.

    What is optional and absent is said and counts for nothing. Exit codes: 0 all that is needed is
    there and the self-check passed; 1 the self-check found a wrong gradient; 2 something needed is
    missing, broken or out of its bounds; 3 the self-check could not conclude.

    Examples: lsm-verify doctor; lsm-verify doctor --no-self-check --json doctor.json
    """
    import json as json_format

    from rich.console import Console

    from lsm_verify import files
    from lsm_verify.doctor import diagnose

    if json is not None:
        files.check_writable(json)
    if data is not None:
        _check_data(data)
    with working("doctor") as announce:
        found = diagnose(data=data, self_check=self_check, announce=announce)
    terminal = Console(highlight=False)
    print_text(page_of(lambda page: show(found, page, verbose=verbose), terminal))
    if json is not None:
        files.write_text(json, json_format.dumps(found.to_json(), indent=1) + "\n")
        progress(f"wrote {json}")
    raise typer.Exit(found.exit_code)


def _check_data(data: Path) -> None:
    """Refuse a folder that was named and is not there."""
    from lsm_verify.datasets.locate import data_directory

    data_directory(data)


def show(found: Diagnosis, console: Console, *, verbose: bool = False) -> None:
    """Print the findings as a table, and what follows."""
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for name in ("part", "name", "", "found"):
        table.add_column(name, no_wrap=name != "found", overflow="fold")
    for each in found.findings:
        if each.part.startswith("extra ") and each.status == "ok" and not verbose:
            continue
        told = f"{each.found}; {each.remedy}" if each.remedy else each.found
        status = Text(each.status, style=STYLES[each.status])
        table.add_row(each.part, each.name, status, Text(told))
    console.print(table)
    console.print()
    wrong = [each.name for each in found.findings if each.status == "wrong"]
    absent = [each.name for each in found.findings if each.status == "absent"]
    said = {
        0: "all that is needed is there",
        1: "the self-check found a wrong gradient",
        2: f"needed and not right: {', '.join(wrong)}",
        3: "the self-check could not conclude",
    }[found.exit_code]
    text = Text(
        "OK" if found.exit_code == 0 else "NOT OK",
        style=STYLES["wrong" if found.exit_code else "ok"],
    )
    text.append(f"  {said}", style="")
    text.append(f"; optional and absent: {', '.join(absent)}" if absent else "", style="")
    text.append("" if found.verdict else "; no self-check", style="")
    text.append(f"; {found.seconds:.1f} s", style="")
    console.print(text)
