"""Sensitivities to every state of the run, by the routes that go backward in time."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from lsm_verify import Objective, load_case
from lsm_verify.inputs import probe_weights
from lsm_verify.mutants.workloads import WORKLOADS
from lsm_verify.routes import ROUTES, fused

STEPS = 20


def asked(name):
    """Every kind of observation and of objective; observations end before the record does."""
    case = WORKLOADS[name]() if name in WORKLOADS else load_case(name).window(STEPS)
    inputs = case.inputs(wrt=case.free)
    early = np.arange(inputs.steps + 1) < inputs.steps - 3
    series = []
    for s in inputs.series:
        weights = np.broadcast_to(s.weights, s.values.shape)
        series.append(replace(s, values=np.where(early & (weights > 0), s.values, np.nan)))
    inputs = replace(inputs, series=tuple(series))
    probe = Objective("probe", probe_weights(inputs, 3, everywhere=True))
    return replace(inputs, objectives=(Objective(), Objective("half-sum-of-squares"), probe))


@pytest.mark.parametrize("name", ["twin", "layered", "sealed-knots"])
@pytest.mark.parametrize(
    "route, at_once",
    [("autograd", fused.AT_ONCE), ("fused", 1), ("fused", 5000), ("fused", fused.AT_ONCE)],
)
def test_states_are_those_of_the_oracle(monkeypatch, name, route, at_once):
    """However many windows the kernels are asked for in one call."""
    monkeypatch.setattr(fused, "AT_ONCE", at_once)
    batch = [asked(name), asked(name)]
    known = ROUTES["adjoint"].adjoint_states(batch)
    found = ROUTES[route].adjoint_states(batch)
    assert len(found) == len(known)
    for mine, theirs in zip(found, known, strict=True):
        assert mine.shape == theirs.shape == (3, batch[0].steps + 1, batch[0].spacing.size + 1)
        for each, oracle in zip(mine, theirs, strict=True):
            assert np.max(np.abs(oracle)) > 0
            np.testing.assert_allclose(each, oracle, rtol=0, atol=1e-12 * np.max(np.abs(oracle)))
