"""Any function with a claimed gradient: the right verdict and reason, and no nonsense rate."""

from __future__ import annotations

import zlib
from collections.abc import Callable

import numpy as np
import pytest

import lsm_verify as lv
from lsm_verify.errors import InputError
from lsm_verify.verify.problem import ALONE, Problem
from lsm_verify.verify.result import CheckResult, Reason, Report, Verdict
from lsm_verify.verify.run import verify

POINT = np.array([1.3, 0.7, 0.8, -0.4])
SLOPES = np.array([3.0, -1.0, 2.0, 0.5])
KINK = 0.7

Gradient = Callable[[np.ndarray], np.ndarray]


def smooth(x):
    return float(np.sum(np.sin(x) * np.exp(0.3 * x)))


def smooth_der(x):
    return np.exp(0.3 * x) * (np.cos(x) + 0.3 * np.sin(x))


def noisy(x):
    """``smooth`` with relative noise up to 1e-10 that depends on every bit of x."""
    return smooth(x) * (1 + 1e-10 * (2 * zlib.crc32(np.asarray(x).tobytes()) / 2**32 - 1))


def single(x):
    x = np.asarray(x, np.float32)
    return np.sum(np.sin(x) * np.exp(np.float32(0.3) * x))


def bent(x):
    return smooth(x) + 2 * abs(x[1] - KINK)


def bent_der(slope: float) -> Gradient:
    """Gradient of ``bent``, with ``slope`` for that of 2 |x₁ - 0.7| where it has none."""

    def gradient(x):
        result = smooth_der(x)
        result[1] += 2 * np.sign(x[1] - KINK) if x[1] != KINK else slope
        return result

    return gradient


def off(gradient: Gradient, size: float = 1e-3, component: int = 2) -> Gradient:
    """Make one component wrong by a relative size."""

    def wrong(x):
        result = np.array(gradient(x), dtype=float)
        result[component] *= 1 + size
        return result

    return wrong


def of(objective, gradient, **options) -> Report:
    return verify(Problem(objective, POINT, gradients={"mine": gradient}), **options)


def check(report: Report, name: str) -> CheckResult:
    return next(c for c in report.checks if c.check == name)


def rates(report: Report) -> str:
    """What the Taylor test says about rates, before any remark."""
    return check(report, "taylor").message.split(";")[0]


