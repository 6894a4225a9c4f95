"""Parameters: a mapping of public names to numbers, arrays or knots, checked at the door."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lsm_verify.errors import InputError, unknown
from lsm_verify.quantities import PARAMETERS
from lsm_verify.validation import as_array, finite, increasing, vector, within

SEPARATE = ("heat_transfer_coefficient", "bowen_ratio")
COMBINED = "turbulent_transfer_coefficient"


def combine(h: Any, beta: Any) -> Any:
    """Return h(1+1/β) of numbers, arrays or tensors: `COMBINED` of `SEPARATE`.

    The routes and the checks of `lsm_verify.verify` write it themselves: what is compared shares no
    code.

    Examples
    --------
    >>> combine(20.0, 4.0)
    25.0
    """
    return h * (1 + 1 / beta)


@dataclass(frozen=True)
class Knots:
    """A parameter that is piecewise linear in time, constant outside its knots.

    Parameters
    ----------
    times : (knots,) array_like
        Times of the knots [s since the start], strictly increasing.
    values : (knots,) array_like
        Values there, in the parameter's unit.
    """

    times: NDArray[np.float64]
    values: NDArray[np.float64]

    def __post_init__(self) -> None:
        times = increasing("knot times", vector("knot times", self.times))
        object.__setattr__(self, "times", times)
        values = vector("knot values", self.values)
        if values.size != times.size:
            raise InputError(
                f"knots have {times.size} times and {values.size} values; give as many."
            )
        object.__setattr__(self, "values", values)


Value: TypeAlias = ArrayLike | Knots | None
Parameters: TypeAlias = Mapping[str, Value]
"""Public names to values; ``initial_temperature=None`` ties it to the bottom temperature."""


def merge(defaults: Parameters, given: Parameters | None) -> dict[str, Value]:
    """Overlay ``given`` on ``defaults`` and refuse a set without turbulent coefficient.

    Raises
    ------
    InputError
        As `overlay`; if neither form of the turbulent coefficient is there.
    """
    merged = overlay(defaults, given or {})
    missing = [name for name in SEPARATE if name not in merged]
    if COMBINED not in merged and missing:
        raise InputError(f"{missing[0]} is missing; give it, or {COMBINED} instead of h and β.")
    return {name: value for name, value in merged.items() if value is not None}


def overlay(defaults: Parameters, given: Parameters) -> dict[str, Value]:
    """Overlay ``given`` on ``defaults``; one form of the turbulent coefficient replaces the other.

    Raises
    ------
    InputError
        If a name is unknown or both forms of the turbulent coefficient are given.
    """
    for name in given:
        if name not in PARAMETERS:
            raise unknown("parameter", name, PARAMETERS)
    separate = [name for name in SEPARATE if name in given]
    if COMBINED in given and separate:
        raise InputError(
            f"{COMBINED} and {separate[0]} are both given; give one form, h(1+1/β) or h and β."
        )
    merged = dict(defaults)
    if COMBINED in given:
        for name in SEPARATE:
            merged.pop(name, None)
    elif separate:
        merged.pop(COMBINED, None)
    return merged | dict(given)


def split_batch(parameters: Parameters) -> list[dict[str, Value]]:
    """Split a batch into one set of parameters per column; empty if there is no batch.

    A value with two dimensions, (columns, 1) or (columns, n), makes a batch; values with fewer
    are common to all columns.

    Raises
    ------
    InputError
        If the values disagree about the number of columns.
    """
    arrays = {
        name: as_array(name, value)
        for name, value in parameters.items()
        if value is not None and not isinstance(value, Knots)
    }
    arrays = {name: array for name, array in arrays.items() if array.ndim >= 2}
    if not arrays:
        return []
    for name, array in arrays.items():
        if array.ndim != 2:
            raise InputError(
                f"{name} has shape {array.shape}; a batch has two dimensions, columns first."
            )
    sizes = {name: array.shape[0] for name, array in arrays.items()}
    if len(set(sizes.values())) > 1 or 0 in sizes.values():
        raise InputError(
            f"columns of the batch differ: {sizes}; give every batch as many, one or more."
        )
    return [
        {
            name: (arrays[name][b, 0] if arrays[name].shape[1] == 1 else arrays[name][b])
            if name in arrays
            else value
            for name, value in parameters.items()
        }
        for b in range(next(iter(sizes.values())))
    ]


def check(
    parameters: Parameters, sizes: Mapping[str, int], *, insulated: bool
) -> tuple[dict[str, NDArray[np.float64]], dict[str, NDArray[np.float64]]]:
    """Check a complete set of parameters.

    Parameters
    ----------
    parameters : mapping
        Public names to values.
    sizes : mapping
        Number of ``steps``, ``nodes`` and ``interfaces``.
    insulated : bool
        Whether the bottom is insulated; then ``bottom_temperature`` is not used.

    Returns
    -------
    values, knots : dict
        Values as float64 arrays; times of the knots of those that were given as `Knots`.

    Raises
    ------
    InputError
        If a parameter is missing, has the wrong shape or lies outside its bounds.
    """
    values: dict[str, NDArray[np.float64]] = {}
    knots: dict[str, NDArray[np.float64]] = {}
    for name, quantity in PARAMETERS.items():
        value = parameters.get(name)
        if value is None:
            continue
        if isinstance(value, Knots):
            if "steps" not in quantity.shapes:
                raise InputError(
                    f"{name} does not vary in time; give {_forms(name, sizes)} instead of knots."
                )
            knots[name] = value.times
            array = value.values
        else:
            array = finite(name, as_array(name, value))
            allowed = [() if s == "scalar" else (sizes[s],) for s in quantity.shapes]
            if array.shape not in allowed:
                raise InputError(f"{name} has shape {array.shape}; give {_forms(name, sizes)}.")
        values[name] = within(quantity, array)
    _check_complete(values, insulated=insulated)
    _check_bowen(values, knots)
    return values, knots


def _forms(name: str, sizes: Mapping[str, int]) -> str:
    forms = [
        "one number" if s == "scalar" else f"{sizes[s]} values ({s})"
        for s in PARAMETERS[name].shapes
    ]
    return " or ".join(forms)


def _check_complete(values: Mapping[str, object], *, insulated: bool) -> None:
    required = [
        name
        for name in PARAMETERS
        if name not in (*SEPARATE, COMBINED, "initial_temperature", "bottom_temperature")
    ]
    if not insulated:
        required.append("bottom_temperature")
    elif "initial_temperature" not in values:
        raise InputError(
            "initial_temperature is missing; with an insulated bottom it cannot be tied to "
            "bottom_temperature: give a value."
        )
    for name in required:
        if name not in values:
            raise InputError(f"{name} is missing; give a value.")


def _check_bowen(values: Mapping[str, NDArray[np.float64]], knots: Mapping[str, object]) -> None:
    if "bowen_ratio" not in values:
        return
    beta = values["bowen_ratio"]
    if "bowen_ratio" in knots and np.any(np.diff(np.sign(beta)) != 0):
        raise InputError(f"bowen_ratio knots pass through zero; give {COMBINED} instead.")
    if np.any(beta == 0):
        raise InputError(f"bowen_ratio=0.0 must be non-zero; give {COMBINED} instead.")
    if np.any((beta > -1) & (beta < 0)):
        worst = float(beta[(beta > -1) & (beta < 0)].flat[0])
        raise InputError(
            f"bowen_ratio={worst} makes h(1+1/β) negative; give β < -1, β > 0 or {COMBINED} ≥ 0."
        )
