"""Where estimation starts: the middle of the ranges, seeded draws, or the paper's 50."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lsm_verify.cases import Case
from lsm_verify.errors import InputError
from lsm_verify.inverse.space import Space
from lsm_verify.parameters import COMBINED, SEPARATE, combine
from lsm_verify.validation import as_array, finite, whole

Array = NDArray[np.float64]

PUBLISHED = "published"
PUBLISHED_COUNT, PUBLISHED_SEED = 50, 0

DRAWN_WITH_ALBEDO = (
    "albedo",
    *SEPARATE,
    "volumetric_heat_capacity",
    "bottom_temperature",
    "thermal_conductivity",
)
DRAWN_WITHOUT = (
    *SEPARATE,
    "volumetric_heat_capacity",
    "thermal_conductivity",
    "bottom_temperature",
)
"""The order in which the paper's two programs draw: the twin's six, and Phoenix' five, of which h
and β make the combined coefficient."""


def published(case: Case, space: Space) -> Array:
    """Return the paper's 50 starts (50, P): ``torch.manual_seed(0)``, uniform in its ranges.

    Raises
    ------
    InputError
        If the unknowns are not those of the paper's experiments.
    """
    import torch

    from lsm_verify.cases.twin import PUBLISHED_RANGES

    order = DRAWN_WITH_ALBEDO if "albedo" in space.names else DRAWN_WITHOUT
    known = {*order, COMBINED}
    odd = [u.name for u in space.unknowns if u.name not in known or u.shape]
    if odd:
        raise InputError(
            f"{odd[0]} is not drawn in the paper; give starts as a number or as values."
        )
    state = torch.random.get_rng_state()
    try:
        torch.manual_seed(PUBLISHED_SEED)
        drawn = torch.rand(PUBLISHED_COUNT, len(order)).double().numpy()
    finally:
        torch.random.set_rng_state(state)
    values = {}
    for name, x in zip(order, drawn.T, strict=True):
        low, high = (float(end) for end in PUBLISHED_RANGES[name])
        values[name] = low + (high - low) * x
    values[COMBINED] = combine(*(values[name] for name in SEPARATE))
    return np.stack([values[name] for name in space.names], axis=1)


def starts_of(case: Case, space: Space, asked: Any, seed: int) -> Array:
    """Return starts (B, P) in the parameters' units.

    Parameters
    ----------
    asked : None, int, "published", mapping, sequence of mappings or (B, P) array
        None: the case's start, else the middle of the ranges; a number: so many seeded draws from
        the ranges, as far as the bounds let; mappings: parameters by name; an array: rows in the
        order of the space.

    Raises
    ------
    InputError
        If it is none of these, does not fit or lies outside of the bounds.
    """
    if asked is None:
        rows = [_known_start(case, space)]
    elif asked == PUBLISHED if isinstance(asked, str) else False:
        rows = list(published(case, space))
    elif isinstance(asked, int | np.integer) and not isinstance(asked, bool):
        rng = np.random.default_rng(whole("seed", seed, 0))
        lower = np.concatenate([np.ravel(u.lower) for u in space.unknowns])
        upper = np.concatenate([np.ravel(u.upper) for u in space.unknowns])
        low, high = np.maximum(lower, space.least), np.minimum(upper, space.most)
        if np.any(low >= high):
            k = int(np.argmax(low >= high))
            raise InputError(
                f"the range of {space.labels[k]}, {lower[k]:g} to {upper[k]:g}, lies outside of "
                "its bounds; give starts."
            )
        rows = list(low + (high - low) * rng.random((whole("starts", int(asked), 1), space.size)))
    elif isinstance(asked, dict):
        rows = [space.flatten(asked)]
    elif isinstance(asked, Sequence) and asked and isinstance(asked[0], dict):
        rows = [space.flatten(each) for each in asked]
    elif isinstance(asked, str):
        raise InputError(f"starts={asked!r}; give a number, 'published', or values.")
    else:
        array = finite("starts", as_array("starts", asked))
        if array.ndim != 2 or array.shape[1] != space.size or not len(array):
            raise InputError(
                f"starts have shape {array.shape}; give (starts, {space.size}): "
                f"{', '.join(space.labels[:8])}."
            )
        rows = list(array)
    found = np.stack(rows)
    outside = (found < space.least) | (found > space.most)
    if np.any(outside):
        b, k = np.argwhere(outside)[0]
        raise InputError(
            f"start {b} has {space.labels[k]}={found[b, k]:g}; give {space.least[k]:g} to "
            f"{space.most[k]:g}."
        )
    return found


def _known_start(case: Case, space: Space) -> Array:
    """Return the case's start, where it has the unknowns in their form, else the middle."""
    if set(space.names) <= set(case.start):
        with contextlib.suppress(InputError):
            return space.flatten(case.start)
    return space.middle
