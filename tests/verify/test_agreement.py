from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from lsm_verify import Reason, Verdict
from lsm_verify.routes import ROUTES
from lsm_verify.routes.route import Route
from lsm_verify.verify import agreement
from lsm_verify.verify.agreement import EPSILON, FAIL_Z, PASS_Z, compare, pair_z
from lsm_verify.verify.target import Sample, of_inputs, sample

SPREAD = 1e-14
GRADIENT = np.array([3.0, -4.0])
NORM = 5.0


@pytest.fixture
def target(made_up):
    return made_up(albedo=1.0, emissivity=1.0)


def route(gradient=GRADIENT, spread=SPREAD, value=1.0):
    gradient = np.asarray(gradient, dtype=float)
    return Sample(value, gradient, np.broadcast_to(np.asarray(spread, dtype=float), gradient.shape))


def judged(target, **samples):
    return compare(target, samples, point="start", objective="J", seed=0)


def off(z, index=1):
    """The gradient with one component off by z units of joint round-off, about."""
    unit = np.sqrt(2) * SPREAD + EPSILON * (np.abs(GRADIENT) + NORM)
    moved = GRADIENT.copy()
    moved[index] += z * unit[index]
    return moved


class TestPairZ:
    def test_equation(self):
        a, b = route([3.0, 0.0], [1e-14, 0.0]), route([3.0 + 1e-13, 1e-16], [2e-14, 0.0])
        z = pair_z(a, b, norm=6.0, scale=np.array([2.0, 3.0]))
        first = (b.gradient[0] - 3.0) / (np.hypot(1e-14, 2e-14) + EPSILON * (3.0 + 6.0 / 2))
        second = 1e-16 / (EPSILON * (1e-16 + 6.0 / 3))
        np.testing.assert_allclose(z, [first, second], rtol=1e-9)

    def test_nothing_by_nothing_is_nothing(self):
        zero = route([0.0, 0.0], 0.0)
        assert pair_z(zero, zero, norm=0.0, scale=np.ones(2)).tolist() == [0.0, 0.0]

    def test_something_by_nothing_is_infinite(self):
        zero, tiny = route([0.0], 0.0), route([1e-300], 0.0)
        assert pair_z(zero, tiny, norm=0.0, scale=np.ones(1)) > FAIL_Z

    @pytest.mark.parametrize("other", [1.0, np.nan])
    def test_not_a_number_is_infinite(self, other):
        z = pair_z(route([np.nan], 0.0), route([other], 0.0), norm=1.0, scale=np.ones(1))
        assert z.tolist() == [np.inf]


