"""``lsm-verify simulate``: the model run forward."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from lsm_verify import usage
from lsm_verify.options import CaseName, DataFolder, Gaps, assignments, load
from lsm_verify.terminal import warn

JacobiTolerance = Annotated[
    float,
    typer.Option("--jacobi-tol", metavar="K", help="Where the published method stops iterating."),
]


def simulate(
    case: CaseName,
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="FILE.nc", help="netCDF file to write.")
    ],
    at: Annotated[
        str,
        typer.Option(
            metavar="POINT",
            help="Parameters to use: start, truth or published.",
            autocompletion=usage.one_of("start", "truth", "published"),
        ),
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
            autocompletion=usage.one_of("fused", "direct", "published"),
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
