"""The Taylor remainder: rate three for a right gradient, to both sides, and a bound otherwise."""

import numpy as np
import pytest

from lsm_verify import Problem, Reason, Verdict
from lsm_verify.verify import taylor as module
from lsm_verify.verify.lines import LARGEST_STEP, PAIRS, RATIO, along
from lsm_verify.verify.noise import noise_levels
from lsm_verify.verify.problem import of_problem
from lsm_verify.verify.taylor import Remainder, remainder, taylor

STEPS = LARGEST_STEP / RATIO ** np.arange(PAIRS)
EPSILON = float(np.finfo(np.float64).eps)
TOLERANCE = 1e-6

SMOOTH = {
    "exp": (np.exp, np.exp),
    "sin": (np.sin, np.cos),
    "sinh": (np.sinh, np.cosh),
    "quotient": (lambda x: 1 / (1 + x**2), lambda x: -2 * x / (1 + x**2) ** 2),
    "cubic": (lambda x: x**3 - 2 * x**2 + x - 5, lambda x: 3 * x**2 - 4 * x + 1),
    "logarithm": (lambda x: np.log(3 + x), lambda x: 1 / (3 + x)),
    "negative exp": (lambda x: -3e8 * np.exp(x), lambda x: -3e8 * np.exp(x)),
}


def at(function, x, slope):
    noise = EPSILON * abs(function(x)) / 4
    return remainder(STEPS, function(x + STEPS), function(x - STEPS), slope, max(noise, 1e-300))


class TestRemainder:
    @pytest.mark.parametrize("x", [-0.9, 0.2, 1.3])
    @pytest.mark.parametrize("name", SMOOTH)
    def test_rate_three(self, name, x):
        function, derivative = SMOOTH[name]
        found = at(function, x, derivative(x))
        assert abs(found.rate - 3) <= module.WIDTH
        assert STEPS[0] >= found.window[0] > found.window[1] > STEPS[-1]
        assert found.linear <= found.linear_uncertainty
        # The error that is said to show does, whatever its sign.
        for error in (found.visible, -found.visible):
            seen = at(function, x, derivative(x) + error)
            assert not abs(seen.rate - 3) <= module.WIDTH

    @pytest.mark.parametrize("error", [3e-3, -3e-3, 1e-6, -1e-6])
    @pytest.mark.parametrize("name", SMOOTH)
    def test_a_wrong_slope_has_another_rate(self, name, error):
        function, derivative = SMOOTH[name]
        found = at(function, 0.2, derivative(0.2) * (1 + error))
        assert abs(found.rate - 3) > module.WIDTH
        wrong = abs(error * derivative(0.2))
        assert abs(found.linear - wrong) <= found.linear_uncertainty < wrong
        assert found.error >= wrong

    @pytest.mark.parametrize(
        "function, derivative",
        [(lambda x: 3 * x + 1, 3.0), (lambda x: x * x, 0.4), (lambda x: 0 * x + 2.0, 0.0)],
    )
    def test_nothing_but_noise_is_a_bound_and_no_rate(self, function, derivative):
        found = at(function, 0.2, derivative)
        assert np.isnan(found.rate)
        assert found.window == ()
        assert 0 < found.error < 1e-14

    def test_fifth_order(self):
        found = at(lambda x: x**5, 0.0, 0.0)
        assert found.rate == pytest.approx(5.0, abs=1e-9)
        assert found.linear - found.linear_uncertainty <= 0

    def test_the_window_stays_above_the_noise(self):
        """The same function, noisier: the smallest step of the window grows with ν^(1/3)."""
        ends = [
            remainder(STEPS, np.exp(STEPS), np.exp(-STEPS), 1.0, noise).window[-1]
            for noise in (1e-16, 1e-13, 1e-10)
        ]
        for end, noise in zip(ends, (1e-16, 1e-13, 1e-10), strict=True):
            assert end**3 / 3 > module.ABOVE_NOISE * noise > (end / RATIO) ** 3 / 3 * 0.99

    def test_too_few_points_above_the_noise_are_no_rate(self):
        found = remainder(STEPS, np.exp(STEPS), np.exp(-STEPS), 1.0, 1e-4)
        assert np.isnan(found.rate)
        assert np.isfinite(found.error)

    def test_points_without_solution_are_passed_over(self):
        plus, minus = np.exp(STEPS), np.exp(-STEPS)
        plus[:5] = np.nan
        assert abs(remainder(STEPS, plus, minus, 1.0, EPSILON).rate - 3) <= module.WIDTH

    def test_no_point_at_all_certifies_nothing(self):
        empty = np.full(PAIRS, np.nan)
        found = remainder(STEPS, empty, empty, 1.0, EPSILON)
        assert np.isnan(found.rate)
        assert found.error == np.inf


