"""What is given for columns, brought to arrays: shapes and names checked, values not yet."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lsm_verify.cases import Case
from lsm_verify.errors import InputError, unknown
from lsm_verify.inverse.priors import Normal
from lsm_verify.inverse.space import Space
from lsm_verify.validation import as_array, finite

Array = NDArray[np.float64]


def observed(case: Case, observations: Any, error: Any) -> tuple[Array, Array]:
    """Return values (B, K, S + 1), finite, and weights of that shape or with a leading 1."""
    series = case.observations.series
    values = as_array("observations", observations)
    wanted = (len(series), case.forcing.steps + 1)
    if values.ndim != 3 or values.shape[1:] != wanted or not len(values):
        raise InputError(
            f"observations have shape {values.shape}; give (columns, {wanted[0]}, {wanted[1]})."
        )
    sigma = finite("observation_error", as_array("observation_error", error))
    if sigma.shape not in ((), (len(series),)) or np.any(sigma <= 0):
        raise InputError(
            f"observation_error={error!r} must be above 0: one number, or {len(series)}, one per "
            "series."
        )
    own = np.stack([np.broadcast_to(s.weights, s.values.shape) for s in series])
    weights = (own / np.broadcast_to(sigma, (len(series),))[:, None] ** 2)[None]
    missing = ~np.isfinite(values)
    if missing.any():
        values = np.where(missing, 0.0, values)
        weights = np.where(missing, 0.0, weights)
    return values, weights


def start_rows(case: Case, space: Space, given: dict[str, Any], B: int) -> Array:
    """Return the parameters (1 or B, P) to start from."""
    for name in given:
        if name not in space.names:
            raise unknown("parameter of the start", name, space.names)
    return _rows([given.get(n, case.start[n]) for n in space.names], "start", space.names, B)


def bounds_rows(space: Space, given: Mapping[str, Any], B: int) -> tuple[Array, Array]:
    """Return least and most (1 or B, P) where bounds differ by column; else those of the space."""
    ends = (dict(zip(space.names, end, strict=True)) for end in (space.least, space.most))
    least, most = ends
    for name, pair in given.items():
        if name not in space.names:
            raise unknown("parameter among the unknowns", name, space.names)
        least[name], most[name] = pair
    return (
        _rows(list(least.values()), "lower bound", space.names, B),
        _rows(list(most.values()), "upper bound", space.names, B),
    )


def priors_rows(space: Space, priors: Sequence[Normal], B: int) -> tuple[Array, Array]:
    """Return means and deviations (1 or B, P), infinite without a prior."""
    means: dict[str, Any] = dict.fromkeys(space.names, 0.0)
    deviations: dict[str, Any] = dict.fromkeys(space.names, np.inf)
    for k, prior in enumerate(priors):
        if not isinstance(prior, Normal):
            raise InputError(f"{type(prior).__name__} is no prior of a column; give Normal.")
        if prior.name not in means:
            raise unknown("parameter of a prior", prior.name, space.names)
        if prior.name in [each.name for each in priors[:k]]:
            raise InputError(f"{prior.name} has two priors; give one.")
        means[prior.name], deviations[prior.name] = prior.mean, prior.deviation
    return (
        _rows(list(means.values()), "mean of the prior", space.names, B),
        _rows(list(deviations.values()), "deviation of the prior", space.names, B),
    )


def _rows(values: Sequence[Any], what: str, names: Sequence[str], B: int) -> Array:
    """Stack numbers () and columns (B, 1) side by side, (1 or B, P)."""
    found = [as_array(f"{what} of {n}", v) for n, v in zip(names, values, strict=True)]
    for name, array in zip(names, found, strict=True):
        if array.shape not in ((), (B, 1)):
            raise InputError(
                f"{what} of {name} has shape {array.shape}; give one number, or ({B}, 1)."
            )
        if array.shape == () and np.isnan(array):
            raise InputError(f"{what} of {name} is not a number; give one.")
    rows = 1 if all(array.shape == () for array in found) else B
    return np.concatenate([np.broadcast_to(array, (rows, 1)) for array in found], axis=1)


def masked(mask: Any, B: int) -> NDArray[np.bool_]:
    """Return which columns are to be left out, (B,)."""
    found = np.zeros(B, bool) if mask is None else np.asarray(mask)
    if found.shape != (B,) or found.dtype != bool:
        raise InputError(
            f"mask has shape {found.shape} of {found.dtype}; give ({B},) of bool, true where a "
            "column is left out."
        )
    return found


def broken(rows: Array) -> NDArray[np.bool_]:
    """Return which rows hold not-a-number."""
    return np.asarray(np.any(np.isnan(rows), axis=1))