class TestCompare:
    def test_pass(self, target):
        agreed = judged(target, a=route(), b=route(off(1.0)), c=route(off(-1.0, index=0)))
        result = agreed.result
        assert result.verdict is Verdict.PASS
        assert result.reason is None
        assert result.parameters == ()
        assert result.odd_one_out is None
        assert result.subject == "a, b, c"
        assert result.primary
        assert 0.5 < result.value < 2.0
        assert result.bound < agreement.TOLERANCE
        assert agreed.norm == pytest.approx(NORM)

    def test_the_bound_covers_the_difference(self, target):
        moved = off(5.0)
        agreed = judged(target, a=route(), b=route(moved))
        assert np.all(agreed.bound * NORM >= np.abs(moved - GRADIENT))
        assert agreed.result.bound == pytest.approx(
            (np.abs(moved[1] - GRADIENT[1]) + 2 * np.sqrt(2) * SPREAD) / NORM
        )

    def test_fail_names_the_parameter_and_the_odd_one_out(self, target):
        result = judged(target, a=route(), b=route(off(1e6)), c=route()).result
        assert result.verdict is Verdict.FAIL
        assert result.reason is Reason.DISAGREEMENT
        assert result.parameters == ("emissivity",)
        assert result.odd_one_out == "b"
        assert result.message == "b stands apart from the other 2 routes"

    def test_parameters_are_named_worst_first(self, target):
        wrong = np.add(GRADIENT, [1e-9, 1e-6])
        assert judged(target, a=route(), b=route(wrong)).result.parameters == (
            "emissivity",
            "albedo",
        )

    def test_two_routes_have_no_odd_one(self, target):
        result = judged(target, a=route(), b=route(off(1e6))).result
        assert result.verdict is Verdict.FAIL
        assert result.odd_one_out is None
        assert result.message == "a against b"

    def test_two_wrong_in_different_ways_leave_no_single_odd_one(self, target):
        result = judged(
            target, a=route(), b=route(off(1e6)), c=route(off(1e6, index=0)), d=route()
        ).result
        assert result.verdict is Verdict.FAIL
        assert result.odd_one_out is None

    def test_two_wrong_in_the_same_way_are_named_together(self, target):
        wrong = route(off(1e6))
        result = judged(target, a=wrong, b=route(), c=route(), d=wrong, e=route()).result
        assert result.verdict is Verdict.FAIL
        assert result.odd_one_out is None
        assert result.message == "a, d against b, c, e"

    def test_two_against_two(self, target):
        wrong = route(off(1e6))
        result = judged(target, a=wrong, b=route(), c=route(), d=wrong).result
        assert result.message == "a, d against b, c"

    def test_a_camp_that_does_not_agree_in_itself_is_none(self, target):
        result = judged(
            target, a=route(off(1e6)), b=route(), c=route(), d=route(off(2e6)), e=route()
        ).result
        assert "no single route" in result.message

    def test_between_the_limits(self, target):
        result = judged(target, a=route(), b=route(off((PASS_Z + FAIL_Z) / 2))).result
        assert result.verdict is Verdict.INCONCLUSIVE
        assert result.reason is Reason.BORDERLINE
        assert result.parameters == ("emissivity",)

    def test_agreement_within_a_large_noise_is_worth_nothing(self, target):
        result = judged(target, a=route(spread=1e-9), b=route(spread=1e-9)).result
        assert result.verdict is Verdict.INCONCLUSIVE
        assert result.reason is Reason.NOISE
        assert result.bound > agreement.TOLERANCE

    def test_no_signal(self, target):
        noise = route([1e-15, 1e-15])
        result = judged(target, a=noise, b=noise).result
        assert result.verdict is Verdict.INCONCLUSIVE
        assert result.reason is Reason.NO_SIGNAL
        assert result.parameters == ()
        assert not result.covered

    def test_a_zero_gradient_has_no_signal(self, target):
        zero = route([0.0, 0.0], 0.0)
        result = judged(target, a=zero, b=zero).result
        assert result.verdict is Verdict.INCONCLUSIVE
        assert result.reason is Reason.NO_SIGNAL

    def test_another_objective_value_fails(self, target):
        result = judged(target, a=route(), b=route(value=1.0 + 1e-6), c=route()).result
        assert result.verdict is Verdict.FAIL
        assert result.odd_one_out == "b"
        assert "the objective's value differs" in result.message
        assert result.parameters == ()

    def test_an_objective_value_that_is_no_number_fails(self, target):
        assert judged(target, a=route(), b=route(value=np.nan)).result.verdict is Verdict.FAIL

    def test_objective_values_may_differ_by_their_spread(self, target):
        near = replace(route(value=1.0 + 1e-13), value_spread=1e-13)
        assert judged(target, a=route(), b=near).result.verdict is Verdict.PASS

    def test_a_scale_of_zero_would_blind_the_gate(self, made_up):
        with pytest.raises(ValueError, match="scale must be positive"):
            made_up(albedo=0.0, emissivity=1.0)

    def test_a_single_route_is_compared_with_nothing(self, target):
        result = judged(target, a=route()).result
        assert result.verdict is Verdict.INCONCLUSIVE
        assert result.reason is Reason.NOTHING

    @pytest.mark.parametrize("bad", [[np.nan, -4.0], [np.nan, np.nan]])
    def test_a_gradient_that_is_no_number_fails(self, target, bad):
        result = judged(target, a=route(), b=route(bad), c=route()).result
        assert result.verdict is Verdict.FAIL
        assert "albedo" in result.parameters
        assert result.odd_one_out == "b"

    def test_a_gradient_that_is_no_number_fails_beside_components_that_differ(self, target):
        wrong = off(1.0)
        wrong[0] = np.nan
        result = judged(target, a=route(), b=route(wrong, [np.nan, SPREAD])).result
        assert result.verdict is Verdict.FAIL
        assert result.parameters[0] == "albedo"

    def test_all_not_a_number_fails(self, target):
        bad = route([np.nan, np.nan])
        assert judged(target, a=bad, b=bad).result.verdict is Verdict.FAIL

    def test_an_infinite_gradient_fails(self, target):
        bad = route([np.inf, -4.0])
        assert judged(target, a=bad, b=bad, c=route()).result.verdict is Verdict.FAIL

    def test_a_spread_that_is_no_number_is_never_a_pass(self, target):
        for b in (route(), route(off(1e6))):
            for samples in (
                {"a": route(spread=np.nan), "b": b},
                {"b": b, "a": route(spread=np.nan)},
            ):
                assert judged(target, **samples).result.verdict is not Verdict.PASS


