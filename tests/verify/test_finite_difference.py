from dataclasses import replace

import numpy as np
import pytest

from lsm_verify import NoSolutionError, Reason, Verdict
from lsm_verify.verify import finite_difference as fd
from lsm_verify.verify.differences import Estimate, estimate, richardson
from lsm_verify.verify.directions import along_parameters
from lsm_verify.verify.finite_difference import confirm, confirm_all
from lsm_verify.verify.kinks import Kink
from lsm_verify.verify.target import flatten, of_inputs

STEPS = fd.LARGEST_STEP / fd.RATIO ** np.arange(fd.PAIRS)
EPSILON = np.finfo(np.float64).eps
DRAWS = 200

FUNCTIONS = {
    "exp": (np.exp, np.exp),
    "sin": (np.sin, np.cos),
    "cubic": (lambda x: x**3 - 2 * x**2 + x - 5, lambda x: 3 * x**2 - 4 * x + 1),
    "quintic": (lambda x: x**5 - x, lambda x: 5 * x**4 - 1),
    "quotient": (lambda x: 1 / (1 + x**2), lambda x: -2 * x / (1 + x**2) ** 2),
    "line": (lambda x: 3 * x + 1, lambda x: 3.0),
}


def ladder(function, x, rng, sigma):
    """Function at x ± h, with Gaussian noise, and the level of the noise, round-off included."""
    plus = function(x + STEPS) + sigma * rng.standard_normal(fd.PAIRS)
    minus = function(x - STEPS) + sigma * rng.standard_normal(fd.PAIRS)
    floor = EPSILON * max(np.abs(plus).max(), np.abs(minus).max()) / 4
    return plus, minus, max(sigma, floor)


class TestRichardson:
    @pytest.mark.parametrize("sigma", [0.0, 1e-14, 1e-10, 1e-6, 1e-3])
    @pytest.mark.parametrize("name", FUNCTIONS)
    def test_covers_the_truth_in_every_draw(self, name, sigma):
        function, derivative = FUNCTIONS[name]
        for seed in range(DRAWS):
            rng = np.random.default_rng(seed)
            x = rng.uniform(-2, 2)
            value, uncertainty = richardson(STEPS, *ladder(function, x, rng, sigma))
            assert abs(value - derivative(x)) <= uncertainty, seed

    @pytest.mark.parametrize("name", FUNCTIONS)
    def test_is_sharp(self, name):
        """Without noise of its own a smooth function is known to ten digits and more."""
        function, _ = FUNCTIONS[name]
        for seed in range(20):
            rng = np.random.default_rng(seed)
            _, uncertainty = richardson(STEPS, *ladder(function, rng.uniform(-2, 2), rng, 0.0))
            assert uncertainty < 1e-9

    def test_too_small_a_noise_misses_the_truth(self):
        """The coverage above is the noise's doing: with a thousandth of it, it is lost."""
        missed = 0
        for seed in range(DRAWS):
            rng = np.random.default_rng(seed)
            x = rng.uniform(-2, 2)
            plus, minus, _ = ladder(np.sin, x, rng, 1e-6)
            value, uncertainty = richardson(STEPS, plus, minus, 1e-9)
            missed += abs(value - np.cos(x)) > uncertainty
        assert missed > DRAWS / 20

    def test_uncertainty_grows_with_the_noise(self):
        found = [
            richardson(STEPS, np.exp(STEPS), np.exp(-STEPS), sigma)[1]
            for sigma in (1e-16, 1e-12, 1e-8, 1e-4)
        ]
        assert found == sorted(found)
        assert found[-1] > 1e3 * found[0]

    def test_points_without_solution_are_passed_over(self):
        plus, minus = np.sin(1 + STEPS), np.sin(1 - STEPS)
        plus[:3] = np.nan
        value, uncertainty = richardson(STEPS, plus, minus, EPSILON)
        assert abs(value - np.cos(1)) <= uncertainty < 1e-8

    def test_no_three_neighbours_are_no_evidence(self):
        plus, minus = np.sin(1 + STEPS), np.sin(1 - STEPS)
        plus[2::3] = np.nan
        value, uncertainty = richardson(STEPS, plus, minus, EPSILON)
        assert np.isnan(value)
        assert uncertainty == np.inf

    def test_nothing_at_all(self):
        empty = np.full(fd.PAIRS, np.nan)
        value, uncertainty = richardson(STEPS, empty, empty, EPSILON)
        assert np.isnan(value)
        assert uncertainty == np.inf


def found(target, value, uncertainty, **changes):
    """Evidence on one objective: derivatives by every number, and their uncertainty."""
    along = along_parameters(target, None, 0)
    zero = np.zeros((1, len(value)))
    made = Estimate(
        target=target,
        along=along,
        scores=np.array([1.0]),
        value=np.array([value], dtype=float) * target.unit,
        uncertainty=np.array([uncertainty], dtype=float) * target.unit,
        noise=zero,
        solver=zero,
        kinks=((None,) * len(value),),
        change=zero + 1.0,
        evaluations=10,
        seed=0,
    )
    return replace(made, **changes)


