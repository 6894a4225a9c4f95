"""Both models behind one call: inputs in, temperatures out."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from lsm_verify.inputs import Inputs
from lsm_verify.routes.oracle import trajectory
from tests.running import torch_trajectory

Model = Callable[[Inputs], np.ndarray]


@pytest.fixture(scope="session", params=["oracle", "torch"])
def model(request: pytest.FixtureRequest) -> Model:
    return {"oracle": trajectory, "torch": torch_trajectory}[request.param]
