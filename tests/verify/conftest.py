from collections.abc import Callable

import numpy as np
import pytest

from lsm_verify import Report, load_case, verify
from lsm_verify.cases import Case
from lsm_verify.inputs import Inputs


@pytest.fixture(scope="session")
def short_twin() -> Case:
    """The first five steps of the twin."""
    return load_case("twin").window(5)


@pytest.fixture(scope="session")
def report(short_twin: Case) -> Report:
    """All default routes on a short window, at its start and truth."""
    return verify(short_twin, points=0)


@pytest.fixture
def made_up() -> Callable[..., Inputs]:
    """Inputs of which nothing matters but the names, shapes and scales to differentiate by."""

    def make(**scales: object) -> Inputs:
        arrays = {name: np.asarray(scale, dtype=np.float64) for name, scale in scales.items()}
        return Inputs(
            spacing=np.ones(2),
            time_step=np.ones(1),
            parameters={name: np.ones(scale.shape) for name, scale in arrays.items()},
            series=(),
            wrt=tuple(arrays),
            scales=arrays,
        )

    return make
