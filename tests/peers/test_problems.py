"""The planted errors are errors, and the correct gradients are correct."""

from __future__ import annotations

import numpy as np
import pytest

from tests.peers.problem import Group
from tests.peers.problems import correct, errors, neither, problems

SMALLEST = 1e-6
"""Below this, in units of ‖g∘s‖, an error is not held against a tool."""

ROUND_OFF = 1e-13
"""Of adjoint and complex step over 48 steps; measured: 5e-15."""

LOOSER = {
    "noise": 1e-10,  # the noise moves the truth by as much
    "float32": 1e-5,  # 60 steps in single precision; measured: 3e-6
    "operator-float32": 1e-6,  # sums of 300 terms; measured: 1e-7
}


def test_there_are_twenty_errors_and_names_are_unique():
    assert len(errors()) == 20
    names = [problem.name for problem in problems()]
    titles = [problem.title for problem in problems()]
    assert len(set(names)) == len(names)
    assert len(set(titles)) == len(titles)
    assert {p.group for p in errors()} == {Group.ERROR}
    assert {p.group for p in correct()} == {Group.CORRECT}


@pytest.mark.parametrize("problem", errors(), ids=lambda p: p.name)
def test_planted_gradient_is_wrong(problem):
    assert not problem.error() <= SMALLEST


@pytest.mark.parametrize("problem", correct(), ids=lambda p: p.name)
def test_correct_gradient_is_right(problem):
    assert problem.error() <= LOOSER.get(problem.name, ROUND_OFF)


@pytest.mark.parametrize("problem", problems(), ids=lambda p: p.name)
def test_gradient_has_the_form_of_the_point(problem):
    gradient = problem.gradient(problem.point)
    assert gradient.keys() == problem.point.keys()
    for name, value in problem.point.items():
        assert np.shape(gradient[name]) == np.shape(value)


@pytest.mark.parametrize("problem", [p for p in problems() if p.pair], ids=lambda p: p.name)
def test_pair_differs_just_where_the_gradient_is_wrong(problem):
    pair = problem.pair
    matrix = np.stack([pair.forward(column) for column in np.eye(pair.columns)], axis=1)
    claimed = np.stack([pair.transpose(row) for row in np.eye(pair.rows)], axis=0)
    same = np.abs(matrix - claimed) <= LOOSER.get(problem.name, ROUND_OFF) * np.abs(matrix).max(
        axis=0
    )
    assert bool(same.all()) is (problem.group is not Group.ERROR)


def test_points_with_nothing_to_conclude_are_what_they_say():
    kink, empty = neither()
    step = {"x": np.array([1e-9, 0.0, 0.0])}
    up = kink.objective({"x": kink.point["x"] + step["x"]}) - kink.objective(kink.point)
    down = kink.objective(kink.point) - kink.objective({"x": kink.point["x"] - step["x"]})
    assert (up - down) / 1e-9 == pytest.approx(1.0, abs=1e-5)
    assert empty.objective(empty.point) == 0.0
    assert not np.any(empty.ravel(empty.gradient(empty.point)))
