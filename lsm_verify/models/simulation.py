"""Run a model forward: from a case and parameters to a labelled dataset."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from lsm_verify.cases import Case
from lsm_verify.errors import InputError, unknown
from lsm_verify.files import check_regular, replacing
from lsm_verify.inputs import Inputs
from lsm_verify.parameters import Parameters, split_batch
from lsm_verify.quantities import OUTPUTS
from lsm_verify.version import __version__

if TYPE_CHECKING:
    import xarray

MODELS = {
    "fused": "fused kernels, a batch of columns at a time",
    "direct": "the coupled system, eliminated from the surface down",
    "published": "the paper's convolution stencil and Jacobi iteration",
}


DTYPES = ("float64", "float32")

CONVENTIONS = "CF-1.11"
"""Of the files; `tests/models/test_cf.py` runs a checker of it."""

UNDATED = "2000-01-01T00:00:00"
"""CF wants a date that time counts from; a made-up case has none and says so in a comment."""


def simulate(
    case: Case,
    parameters: Parameters | None = None,
    *,
    model: str | None = None,
    device: str = "cpu",
    dtype: str = "float64",
    jacobi_tolerance: float = 1e-4,
) -> xarray.Dataset:
    """Run a model forward.

    Parameters
    ----------
    case : Case
        Grid, forcing and the parameters that are not given.
    parameters : mapping, optional
        Public names to values; default: the case's start. Two-dimensional values (columns, 1) or
        (columns, n) make a batch of columns.
    model : str, optional
        ``fused``, ``direct`` or ``published``. Default: ``fused`` where the device has its kernels,
        else ``direct``.
    device : str
        Torch device, ``cpu`` or ``cuda``.
    dtype : str
        ``float64`` or ``float32``; the latter keeps about 1e-3 K.
    jacobi_tolerance : float
        Where the published model stops iterating [K].

    Returns
    -------
    xarray.Dataset
        ALMA names with CF attributes. Temperatures and emitted longwave at every state; fluxes
        that need forcing at the end of every step, not-a-number at the initial state, where no
        step ends. A batch adds the leading dimension ``column``.

    Raises
    ------
    InputError
        If a name or value is wrong, or the device is not there.
    NoSolutionError
        If a surface balance has no positive root.
    """
    from lsm_verify.models import published

    if model is not None and model not in MODELS:
        raise unknown("model", model, MODELS)
    if dtype not in DTYPES:
        raise unknown("dtype", dtype, DTYPES)
    published.check_tolerance(jacobi_tolerance)
    _check_device(device)
    _check_installed("xarray")
    model = model or _default_model(device)
    columns = split_batch(parameters or {})
    batch = [case.inputs(values, wrt=()) for values in columns or [dict(parameters or {})]]
    T, surface = _run(batch, model, device, dtype, jacobi_tolerance)
    dataset = _dataset(case, T, surface)
    return dataset if columns else dataset.isel(column=0)


def _run(
    batch: list[Inputs], model: str, device: str, dtype: str, tolerance: float
) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    import torch

    from lsm_verify.models import direct, fused, published
    from lsm_verify.models.column import expand, leaves
    from lsm_verify.models.observe import longwave_up, turbulent_flux

    with torch.no_grad():
        columns = expand(leaves(batch, device=device, dtype=getattr(torch, dtype)))
        if model == "published":
            for inputs in batch:
                published.check_applicable(inputs)
            T = published.simulate(columns, tolerance)[0]
        else:
            T = (fused if model == "fused" else direct).simulate(columns)
        up = longwave_up(columns, T)
        turbulent = turbulent_flux(columns, T)
        reflected = columns.albedo * columns.SWdown
        ground = columns.SWdown - reflected + columns.LWdown - up[:, 1:] - turbulent
        steps = {"Qturb": turbulent, "SWup": reflected, "Qg": ground}
        initial = torch.full_like(up[:, :1], torch.nan)
        fluxes = {name: torch.cat([initial, flux], dim=1) for name, flux in steps.items()}
    return T.numpy(force=True), {k: v.numpy(force=True) for k, v in {"LWup": up, **fluxes}.items()}


def _default_model(device: str) -> str:
    from lsm_verify.models.fused.arrays import has_kernels

    return "fused" if has_kernels(device) else "direct"


def _check_installed(library: str) -> None:
    if find_spec(library) is None:
        raise InputError(f"this needs {library}, which is not installed; pip install {library}.")


def _check_device(device: str) -> None:
    import torch

    try:
        chosen = torch.device(device)
    except RuntimeError:
        raise InputError(f"device={device!r} is no torch device; give cpu or cuda.") from None
    if chosen.type not in ("cpu", "cuda"):
        raise InputError(f"device={device!r} is not supported; give cpu or cuda.")
    if chosen.type == "cuda" and not torch.cuda.is_available():
        raise InputError(f"device={device!r} is not there: torch finds no CUDA GPU; use cpu.")
    if chosen.type == "cuda" and (chosen.index or 0) >= torch.cuda.device_count():
        count = torch.cuda.device_count()
        raise InputError(
            f"device={device!r} is not there: torch finds {count} CUDA GPUs; use cuda."
        )


def _dataset(case: Case, T: np.ndarray, surface: dict[str, np.ndarray]) -> xarray.Dataset:
    import xarray

    time: tuple[str, Any, dict[str, str]]
    about = {"standard_name": "time", "axis": "T"}
    elapsed = case.forcing.elapsed
    if case.forcing.start is None:
        undated = f"seconds since {UNDATED}"
        about |= {"long_name": "time since the initial state", "units": undated}
        about |= {"calendar": "proleptic_gregorian", "units_metadata": "leap_seconds: none"}
        about["comment"] = "the case has no date: the reference date stands for the initial state"
        time = ("time", elapsed, about)
    else:
        start = case.forcing.start.astype("datetime64[ns]")
        stamps = start + np.round(elapsed * 1e9).astype("timedelta64[ns]")
        about |= {"long_name": "time (UTC)", "units_metadata": "leap_seconds: none"}
        time = ("time", stamps, about)
    depth = {
        "standard_name": "depth",
        "long_name": "depth below the surface",
        "units": "m",
        "positive": "down",
        "axis": "Z",
    }
    variables = {
        "SoilTemp": (("column", "time", "depth"), T),
        "AvgSurfT": (("column", "time"), T[..., 0]),
    } | {name: (("column", "time"), values) for name, values in surface.items()}
    return xarray.Dataset(
        {name: (dims, values, _attributes(name)) for name, (dims, values) in variables.items()},
        coords={"time": time, "depth": ("depth", case.grid.nodes, depth)},
        attrs={
            "Conventions": CONVENTIONS,
            "title": f"{case.name}: {case.title}",
            "source": "lsm-verify, soil heat diffusion under a nonlinear surface energy balance",
            "references": "arXiv:2505.02979",
            "history": f"made by lsm-verify {__version__}",
        },
    )


def _attributes(name: str) -> dict[str, str]:
    quantity = OUTPUTS[name]
    attributes = {"long_name": quantity.description, "units": quantity.unit}
    attributes["cell_methods"] = "time: point"
    if quantity.is_temperature:
        attributes["units_metadata"] = "temperature: on_scale"
    if quantity.standard_name:
        attributes["standard_name"] = quantity.standard_name
    return attributes


def write_netcdf(dataset: xarray.Dataset, path: Path) -> None:
    """Write a dataset as netCDF-4 under a temporary name, then move it.

    Raises
    ------
    InputError
        If the file cannot be written, or no netCDF library is installed.
    """
    _check_installed("h5netcdf")
    check_regular(path)
    encoding: dict[str, dict[str, Any]] = {
        str(name): {"zlib": True} for name, x in dataset.data_vars.items() if x.dtype.kind in "fi"
    }
    # CF-1.11, 2.5.1: coordinates miss no values, so none may stand for a missing one.
    encoding |= {str(name): {"_FillValue": None} for name in dataset.coords}
    if "time" in dataset and np.issubdtype(dataset["time"].dtype, np.datetime64):
        encoding["time"] |= {
            "units": f"seconds since {np.datetime_as_string(dataset['time'].values[0], 's')}"
        }
    with replacing(path) as temporary:
        dataset.to_netcdf(temporary, engine="h5netcdf", encoding=encoding)
