"""Columns of a batch are independent of each other, in value and in gradient."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st

from lsm_reference import batch
from lsm_verify.inputs import Inputs
from lsm_verify.models import direct
from lsm_verify.routes.in_torch import torch_run
from lsm_verify.routes.oracle import scores_at
from lsm_verify.strategies import columns, keeping_counterexamples
from tests.properties.test_physics import sunny

EPSILON = float(np.finfo(np.float64).eps)

ROUNDINGS = 4
"""Per node and step: a batched matrix product may add up its terms in another order."""

SCALED = ("thermal_conductivity", "volumetric_heat_capacity", "SWdown")
FACTORS = st.sampled_from((0.5, 0.9, 1.7, 3.0))


def run(columns_: list[Inputs]) -> np.ndarray:
    return np.stack([T for T, _ in torch_run(columns_)])


def neighbour(inputs: Inputs, factor: float) -> Inputs:
    """Another column of the same pattern."""
    scaled = {name: factor * inputs.parameters[name] for name in SCALED}
    return replace(inputs.with_values(scaled), spacing=inputs.spacing / factor)


def difference(inputs: Inputs, a: np.ndarray, b: np.ndarray) -> float:
    """Largest difference, in units of the round-off that it may have."""
    unit = ROUNDINGS * (inputs.spacing.size + 1) * inputs.steps * EPSILON
    return float(np.max(np.abs(a - b) / (unit * np.abs(a))))


@given(
    inputs=columns(),
    factors=st.lists(FACTORS, min_size=1, max_size=4),
)
@keeping_counterexamples()
def test_a_batch_gives_what_its_columns_give_alone(inputs, factors):
    several = [inputs, *(neighbour(inputs, f) for f in factors)]
    for one, found in zip(several, run(several), strict=True):
        assert difference(one, run([one])[0], found) <= 1


@given(inputs=columns(), factor=st.sampled_from((0.5, 3.0)), place=st.integers(0, 2))
@keeping_counterexamples()
def test_a_copy_of_a_column_changes_no_other(inputs, factor, place):
    pair = [inputs, neighbour(inputs, factor)]
    more = list(pair)
    more.insert(place, pair[0])
    before, after = run(pair), run(more)
    kept = [k for k in range(3) if k != place]
    for b, k in zip(before, kept, strict=True):
        assert difference(inputs, b, after[k]) <= 1
    assert difference(inputs, before[0], after[place]) <= 1


@given(inputs=columns(), factors=st.lists(FACTORS, min_size=1, max_size=4), place=st.integers(0, 1))
@keeping_counterexamples()
def test_points_of_the_oracle_are_scored_as_each_alone(inputs, factors, place):
    """The oracle's batch, which finite differences take, shares nothing: not one bit differs."""
    points = [{n: inputs.parameters[n] * f for n in SCALED} for f in factors]
    together = scores_at(inputs, points)
    alone = np.concatenate([scores_at(inputs, [point]) for point in points], axis=1)
    assert np.array_equal(together, alone)
    more = [*points[:place], points[-1], *points[place:]]
    kept = [k for k in range(len(more)) if k != place]
    assert np.array_equal(scores_at(inputs, more)[:, kept], together)


def test_points_that_share_a_state_are_seen(planter):
    inputs = sunny()
    points = [{"SWdown": f * inputs.parameters["SWdown"]} for f in (0.5, 1.0)]
    alone = [scores_at(inputs, [point])[0, 0] for point in points]
    assert scores_at(inputs, points)[0].tolist() == alone
    planter.plant_in_oracle(batch, "stack.SW[k],", "stack.SW[0],")
    assert scores_at(inputs, points)[0].tolist() != alone


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