FUNCTIONS: dict[str, tuple[Callable, Gradient]] = {
    "smooth": (smooth, smooth_der),
    "linear": (lambda x: float(SLOPES @ x), lambda x: SLOPES),
    "quadratic": (lambda x: float(x @ x), lambda x: 2 * x),
    "one slope alone": (lambda x: 3.0 * x[0], lambda x: np.array([3.0, 0, 0, 0])),
    "noise 1e-10": (noisy, smooth_der),
    "tiny": (lambda x: 1e-9 * smooth(x), lambda x: 1e-9 * smooth_der(x)),
    "offset 1e4": (lambda x: 1e4 + smooth(x), smooth_der),
    "huge": (lambda x: 1e30 * smooth(x), lambda x: 1e30 * smooth_der(x)),
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_right_gradient_passes_within_its_bound(name):
    report = of(*FUNCTIONS[name])
    assert report.verdict is Verdict.PASS
    assert report.exit_code == 0
    assert check(report, "finite-difference").bound <= 1e-6


@pytest.mark.parametrize("name", FUNCTIONS)
@pytest.mark.parametrize("size", [1e-3, 1.0, -2.0])
def test_a_wrong_gradient_fails(name, size):
    objective, gradient = FUNCTIONS[name]
    report = of(objective, off(gradient, size, 0))
    assert report.verdict is Verdict.FAIL
    assert report.exit_code == 1
    found = check(report, "finite-difference")
    assert found.verdict is Verdict.FAIL
    assert found.reason is Reason.MISMATCH
    norm = np.linalg.norm(gradient(POINT) * POINT)
    true = abs(size * gradient(POINT)[0] * POINT[0]) / norm
    # The bound holds the true error, in units of ‖g∘s‖ of the claim itself.
    assert found.bound >= 0.99 * true / (1 + abs(size))
    assert report.points[0].rows[0].verdict is Verdict.FAIL
    assert {row.verdict for row in report.points[0].rows[1:]} == {Verdict.PASS}


@pytest.mark.parametrize("name", ["linear", "quadratic", "one slope alone"])
def test_a_function_without_a_third_derivative_has_no_rate(name):
    report = of(*FUNCTIONS[name])
    assert check(report, "taylor").verdict is Verdict.PASS
    assert rates(report) == "no rate"


@pytest.mark.parametrize("name", ["smooth", "tiny", "huge", "offset 1e4"])
def test_a_smooth_function_has_rate_three(name):
    taylor = check(of(*FUNCTIONS[name]), "taylor")
    assert taylor.verdict is Verdict.PASS
    assert taylor.value <= 0.02


# ------------------------------------------------------------------ nothing to see


@pytest.mark.parametrize("value", [0.0, 1.0, -1e300])
def test_a_constant_has_no_signal(value):
    report = of(lambda x: value, lambda x: 0 * x)
    assert report.exit_code == 3
    for name in ("finite-difference", "taylor"):
        assert check(report, name).verdict is Verdict.INCONCLUSIVE
        assert check(report, name).reason is Reason.NO_SIGNAL
    assert rates(report) == "no rate"


def test_a_slope_claimed_for_a_constant_fails():
    assert of(lambda x: 1.0, lambda x: SLOPES).exit_code == 1


def test_a_change_that_is_lost_on_the_way_is_not_proven_wrong():
    """The weak part moves a temperature of 290 K by less than its last place: J stands still."""
    weak = 1e-15

    def lost(x):
        return float((290.0 + weak * x[0] - 289.9) ** 2)

    report = of(lost, lambda x: np.array([2 * (290.0 - 289.9) * weak, 0.0, 0.0, 0.0]))
    assert report.exit_code == 3
    assert check(report, "finite-difference").reason is Reason.NO_SIGNAL
    assert of(lost, lambda x: np.array([1e-5, 0.0, 0.0, 0.0])).exit_code == 1


def test_a_zero_claimed_for_a_slope_fails():
    report = of(smooth, lambda x: 0 * x)
    assert report.exit_code == 1


def test_the_optimum_has_no_signal():
    report = of(lambda x: float((x - POINT) @ (x - POINT)), lambda x: 2 * (x - POINT))
    assert report.exit_code == 3
    assert check(report, "finite-difference").reason is Reason.NO_SIGNAL


def test_no_gradient_is_nothing_to_check():
    report = verify(Problem(smooth, POINT))
    assert report.exit_code == 3
    assert report.verdict is Verdict.INCONCLUSIVE
    assert [c.reason for c in report.checks] == [Reason.NOTHING]


# ------------------------------------------------------------------ hard to see


def test_an_offset_is_named():
    report = of(lambda x: 1e10 + smooth(x), smooth_der)
    assert report.exit_code == 3
    found = check(report, "finite-difference")
    assert found.verdict is Verdict.INCONCLUSIVE
    assert found.reason is Reason.OFFSET
    assert 1e-6 < found.bound < 1e-2
    assert check(report, "taylor").verdict is not Verdict.FAIL


@pytest.mark.parametrize("size", [1e-2, 1.0])
def test_an_offset_hides_no_large_error(size):
    report = of(lambda x: 1e10 + smooth(x), off(smooth_der, size))
    assert report.exit_code == 1
    assert check(report, "finite-difference").verdict is Verdict.FAIL


def test_an_offset_leaves_room_for_a_looser_tolerance():
    assert of(lambda x: 1e10 + smooth(x), smooth_der, tolerance=1e-2).exit_code == 0


def test_noise_is_named_where_it_is_in_the_way():
    report = of(noisy, smooth_der, tolerance=1e-9)
    assert report.exit_code == 3
    assert check(report, "finite-difference").reason is Reason.NOISE
    assert check(report, "taylor").verdict is not Verdict.FAIL


def test_single_precision_is_named():
    report = of(single, smooth_der)
    assert report.exit_code == 3
    found = check(report, "finite-difference")
    assert found.dtype == "float32"
    assert found.reason is Reason.DTYPE
    assert check(report, "taylor").verdict is not Verdict.FAIL
    assert of(single, smooth_der, tolerance=1e-3).exit_code == 0


@pytest.mark.parametrize("size", [1e-2, 0.1, -2.0])
def test_single_precision_hides_no_large_error(size):
    assert of(single, off(smooth_der, size)).exit_code == 1


def test_two_right_routes_in_single_precision_do_not_fail():
    def single_der(x):
        x = np.asarray(x, np.float32)
        return np.exp(np.float32(0.3) * x) * (np.cos(x) + np.float32(0.3) * np.sin(x))

    def expanded(x):
        x = np.asarray(x, np.float32)
        grown = np.exp(np.float32(0.3) * x)
        return grown * np.cos(x) + grown * (np.float32(0.3) * np.sin(x))

    assert np.any(single_der(POINT) != expanded(POINT))
    problem = Problem(single, POINT, gradients={"a": single_der, "b": expanded})
    report = verify(problem)
    assert report.verdict is Verdict.INCONCLUSIVE
    assert check(report, "agreement").verdict is not Verdict.FAIL
    assert check(report, "agreement").bound > 0


@pytest.mark.parametrize("digits", [2, 4, 6])
def test_a_rounded_objective_is_noisy_not_wrong(digits):
    report = of(lambda x: round(smooth(x), digits), smooth_der)
    assert report.exit_code == 3
    assert check(report, "finite-difference").reason is Reason.NOISE


def by_iteration(x, tolerance: float) -> float:
    """The root of y = cos(x y) by plain iteration, as an inner solver finds it."""
    y, change = 1.0, np.inf
    while change > tolerance:
        before, y = y, np.cos(x[0] * y)
        change = abs(y - before)
    return float(y)


def by_iteration_der(x):
    y = by_iteration(x, 1e-15)
    return np.array([-np.sin(x[0] * y) * y / (1 + np.sin(x[0] * y) * x[0])])


def test_a_coarse_solver_in_the_objective_is_named():
    problem = Problem(
        lambda x: by_iteration(x, 1e-6),
        [0.9],
        scales=0.2,  # beyond 1.2 the iteration does not converge
        gradients={"exact": by_iteration_der},
        tighter=lambda x: by_iteration(x, 1e-8),
    )
    report = verify(problem)
    assert check(report, "finite-difference").reason is Reason.SOLVER
    assert report.exit_code == 3


def test_a_fine_solver_passes():
    problem = Problem(
        lambda x: by_iteration(x, 1e-13),
        [0.9],
        scales=0.2,  # beyond 1.2 the iteration does not converge
        gradients={"exact": by_iteration_der},
        tighter=lambda x: by_iteration(x, 1e-15),
    )
    assert verify(problem).exit_code == 0


# ------------------------------------------------------------------ kinks


@pytest.mark.parametrize("slope", [-1.5, 0.0, 0.5, 1.9])
def test_a_slope_within_the_kink_is_nonsmooth(slope):
    report = of(bent, bent_der(slope))
    assert report.verdict is Verdict.NONSMOOTH
    assert report.exit_code == 3
    for name in ("finite-difference", "kinks"):
        assert check(report, name).verdict is Verdict.NONSMOOTH
        assert check(report, name).reason is Reason.KINK
    assert check(report, "taylor").verdict is Verdict.INCONCLUSIVE
    assert rates(report) == "no rate"
    message = check(report, "finite-difference").message
    left, right = smooth_der(POINT)[1] - 2, smooth_der(POINT)[1] + 2
    assert f"slope {left:.4g}" in message.replace(f"{left:.6g}", f"{left:.4g}")
    assert f"{right:.4g}" in message


@pytest.mark.parametrize("slope", [-2.0, 2.0])
def test_a_one_sided_slope_is_nonsmooth(slope):
    """What np.where or a rectifier returns on its kink is the slope to one side."""
    assert of(bent, bent_der(slope)).verdict is Verdict.NONSMOOTH


@pytest.mark.parametrize("slope", [-2.5, 2.1, 4.0])
def test_a_slope_outside_the_kink_fails(slope):
    report = of(bent, bent_der(slope))
    assert report.exit_code == 1
    assert check(report, "finite-difference").verdict is Verdict.FAIL


def test_a_wrong_slope_beside_the_kink_fails():
    report = of(bent, off(bent_der(0.5)))
    assert report.exit_code == 1


# ------------------------------------------------------------------ parameters by name


def heat(p):
    return float(p["albedo"] ** 2 * np.sum(np.sqrt(p["capacity"])) + np.exp(p["depth"]))


def heat_der(p):
    root = np.sqrt(p["capacity"])
    return {
        "albedo": 2 * p["albedo"] * np.sum(root),
        "capacity": p["albedo"] ** 2 / (2 * root),
        "depth": np.exp(p["depth"]),
    }


NAMED = {"albedo": 0.3, "capacity": np.array([[2.0e6, 2.1e6], [1.9e6, 2.2e6]]), "depth": 1.5}


@pytest.mark.parametrize("name", NAMED)
@pytest.mark.parametrize("factor", [1.001, 0.5, 0.0, -1.0])
def test_the_wrong_parameter_alone_is_named(name, factor):
    def wrong(p):
        result = heat_der(p)
        result[name] = result[name] * factor
        return result

    report = verify(Problem(heat, NAMED, gradients={"mine": wrong}, name="heat"))
    assert report.exit_code == 1
    assert check(report, "finite-difference").parameters == (name,)
    assert verify(Problem(heat, NAMED, gradients={"mine": heat_der})).exit_code == 0


def test_one_wrong_route_of_two_is_named():
    routes = {"right": smooth_der, "wrong": off(smooth_der)}
    report = verify(Problem(smooth, POINT, gradients=routes))
    assert report.exit_code == 1
    assert check(report, "agreement").verdict is Verdict.FAIL
    found = check(report, "finite-difference")
    assert found.verdict is Verdict.FAIL
    assert found.subject == "wrong"


def test_two_right_routes_agree_to_round_off():
    routes = {"a": smooth_der, "b": lambda x: np.exp(0.3 * x) * np.cos(x) + 0.3 * np.sin(x)
              * np.exp(0.3 * x)}  # fmt: skip
    report = verify(Problem(smooth, POINT, gradients=routes))
    assert report.exit_code == 0
    assert check(report, "agreement").bound < 1e-14


def test_a_single_number_may_be_the_point():
    report = verify(Problem(lambda x: np.sin(x), 0.4, gradients={"mine": lambda x: np.cos(x)}))
    assert report.exit_code == 0
    assert report.points[0].rows[0].parameter == ALONE
    report = verify(Problem(lambda x: np.sin(x), 0.4, gradients={"mine": lambda x: -np.cos(x)}))
    assert report.exit_code == 1


def test_a_function_that_writes_into_its_argument_changes_nothing():
    def rude(x):
        value = smooth(x)
        x[:] = 0
        return value

    assert of(rude, smooth_der).exit_code == 0


def test_the_report_repeats():
    first, second = (of(noisy, smooth_der, seed=3) for _ in range(2))
    assert first.checks == second.checks


# ------------------------------------------------------------------ misbehaviour


def raising(x):
    raise ZeroDivisionError("no water")


@pytest.mark.parametrize(
    "objective, gradient, wanted",
    [
        (raising, smooth_der, "mine: objective raised ZeroDivisionError: no water; at x = 1.3, "),
        (smooth, raising, "mine: gradient 'g' raised ZeroDivisionError: no water; at x = 1.3"),
        (lambda x: np.nan, smooth_der, "mine: objective returned nan at x = 1.3"),
        (lambda x: np.inf, smooth_der, "mine: objective returned inf at x = 1.3"),
        (lambda x: x, smooth_der, r"mine: objective returned shape \(4,\)"),
        (lambda x: 1j, smooth_der, r"mine: objective returned shape \(\) of type complex128"),
        (lambda x: None, smooth_der, "mine: objective returned shape .* of type object"),
        (lambda x: "1", smooth_der, "mine: objective returned shape .* of type <U1"),
        (smooth, lambda x: x[:2], r"gradient 'g' returned shape \(2,\) for x; \(4,\) is wanted"),
        (smooth, lambda x: 1.0, r"gradient 'g' returned shape \(\) for x; \(4,\) is wanted"),
        (smooth, lambda x: x[None], r"gradient 'g' returned shape \(1, 4\) for x"),
        (smooth, lambda x: x * np.nan, "gradient 'g' returned nan at index 0 for x"),
        (smooth, lambda x: np.array([1, 2, np.inf, 3]), "gradient 'g' returned inf at index 2"),
        (smooth, lambda x: x * 1j, "gradient 'g' returned type complex128 for x"),
        (smooth, lambda x: None, "gradient 'g' returned"),
    ],
)
def test_misbehaviour_names_the_function_and_the_point(objective, gradient, wanted):
    with pytest.raises(InputError, match=wanted) as caught:
        verify(Problem(objective, POINT, gradients={"g": gradient}, name="mine"))
    assert "\n" not in str(caught.value)
    assert caught.value.__cause__ is not None or "raised" not in wanted


@pytest.mark.parametrize(
    "answer, wanted",
    [
        ({"albedo": 1.0}, "gradient 'mine' lacks 'capacity'; give one entry per parameter"),
        (np.ones(6), "gradient 'mine' has type ndarray; give a mapping with albedo, capacity"),
        ({**NAMED, "capacity": np.ones(4)}, r"shape \(4,\) for capacity; \(2, 2\) is wanted"),
    ],
)
def test_a_gradient_in_the_wrong_form_is_refused(answer, wanted):
    with pytest.raises(InputError, match=wanted):
        verify(Problem(heat, NAMED, gradients={"mine": lambda p: answer}))


@pytest.mark.parametrize(
    "arguments, wanted",
    [
        ({"point": []}, "the point is empty"),
        ({"point": {}}, "the point is empty"),
        ({"point": {"a": []}}, "the point is empty"),
        ({"point": [1.0, np.nan]}, "must be finite"),
        ({"point": "here"}, "must be a number"),
        ({"point": [1.0], "scales": 0.0}, "scale of x must be positive"),
        ({"point": [1.0], "scales": [1.0, 2.0]}, "scale of x must be positive, one number or of"),
        ({"point": {"albedo": 1.0}, "scales": {"albdo": 1.0}}, "Did you mean 'albedo'"),
        ({"point": {"albedo": 1.0}, "scales": 1.0}, "scales has type float; give a mapping"),
        ({"point": [1.0], "gradients": {"mine": 3}}, r"gradients\['mine'\]=3 is no function"),
        ({"point": [1.0], "objective": 3}, "objective=3 is no function"),
    ],
)
def test_what_is_no_problem_is_refused_at_the_door(arguments, wanted):
    with pytest.raises(InputError, match=wanted):
        Problem(**{"objective": smooth, **arguments})


def test_a_failure_at_a_step_away_from_the_point_is_named_or_survived():
    """The function exists for x > 0 only; the default steps reach to half of |x|."""
    report = verify(Problem(lambda x: np.log(x), 0.3, gradients={"mine": lambda x: 1 / x}))
    assert report.exit_code == 0

    def strict(x):
        if x < 0.29:
            raise ValueError("outside")
        return np.log(x)

    with pytest.raises(InputError, match=r"objective raised ValueError: outside; at x = 0\.\d+"):
        verify(Problem(strict, 0.3, gradients={"mine": lambda x: 1 / x}))


def test_an_unknown_gradient_suggests_the_nearest():
    problem = Problem(smooth, POINT, gradients={"adjoint": smooth_der})
    with pytest.raises(InputError, match=r"unknown gradient \(of problem\) 'adjiont'.*'adjoint'\?"):
        verify(problem, routes="adjiont")


def test_the_public_names_are_these():
    assert lv.Problem is Problem
    assert lv.verify(Problem(smooth, POINT, gradients={"mine": smooth_der})).exit_code == 0


def one_too_many(p):
    return {"a": 2 * p["a"], "b": 1.0, "c": 3.0}


@pytest.mark.parametrize(
    "point, wanted",
    [
        (
            [[1.0], [1.0, 2.0]],
            r"problem: x=\[\[1.0\], \[1.0, 2.0\]\] must be a number or an array of",
        ),
        ([True, False], "problem: x holds true or false; give numbers"),
        ({"a": np.True_}, "problem: a holds true or false"),
        ([], "the point is empty"),
        ({}, "the point is empty"),
    ],
)
def test_what_is_no_point(point, wanted):
    with pytest.raises(InputError, match=wanted):
        Problem(lambda x: 1.0, point, gradients={"mine": lambda x: x})


def test_boolean_scales():
    with pytest.raises(InputError, match="scale of x holds true or false"):
        Problem(lambda x: 1.0, [1.0], scales=True, gradients={"mine": lambda x: x})


def test_an_entry_too_many_is_named():
    problem = Problem(
        lambda p: p["a"] ** 2 + p["b"], {"a": 1.0, "b": 2.0}, gradients={"mine": one_too_many}
    )
    with pytest.raises(InputError, match="gradient 'mine' of problem 'c'; known: a, b"):
        verify(problem)


def test_a_difference_that_is_no_number_bounds_nothing():
    """Finite at the shortest steps alone: no difference can be had, so no error is excluded."""

    def nearby(x):
        return float(x @ x) if np.max(np.abs(x - 1)) < 5e-8 else np.inf

    report = verify(Problem(nearby, [1.0, 1.0], gradients={"mine": lambda x: 2 * x}))
    assert report.verdict is Verdict.INCONCLUSIVE
    assert [row.bound for row in report.points[0].rows] == [None, None]
