"""The adjoint is the transpose of the tangent on any column: the dot-product test."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, target
from hypothesis import strategies as st

from lsm_reference import adjoint, tangent
from lsm_verify import load_case
from lsm_verify.inputs import Inputs, probe_weights
from lsm_verify.verify.directions import scaled_directions
from lsm_verify.verify.dot_product import FAIL_ETA, PASS_ETA, dot_product, product
from lsm_verify.verify.result import Reason, Verdict
from tests.strategies import columns


def seen(inputs: Inputs) -> Inputs:
    """Observed at every state, and without the conduction at a depth.

    In thin layers of high conductivity λ(T_j - T_{j+1})/Δ is round-off times 1e5: its products do
    not cancel to zero and no transpose could make them. `test_flux_of_ordinary_soil` has it.
    """
    kept = []
    for s in inputs.series:
        if s.kind == "soil_heat_flux":
            continue
        values = np.full(s.values.size, 290.0)
        if s.kind == "turbulent_flux":
            values[0] = np.nan
        kept.append(replace(s, values=values, weights=1.0))
    return replace(inputs, series=tuple(kept))


@given(inputs=columns().map(seen), seed=st.integers(0, 2**32 - 1))
def test_dot_product_on_any_column(inputs, seed):
    x, y = scaled_directions(inputs, 1, seed=seed)[0], probe_weights(inputs, seed)
    eta = product(inputs, x, y).eta
    target(eta)
    assert eta <= PASS_ETA


@pytest.mark.parametrize("seed", range(4))
def test_flux_of_ordinary_soil(seed):
    case = load_case("layered").window(12)
    inputs = case.inputs(case.random_points(1, seed)[0])
    assert any(s.kind == "soil_heat_flux" for s in inputs.series)
    assert dot_product(inputs, point="drawn", seed=seed).verdict is Verdict.PASS


@pytest.mark.parametrize(
    "module, old, new",
    [
        (
            adjoint,
            "storage(dz, column.C, column.dt[n], s)",
            "storage(dz, column.C, column.dt[n - 1], s)",
        ),
        (adjoint, "mu[i] = a[i] * mu[i - 1] + b[i]", "mu[i] = a[i - 1] * mu[i - 1] + b[i]"),
        (adjoint, "bar.lam[j] += (T[n, j] - T[n, j + 1])", "bar.lam[j] -= (T[n, j] - T[n, j + 1])"),
        (adjoint, "x = new[0]\n", "x = old[0]\n"),
        (tangent, "dT[0, i] = d.T0[i]", "dT[0, i] = d.T0[0]"),
    ],
)
def test_dot_product_sees_what_is_no_transpose(planter, module, old, new):
    inputs = load_case("layered").window(12).inputs()
    planter.plant_in_oracle(module, old, new)
    result = dot_product(inputs, point="start", seed=0)
    assert result.verdict is Verdict.FAIL
    assert result.reason is Reason.MISMATCH
    assert result.value > FAIL_ETA


def test_an_error_of_1e_8_in_one_step_is_seen(planter):
    inputs = load_case("layered").window(12).inputs()
    planter.plant_in_oracle(adjoint, "/ slope  # (24)", "/ slope * (1 + 1e-8 * (n == 7))  # (24)")
    assert dot_product(inputs, point="start", seed=0).verdict is Verdict.FAIL


def test_nothing_compared_is_no_pass():
    inputs = load_case("twin").window(2).inputs()
    unseen = replace(inputs, series=tuple(replace(s, weights=0.0) for s in inputs.series))
    assert dot_product(unseen, point="start", seed=0).verdict is not Verdict.PASS
