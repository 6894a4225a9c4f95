"""``lsm-verify selftest``: planted errors, and whether the checks see them."""

from __future__ import annotations

from typing import Annotated

import typer

from lsm_verify import usage
from lsm_verify.options import Json
from lsm_verify.terminal import page_of, print_text, progress, working


def selftest(
    mutants: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="MUTANT",
            help="Names or beginnings of names (default: all).",
            autocompletion=usage.mutants,
        ),
    ] = None,
    seed: Annotated[int, typer.Option(metavar="N", help="Seed of every random draw.")] = 0,
    limits: Annotated[
        bool, typer.Option(help="Search the smallest error that every check sees.")
    ] = True,
    full: Annotated[
        bool, typer.Option("--full", help="Run every check on every mutant (much longer).")
    ] = False,
    json: Json = None,
    verbose: Annotated[
        bool, typer.Option("--verbose", "-v", help="Show where every error was located.")
    ] = False,
) -> None:
    """Plant known errors in copies of the source and see that each is found, located and named.

    Exit code 0: every error was caught and every equivalent rewriting passed; 1 otherwise.

    Examples: lsm-verify selftest; lsm-verify selftest adjoint --no-limits --json matrix.json
    """
    import json as json_format

    from rich.console import Console

    from lsm_verify import files
    from lsm_verify.mutants.selftest import selftest as run_selftest
    from lsm_verify.report import matrix

    if json is not None:
        files.check_writable(json)
    with working("selftest") as announce:
        found = run_selftest(
            mutants or None, seed=seed, full=full, with_limits=limits, announce=announce
        )
    if json is not None:
        files.write_text(json, json_format.dumps(found.to_json(), indent=1, allow_nan=False) + "\n")
        progress(f"wrote {json}")
    terminal = Console(highlight=False)
    print_text(page_of(lambda page: matrix.show(found, page, verbose=verbose), terminal))
    raise typer.Exit(found.exit_code)
