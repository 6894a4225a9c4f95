"""From a case and fields of parameters to the columns that kernels take."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from lsm_verify.cases import Case
from lsm_verify.errors import InputError
from lsm_verify.inputs import Inputs
from lsm_verify.inverse.space import Space
from lsm_verify.parameters import COMBINED, SEPARATE
from lsm_verify.validation import as_array

if TYPE_CHECKING:
    from lsm_verify.kernels.columns import Columns, Objective, Sight
    from lsm_verify.kernels.levenberg import Coordinates

Array = NDArray[np.float64]

KERNEL = {
    "thermal_conductivity": "lam",
    "volumetric_heat_capacity": "C",
    "albedo": "albedo",
    COMBINED: "H",
    "heat_transfer_coefficient": "h",
    "bowen_ratio": "beta",
    "bottom_temperature": "Tb",
    "initial_temperature": "T0",
    "SWdown": "SWdown",
    "LWdown": "LWdown",
    "Tair": "Tair",
    "emissivity": "emissivity",
}
"""Names of `lsm_verify.kernels.levenberg.CODES` by public name."""


@dataclass(frozen=True)
class Batch:
    """Columns of a batch, what is observed of them, and what cannot be run.

    Attributes
    ----------
    columns, sight
        For the kernels; arrays that all columns share have a leading 1.
    fields : dict
        What was given column by column, (B, n) by public name.
    pair : (1 or B, 2) array
        h and β, not-a-number where H is given.
    tied : bool
        Whether the initial temperature is the bottom's.
    broken : (B,) array of bool
        Columns of which a number is not finite.
    """

    columns: Columns
    sight: Sight
    fields: dict[str, Array]
    pair: Array
    tied: bool
    broken: NDArray[np.bool_]

    def objective(self, values: Array, weights: Array) -> Objective:
        """Return how the columns are scored."""
        from lsm_verify.kernels.columns import Objective

        return Objective("half-sum-of-squares", values, weights)


def batch_of(case: Case, unknowns: Sequence[str], fields: dict[str, Any], B: int) -> Batch:
    """Return B columns of a case with fields in the place of its parameters.

    Raises
    ------
    InputError
        If a field is unknown too, has no column dimension or does not fit the case.
    """
    given = {name: as_array(name, value) for name, value in fields.items()}
    for name, array in given.items():
        if name in unknowns:
            raise InputError(f"{name} is unknown and given as a field; leave it out of one.")
        if array.ndim != 2 or len(array) != B:
            raise InputError(f"{name} has shape {array.shape}; give ({B}, 1) or ({B}, n).")
    broken = np.zeros(B, bool)
    for array in given.values():
        broken |= ~np.isfinite(array).all(axis=1)
    # The case's own checks of names, forms and shapes, by the first column that has all numbers.
    first = int(np.argmin(broken))
    inputs = case.inputs(
        {}
        if broken.all()
        else {n: a[first, 0] if a.shape[1] == 1 else a[first] for n, a in given.items()},
        wrt=(),
    )
    return assembled(inputs, unknowns, given, broken)


def assembled(
    inputs: Inputs, unknowns: Sequence[str], given: dict[str, Array], broken: NDArray[np.bool_]
) -> Batch:
    """Return columns that share what ``inputs`` hold but for what is ``given``, (B, n) by name."""
    from lsm_verify.models.sight import sight_of

    for name in unknowns:
        if name not in inputs.parameters:
            raise InputError(f"{name} is unknown, and a field is of another form; give one form.")
    known = {name: given.get(name, _shared(inputs, name)) for name in inputs.parameters}
    return Batch(
        _columns(inputs, known),
        sight_of([inputs]),
        given,
        _pair(known, unknowns),
        "initial_temperature" not in known,
        broken,
    )


def coordinates(space: Space, tied: bool) -> Coordinates:
    """Return unknowns as the kernels take them."""
    from lsm_verify.kernels.levenberg import Coordinates

    return Coordinates(
        tuple(KERNEL[name] for name in space.names),
        space.middle,
        space.scale,
        space.logarithmic,
        tied,
    )


def _shared(inputs: Inputs, name: str) -> Array:
    """Return what all columns share, (1, n or 1)."""
    return np.atleast_1d(np.asarray(inputs.expanded(name), dtype=np.float64))[None]


def _columns(inputs: Inputs, known: dict[str, Array]) -> Columns:
    from lsm_verify.kernels.columns import Columns

    found = {KERNEL[name]: array for name, array in known.items() if name not in SEPARATE}
    if COMBINED not in known:
        h, beta = (known[name] for name in SEPARATE)
        with np.errstate(invalid="ignore", divide="ignore"):  # of columns that are left out
            found["H"] = h * (1 + 1 / beta)
    if "Tb" not in found:
        found["Tb"] = np.zeros((1, 1))  # not read where the bottom is insulated
    if "T0" not in found:
        found["T0"] = np.ascontiguousarray(found["Tb"][:, :1])
    grid = {"spacing": inputs.spacing[None], "time_step": inputs.time_step[None]}
    return Columns(**{n: np.ascontiguousarray(a) for n, a in (grid | found).items()})


def _pair(known: dict[str, Array], unknowns: Sequence[str]) -> Array:
    """Return h and β side by side, of which one may be unknown."""
    asked = [name for name in SEPARATE if name in unknowns]
    if not asked:
        return np.full((1, 2), np.nan)
    parts = []
    for name in SEPARATE:
        array = known[name]
        if name not in asked and array.shape[1] != 1:
            raise InputError(
                f"{name} varies in time and {asked[0]} is unknown; give {COMBINED} as the unknown."
            )
        parts.append(array[:, :1])
    rows = max(map(len, parts))
    return np.concatenate([np.broadcast_to(part, (rows, 1)) for part in parts], axis=1)
