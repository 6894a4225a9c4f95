"""All checks together on plain functions: the right verdict, and no nonsense."""

import numpy as np
import pytest
from scipy.optimize import rosen, rosen_der

from lsm_verify import InputError, Problem, Reason, Verdict, verify
from lsm_verify.verify import differences
from lsm_verify.verify.directions import DIRECTIONS
from lsm_verify.verify.problem import of_problem

A = np.array([1.0, 2.0, 3.0])
X = np.array([0.3, 0.4, 0.5])
ROSEN = [1.3, 0.7, 0.8, 1.9, 1.2]


def run(function, gradient, x=X, *, scales=None, options=None, **more):
    problem = Problem(function, x, scales=scales, gradients={"g": gradient}, **more)
    return verify(problem, **(options or {}))


def by(report, name):
    (found,) = [c for c in report.checks if c.check == name]
    return found


def outcome(report):
    return str(report.verdict), report.exit_code


def noisy(x):
    return np.sum(np.exp(x)) * (1 + 1e-10 * np.sin(1e12 * np.sum(x)))


def single(x):
    return np.sum(np.exp(x.astype(np.float32)), dtype=np.float32)


def inner(x):
    """Single precision on the way, double at the end: a staircase with steps of 1e-7."""
    return float(np.sum(np.exp(x.astype(np.float32)).astype(np.float64) ** 2))


def bent(x):
    return np.abs(x[0] - 0.3) + x[1] ** 2 + x[2]


BESIDE = np.array([1e-3, 0.0, 0.0])


def at_the_kink(first):
    return lambda x: np.array([first, 2 * x[1], 1.0])


def off(gradient, error):
    return lambda x: gradient(x) * (1 + error * (np.arange(x.size) == x.size - 1))


