"""Calibrates the columns of a dataset that is in memory."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from lsm_verify.errors import InputError
from lsm_verify.kernels import marquardt
from lsm_verify.maps import proof, result
from lsm_verify.maps.columns import given_by
from lsm_verify.maps.job import Job

if TYPE_CHECKING:
    import xarray

NUMBER = "column_number"
"""Variable of a block: the columns' numbers in the map, from which samples are drawn."""

LEFT_OUT = (marquardt.MASKED, marquardt.NOT_OBSERVED, marquardt.IMPLAUSIBLE)
"""Of columns that are not run."""


@dataclass(frozen=True)
class Block:
    """What was found of a block of columns.

    Attributes
    ----------
    values : dict
        By variable, in the shape of the block's columns.
    proofs : tuple of Proof
        Of the columns whose gradient was verified.
    odd : str
        The first column that is implausible, and why; empty if there is none.
    """

    values: dict[str, NDArray[Any]]
    proofs: tuple[proof.Proof, ...]
    odd: str = ""


def calibrate_block(
    dataset: xarray.Dataset, job: Job, numbers: NDArray[np.int64], *, threads: int | None = 1
) -> Block:
    """Calibrate all columns of a dataset in memory, and verify the gradient on a sample of them.

    Parameters
    ----------
    dataset : xarray.Dataset
        As `lsm_verify.maps.layout.layout_of` takes it, or a part of it.
    numbers : int array
        The columns' numbers in the map, in the shape of the dataset's columns.
    threads : int, optional
        Of the kernels; default: one, since blocks run side by side.
    """
    from lsm_verify.inverse.fields import calibrate_columns

    given, s = given_by(dataset, job), job.settings
    found = calibrate_columns(
        job.case,
        given.observations,
        job.error,
        s.unknowns,
        fields=given.fields,
        start=given.start,
        bounds=given.bounds,
        logarithmic=s.logarithmic,
        priors=given.priors,
        mask=given.mask,
        strict=False,
        iterations=s.iterations,
        threads=threads,
        device=s.device,
    )
    flat, odd = numbers.ravel(), ""
    if found.first_odd is not None:
        b, why = found.first_odd
        odd = f"{job.layout.place(int(flat[b]))}: {why}"
        if np.isin(found.status, LEFT_OUT).all():  # wrong units, rather than an odd column
            raise InputError(odd)
    fit = np.asarray(np.isfinite(found.estimate).all(axis=1))
    columns = proof.chosen(flat, fit, s.verify, s.seed)
    proofs = proof.verify_columns(job, found.space, given, found.estimate, columns, flat)
    values = result.values(job, found, proofs)
    shape = tuple(dataset.sizes[d] for d in job.layout.space)
    return Block({n: a.reshape(shape) for n, a in values.items()}, tuple(proofs), odd)
