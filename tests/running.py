"""The torch model as tests call it: inputs in, arrays out."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from lsm_verify.inputs import Inputs
from lsm_verify.models import direct, observe
from lsm_verify.models.column import expand, leaves


def torch_run(
    batch: Sequence[Inputs], dtype: torch.dtype = torch.float64
) -> tuple[np.ndarray, np.ndarray]:
    """Temperatures (B, S + 1, N + 1) and predictions (B, series, S + 1) of a batch."""
    with torch.no_grad():
        columns = expand(leaves(batch, dtype=dtype))
        T = direct.simulate(columns)
        y = observe.predict(columns, batch, T) if batch[0].series else T[:, :0]
    return np.asarray(T.numpy()), np.asarray(y.numpy())


def torch_trajectory(inputs: Inputs) -> np.ndarray:
    """Temperatures (S + 1, N + 1) of one column."""
    return torch_run([inputs])[0][0]