class TestVerdicts:
    @pytest.mark.parametrize(
        "function, gradient, bound",
        [
            (lambda x: np.sum(np.exp(x)), np.exp, 1e-9),
            (lambda x: A @ x, lambda x: A, 1e-12),
            (lambda x: x @ x, lambda x: 2 * x, 1e-12),
            (lambda x: 1e-100 * np.sum(np.exp(x)), lambda x: 1e-100 * np.exp(x), 1e-9),
            (lambda x: 1e100 * np.sum(np.exp(x)), lambda x: 1e100 * np.exp(x), 1e-9),
            (lambda x: 1e4 + np.sum(x**3), lambda x: 3 * x**2, 1e-7),
            (noisy, np.exp, 1e-6),
            (lambda x: bent(x + BESIDE), at_the_kink(1.0), 1e-6),
        ],
    )
    def test_right(self, function, gradient, bound):
        report = run(function, gradient)
        assert outcome(report) == ("PASS", 0), [c.message for c in report.checks]
        assert 0 <= by(report, "finite-difference").bound < bound

    @pytest.mark.parametrize("error", [3e-3, -1.0, -2.0, 1e-4])
    @pytest.mark.parametrize(
        "function, gradient",
        [
            (lambda x: np.sum(np.exp(x)), np.exp),
            (lambda x: A @ x, lambda x: A),
            (lambda x: x @ x, lambda x: 2 * x),
            (lambda x: 1e-100 * np.sum(np.exp(x)), lambda x: 1e-100 * np.exp(x)),
            (noisy, np.exp),
            (lambda x: bent(x + BESIDE), at_the_kink(1.0)),
        ],
    )
    def test_wrong(self, function, gradient, error):
        report = run(function, off(gradient, error))
        assert outcome(report) == ("FAIL", 1)
        assert by(report, "finite-difference").parameters == ("x",)
        assert [r.verdict for r in report.points[0].rows] == [Verdict.PASS] * 2 + [Verdict.FAIL]

    def test_a_part_in_a_million_by_the_tolerance(self):
        gradient = off(np.exp, 1e-6)
        report = run(lambda x: np.sum(np.exp(x)), gradient, options={"tolerance": 1e-8})
        assert outcome(report) == ("FAIL", 1)
        report = run(lambda x: np.sum(np.exp(x)), gradient, options={"strict": True})
        assert outcome(report) == ("INCONCLUSIVE", 3)

    @pytest.mark.parametrize("claim, expected", [(0.0, ("INCONCLUSIVE", 3)), (1.0, ("FAIL", 1))])
    def test_constant(self, claim, expected):
        report = run(lambda x: 3.0, lambda x: claim * A)
        assert outcome(report) == expected
        if not claim:
            assert by(report, "finite-difference").reason is Reason.NO_SIGNAL
            assert by(report, "taylor").reason is Reason.NO_SIGNAL

    def test_offset(self):
        function = lambda x: 1e10 + np.sum(x**3)  # noqa: E731
        report = run(function, lambda x: 3 * x**2)
        assert outcome(report) == ("INCONCLUSIVE", 3)
        assert by(report, "finite-difference").reason is Reason.OFFSET
        assert outcome(run(function, lambda x: -3 * x**2)) == ("FAIL", 1)

    def test_kink(self):
        for first, expected in ((-1.0, ("NONSMOOTH", 3)), (1.0, ("NONSMOOTH", 3)),
                                (1.5, ("FAIL", 1)), (-1.01, ("FAIL", 1))):  # fmt: skip
            report = run(bent, at_the_kink(first))
            assert outcome(report) == expected, first
            for name in ("finite-difference", "kinks"):
                assert str(by(report, name).verdict) == expected[0]
        assert by(report, "finite-difference").parameters == ("x",)

    @pytest.mark.parametrize("first, code", [(0.0, 3), (1.0, 3), (-0.1, 1)])
    def test_relu_with_curvature(self, first, code):
        """A subgradient at the very end of its interval is one, and curvature is no excuse."""

        def function(x):
            return np.maximum(x[0], 0.0) + np.sum(np.exp(x))

        def gradient(x):
            return np.exp(x) + np.array([first, 0.0, 0.0])

        assert run(function, gradient, [0.0, 0.4, 0.5], scales=1.0).exit_code == code

    @pytest.mark.parametrize("function", [single, inner])
    def test_single_precision_on_the_way(self, function):
        """A staircase: the steps of differences may fall on one stair, which is no derivative."""
        slope = np.exp if function is single else lambda x: 2 * np.exp(2 * x)
        report = run(function, slope)
        assert not [c for c in report.checks if c.verdict is Verdict.FAIL]
        assert outcome(report) == ("INCONCLUSIVE", 3)
        found = by(report, "finite-difference")
        assert found.reason is (Reason.DTYPE if function is single else Reason.NOISE)
        assert found.dtype == ("float32" if function is single else "float64")
        assert outcome(run(function, off(slope, -2.0))) == ("FAIL", 1)
        assert outcome(run(function, slope, options={"tolerance": 1e-3})) == ("PASS", 0)

    def test_fifth_order(self):
        """At zero x + x⁵ has no third derivative: rate five, and right all the same."""
        report = run(lambda x: np.sum(x + x**5), lambda x: 1 + 5 * x**4, np.zeros(3), scales=1.0)
        assert not [c for c in report.checks if c.verdict is Verdict.FAIL]
        assert by(report, "finite-difference").verdict is Verdict.PASS

    def test_no_claim(self):
        report = verify(Problem(rosen, ROSEN))
        assert outcome(report) == ("INCONCLUSIVE", 3)
        assert report.checks[0].reason is Reason.NOTHING
        assert report.points == ()

    def test_the_edge_of_the_domain(self):
        """The longest steps leave the logarithm's domain: that is no error of the gradient."""

        def function(x):
            return np.sum(np.log(x)) if np.all(x > 0) else np.nan

        assert outcome(run(function, lambda x: 1 / x, scales=1.0)) == ("PASS", 0)
        assert outcome(run(function, lambda x: -1 / x, scales=1.0)) == ("FAIL", 1)


