"""A parameter means the same in every form: one number, a value each, or knots in time."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lsm_reference import evaluate, parameters
from lsm_verify.inputs import Inputs, Objective, probe_weights
from lsm_verify.models import column
from lsm_verify.quantities import FORCING, PARAMETERS
from lsm_verify.routes import ROUTES
from lsm_verify.strategies import columns, keeping_counterexamples
from tests.properties.test_physics import sunny, with_

EPSILON = float(np.finfo(np.float64).eps)

PULLED_BACK = ("adjoint", "autograd")
"""Routes that form the gradient by each value and add it up; the others move the parameter."""

MANY = {
    name: next(shape for shape in q.shapes if shape != "scalar")
    for name, q in PARAMETERS.items()
    if len(q.shapes) > 1
}


def probed(inputs: Inputs, name: str, seed: int = 0) -> Inputs:
    weights = probe_weights(inputs, seed, everywhere=True)
    return replace(inputs, objectives=(Objective("probe", weights),), wrt=(name,))


def slope(route: str, inputs: Inputs, name: str) -> np.ndarray:
    return ROUTES[route].evaluate([probed(inputs, name)])[0][0][1][name]


def size(inputs: Inputs, name: str) -> int:
    nodes = inputs.spacing.size + 1
    return {"steps": inputs.steps, "nodes": nodes, "interfaces": nodes - 1}[MANY[name]]


def off(found: np.ndarray, terms: np.ndarray, count: int) -> float:
    """Error of a sum of ``terms`` (..., count) in units of the round-off of adding them up."""
    unit = (count + 2) * EPSILON * np.sum(np.abs(terms), axis=-1)
    difference = np.abs(found - np.sum(terms, axis=-1))
    with np.errstate(invalid="ignore", divide="ignore"):
        return float(np.max(np.where(difference == 0, 0.0, difference / unit)))


@st.composite
def with_one_number(draw: st.DrawFn) -> tuple[Inputs, str]:
    inputs = draw(columns(max_interfaces=10, max_steps=4, knots=False))
    names = [n for n, v in inputs.parameters.items() if n in MANY and not v.ndim]
    if not names:
        inputs = with_(inputs, albedo=0.25)
        names = ["albedo"]
    return inputs, draw(st.sampled_from(names))


@given(pair=with_one_number())
@keeping_counterexamples()
def test_one_number_is_that_number_everywhere(model, pair):
    inputs, name = pair
    many = with_(inputs, **{name: np.full(size(inputs, name), inputs.parameters[name])})
    assert np.array_equal(model(many), model(inputs))
    for route in PULLED_BACK:
        each = slope(route, many, name)
        assert off(slope(route, inputs, name), each, each.size) <= 1


@st.composite
def with_knots(draw: st.DrawFn) -> tuple[Inputs, str, np.ndarray]:
    """A column with knots such that every weight and interpolated value is exact.

    Steps and distances of knots are powers of two, values multiples of 1/64: what is compared is
    the interpolation and its transpose, not their rounding.
    """
    inputs = draw(columns(max_interfaces=10, max_steps=4, knots=False))
    names = [n for n in inputs.parameters if MANY.get(n) == "steps" and n not in FORCING]
    name = draw(st.sampled_from(names))
    S = inputs.steps
    inputs = replace(inputs, time_step=draw(st.sampled_from((64.0, 1024.0))) * np.ones(S))
    unit = inputs.time_step[0] * draw(st.sampled_from((0.5, 1.0, 2.0)))
    count = draw(st.integers(1, 4))
    times = unit * (draw(st.integers(-2, 4)) + np.arange(count))
    low, high = {"albedo": (0, 64), "bottom_temperature": (64 * 250, 64 * 320)}.get(name, (32, 640))
    values = np.array(draw(st.lists(st.integers(low, high), min_size=count, max_size=count))) / 64
    inputs = replace(with_(inputs, **{name: values}), knots={name: times})
    return inputs, name, weights(times, inputs)


def weights(times: np.ndarray, inputs: Inputs) -> np.ndarray:
    """Share (steps, knots) of every knot at the end of every step: hat functions."""
    ends = np.cumsum(inputs.time_step)
    hats = np.zeros((ends.size, times.size))
    for k, t in enumerate(times):
        left = times[k - 1] if k > 0 else -np.inf
        right = times[k + 1] if k + 1 < times.size else np.inf
        rise = np.where(ends < t, (ends - left) / (t - left) if np.isfinite(left) else 1.0, 1.0)
        fall = np.where(ends > t, (right - ends) / (right - t) if np.isfinite(right) else 1.0, 1.0)
        hats[:, k] = np.clip(np.minimum(rise, fall), 0.0, 1.0)
    return hats


@given(drawn=with_knots())
@keeping_counterexamples()
def test_knots_are_the_values_that_they_interpolate(model, drawn):
    inputs, name, hats = drawn
    every = with_(inputs, **{name: hats @ inputs.parameters[name]})
    assert np.array_equal(model(every), model(inputs))
    for route in PULLED_BACK:
        each = slope(route, every, name)
        assert off(slope(route, inputs, name), hats.T * each, each.size) <= 1


ERRORS = {
    ("adjoint", "one number"): ("return np.sum(bar) if", "return 0.9 * np.sum(bar) if"),
    ("adjoint", "knots"): (
        "return hats(problem, name).T.dot(bar)",
        "return hats(problem, name)[::-1].T.dot(bar)",
    ),
    ("autograd", "one number"): (
        "value[:, None].expand(B, count) if",
        "(0.9 * value + 0.1 * value.detach())[:, None].expand(B, count) if",
    ),
    ("autograd", "knots"): (
        "leaf.hats[name] @ value[..., None]",
        "leaf.hats[name].flip(1) @ value[..., None]",
    ),
}


@pytest.mark.parametrize("route, form", ERRORS)
def test_a_form_with_another_transpose_is_seen(planter, route, form):
    inputs, hats = sunny(), np.ones((4, 1))
    if form == "knots":
        times = np.cumsum(inputs.time_step)[[0, 2]]
        inputs = replace(with_(inputs, albedo=np.array([0.25, 0.5])), knots={"albedo": times})
        hats = weights(times, inputs)
    many = with_(inputs, albedo=hats @ np.atleast_1d(inputs.parameters["albedo"]))
    terms = hats.T * slope(route, many, "albedo")
    assert off(slope(route, inputs, "albedo"), terms, 4) <= 1
    if route == "adjoint":
        planter.plant(parameters, *ERRORS[route, form], into=(evaluate,))
    else:
        planter.plant(column, *ERRORS[route, form])
    assert off(slope(route, inputs, "albedo"), terms, 4) > 1
