"""Dot products of linear operators: right ones pass, wrong ones fail, coarse ones say so."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp

from lsm_verify.errors import InputError
from lsm_verify.verify.operator import WIDTH, Operator, as_operator, operator_product
from lsm_verify.verify.result import Reason, Verdict

TOLERANCE = 1e-6
RNG = np.random.default_rng(5)


def product(operator: Operator, seed: int = 0, tolerance: float = TOLERANCE):
    return operator_product(operator, seed=seed, tolerance=tolerance, name="mine")


def summing(n: int, dtype: str = "float64") -> Operator:
    return Operator(np.cumsum, lambda y: np.cumsum(y[::-1])[::-1], n, dtype)


def dense(matrix: np.ndarray, claimed: np.ndarray | None = None) -> Operator:
    other = matrix.T if claimed is None else claimed
    return Operator(lambda x: matrix @ x, lambda y: other @ y, matrix.shape[1], str(matrix.dtype))


RIGHT = {
    "dense": dense(RNG.standard_normal((12, 10))),
    "graded": dense(RNG.standard_normal((40, 50)) * np.logspace(-6, 6, 50)),
    "one number": dense(np.array([[2.5]])),
    "one row": dense(RNG.standard_normal((1, 400))),
    "summing": summing(2000),
    "identity": Operator(lambda x: x, lambda y: y, 30),
    "difference": Operator(np.diff, lambda y: -np.diff(y, prepend=0, append=0), 300),
}


@pytest.mark.parametrize("operator", RIGHT.values(), ids=RIGHT)
@pytest.mark.parametrize("seed", range(5))
def test_a_right_transpose_passes(operator, seed):
    result = product(operator, seed)
    assert result.verdict is Verdict.PASS
    assert result.primary
    assert result.seed == seed
    assert result.reason is None
    assert result.bound <= 1e-11
    assert result.detectable <= result.bound


def errors(n: int) -> dict[str, Operator]:
    """Operators of size n whose claimed transpose is wrong."""
    a = np.random.default_rng(1).standard_normal((n, n))
    swapped = a.T.copy()
    swapped[[0, 1]] = swapped[[1, 0]]
    forgotten = a.T.copy()
    forgotten[0] = 0
    return {
        "factor 2": dense(a, 2 * a.T),
        "sign": dense(a, -a.T),
        "not transposed": dense(a, a),
        "1e-5 too large": dense(a, a.T * (1 + 1e-5)),
        "two rows swapped": dense(a, swapped),
        "a row forgotten": dense(a, forgotten),
        "boundary of a difference": Operator(
            np.diff, lambda y: -np.diff(y, prepend=0, append=0) * (np.arange(n) > 0), n
        ),
    }


@pytest.mark.parametrize("name", errors(3))
@pytest.mark.parametrize("n", [3, 30, 300])
@pytest.mark.parametrize("seed", range(3))
def test_a_wrong_transpose_fails_whatever_its_size(name, n, seed):
    result = product(errors(n)[name], seed)
    assert result.verdict is Verdict.FAIL
    assert result.reason is Reason.MISMATCH
    assert result.bound is None
    assert result.value > 1


@pytest.mark.parametrize("n", [50, 500])
def test_the_difference_estimates_the_error_of_the_matrix(n):
    # δ is ‖E‖/(√2 ‖A‖) times a normal number: the largest of eight is 1.85 ± 0.46 of it in size,
    # the mean over 20 seeds 1.85 ± 0.10; four times that is allowed.
    a = RNG.standard_normal((n, n))
    e = RNG.standard_normal((n, n)) * 1e-3
    claimed = dense(a, a.T + e.T)
    expected = np.linalg.norm(e) / np.linalg.norm(a) / np.sqrt(2)
    worst = [product(claimed, s, 1.0).value / expected for s in range(20)]
    assert abs(np.mean(worst) - 1.85) < 0.4


@pytest.mark.parametrize("constant", [1e-3, 1.0, 1e3])
def test_what_is_not_linear_fails(constant):
    affine = Operator(lambda x: x + constant, lambda y: y, 50)
    result = product(affine)
    assert result.verdict is Verdict.FAIL
    assert result.message.startswith("A is not linear")
    result = product(Operator(lambda x: x, lambda y: y * np.abs(y), 50))
    assert result.verdict is Verdict.FAIL
    assert result.message.startswith("transpose of A is not linear")


def test_zero_has_no_signal():
    result = product(dense(np.zeros((3, 4))))
    assert result.verdict is Verdict.INCONCLUSIVE
    assert result.reason is Reason.NO_SIGNAL


def test_a_transpose_that_is_zero_fails():
    result = product(dense(RNG.standard_normal((20, 20)), np.zeros((20, 20))))
    assert result.verdict is Verdict.FAIL


@pytest.mark.parametrize("seed", range(10))
def test_single_precision_passes_where_it_can_and_says_where_it_cannot(seed):
    stencil = sp.diags([1.0, -2.0, 1.0], [-1, 0, 1], shape=(500, 500)).tocsr()
    small, _ = as_operator(stencil.astype(np.float32))
    result = product(small, seed)
    assert result.verdict is Verdict.PASS
    assert result.dtype == "float32"
    long = summing(100_000, "float32")
    result = product(long, seed)
    assert result.verdict is Verdict.INCONCLUSIVE
    assert result.reason is Reason.DTYPE
    assert product(long, seed, 1e-3).verdict is Verdict.PASS


def test_double_precision_names_noise():
    result = product(RIGHT["summing"], tolerance=1e-16)
    assert result.verdict is Verdict.INCONCLUSIVE
    assert result.reason is Reason.NOISE


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("n", [3, 30, 1000])
def test_round_off_stays_within_its_width(dtype, n):
    """δ of right operators in units of the measured σ; `WIDTH` leaves room beyond what is seen."""
    a = np.random.default_rng(n).standard_normal((n + 2, n)).astype(dtype)
    for operator in (dense(a), dense(np.abs(a)), summing(n, dtype)):
        for seed in range(15):
            result = product(operator, seed, 1.0)
            delta = result.value - result.detectable  # the tolerance is 1
            sigma = result.detectable / WIDTH
            assert delta <= 0.75 * WIDTH * sigma


def test_the_result_can_be_repeated():
    assert product(RIGHT["dense"], 3) == product(RIGHT["dense"], 3)
    assert product(RIGHT["dense"], 3).value != product(RIGHT["dense"], 4).value


def raising(vector):
    raise ZeroDivisionError("no water")


@pytest.mark.parametrize(
    "operator, wanted",
    [
        (Operator(raising, lambda y: y, 3), "mine: A raised ZeroDivisionError: no water"),
        (Operator(lambda x: x, raising, 3), "mine: transpose of A raised ZeroDivisionError"),
        (Operator(lambda x: x, lambda y: y[:2], 3),
         r"mine: transpose of A returned shape \(2,\); \(3,\) is wanted"),
        (Operator(lambda x: x[None], lambda y: y, 3), r"mine: A returned shape \(1, 3\)"),
        (Operator(lambda x: x[:0], lambda y: y, 3), r"mine: A returned shape \(0,\)"),
        (Operator(lambda x: x * np.nan, lambda y: y, 3), "mine: A returned nan at index 0"),
        (Operator(lambda x: x, lambda y: [*y[:1], np.inf, 0], 3),
         "mine: transpose of A returned inf at index 1"),
        (Operator(lambda x: x * 1j, lambda y: y, 3), "mine: A returned type complex128; real"),
        (Operator(lambda x: ["a"], lambda y: y, 3), "mine: A returned type <U1; real"),
    ],
)  # fmt: skip
def test_misbehaviour_names_the_function(operator, wanted):
    with pytest.raises(InputError, match=wanted):
        product(operator)


def test_a_result_of_varying_length_is_refused():
    lengths = iter([3, 4, 3, 3])
    with pytest.raises(InputError, match=r"A returned shape \(4,\); \(3,\) is wanted"):
        product(Operator(lambda x: np.ones(next(lengths)), lambda y: y, 3))


def test_functions_may_write_into_their_argument():
    def double(x):
        x *= 2
        return x

    assert product(Operator(double, double, 5)).verdict is Verdict.PASS
