"""The torch model as tests call it: one column in, temperatures out."""

from __future__ import annotations

import numpy as np

from lsm_verify.inputs import Inputs
from lsm_verify.routes.in_torch import torch_run


def torch_trajectory(inputs: Inputs) -> np.ndarray:
    """Temperatures (S + 1, N + 1) of one column."""
    return np.asarray(torch_run([inputs])[0][0])
