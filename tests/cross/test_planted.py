"""Planted errors through the whole product: what is printed, by which checks, with which routes.

That every error of the catalogue dies for the right reason is tested in ``tests/mutants``.
"""

from __future__ import annotations

import pytest

from lsm_verify.mutants.catalogue import MUTANTS
from lsm_verify.mutants.mutant import ALL, SMALL_TWIN
from lsm_verify.mutants.workloads import WORKLOADS
from lsm_verify.mutants.world import World
from lsm_verify.verify import verify

EXACT = ("adjoint", "tangent", "autograd", "fused", "complex-step")


def judged(mutant, **options):
    with World(mutant.change) as world:
        case = world.module("lsm_verify.mutants.workloads").WORKLOADS[mutant.workload]()
        return world.module("lsm_verify.verify.run").verify(
            case, **{"points": 0, "fast": True, **options}
        )


def failed(report, name):
    return [c for c in report.checks if c.check == name and c.verdict == "FAIL"]


@pytest.mark.parametrize("workload", WORKLOADS)
def test_without_an_error_it_passes(workload):
    report = verify(WORKLOADS[workload](), points=0)
    assert (report.verdict, report.exit_code) == ("PASS", 0)
    assert not [c for c in report.checks if c.parameters or c.odd_one_out or c.location]


@pytest.mark.parametrize(
    "name",
    [
        "adjoint: bottom's neighbour dropped",
        "tangent: sign of the albedo",
        "torch: response of the soil to the surface detached",
    ],
)
def test_the_report_names_route_and_parameters_alike_everywhere(name):
    mutant = MUTANTS[name]
    (guilty,) = mutant.culprits
    report = judged(mutant, routes=EXACT)
    checks = failed(report, "agreement")
    assert checks
    for check in checks:
        assert check.reason.name == "DISAGREEMENT"
        assert check.odd_one_out == guilty
        assert check.message.startswith(f"{guilty} stands apart")
        assert check.location.route == guilty
    affected = {name for c in checks for name in c.parameters}
    rows = {r.parameter for p in report.points for r in p.rows if r.verdict == "FAIL"}
    assert rows == affected == mutant.named


def test_the_other_checks_see_an_error_too():
    """Dot products and finite differences blame the adjoint without help from the primary gate."""
    report = judged(MUTANTS["adjoint: emission doubled"], fast=False)
    assert failed(report, "dot-product")
    assert failed(report, "dot-product per step")
    differences = failed(report, "finite-difference")
    assert differences
    assert {c.subject for c in differences} == {"adjoint"}
    assert {c.reason.name for c in differences} == {"MISMATCH"}
    window = [c for c in failed(report, "agreement") if c.point == "first 5 steps"]
    assert {c.odd_one_out for c in window} == {"adjoint"}
    assert not failed(report, "energy closure")


def test_energy_sees_a_wrong_model():
    broken = failed(judged(MUTANTS["torch: shortwave of the step before"]), "energy closure")
    assert {c.subject for c in broken} == {"torch"}


def test_two_routes_cannot_tell_who_is_guilty():
    report = judged(
        MUTANTS["adjoint: bottom's neighbour dropped"], routes=("adjoint", "tangent"), fast=False
    )
    assert report.exit_code == 1
    assert {c.odd_one_out for c in failed(report, "agreement")} == {None}


@pytest.mark.parametrize(
    "name",
    [
        "adjoint: emission doubled",
        "torch: shortwave of the step before",
        "adjoint: bottom's neighbour dropped",
    ],
)
def test_check_twin_exits_1_and_names_the_parameters(capsys, name):
    mutant = MUTANTS[name]
    assert mutant.workload == SMALL_TWIN
    (guilty,) = mutant.culprits
    with World(mutant.change) as world:
        code = world.module("lsm_verify.cli").run(["check", "twin", "--fast"])
    shown = capsys.readouterr().out
    assert code == 1
    assert "FAIL" in shown
    assert f"{guilty} stands apart" in shown
    named = " ".join(shown.split()).partition("parameters affected: ")[2]
    assert all(each in named for each in mutant.named)
    if mutant.only:
        assert not any(each in named for each in ALL - mutant.named)
