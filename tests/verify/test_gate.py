"""The gate does not pass blind: what must not end in PASS, and what must not end in FAIL."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

import lsm_verify as lv
from lsm_verify.routes import ROUTES
from lsm_verify.verify import differences, target


def altered(monkeypatch, name, change):
    """Let a route return something else."""
    route = ROUTES[name]

    def evaluate(batch):
        return [[change(v, dict(g)) for v, g in each] for each in route.evaluate(batch)]

    monkeypatch.setitem(ROUTES, name, replace(route, evaluate=evaluate))


@pytest.fixture
def case():
    return lv.load_case("twin").window(4)


@pytest.fixture
def tiny():
    """Ten interfaces, eight steps by day: the case and what to change of it."""

    def make(*, start, observed=None, **changes):
        steps, fixed = 8, {
            "albedo": 0.2, "turbulent_transfer_coefficient": 15.0, "thermal_conductivity": 1.0,
            "volumetric_heat_capacity": 2e6, "bottom_temperature": 290.0, "emissivity": 0.95,
        }  # fmt: skip
        ranges = {"albedo": (0.05, 0.5), "emissivity": (0.5, 1.0), "SWdown": (0.0, 900.0),
                  "bottom_temperature": (280.0, 300.0), "thermal_conductivity": (0.5, 2.0),
                  "volumetric_heat_capacity": (1e6, 3e6),
                  "turbulent_transfer_coefficient": (5.0, 30.0)}  # fmt: skip
        sun = changes.pop("sun", np.linspace(0.0, 800.0, steps))
        values = np.full(steps + 1, 291.0) if observed is None else observed
        given = {
            "name": "tiny",
            "title": "ten interfaces",
            "grid": lv.Grid.uniform(0.5, 10),
            "forcing": lv.Forcing(np.full(steps, 1800.0), sun, np.full(steps, 320.0),
                                  np.full(steps, 292.0)),
            "observations": lv.Observations((lv.Series("soil_temperature", values, depth=0.03),)),
            "fixed": {k: v for k, v in fixed.items() if k not in start},
            "start": start,
            "ranges": {k: ranges[k] for k in start},
        }  # fmt: skip
        return lv.Case(**{**given, **changes})

    return make


def test_a_wrong_objective_with_the_right_gradient_fails(case, monkeypatch):
    altered(monkeypatch, "autograd", lambda v, g: (1.5 * v + 3.0, g))
    report = lv.verify(case, points=0)
    assert report.exit_code == 1
    failed = [c for c in report.checks if c.verdict is lv.Verdict.FAIL]
    assert {c.odd_one_out for c in failed} == {"autograd"}


def test_differences_that_show_nothing_are_no_proof_if_asked_for(case, monkeypatch):
    monkeypatch.setattr(
        target, "ladders",
        lambda inputs, d, largest, ratio, pairs: [
            (largest / ratio ** np.arange(pairs), *np.full((2, 2, pairs), np.nan)) for _ in d
        ],
    )  # fmt: skip
    asked = lv.verify(case, points=0, routes=["adjoint", "autograd", "finite-difference"])
    assert asked.exit_code == 3
    assert asked.verdict is lv.Verdict.INCONCLUSIVE
    assert lv.verify(case, points=0).exit_code == 0
    assert lv.verify(case, points=0, strict=True).exit_code == 3


@pytest.mark.parametrize("name", ["albedo", "emissivity", "turbulent_transfer_coefficient"])
def test_a_parameter_of_zero_is_no_obstacle(tiny, name):
    start = {name: 0.0, "thermal_conductivity": 1.0}
    assert lv.verify(tiny(start=start), points=0).exit_code == 0


def test_sunshine_of_zero_at_some_steps_may_be_differentiated_by(tiny):
    sun = np.linspace(0.0, 800.0, 8)
    assert lv.verify(tiny(start={"SWdown": sun}), points=1).exit_code == 0


def test_nothing_to_see_is_inconclusive_not_wrong(tiny):
    report = lv.verify(tiny(start={"albedo": 0.2}, sun=np.zeros(8)), points=0)
    assert report.exit_code == 3
    assert not any(c.verdict is lv.Verdict.FAIL for c in report.checks)


def test_knots_are_verified_at_random_points_too(tiny):
    times = np.linspace(0.0, 8 * 1800.0, 5)
    start = {"albedo": lv.Knots(times, np.full(5, 0.3)), "thermal_conductivity": 1.0}
    report = lv.verify(tiny(start=start), points=1)
    assert report.exit_code == 0
    rows = [len(p.rows) for p in report.points]
    assert set(rows) == {6}


def test_start_at_the_truth_is_covered_by_the_probe():
    twin = lv.load_case("twin").window(4)
    report = lv.verify(replace(twin, start=twin.truth), points=0)
    assert report.exit_code == 0
    assert any(c.covered and c.point == "start" for c in report.checks)


def test_observed_late_the_short_window_is_probed_alone(tiny):
    values = np.full(9, np.nan)
    values[8] = 291.0
    report = lv.verify(tiny(start={"thermal_conductivity": 1.0}, observed=values), points=0)
    assert report.exit_code == 0
    window = [c for c in report.checks if c.point == "first 5 steps"]
    assert [c.objective for c in window] == ["probe"]


def test_steps_of_differences_stay_where_the_model_means_something(tiny):
    """A wide range must not lead the ladder to negative conductivity, where J is 1e40."""
    wide = tiny(start={"thermal_conductivity": 0.3, "volumetric_heat_capacity": 2e6})
    wide = replace(wide, ranges={**wide.ranges, "thermal_conductivity": (0.1, 30.0)})
    inputs = wide.inputs()
    assert np.all(target.units(inputs) <= [0.3, 2e6])
    found = differences.estimate(target.of_inputs(inputs))
    assert np.all(found.noise < 1e-10)
    assert lv.verify(wide, points=0, strict=True).exit_code == 0


def test_a_route_that_returns_another_shape_is_named(case, monkeypatch):
    altered(monkeypatch, "autograd", lambda v, g: (v, {**g, "albedo": np.ones(2)}))
    with pytest.raises(ValueError, match="route autograd returned shapes"):
        lv.verify(case, points=0)


def test_points_have_a_limit(case):
    with pytest.raises(lv.InputError, match="at most 10000"):
        lv.verify(case, points=10**9)


@pytest.mark.parametrize("weight", [1e-280, 1e300])
def test_weights_that_would_underflow_are_refused(weight):
    with pytest.raises(lv.InputError, match="rescale them"):
        lv.Series("soil_temperature", [290.0, 291.0], weights=weight)


def test_bowen_ranges_stay_on_one_side():
    twin = lv.load_case("twin")
    with pytest.raises(lv.InputError, match="range of bowen_ratio"):
        replace(twin, ranges={**twin.ranges, "bowen_ratio": (-1.0, 3.0)})


def test_points_of_a_case_have_one_shape():
    twin = lv.load_case("twin")
    truth = {**twin.truth, "thermal_conductivity": np.full(100, 0.8)}
    with pytest.raises(lv.InputError, match="give both the same"):
        replace(twin, truth=truth)


@pytest.mark.parametrize(
    "pair, message",
    [
        ((2e6, 2e6), "must have lower < upper everywhere"),
        ((2.5e6, 1.5e6), "must have lower < upper everywhere"),
        ((1e6,), "must be a pair"),
        (("a", "b"), "must be a number"),
        ((-1.0, 2e6), "must lie in"),
        ((np.full(3, 1e6), np.full(3, 2e6)), "has shape"),
    ],
)
def test_a_range_that_is_no_scale_is_refused(pair, message):
    twin = lv.load_case("twin")
    with pytest.raises(lv.InputError, match=message):
        replace(twin, ranges={**twin.ranges, "volumetric_heat_capacity": pair})


@pytest.mark.parametrize(
    "kind, weights, message",
    [
        ("half_sum", None, "unknown objective 'half_sum'.*Did you mean 'half-sum-of-squares'"),
        ("probe", None, "has no weights"),
        ("mean-square", np.zeros((2, 101)), "nor all zero"),
        ("mean-square", -np.ones((2, 101)), "must not be negative"),
        ("mean-square", np.ones((1, 101)), "have shape"),
        ("probe", np.ones((2, 5)), "have shape"),
        ("probe", 1.0, "have shape"),
        ("probe", np.full((2, 101), np.nan), "must be finite"),
    ],
)
def test_an_objective_that_does_not_fit_is_refused(kind, weights, message):
    with pytest.raises(lv.InputError, match=message):
        lv.gradient(lv.load_case("twin"), objective=lv.Objective(kind, weights))


def test_the_published_method_takes_one_conductivity_only():
    twin = lv.load_case("twin").window(2)
    with pytest.raises(lv.InputError, match="thermal_conductivity per node or interface"):
        lv.gradient(twin, {"thermal_conductivity": np.full(100, 0.8)}, route="autograd-published")


def test_a_point_in_the_other_form_is_refused_when_the_case_is_made():
    twin = lv.load_case("twin")
    truth = {"turbulent_transfer_coefficient": 25.0}
    with pytest.raises(lv.InputError, match="has no value"):
        replace(twin, truth=truth)


def test_verify_wants_a_case():
    with pytest.raises(
        lv.InputError, match=r"has type str; give a Case, load_case\(.twin.\), or a Problem"
    ):
        lv.verify("twin")
