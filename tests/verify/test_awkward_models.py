"""Models of other people that once got the wrong verdict: right ones failed, wrong ones passed."""

import sys

import numpy as np
import pytest
from scipy.optimize import rosen, rosen_der

from lsm_verify import InputError, Problem, Reason, Verdict, verify

X = np.array([1.0, 0.7, -0.4])


def by(report, name):
    (found,) = [c for c in report.checks if c.check == name]
    return found


def judged(objective, gradient, x=X, **options):
    problem = {k: options.pop(k) for k in ("scales", "tighter") if k in options}
    return verify(Problem(objective, x, gradients={"mine": gradient}, **problem), **options)


# ------------------------------------------------------------------ wrong, and once passed


def test_an_exit_in_a_function_is_no_verdict():
    with pytest.raises(InputError, match="gradient 'mine' raised SystemExit"):
        judged(rosen, lambda x: sys.exit(0))


def test_right_on_the_first_call_alone():
    calls = []

    def once(x):
        calls.append(x)
        return rosen_der(x) * (1.0 if len(calls) == 1 else 1 / 6)

    report = judged(rosen, once)
    assert report.exit_code == 1
    assert by(report, "determinism").verdict is Verdict.FAIL


def test_a_bound_is_that_of_the_whole_gradient():
    """Every component off by 0.85 τ of the norm: the norm of the error is √20 times that."""
    x = np.linspace(0.3, 1.2, 20)
    norm = np.linalg.norm(np.exp(x))
    report = judged(
        lambda x: np.sum(np.exp(x)), lambda x: np.exp(x) + 8.5e-7 * norm, x, scales=1.0, fast=True
    )
    assert by(report, "finite-difference").bound >= 0.999 * 8.5e-7 * np.sqrt(20)


# ------------------------------------------------------------------ right, and once failed


@pytest.mark.parametrize("error", [6e-7, 9e-7])
def test_an_error_within_the_tolerance_along_every_line(error):
    report = judged(rosen, lambda x: rosen_der(x) * (1 + error))
    assert report.exit_code != 1
    assert by(report, "finite-difference").verdict is Verdict.PASS


@pytest.mark.parametrize("bias", [1e-2, 1e-3, 1e-5])
def test_a_solver_whose_tighter_twin_is_given(bias):
    def solved(tolerance):
        return lambda x: float(np.sum(np.sin(x)) + tolerance * np.sum(x))

    report = judged(solved(bias), np.cos, tighter=solved(bias / 100))
    assert report.exit_code != 1
    wrong = judged(solved(bias), lambda x: np.cos(x) * 1.5, tighter=solved(bias / 100))
    assert wrong.exit_code == 1


def test_structure_below_the_shortest_step():
    """A phase of 1e8 with its own size for a scale: all steps are many periods long."""
    report = judged(lambda x: float(np.sin(x[0])), np.cos, np.array([1e8]))
    assert report.exit_code == 3
    assert by(report, "finite-difference").verdict is Verdict.INCONCLUSIVE


# ------------------------------------------------------------------ right, and once left open


@pytest.mark.parametrize(
    "inactive, slope",
    [
        (lambda x: max(x[0] - 1.2, 0.0), lambda x: 0.0),
        (lambda x: max(x[0] - 1.2, 0.0) ** 2, lambda x: 0.0),
        (lambda x: float(np.clip(x[0], -1.2, 0.8)), lambda x: 0.0),
    ],
)
def test_a_part_that_stands_still_about_the_point(inactive, slope):
    report = judged(
        lambda x: float(np.sum(np.exp(x[1:]))) + inactive(x),
        lambda x: np.array([slope(x), *np.exp(x[1:])]),
        fast=True,
    )
    assert (report.verdict, report.exit_code) == (Verdict.PASS, 0)


def test_a_staircase_is_no_part_that_stands_still():
    report = judged(lambda x: float(np.round(np.sum(np.exp(x)), 3)), lambda x: 0 * x, fast=True)
    assert report.exit_code != 0


def test_two_claims_of_different_precision():
    problem = Problem(
        rosen,
        X,
        gradients={
            "double": rosen_der,
            "single": lambda x: rosen_der(x).astype(np.float32).astype(float),
        },
    )
    report = verify(problem)
    assert (report.verdict, report.exit_code) == (Verdict.PASS, 0)
    tight = verify(problem, tolerance=1e-9)
    assert tight.exit_code in (1, 3)
    assert by(tight, "agreement").reason in (Reason.DISAGREEMENT, Reason.BORDERLINE)


# ------------------------------------------------------------------ warnings are errors here


@pytest.mark.parametrize(
    "objective, gradient, x, scales",
    [
        (lambda x: float(x @ x), lambda x: 2 * x, np.array([1e9, 2e9]), 1.0),
        (lambda x: float(x @ x), lambda x: 2 * x, np.array([1.0, 2.0]), 1e-20),
        (lambda x: 1e200 * float(x @ x), lambda x: 2e200 * x, np.array([1.0, 2.0]), None),
        (lambda x: float(-np.log(x).sum()) if np.all(x > 0.9) else float("inf"),
         lambda x: -1 / x, np.array([1.0, 2.0]), None),
    ],
)  # fmt: skip
def test_numbers_at_the_edge_end_in_a_verdict(objective, gradient, x, scales):
    assert judged(objective, gradient, x, scales=scales).exit_code in (0, 3)
