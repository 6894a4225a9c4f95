"""Second order: products with the Hessian are judged by differences, symmetry and rate."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lsm_reference import second_order
from lsm_verify import load_case
from lsm_verify.errors import NoSolutionError
from lsm_verify.grid import Grid
from lsm_verify.inputs import Inputs, Objective, probe_weights
from lsm_verify.models import direct
from lsm_verify.routes import ROUTES
from lsm_verify.routes.in_torch import torch_hessian_products
from lsm_verify.routes.oracle import hessian_products
from lsm_verify.verify import hessian as check
from lsm_verify.verify.gradient_differences import differences
from lsm_verify.verify.result import CheckResult, Reason, Verdict
from lsm_verify.verify.target import flatten, labels, scales, unflatten, units
from tests.strategies import columns

N, M = 5, 8
WHERE = {"point": "here", "objective": "J", "seed": 0}
RNG = np.random.default_rng(3)
ROOT = RNG.standard_normal((N, N))
MATRIX = ROOT @ ROOT.T
LINEAR = RNG.standard_normal(N)
SKEW = np.triu(RNG.standard_normal((N, N)), 1)
SKEW = SKEW - SKEW.T
NAMES = ("a", "a", "b", "c", "d")


def directions(count: int = M, size: int = N) -> np.ndarray:
    return np.random.default_rng(0).standard_normal((count, size))


def times(matrix: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
    return lambda v: matrix @ v


def quadratic(e: np.ndarray) -> np.ndarray:
    return LINEAR + MATRIX @ e


def curved(e: np.ndarray) -> np.ndarray:
    """Gradient of a function whose Hessian at 0 is MATRIX and changes from there."""
    return quadratic(e) + (1 + 0.3 * np.arange(N)) * (np.exp(e) - 1 - e)


def judged(
    slope: Callable, matrix: np.ndarray, **options: object
) -> tuple[CheckResult, CheckResult, CheckResult]:
    return check.hessian(
        {"mine": times(matrix)}, slope, directions(), names=NAMES, **WHERE, **options
    )


def verdicts(results: Sequence[CheckResult]) -> list[Verdict]:
    return [r.verdict for r in results]


@pytest.mark.parametrize("slope", [quadratic, curved])
def test_the_right_hessian_passes(slope):
    results = judged(slope, MATRIX)
    assert verdicts(results) == [Verdict.PASS] * 3
    assert {r.check for r in results} == {"hessian"}
    assert not any(r.primary for r in results)
    assert results[0].bound < 1e-8
    assert all(r.reason is None and r.parameters == () for r in results)


def test_a_quadratic_has_no_rate_but_the_bound_of_the_noise():
    result = judged(quadratic, MATRIX)[2]
    assert result.verdict is Verdict.PASS
    assert "no rate" in result.message
    assert math.isnan(result.value)  # none was measured: zero would be a perfect one
    assert result.steps == ()
    assert result.bound < 1e-12


def test_the_rate_is_three_where_there_is_one():
    result = judged(curved, MATRIX)[2]
    assert 0 < result.value <= check.WIDTH
    assert "2.9" in result.message or "3.0" in result.message
    assert result.steps[0] > result.steps[1] > 0


def one_row(matrix: np.ndarray) -> np.ndarray:
    wrong = matrix.copy()
    wrong[2] *= 1 + 1e-4
    return wrong


WRONG = {
    "factor": lambda H: 2 * H,
    "small factor": lambda H: (1 + 1e-6) * H,
    "sign": lambda H: -H,
    "transposed sign": lambda H: np.where(np.eye(N) == 1, -H, H),
    "one row": one_row,
    "zero": np.zeros_like,
    "unsymmetric": lambda H: H + 1e-5 * SKEW,
}
SYMMETRIC = {"factor", "small factor", "sign", "transposed sign", "zero"}


@pytest.mark.parametrize("slope", [quadratic, curved])
@pytest.mark.parametrize("what", WRONG)
def test_a_wrong_hessian_fails(what, slope):
    by_differences, symmetry, rate = judged(slope, WRONG[what](MATRIX))
    assert by_differences.verdict is Verdict.FAIL
    assert by_differences.reason is Reason.MISMATCH
    assert rate.verdict is Verdict.FAIL
    assert rate.reason is Reason.RATE
    assert (symmetry.verdict is Verdict.FAIL) is (what not in SYMMETRIC)


def test_the_parameter_of_a_wrong_row_is_named():
    assert judged(curved, one_row(MATRIX))[0].parameters == ("b",)


def test_a_hessian_of_zeros_has_no_symmetry_to_show():
    symmetry = judged(quadratic, np.zeros((N, N)))[1]
    assert (symmetry.verdict, symmetry.reason) == (Verdict.INCONCLUSIVE, Reason.NO_SIGNAL)


def test_an_asymmetry_below_a_parts_per_billion_is_seen():
    """Differences could not: their tolerance is 1e-8."""
    by_differences, symmetry, _ = judged(quadratic, MATRIX + 1e-10 * SKEW)
    assert by_differences.verdict is Verdict.PASS
    assert symmetry.verdict is Verdict.FAIL


def test_the_guilty_route_is_named():
    products = {"right": times(MATRIX), "wrong": times(MATRIX + 1e-5 * SKEW)}
    for result in check.hessian(products, curved, directions(), **WHERE):
        assert result.verdict is Verdict.FAIL
        assert result.subject == "wrong"


def test_a_linear_function_has_no_signal():
    results = judged(lambda e: LINEAR, np.zeros((N, N)))
    assert verdicts(results) == [Verdict.INCONCLUSIVE] * 3
    assert {r.reason for r in results} == {Reason.NO_SIGNAL}
    assert "no rate" in results[2].message


def test_curvature_claimed_for_a_linear_function_fails():
    by_differences, _, rate = judged(lambda e: LINEAR, 1e-3 * MATRIX)
    assert by_differences.verdict is Verdict.FAIL
    assert rate.verdict is Verdict.FAIL


def noisy(level: float) -> Callable[[np.ndarray], np.ndarray]:
    """The curved function with noise that depends on the point alone."""

    def slope(e: np.ndarray) -> np.ndarray:
        seed = np.frombuffer(np.ascontiguousarray(e).tobytes(), dtype=np.uint32)
        return curved(e) + level * np.random.default_rng(seed).standard_normal(N)

    return slope


def test_noise_makes_it_inconclusive_and_is_named():
    by_differences, symmetry, rate = judged(noisy(1e-6), MATRIX)
    assert (by_differences.verdict, by_differences.reason) == (Verdict.INCONCLUSIVE, Reason.NOISE)
    assert by_differences.detectable > check.TOLERANCE
    assert symmetry.verdict is Verdict.PASS
    assert rate.verdict in (Verdict.PASS, Verdict.INCONCLUSIVE)


def test_a_wrong_hessian_fails_through_noise():
    by_differences, _, rate = judged(noisy(1e-6), 1.01 * MATRIX)
    assert by_differences.verdict is Verdict.FAIL
    assert rate.verdict is Verdict.FAIL


def test_noise_of_a_linear_function_gives_no_rate():
    level = 1e-9
    slope = noisy(level)
    result = judged(lambda e: slope(e) - curved(e) + LINEAR, np.zeros((N, N)))[2]
    assert (result.verdict, result.reason) == (Verdict.INCONCLUSIVE, Reason.NO_SIGNAL)
    assert "no rate" in result.message


def test_the_uncertainty_of_the_differences_covers_the_truth():
    """Over noise levels from round-off to 1e-6: |H v - R| ≤ U for all of 10 x 5 numbers."""
    for level in (0.0, 1e-12, 1e-9, 1e-6):
        evidence = differences(noisy(level), directions(10))
        assert np.all(np.abs(evidence.directions @ MATRIX - evidence.value) <= evidence.uncertainty)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_products_that_are_not_numbers_fail(bad):
    wrong = MATRIX.copy()
    wrong[1, 1] = bad
    results = judged(curved, wrong)
    assert verdicts(results) == [Verdict.FAIL] * 3
    assert results[0].value == np.inf


def test_a_gradient_that_is_not_a_number_is_no_evidence():
    by_differences, _, rate = judged(lambda e: np.full(N, np.nan), MATRIX)
    assert by_differences.verdict is Verdict.INCONCLUSIVE
    assert rate.verdict is Verdict.INCONCLUSIVE


def test_steps_beyond_which_there_is_no_gradient_are_left_out():
    def slope(e: np.ndarray) -> np.ndarray:
        return curved(e) if np.max(np.abs(e)) < 0.05 else np.full(N, np.nan)

    assert verdicts(judged(slope, MATRIX)) == [Verdict.PASS] * 3


def test_the_reach_of_every_number_is_respected():
    reach = np.array([1.0, 0.1, 1.0, 0.01, 1.0])
    seen = []

    def slope(e: np.ndarray) -> np.ndarray:
        seen.append(np.abs(e))
        return curved(e)

    assert verdicts(judged(slope, MATRIX, reach=reach)) == [Verdict.PASS] * 3
    farthest = np.max(seen, axis=0)
    assert np.all(farthest <= reach / 2 * (1 + 1e-12))
    assert np.max(farthest / reach) > 0.4


def test_one_direction_has_no_pairs():
    results = check.hessian({"mine": times(MATRIX)}, curved, directions(1), **WHERE)
    assert (results[1].verdict, results[1].reason) == (Verdict.INCONCLUSIVE, Reason.NOTHING)
    assert results[0].verdict is Verdict.PASS


def test_nothing_to_judge_is_an_error():
    with pytest.raises(ValueError, match="no products"):
        check.hessian({}, curved, directions(), **WHERE)


# ---------------------------------------------------------------- our own model


def of(inputs: Inputs, index: int = 0, count: int = 4) -> tuple[CheckResult, ...]:
    """Judge both products of an objective of our model."""
    s, x = scales(inputs), flatten(inputs, inputs.parameters)
    rows = directions(count, x.size)

    def slope(e: np.ndarray) -> np.ndarray:
        there = inputs.with_values(unflatten(inputs, x + s * e))
        try:
            return flatten(inputs, ROUTES["adjoint"].evaluate([there])[0][index][1]) * s
        except NoSolutionError:
            return np.full(x.size, np.nan)

    changes = [unflatten(inputs, s * v) for v in rows]
    found = {
        "second-order adjoint": hessian_products(inputs, changes),
        "double backward": torch_hessian_products(inputs, changes),
    }
    return check.confirm(
        {name: np.stack([flatten(inputs, h[index]) * s for h in H]) for name, H in found.items()},
        differences(slope, rows, units(inputs) / s),
        names=[name for name, _ in labels(inputs)],
        **WHERE,
    )


def with_probe(inputs: Inputs) -> Inputs:
    probe = Objective("probe", probe_weights(inputs, 1))
    return replace(inputs, objectives=(Objective(), probe))


def small(name: str, wrt: tuple[str, ...] | None = None) -> Inputs:
    """Few steps of a case on a coarse grid; the layered one keeps its own and moves everything."""
    case = load_case(name).window(12 if name == "twin" else 4)
    if name == "twin":
        case = replace(case, grid=Grid.uniform(1.0, 20), truth=None)
    every = tuple(case.inputs().parameters) if name == "layered" else None
    return with_probe(case.inputs(wrt=wrt or every) if wrt or every else case.inputs())


@pytest.mark.parametrize("index", [0, 1])
@pytest.mark.parametrize("name", ["twin", "layered"])
def test_both_products_of_the_model_pass(name, index):
    results = of(small(name), index)
    assert verdicts(results) == [Verdict.PASS] * 3, results
    assert results[2].message.startswith("rates")


def test_the_oracle_blames_itself(planter):
    planter.plant_in_oracle(second_order, "4 * mu[0] * dx", "3 * mu[0] * dx")
    inputs = small("twin", wrt=("emissivity", "heat_transfer_coefficient"))
    by_differences, symmetry, rate = of(inputs, 1)
    for result in (by_differences, symmetry, rate):
        assert result.verdict is Verdict.FAIL
        assert result.subject == "second-order adjoint"
    assert by_differences.parameters == ("emissivity",)


def test_one_newton_step_spoils_the_double_backward(planter):
    planter.plant(direct, "for _ in range(2):", "for _ in range(1):")
    by_differences, _, rate = of(small("twin"))
    assert by_differences.verdict is Verdict.FAIL
    assert rate.verdict is Verdict.FAIL
    assert by_differences.subject == rate.subject == "double backward"


@given(inputs=columns(max_interfaces=8, max_steps=4), seed=st.integers(0, 9))
def test_clean_products_stay_below_the_limits(inputs, seed):
    """Any grid, layering, steps, forcing and bottom: no check fails a right product."""
    probe = Objective("probe", probe_weights(inputs, seed, everywhere=True))
    results = of(replace(inputs, objectives=(probe,)), count=3)
    assert Verdict.FAIL not in verdicts(results), results
    assert results[1].verdict is Verdict.PASS or results[1].reason is Reason.NO_SIGNAL
