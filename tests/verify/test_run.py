from dataclasses import replace

import numpy as np
import pytest

from lsm_verify import (
    InputError,
    NoSolutionError,
    Problem,
    Reason,
    Series,
    Verdict,
    load_case,
    verify,
)
from lsm_verify.observations import Observations
from lsm_verify.routes import ROUTES
from lsm_verify.verify import case_run
from lsm_verify.verify.case_run import default_routes

CHEAP = ["adjoint", "complex-step"]
DIFFERENCES = ("finite-difference", "kinks", "taylor")
COLUMN = ("dot-product", "dot-product per step", "energy closure")


def kinds(report):
    return {(c.check, c.point, c.objective, c.subject) for c in report.checks}


SMOOTH_SOLUTIONS = ("manufactured forcing", "half-space under constant air")
BOTTOMS = ("prescribed", "insulated")


class TestDefault:
    def test_routes(self):
        assert default_routes() == (
            "adjoint",
            "tangent",
            "autograd",
            "fused",
            "complex-step",
            "multiprecision",
            "finite-difference",
        )

    def test_passes(self, report):
        assert report.verdict is Verdict.PASS
        assert report.exit_code == 0
        assert report.case == "twin"
        assert {c.verdict for c in report.checks if not c.covered} == {Verdict.PASS}

    def test_says_what_was_asked(self, report):
        assert report.options.routes == default_routes()
        assert (report.options.points, report.options.seed, report.options.strict) == (0, 0, False)
        assert (report.options.fast, report.options.named) == (False, False)
        assert report.options.tolerance == 1e-8
        assert report.replay["kind"] == "case"

    def test_what_draws_says_its_seed(self, report):
        draw = ("agreement", *DIFFERENCES)
        assert {c.seed is None for c in report.checks if c.check in draw} == {False}

    def test_runs_every_check(self, report):
        found = {(c.check, c.point, c.objective) for c in report.checks}
        both = {"J", "probe"}
        assert found == (
            {("agreement", p, o) for p in ("start", "truth", "first 5 steps") for o in both}
            | {(c, "start", o) for c in (*DIFFERENCES, "float32", "hessian") for o in both}
            | {(c, "truth", "probe") for c in DIFFERENCES}
            | {(c, p, "") for c in COLUMN for p in ("start", "truth")}
            | {("determinism", "start", "J"), ("batch independence", "start", "J")}
            | {("canaries", "start", "")}
            | {("convergence order", p, "") for p in SMOOTH_SOLUTIONS}
            | {("exact solution", f"drifting column, {b} bottom", "") for b in BOTTOMS}
        )
        assert {c.subject for c in report.checks if c.check == "energy closure"} == {
            "oracle",
            "torch",
            "fused",
        }

    def test_holds_all_exact_routes_against_multiprecision(self, report):
        window = [c for c in report.checks if c.point == "first 5 steps"]
        for check in window:
            assert (
                check.subject == "adjoint, tangent, autograd, fused, complex-step, multiprecision"
            )

    def test_rows(self, report, short_twin):
        point = report.points[0]
        assert (point.point, point.objective) == ("start", "J")
        assert tuple(r.parameter for r in point.rows) == short_twin.free
        assert sum(r.share**2 for r in point.rows) == pytest.approx(1.0)
        for row in point.rows:
            assert set(row.gradients) == {"adjoint", "tangent", "autograd", "fused", "complex-step"}
            assert row.verdict is Verdict.PASS
            difference = abs(row.finite_difference - row.gradients["adjoint"])
            assert difference <= row.finite_difference_uncertainty
            assert row.value == short_twin.start[row.parameter]

    def test_misfit(self, report):
        for point in report.points:
            if point.objective == "probe":
                assert point.rmse == {}
        start = report.points[0]
        assert start.rmse["all [K]"] ** 2 == pytest.approx(start.value)
        truth = next(p for p in report.points if (p.point, p.objective) == ("truth", "J"))
        assert truth.rmse["all [K]"] < 1e-12

    def test_keeps_books(self, report):
        assert set(report.seconds) >= {*default_routes(), "set-up", "dot-product", "energy"}
        assert report.provenance["sha256 of twin.csv"] == load_case("twin").sources["twin.csv"]
        assert {"python", "numpy", "torch", "numba"} <= set(report.provenance)
        assert any("autograd-published was not run" in note for note in report.notes)


