"""The commands of the inverse model: ``lsm-verify calibrate`` and ``reproduce``."""

from __future__ import annotations

import json as json_format
import time
from pathlib import Path
from typing import Annotated

import typer

from lsm_verify import options
from lsm_verify.errors import InputError
from lsm_verify.options import CaseName, DataFolder, Gaps, Json
from lsm_verify.terminal import page_of, print_text, progress, progress_bar, warn, working

INTERRUPTED, NOTHING = 130, 3


def calibrate(
    case: CaseName,
    method: Annotated[
        str, typer.Option(metavar="NAME", help="least-squares, l-bfgs-b or adam (the paper's).")
    ] = "least-squares",
    unknowns: Annotated[
        str | None,
        typer.Option(metavar="A,B,…", help="Parameters to estimate (default: all free ones)."),
    ] = None,
    starts: Annotated[
        str | None,
        typer.Option(
            metavar="N|published",
            help="So many draws from the ranges, or the paper's 50 (default: the case's start).",
        ),
    ] = None,
    seed: Annotated[int, typer.Option(metavar="N", help="Seed of the draws.")] = 0,
    route: Annotated[str, typer.Option(metavar="NAME", help="Route to the gradient.")] = "fused",
    bound: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME=LOW,HIGH", help="Bounds (default: what is physical); may be repeated."
        ),
    ] = None,
    log: Annotated[
        str | None,
        typer.Option(metavar="A,B,…", help="Parameters whose logarithm is estimated."),
    ] = None,
    prior: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME=MEAN,SD", help="Normal prior, in the parameter's unit; may be repeated."
        ),
    ] = None,
    observation_error: Annotated[
        list[str] | None,
        typer.Option(
            metavar="[KIND[@DEPTH]=]SD",
            help="Standard deviation of the observations, in their unit, of all or of some "
            "(longwave_up=5, soil_temperature@0.05=0.1); may be repeated; gives standard errors.",
        ),
    ] = None,
    iterations: Annotated[
        int | None,
        typer.Option(metavar="N", help="At most so many (default 200; Adam 150)."),
    ] = None,
    early_stop: Annotated[
        bool, typer.Option(help="Whether Adam stops by the paper's rule.")
    ] = True,
    checkpoint: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Keep what was computed in a file, to resume from."),
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on from the checkpoint, to the same result.")
    ] = False,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="FILE.nc", help="Write all estimates as netCDF."),
    ] = None,
    json: Json = None,
    figure: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Draw starts against estimates: .png, .svg or .pdf."),
    ] = None,
    data: DataFolder = None,
    interpolate_gaps: Gaps = 0,
) -> None:
    """Estimate a case's parameters from its observations.

    Exit codes: 0 estimated; 2 wrong usage or data; 3 no start has an estimate; 130 interrupted:
    what was reached is shown and written.

    Examples: lsm-verify calibrate twin; lsm-verify calibrate twin --method adam --starts published
    -o adam.nc --figure adam.png; lsm-verify calibrate phoenix --data DIR --checkpoint run.npz
    """
    from rich.console import Console

    from lsm_verify import files
    from lsm_verify.inverse.calibrate import calibrate as run
    from lsm_verify.inverse.priors import Normal
    from lsm_verify.models.simulation import write_netcdf
    from lsm_verify.report import calibration as report
    from lsm_verify.report import scatter
    from lsm_verify.report.figure import check_format

    for path in (output, json, figure):
        if path is not None:
            files.check_writable(path)
    if figure is not None:
        check_format(figure)
    if resume and checkpoint is None:
        raise InputError("--resume needs --checkpoint FILE: the file to go on from.")
    loaded = options.load(case, data, interpolate_gaps)
    given = options.pairs("--prior", prior or [], "MEAN,SD")
    priors = [Normal(name, mean, deviation) for name, (mean, deviation) in given.items()]
    known = bool(observation_error)
    sigma = options.per_series(
        "--observation-error", observation_error or ["1"], loaded.observations.series
    )
    with progress_bar(method) as announce:
        found = run(
            loaded,
            options.names(unknowns),
            method=method,
            route=route,
            starts=_starts(starts),
            seed=seed,
            bounds=options.pairs("--bound", bound or [], "LOW,HIGH"),
            logarithmic=options.names(log) or (),
            priors=priors,
            observation_error=sigma,
            iterations=iterations,
            stop_early=early_stop,
            checkpoint=checkpoint,
            resume=resume,
            announce=announce,
        )
    if json is not None:
        text = json_format.dumps(found.to_json(), indent=1, allow_nan=False)
        files.write_text(json, text + "\n")
        progress(f"wrote {json}")
    if output is not None:
        write_netcdf(found.to_dataset(), output)
        progress(f"wrote {output}")
    if figure is not None:
        scatter.draw({method: found}, figure)
        progress(f"wrote {figure}")
    for note in loaded.notes:
        warn(note)
    print_text(
        page_of(lambda page: report.show(found, page, errors=known), Console(highlight=False))
    )
    if found.interrupted:
        again = f"; go on with --resume --checkpoint {checkpoint}" if checkpoint else ""
        warn(f"interrupted: the estimates are those reached so far{again}.")
        raise typer.Exit(INTERRUPTED)
    raise typer.Exit(0 if found.reached else NOTHING)


def _starts(text: str | None) -> int | str | None:
    if text is None or not text.lstrip("-").isdigit():
        return text
    return int(text)


def reproduce(
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="DIR", help="Folder to write to; made.")
    ] = Path("reproduction"),
    quick: Annotated[
        bool,
        typer.Option("--quick", help="Leave out the long runs of Adam (minutes)."),
    ] = False,
    data: DataFolder = None,
) -> None:
    """Run the paper's experiments anew and judge its claims.

    Writes claims.md, claims.json and the figures. What needs the Phoenix data is left out, and said
    to be, where they are not at hand.

    Example: lsm-verify reproduce -o reproduction --data DIR
    """
    from rich.console import Console

    from lsm_verify import files
    from lsm_verify.inverse.reproduce import reproduce as run
    from lsm_verify.report import reproduction as report

    try:
        output.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(
            f"cannot make {output}: {error.strerror}; choose another folder."
        ) from None
    files.check_writable(output / "claims.md")
    began = time.monotonic()
    with working("reproduce") as announce:
        found = run(data=data, quick=quick, tell=announce)
    about = {
        "command": "lsm-verify reproduce" + (" --quick" if quick else ""),
        "seconds": time.monotonic() - began,
        "notes": list(found.notes),
        "sources": found.sources,
        "figures": report.draw(found, output),
    }
    text = json_format.dumps(report.to_json(found.claims, about), indent=1, allow_nan=False)
    files.write_text(output / "claims.json", text + "\n")
    files.write_text(output / "claims.md", report.markdown(found.claims, about))
    print_text(page_of(lambda page: report.show(found.claims, page), Console(highlight=False)))
    typer.echo(f"wrote {output / 'claims.md'}")
