import io
from dataclasses import replace

import pytest
from rich.console import Console

from lsm_verify import Reason, Report, Verdict
from lsm_verify.report import text
from lsm_verify.verify.result import CheckResult, GradientRow, Options, PointResult

VALUES = {"adjoint": 7.5, "tangent": 7.5}


def row(parameter="albedo", component=(), share=1.0, verdict=Verdict.PASS):
    return GradientRow(
        parameter=parameter,
        component=component,
        value=0.3,
        scale=0.1,
        unit="1",
        gradients={"adjoint": 1.25, "tangent": 1.25},
        share=share,
        agreement_z=0.5,
        bound=1e-13,
        finite_difference=None,
        finite_difference_uncertainty=None,
        verdict=verdict,
    )


def check(verdict=Verdict.PASS, **changes):
    result = CheckResult(
        check="agreement",
        point="start",
        objective="J",
        subject="adjoint, tangent",
        verdict=verdict,
        primary=True,
        statistic="max z",
        value=0.5,
        pass_limit=32.0,
        fail_limit=128.0,
        bound=1e-13,
        message="2 routes, 1 pairs",
    )
    return replace(result, **changes)


def report(*checks, verdict=Verdict.PASS, code=0, rows=None, points=None):
    first = PointResult(
        "start", "J", VALUES, 0.5, Verdict.PASS, 1.0, rows or (row(),), {"all": 2.7}
    )
    return Report(
        case="twin",
        title="a [title]",
        verdict=verdict,
        exit_code=code,
        options=Options(("adjoint", "tangent"), 0, 0, False, False, 1e-4, 1e-8, False),
        checks=checks,
        points=points or (first,),
        seconds={"adjoint": 0.25},
        notes=("a note",),
        provenance={},
    )


@pytest.fixture
def shown():
    def render(made, *, verbose=False, width=120):
        out = io.StringIO()
        text.show(made, Console(file=out, width=width, highlight=False), verbose=verbose)
        return out.getvalue()

    return render


def test_a_pass_says_what_is_certified(shown):
    out = shown(report(check()))
    assert (
        out.splitlines()[-1] == "PASS  exact routes agree; relative error of the gradient ≤ 1.0e-13"
    )
    assert "Value and gradient of J at start" in out
    assert "7.5" in out
    assert "all 2.7" in out
    assert "∂/∂α" in out
    assert "a note" in out
    assert "seconds: adjoint 0.25" in out


def test_a_failure_names_reason_and_parameters(shown):
    failed = check(
        Verdict.FAIL,
        value=1e6,
        reason=Reason.DISAGREEMENT,
        parameters=("albedo", "bowen_ratio"),
        message="tangent stands apart from the other 2 routes",
    )
    out = shown(report(failed, verdict=Verdict.FAIL, code=1))
    last = " ".join(out[out.rindex("FAIL") :].split())
    assert last.startswith("FAIL ")
    assert "agreement at start: tangent stands apart from the other 2 routes" in last
    assert last.endswith(f"({Reason.DISAGREEMENT}); parameters affected: albedo, bowen_ratio")


@pytest.mark.parametrize("verdict", [v for v in Verdict if v is not Verdict.PASS])
def test_what_did_not_pass_is_shown_with_its_command_in_one_line(shown, verdict):
    command = "lsm-verify check twin --seed 7 --routes " + ",".join(["adjoint"] * 20)
    made = replace(report(check(verdict), verdict=verdict, code=1), command=command)
    assert f"replay with: {command}" in shown(made, width=60).splitlines()
    assert "replay with" not in shown(replace(made, command=""))
    assert "replay with" not in shown(replace(report(check()), command=command))


def test_a_title_is_shown_as_it_stands(shown):
    assert shown(report(check())).splitlines()[0] == "twin: a [title]"


