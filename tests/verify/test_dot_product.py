from importlib import import_module

import numpy as np
import pytest

from lsm_verify import Reason, Verdict, load_case
from lsm_verify.inputs import probe_weights
from lsm_verify.verify.directions import random_directions
from lsm_verify.verify.target import of_inputs, unflatten

module = import_module("lsm_verify.verify.dot_product")


def even_shares(inputs):
    return dict.fromkeys(inputs.wrt, 0.5)


@pytest.fixture(scope="module", params=["twin", "layered"])
def inputs(request):
    return load_case(request.param).window(6).inputs()


def test_adjoint_is_the_transposed_tangent(inputs):
    result = module.dot_product(inputs, point="start", seed=0)
    assert result.verdict is Verdict.PASS
    assert result.reason is None
    assert 0 < result.value <= module.PASS_ETA
    assert result.evaluations == 2 * module.DIRECTIONS
    assert result.bound == result.value * module.EPSILON
    assert not result.primary


@pytest.mark.parametrize("side", ["forward_product", "transposed_product"])
def test_a_small_error_on_either_side_fails(inputs, side, monkeypatch):
    right = getattr(module, side)

    def wrong(inputs, vector):
        found = right(inputs, vector)
        if isinstance(found, dict):
            return {name: g * (1 + 1e-9) for name, g in found.items()}
        return found * (1 + 1e-9)

    monkeypatch.setattr(module, side, wrong)
    result = module.dot_product(inputs, point="start", seed=0)
    assert result.verdict is Verdict.FAIL
    assert result.reason is Reason.MISMATCH


def test_between_the_limits_new_directions_are_drawn(inputs, monkeypatch):
    monkeypatch.setattr(module, "product", lambda *a: module.Product(30.0, even_shares(inputs)))
    result = module.dot_product(inputs, point="start", seed=5)
    assert result.verdict is Verdict.INCONCLUSIVE
    assert result.reason is Reason.BORDERLINE
    assert result.evaluations == (module.REDRAWS + 1) * 2 * module.DIRECTIONS
    assert result.seed == 5 + 1000 * module.REDRAWS


def test_the_first_clear_draw_decides(inputs, monkeypatch):
    values = iter([30.0] * module.DIRECTIONS + [1.0] * module.DIRECTIONS)
    monkeypatch.setattr(
        module, "product", lambda *a: module.Product(next(values), even_shares(inputs))
    )
    result = module.dot_product(inputs, point="start", seed=5)
    assert result.verdict is Verdict.PASS
    assert result.seed == 1005


def test_one_bad_direction_among_good_ones_fails(inputs, monkeypatch):
    values = iter([1.0, np.inf] + [1.0] * module.DIRECTIONS)
    monkeypatch.setattr(
        module, "product", lambda *a: module.Product(next(values), even_shares(inputs))
    )
    assert module.dot_product(inputs, point="start", seed=0).verdict is Verdict.FAIL


@pytest.mark.parametrize("side", ["forward_product", "transposed_product"])
def test_not_a_number_in_any_direction_fails(inputs, side, monkeypatch):
    right, calls = getattr(module, side), iter(range(100))

    def wrong(inputs, vector):
        found = right(inputs, vector)
        if next(calls) != 3:
            return found
        return (
            {n: g * np.nan for n, g in found.items()} if isinstance(found, dict) else found * np.nan
        )

    monkeypatch.setattr(module, side, wrong)
    assert module.dot_product(inputs, point="start", seed=0).verdict is Verdict.FAIL


def test_nothing_compared_is_inconclusive(inputs, monkeypatch):
    monkeypatch.setattr(module, "probe_weights", lambda inputs, seed: 0 * probe_weights(inputs, 0))
    result = module.dot_product(inputs, point="start", seed=0)
    assert result.verdict is Verdict.INCONCLUSIVE
    assert result.reason is Reason.NOTHING


def test_the_least_share_is_named(inputs):
    assert (
        "least share of the product: " in module.dot_product(inputs, point="start", seed=0).message
    )


def test_size_does_not_matter(inputs):
    (row,) = random_directions(of_inputs(inputs), 1, seed=0)
    x = unflatten(inputs, row)
    y = probe_weights(inputs, 0)
    large = {name: 1024.0 * v for name, v in x.items()}
    assert module.product(inputs, large, y / 4096.0).eta == module.product(inputs, x, y).eta