class TestSample:
    def test_spread_is_that_of_twelve_copies_and_seeded(self, short_twin):
        inputs = short_twin.inputs()
        sizes = []

        def evaluate(batch):
            sizes.append(len(batch))
            return ROUTES["adjoint"].evaluate(batch)

        counting = Route("counting", "", exact=True, evaluate=evaluate)
        (one,), (two,), (other,) = (sample(counting, inputs, seed) for seed in (0, 0, 1))
        assert sizes == [13, 13, 13]
        np.testing.assert_array_equal(one.spread, two.spread)
        assert not np.array_equal(one.spread, other.spread)
        np.testing.assert_array_equal(one.gradient, other.gradient)
        assert np.all(one.spread > 0)
        # A few hundred roundings of relative size 1e-16 each.
        assert np.all(one.spread < 1e-10 * np.linalg.norm(one.gradient))

    def test_every_route_draws_copies_of_its_own(self, short_twin):
        inputs = short_twin.inputs()
        copies = []

        def evaluate(batch):
            copies.append(np.array([b.spacing for b in batch[1:]]))
            return ROUTES["adjoint"].evaluate(batch)

        for name in ("one", "two"):
            sample(Route(name, "", exact=True, evaluate=evaluate), inputs, 0)
        assert not np.array_equal(*copies)

    def test_a_short_route_is_evaluated_once(self, short_twin):
        inputs = short_twin.inputs()
        sizes = []

        def evaluate(batch):
            sizes.append(len(batch))
            return ROUTES["adjoint"].evaluate(batch)

        (found,) = sample(Route("short", "", True, evaluate, short=True), inputs, 0)
        assert sizes == [1]
        assert found.spread.tolist() == [0.0] * 6


def test_no_signal_at_the_truth_and_the_probe_makes_up_for_it(report):
    at_truth = [c for c in report.checks if c.check == "agreement" and c.point == "truth"]
    misfit, probe = at_truth
    assert (misfit.objective, probe.objective) == ("J", "probe")
    assert misfit.verdict is Verdict.INCONCLUSIVE
    assert misfit.reason is Reason.NO_SIGNAL
    assert misfit.covered
    assert probe.verdict is Verdict.PASS
    assert not probe.covered


def test_an_error_of_1e_minus_9_in_one_component_is_seen(short_twin):
    """The gate's reach on the model itself: what passes grows into what fails."""
    inputs = short_twin.inputs()
    target = of_inputs(inputs)
    samples = {name: sample(ROUTES[name], inputs, 0)[0] for name in ("adjoint", "complex-step")}
    ranks = []
    for error in (0.0, 1e-13, 1e-9):
        moved = samples["adjoint"].gradient * np.where(np.arange(6) == 2, 1 + error, 1.0)
        changed = {**samples, "adjoint": replace(samples["adjoint"], gradient=moved)}
        agreed = compare(target, changed, point="start", objective="J", seed=0)
        ranks.append(agreed.result.value)
        if error == 1e-9:
            assert agreed.result.verdict is Verdict.FAIL
            assert agreed.result.parameters == ("bowen_ratio",)
        if error == 0.0:
            assert agreed.result.verdict is Verdict.PASS
    assert all(low <= high for low, high in pairwise(ranks))
