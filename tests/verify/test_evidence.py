"""What figures are drawn from: from the checks' ladders, reduced so that nothing hides."""

from __future__ import annotations

import json
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lsm_verify import Problem, Verdict, load_case, verify
from lsm_verify.routes import MODELS, ROUTES
from lsm_verify.verify import conservation, replay
from lsm_verify.verify.differences import extrapolated, richardson
from lsm_verify.verify.evidence import DIGITS, Evidence, edges, reduced, rounded
from lsm_verify.verify.result import READABLE

ROUNDED = 10.0 ** (1 - DIGITS)
"""Relative error of a number kept to `DIGITS` digits: half a unit in the last of them at most."""


@given(st.integers(1, 500), st.integers(1, 60))
def test_blocks_cover_everything_once_and_are_alike(count, most):
    cuts = edges(count, most)
    sizes = np.diff(cuts)
    assert (cuts[0], cuts[-1]) == (0, count)
    assert len(sizes) == min(count, most)
    assert sizes.min() >= 1
    assert sizes.max() - sizes.min() <= 1


@given(st.integers(0, 2**32 - 1))
def test_no_block_hides_its_largest_value(seed):
    rng = np.random.default_rng(seed)
    values = rng.standard_normal(rng.integers(1, 40, 2))
    most = rng.integers(1, 12, 2)
    found = reduced(values, *most)
    rows, columns = (edges(n, m) for n, m in zip(values.shape, most, strict=True))
    for i, row in enumerate(pairwise(rows)):
        for j, column in enumerate(pairwise(columns)):
            block = values[slice(*row), slice(*column)]
            assert abs(found[i, j]) == np.abs(block).max()
            assert found[i, j] in block


def test_not_a_number_is_the_largest():
    assert np.isnan(reduced(np.array([1e9, np.nan, 2.0]), 1))[0]


def test_the_window_is_that_of_the_value():
    steps = 0.5 / 4.0 ** np.arange(13)
    plus, minus = np.exp(steps), np.exp(-steps)
    value, uncertainty, window = extrapolated(steps, plus, minus, 1e-16)
    assert (value, uncertainty) == richardson(steps, plus, minus, 1e-16)
    used = (steps <= window[0]) & (steps >= window[1])
    assert used.sum() in (2, 3)
    # Of those steps alone the same value follows, and of others it does not.
    d = ((plus - minus) / (2 * steps))[used]
    for order in (2, 4)[: d.size - 1]:
        d = (4.0**order * d[1:] - d[:-1]) / (4.0**order - 1)
    assert value == d[0]


