from collections.abc import Callable

import numpy as np
import pytest

from lsm_verify import Report, load_case, verify
from lsm_verify.cases import Case
from lsm_verify.verify.target import Target


@pytest.fixture(scope="session")
def short_twin() -> Case:
    """The first five steps of the twin."""
    return load_case("twin").window(5)


@pytest.fixture(scope="session")
def report(short_twin: Case) -> Report:
    """All default routes on a short window, at its start and truth."""
    return verify(short_twin, points=0)


@pytest.fixture
def made_up() -> Callable[..., Target]:
    """A target of which nothing matters but the names, shapes and scales of its numbers."""

    def ask(*arguments: object) -> object:
        raise AssertionError("the model was asked")

    def make(**scales: object) -> Target:
        arrays = {name: np.asarray(scale, dtype=np.float64) for name, scale in scales.items()}
        flat = np.concatenate([np.ravel(scale) for scale in arrays.values()])
        return Target(
            labels=tuple((n, index) for n, s in arrays.items() for index in np.ndindex(s.shape)),
            x=np.ones(flat.size),
            scale=flat,
            unit=flat,
            objectives=("J",),
            scores=ask,
            ladders=ask,
            sample=ask,
            gradients=ask,
        )

    return make
