"""The command line: ``lsm-verify check twin`` and its companions.

Exit codes: 0 passed; 1 a gradient or property is wrong; 2 wrong usage, configuration or data;
3 nothing could be concluded; 4 internal error; 130 interrupted.
"""

from __future__ import annotations

import gc
import io
import sys
import traceback
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lsm_verify import __version__, bench_cli, inverse_cli
from lsm_verify.errors import InputError, NoSolutionError, unknown
from lsm_verify.options import CaseName, DataFolder, Gaps, Json, assignments, load, names
from lsm_verify.terminal import Outputs, page_of, print_text, progress, rendered, warn

if TYPE_CHECKING:
    from lsm_verify.cases import Case
    from lsm_verify.verify.problem import Problem

USAGE, INTERNAL, INTERRUPTED = 2, 4, 130

SELDOM = 100
"""Third threshold of the garbage collector, by default 10: torch and numba load 280,000 objects
that stay, and going through all of them four times took 0.3 s of a fast check."""

app = typer.Typer(
    name="lsm-verify",
    help="A differentiable land-surface model, and the proof that its gradient is right.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Exit codes: 0 passed, 1 wrong gradient, 2 wrong usage or data, 3 inconclusive, "
    "4 internal error, 130 interrupted.",
)
data_app = typer.Typer(no_args_is_help=True, help="Fetch the data of the phoenix case.")
app.add_typer(data_app, name="data")
app.add_typer(bench_cli.app, name="bench")
app.command()(inverse_cli.calibrate)
app.command()(inverse_cli.reproduce)

JacobiTolerance = Annotated[
    float,
    typer.Option("--jacobi-tol", metavar="K", help="Where the published method stops iterating."),
]


def _version(value: bool) -> None:
    if value:
        typer.echo(f"lsm-verify {__version__}")
        raise typer.Exit


@app.callback()
def root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    """Take the options that come before a command."""


