"""The exponent of a power law, its error and its verdict."""

import numpy as np
import pytest

from lsm_verify.bench.growth import Fit, Growth, fit, growths
from lsm_verify.bench.rows import GROWTH_BATCHES, GROWTH_NODES, GROWTH_STEPS
from lsm_verify.errors import InputError
from tests.bench.documents import document, entry

SIZES = np.array(GROWTH_NODES, dtype=float)


@pytest.mark.parametrize("exponent", [0.0, 0.9, 1.0, 1.3, 2.0])
def test_exact_power_law_has_its_exponent_and_no_error(exponent):
    found = fit(SIZES, 3e-6 * SIZES**exponent)
    # The sums of a fit on seven logarithms round at some ten ε.
    assert found.exponent == pytest.approx(exponent, abs=1e-13)
    assert found.error < 1e-13
    assert found.upper == pytest.approx(exponent, abs=1e-12)


def test_standard_error_and_bounds_are_those_of_least_squares():
    from scipy.stats import linregress, t

    rng = np.random.default_rng(1)
    seconds = SIZES**1.05 * np.exp(0.1 * rng.standard_normal(SIZES.size))
    found, wanted = fit(SIZES, seconds), linregress(np.log(SIZES), np.log(seconds))
    assert found.exponent == pytest.approx(wanted.slope, rel=1e-12)
    assert found.error == pytest.approx(wanted.stderr, rel=1e-10)
    assert found.upper == pytest.approx(wanted.slope + t.ppf(0.95, 5) * wanted.stderr, rel=1e-10)


def test_upper_bound_covers_the_true_exponent_as_often_as_it_says():
    rng = np.random.default_rng(2)
    noise = np.exp(0.2 * rng.standard_normal((2000, SIZES.size)))
    covered = np.mean([fit(SIZES, SIZES * each).upper >= 1.0 for each in noise])
    # 2000 draws of a chance of 0.95: four standard deviations are 0.02.
    assert covered == pytest.approx(0.95, abs=0.02)


@pytest.mark.parametrize(
    "sizes, seconds",
    [([1, 2], [1, 2]), ([2, 2, 2], [1, 2, 3]), ([1, 2, 3], [1, 0, 3]), ([1, 2, 3], [1, np.nan, 3])],
)
def test_what_has_no_exponent_is_refused(sizes, seconds):
    with pytest.raises(InputError):
        fit(sizes, seconds)


@pytest.mark.parametrize(
    "upper, lower, verdict", [(1.09, 0.9, "holds"), (1.3, 1.0, "open"), (1.4, 1.2, "fails")]
)
def test_verdict_is_one_sided(upper, lower, verdict):
    made = Growth("score", "nodes", (1,), (1.0,), Fit(1.0, 0.1, upper, lower, 7))
    assert made.verdict == verdict


def test_growths_are_read_from_a_result_and_a_planted_square_fails():
    rows = [entry("kernel", "score", 1e-6 * n, columns=8, nodes=n) for n in GROWTH_NODES]
    rows += [entry("kernel", "checkpointed", 1e-6 * n**2, columns=n) for n in GROWTH_BATCHES]
    rows += [entry("kernel", "gradient", 1e-6 * n**2, steps=n) for n in GROWTH_STEPS]
    rows += [entry("kernel", "score", 1e-6 * n, steps=n, threads=2) for n in GROWTH_STEPS]
    rows += [entry("c", "score", 1e-6 * n**3, columns=8, nodes=n) for n in GROWTH_NODES]
    found = {(g.mode, g.size): g for g in growths(document(*rows))}
    assert set(found) == {("score", "nodes"), ("checkpointed", "columns")}
    assert found["score", "nodes"].verdict == "holds"
    assert found["checkpointed", "columns"].verdict == "fails"
    assert found["checkpointed", "columns"].fit.exponent == pytest.approx(2.0)
