"""The objective along random lines: ladders, noise, centre."""

import numpy as np
import pytest

from lsm_verify import Problem
from lsm_verify.verify import lines as module
from lsm_verify.verify.directions import DIRECTIONS, random_directions
from lsm_verify.verify.lines import along
from lsm_verify.verify.problem import of_problem

X = np.array([0.3, -0.7, 1.1])


def exp(x):
    return np.sum(np.exp(x))


@pytest.fixture
def target():
    return of_problem(Problem(exp, X, scales=0.5))


def test_the_ladders_are_the_objective_along_the_rows(target):
    found = along(target, 4)
    assert len(found.rows) == len(found.ladders) == DIRECTIONS
    assert found.centre.tolist() == [exp(X)]
    for row, (steps, plus, minus) in zip(found.rows, found.ladders, strict=True):
        assert steps.size == module.PAIRS
        np.testing.assert_allclose(steps[0] / steps, module.RATIO ** np.arange(module.PAIRS))
        np.testing.assert_allclose(plus[0], [exp(X + h * row) for h in steps], rtol=1e-15)
        np.testing.assert_allclose(minus[0], [exp(X - h * row) for h in steps], rtol=1e-15)


def test_no_number_leaves_half_its_scale(target):
    found = along(target, 4)
    assert np.all(np.abs(found.rows) <= target.scale * (1 + 1e-12))
    np.testing.assert_allclose(
        found.rows, found.size[:, None] * random_directions(target, DIRECTIONS, 4), rtol=1e-14
    )


def test_seeded(target):
    one, two, other = (along(target, seed).rows for seed in (0, 0, 1))
    np.testing.assert_array_equal(one, two)
    assert not np.any(one == other)


@pytest.mark.parametrize("sigma", [1e-12, 1e-8, 1e-4])
def test_noise_is_measured_along_each(sigma):
    rng = np.random.default_rng(0)
    noisy = of_problem(Problem(lambda x: exp(x) + sigma * rng.standard_normal(), X))
    noise = along(noisy, 0).noise
    assert noise.shape == (1, DIRECTIONS)
    # The largest of three lines, each known within the factor 4 of ECnoise.
    assert np.all((noise > sigma / 4) & (noise < 8 * sigma))


def test_the_evaluations_are_counted():
    calls = []

    def counted(x):
        calls.append(1)
        return exp(x)

    target = of_problem(Problem(counted, X))
    before = len(calls)
    assert along(target, 0).evaluations == len(calls) - before
