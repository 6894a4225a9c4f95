"""The adjoint is the transpose of the tangent on any column: the dot-product test."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, target
from hypothesis import strategies as st

from lsm_reference import adjoint, tangent
from lsm_verify import load_case
from lsm_verify.inputs import Inputs, probe_weights, ulp_copies
from lsm_verify.models import direct as torch_model
from lsm_verify.models.column import expand, leaves
from lsm_verify.models.observe import predict
from lsm_verify.observations import Series
from lsm_verify.routes.oracle import forward_product, transposed_product
from lsm_verify.strategies import columns, keeping_counterexamples
from lsm_verify.verify.agreement import FAIL_Z, PASS_Z
from lsm_verify.verify.directions import random_directions
from lsm_verify.verify.dot_product import (
    FAIL_ETA,
    PASS_ETA,
    STEP_PASS_ETA,
    dot_product,
    product,
    step_products,
)
from lsm_verify.verify.result import Reason, Verdict
from lsm_verify.verify.target import COPIES, of_inputs, unflatten

EPSILON = float(np.finfo(np.float64).eps)


def seen(inputs: Inputs, *, conduction: bool = False) -> Inputs:
    """Observed at every state; without ``conduction`` a temperature is where that was observed.

    In thin layers of high conductivity λ(T_j - T_{j+1})/Δ is round-off times 1e5, which only
    `product` counts.
    """
    kept = []
    for s in inputs.series:
        values = np.full(s.values.size, 290.0)
        if s.kind == "turbulent_flux":
            values[0] = np.nan
        swap = s.kind == "soil_heat_flux" and not conduction
        kind = "soil_temperature" if swap else s.kind
        kept.append(Series(kind, values, depth=s.depth))
    return replace(inputs, series=tuple(kept))


def direction(inputs: Inputs, seed: int) -> dict[str, np.ndarray]:
    return unflatten(inputs, random_directions(of_inputs(inputs), 1, seed)[0])


@given(
    inputs=columns().map(lambda inputs: seen(inputs, conduction=True)),
    seed=st.integers(0, 2**32 - 1),
)
@keeping_counterexamples()
def test_dot_product_on_any_column(inputs, seed):
    eta = product(inputs, direction(inputs, seed), probe_weights(inputs, seed)).eta
    target(eta)
    assert eta <= PASS_ETA


@given(inputs=columns().map(seen), seed=st.integers(0, 2**32 - 1))
@keeping_counterexamples()
def test_dot_product_of_every_step_on_any_column(inputs, seed):
    result = step_products(inputs, point="drawn", seed=seed)
    target(result.value)
    assert result.value <= STEP_PASS_ETA


# ------------------------------------------------------------------ the adjoint of the adjoint


Twice = tuple[np.ndarray, np.ndarray]
"""(Aᵀ)ᵀx (series, steps + 1), and the size of its round-off or of what was added up for it."""


def twice_by_oracle(inputs: Inputs, x: dict[str, np.ndarray]) -> Twice:
    """Transpose the adjoint's matrix, row by row: ((Aᵀ)ᵀx)_i = ⟨x, Aᵀe_i⟩."""
    shape = (len(inputs.series), inputs.steps + 1)
    result, size = np.zeros(shape), np.zeros(shape)
    for index in np.ndindex(shape):
        unit = np.zeros(shape)
        unit[index] = 1.0
        row = transposed_product(inputs, unit)
        terms = [np.ravel(x[name].astype(np.longdouble) * row[name]) for name in inputs.wrt]
        result[index] = np.sum(np.concatenate(terms))
        size[index] = np.sum(np.abs(np.concatenate(terms)))
    return result, size


def twice_by_torch(inputs: Inputs, x: dict[str, np.ndarray]) -> Twice:
    """Let autograd differentiate ⟨Aᵀv, x⟩ by v: what its backward pass is the transpose of.

    Autograd cancels in the soil where the hand adjoint subtracts, so its round-off is measured, as
    in the agreement of routes: on copies whose inputs are moved by an ulp.
    """
    batch = [inputs, *ulp_copies(inputs, COPIES, np.random.default_rng(0))]
    leaf = leaves(batch)
    columns_ = expand(leaf)
    y = predict(columns_, batch, torch_model.simulate(columns_))
    v = torch.zeros_like(y, requires_grad=True)
    rows = torch.autograd.grad(
        y,
        [leaf.parameters[name] for name in inputs.wrt],
        v,
        create_graph=True,
        materialize_grads=True,
    )
    along = sum(
        (row * torch.as_tensor(x[name])).sum() for name, row in zip(inputs.wrt, rows, strict=True)
    )
    twice = torch.autograd.grad(along, v)[0].numpy()
    return twice[0], twice[1:].std(axis=0, ddof=1)


def apart(twice: np.ndarray, once: np.ndarray, unit: np.ndarray) -> float:
    """Largest difference in units of its round-off; 0/0 = 0."""
    difference = np.abs(twice - once)
    with np.errstate(invalid="ignore", divide="ignore"):
        return float(np.max(np.where(difference == 0, 0.0, difference / unit)))


def compare_twice(inputs: Inputs, x: dict[str, np.ndarray]) -> tuple[float, float]:
    """η of the oracle's adjoint, transposed, and z of autograd's, against the tangent."""
    once = forward_product(inputs, x)
    oracle, size = twice_by_oracle(inputs, x)
    autograd, spread = twice_by_torch(inputs, x)
    unit = EPSILON * (np.abs(once) + size)
    return apart(oracle, once, unit), apart(autograd, once, unit + spread)


@given(inputs=columns(max_interfaces=6, max_steps=3).map(seen), seed=st.integers(0, 2**32 - 1))
@keeping_counterexamples()
def test_the_adjoint_of_the_adjoint_is_the_tangent(inputs, seed):
    eta, z = compare_twice(inputs, direction(inputs, seed))
    target(max(eta / PASS_ETA, z / PASS_Z))
    assert eta <= PASS_ETA
    assert z <= PASS_Z


@pytest.mark.parametrize("where", ["tangent", "adjoint", "torch"])
def test_what_is_no_adjoint_of_the_adjoint_is_seen(planter, where):
    inputs = seen(load_case("layered").window(3).inputs())
    x = direction(inputs, 0)
    eta, z = compare_twice(inputs, x)
    assert eta <= PASS_ETA
    assert z <= PASS_Z
    if where == "tangent":
        planter.plant_in_oracle(tangent, *EMISSION)
    elif where == "adjoint":
        planter.plant_in_oracle(adjoint, *EMISSION)
    else:
        planter.plant(torch_model, "x = x - (c1 * x + c4", "x = x - (c1 * x.detach() + c4")
    eta, z = compare_twice(inputs, x)
    assert (eta > FAIL_ETA) == (where != "torch")
    assert (z > FAIL_Z) == (where != "adjoint")


EMISSION = (
    "+ 4 * column.eps * SIGMA * x * x * x\n",
    "+ 4.00001 * column.eps * SIGMA * x * x * x\n",
)


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
