"""What is missing does not count: neither its value nor that it is there."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lsm_reference import forward
from lsm_verify.inputs import Inputs, Objective
from lsm_verify.models import fused, observe
from lsm_verify.observations import Series
from lsm_verify.routes import ROUTES
from lsm_verify.routes.route import Evaluation
from lsm_verify.strategies import columns, keeping_counterexamples
from tests.properties.test_physics import sunny

EXACT = tuple(route.name for route in ROUTES.values() if route.exact and not route.short)
OBJECTIVES = (Objective("mean-square"), Objective("half-sum-of-squares"))


def scored(inputs: Inputs, route: str) -> Evaluation:
    few = tuple(n for n in ("albedo", "thermal_conductivity", "Tair") if n in inputs.wrt)
    return ROUTES[route].evaluate([replace(inputs, objectives=OBJECTIVES, wrt=few)])[0]


def same(a: Evaluation, b: Evaluation) -> bool:
    return all(
        x == y and np.isfinite(x) and all(np.array_equal(g[n], h[n]) for n in g)
        for (x, g), (y, h) in zip(a, b, strict=True)
    )


def other_values(inputs: Inputs, value: float) -> Inputs:
    """The same column, in which a value stands wherever the weight is zero."""
    changed = []
    for s in inputs.series:
        values = np.where(s.weights > 0, s.values, value)
        changed.append(replace(s, values=values, weights=s.weights))
    return replace(inputs, series=tuple(changed))


@pytest.mark.parametrize("route", EXACT)
@given(inputs=columns(max_interfaces=6, max_steps=4), value=st.sampled_from((200.0, 300.0)))
@keeping_counterexamples()
def test_a_value_without_weight_changes_no_bit(route, inputs, value):
    assert same(scored(inputs, route), scored(other_values(inputs, value), route))


@pytest.mark.parametrize("route", ["adjoint", "complex-step"])
@given(inputs=columns(max_interfaces=6, max_steps=4))
@keeping_counterexamples()
def test_a_series_without_values_changes_no_bit(route, inputs):
    """These routes add one value after the other: zeros at the end make no other sum."""
    empty = Series("longwave_up", np.full(inputs.steps + 1, np.nan))
    more = replace(inputs, series=(*inputs.series, empty))
    assert same(scored(inputs, route), scored(more, route))


def with_gaps(last: float = 291.0) -> Inputs:
    inputs = sunny()
    values = np.array([288.0, np.nan, 290.0, np.nan, last])
    return replace(inputs, series=(Series("soil_temperature", values, depth=0.05),))


@pytest.mark.parametrize("route", EXACT)
def test_a_value_with_weight_counts(route):
    inputs = with_gaps()
    other = with_gaps(last=291.5)
    assert not same(scored(inputs, route), scored(other, route))


@pytest.mark.parametrize("route", EXACT)
def test_a_score_that_forgets_the_weights_is_seen(planter, route):
    inputs = with_gaps()
    assert same(scored(inputs, route), scored(other_values(inputs, 300.0), route))
    if route == "autograd":
        planter.plant(observe, "(w * r * r).sum", "(r * r).sum")
    elif route == "fused":
        weights = "np.broadcast_to(s.weights, s.values.shape)"
        planter.plant(fused.columns, weights, "np.ones(s.values.shape)", into=(fused,))
    else:
        planter.plant_in_oracle(forward, "total = total + w * d * d", "total = total + d * d")
    assert not same(scored(inputs, route), scored(other_values(inputs, 300.0), route))
