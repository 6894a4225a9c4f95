"""One small problem for the fused model and for the model in torch operations."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import pytest
import torch
from torch import Tensor

from lsm_verify import load_case
from lsm_verify.inputs import Inputs
from lsm_verify.kernels.columns import QUANTITIES
from lsm_verify.models import direct, fused, observe
from lsm_verify.models.column import Columns, expand, leaves

STEPS = 4
LENGTHS = {"lam": 0, "C": 1, "T0": 1}
"""Entries beyond the number of interfaces; the other quantities vary from step to step."""


def full(columns: Columns, batch: int) -> Columns:
    """Columns in which nothing is shared and everything is written out."""
    N, S = columns.spacing.shape[1], columns.time_step.shape[1]
    spread = {
        name: getattr(columns, name).expand(batch, N + LENGTHS[name] if name in LENGTHS else S)
        for name in QUANTITIES
        if name != "emissivity"
    }
    grid = {name: getattr(columns, name).expand(batch, -1) for name in ("spacing", "time_step")}
    return replace(columns, emissivity=columns.emissivity.expand(batch), **spread, **grid)


@dataclass(frozen=True)
class Small:
    """The layered case, four steps by day, with factors (quantities,) on some quantities."""

    inputs: Inputs
    base: Columns
    names: tuple[str, ...] = ("albedo", "lam", "T0", "emissivity")

    def columns(self, x: Tensor) -> Columns:
        scaled = {n: getattr(self.base, n) * x[i] for i, n in enumerate(self.names)}
        return replace(self.base, **scaled)

    def score(self, x: Tensor) -> Tensor:
        sight, objective = fused.sight_of([self.inputs]), self.objective
        return fused.score(self.columns(x), sight, objective)[0]

    def predict(self, x: Tensor) -> Tensor:
        return fused.predict(self.columns(x), fused.sight_of([self.inputs]))[0]

    @property
    def objective(self):
        return fused.objective_of([self.inputs], self.inputs.objectives[0])

    def direct_predict(self, x: Tensor) -> Tensor:
        columns = full(self.columns(x), 1)
        return observe.predict(columns, [self.inputs], direct.simulate(columns))[0]

    def direct_score(self, x: Tensor) -> Tensor:
        objective = self.inputs.objectives[0]
        return observe.score([self.inputs], objective, self.direct_predict(x)[None])[0]

    @property
    def round_off(self) -> float:
        """Relative: four roundings per node and step in either model, see cross/test_forward."""
        return 8 * (self.inputs.spacing.size + 1) * STEPS * float(np.finfo(np.float64).eps)


@pytest.fixture(scope="session")
def small() -> Small:
    case = load_case("layered").window(STEPS)
    day = replace(case.forcing, SWdown=np.linspace(50.0, 800.0, STEPS))
    inputs = replace(case, forcing=day).inputs(wrt=())
    return Small(inputs, expand(leaves([inputs], compact=True)))


@pytest.fixture(scope="session")
def point() -> Tensor:
    return torch.tensor([1.0, 1.1, 0.99, 0.98], dtype=torch.float64)


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the kernels that were called."""
    from lsm_verify.kernels import cpu

    found: list[str] = []

    def counted(name: str, kernel: Callable) -> Callable:
        def call(*arguments, **options):
            found.append(name)
            return kernel(*arguments, **options)

        return call

    for name in ("simulate", "predict", "score", "gradient", "tangent"):
        monkeypatch.setattr(cpu, name, counted(name, getattr(cpu, name)))
    return found