@pytest.fixture
def no_work(monkeypatch):
    """Let a route that is evaluated be an error: misuse is refused before any work."""

    def work(*args, **kwargs):
        raise AssertionError("a route was evaluated")

    monkeypatch.setattr(case_run, "sample", work)


class TestOptions:
    def test_points_are_seeded(self, short_twin):
        one, two, other = (verify(short_twin, routes=CHEAP, points=2, seed=s) for s in (3, 3, 4))
        names = ["start", "random 1", "random 2", "truth"]
        assert list(dict.fromkeys(p.point for p in one.points)) == names
        assert one.points == two.points
        assert one.checks == two.checks
        assert one.points != other.points
        assert one.exit_code == other.exit_code == 0

    @pytest.mark.parametrize("name", ["adjoint", "autograd", "finite-difference", "multiprecision"])
    def test_a_single_route_gets_something_to_be_checked_against(self, short_twin, name):
        report = verify(short_twin, routes=[name], points=0)
        assert report.verdict is Verdict.PASS
        agreed = report.checks[0]
        assert len(agreed.subject.split(", ")) >= 2
        assert any("was added" in note for note in report.notes)

    def test_a_route_named_twice_is_not_compared_with_itself(self, short_twin):
        report = verify(short_twin, routes=["adjoint", "adjoint"], points=0)
        assert report.verdict is Verdict.PASS
        assert report.checks[0].subject == "adjoint, complex-step"

    def test_progress_is_announced(self, short_twin):
        lines = []
        verify(short_twin, routes=CHEAP, points=0, announce=lines.append)
        assert lines
        assert all("\n" not in line for line in lines)

    def test_published_route(self, short_twin):
        report = verify(short_twin, routes=["autograd-published"], points=0)
        assert report.exit_code == 1
        (failed,) = [c for c in report.checks if c.verdict is Verdict.FAIL]
        assert failed.subject == "autograd-published"
        assert failed.reason is Reason.SOLVER
        assert "autograd-published" in report.points[0].rows[0].gradients
        assert not any("was not run" in note for note in report.notes)

    @pytest.mark.parametrize(
        "options, message",
        [
            ({"points": -1}, "points=-1 must be a whole number, at least 0."),
            ({"seed": -1}, "seed=-1 must be a whole number, at least 0."),
            ({"routes": []}, "no route is named; known: adjoint, "),
            ({"routes": ["adjont"]}, "unknown route 'adjont'; known: adjoint, "),
            (
                {"routes": ["autograd-published"], "jacobi_tolerance": 1e-13},
                "Jacobi tolerance 1e-13 K must lie in [1e-12, 1]",
            ),
        ],
    )
    def test_wrong(self, short_twin, no_work, options, message):
        with pytest.raises(InputError) as caught:
            verify(short_twin, **options)
        assert str(caught.value).startswith(message)

    def test_a_case_that_the_published_route_does_not_cover(self, no_work):
        with pytest.raises(InputError, match="does not cover this case"):
            verify(load_case("layered").window(2), routes=["autograd-published"], points=0)

    @pytest.mark.parametrize("route", default_routes())
    def test_no_solution_is_told_by_every_route(self, short_twin, route):
        from lsm_verify import gradient

        frozen = {
            "volumetric_heat_capacity": 1e-3,
            "thermal_conductivity": 1e-9,
            "turbulent_transfer_coefficient": 0.0,
            "SWdown": np.full(5, -50.0),
            "LWdown": np.zeros(5),
        }
        with pytest.raises(NoSolutionError) as caught:
            gradient(short_twin, frozen, route=route)
        assert caught.value.step == 0


def spoiled(name, parameter, error):
    """A route whose gradient by one parameter is off by a relative error."""
    right = ROUTES[name]

    def evaluate(batch):
        return [
            [
                (value, {k: v * (1 + error * (k == parameter)) for k, v in g.items()})
                for value, g in e
            ]
            for e in right.evaluate(batch)
        ]

    return replace(right, evaluate=evaluate)


