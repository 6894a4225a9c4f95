"""The variables of a map: names, dimensions, attributes, and the values of a block of columns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from lsm_verify.inverse.field_result import FieldEstimate
from lsm_verify.maps.job import Job
from lsm_verify.maps.proof import NOT_SAMPLED, Proof
from lsm_verify.quantities import PARAMETERS

if TYPE_CHECKING:
    import xarray

STATUS = "status"

NOT_COMPUTED = 99
"""Status of columns whose region was not computed, or failed."""

PROVED = ("not_sampled", "verified", "wrong", "inconclusive")
"""Meanings of ``gradient_verified``, see `lsm_verify.maps.proof`."""


@dataclass(frozen=True)
class Variable:
    """A variable of a map, over its columns."""

    name: str
    dtype: str
    fill: float | int
    attributes: Mapping[str, Any] = field(default_factory=dict)


def correlations(job: Job) -> dict[str, tuple[int, int]]:
    """Return the variables of correlations, and the indices of the unknowns of each."""
    names = job.settings.unknowns
    return {
        f"correlation_{names[i]}_{names[j]}": (i, j) for i, j in combinations(range(len(names)), 2)
    }


def error_name(name: str) -> str:
    """Return the name of the variable that holds the standard errors of an unknown."""
    return f"{name}_standard_error"


def status_words() -> dict[int, str]:
    """Codes of ``status`` and their words."""
    from lsm_verify.kernels.levenberg import STATUS

    return {**STATUS, NOT_COMPUTED: "not computed"}


def variables(job: Job) -> list[Variable]:
    """Return all variables of a map."""
    found = []
    for name in job.settings.unknowns:
        quantity, error = PARAMETERS[name], error_name(name)
        about = {"long_name": quantity.description, "units": quantity.unit}
        ancillary = f"{error} status gradient_verified"
        if quantity.is_temperature:
            about["units_metadata"] = "temperature: on_scale"
        found.append(_number(name, about | {"ancillary_variables": ancillary}))
        about = {
            "long_name": f"standard error of {quantity.description}",
            "units": quantity.unit,
            "comment": "of the linear model with independent observation errors; says nothing of "
            "bounds",
        }
        if quantity.is_temperature:
            about["units_metadata"] = "temperature: difference"
        found.append(_number(error, about))
    for name, (i, j) in correlations(job).items():
        both = " and ".join(job.settings.unknowns[k].replace("_", " ") for k in (i, j))
        about = {"long_name": f"correlation of the errors of {both}", "units": "1"}
        found.append(_number(name, about))
    words = status_words()
    names = job.settings.unknowns
    return [
        *found,
        _number("chi_square", {"long_name": "sum of squared residuals in units of their errors",
                               "units": "1"}),
        _whole("observation_count", "int32", {"long_name": "observations that count",
                                              "units": "1"}),
        _number("misfit", {"long_name": "root mean square of residuals in units of their errors",
                           "units": "1"}),
        _number("smallest_singular_value", {
            "long_name": "least singular value of the weighted Jacobian over the largest, its "
            "columns scaled to one length", "units": "1"}),
        Variable(STATUS, "int8", NOT_COMPUTED, {
            "long_name": "how the calibration ended",
            "flag_values": np.array(list(words), np.int8),
            "flag_meanings": " ".join(word.replace(" ", "_") for word in words.values())}),
        _whole("iterations", "int32", {"long_name": "steps tried", "units": "1"}),
        _whole("at_bound", "int32", {
            "long_name": "unknowns whose estimate lies on a bound",
            "flag_masks": np.array([1 << j for j in range(len(names))], np.int32),
            "flag_meanings": " ".join(names)}),
        _whole("gradient_verified", "int8", {
            "long_name": "whether the gradient was verified by the oracle",
            "flag_values": np.arange(len(PROVED), dtype=np.int8),
            "flag_meanings": " ".join(PROVED)}),
        _number("max_z", {
            "long_name": "largest difference of two routes to the gradient, in units of their "
            "round-off", "units": "1"}),
    ]  # fmt: skip


def values(job: Job, found: FieldEstimate, proofs: Sequence[Proof]) -> dict[str, NDArray[Any]]:
    """Return the values of all variables for B columns, (B,) each."""
    B = len(found.estimate)
    told: dict[str, NDArray[Any]] = {}
    for j, name in enumerate(job.settings.unknowns):
        told[name] = found.estimate[:, j]
        told[error_name(name)] = found.standard_error[:, j]
    for name, (i, j) in correlations(job).items():
        told[name] = found.correlation[:, i, j]
    verified, z = np.full(B, NOT_SAMPLED, np.int8), np.full(B, np.nan)
    for proof in proofs:
        verified[proof.column], z[proof.column] = proof.code, proof.max_z
    return told | {
        "chi_square": found.chi_square,
        "observation_count": found.count.astype(np.int32),
        "misfit": found.misfit,
        "smallest_singular_value": found.smallest,
        STATUS: found.status.astype(np.int8),
        "iterations": found.iterations.astype(np.int32),
        "at_bound": (found.at_bound @ (1 << np.arange(found.at_bound.shape[1]))).astype(np.int32),
        "gradient_verified": verified,
        "max_z": z,
    }


def kept_coordinates(dataset: xarray.Dataset, job: Job) -> xarray.Dataset:
    """Return where a dataset says its columns are: coordinates, and their projection."""
    import xarray

    space = set(job.layout.space)
    kept: dict[Any, Any] = {n: c for n, c in dataset.coords.items() if set(c.dims) <= space}
    for name in grid_mappings(dataset, job):
        kept[name] = dataset[name]
    ends = [c.attrs.get("bounds") or c.encoding.get("bounds") for c in kept.values()]
    kept |= {str(name): dataset[name] for name in ends if name and name in dataset.variables}
    return xarray.Dataset(coords=kept)


def grid_mappings(dataset: xarray.Dataset, job: Job) -> list[str]:
    """Return the variables that say how the columns are projected (CF, ``grid_mapping``)."""
    named = [
        dataset[v].attrs.get("grid_mapping") or dataset[v].encoding.get("grid_mapping")
        for v in job.variables
    ]
    given = {str(name): None for name in named if name}
    return [name for name in given if name in dataset.variables and not dataset[name].dims]


def global_attributes(job: Job) -> dict[str, str]:
    """Attributes of a map."""
    from lsm_verify.models.simulation import CONVENTIONS
    from lsm_verify.version import __version__

    return {
        "Conventions": CONVENTIONS,
        "title": f"{', '.join(job.settings.unknowns)} estimated column by column",
        "source": "lsm-verify, soil heat diffusion under a nonlinear surface energy balance",
        "references": "arXiv:2505.02979",
        "history": f"made by lsm-verify {__version__}",
    }


def attributes(variable: Variable, dataset: xarray.Dataset, job: Job) -> dict[str, Any]:
    """Attributes of a variable, with the projection that the dataset names."""
    found = dict(variable.attributes)
    named = grid_mappings(dataset, job)
    return found | ({"grid_mapping": named[0]} if named else {})


def _number(name: str, about: Mapping[str, Any]) -> Variable:
    return Variable(name, "float64", np.nan, about)


def _whole(name: str, dtype: str, about: Mapping[str, Any]) -> Variable:
    return Variable(name, dtype, 0, about)
