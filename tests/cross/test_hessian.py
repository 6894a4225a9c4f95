"""Second derivatives of the torch model: double backward against the hand adjoint's slope."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from lsm_verify import load_case
from lsm_verify.grid import Grid
from lsm_verify.inputs import Inputs
from lsm_verify.models import direct
from lsm_verify.models.column import expand, leaves
from lsm_verify.models.observe import predict, score
from lsm_verify.routes import ROUTES
from lsm_verify.verify.target import flatten, labels, scales

STEP = 1e-3
"""Step in units of the scales; Richardson leaves STEP⁴ of truncation, and ε / STEP of round-off."""

TOLERANCE = 1e-8
"""Of the scaled Hessian's norm: 1e-3⁴ times a sixth derivative, and 1e-13 of round-off."""

GRADIENT_TOLERANCE = 1e-10


def inputs() -> Inputs:
    case = load_case("twin").window(12)
    return replace(case, grid=Grid.uniform(1.0, 20), truth=None).inputs()


def double_backward(point: Inputs) -> tuple[np.ndarray, np.ndarray]:
    """Gradient and Hessian of J, scaled."""
    leaf = leaves([point])
    columns = expand(leaf)
    y = predict(columns, [point], direct.simulate(columns))
    J = score([point], point.objectives[0], y).sum()
    p = [leaf.parameters[name] for name in point.wrt]
    slope = torch.cat([g.reshape(-1) for g in torch.autograd.grad(J, p, create_graph=True)])
    rows = [
        torch.cat([r.reshape(-1) for r in torch.autograd.grad(g, p, retain_graph=True)])
        for g in slope
    ]
    s = scales(point)
    return slope.detach().numpy() * s, torch.stack(rows).numpy() * s[:, None] * s


def adjoint_gradient(point: Inputs) -> np.ndarray:
    return flatten(point, ROUTES["adjoint"].evaluate([point])[0][0][1]) * scales(point)


def differences(point: Inputs) -> np.ndarray:
    """Hessian by central differences of the adjoint, extrapolated once."""
    columns = []
    for (name, index), s in zip(labels(point), scales(point), strict=True):
        values = []
        for h in (STEP, STEP / 2):
            ends = []
            for sign in (1, -1):
                moved = np.array(point.parameters[name])
                moved[index] += sign * h * s
                ends.append(adjoint_gradient(point.with_values({name: moved})))
            values.append((ends[0] - ends[1]) / (2 * h))
        columns.append((4 * values[1] - values[0]) / 3)
    return np.array(columns).T


def test_double_backward_is_the_slope_of_the_adjoint():
    point = inputs()
    slope, hessian = double_backward(point)
    expected = differences(point)
    assert np.max(np.abs(slope - adjoint_gradient(point))) <= GRADIENT_TOLERANCE * np.linalg.norm(
        slope
    )
    assert np.max(np.abs(hessian - expected)) <= TOLERANCE * np.linalg.norm(expected)
    assert np.max(np.abs(hessian - hessian.T)) <= GRADIENT_TOLERANCE * np.linalg.norm(hessian)


def test_hessian_of_layers_and_fluxes():
    point = (
        load_case("layered").window(4).inputs(wrt=("emissivity", "albedo", "bottom_temperature"))
    )
    hessian, expected = double_backward(point)[1], differences(point)
    assert np.max(np.abs(hessian - expected)) <= TOLERANCE * np.linalg.norm(expected)


def test_one_newton_step_would_give_an_exact_gradient_and_a_wrong_hessian(planter):
    point = inputs()
    expected = differences(point)
    right, _ = double_backward(point)
    planter.plant(direct, "for _ in range(2):", "for _ in range(1):")
    slope, hessian = double_backward(point)
    assert np.max(np.abs(slope - right)) <= GRADIENT_TOLERANCE * np.linalg.norm(right)
    assert np.max(np.abs(hessian - expected)) > 1e4 * TOLERANCE * np.linalg.norm(expected)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_gradient_keeps_the_dtype(dtype):
    point = inputs()
    leaf = leaves([point], dtype=dtype)
    columns = expand(leaf)
    J = score(
        [point], point.objectives[0], predict(columns, [point], direct.simulate(columns))
    ).sum()
    p = [leaf.parameters[name] for name in point.wrt]
    slope = torch.autograd.grad(J, p)
    assert all(g.dtype == dtype for g in slope)
    found = torch.cat([g.reshape(-1) for g in slope]).double().numpy() * scales(point)
    expected = adjoint_gradient(point)
    # 12 steps of single precision, and a misfit that is a difference of temperatures of 300 K.
    limit = {torch.float32: 1e-3, torch.float64: GRADIENT_TOLERANCE}[dtype]
    assert np.max(np.abs(found - expected)) <= limit * np.linalg.norm(expected)