@pytest.mark.parametrize(
    "rate, error, linear, uncertainty, verdict",
    [
        (3.05, 1.0, 0.0, 1.0, "PASS"),
        (2.85, 1.0, 0.0, 1.0, "INCONCLUSIVE"),
        (3.15, 1.0, 0.0, 1.0, "INCONCLUSIVE"),
        (5.0, 1.0, 0.0, 1e-9, "INCONCLUSIVE"),
        (1.0, 1.0, 3e-6, 1e-6, "FAIL"),
        (1.0, 1.0, 3e-6, 2.1e-6, "INCONCLUSIVE"),
        (np.nan, 0.9e-6, 0.0, 0.0, "PASS"),
        (np.nan, 1.1e-6, 0.0, 0.0, "INCONCLUSIVE"),
        (np.nan, np.inf, 0.0, 0.0, "INCONCLUSIVE"),
        (np.nan, np.nan, 0.0, 0.0, "INCONCLUSIVE"),
    ],
)
def test_verdict_of_one_direction(rate, error, linear, uncertainty, verdict):
    found = Remainder(rate, (), error, linear, uncertainty, visible=0.0, proven=error)
    assert module._judge(found, TOLERANCE, TOLERANCE) is Verdict(verdict)


X = np.array([0.3, -0.7, 1.1])


def judged(function, *, x=X, tolerance=TOLERANCE, seed=0, norm=None, **gradients):
    target = of_problem(Problem(function, x, scales=1.0))
    claims = {name: np.asarray(g, dtype=float) for name, g in gradients.items()}
    size = norm or float(np.linalg.norm(next(iter(claims.values())) * target.scale))
    return taylor(
        target, along(target, seed), 0, claims, size, point="here", seed=seed, tolerance=tolerance
    )


def exp(x):
    return np.sum(np.exp(x))


