"""Predicted observations and objectives, in torch operations."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from lsm_verify.inputs import Inputs, Objective
from lsm_verify.models.column import Columns
from lsm_verify.quantities import STEFAN_BOLTZMANN


def predict(columns: Columns, batch: Sequence[Inputs], T: Tensor) -> Tensor:
    """Predict the observations: (B, series, S + 1), equations (12) to (15)."""
    rows = []
    for k, series in enumerate(batch[0].series):
        if series.kind == "soil_temperature":
            rows.append(torch.einsum("bsn,bn->bs", T, _weights(batch, k, T, midpoints=False)))
        elif series.kind == "soil_heat_flux":
            weights = _weights(batch, k, T, midpoints=True)
            rows.append(torch.einsum("bsn,bn->bs", downward_flux(columns, T), weights))
        elif series.kind == "longwave_up":
            rows.append(longwave_up(columns, T))
        else:
            rows.append(
                torch.cat([torch.zeros_like(T[:, :1, 0]), turbulent_flux(columns, T)], dim=1)
            )
    return torch.stack(rows, dim=1)


def downward_flux(columns: Columns, T: Tensor) -> Tensor:
    """Conduction through every interface (B, S + 1, N) [W m-2], positive down."""
    g = (columns.lam / columns.spacing)[:, None]
    return g * (T[..., :-1] - T[..., 1:])


def longwave_up(columns: Columns, T: Tensor) -> Tensor:
    """Longwave radiation emitted by the surface (B, S + 1) [W m-2], positive up."""
    return columns.emissivity[:, None] * STEFAN_BOLTZMANN * T[..., 0] ** 4


def turbulent_flux(columns: Columns, T: Tensor) -> Tensor:
    """Sensible and latent heat flux at the end of every step (B, S) [W m-2], positive up."""
    return columns.H * (T[:, 1:, 0] - columns.Tair)


def _weights(batch: Sequence[Inputs], k: int, like: Tensor, *, midpoints: bool) -> Tensor:
    """Interpolation weights (B, points) of series ``k``: linear between points, flat outside."""
    rows = []
    for inputs in batch:
        z = np.concatenate([[0.0], np.cumsum(inputs.spacing)])
        points = (z[:-1] + z[1:]) / 2 if midpoints else z
        depth = inputs.series[k].depth
        upper = int(
            np.clip(np.searchsorted(points, depth, side="right") - 1, 0, max(points.size - 2, 0))
        )
        row = np.zeros(points.size)
        row[upper] = 1.0
        if points.size > 1:
            share = (depth - points[upper]) / (points[upper + 1] - points[upper])
            row[upper : upper + 2] = 1.0 - share, share
        rows.append(row)
    return torch.as_tensor(np.stack(rows), dtype=like.dtype, device=like.device)


def score(batch: Sequence[Inputs], objective: Objective, y: Tensor) -> Tensor:
    """Objective (B,) of the predictions, equation (16)."""

    def tensor(arrays: Sequence[np.ndarray]) -> Tensor:
        return torch.as_tensor(np.stack(arrays), dtype=y.dtype, device=y.device)

    if objective.weights is not None:
        w = tensor([objective.weights] * len(batch))
    else:
        w = tensor([np.stack([s.weights for s in b.series]) for b in batch])
    if objective.kind == "probe":
        return (w * y).sum(dim=(1, 2))
    r = y - tensor([np.stack([s.values for s in b.series]) for b in batch])
    total = (w * r * r).sum(dim=(1, 2))
    return total / w.sum(dim=(1, 2)) if objective.kind == "mean-square" else total / 2
