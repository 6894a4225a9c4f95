"""From a dataset in memory to arrays, columns first."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from lsm_verify.inverse.priors import Normal
from lsm_verify.maps.job import Job, Number
from lsm_verify.maps.layout import DEPTH, TIME, Observed

if TYPE_CHECKING:
    import xarray

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Given:
    """What `lsm_verify.inverse.fields.calibrate_columns` is given of B columns.

    Attributes
    ----------
    observations : (B, series, steps + 1) array
        Not-a-number where missing.
    fields : dict
        Parameters and forcing by public name, (B, 1) or (B, n).
    start, bounds : dict
        Numbers, or (B, 1).
    priors : tuple of Normal
    mask : (B,) array of bool
        Columns to leave out.
    """

    observations: Array
    fields: dict[str, Array]
    start: dict[str, Any]
    bounds: dict[str, tuple[Any, Any]]
    priors: tuple[Normal, ...]
    mask: NDArray[np.bool_]


def given_by(dataset: xarray.Dataset, job: Job) -> Given:
    """Return what a dataset holds of its columns, the last dimension of the space the fastest."""
    s = job.settings

    def number(value: Number) -> Any:
        return _stacked(dataset[value], dataset, job) if isinstance(value, str) else value

    mask = np.zeros(_count(dataset, job), bool)
    if s.mask is not None:
        wanted = _stacked(dataset[s.mask], dataset, job)[:, 0]
        mask = ~np.isfinite(wanted) | (wanted == 0)
    return Given(
        observations=np.stack([_observed(dataset, o, job) for o in job.layout.observed], axis=1),
        fields={name: _field(dataset, name, job) for name in job.fields},
        start={name: number(value) for name, value in s.start.items()},
        bounds={name: (number(low), number(high)) for name, (low, high) in s.bounds.items()},
        priors=tuple(Normal(n, number(mean), number(sd)) for n, (mean, sd) in s.priors.items()),
        mask=mask,
    )


def _count(dataset: xarray.Dataset, job: Job) -> int:
    return int(np.prod([dataset.sizes[d] for d in job.layout.space]))


def _observed(dataset: xarray.Dataset, each: Observed, job: Job) -> Array:
    variable = dataset[each.variable]
    if each.index is not None:
        variable = variable.isel({DEPTH: each.index})
    values = _stacked(variable, dataset, job)
    if each.kind == "turbulent_flux":  # no step ends at the initial state
        values = values.copy()
        values[:, 0] = np.nan
    return values


def _field(dataset: xarray.Dataset, name: str, job: Job) -> Array:
    values = _stacked(dataset[name], dataset, job)
    return values[:, 1:] if TIME in dataset[name].dims else values


def _stacked(variable: xarray.DataArray, dataset: xarray.Dataset, job: Job) -> Array:
    """Return (B, n), n = 1 where the variable has no dimension beside those of the columns."""
    space = job.layout.space
    inner = [d for d in variable.dims if d not in space]
    there = [d for d in space if d in variable.dims]
    values = variable.transpose(*there, *inner).values
    kept = tuple(slice(None) if d in there else np.newaxis for d in space)
    values = np.broadcast_to(
        values[(*kept, ...)], (*(dataset.sizes[d] for d in space), *values.shape[len(there) :])
    )
    return np.ascontiguousarray(values, dtype=np.float64).reshape(_count(dataset, job), -1)
