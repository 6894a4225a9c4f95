"""Operations and bytes, counted by hand."""

import math

import pytest

from lsm_verify.bench.floor import (
    NEWTON_STEPS,
    Counted,
    Rates,
    Work,
    count,
    floor,
    operations,
    traffic,
)
from lsm_verify.bench.workloads import Workload

ABLE = Rates(operations=1e10, bytes=1e9)


def test_a_counted_number_counts_every_operation_but_a_sign():
    assert count(lambda x, y: x * y + 2 - x / y, 2) == 4
    assert count(lambda x: 1 - -x, 1) == 1
    assert count(lambda x: x, 1) == 0
    assert isinstance(Counted() + 1, Counted)


def test_forward_run_is_three_operations_a_node():
    """One product and one multiply-add up, one multiply-add down."""
    assert operations("simulate").node == 3
    # R: a product, a sum and four multiply-adds; Newton: x³ is two, numerator and denominator
    # c1 x, c4 x3, one multiply-add, the difference, one multiply-add, the quotient; x - dx.
    assert operations("simulate").step == 5 + NEWTON_STEPS * 9


def test_gradient_adds_the_transposed_sweep_and_two_sums_a_node():
    # Up and down: three; ∂J/∂λ: two differences, a multiply-add; ∂J/∂C: a difference and one.
    assert operations("gradient").node == operations("score").node + 3 + 3 + 2
    assert operations("gradient").step > operations("score").step
    assert operations("checkpointed") == operations("gradient") + operations("simulate")


def test_misfit_is_a_difference_and_a_multiply_add_of_both_series():
    assert operations("score").step - operations("simulate").step == 4


def test_total_multiplies_nodes_and_steps():
    assert Work(node=3, step=10).total(nodes=100, steps=7) == 7 * 310


def test_traffic_counts_what_must_move():
    work = Workload(batch=2, steps=3, nodes=4)
    inputs = 2 * 6 + 3 + 2 * 4  # parameters, SWdown, observations
    assert traffic(work, "score", "float64", "cpu") == 8 * (inputs + 2)
    assert traffic(work, "gradient", "float32", "cpu") == 4 * (inputs + 2 * 7)
    trajectory = 2 * 4 * 5
    assert traffic(work, "simulate", "float64", "cpu") == 8 * (inputs + trajectory)
    assert traffic(work, "gradient", "float64", "cuda") == 8 * (inputs + 2 * 7 + 2 * trajectory)


@pytest.mark.parametrize("mode", ["score", "gradient", "tangent", "simulate"])
def test_floor_is_the_longer_of_arithmetic_and_traffic(mode):
    work = Workload(batch=16, steps=10, nodes=20)
    plain = floor(work, mode, "float64", "cpu", ABLE)
    slow_memory = floor(work, mode, "float64", "cpu", ABLE._replace(bytes=1.0))
    endless = floor(work, mode, "float64", "cpu", Rates(math.inf, 1e9))
    assert slow_memory.bound == "memory"
    assert slow_memory.seconds == plain.bytes
    assert endless.seconds == plain.bytes / 1e9
    assert plain.seconds == max(plain.operations / 1e10, plain.bytes / 1e9)


def test_floor_of_a_batch_is_that_of_its_columns():
    one, many = (
        floor(Workload(b, 10, 20), "gradient", "float64", "cpu", ABLE).operations for b in (1, 50)
    )
    assert many == 50 * one
