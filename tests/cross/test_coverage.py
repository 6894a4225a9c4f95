"""Finite differences as evidence: the stated uncertainty covers the truth.

The truth is complex step, exact to some 1e-13 of ‖g∘s‖, three digits below the smallest U.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from lsm_verify import load_case
from lsm_verify.inputs import Objective, probe_weights
from lsm_verify.routes import ROUTES
from lsm_verify.verify import differences
from lsm_verify.verify.target import flatten, of_inputs, scales

ROUND_OFF = 1e-12
"""Error of complex step itself in units of ‖g∘s‖, with room to spare."""

NORM, COMPONENT, WEIGHTY = 1e-8, 1e-6, 1e-3
"""What differences must reach: U s ≤ 1e-8 ‖g∘s‖, and U ≤ 1e-6 |g| from a share of 1e-3."""


@pytest.mark.parametrize("name, count", [("twin", 20), ("twin-one-depth", 10), ("layered", 2)])
def test_uncertainty_covers_the_truth(name, count):
    case = load_case(name)
    for seed, point in enumerate(case.random_points(count, 7)):
        inputs = case.inputs(point, wrt=case.free)
        objectives = (Objective(), Objective("probe", probe_weights(inputs, seed)))
        inputs = replace(inputs, objectives=objectives)
        target = of_inputs(inputs)
        found = differences.estimate(target)
        exact = ROUTES["complex-step"].evaluate([inputs])[0]
        scale = scales(inputs)
        for index, (_, gradient) in enumerate(exact):
            truth = flatten(inputs, gradient)
            norm = np.linalg.norm(truth * scale)
            u = found.uncertainty[index] / target.unit
            error = np.abs(found.value[index] / target.unit - truth)
            assert np.all(error <= u + ROUND_OFF * norm / scale)
            assert np.all(u * scale <= NORM * norm)
            heavy = np.abs(truth) * scale >= WEIGHTY * norm
            assert np.all(u[heavy] <= COMPONENT * np.abs(truth[heavy]))


def test_an_understated_uncertainty_would_be_noticed():
    """The check above can fail: a tenth of U does not cover."""
    case = load_case("twin")
    missed = 0
    for point in case.random_points(10, 7):
        inputs = case.inputs(point, wrt=case.free)
        found = differences.estimate(of_inputs(inputs))
        truth = flatten(inputs, ROUTES["complex-step"].evaluate([inputs])[0][0][1])
        error = np.abs(found.value[0] - truth * found.target.unit)
        missed += int(np.sum(error > 0.1 * found.uncertainty[0]))
    assert missed > 0