@app.command()
def check(
    case: Annotated[
        str | None,
        typer.Argument(
            metavar="CASE|MODULE:ATTR",
            help="twin, twin-one-depth, phoenix, layered; or your own: package.module:attr.",
        ),
    ] = None,
    routes: Annotated[
        str | None,
        typer.Option(
            metavar="A,B,…",
            help="Routes to the gradient (default: all but autograd-published): adjoint, tangent, "
            "autograd, fused, complex-step, finite-difference, multiprecision, "
            "autograd-published.",
        ),
    ] = None,
    points: Annotated[
        int | None,
        typer.Option(metavar="N", help="Random points to add (default 2, with --fast none)."),
    ] = None,
    seed: Annotated[
        int | None, typer.Option(metavar="N", help="Seed of every random draw (default 0).")
    ] = None,
    strict: Annotated[
        bool | None,
        typer.Option("--strict/--no-strict", help="Exit 3 if any check is inconclusive."),
    ] = None,
    fast: Annotated[
        bool | None,
        typer.Option(
            "--fast/--no-fast",
            help="The gate alone, at the start: a few seconds. Leaves out kinks (a gradient at a "
            "kink may pass), Taylor remainder, Hessian; of a case also determinism, float32, batch "
            "and orders of convergence.",
        ),
    ] = None,
    tolerance: Annotated[
        float | None,
        typer.Option(
            metavar="T",
            help="Error in units of ‖g∘s‖ up to which differences pass a gradient (default 1e-8 "
            "for a case, 1e-6 for your own).",
        ),
    ] = None,
    jacobi_tol: Annotated[
        float | None,
        typer.Option(
            "--jacobi-tol",
            metavar="K",
            help="Where the published method stops iterating (default 1e-4).",
        ),
    ] = None,
    data: DataFolder = None,
    interpolate_gaps: Annotated[
        int | None,
        typer.Option(metavar="N", help="Fill gaps of up to N half-hours in tower forcing."),
    ] = None,
    json: Json = None,
    junit: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write the result as JUnit XML.")
    ] = None,
    replay: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Ask again what a JSON result or counterexample holds."),
    ] = None,
    verbose: Annotated[
        bool | None,
        typer.Option("--verbose/--no-verbose", "-v", help="Show every point and every check."),
    ] = None,
) -> None:
    """Prove the gradient of a case, or of your own model, by independent evidence.

    Defaults may stand in pyproject.toml, table tool.lsm-verify; the command line beats them.

    Examples: lsm-verify check twin; lsm-verify check phoenix --data DIR --json result.json;
    lsm-verify check mymodel.misfit:problem --junit gradient.xml;
    lsm-verify check --replay result.json
    """
    from rich.console import Console

    from lsm_verify import config
    from lsm_verify.verify import replay as replay_
    from lsm_verify.verify import verify
    from lsm_verify.verify.problem import Problem
    from lsm_verify.verify.run import JACOBI_TOLERANCE

    settings = config.read(Path.cwd())
    outputs = Outputs(settings.get("json", json), settings.get("junit", junit))
    outputs.check()
    asked = None
    if replay is not None:
        _refuse_beside_replay(
            case, routes, points, seed, strict, fast, tolerance, jacobi_tol, data, interpolate_gaps
        )
        asked = replay_.read(replay)
    name = asked.target if asked else settings.get("target", case)
    if name and ":" in name:
        _refuse_data(name, data, interpolate_gaps)
    else:
        data = settings.get("data", data)
        interpolate_gaps = settings.get("interpolate-gaps", interpolate_gaps)
    gaps = interpolate_gaps or 0
    held = asked.case if asked else None
    target = _target(name, data, gaps) if held is None else held
    if isinstance(target, Problem):
        settings = settings.of_a_problem()
    options: dict[str, Any] = {
        "routes": settings.get("routes", names(routes)),
        "points": settings.get("points", points),
        "seed": settings.get("seed", seed) or 0,
        "strict": bool(settings.get("strict", strict)),
        "fast": bool(settings.get("fast", fast)),
        "tolerance": settings.get("tolerance", tolerance),
        "jacobi_tolerance": _or(settings.get("jacobi-tol", jacobi_tol), JACOBI_TOLERANCE),
    }
    if case is not None and settings.get("target") not in (None, case) and routes is None:
        options["routes"] = None  # the file's routes are those of its own target
    if asked is not None:
        options |= asked.options
    report = verify(target, **options, announce=progress, warn=warn)
    if report.replay.get("kind") == "problem":
        report = replace(report, replay={"kind": "problem", "target": name})
    again = replay_.command(
        name,
        target,
        report.options,
        saved=outputs.json or replay,
        data=data,
        interpolate_gaps=gaps,
        configured=settings.values,
    )
    report = replace(report, command=again)
    outputs.write(report)
    terminal = Console(highlight=False)
    print_text(rendered(report, terminal, verbose=bool(settings.get("verbose", verbose))))
    if asked is not None and asked.before:
        print_text(replay_.compare(asked.before, report) + "\n")
    raise typer.Exit(report.exit_code)


def _refuse_beside_replay(case: str | None, *options: object) -> None:
    """Refuse options that would make another question of the one in the file."""
    if case is not None:
        raise InputError(f"--replay and {case} are both given; a result names its own case.")
    if any(option is not None for option in options):
        raise InputError(
            "--replay takes case and options from its file; leave the other options out, or run "
            "check anew."
        )


def _refuse_data(name: str, data: Path | None, interpolate_gaps: int | None) -> None:
    """Refuse what only the cases that come with the package read."""
    for option, value in (("--data", data), ("--interpolate-gaps", interpolate_gaps)):
        if value:
            raise InputError(f"{option} {value}: {name} brings its own data; leave it out.")