class TestConfirm:
    def judge(self, target, value, uncertainty, gradient, norm=None, **changes):
        gradient = np.array(gradient, dtype=float)
        norm = float(np.linalg.norm(gradient * target.scale)) if norm is None else norm
        return confirm(
            found(target, value, uncertainty, **changes), 0, gradient, norm,
            point="start", objective="J", subject="adjoint",
        )  # fmt: skip

    @pytest.fixture
    def target(self, made_up):
        return made_up(albedo=0.5, emissivity=2.0)

    def test_pass(self, target):
        result, verdicts = self.judge(target, [4.0, 1.0], [1e-9, 1e-9], [4.0, 1.0])
        assert result.verdict is Verdict.PASS
        assert result.reason is None
        assert result.parameters == ()
        assert verdicts == [Verdict.PASS, Verdict.PASS]
        norm = np.hypot(4.0 * 0.5, 1.0 * 2.0)
        assert result.bound == pytest.approx(1e-9 * np.hypot(0.5, 2.0) / norm)
        assert result.value == pytest.approx(1e-9 / (fd.TOLERANCE * norm / 2.0))

    def test_fail_names_the_parameter(self, target):
        result, verdicts = self.judge(target, [4.0, 1.0 + 1e-6], [1e-9, 1e-9], [4.0, 1.0])
        assert result.verdict is Verdict.FAIL
        assert result.reason is Reason.MISMATCH
        assert result.parameters == ("emissivity",)
        assert verdicts == [Verdict.PASS, Verdict.FAIL]
        assert result.value > result.fail_limit

    def test_differences_too_noisy_to_tell(self, target):
        result, verdicts = self.judge(target, [4.0, 1.0], [1e-9, 1e-3], [4.0, 1.0])
        assert result.verdict is Verdict.INCONCLUSIVE
        assert result.reason is Reason.NOISE
        assert result.parameters == ("emissivity",)
        assert verdicts == [Verdict.PASS, Verdict.INCONCLUSIVE]
        assert result.detectable == pytest.approx(2e-3 / np.hypot(2.0, 2.0))

    def test_no_signal(self, target):
        result, _ = self.judge(target, [1e-4, 0.0], [1e-3, 1e-3], [1e-4, 1e-5])
        assert result.verdict is Verdict.INCONCLUSIVE
        assert result.reason is Reason.NO_SIGNAL

    def test_a_zero_gradient_never_passes(self, target):
        result, _ = self.judge(target, [0.0, 0.0], [0.0, 0.0], [0.0, 0.0])
        assert result.verdict is Verdict.INCONCLUSIVE
        assert result.reason is Reason.NO_SIGNAL
        assert result.bound is None

    def test_a_gradient_claimed_zero_fails_where_there_is_one(self, target):
        result, _ = self.judge(target, [4.0, 1.0], [1e-9, 1e-9], [0.0, 0.0])
        assert result.verdict is Verdict.FAIL
        assert result.parameters == ("albedo", "emissivity")

    def test_a_small_component_is_held_against_the_whole(self, target):
        small = 1e-6  # of ‖g∘s‖ 2: below WEIGHTY
        result, _ = self.judge(target, [4.0, small * (1 + 5e-7)], [0.0, 0.0], [4.0, small])
        assert result.verdict is Verdict.PASS

    def test_a_small_component_that_is_proven_wrong_is_no_pass(self, target):
        small = 1e-6
        result, _ = self.judge(target, [4.0, small * 1.001], [0.0, 0.0], [4.0, small])
        assert result.verdict is Verdict.INCONCLUSIVE
        assert result.reason is Reason.SHARE
        assert result.parameters == ("emissivity",)

    def test_a_weighty_component_is_held_against_itself(self, target):
        weighty = 2e-3  # share 2e-3: 1e-8 of the whole would be 5e-6 of it
        error = 3e-6
        result, _ = self.judge(target, [4.0, weighty * (1 + error)], [0.0, 0.0], [4.0, weighty])
        assert error * weighty * 2.0 < fd.TOLERANCE * 2.0
        assert result.verdict is Verdict.FAIL
        assert result.parameters == ("emissivity",)

    @pytest.mark.parametrize("gradient", [[np.nan, 1.0], [np.nan, np.nan]])
    def test_a_gradient_that_is_no_number_is_no_pass(self, target, gradient):
        result, verdicts = self.judge(target, [4.0, 1.0], [1e-9, 1e-9], gradient, norm=2.8)
        assert verdicts[0] is not Verdict.PASS
        assert result.verdict is not Verdict.PASS

    @pytest.mark.parametrize("slope, verdict", [(1.0, "NONSMOOTH"), (-0.5, "NONSMOOTH"),
                                                (1.6, "FAIL"), (-0.6, "FAIL")])  # fmt: skip
    def test_on_a_kink_the_claim_must_lie_between_both_slopes(self, target, slope, verdict):
        bent = ((None, Kink(-1.0, 3.0, 0.1)),)  # along a step of 2
        result, verdicts = self.judge(
            target, [4.0, 0.5], [1e-9, 0.9], [4.0, slope], norm=2.0, kinks=bent
        )
        assert verdicts == [Verdict.PASS, Verdict(verdict)]
        assert result.verdict is Verdict(verdict)
        assert result.reason is {"FAIL": Reason.MISMATCH, "NONSMOOTH": Reason.KINK}[verdict]
        assert result.parameters == ("emissivity",)
        assert "slope -0.5 " in result.message

    @pytest.mark.parametrize(
        "changes, reason",
        [
            ({"solver": np.array([[0.0, 1.9e-3]])}, Reason.SOLVER),
            ({"scores": np.array([1e10])}, Reason.OFFSET),
            ({"scores": np.array([1e3])}, Reason.NOISE),
        ],
    )
    def test_says_why_it_cannot_tell(self, target, changes, reason):
        result, _ = self.judge(target, [4.0, 1.0], [1e-9, 1e-3], [4.0, 1.0], **changes)
        assert result.verdict is Verdict.INCONCLUSIVE
        assert result.reason is reason

    def test_single_precision_is_named(self, target):
        coarse = replace(target, dtype="float32")
        result, _ = self.judge(coarse, [4.0, 1.0], [1e-9, 1e-3], [4.0, 1.0])
        assert result.reason is Reason.DTYPE
        assert result.dtype == "float32"

    def test_no_evidence_is_no_pass(self, target):
        result, verdicts = self.judge(target, [np.nan, 1.0], [np.inf, 1e-9], [4.0, 1.0])
        assert result.verdict is Verdict.INCONCLUSIVE
        assert result.parameters == ("albedo",)
        assert verdicts == [Verdict.INCONCLUSIVE, Verdict.PASS]


