"""Words of what did not pass: numbers that were measured, and no others."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from lsm_verify import Problem, Verdict, verify
from lsm_verify.report import first_screen, latex, markdown
from lsm_verify.report.findings import (
    deciding,
    derivative,
    headline,
    how_far,
    how_much,
    statistic,
    worst,
    wrong_row,
)
from lsm_verify.report.text import verdict_words
from tests.report import samples
from tests.report.reports import check, located, row, wrong


@pytest.fixture(scope="module")
def kinked():
    return verify(samples.kinked())


def test_a_point_without_a_gradient_has_no_error_of_one(kinked):
    first = deciding(kinked)[0]
    assert first.verdict is Verdict.NONSMOOTH
    assert "error up to" not in headline(kinked, first)
    assert first.statistic not in headline(kinked, first)
    assert headline(kinked, first).endswith("parameters: x; at point")
    assert derivative(kinked, first) == how_much(first) == how_far(kinked, first) == ""
    words = verdict_words(kinked)
    assert "kink in x[0]: slope -1 left, 1 right (" in words
    assert "error up to" not in words
    assert "By how much" not in {fact.name for fact in first_screen.facts(kinked)}


def test_a_rate_that_was_not_measured_is_no_zero(kinked):
    (taylor,) = [c for c in kinked.checks if c.check == "taylor"]
    assert taylor.message.startswith("no rate")
    assert math.isnan(taylor.value)
    assert "rate - 3| 0" not in headline(kinked, taylor)
    assert not how_much(taylor)
    cells = [line for line in markdown.render(kinked).splitlines() if "| taylor (J)" in line]
    assert len(cells) == 1
    assert "no number" in cells[0]


def test_a_bound_without_a_rate_is_told():
    """Along every line a linear objective's remainder is noise: the bound is what was found."""
    problem = Problem(lambda x: 3 * x[0], [1.0], gradients={"mine": lambda x: [3.0]})
    (taylor,) = [c for c in verify(problem).checks if c.check == "taylor"]
    assert taylor.verdict is Verdict.PASS
    assert how_much(taylor) == f"error up to {taylor.bound:.1e} of ‖g∘s‖"


def test_what_was_measured_is_told():
    report = wrong()
    first = deciding(report)[0]
    assert f"{first.statistic} {first.value:.3g} of 1" in headline(report, first)
    assert f"error up to {first.bound:.1e} of ‖g∘s‖" in headline(report, first)
    assert "By how much" in {fact.name for fact in first_screen.facts(report)}


def test_no_number_is_the_worst_of_those_that_did_not_pass():
    none, some = check(value=math.nan), check(value=0.25)
    assert worst([none, some]) is worst([some, none]) is some
    bad = [replace(each, verdict=Verdict.FAIL) for each in (none, some)]
    assert worst(bad) is worst(bad[::-1]) is bad[0]
    assert (statistic(none, " of "), statistic(some)) == ("no number", "0.25")
    assert statistic(some, " of ") == "0.25 of 32"
    assert statistic(replace(some, pass_limit=0.0), " of ") == "0.25"


def test_a_table_shows_what_was_measured_beside_what_was_not():
    for checks in ((math.nan, 0.25), (0.25, math.nan)):
        points = zip(("start", "random 1"), checks, strict=True)
        made = replace(located(), checks=tuple(check(point=p, value=v) for p, v in points))
        assert "& 2 & 0.25 / 32 &" in latex.render(made)


def test_a_derivative_that_is_no_number_is_known_to_be_wrong():
    """Its difference from the others is infinite, which a file cannot hold."""
    point = located().points[0]
    bad = row(
        "albedo",
        gradients={"adjoint": math.nan, "autograd": 1.0},
        agreement_z=None,
        finite_difference=None,
        verdict=Verdict.FAIL,
    )
    assert "adjoint nan, autograd 1" in wrong_row(point, bad)


def test_what_failed_is_told_before_what_stayed_open():
    open_, bad = check(Verdict.INCONCLUSIVE), check(Verdict.FAIL, primary=False)
    worse = check(Verdict.FAIL)
    report = replace(located(), checks=(open_, bad, worse))
    assert deciding(report) == [worse, bad, open_]
    halted = replace(report, verdict=Verdict.INCONCLUSIVE, exit_code=3, checks=(bad, open_))
    assert deciding(halted) == [open_, bad]