@app.command()
def selftest(
    mutants: Annotated[
        list[str] | None,
        typer.Argument(metavar="[MUTANT]…", help="Names or beginnings of names (default: all)."),
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
    found = run_selftest(
        mutants or None, seed=seed, full=full, with_limits=limits, announce=progress
    )
    if json is not None:
        files.write_text(json, json_format.dumps(found.to_json(), indent=1, allow_nan=False) + "\n")
        progress(f"wrote {json}")
    terminal = Console(highlight=False)
    print_text(page_of(lambda page: matrix.show(found, page, verbose=verbose), terminal))
    raise typer.Exit(found.exit_code)


@app.command()
def simulate(
    case: CaseName,
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="FILE.nc", help="netCDF file to write.")
    ],
    at: Annotated[
        str, typer.Option(metavar="POINT", help="Parameters to use: start, truth or published.")
    ] = "start",
    assign: Annotated[
        list[str] | None,
        typer.Option(
            "--set", metavar="NAME=VALUE", help="Give a parameter a value; may be repeated."
        ),
    ] = None,
    model: Annotated[
        str | None,
        typer.Option(
            metavar="MODEL",
            help="fused, direct or published; default: fused where the device has its kernels.",
        ),
    ] = None,
    device: Annotated[str, typer.Option(metavar="DEVICE", help="cpu or cuda.")] = "cpu",
    jacobi_tol: JacobiTolerance = 1e-4,
    data: DataFolder = None,
    interpolate_gaps: Gaps = 0,
) -> None:
    """Run the model forward and write its output with ALMA names and CF attributes.

    Example: lsm-verify simulate twin --at truth --set albedo=0.3 -o out.nc
    """
    from lsm_verify import files
    from lsm_verify.models import simulation
    from lsm_verify.parameters import overlay

    files.check_writable(output)
    loaded = load(case, data, interpolate_gaps)
    values = overlay(loaded.point(at), assignments("--set", assign or []))
    dataset = simulation.simulate(
        loaded, values, model=model, device=device, jacobi_tolerance=jacobi_tol
    )
    simulation.write_netcdf(dataset, output)
    for note in loaded.notes:
        warn(note)
    typer.echo(f"wrote {output}: {dict(dataset.sizes)}")


@data_app.command()
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
    """
    from lsm_verify.datasets import fetch as download

    got = download.fetch(
        soil_file=soil_file, soil=not no_soil, cache=cache, progress=sys.stderr.isatty()
    )
    for path in (got.tower, got.soil):
        if path is not None:
            typer.echo(f"{'wrote' if path in got.written else 'already there:'} {path}")


def _or(value: float | None, default: float) -> float:
    return default if value is None else value


def _target(name: str | None, data: Path | None, interpolate_gaps: int) -> Case | Problem:
    """Load what is to be verified: a case by its name, or what package.module:attr holds."""
    from lsm_verify import config
    from lsm_verify.cases import CASES

    if name is None:
        raise InputError(
            "nothing to check; name a case (twin), your own model (package.module:attr), or set "
            "target in [tool.lsm-verify] of pyproject.toml."
        )
    if ":" in name:
        return config.load_target(name)
    if name not in CASES:
        raise InputError(
            f"{unknown('case', name, CASES)} Your own model is named as package.module:attr, "
            "model.misfit:problem, say."
        )
    return load(name, data, interpolate_gaps)


def main() -> None:
    """Run the command line; every error becomes a message and an exit code."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a stream that lacks ∂ or ‖ shows a question mark
            stream.reconfigure(errors="replace")
    gc.set_threshold(*gc.get_threshold()[:2], SELDOM)
    code = run()
    gc.freeze()  # what is left goes with the process: looking for garbage in it took 0.7 s
    sys.exit(code)


def run(arguments: list[str] | None = None) -> int:
    """Run one command and return its exit code."""
    try:
        result = app(args=arguments, prog_name="lsm-verify", standalone_mode=False)
        if result == INTERRUPTED:
            return _fail("interrupted.", INTERRUPTED)
        return result if isinstance(result, int) else 0
    except (InputError, NoSolutionError) as error:
        return _fail(str(error), USAGE)
    except (KeyboardInterrupt, typer.Abort) as stop:
        return _fail(str(stop) or "interrupted.", INTERRUPTED)
    except Exception as error:
        if hasattr(error, "format_message"):  # usage errors of the option parser
            message = error.format_message()
            return _fail(f"{message} See lsm-verify --help.", USAGE) if message else USAGE
        traceback.print_exc()
        return _fail("internal error, please report it with the lines above.", INTERNAL)


def _fail(message: str, code: int) -> int:
    typer.echo(f"lsm-verify: {' '.join(message.split())}", err=True)
    return code