class TestOfACase:
    @pytest.fixture
    def found(self, report):
        return report.evidence

    def test_differences_show_every_parameter_at_the_start(self, report, found):
        point = report.points[0]
        curves = [c for c in found.differences if c.objective == point.objective]
        assert {c.point for c in found.differences} == {"start"}
        assert {c.parameter for c in curves} == {row.parameter for row in point.rows}
        rows = {row.parameter: row for row in point.rows}
        for curve in curves:
            row = rows[curve.parameter]
            # Digits: products with the scale and their quotients round four times.
            assert curve.estimate == pytest.approx(row.finite_difference * row.scale, rel=1e-15)
            wanted = {n: g * row.scale for n, g in row.gradients.items() if n in curve.claimed}
            assert curve.claimed == pytest.approx(wanted, rel=1e-15)
            assert len(curve.steps) == len(curve.slopes)
            # Between truncation and noise a plain difference is as near as a gradient may be off.
            off = np.abs(np.array(curve.slopes) - curve.estimate)
            assert off.min() < curve.allowed
            assert curve.window[1] < curve.window[0] < curve.steps[0]

    def test_remainders_fall_with_the_rate_that_they_say(self, found):
        assert {c.point for c in found.taylor} == {"start"}
        for curve in found.taylor:
            if curve.rate is None:
                continue
            h, r = np.array(curve.steps), np.array(curve.remainder)
            inside = (h <= curve.window[0] * (1 + ROUNDED)) & (h >= curve.window[1] * (1 - ROUNDED))
            i, j = np.triu_indices(inside.sum(), 1)
            h, r = h[inside], r[inside]
            rates = np.log(r[i] / r[j]) / np.log(h[i] / h[j])
            # Two numbers of a rate over one halving are rounded, each by half of ROUNDED.
            assert np.median(rates) == pytest.approx(curve.rate, abs=2 * ROUNDED / np.log(2))

    def test_the_map_holds_the_hand_adjoint(self, short_twin, found):
        alone, pair = found.maps
        inputs = short_twin.inputs(short_twin.point("start"), wrt=short_twin.free)
        states = ROUTES["adjoint"].adjoint_states([inputs])[0][0]
        assert alone.routes == ("adjoint",)
        assert alone.states == tuple(range(states.shape[0] + 1))
        assert max(map(abs, np.ravel(alone.values))) == pytest.approx(
            np.abs(states).max(), rel=ROUNDED
        )
        assert alone.depths[0] == 0
        assert alone.depths[-1] == pytest.approx(short_twin.grid.nodes[-1], rel=ROUNDED)
        # Another implementation: round-off of a few hundred operations, and not the same code.
        assert pair.routes == ("adjoint", "fused")
        largest = np.abs(pair.values).max()
        assert 0 < largest < 1e-10 * np.abs(states).max()

    def test_energy_curves_are_the_checks(self, report, found):
        checks = {
            c.subject: c
            for c in report.checks
            if c.check == "energy closure" and c.point == "start"
        }
        assert {c.model for c in found.energy} == set(checks) == set(MODELS)
        for curve in found.energy:
            worst = np.abs(curve.ratio).max()
            assert worst <= checks[curve.model].value * (1 + ROUNDED)
            assert curve.limit == checks[curve.model].pass_limit

    def test_long_records_are_reduced(self):
        case = load_case("twin").window(1)
        inputs = case.inputs()
        budget = conservation.Budget(np.arange(400.0), np.ones(400), 0.0, 1.0)
        curve = conservation.curve(inputs, budget, point="", model="m")
        assert len(curve.ratio) == 150
        assert max(curve.ratio) == rounded(np.array([399 / conservation.EPSILON]))[0]


def quadratic(wrong):
    def states(x):
        return np.outer(np.arange(5.0), x)

    def other(x):
        found = states(x)
        found[: 3 if wrong else 0, 1] += 1e-3
        return found

    return Problem(
        lambda x: float(x @ x + np.sin(x).sum()),
        [1.3, 0.7],
        gradients={"a": lambda x: 2 * x + np.cos(x), "b": lambda x: (2 + wrong) * x + np.cos(x)},
        states={"a": states, "b": other},
    )


class TestOfAProblem:
    def test_a_disagreement_is_mapped_and_marked(self):
        report = verify(quadratic(1e-3))
        assert report.verdict is Verdict.FAIL
        alone, pair = report.evidence.maps
        assert (alone.routes, pair.routes) == (("a",), ("a", "b"))
        assert (pair.step, pair.node) == (2, 1)
        assert pair.sentence
        assert np.flatnonzero(np.any(pair.values, axis=1)).tolist() == [0, 1, 2]
        assert np.array(pair.values)[2, 1] == pytest.approx(-1e-3, rel=ROUNDED)
        wrong = [c for c in report.evidence.taylor if c.route == "b"]
        assert wrong
        assert all(c.rate < 2 for c in wrong)

    def test_states_are_not_asked_for_where_all_is_well(self):
        assert verify(quadratic(0)).evidence.maps == ()

    def test_no_curves_of_a_gradient_without_signal(self):
        problem = Problem(lambda x: 1.0, [1.0], gradients={"a": lambda x: 0 * x})
        assert verify(problem).evidence == Evidence()


def test_an_older_file_replays(report, tmp_path):
    content = report.to_json()
    del content["evidence"]
    content["schema_version"] = 2
    file = tmp_path / "old.json"
    file.write_text(json.dumps(content), encoding="utf-8")
    asked = replay.read(file)
    assert 2 in READABLE
    assert replay.compare(asked.before, report).startswith("replay: same verdict")
