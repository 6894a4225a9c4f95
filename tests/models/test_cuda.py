"""The models on a CUDA device; they run where one is at hand."""

from __future__ import annotations

import importlib.util
from dataclasses import replace

import numpy as np
import pytest
import torch

import lsm_verify as lv

pytestmark = [
    pytest.mark.cuda,
    pytest.mark.skipif(
        not torch.cuda.is_available(), reason="no CUDA device; run on a machine that has one"
    ),
]

RELATIVE = 1e-12
"""Other order of summation on the device: some 1e-15 per operation, a few hundred in a row."""


MODELS = (
    "direct",
    pytest.param(
        "fused",
        marks=pytest.mark.skipif(
            importlib.util.find_spec("numba_cuda") is None, reason="needs the extra cuda"
        ),
    ),
)


@pytest.mark.parametrize("name", ["twin", "layered"])
@pytest.mark.parametrize("model", MODELS)
def test_models_give_the_same_on_the_device(name, model):
    case = lv.load_case(name)
    there = lv.simulate(case, model=model, device="cuda").SoilTemp.values
    here = lv.simulate(case, model=model).SoilTemp.values
    np.testing.assert_allclose(there, here, rtol=RELATIVE)


@pytest.mark.parametrize("model", MODELS[1:])
def test_fused_gradients_on_the_device(model):
    from torch.func import jvp, vmap

    from lsm_verify.models import fused
    from lsm_verify.models.column import expand, leaves

    case = lv.load_case("layered").window(24)
    inputs = case.inputs(wrt=())
    found = {}
    for device in ("cpu", "cuda"):
        base = expand(leaves([inputs], device=device, compact=True))
        sight = fused.sight_of([inputs], device=device)
        objective = fused.objective_of([inputs], inputs.objectives[0], device=device)

        def score(x, base=base, sight=sight, objective=objective):
            columns = replace(base, lam=base.lam * x[0], albedo=base.albedo * x[1])
            return fused.score(columns, sight, objective)[0]

        x = torch.tensor([[1.0, 1.0], [1.1, 0.9]], dtype=torch.float64, device=device)
        slopes = vmap(torch.func.grad(score))(x)
        along = jvp(score, (x[0],), (torch.ones_like(x[0]),))[1]
        assert slopes.device.type == device
        found[device] = torch.cat([slopes.ravel(), along[None]]).numpy(force=True)
    np.testing.assert_allclose(found["cuda"], found["cpu"], rtol=1e-9)


def test_gradient_on_the_device_agrees_with_the_adjoint():
    from lsm_verify.models import direct
    from lsm_verify.models.column import expand, leaves
    from lsm_verify.models.observe import predict, score

    case = lv.load_case("twin")
    inputs = case.inputs()
    leaf = leaves([inputs], device="cuda")
    columns = expand(leaf)
    value = score(
        [inputs], inputs.objectives[0], predict(columns, [inputs], direct.simulate(columns))
    )
    names = list(inputs.wrt)
    found = torch.autograd.grad(value.sum(), [leaf.parameters[name] for name in names])
    _, expected = lv.gradient(case, route="adjoint")
    for name, slope in zip(names, found, strict=True):
        assert float(slope) == pytest.approx(float(expected[name]), rel=1e-9)