class TestTaylor:
    @pytest.mark.parametrize("seed", range(5))
    @pytest.mark.parametrize("name", SMOOTH)
    def test_right(self, name, seed):
        function, derivative = SMOOTH[name]
        result = judged(lambda x: np.sum(function(x)), g=derivative(X), seed=seed)
        assert result.verdict is Verdict.PASS, result.message
        assert result.reason is None
        assert result.value <= module.WIDTH
        assert result.steps[0] > result.steps[1] > 0
        assert (result.seed, result.primary) == (seed, False)

    def test_the_bound_covers_what_is_certified(self):
        result = judged(exp, g=np.exp(X))
        assert 0 < result.bound < TOLERANCE
        assert 0 < result.detectable < TOLERANCE

    @pytest.mark.parametrize("error", [3e-3, -2.0, 1e-4])
    def test_wrong(self, error):
        result = judged(exp, right=np.exp(X), wrong=np.exp(X) * [1, 1 + error, 1])
        assert result.verdict is Verdict.FAIL
        assert result.reason is Reason.RATE
        assert result.subject == "wrong"
        assert result.value > 1.5
        assert result.bound > 1e-2 * abs(error) * np.exp(X[1]) / np.linalg.norm(np.exp(X))

    def test_wrong_by_a_part_in_a_million_is_no_pass(self):
        gradient = np.exp(X) * [1, 1, 1 + 1e-6]
        for tolerance, verdict in ((TOLERANCE, "INCONCLUSIVE"), (1e-8, "FAIL")):
            result = judged(exp, g=gradient, tolerance=tolerance)
            assert result.verdict is Verdict(verdict)
            assert result.reason is {"FAIL": Reason.RATE}.get(verdict, Reason.BORDERLINE)

    @pytest.mark.parametrize(
        "function, gradient",
        [(lambda x: X @ x, X), (lambda x: x @ x, 2 * X), (lambda x: X @ x + 1e3, X)],
    )
    def test_linear_along_every_line_is_a_bound_and_no_rate(self, function, gradient):
        result = judged(function, g=gradient)
        assert result.verdict is Verdict.PASS
        assert result.message.startswith("no rate; 8 of 8 directions all below the noise")
        assert result.steps == ()
        assert result.bound < TOLERANCE

    def test_linear_and_wrong(self):
        result = judged(lambda x: X @ x, g=X * [1, 1.003, 1])
        assert result.verdict is Verdict.FAIL
        assert result.message.startswith("rates ")

    def test_an_offset_leaves_too_little(self):
        result = judged(lambda x: 1e10 + X @ x, g=X)
        assert result.verdict is Verdict.INCONCLUSIVE
        assert result.reason is Reason.NOISE
        assert result.bound > TOLERANCE

    def test_fifth_order_is_not_wrong(self):
        """An odd function without a third derivative: rate five is not three, but no error."""
        result = judged(lambda x: np.sum(x**5), x=np.zeros(3), g=np.zeros(3), norm=1.0)
        assert result.verdict is Verdict.INCONCLUSIVE
        assert result.reason is Reason.BORDERLINE
        assert result.value == pytest.approx(2.0, abs=1e-6)

    def test_a_line_without_third_derivative_is_drawn_again(self):
        """Right gradients whose third derivative vanishes along a line that the seed draws."""
        v = along(of_problem(Problem(exp, np.zeros(3), scales=1.0)), 3).rows[0]
        w = np.cross(v, [0.3, -1.0, 0.2])  # at right angles to v: x @ w stays zero along it
        result = judged(
            lambda x: (x @ w) ** 3 + (x @ v) ** 5, x=np.zeros(3), g=np.zeros(3), norm=1.0, seed=3
        )
        assert result.verdict is Verdict.PASS
        assert (result.seed, result.evaluations) == (1003, 2 * 665)

    @pytest.mark.parametrize("power", [1.1, 1.25, 1.5, 2.0])
    @pytest.mark.parametrize("beside", [0.0, 1e-7])
    def test_a_cusp_is_not_wrong(self, power, beside):
        """sign(x)|x|^q has the slope 0 at 0, and falls at the rate q: no linear error is proven."""
        slope = power * beside ** (power - 1)
        for function in (
            lambda x: np.sum(np.sign(x + beside) * np.abs(x + beside) ** power),
            lambda x: np.sum(np.maximum(x + beside, 0.0) ** power),
        ):
            result = judged(function, x=np.zeros(3), g=np.full(3, slope), norm=1.0)
            assert result.verdict is not Verdict.FAIL

    @pytest.mark.parametrize("claim", [0.0, 1e-9])
    def test_no_signal(self, claim):
        gradient = np.full(3, claim)
        result = judged(lambda x: 3.0 + 0 * x.sum(), g=gradient)
        assert result.verdict is not Verdict.PASS
        if claim == 0:
            assert result.reason is Reason.NO_SIGNAL

    def test_lines_across_a_kink_are_left_to_the_kinks(self):
        result = judged(lambda x: np.abs(x[0] - X[0]) + exp(x), g=np.exp(X))
        assert result.verdict is Verdict.INCONCLUSIVE
        assert result.reason is Reason.KINK
        assert result.bound is None

    @pytest.mark.parametrize("sigma", [1e-12, 1e-8])
    def test_noise_gives_no_nonsense(self, sigma):
        """Of 20 draws of noise none gives a rate beyond the width, nor a FAIL."""
        for seed in range(20):
            rng = np.random.default_rng(seed)
            result = judged(lambda x: exp(x) + sigma * rng.standard_normal(), g=np.exp(X))  # noqa: B023
            assert result.verdict in (Verdict.PASS, Verdict.INCONCLUSIVE), seed
            assert result.value <= module.WIDTH, seed

    @pytest.mark.parametrize("sigma", [1e-12, 1e-8])
    def test_a_wrong_gradient_shows_through_noise(self, sigma):
        rng = np.random.default_rng(0)
        result = judged(
            lambda x: exp(x) + sigma * rng.standard_normal(), g=np.exp(X) * [1, 1.003, 1]
        )
        assert result.verdict is Verdict.FAIL

    def test_too_little_noise_would_make_nonsense(self, monkeypatch):
        """The quiet above is the noise estimate's doing: with a hundredth of it rates go astray."""
        from lsm_verify.verify import noise

        monkeypatch.setattr(noise, "noise_levels", lambda *a: noise_levels(*a) / 100)
        astray = 0
        for seed in range(5):
            rng = np.random.default_rng(seed)
            result = judged(lambda x: exp(x) + 1e-8 * rng.standard_normal(), g=np.exp(X))  # noqa: B023
            astray += result.value > module.WIDTH
        assert astray == 5

    def test_no_solution_anywhere_is_no_pass(self):
        def lonely(x):
            return exp(x) if np.array_equal(x, X) else np.nan

        result = judged(lonely, g=np.exp(X))
        assert result.verdict is Verdict.INCONCLUSIVE
        assert result.reason is Reason.NOISE
