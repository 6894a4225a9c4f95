"""``lsm-verify map``: every column of a file calibrated."""

from __future__ import annotations

import json as json_format
from pathlib import Path
from typing import Annotated, Any

import typer

from lsm_verify import options, usage
from lsm_verify.options import Json
from lsm_verify.terminal import columns_bar, page_of, print_text, progress, warn


def map(
    source: Annotated[Path, typer.Argument(metavar="IN", help="netCDF-4 file or Zarr store.")],
    target: Annotated[
        Path, typer.Argument(metavar="OUT", help="Zarr store to write; must not exist.")
    ],
    unknowns: Annotated[
        str, typer.Option(metavar="A,B,…", help="Parameters to estimate in every column.")
    ],
    observation_error: Annotated[
        list[str],
        typer.Option(
            metavar="[KIND[@DEPTH]=]SD",
            help="Standard deviation of the observations, in their unit, of all or of some "
            "(longwave_up=5, soil_temperature@0.05=0.1); may be repeated.",
        ),
    ],
    fix: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME=VALUE", help="A known parameter, the same everywhere; may be repeated."
        ),
    ] = None,
    start: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME=VALUE",
            help="Where to start: a number or a variable of IN; may be "
            "repeated (default: the middle of the range).",
        ),
    ] = None,
    bound: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME=LOW,HIGH",
            help="Bounds, numbers or variables (default: what is physical); may be repeated.",
        ),
    ] = None,
    prior: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME=MEAN,SD", help="Normal prior, numbers or variables; may be repeated."
        ),
    ] = None,
    ranges: Annotated[
        list[str] | None,
        typer.Option(
            "--range",
            metavar="NAME=LOW,HIGH",
            help="Range in whose middle estimation starts; may be repeated.",
        ),
    ] = None,
    log: Annotated[
        str | None,
        typer.Option(metavar="A,B,…", help="Parameters whose logarithm is estimated."),
    ] = None,
    depth: Annotated[float, typer.Option(metavar="M", help="Depth of the columns.")] = 1.0,
    intervals: Annotated[
        int, typer.Option(metavar="N", help="Equal intervals of the grid down to there.")
    ] = 100,
    insulated: Annotated[
        bool, typer.Option("--insulated", help="No flux through the bottom.")
    ] = False,
    observe: Annotated[
        str | None,
        typer.Option(
            metavar="A,B@DEPTH,…",
            help="Variables that are observed, SoilTemp with its depth if the file has none "
            "(default: all there are).",
        ),
    ] = None,
    period: Annotated[
        str | None,
        typer.Option(metavar="FIRST,LAST", help="Times to read, both kept (default: all)."),
    ] = None,
    mask: Annotated[
        str | None,
        typer.Option(
            metavar="NAME", help="Variable that is 0 or missing where a column is left out."
        ),
    ] = None,
    iterations: Annotated[
        int | None, typer.Option(metavar="N", help="At most so many a column (default 200).")
    ] = None,
    verify: Annotated[
        int,
        typer.Option(metavar="N", help="Columns of every region whose gradient is verified."),
    ] = 1,
    seed: Annotated[int, typer.Option(metavar="N", help="Seed of their choice.")] = 0,
    scheduler: Annotated[
        str,
        typer.Option(
            metavar="NAME|ADDRESS",
            help="threads, processes, or a Dask scheduler, tcp://HOST:PORT.",
            autocompletion=usage.one_of("threads", "processes", "tcp://"),
        ),
    ] = "threads",
    workers: Annotated[
        int | None,
        typer.Option(metavar="N", help="Threads or processes (default: the cores there are)."),
    ] = None,
    memory: Annotated[
        str | None,
        typer.Option(
            metavar="SIZE",
            help="What the columns of a worker may take, 500MB say (default: its share of half of "
            "what is free).",
        ),
    ] = None,
    chunk: Annotated[
        int | None,
        typer.Option(metavar="N", help="Columns of a region at most (default 2500)."),
    ] = None,
    device: Annotated[
        str,
        typer.Option(
            metavar="DEVICE", help="cpu or cuda.", autocompletion=usage.one_of("cpu", "cuda")
        ),
    ] = "cpu",
    resume: Annotated[
        bool,
        typer.Option("--resume", help="Go on with OUT where it is there, to the same result."),
    ] = False,
    json: Json = None,
) -> None:
    """Estimate parameters in every column of a file, and verify the gradient on a sample of them.

    IN holds observations (SoilTemp, AvgSurfT, LWup, Qturb), the forcing (SWdown, LWdown, Tair) and
    known parameters by their public names, over time and any dimensions of columns. OUT gets maps
    of estimates, standard errors, correlations, misfit, status and the verdicts of verification,
    region by region: a run that was killed goes on with --resume, to the same bits.

    Exit codes: 0 done; 1 a gradient is wrong; 2 wrong usage or data, or regions that failed for
    their data; 3 nothing converged or could be verified; 4 internal error; 130 interrupted.

    Examples: lsm-verify map city.nc city.zarr --unknowns albedo,thermal_conductivity --fix
    emissivity=0.95 --observation-error 0.05; lsm-verify map city.zarr out.zarr --unknowns albedo
    --observation-error 0.1 --scheduler tcp://head:8786 --resume
    """
    from lsm_verify import files
    from lsm_verify.maps.workers import PROCESSES, THREADS, check_installed, workers_of

    check_installed("zarr", "dask", "distributed")
    from rich.console import Console

    from lsm_verify.grid import Grid
    from lsm_verify.kernels.levenberg import check_device
    from lsm_verify.maps.job import Settings
    from lsm_verify.maps.outcome import Outcome
    from lsm_verify.maps.run import make_map
    from lsm_verify.report import mapped as report

    if json is not None:
        files.check_writable(json)
    settings = Settings(
        observation_error=lambda series: options.per_series(
            "--observation-error", observation_error, series
        ),
        unknowns=tuple(options.names(unknowns) or ()),
        grid=Grid.uniform(depth, intervals),
        fixed=options.assignments("--fix", fix or []),
        start=options.values("--start", start or []),
        ranges=options.pairs("--range", ranges or [], "LOW,HIGH"),
        bounds=options.two_values("--bound", bound or [], "LOW,HIGH"),
        priors=options.two_values("--prior", prior or [], "MEAN,SD"),
        logarithmic=tuple(options.names(log) or ()),
        insulated=insulated,
        observe=options.observed(options.names(observe) or []),
        mask=mask,
        iterations=iterations,
        verify=verify,
        seed=seed,
        device=device,
    )
    check_device(device)
    # One worker keeps a device busy: its columns run side by side there.
    alone = device == "cuda" and scheduler in (THREADS, PROCESSES) and workers is None
    who = workers_of(scheduler, 1 if alone else workers)
    room = None if memory is None else options.size(memory)

    with columns_bar() as bar:

        def planned(plan: Any) -> None:
            progress(f"{plan}; {who}; writing {target}")
            bar.begin(plan.total)

        def announce(outcome: Outcome) -> None:
            bar.advance(outcome.columns)

        mapped = make_map(
            source, target, settings, who, columns=chunk, memory=room, resume=resume,
            period=options.period(period),
            planned=planned, announce=announce,
        )  # fmt: skip
    if json is not None:
        text = json_format.dumps(report.to_json(mapped), indent=1, allow_nan=False)
        files.write_text(json, text + "\n")
        progress(f"wrote {json}")
    traces = {each.trace: each for each in mapped.failed if each.trace}
    for trace, each in list(traces.items())[: report.TOLD]:
        warn(f"{mapped.plan.name(each.region)}:\n{trace}")
    print_text(page_of(lambda page: report.show(mapped, page), Console(highlight=False)))
    raise typer.Exit(mapped.exit_code)
