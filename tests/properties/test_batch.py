"""Columns of a batch are independent of each other, in value and in gradient."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st

from lsm_verify.inputs import Inputs
from lsm_verify.models import direct
from lsm_verify.routes import torch_run
from tests.properties.test_physics import sunny
from tests.strategies import columns

EPSILON = float(np.finfo(np.float64).eps)

ROUNDINGS = 4
"""Per node and step: a batched matrix product may add up its terms in another order."""


def run(batch: list[Inputs]) -> np.ndarray:
    return np.stack([T for T, _ in torch_run(batch)])


def neighbour(inputs: Inputs, factor: float) -> Inputs:
    """Another column of the same pattern."""
    scaled = {
        name: factor * inputs.parameters[name]
        for name in ("thermal_conductivity", "volumetric_heat_capacity", "SWdown")
    }
    return replace(inputs.with_values(scaled), spacing=inputs.spacing / factor)


def difference(inputs: Inputs, a: np.ndarray, b: np.ndarray) -> float:
    """Largest difference, in units of the round-off that it may have."""
    unit = ROUNDINGS * (inputs.spacing.size + 1) * inputs.steps * EPSILON
    return float(np.max(np.abs(a - b) / (unit * np.abs(a))))


@given(
    inputs=columns(),
    factors=st.lists(st.sampled_from((0.5, 0.9, 1.7, 3.0)), min_size=1, max_size=4),
)
def test_a_batch_gives_what_its_columns_give_alone(inputs, factors):
    batch = [inputs, *(neighbour(inputs, f) for f in factors)]
    together = run(batch)
    for one, found in zip(batch, together, strict=True):
        assert difference(one, run([one])[0], found) <= 1


@given(inputs=columns(), factor=st.sampled_from((0.5, 3.0)), place=st.integers(0, 2))
def test_a_copy_of_a_column_changes_no_other(inputs, factor, place):
    pair = [inputs, neighbour(inputs, factor)]
    more = list(pair)
    more.insert(place, pair[0])
    before, after = run(pair), run(more)
    kept = [k for k in range(3) if k != place]
    for b, k in zip(before, kept, strict=True):
        assert difference(inputs, b, after[k]) <= 1
    assert difference(inputs, before[0], after[place]) <= 1


def shared_newton(c1, c4, load, x):
    """A batch that stops Newton for all columns as soon as one has settled: what must not be."""
    for _ in range(direct.MAX_NEWTON):
        x3 = x * x * x
        dx = (c1 * x + c4 * x3 * x - load) / (c1 + 4 * c4 * x3)
        x = x - dx
        if bool((dx.abs() <= 1e-3 * x.abs()).any()):
            break
    return x, torch.ones_like(x, dtype=torch.bool)


def test_columns_that_share_an_iteration_are_seen(monkeypatch):
    inputs = sunny()
    hot = inputs.with_values({"SWdown": inputs.parameters["SWdown"] + 1e6})
    alone = run([hot])[0]
    assert difference(hot, alone, run([inputs, hot])[1]) <= 1
    monkeypatch.setattr(direct, "_newton", shared_newton)
    assert difference(hot, alone, run([inputs, hot])[1]) > 1
