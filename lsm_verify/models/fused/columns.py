"""From inputs to what the fused kernels take: columns, where they are observed, how they score.

NumPy arrays for the CPU, tensors for a GPU. What all columns of a batch share is kept once.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from lsm_verify import inputs as asked
from lsm_verify.inputs import Inputs
from lsm_verify.kernels.columns import Columns, Objective, Sight
from lsm_verify.models import column, sight
from lsm_verify.models.fused.arrays import array, canonical
from lsm_verify.models.sight import rows_of, stacked

Array = NDArray[Any]


def columns_of(batch: Sequence[Inputs], *, dtype: str = "float64", device: str = "cpu") -> Columns:
    """Return the canonical columns of a batch, in compact form."""
    with torch.no_grad():
        leaf = column.leaves(batch, device=device, dtype=getattr(torch, dtype), compact=True)
        return Columns(*(array(x) for x in canonical(column.expand(leaf))))


def sight_of(batch: Sequence[Inputs], *, dtype: str = "float64", device: str = "cpu") -> Sight:
    """Return where the columns of a batch are observed, equations (12) and (13)."""
    found = sight.sight_of(batch, dtype)
    return Sight(found.kind, *(_there(each, device) for each in found[1:]))


def objective_of(
    batch: Sequence[Inputs],
    objective: asked.Objective,
    *,
    dtype: str = "float64",
    device: str = "cpu",
) -> Objective:
    """Return how the columns of a batch are scored, equation (16)."""
    found = rows_of(batch, _observed)
    weights = [w for _, w in found] if objective.weights is None else [objective.weights]
    return Objective(
        objective.kind,
        _constant([values for values, _ in found], dtype, device),
        _constant(weights, dtype, device),
    )


def _constant(rows: Sequence[Array], dtype: str, device: str) -> Any:
    """Stack rows, or keep one if they are all the same, on a device."""
    return _there(stacked(rows, dtype), device)


def _there(values: Array, device: str) -> Any:
    """Return an array for the CPU, a tensor for a GPU."""
    if torch.device(device).type == "cpu":
        return values
    return torch.as_tensor(values, device=device)


def _observed(inputs: Inputs) -> tuple[Array, Array]:
    """Values and weights (series, S + 1); a missing value has weight zero."""
    values = np.stack([s.values for s in inputs.series])
    weights = np.stack([np.broadcast_to(s.weights, s.values.shape) for s in inputs.series])
    return values, weights
