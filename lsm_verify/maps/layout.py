"""What of a dataset is what: dimensions of the columns, forcing, parameters, observed series."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from lsm_verify.errors import InputError, unknown
from lsm_verify.quantities import FORCING, OBSERVABLES, OUTPUTS, PARAMETERS

if TYPE_CHECKING:
    import xarray

Array = NDArray[np.float64]

TIME, DEPTH = "time", "depth"

OBSERVED = {
    "SoilTemp": "soil_temperature",
    "AvgSurfT": "soil_temperature",
    "LWup": "longwave_up",
    "Qturb": "turbulent_flux",
}
"""Variables that are observations, by their ALMA names, and the kind of series that each is."""

ALONG = {TIME: "steps", "node": "nodes", "interface": "interfaces"}
"""Dimensions that a parameter may have beside those of the columns, and the form they make."""

KELVIN = ("K", "kelvin", "Kelvin", "degK", "degree_Kelvin")
METRE = ("m", "metre", "metres", "meter", "meters")
FLUX = ("W m-2", "W/m2", "W m^-2", "W m**-2", "W/m^2", "W/m**2", "watt m-2", "W.m-2")


@dataclass(frozen=True)
class Observed:
    """A series of every column: variable, index along depth if it has one, kind and depth [m]."""

    variable: str
    index: int | None
    kind: str
    depth: float


@dataclass(frozen=True)
class Layout:
    """What of a dataset is read.

    Attributes
    ----------
    space : tuple of str
        Dimensions of the columns.
    shape : tuple of int
        Their lengths.
    parameters : tuple of str
        Variables that are parameters or forcing.
    observed : tuple of Observed
        Series, in the order of variables and depths.
    time_step : (steps,) array
        Lengths of the steps [s].
    """

    space: tuple[str, ...]
    shape: tuple[int, ...]
    parameters: tuple[str, ...]
    observed: tuple[Observed, ...]
    time_step: Array

    @property
    def columns(self) -> int:
        """How many there are."""
        return int(np.prod(self.shape))

    def place(self, number: int) -> str:
        """Return in words where a column lies: its indices along the dimensions of the columns."""
        where = np.unravel_index(number, self.shape)
        return ", ".join(f"{d} {int(i)}" for d, i in zip(self.space, where, strict=True))


def layout_of(
    dataset: xarray.Dataset,
    unread: Sequence[str] = (),
    observe: Mapping[str, float | None] | None = None,
) -> Layout:
    """Find out what of a dataset is what; no values are looked at but coordinates.

    Parameters
    ----------
    dataset : xarray.Dataset
        Observations under the names of `OBSERVED`, (time, …) or (time, depth, …); forcing and
        parameters under their public names, (…), (time, …), (node, …) or (interface, …). What
        varies in time belongs to the step that ends at the time given.
    unread : sequence of str
        Variables that are parameters by their name and not to be read as such.
    observe : mapping, optional
        Variables that are observations, and the depth [m] of one that has none in the dataset.
        Default: all that are named in `OBSERVED`.

    Raises
    ------
    InputError
        If nothing is observed, there is no dimension of columns, the time has no coordinate or does
        not increase, a variable has a dimension too many, or units that are not those wanted.
    """
    given = {str(name): dataset[name] for name in dataset.data_vars}
    for name in observe or ():
        if name not in OBSERVED:
            raise unknown("variable to observe", name, OBSERVED)
        if name not in given:
            raise unknown("variable of the dataset", name, given)
    observed = [name for name in OBSERVED if name in given and (not observe or name in observe)]
    if not observed:
        raise InputError(
            f"the dataset holds no observations; name variables {', '.join(OBSERVED)} (it has "
            f"{', '.join(given) or 'none'})."
        )
    parameters = tuple(n for n in PARAMETERS if n in given and n not in unread)
    inner = {TIME, DEPTH, *ALONG}
    found = [d for name in (*observed, *parameters) for d in given[name].dims if d not in inner]
    space = tuple(str(d) for d in dict.fromkeys(found))
    if not space:
        raise InputError(
            f"the dataset has no dimension of columns beside {', '.join(sorted(inner))}; give one "
            "(y and x, or site): dataset.expand_dims('site'), say."
        )
    for name in (*observed, *parameters):
        _check_dimensions(given[name], name, space)
        _check_unit(given[name], name, (OUTPUTS.get(name) or PARAMETERS[name]).unit)
    depths = observe or {}
    series = [s for name in observed for s in _series(given[name], name, depths.get(name))]
    shape = tuple(int(dataset.sizes[d]) for d in space)
    if not all(shape):
        raise InputError(f"the dataset has no columns: {dict(zip(space, shape, strict=True))}.")
    return Layout(space, shape, parameters, tuple(series), time_steps(dataset))


def time_steps(dataset: xarray.Dataset) -> Array:
    """Return the lengths of the steps [s] between a dataset's times."""
    if TIME not in dataset.coords or dataset[TIME].ndim != 1 or dataset[TIME].size < 2:
        raise InputError(
            "time has no coordinate of at least two stamps; give one, in units such as 'seconds "
            "since 2012-01-01'."
        )
    stamps = _stamps(dataset[TIME])
    if stamps.dtype.kind != "M" or np.isnat(stamps).any():
        raise InputError(
            f"time is of type {stamps.dtype}; stamps are wanted, without gaps, in units such as "
            "'seconds since 2012-01-01' and a calendar of real dates."
        )
    steps = np.diff(stamps.astype("datetime64[ns]")).astype(np.int64) / 1e9
    if np.any(steps <= 0):
        n = int(np.argmax(steps <= 0)) + 1
        raise InputError(
            f"time[{n}]={stamps[n]} must be later than time[{n - 1}]={stamps[n - 1]}; sort the "
            "dataset by time and remove repeated stamps."
        )
    return np.asarray(steps)