class TestConfirmAll:
    @pytest.fixture
    def judge(self, made_up):
        evidence = found(made_up(albedo=1.0), [2.0], [1e-10])

        def run(**gradients):
            arrays = {name: np.array([g]) for name, g in gradients.items()}
            return confirm_all(evidence, 0, arrays, 2.0, point="start", objective="J")

        return run

    def test_all_right(self, judge):
        result, verdicts = judge(adjoint=2.0, tangent=2.0)
        assert result.verdict is Verdict.PASS
        assert result.subject == "adjoint, tangent"
        assert verdicts == [[Verdict.PASS], [Verdict.PASS]]

    def test_names_those_that_differ(self, judge):
        result, verdicts = judge(adjoint=2.0, tangent=2.1, autograd=2.0)
        assert result.verdict is Verdict.FAIL
        assert result.subject == "tangent"
        assert result.message.startswith("tangent differs from finite differences; albedo: ")
        assert result.message.endswith("claimed 2.1, differences 2 ± 1.0e-10")
        assert verdicts == [[Verdict.PASS], [Verdict.FAIL], [Verdict.PASS]]
        result, _ = judge(adjoint=2.2, tangent=2.1)
        assert result.message.startswith("adjoint, tangent differ from finite differences; albedo")


class TestEstimate:
    def test_covers_the_gradient_of_the_model(self, short_twin):
        inputs = short_twin.inputs()
        target = of_inputs(inputs)
        evidence = estimate(target)
        from lsm_verify.routes import ROUTES

        ((value, gradient),) = ROUTES["complex-step"].evaluate([inputs])[0]
        exact = flatten(inputs, gradient)
        assert evidence.scores[0] == pytest.approx(value, rel=1e-14)
        value, u = evidence.value[0] / target.unit, evidence.uncertainty[0] / target.unit
        assert np.all(np.abs(value - exact) <= u)
        assert evidence.component(0, 2) == (value[2], u[2])
        norm = np.linalg.norm(exact * target.scale)
        assert np.all(u * target.scale / norm < fd.TOLERANCE)
        assert evidence.evaluations == 6 * (2 * fd.PAIRS + 3 * 9) + 1

    def test_as_a_route_it_has_the_shapes_of_the_parameters(self, short_twin):
        inputs = short_twin.inputs({"albedo": np.full(5, 0.3), "emissivity": 0.9})
        ((_, gradient),) = fd.ROUTE.evaluate([inputs])[0]
        assert {name: g.shape for name, g in gradient.items()} == {"albedo": (5,), "emissivity": ()}
        assert not fd.ROUTE.exact

    def test_a_point_without_solution(self, short_twin):
        inputs = short_twin.inputs(
            {
                "volumetric_heat_capacity": 1e-3,
                "thermal_conductivity": 1e-9,
                "turbulent_transfer_coefficient": 0.0,
                "SWdown": np.full(5, -50.0),
                "LWdown": np.zeros(5),
            },
            wrt=("albedo",),
        )
        with pytest.raises(NoSolutionError):
            fd.ROUTE.evaluate([inputs])