class TestWhatRuns:
    def test_one_gradient(self):
        report = run(rosen, rosen_der, ROSEN)
        assert [c.check for c in report.checks] == [
            "finite-difference", "kinks", "taylor", "determinism", "canaries",
        ]  # fmt: skip
        assert [c.primary for c in report.checks] == [True, True, False, False, True]
        (point,) = report.points
        assert (point.point, point.objective, point.value_z) == ("point", "J", None)
        assert all(row.agreement_z is None and row.bound < 1e-6 for row in point.rows)

    def test_two_gradients_are_compared_as_well(self):
        claims = {"a": np.exp, "b": lambda x: np.exp(x / 2) ** 2}
        report = verify(Problem(lambda x: np.sum(np.exp(x)), X, gradients=claims))
        assert outcome(report) == ("PASS", 0)
        assert report.checks[0].check == "agreement"
        assert all(row.agreement_z < 32 for row in report.points[0].rows)

    def test_two_wrong_alike_are_found_by_differences(self):
        claims = {"a": off(np.exp, 1e-3), "b": off(lambda x: np.exp(x / 2) ** 2, 1e-3)}
        report = verify(Problem(lambda x: np.sum(np.exp(x)), X, gradients=claims))
        assert outcome(report) == ("FAIL", 1)
        assert by(report, "agreement").verdict is Verdict.PASS
        assert by(report, "finite-difference").subject == "a, b"

    def test_one_of_three_wrong_is_the_odd_one(self):
        claims = {"a": np.exp, "b": lambda x: np.exp(x / 2) ** 2, "c": off(np.exp, 1e-5)}
        report = verify(Problem(lambda x: np.sum(np.exp(x)), X, gradients=claims))
        assert outcome(report) == ("FAIL", 1)
        assert by(report, "agreement").odd_one_out == "c"

    @pytest.mark.parametrize("error, wanted", [(1e-7, "PASS"), (3e-6, "FAIL")])
    def test_routes_that_differ_beyond_round_off_are_held_against_the_tolerance(
        self, error, wanted
    ):
        claims = {"a": np.exp, "b": off(np.exp, error)}
        report = verify(Problem(lambda x: np.sum(np.exp(x)), X, gradients=claims))
        assert report.verdict is Verdict(wanted)
        assert by(report, "agreement").verdict is Verdict(wanted)

    def test_fast(self):
        report = run(rosen, rosen_der, ROSEN, options={"fast": True})
        assert outcome(report) == ("PASS", 0)
        assert not {"taylor", "kinks"} & {c.check for c in report.checks}
        assert outcome(run(rosen, off(rosen_der, 1e-3), ROSEN, options={"fast": True}))[1] == 1

    def test_seed(self):
        one, two, other = (run(rosen, rosen_der, ROSEN, options={"seed": s}) for s in (0, 0, 1))
        assert one.checks == two.checks
        assert by(one, "taylor").bound != by(other, "taylor").bound

    @pytest.mark.parametrize("tolerance", [0.0, 1.0, -1e-6, float("nan")])
    def test_a_tolerance_that_is_none(self, tolerance):
        with pytest.raises(InputError, match="must lie between 0 and 1"):
            run(rosen, rosen_der, ROSEN, options={"tolerance": tolerance})

    def test_a_gradient_that_is_not_there(self):
        with pytest.raises(InputError, match=r"unknown gradient \(of problem\) 'h'; known: g"):
            run(rosen, rosen_der, ROSEN, options={"routes": ["h"]})