# ------------------------------------------------------------------ inside


def _check_dimensions(variable: xarray.DataArray, name: str, space: Sequence[str]) -> None:
    inner = [str(d) for d in variable.dims if d not in space]
    if name in OBSERVED:
        wanted = [TIME, DEPTH] if name == "SoilTemp" else [TIME]
        if sorted(inner) not in (sorted(wanted), [TIME]):
            raise InputError(
                f"{name} has dimensions {variable.dims}; give {', '.join(wanted)} and those of the "
                "columns."
            )
        return
    shapes = PARAMETERS[name].shapes
    allowed = [d for d, form in ALONG.items() if form in shapes]
    if len(inner) > 1 or (inner and inner[0] not in allowed):
        raise InputError(
            f"{name} has dimensions {variable.dims}; give those of the columns and at most one of "
            f"{', '.join(allowed) or 'none'}."
        )
    if not inner and name in FORCING:
        raise InputError(f"{name} has no dimension time; give a value per time.")


def _stamps(time: xarray.DataArray) -> NDArray[Any]:
    """Return times as they are, or decoded if they are numbers with units, as `simulate` gives."""
    from xarray.conventions import decode_cf_variable

    numbers = time.dtype.kind in "fiu" and " since " in str(time.attrs.get("units"))
    variable = decode_cf_variable(TIME, time.variable) if numbers else time.variable
    return np.asarray(variable.values)


def _check_unit(variable: xarray.DataArray, name: str, wanted: str) -> None:
    """Refuse units that are known to be others; those that are missing or unknown pass."""
    given = variable.attrs.get("units")
    if not isinstance(given, str):
        return
    celsius = given.replace("°", "deg").lower() in ("degc", "c", "celsius", "degree_celsius")
    if wanted == "K" and (celsius or given.lower() in ("degree_c", "degrees_celsius", "deg_c")):
        raise InputError(f"{name} has units {given!r}; give K: add 273.15 and set its units.")
    other = {"K": FLUX, "W m-2": KELVIN}.get(wanted, ())
    if given in other:
        raise InputError(f"{name} has units {given!r}; give {wanted}.")


def _series(variable: xarray.DataArray, name: str, depth: float | None) -> list[Observed]:
    kind = OBSERVED[name]
    if name != "SoilTemp":
        if depth:
            raise InputError(f"{name} belongs to the surface; its depth {depth:g} must be 0.")
        return [Observed(name, None, kind, 0.0)]
    if DEPTH not in variable.coords:
        if depth is None or DEPTH in variable.dims:
            raise InputError(
                "SoilTemp has no coordinate depth; give the depths [m] in the dataset, or of one "
                "alone where it is observed, SoilTemp@0.05."
            )
        return [Observed(name, None, kind, depth)]
    if depth is not None:
        raise InputError("SoilTemp has a coordinate depth; observe it without a depth of its own.")
    unit = variable[DEPTH].attrs.get("units", "m")
    if unit not in METRE:
        raise InputError(f"depth has units {unit!r}; give m.")
    depths = np.asarray(variable[DEPTH].values, dtype=np.float64)
    if depths.ndim == 0:
        return [Observed(name, None, kind, float(depths))]
    return [Observed(name, k, kind, float(z)) for k, z in enumerate(depths)]


def check_variable(
    dataset: xarray.Dataset, name: str, space: Sequence[str], use: str, parameter: str | None
) -> None:
    """Refuse a variable that an option names and the dataset lacks, or that is not one a column.

    ``parameter``: whose values it holds, if it does.
    """
    if name not in dataset.variables:
        raise unknown(f"variable for {use}", name, [str(each) for each in dataset.data_vars])
    beyond = [str(d) for d in dataset[name].dims if d not in space]
    if beyond:
        raise InputError(
            f"{name}, given for {use}, has the dimensions {', '.join(beyond)} beside those of the "
            "columns; give one number a column."
        )
    if parameter is not None:
        _check_unit(dataset[name], name, PARAMETERS[parameter].unit)


PLACEHOLDER = {
    kind: 300.0 if quantity.unit == "K" else 0.0 for kind, quantity in OBSERVABLES.items()
}
"""Values of the series of the case that all columns share, where each brings its own."""
