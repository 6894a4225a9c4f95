"""The torch models on a CUDA device; they run where one is at hand."""

from __future__ import annotations

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


@pytest.mark.parametrize("name", ["twin", "layered"])
def test_direct_model_gives_the_same_on_the_device(name):
    case = lv.load_case(name)
    there = lv.simulate(case, device="cuda").SoilTemp.values
    here = lv.simulate(case).SoilTemp.values
    np.testing.assert_allclose(there, here, rtol=RELATIVE)


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
    _, expected = lv.gradient(case)
    for name, slope in zip(names, found, strict=True):
        assert float(slope) == pytest.approx(float(expected[name]), rel=1e-9)