class TestMany:
    """A parameter of a thousand numbers is checked along random directions."""

    SIZE = 1000

    def problem(self, gradient):
        x = {"few": [0.5, 0.7], "many": np.linspace(0.5, 1.5, self.SIZE), "one": 0.3}
        return Problem(
            lambda p: np.sum(np.exp(p["few"])) + np.sum(p["many"] ** 3) + np.sin(p["one"]),
            x,
            gradients={"g": gradient},
        )

    @staticmethod
    def right(p):
        return {"few": np.exp(p["few"]), "many": 3 * p["many"] ** 2, "one": np.cos(p["one"])}

    def test_right(self):
        report = verify(self.problem(self.right))
        assert outcome(report) == ("PASS", 0)
        found = by(report, "finite-difference")
        assert found.message.startswith(f"{2 + DIRECTIONS + 1} derivatives ")
        rows = {(r.parameter, r.component): r for r in report.points[0].rows}
        assert rows["few", (1,)].finite_difference is not None
        assert rows["many", (7,)].finite_difference is None
        assert rows["many", (7,)].verdict is Verdict.PASS

    @pytest.mark.parametrize("index", [0, 500, 999])
    def test_one_wrong_number_among_a_thousand(self, index):
        def gradient(p):
            found = self.right(p)
            found["many"] = found["many"] * (1 + 1e-2 * (np.arange(self.SIZE) == index))
            return found

        report = verify(self.problem(gradient))
        assert outcome(report) == ("FAIL", 1)
        assert by(report, "finite-difference").parameters == ("many",)
        wrong = {r.parameter for r in report.points[0].rows if r.verdict is Verdict.FAIL}
        assert wrong == {"many"}

    @pytest.mark.parametrize("name", ["few", "one"])
    def test_the_others_are_not_forgotten(self, name):
        def gradient(p):
            found = self.right(p)
            return {**found, name: found[name] * 1.1}

        report = verify(self.problem(gradient))
        assert outcome(report) == ("FAIL", 1)
        assert by(report, "finite-difference").parameters == (name,)

    def test_every_parameter_has_its_directions(self):
        target = of_problem(self.problem(self.right))
        along = differences.estimate(target, most=32).along
        counts = {name: along.owner.count(name) for name in target.names}
        assert counts == {"few": 2, "many": DIRECTIONS, "one": 1}


class TestSolver:
    """An objective whose inner iteration stops early has a smooth bias, which no noise shows."""

    @staticmethod
    def root(tolerance):
        def objective(x):
            """Sum of √x by Newton's method from 1, stopped at a tolerance: an even bias."""
            total = 0.0
            for value in x:
                y, change = 1.0, np.inf
                while abs(change) > tolerance:
                    change = (value / y - y) / 2
                    y += change
                total += y
            return total

        return objective

    X = np.array([1.5, 2.0, 2.5])

    def found(self, tolerance, **more):
        problem = Problem(self.root(tolerance), self.X, scales=0.1, **more)
        return differences.estimate(of_problem(problem))

    def test_its_share_is_added(self):
        plain = self.found(1e-1)
        covered = self.found(1e-1, tighter=self.root(1e-3))
        truth = 0.5 / np.sqrt(self.X) * plain.target.unit
        assert not np.any(plain.solver)
        missed = np.abs(plain.value[0] - truth) > plain.uncertainty[0]
        assert np.all(missed)  # without its share, differences are sure of the wrong slope
        tight = self.found(1e-3).value
        np.testing.assert_allclose(covered.value, tight)
        np.testing.assert_allclose(covered.solver, np.abs(plain.value - tight))
        np.testing.assert_allclose(covered.uncertainty, plain.uncertainty + covered.solver)
        assert np.all(np.abs(covered.value[0] - truth) <= covered.uncertainty[0])

    def test_a_right_gradient_is_not_failed_for_it(self):
        gradient = lambda x: 0.5 / np.sqrt(x)  # noqa: E731
        options = {"fast": True}
        wrong = run(self.root(1e-1), gradient, self.X, scales=0.1, options=options)
        assert outcome(wrong) == ("FAIL", 1)
        report = run(
            self.root(1e-1), gradient, self.X, scales=0.1, tighter=self.root(1e-3), options=options
        )
        assert outcome(report) == ("INCONCLUSIVE", 3)
        found = by(report, "finite-difference")
        assert found.reason is Reason.SOLVER
        assert "the solver's share of U: up to " in found.message

    def test_a_tight_one_has_next_to_no_share(self):
        report = run(
            self.root(1e-9), lambda x: 0.5 / np.sqrt(x), self.X, scales=0.1,
            tighter=self.root(1e-11),
        )  # fmt: skip
        assert outcome(report) == ("PASS", 0)
