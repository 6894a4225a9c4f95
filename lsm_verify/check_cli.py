"""``lsm-verify check``: the main job."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lsm_verify import usage
from lsm_verify.errors import InputError, unknown
from lsm_verify.options import DataFolder, Json, load, names
from lsm_verify.outputs import REPORT, Folder, HtmlFile, JunitFile, LatexFile, MarkdownFile, Outputs
from lsm_verify.terminal import print_text, rendered, warn, working

if TYPE_CHECKING:
    from lsm_verify.cases import Case
    from lsm_verify.verify.problem import Problem


def check(
    case: Annotated[
        str | None,
        typer.Argument(
            metavar="CASE|MODULE:ATTR",
            help="twin, twin-one-depth, phoenix, layered; or your own: package.module:attr.",
            autocompletion=usage.cases,
        ),
    ] = None,
    routes: Annotated[
        str | None,
        typer.Option(
            metavar="A,B,…",
            autocompletion=usage.routes,
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
    junit: JunitFile = None,
    html: HtmlFile = None,
    markdown: MarkdownFile = None,
    latex: LatexFile = None,
    output: Folder = None,
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

    With files to write: those that cannot be written are refused before the work; if writing fails
    after it, the verdict is printed and the exit code is 2, never that of a pass.

    Examples: lsm-verify check twin; lsm-verify check twin -o report; lsm-verify check phoenix
    --data DIR --json result.json; lsm-verify check mymodel.misfit:problem --junit gradient.xml
    --markdown summary.md; lsm-verify check --replay result.json
    """
    from rich.console import Console

    from lsm_verify import config
    from lsm_verify.verify import replay as replay_
    from lsm_verify.verify import verify
    from lsm_verify.verify.problem import Problem
    from lsm_verify.verify.run import JACOBI_TOLERANCE

    settings = config.read(Path.cwd())
    given = {"json": json, "junit": junit, "html": html, "markdown": markdown, "latex": latex}
    outputs = Outputs.of(
        settings.get("output", output), **{form: settings.get(form, p) for form, p in given.items()}
    )
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
    with working(f"check {target.name}") as announce:
        report = verify(target, **options, announce=announce, warn=warn)
    if report.replay.get("kind") == "problem":
        report = replace(report, replay={"kind": "problem", "target": name})
    again = replay_.command(
        name,
        target,
        report.options,
        saved=outputs.saved or replay,
        data=data,
        interpolate_gaps=gaps,
        configured=settings.values,
    )
    report = replace(report, command=again)
    # The verdict first: what cannot be written after all this work (exit code 2) does not lose it.
    terminal = Console(highlight=False)
    print_text(rendered(report, terminal, verbose=bool(settings.get("verbose", verbose))))
    if asked is not None and asked.before:
        print_text(replay_.compare(asked.before, report) + "\n")
    outputs.write(report)
    if outputs.folder is not None:
        print_text(f"report: {outputs.folder / REPORT}\n")
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
