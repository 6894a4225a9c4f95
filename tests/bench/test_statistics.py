"""The statistics behind ``bench compare``: exactness, false alarms, power."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from scipy import stats

from lsm_verify.bench import statistics
from tests.bench import timings


def logarithms(blocks, name="a"):
    return [
        np.log([min(block[side].rounds(name)) for block in blocks])
        for side in ("candidate", "base", "base again")
    ]


def aligned(values):
    return values - np.median(values, axis=1, keepdims=True)


def test_p_value_counts_every_assignment():
    values = np.random.default_rng(3).normal(size=(4, 3))
    values[:, 0] += 0.5
    ranks = stats.rankdata(aligned(values)).reshape(4, 3)
    sums = np.array([sum(r[c] for r, c in zip(ranks, pick, strict=True))
                     for pick in itertools.product(range(3), repeat=4)])  # fmt: skip
    seen = ranks[:, 0].sum()
    wanted = min(1.0, 2 * min(np.mean(sums <= seen), np.mean(sums >= seen)))
    assert statistics.aligned_p_value(*values.T) == pytest.approx(wanted, rel=1e-12)


def test_rank_sum_is_mann_and_whitneys_u():
    values = np.random.default_rng(4).normal(size=(9, 3))
    centred = aligned(values)
    u = stats.mannwhitneyu(centred[:, 0], centred[:, 1:].ravel()).statistic
    ranks = stats.rankdata(centred).reshape(9, 3)
    assert ranks[:, 0].sum() - 9 * 10 / 2 == u


def test_p_value_of_equal_times_is_one():
    assert statistics.aligned_p_value(np.zeros(8), np.zeros(8), np.zeros(8)) == 1.0


def test_p_value_is_symmetric():
    candidate, base, again = np.random.default_rng(5).normal(size=(3, 10))
    candidate += 0.7
    up = statistics.aligned_p_value(candidate, base, again)
    down = statistics.aligned_p_value(-candidate, -base, -again)
    assert up == pytest.approx(down, rel=1e-12)
    assert up < 1


def test_p_value_reaches_the_smallest_that_is_planned_with():
    for benchmarks in (1, 20, 500):
        n = statistics.smallest_blocks(0.01, benchmarks)
        assert 2 * 3.0**-n * benchmarks <= 0.01 < 2 * 3.0 ** -(n - 1) * benchmarks
        spread = np.linspace(0, 1e-3, n)
        p = statistics.aligned_p_value(1.0 + spread, spread, spread - 1e-4)
        assert p == pytest.approx(2 * 3.0**-n, rel=1e-9)


def test_p_value_is_right_under_drift_and_bursts():
    # 400 draws: the share below 0.05 has a standard deviation of 0.011, below 0.01 one of 0.005.
    drawn = np.array(
        [
            statistics.aligned_p_value(
                *logarithms(timings.blocks(seed, 12, {"a": 1.0}, drift=0.03))
            )
            for seed in range(400)
        ]
    )
    assert 0.02 < np.mean(drawn < 0.05) < 0.05 + 3 * 0.011
    assert np.mean(drawn < 0.01) < 0.01 + 3 * 0.005


def test_alignment_finds_under_drift_what_plain_ranks_do_not():
    level = np.repeat([0.0, 0.3], 6)  # another user comes half-way and stays
    candidate, base, again = logarithms(timings.blocks(1, 12, {"a": 1.1}, drift=0.0)) + level
    plain = stats.mannwhitneyu(candidate, np.concatenate([base, again])).pvalue
    assert plain > 0.01
    assert statistics.aligned_p_value(candidate, base, again) < 0.001


def test_holm_against_its_definition():
    rng = np.random.default_rng(6)
    p = rng.random(7) ** 3
    corrected = statistics.holm(p)
    for level in np.linspace(0.001, 0.999, 50):
        ordered = np.sort(p)
        rejected = 0
        while rejected < 7 and ordered[rejected] * (7 - rejected) <= level:
            rejected += 1
        assert sum(value <= level for value in corrected) == rejected


def test_shift_and_interval_find_the_planted_change():
    inside = 0
    for seed in range(100):
        sides = logarithms(timings.blocks(seed, 12, {"a": 1.1}))
        values = statistics.differences(*sides)
        low, high = statistics.paired_interval(values, 12)
        shift = statistics.paired_shift(values)
        assert low <= shift <= high
        # Spread 1 % over 12 blocks and two base runs: 0.4 %; disturbed processes widen it.
        assert abs(shift - np.log(1.1)) < 5 * 0.004
        inside += low <= np.log(1.1) <= high
    # Both differences of a block share the candidate: the interval is treated as n values, not 2n.
    assert inside >= 90


def test_shift_resists_a_disturbed_quarter_of_the_blocks():
    values = np.concatenate([np.full(9, 0.1), np.full(3, 5.0)])
    assert statistics.paired_shift(values) == pytest.approx(0.1)


def test_floor_is_seldom_exceeded_by_equal_code():
    above = 0
    for seed in range(100):
        sides = logarithms(timings.blocks(seed, 12, {"a": 1.0}))
        floor = statistics.noise_floor(*sides[1:], np.random.default_rng(seed))
        above += abs(statistics.paired_shift(statistics.differences(*sides))) > floor
    assert above <= 10  # 4 % over 600 other seeds; more than 10 of 100 come once in 400 series


def test_floor_holds_an_offset_of_the_base_against_itself():
    base = np.zeros(20)
    rng = np.random.default_rng(0)
    assert statistics.noise_floor(base, base + 0.07, rng) >= 0.07


def test_floor_shrinks_with_blocks():
    def floor(n):
        sides = logarithms(timings.blocks(2, n, {"a": 1.0}))
        return statistics.noise_floor(sides[1], sides[2], np.random.default_rng(0))

    assert floor(48) < 0.7 * floor(12)  # 1/√4 but for chance


def test_floor_of_a_single_stored_process_is_the_spread_of_processes():
    rng = np.random.default_rng(1)
    session = rng.normal(0, 0.02, 24)
    one = statistics.stored_floor(session, np.zeros(1), np.random.default_rng(0))
    many = statistics.stored_floor(session, session, np.random.default_rng(0))
    assert 0.03 < one < 0.06  # about the largest of 24 normal deviations, 2 standard deviations
    assert many < one / 2


def test_block_minimum_takes_as_many_rounds_from_every_side():
    assert statistics.block_minimum([3.0, 2.0, 1.0], 2) == 2.0


def test_two_sample_estimates():
    rng = np.random.default_rng(7)
    left, right = rng.normal(0.1, 0.01, 24), rng.normal(0, 0.01, 12)
    shift = statistics.two_sample_shift(left, right)
    low, high = statistics.two_sample_interval(left, right, rng)
    assert abs(shift - 0.1) < 4 * 0.01 * np.sqrt(1 / 24 + 1 / 12)
    assert low < shift < high
    assert statistics.two_sample_p_value(left, right) < 1e-4
    assert statistics.two_sample_p_value(left, left) > 0.5
