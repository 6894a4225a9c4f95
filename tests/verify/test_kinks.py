"""Kinks: found at the point, not beside it, and never made out of noise."""

import numpy as np
import pytest

from lsm_verify import Problem, Reason, Verdict
from lsm_verify.verify.differences import LARGEST_STEP, PAIRS, RATIO
from lsm_verify.verify.kinks import Kink, find, judge, visible
from lsm_verify.verify.lines import along
from lsm_verify.verify.problem import of_problem

EPSILON = float(np.finfo(np.float64).eps)
LADDERS = {
    "ratio 4": LARGEST_STEP / RATIO ** np.arange(PAIRS),
    "ratio 2": 0.5 / 2.0 ** np.arange(28),
}


@pytest.fixture(params=LADDERS)
def steps(request):
    return LADDERS[request.param]


def looked(steps, function, x=0.0, noise=None):
    values = function(x + steps), function(x - steps), function(np.float64(x))
    size = max(np.max(np.abs(v)) for v in values)
    return find(steps, *values, EPSILON * size / 4 if noise is None else noise)


SMOOTH = {
    "exp": np.exp,
    "sin": np.sin,
    "steep": lambda x: np.exp(20 * x),
    "parabola": lambda x: 1e6 * x**2,
    "quartic": lambda x: x**4,
    "narrow": lambda x: 1 / (1 + 1e4 * x**2),
    "line": lambda x: 3 * x + 1,
    "constant": lambda x: 0 * x + 2,
    "offset": lambda x: 1e10 + x**3,
}


class TestFind:
    @pytest.mark.parametrize(
        "function, left, right",
        [
            (np.abs, -1.0, 1.0),
            (lambda x: np.maximum(x, 0.0), 0.0, 1.0),
            (lambda x: np.where(x > 0, 2 * x, 5 * x) + np.exp(x), 6.0, 3.0),
            (lambda x: 1e-3 * np.abs(x) + np.sin(x) + x**2, 0.999, 1.001),
        ],
    )
    def test_a_kink_has_two_slopes(self, steps, function, left, right):
        found = looked(steps, function)
        assert found is not None
        assert abs(found.left - left) <= found.uncertainty
        assert abs(found.right - right) <= found.uncertainty
        assert found.admits(left)
        assert found.admits(right)
        assert found.uncertainty < 1e-6

    @pytest.mark.parametrize("x", [0.0, 0.3, -0.2])
    @pytest.mark.parametrize("name", SMOOTH)
    def test_a_smooth_function_has_none(self, steps, name, x):
        assert looked(steps, SMOOTH[name], x) is None

    @pytest.mark.parametrize("distance", [0.3, 1e-2, 1e-4, 1e-6])
    def test_a_kink_beside_the_point_is_not_at_it(self, steps, distance):
        assert looked(steps, np.abs, distance) is None
        assert looked(steps, lambda x: np.maximum(x, 0.0), -distance) is None

    @pytest.mark.parametrize("power", [1.5, 4 / 3, 1.9])
    def test_one_slope_without_a_second_derivative_is_no_kink(self, steps, power):
        assert looked(steps, lambda x: np.abs(x) ** power) is None

    @pytest.mark.parametrize("sigma", [1e-12, 1e-6, 1e-2])
    def test_noise_makes_none(self, steps, sigma):
        for seed in range(200):
            rng = np.random.default_rng(seed)
            noisy = lambda x: np.exp(x) + sigma * rng.standard_normal(np.shape(x))  # noqa: B023, E731
            assert looked(steps, noisy, noise=sigma) is None, seed

    def test_a_jump_below_the_noise_is_not_told(self, steps):
        """The longest step would show a jump of 1e-6 only from a noise of 1e-7 down."""
        for sigma, told in ((1e-5, False), (1e-12, True)):
            rng = np.random.default_rng(0)
            noisy = lambda x: 1e-6 * np.abs(x) + sigma * rng.standard_normal(np.shape(x))  # noqa: B023, E731
            assert (looked(steps, noisy, noise=sigma) is not None) == told

    def test_a_jump_above_the_noise_is(self, steps):
        for seed in range(50):
            rng = np.random.default_rng(seed)
            noisy = lambda x: np.abs(x) + 1e-8 * rng.standard_normal(np.shape(x))  # noqa: B023, E731
            found = looked(steps, noisy, noise=1e-8)
            assert found is not None, seed
            assert found.right == pytest.approx(1.0, abs=1e-3)

    def test_the_smallest_jump_that_shows_is_told(self, steps):
        for share, told in ((0.3, False), (3.0, True)):
            plain = np.exp(steps), np.exp(-steps), 1.0, 1e-12
            jump = share * visible(steps, *plain)
            bent = looked(steps, lambda x: np.exp(x) + jump / 2 * np.abs(x), noise=1e-12)  # noqa: B023
            assert (bent is not None) == told

    def test_points_without_solution_are_none(self, steps):
        empty = np.full(steps.size, np.nan)
        assert find(steps, empty, empty, 1.0, EPSILON) is None


