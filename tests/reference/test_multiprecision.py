"""Fifty digits: the run solves its equations that far, and confirms complex step."""

from __future__ import annotations

import mpmath
import numpy as np
import pytest

from lsm_reference import forward, namespace
from lsm_reference.evaluate import complex_step_gradient, simulate
from lsm_reference.multiprecision import DIGITS, as_multiprecision, multiprecision_gradient

ROUND_OFF = 1e-13
"""Complex step against the truth in units of ‖g∘s‖: the round-off of 5 steps in doubles."""


def test_gradient_confirms_complex_step(build, variant):
    problem = build(variant, objectives=("mean-square", "probe"))
    for (value, truth), (found, gradient) in zip(
        multiprecision_gradient(problem), complex_step_gradient(problem), strict=True
    ):
        assert found == pytest.approx(value, rel=ROUND_OFF)
        size = {k: np.abs(v) for k, v in problem.parameters.items()}
        norm = np.sqrt(sum(np.sum((truth[k] * size[k]) ** 2) for k in problem.wrt))
        for k in problem.wrt:
            assert np.max(np.abs(truth[k] - gradient[k]) * size[k]) <= ROUND_OFF * norm


def test_temperatures_carry_the_digits(build):
    with mpmath.workdps(DIGITS):
        problem = as_multiprecision(build(), mpmath.mpf)
        tolerance = mpmath.mpf(10) ** (5 - DIGITS)
        short = simulate(problem, functions=namespace.plain(), tolerance=tolerance).T
    with mpmath.workdps(2 * DIGITS):
        problem = as_multiprecision(build(), mpmath.mpf)
        tolerance = mpmath.mpf(10) ** (5 - 2 * DIGITS)
        long = simulate(problem, functions=namespace.plain(), tolerance=tolerance).T
        worst = max(abs(a / b - 1) for a, b in zip(short.ravel(), long.ravel(), strict=True))
    assert worst < mpmath.mpf(10) ** (3 - DIGITS)


def test_double_precision_run_is_the_exact_one_rounded(build, variant):
    with mpmath.workdps(DIGITS):
        problem = as_multiprecision(build(variant), mpmath.mpf)
        tolerance = mpmath.mpf(10) ** (5 - DIGITS)
        exact = simulate(problem, functions=namespace.plain(), tolerance=tolerance).T.astype(float)
    np.testing.assert_allclose(simulate(build(variant)).T, exact, rtol=16 * np.finfo(float).eps)


def test_an_oracle_short_of_digits_is_seen(build, mutate):
    """A constant rounded to double on the way spoils the fifty digits: the test above can fail."""
    rounded = mutate(forward, "x = x - dx", "x = x - type(x)(float(dx))")
    wrong = namespace.bind(lambda f: f, (*namespace.MODULES, rounded))
    with mpmath.workdps(DIGITS):
        problem = as_multiprecision(build(), mpmath.mpf)
        exact = simulate(problem, functions=namespace.plain(), tolerance=mpmath.mpf("1e-45")).T
        spoiled = simulate(problem, functions=wrong, tolerance=mpmath.mpf("1e-14")).T
        worst = max(abs(a / b - 1) for a, b in zip(exact.ravel(), spoiled.ravel(), strict=True))
        assert worst > mpmath.mpf(10) ** (3 - DIGITS)
