"""From inputs to what the fused kernels take: columns, where they are observed, how they score.

NumPy arrays for the CPU, tensors for a GPU. What all columns of a batch share is kept once.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from lsm_verify import inputs as asked
from lsm_verify.inputs import Inputs
from lsm_verify.kernels.columns import (
    OBSERVATION_KINDS,
    SOIL_HEAT_FLUX,
    SOIL_TEMPERATURE,
    Columns,
    Objective,
    Sight,
)
from lsm_verify.models import column
from lsm_verify.models.fused.arrays import array, canonical

Array = NDArray[Any]


def columns_of(batch: Sequence[Inputs], *, dtype: str = "float64", device: str = "cpu") -> Columns:
    """Return the canonical columns of a batch, in compact form."""
    with torch.no_grad():
        leaf = column.leaves(batch, device=device, dtype=getattr(torch, dtype), compact=True)
        return Columns(*(array(x) for x in canonical(column.expand(leaf))))


def sight_of(batch: Sequence[Inputs], *, dtype: str = "float64", device: str = "cpu") -> Sight:
    """Return where the columns of a batch are observed, equations (12) and (13)."""
    kinds = [OBSERVATION_KINDS[series.kind] for series in batch[0].series]
    found = _rows(batch, _reading)
    return Sight(
        _constant([np.array(kinds)], "int64", device)[0],
        _constant([index for index, _ in found], "int64", device),
        _constant([share for _, share in found], dtype, device),
    )


def objective_of(
    batch: Sequence[Inputs],
    objective: asked.Objective,
    *,
    dtype: str = "float64",
    device: str = "cpu",
) -> Objective:
    """Return how the columns of a batch are scored, equation (16)."""
    found = _rows(batch, _observed)
    weights = [w for _, w in found] if objective.weights is None else [objective.weights]
    return Objective(
        objective.kind,
        _constant([values for values, _ in found], dtype, device),
        _constant(weights, dtype, device),
    )


def _rows(
    batch: Sequence[Inputs], of: Callable[[Inputs], tuple[Array, Array]]
) -> list[tuple[Array, Array]]:
    """Two rows for each column; asked once where grid and series are the same objects."""
    first = batch[0]
    known = of(first)
    return [
        known if b.series is first.series and b.spacing is first.spacing else of(b) for b in batch
    ]


def _constant(rows: Sequence[Array], dtype: str, device: str) -> Any:
    """Stack rows, or keep one if they are all the same."""
    first = rows[0]
    if all(row is first or np.array_equal(row, first) for row in rows):
        rows = rows[:1]
    stacked = np.stack(rows).astype(dtype)
    if torch.device(device).type == "cpu":
        return stacked
    return torch.as_tensor(stacked, device=device)


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


def _observed(inputs: Inputs) -> tuple[Array, Array]:
    """Values and weights (series, S + 1); a missing value has weight zero."""
    values = np.stack([s.values for s in inputs.series])
    weights = np.stack([np.broadcast_to(s.weights, s.values.shape) for s in inputs.series])
    return values, weights