class TestWrongGradient:
    @pytest.mark.parametrize("error", [1e-8, 1.0, -2.0])
    @pytest.mark.parametrize("name", ["adjoint", "autograd", "complex-step"])
    def test_exits_1_and_names_route_and_parameter(self, short_twin, monkeypatch, name, error):
        monkeypatch.setitem(ROUTES, name, spoiled(name, "thermal_conductivity", error))
        routes = ["adjoint", "autograd", "complex-step"]
        report = verify(short_twin, routes=routes, points=0)
        assert report.verdict is Verdict.FAIL
        assert report.exit_code == 1
        failed = [c for c in report.checks if c.verdict is Verdict.FAIL]
        # Single precision is held against the answer that was given, and sees a large error in it.
        coarse = [c for c in failed if c.check == "float32"]
        assert bool(coarse) == (name == "autograd" and abs(error) > 0.1)
        assert {c.subject for c in coarse} <= {"autograd"}
        failed = [c for c in failed if c not in coarse]
        assert {c.check for c in failed} == {"agreement"}
        assert {c.point for c in failed} == {"start", "truth"}
        assert {c.odd_one_out for c in failed} == {name}
        assert {c.location.route for c in failed if c.location} == {name}
        assert {c.parameters for c in failed} == {("thermal_conductivity",)}
        wrong = {r.parameter for p in report.points for r in p.rows if r.verdict is Verdict.FAIL}
        assert wrong == {"thermal_conductivity"}

    def test_finite_differences_see_what_all_exact_routes_share(self, short_twin, monkeypatch):
        for name in CHEAP:
            monkeypatch.setitem(ROUTES, name, spoiled(name, "bottom_temperature", 1e-4))
        report = verify(short_twin, routes=[*CHEAP, "finite-difference"], points=0)
        assert report.exit_code == 1
        failed = [c for c in report.checks if c.verdict is Verdict.FAIL]
        assert {c.check for c in failed} == {"finite-difference", "taylor"}
        assert {c.reason for c in failed} == {Reason.MISMATCH, Reason.RATE}
        assert failed[0].parameters == ("bottom_temperature",)
        assert failed[0].message.startswith("adjoint, complex-step differ from finite differences")
        assert "bottom_temperature: claimed 2.06876" in failed[0].message

    def test_a_gradient_that_is_no_number(self, short_twin, monkeypatch):
        monkeypatch.setitem(ROUTES, "adjoint", spoiled("adjoint", "albedo", np.nan))
        report = verify(short_twin, routes=CHEAP, points=0)
        assert report.exit_code == 1
        agreed = [c for c in report.checks if c.check == "agreement"]
        assert {c.verdict for c in agreed} == {Verdict.FAIL}
        assert {c.parameters[0] for c in agreed} == {"albedo"}


def test_nothing_to_see_is_not_a_pass(short_twin):
    """A series whose every weight is zero has no gradient; no check may call that right."""
    series = Series("soil_temperature", np.full(6, 290.0), weights=0.0)
    with pytest.raises(InputError, match="soil_temperature"):
        verify(replace(short_twin, observations=Observations((series,))), routes=CHEAP, points=0)


def test_observations_may_begin_late(short_twin):
    """Neither the warm-up nor the short window for multiprecision needs an early observation."""
    values = np.full(6, np.nan)
    values[-1] = 290.0
    late = replace(
        short_twin, observations=Observations((Series("soil_temperature", values, depth=0.05),))
    )
    report = verify(late, routes=[*CHEAP, "multiprecision"], points=0)
    assert report.checks[0].verdict is Verdict.PASS
    assert report.exit_code == 0


class TestProblem:
    @pytest.fixture
    def square(self):
        return Problem(lambda x: float(x @ x), [1.0, 2.0], gradients={"mine": lambda x: 2 * x})

    @pytest.mark.parametrize("fast", [False, True])
    def test_its_report_holds_options_that_it_takes(self, square, fast):
        report = verify(square, fast=fast)
        options = report.options
        assert options.points == 0
        assert report.command == ""  # no command line asked
        again = verify(
            square,
            points=options.points,
            tolerance=options.tolerance,
            jacobi_tolerance=options.jacobi_tolerance,
            fast=fast,
        )
        assert again.options == options

    @pytest.mark.parametrize("setting", [{"points": 2}, {"jacobi_tolerance": 1e-6}])
    def test_settings_of_cases_are_refused(self, square, setting):
        ((name, value),) = setting.items()
        with pytest.raises(InputError, match=f"^{name}={value}: a problem .*; leave it out.$"):
            verify(square, **setting)