def test_what_the_probe_covers_is_said(shown):
    covered = check(Verdict.INCONCLUSIVE, covered=True, point="truth", reason=Reason.NO_SIGNAL)
    out = " ".join(shown(report(check(), covered)).split())
    assert f"J at the truth: {Reason.NO_SIGNAL}; the probe is judged there." in out
    assert "INCONCLUSIVE" not in out


def test_nothing_compared(shown):
    out = shown(report(verdict=Verdict.INCONCLUSIVE, code=3))
    assert out.splitlines()[-1] == "INCONCLUSIVE  nothing was compared"


def test_of_many_values_the_heaviest_is_shown_or_one_that_failed(shown):
    rows = (row(component=(0,), share=0.1), row(component=(1,), share=0.9), row(component=(2,)))
    rows = (*rows[:2], replace(rows[2], share=0.2))
    assert "∂/∂α[1]" in shown(report(check(), rows=rows))
    wrong = (*rows[:2], replace(rows[2], verdict=Verdict.FAIL))
    out = shown(report(check(), rows=wrong))
    assert "∂/∂α[2]" in out
    assert "∂/∂α[1]" not in out


def test_points_after_the_first_are_shown_where_they_failed_or_if_asked(shown):
    first = PointResult("start", "J", VALUES, 0.5, Verdict.PASS, 1.0, (row(),))
    right = PointResult("random 1", "J", VALUES, 0.5, Verdict.PASS, 1.0, (row(),))
    wrong = PointResult(
        "random 2", "J", VALUES, 0.5, Verdict.PASS, 1.0, (row(verdict=Verdict.FAIL),)
    )
    made = report(check(), points=(first, right, wrong))
    assert "at random 1" not in shown(made)
    assert "at random 2" in shown(made)
    assert "at random 1" in shown(made, verbose=True)


def test_a_wrong_value_shows_in_its_own_column(shown):
    first = PointResult("start", "J", VALUES, 0.5, Verdict.PASS, 1.0, (row(),))
    wrong = PointResult("random 1", "J", VALUES, 1e6, Verdict.FAIL, 1.0, (row(),))
    out = shown(report(check(), points=(first, wrong)))
    assert "at random 1" in out
    assert "1000000.0" in out
    assert "FAIL" in out


def test_a_pass_says_what_stayed_open(shown):
    silent = check(Verdict.INCONCLUSIVE, check="finite-difference", primary=False)
    last = shown(report(check(), silent)).splitlines()[-1]
    assert last.startswith("PASS")
    assert last.endswith("1 other check inconclusive: finite-difference")


def test_passed_checks_at_several_points_share_a_row(shown):
    made = report(check(), check(point="random 1", value=0.75))
    out = shown(made)
    (line,) = [line for line in out.splitlines() if line.startswith("agreement")]
    assert "2 points" in line
    assert "max z 0.75 of 32" in line
    rows = [line for line in shown(made, verbose=True).splitlines() if line.startswith("agreement")]
    assert len(rows) == 2


@pytest.mark.parametrize("width", [60, 80, 100, 120])
def test_no_number_is_cut_short_whatever_the_width(shown, width):
    names = ("albedo", "bowen_ratio", "emissivity", "thermal_conductivity", "bottom_temperature")
    rows = tuple(replace(row(name), gradients={"adjoint": -1.25e-11 * i, "tangent": 0.0})
                 for i, name in enumerate(names, start=1))  # fmt: skip
    out = shown(report(check(), rows=rows), width=width)
    assert "…" not in out
    for i in range(1, 6):
        assert any(f"{-1.25e-11 * i:.{d}e}" in out for d in range(3, 10))
    assert "PASS" in out


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_numbers_that_are_none_are_shown(shown, value):
    broken = replace(
        row(verdict=Verdict.FAIL), gradients={"adjoint": value, "tangent": 0.0}, share=value
    )
    failed = check(Verdict.FAIL, value=value, bound=value, reason=Reason.DISAGREEMENT)
    out = shown(report(failed, verdict=Verdict.FAIL, code=1, rows=(broken,)))
    assert str(value) in out
    assert "FAIL" in out
