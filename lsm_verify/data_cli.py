"""The commands below ``lsm-verify data``."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from lsm_verify import usage


def fetch(
    soil_file: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Soil temperature CSV at hand, original or digitised."),
    ] = None,
    no_soil: Annotated[
        bool, typer.Option("--no-soil", help="Fetch the tower's forcing alone.")
    ] = False,
    cache: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Where to keep the files (default: the user's cache)."),
    ] = None,
) -> None:
    """Download the phoenix case's files and verify their checksums.

    The tower file comes from Zenodo (doi 10.5281/zenodo.5517550); the soil temperatures from EDI,
    whose free key is read from EDI_API_KEY, or from --soil-file.

    Examples: lsm-verify data fetch --no-soil; lsm-verify data fetch --soil-file 591_fluxtower.csv
    """
    from lsm_verify.datasets import fetch as download

    got = download.fetch(
        soil_file=soil_file, soil=not no_soil, cache=cache, progress=sys.stderr.isatty()
    )
    for path in (got.tower, got.soil):
        if path is not None:
            typer.echo(f"{'wrote' if path in got.written else 'already there:'} {path}")


app = usage.group("Fetch the data of the phoenix case.", "lsm-verify data fetch --no-soil")
usage.command(app, fetch)


@app.callback()
def root() -> None:
    """Keep ``fetch`` a command of its own although it is the only one."""
