"""The raw ladder says what the objective is at the perturbed points, and how far they lie."""

from __future__ import annotations

import numpy as np
import pytest

from lsm_reference import finite_difference, namespace
from lsm_reference.evaluate import complex_step_gradient, scores, simulate
from lsm_reference.finite_difference import ladders, scores_at

RATIO, PAIRS = 4.0, 6
ORDER = 2.0
ORDER_TOLERANCE = 0.1
"""Observed order of central differences: 2 up to the next term of the expansion."""


def points(problem, count):
    return [{**problem.parameters, "emissivity": 0.5 + 0.4 * k / count} for k in range(count)]


def test_scores_are_those_of_single_runs(build, variant):
    problem = build(variant, objectives=("mean-square", "half-sum-of-squares", "probe"))
    asked = points(problem, 5)
    expected = [scores(problem, simulate(problem, p), namespace.compiled()) for p in asked]
    np.testing.assert_allclose(scores_at(problem, asked), np.transpose(expected), rtol=1e-13)


def test_more_points_than_a_chunk(build, monkeypatch):
    problem = build()
    asked = points(problem, 7)
    whole = scores_at(problem, asked)
    monkeypatch.setattr(finite_difference, "CHUNK", 3)
    assert np.array_equal(scores_at(problem, asked), whole)


def test_a_point_without_solution_is_not_a_number_and_leaves_the_others(build):
    problem = build()
    dark = {**problem.parameters, "SWdown": np.full(5, -1e9)}
    found = scores_at(problem, [dict(problem.parameters), dark, dict(problem.parameters)])
    assert np.isnan(found[0, 1])
    assert (
        found[0, 0]
        == found[0, 2]
        == pytest.approx(
            float(scores(problem, simulate(problem), namespace.compiled())[0]), rel=1e-13
        )
    )


@pytest.mark.parametrize(
    "name", ["emissivity", "thermal_conductivity", "Tair", "initial_temperature"]
)
def test_differences_converge_at_second_order(build, name):
    problem = build(objectives=("half-sum-of-squares",))
    value = np.asarray(problem.parameters[name])
    direction = {name: 0.2 * np.abs(value) if name != "Tair" else np.ones(5)}
    (ladder,) = ladders(problem, [direction], 0.5, RATIO, PAIRS)
    slope = np.sum(complex_step_gradient(problem)[0][1][name] * direction[name])
    error = np.abs(ladder.differences[0] - slope)
    order = np.log(error[1] / error[2]) / np.log(RATIO)
    assert order == pytest.approx(ORDER, abs=ORDER_TOLERANCE)


def test_order_shows_a_wrong_slope(build):
    problem = build(objectives=("half-sum-of-squares",))
    (ladder,) = ladders(problem, [{"emissivity": 0.2}], 0.5, RATIO, PAIRS)
    slope = 1.01 * complex_step_gradient(problem)[0][1]["emissivity"] * 0.2
    error = np.abs(ladder.differences[0] - slope)
    assert abs(np.log(error[1] / error[2]) / np.log(RATIO) - ORDER) > ORDER_TOLERANCE


def test_steps_are_those_that_were_taken(build):
    problem = build()
    (ladder,) = ladders(problem, [{"emissivity": 0.3}], 1e-3, RATIO, 14)
    p = problem.parameters["emissivity"]
    nominal = 1e-3 / RATIO ** np.arange(14)
    taken = ((p + nominal * 0.3) - (p - nominal * 0.3)) / 2
    np.testing.assert_array_equal(ladder.steps, taken / 0.3)
    assert not np.array_equal(ladder.steps, nominal)


def test_a_direction_moves_what_it_names_and_several_at_once(build):
    problem = build(objectives=("probe",))
    gradient = complex_step_gradient(problem)[0][1]
    direction = {"albedo": np.full(5, 0.01), "LWdown": np.array([1.0, 0, -2.0, 0, 0])}
    (ladder,) = ladders(problem, [direction], 1e-2, RATIO, 2)
    expected = sum(np.sum(gradient[k] * v) for k, v in direction.items())
    assert ladder.differences[0, 1] == pytest.approx(expected, rel=1e-7)
