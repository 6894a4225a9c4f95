"""Where the columns of a batch are observed, in the kernels' terms; plain NumPy, without torch."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lsm_verify.inputs import Inputs
from lsm_verify.kernels.columns import (
    OBSERVATION_KINDS,
    SOIL_HEAT_FLUX,
    SOIL_TEMPERATURE,
    Sight,
)

Array = NDArray[Any]


def sight_of(batch: Sequence[Inputs], dtype: str = "float64") -> Sight:
    """Return where the columns of a batch are observed, equations (12) and (13)."""
    kinds = np.array([OBSERVATION_KINDS[series.kind] for series in batch[0].series], np.int64)
    found = rows_of(batch, _reading)
    return Sight(
        kinds,
        stacked([index for index, _ in found], "int64"),
        stacked([share for _, share in found], dtype),
    )


def rows_of(
    batch: Sequence[Inputs], of: Callable[[Inputs], tuple[Array, Array]]
) -> list[tuple[Array, Array]]:
    """Return two rows for each column; asked once where grid and series are the same objects."""
    first = batch[0]
    known = of(first)
    return [
        known if b.series is first.series and b.spacing is first.spacing else of(b) for b in batch
    ]


def stacked(rows: Sequence[Array], dtype: str) -> Array:
    """Stack rows, or keep one if they are all the same."""
    first = rows[0]
    if all(row is first or np.array_equal(row, first) for row in rows):
        rows = rows[:1]
    return np.stack(rows).astype(dtype)


def _reading(inputs: Inputs) -> tuple[Array, Array]:
    """Upper node, or midpoint of an interface, of every series, and the share of the lower one."""
    z = np.concatenate([[0.0], np.cumsum(inputs.spacing)])
    points = {SOIL_TEMPERATURE: z, SOIL_HEAT_FLUX: (z[:-1] + z[1:]) / 2}
    index, share = np.zeros(len(inputs.series)), np.zeros(len(inputs.series))
    for k, series in enumerate(inputs.series):
        at = points.get(OBSERVATION_KINDS[series.kind])
        if at is not None:  # the others belong to the surface
            upper = int(np.searchsorted(at, series.depth, side="right")) - 1
            upper = min(max(upper, 0), at.size - 2)
            index[k] = upper
            share[k] = (series.depth - at[upper]) / (at[upper + 1] - at[upper])
    return index, share
