"""``lsm_verify.calibrate_map``: a labelled dataset in, maps of estimates out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from lsm_verify.errors import InputError
from lsm_verify.grid import Grid
from lsm_verify.inverse.priors import Normal
from lsm_verify.maps import result
from lsm_verify.maps.block import NUMBER, calibrate_block
from lsm_verify.maps.job import Job, Settings, default_grid, job_of

if TYPE_CHECKING:
    import xarray


def calibrate_map(
    dataset: xarray.Dataset,
    observation_error: float | Sequence[float],
    unknowns: Iterable[str],
    *,
    grid: Grid | None = None,
    fixed: Mapping[str, float] | None = None,
    start: Mapping[str, float | str] | None = None,
    ranges: Mapping[str, tuple[float, float]] | None = None,
    bounds: Mapping[str, tuple[float | str, float | str]] | None = None,
    logarithmic: Iterable[str] = (),
    priors: Sequence[Normal] = (),
    insulated: bool = False,
    observe: Mapping[str, float | None] | None = None,
    mask: str | None = None,
    iterations: int | None = None,
    verify: int = 1,
    seed: int = 0,
    device: str = "cpu",
) -> xarray.Dataset:
    """Estimate the same parameters in every column of a dataset, column by column.

    Parameters
    ----------
    dataset : xarray.Dataset
        Observations ``SoilTemp`` (time, depth, …), ``AvgSurfT``, ``LWup``, ``Qturb`` (time, …), the
        forcing ``SWdown``, ``LWdown``, ``Tair`` (time, …) and parameters by their public names,
        (…) or (time, …); … are the dimensions of the columns, in any number and order. A value of
        forcing, or of a parameter that varies, is the mean over the step that ends at its time;
        those of the first time are not read. Not-a-number is a missing observation, elsewhere a
        column to leave out.
    observation_error : float or one per series
        Standard deviation of the observations, in their units.
    unknowns : names
        Parameters to estimate, one number a column each.
    grid : Grid, optional
        Default: 1 m in 100 intervals.
    fixed : mapping, optional
        Known parameters that all columns share.
    start, bounds : mapping, optional
        Values to start from; pairs of least and most. A name stands for a variable of the dataset
        with a number for every column.
    ranges : mapping, optional
        Pairs of ends; their middle is where estimation starts. Default:
        `lsm_verify.maps.job.RANGES`.
    logarithmic : names
        Unknowns whose logarithm is estimated.
    priors : sequence of Normal
        Means and deviations: numbers, or names of variables with a number for every column.
    insulated : bool
        No flux through the bottom instead of a prescribed temperature.
    observe : mapping, optional
        Variables that are observations, default all that there are; and the depth [m] of
        ``SoilTemp`` where it has no coordinate ``depth``, else ``None``.
    mask : str, optional
        Variable that is 0 or missing where a column is to be left out.
    iterations : int, optional
        At most so many for each column.
    verify : int
        Columns of every chunk on which the gradient is verified by the oracle.
    seed : int
        Of their choice.
    device : str
        ``cpu``, or ``cuda`` for the current CUDA device; their results differ by rounding.

    Returns
    -------
    xarray.Dataset
        Each unknown, ``…_standard_error``, ``correlation_…`` of two, ``chi_square``, ``misfit``,
        ``observation_count``, ``smallest_singular_value``, ``status``, ``iterations``,
        ``at_bound``, ``gradient_verified``, ``max_z``. Lazy, by `xarray.map_blocks`, where the
        dataset is chunked: it may then be written or computed with any Dask scheduler. Otherwise
        computed at once, on all cores.

    Raises
    ------
    InputError
        If the dataset lacks what is needed, has other units, or a value is out of its bounds.

    Notes
    -----
    A column's result is the same to the last bit however the dataset is chunked and whatever
    computes it; which columns are verified depends on the chunks. Under Dask kernels run on one
    thread a chunk. Nothing is filled in: what is not identifiable is not-a-number, see ``status``.

    Examples
    --------
    >>> found = calibrate_map(dataset, 0.05, ["albedo", "bottom_temperature"],
    ...     fixed={"emissivity": 0.95})  # doctest: +SKIP
    """
    import xarray

    if not isinstance(dataset, xarray.Dataset):
        raise InputError(f"{type(dataset).__name__} is no dataset; give an xarray.Dataset.")
    settings = Settings(
        observation_error=observation_error,
        unknowns=tuple(unknowns),
        grid=grid or default_grid(),
        fixed=dict(fixed or {}),
        start=dict(start or {}),
        ranges=dict(ranges or {}),
        bounds=dict(bounds or {}),
        priors=_priors(priors),
        logarithmic=tuple(logarithmic),
        insulated=insulated,
        observe=dict(observe or {}),
        mask=mask,
        iterations=iterations,
        verify=verify,
        seed=seed,
        device=device,
    )
    job = job_of(dataset, settings)
    numbered = _numbered(dataset[list(job.variables)].unify_chunks(), job)
    if not numbered.chunks:
        return _labelled(numbered.load(), job, threads=None)
    inner = [d for d in numbered.dims if d not in job.layout.space]
    whole = numbered.chunk(dict.fromkeys(inner, -1))
    return whole.map_blocks(_labelled, kwargs={"job": job}, template=_template(whole, job))


def _priors(priors: Sequence[Normal]) -> dict[str, tuple[Any, Any]]:
    for k, prior in enumerate(priors):
        if not isinstance(prior, Normal):
            raise InputError(f"{type(prior).__name__} is no prior of a column; give Normal.")
        if prior.name in [each.name for each in priors[:k]]:
            raise InputError(f"{prior.name} has two priors; give one.")
    return {prior.name: (prior.mean, prior.deviation) for prior in priors}


def _numbered(dataset: xarray.Dataset, job: Job) -> xarray.Dataset:
    """Add the columns' numbers, in chunks like those of the columns."""
    import xarray

    shape = job.layout.shape
    numbers = xarray.DataArray(
        np.arange(job.layout.columns, dtype=np.int64).reshape(shape), dims=job.layout.space
    )
    chunks = dataset.chunks
    if chunks:
        numbers = numbers.chunk({d: chunks[d] for d in job.layout.space if d in chunks})
    return dataset.assign({NUMBER: numbers})


def _labelled(dataset: xarray.Dataset, job: Job, threads: int | None = 1) -> xarray.Dataset:
    """Calibrate a block, and label what was found."""
    block = calibrate_block(
        dataset, job, dataset[NUMBER].transpose(*job.layout.space).values, threads=threads
    )
    return _assembled(dataset, job, block.values)


def _template(dataset: xarray.Dataset, job: Job) -> xarray.Dataset:
    """Return the map that blocks fill, without values."""
    import dask.array

    space = job.layout.space
    chunks = tuple(dataset.chunks.get(d, (dataset.sizes[d],)) for d in space)
    empty = {}
    for v in result.variables(job):
        empty[v.name] = dask.array.full(job.layout.shape, v.fill, dtype=v.dtype, chunks=chunks)
    return _assembled(dataset, job, empty)


def _assembled(dataset: xarray.Dataset, job: Job, values: Mapping[str, Any]) -> xarray.Dataset:
    import xarray

    space = job.layout.space
    found = result.kept_coordinates(dataset, job)
    return xarray.Dataset(
        {
            v.name: (
                space,
                values[v.name],
                result.attributes(v, dataset, job),
            )
            for v in result.variables(job)
        },
        coords=found.coords,
        attrs=result.global_attributes(job),
    )