@pytest.mark.parametrize(
    "slope, inside",
    [(-1.0, True), (0.0, True), (1.0, True), (1.009, True), (1.02, False), (-1.02, False),
     (np.nan, False)],
)  # fmt: skip
def test_admits_what_lies_between(slope, inside):
    assert Kink(-1.0, 1.0, 0.01).admits(slope) is inside
    assert Kink(1.0, -1.0, 0.01).admits(slope) is inside


X = np.array([0.3, -0.7, 1.1])


def judged(function, x=X, primary=True, **gradients):
    target = of_problem(Problem(function, x, scales=1.0))
    claims = {name: np.asarray(g, dtype=float) for name, g in gradients.items()}
    lines = along(target, 0)
    norm = float(np.linalg.norm(next(iter(claims.values()))))
    return judge(target, lines, 0, claims, norm, point="here", primary=primary, seed=0)


def bent(x):
    return np.abs(x[0] - X[0]) + x[1] ** 2 + np.exp(x[2])


def slope(first):
    return [first, 2 * X[1], np.exp(X[2])]


class TestJudge:
    def test_none(self):
        result = judged(lambda x: np.sum(np.exp(x)), g=np.exp(X))
        assert result.verdict is Verdict.PASS
        assert result.reason is None
        assert result.message == "none along 8 directions"
        assert result.value == 0

    @pytest.mark.parametrize("first", [-1.0, 0.0, 0.3, 1.0])
    def test_between_both_slopes(self, first):
        result = judged(bent, g=slope(first))
        assert result.verdict is Verdict.NONSMOOTH
        assert result.reason is Reason.KINK
        assert result.value == 8
        assert "to the left" in result.message
        assert "claimed: g " in result.message

    @pytest.mark.parametrize("first", [-1.01, 1.01, 5.0])
    def test_outside(self, first):
        result = judged(bent, g=slope(first), right=slope(0.0))
        assert result.verdict is Verdict.FAIL
        assert result.reason is Reason.MISMATCH
        assert result.subject == "g"

    def test_relu_at_zero(self):
        """At zero any slope between none and one will do."""
        x = np.array([0.0, 1.0, -2.0])

        def relu(x):
            return np.sum(np.maximum(x, 0.0))

        assert judged(relu, x, g=[0.0, 1.0, 0.0]).verdict is Verdict.NONSMOOTH
        assert judged(relu, x, g=[1.0, 1.0, 0.0]).verdict is Verdict.NONSMOOTH
        assert judged(relu, x, g=[-0.5, 1.0, 0.0]).verdict is Verdict.FAIL

    def test_a_kink_beside_the_point(self):
        gradient = [-1.0, np.exp(X[1]), 0.0]
        result = judged(lambda x: np.abs(x[0] - X[0] - 1e-3) + np.exp(x[1]), g=gradient)
        assert result.verdict is Verdict.PASS

    @pytest.mark.parametrize("primary", [True, False])
    def test_gate(self, primary):
        assert judged(bent, g=slope(0.0), primary=primary).primary is primary
