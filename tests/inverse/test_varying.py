import numpy as np
import pytest

import lsm_verify as lv
from lsm_verify import InputError, Knots, load_case
from lsm_verify.inverse.evaluate import Evaluator
from lsm_verify.inverse.space import Space
from lsm_verify.inverse.varying import combined, free_only, in_form, per_step, varying
from lsm_verify.parameters import COMBINED

KNOTS = np.linspace(0.0, 360e3, 11)

ROUNDING = 1e-12
"""Relative difference of sums of some hundred derivatives, each with some hundred roundings."""


@pytest.fixture(scope="module")
def twin():
    return load_case("twin")


def message(function, *arguments, **options):
    with pytest.raises(InputError) as caught:
        function(*arguments, **options)
    return str(caught.value)


def gradient(case, at="start"):
    return lv.gradient(case, case.point(at), route="fused")[1]


class TestForms:
    def test_a_value_per_step(self, twin):
        case = varying(twin, "albedo")
        assert np.array_equal(case.start["albedo"], np.full(100, 0.275))
        assert np.array_equal(case.truth["albedo"], np.full(100, 0.2))
        assert [float(end) for end in case.ranges["albedo"]] == [0.05, 0.5]
        assert case.free == twin.free
        assert not case.notes

    def test_knots(self, twin):
        case = varying(twin, "albedo", form=KNOTS, range=(0.1, 0.4))
        assert isinstance(case.start["albedo"], Knots)
        assert np.array_equal(case.start["albedo"].times, KNOTS)
        assert np.array_equal(case.truth["albedo"].values, np.full(11, 0.2))
        assert [float(end) for end in case.ranges["albedo"]] == [0.1, 0.4]

    def test_the_combined_coefficient_replaces_both(self, twin):
        case = varying(twin, COMBINED, form=KNOTS)
        assert "bowen_ratio" not in case.start
        assert np.allclose(case.truth[COMBINED].values, 25.0, rtol=1e-15)
        # corners of the ranges: 5 (1 + 1/5) and 20 (1 + 1/0.5)
        assert [float(end) for end in case.ranges[COMBINED]] == pytest.approx([6.0, 60.0])

    def test_a_fixed_parameter_becomes_free(self, twin):
        known = free_only(twin, ("thermal_conductivity",), twin.truth)
        case = varying(known, "albedo", range=(0.1, 0.4))
        assert case.free == ("thermal_conductivity", "albedo")
        assert "albedo" not in case.fixed
        assert np.array_equal(case.start["albedo"], np.full(100, 0.2))

    def test_fixed_h_and_beta_stay_fixed_when_combined(self, twin):
        case = combined(free_only(twin, ("albedo",), twin.truth))
        assert case.fixed[COMBINED] == pytest.approx(25.0)
        assert case.free == ("albedo",)

    def test_another_form_of_what_varies_already(self):
        layered = load_case("layered")
        case = varying(layered, "albedo", form=KNOTS / 4)
        assert case.start["albedo"].values.shape == (11,)
        assert case.truth is None
        assert case.notes == ("albedo at the truth is not linear between the knots: left out",)

    def test_all_knots_at_the_ends_of_steps_lose_nothing(self):
        layered = load_case("layered")
        ends = np.cumsum(layered.forcing.time_step)
        case = varying(layered, "albedo", form=ends)
        assert np.array_equal(case.truth["albedo"].values, layered.truth["albedo"])

    def test_in_form_and_back(self):
        ends = np.arange(1.0, 6.0)
        knots = in_form(np.array([1.0, 2.0, 3.0, 4.0, 5.0]), np.array([1.0, 5.0]), ends)
        assert np.array_equal(per_step(knots, ends), [1.0, 2.0, 3.0, 4.0, 5.0])


class TestMeaning:
    @pytest.mark.parametrize("form", ["steps", KNOTS])
    def test_the_truth_still_makes_the_observations(self, twin, form):
        case = varying(varying(twin, "albedo", form=form), COMBINED, form=form)
        space = Space.of(case)
        (y,) = Evaluator(case, space).predict(space.scaled(space.flatten(case.truth))[None])
        exact = np.stack([s.values for s in twin.observations.series])
        # scaling the unknowns and back moves them by roundings
        assert np.max(np.abs(y - exact)) < ROUNDING * 300

    def test_derivatives_per_step_add_up_to_that_of_a_constant(self, twin):
        whole = gradient(twin)["albedo"]
        parts = gradient(varying(twin, "albedo"))["albedo"]
        assert parts.sum() == pytest.approx(whole, rel=ROUNDING)

    def test_derivatives_by_knots_are_those_per_step_interpolated(self, twin):
        ends = np.cumsum(twin.forcing.time_step)
        weights = np.stack([np.interp(ends, KNOTS, row) for row in np.eye(11)])
        parts = gradient(varying(twin, "albedo"))["albedo"]
        found = gradient(varying(twin, "albedo", form=KNOTS))["albedo"]
        scale = np.abs(parts).sum()
        assert np.max(np.abs(found - weights @ parts)) < ROUNDING * scale

    def test_the_gradient_by_every_step_and_knot_is_verified(self, twin):
        case = varying(varying(twin, "albedo"), COMBINED, form=KNOTS)
        report = lv.verify(case, fast=True)
        assert report.verdict == lv.Verdict.PASS
        rows = [row for row in report.points[0].rows if row.verdict == lv.Verdict.PASS]
        names = [row.parameter for row in rows]
        assert names.count("albedo") == 100
        assert names.count(COMBINED) == 11


class TestRefused:
    def test_what_does_not_vary_in_time(self, twin):
        assert message(varying, twin, "thermal_conductivity") == (
            "unknown parameter that varies in time 'thermal_conductivity'; known: albedo, "
            "heat_transfer_coefficient, bowen_ratio, turbulent_transfer_coefficient, "
            "bottom_temperature."
        )

    def test_forcing(self, twin):
        assert "unknown parameter that varies in time 'Tair'" in message(varying, twin, "Tair")

    def test_another_form(self, twin):
        assert message(varying, twin, "albedo", form="knots") == (
            "form='knots'; give 'steps', or the times of knots in s."
        )

    def test_unordered_knots(self, twin):
        assert "knot times[1]=0.0 must be greater" in message(varying, twin, "albedo", [1.0, 0.0])

    def test_no_range(self, twin):
        known = free_only(twin, ("thermal_conductivity",), twin.truth)
        assert message(varying, known, "albedo") == (
            "albedo is fixed in case twin; give its range."
        )

    def test_h_where_only_the_combined_coefficient_is(self, twin):
        assert message(varying, combined(twin), "bowen_ratio") == (
            "bowen_ratio has no value in case twin: it has turbulent_transfer_coefficient."
        )

    def test_combining_knots(self, twin):
        case = varying(twin, "heat_transfer_coefficient", form=KNOTS)
        assert "not linear between them" in message(combined, case)

    def test_knowing_what_has_no_value(self, twin):
        assert message(free_only, twin, ("albedo",), {}) == (
            "heat_transfer_coefficient is to be known and has no value; give one."
        )

    def test_freeing_what_is_not_free(self, twin):
        assert "unknown free parameter" in message(free_only, twin, ("emissivity",), twin.truth)
