"""Planted errors: the main job must fail, name the parameters affected and the guilty route.

Most run on the twin with 20 nodes and 20 steps, which has every term of the twin. Every error has
a neighbour of the same value in other arithmetic, which must pass.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache
from types import ModuleType

import numpy as np
import pytest

from lsm_reference import adjoint, evaluate, parameters, tangent
from lsm_verify import Reason, Verdict, cli, load_case, verify
from lsm_verify.cases import Case
from lsm_verify.grid import Grid
from lsm_verify.models import column, direct, observe
from lsm_verify.verify.result import Report

VALUE = "the objective's value differs"

EXACT = ("adjoint", "tangent", "autograd", "complex-step")

SURFACE = {"albedo", "heat_transfer_coefficient", "bowen_ratio"}
SOIL = {"thermal_conductivity", "volumetric_heat_capacity", "bottom_temperature"}
ALL = SURFACE | SOIL


@cache
def small_twin() -> Case:
    return replace(load_case("twin").window(20), grid=Grid.uniform(1.0, 20), truth=None)


@cache
def short_layered() -> Case:
    """Until noon on ten interfaces: steps of four lengths, sun, every kind of observation."""
    case = load_case("layered").window(20)
    soil = {
        "thermal_conductivity": np.linspace(0.5, 2.0, 10),
        "volumetric_heat_capacity": np.linspace(1.5e6, 2.5e6, 11),
        "initial_temperature": np.linspace(292.0, 288.0, 11),
    }
    ranges = {**case.ranges, **{name: (0.8 * v, 1.2 * v) for name, v in soil.items()}}
    start = {**case.start, **soil}
    return replace(case, grid=Grid.stretched(1.5, 10, 1.5), start=start, ranges=ranges, truth=None)


@dataclass(frozen=True)
class Error:
    """One place of the source and what it becomes; who is guilty, what must be named.

    ``all_of`` must be among the parameters affected, ``only`` (if given) are all there may be;
    ``value``: whether the objective itself is wrong too.
    """

    module: ModuleType
    old: str
    new: str
    all_of: frozenset[str] | set[str]
    only: frozenset[str] | set[str] | None = None
    guilty: str = ""
    value: bool = False
    layered: bool = False
    into: tuple[ModuleType, ...] = ()

    def plant(self, planter) -> None:
        if self.module in (adjoint, tangent):
            planter.plant_in_oracle(self.module, self.old, self.new)
        else:
            planter.plant(self.module, self.old, self.new, into=self.into)


BOTTOM = "bar.Tb[n] += total[N] + g[N - 1] * mu[N - 1]"
CAPACITY = "bar.C[i] -= mu[i] * (new[i] - old[i]) * (s[i] / column.C[i])"

ERRORS = {
    # the hand adjoint
    "adjoint: emission doubled": Error(
        adjoint,
        "column.H[n] + 4 * column.eps",
        "column.H[n] + 8 * column.eps",
        ALL,
        guilty="adjoint",
    ),
    "adjoint: emission halved": Error(
        adjoint,
        "column.H[n] + 4 * column.eps",
        "column.H[n] + 2 * column.eps",
        ALL,
        guilty="adjoint",
    ),
    "adjoint: emission 1e-8 too large in one step": Error(
        adjoint,
        "column.H[n] + 4 * column.eps",
        "column.H[n] + (1 + 1e-8 * (n == 11)) * 4 * column.eps",
        {"albedo"},
        guilty="adjoint",
    ),
    "adjoint: bottom dropped": Error(
        adjoint,
        BOTTOM,
        "bar.Tb[n] += total[N]",
        {"bottom_temperature"},
        {"bottom_temperature"},
        "adjoint",
    ),
    "adjoint: sign of the heat capacity": Error(
        adjoint,
        CAPACITY,
        CAPACITY.replace("-=", "+="),
        {"volumetric_heat_capacity"},
        {"volumetric_heat_capacity"},
        "adjoint",
    ),
    "adjoint: shortwave of another step": Error(
        adjoint,
        "mu[0] * column.SW[n]",
        "mu[0] * column.SW[n - 1]",
        {"albedo"},
        {"albedo"},
        "adjoint",
    ),
    "adjoint: coefficients of the old surface temperature": Error(
        adjoint, "x = new[0]\n", "x = old[0]\n", ALL, guilty="adjoint"
    ),
    "adjoint: β by the wrong sign": Error(
        parameters,
        "= -h / beta**2 * bar.H",
        "= h / beta**2 * bar.H",
        {"bowen_ratio"},
        {"bowen_ratio"},
        "adjoint",
        into=(evaluate,),
    ),
    "adjoint: β to the wrong power": Error(
        parameters,
        "= -h / beta**2 * bar.H",
        "= -h / beta * bar.H",
        {"bowen_ratio"},
        {"bowen_ratio"},
        "adjoint",
        into=(evaluate,),
    ),
    "adjoint: tied start forgotten": Error(
        parameters,
        "Tb[0] += np.sum(bar.T0)",
        "pass",
        {"bottom_temperature"},
        {"bottom_temperature"},
        "adjoint",
        into=(evaluate,),
    ),
    "adjoint: Δt of another step": Error(
        adjoint,
        "column.dt[n], s)",
        "column.dt[n - 1], s)",
        {"thermal_conductivity", "volumetric_heat_capacity", "albedo"},
        guilty="adjoint",
        layered=True,
    ),
    # the tangent
    "tangent: conduction to above dropped": Error(
        tangent,
        "r[i] -= dg[i - 1] * (new[i] - new[i - 1])",
        "pass",
        {"thermal_conductivity"},
        {"thermal_conductivity"},
        "tangent",
    ),
    "tangent: emission by the emissivity alone": Error(
        tangent,
        "SIGMA * x * x * x * (d.eps * x + 4 * column.eps * dT[n, 0])",
        "SIGMA * x * x * x * (d.eps * x + 3 * column.eps * dT[n, 0])",
        {"albedo", "turbulent_transfer_coefficient"},
        guilty="tangent",
        layered=True,
    ),
    # torch
    "torch: emission doubled": Error(
        direct,
        "c4 = columns.emissivity * STEFAN",
        "c4 = 2 * columns.emissivity * STEFAN",
        ALL,
        value=True,
        guilty="autograd",
    ),
    "torch: emission doubled in the slope": Error(
        direct,
        "x = x - (c1 * x + c4 * x3 * x - load) / (c1 + 4 * c4 * x3)",
        "x = x - (c1 * x + c4 * x3 * x - load) / (c1 + 8 * c4 * x3)",
        ALL,
        guilty="autograd",
    ),
    "torch: shortwave of the step before": Error(
        direct,
        "load + absorbed[:, n]",
        "load + absorbed[:, max(n - 1, 0)]",
        ALL,
        value=True,
        guilty="autograd",
    ),
    "torch: air temperature of the step before": Error(
        direct,
        "H * columns.Tair[:, n]",
        "H * columns.Tair[:, max(n - 1, 0)]",
        {"albedo", "turbulent_transfer_coefficient"},
        value=True,
        guilty="autograd",
        layered=True,
    ),
    "torch: λ detached": Error(
        column,
        'spread("thermal_conductivity", N)',
        'spread("thermal_conductivity", N).detach()',
        {"thermal_conductivity"},
        {"thermal_conductivity"},
        "autograd",
    ),
    "torch: β detached": Error(
        column,
        '(1 + 1 / spread("bowen_ratio", S))',
        '(1 + 1 / spread("bowen_ratio", S).detach())',
        {"bowen_ratio"},
        {"bowen_ratio"},
        "autograd",
    ),
    "torch: tied start detached": Error(
        column,
        "Tb[:, :1].expand(B, N + 1) if tied",
        "Tb[:, :1].detach().expand(B, N + 1) if tied",
        {"bottom_temperature"},
        {"bottom_temperature"},
        "autograd",
    ),
    "torch: single precision on the way": Error(
        direct,
        "c1 = soil.storage[:, 0] +",
        "c1 = soil.storage[:, 0].float().double() +",
        {"volumetric_heat_capacity"},
        guilty="autograd",
    ),
    "torch: Δt of another step": Error(
        direct,
        "soil = soils[d]",
        "soil = soils[which[n - 1]]",
        {"thermal_conductivity", "volumetric_heat_capacity", "albedo"},
        value=True,
        guilty="autograd",
        layered=True,
    ),
    "torch: bottom of another step": Error(
        direct,
        "bottom = g[:, -1] * columns.Tb[:, n]",
        "bottom = g[:, -1] * columns.Tb[:, n - 1]",
        {"bottom_temperature"},
        guilty="autograd",
        layered=True,
    ),
    "torch: observed one state late": Error(
        observe,
        'torch.einsum("bsn,bn->bs", T, _weights',
        'torch.einsum("bsn,bn->bs", T.roll(1, 1), _weights',
        ALL,
        value=True,
        guilty="autograd",
    ),
    "torch: objective too large by a constant": Error(
        observe,
        "total = (w * r * r).sum(dim=(1, 2))",
        "total = 1 + (w * r * r).sum(dim=(1, 2))",
        set(),
        set(),
        "autograd",
        value=True,
    ),
    "torch: objective without its weights": Error(
        observe,
        "total = (w * r * r).sum",
        "total = (r * r).sum",
        {"albedo"},
        value=True,
        guilty="autograd",
        layered=True,
    ),
}


def judged(case: Case, **options) -> Report:
    return verify(case, routes=EXACT, points=0, **options)


def failed(report: Report, name: str):
    return [c for c in report.checks if c.check == name and c.verdict is Verdict.FAIL]


@pytest.mark.parametrize("what", ERRORS)
def test_a_planted_error_fails_names_parameters_and_route(planter, what):
    error = ERRORS[what]
    error.plant(planter)
    report = judged(short_layered() if error.layered else small_twin())
    assert report.verdict is Verdict.FAIL
    assert report.exit_code == 1
    checks = failed(report, "agreement")
    assert checks
    affected = {name for c in checks for name in c.parameters}
    assert any(VALUE in c.message for c in checks) is error.value
    assert error.all_of <= affected
    if error.only is not None:
        assert affected == error.only
    for check in checks:
        assert check.reason is Reason.DISAGREEMENT
        assert check.odd_one_out == error.guilty
        assert check.message.startswith(f"{error.guilty} stands apart")
    rows = {r.parameter for p in report.points for r in p.rows if r.verdict is Verdict.FAIL}
    assert rows == affected


@pytest.mark.parametrize("case", [small_twin, short_layered])
def test_without_an_error_it_passes(case):
    report = judged(case())
    assert (report.verdict, report.exit_code) == (Verdict.PASS, 0)
    assert not [c for c in report.checks if c.parameters or c.odd_one_out]


EQUIVALENT = {
    "adjoint: emission": (
        adjoint,
        "4 * column.eps * SIGMA * x * x * x\n    mu",
        "(x * SIGMA) * (x * x) * (column.eps * 4)\n    mu",
    ),
    "adjoint: bottom": (adjoint, BOTTOM, "bar.Tb[n] += mu[N - 1] * g[N - 1] + total[N]"),
    "adjoint: capacity": (
        adjoint,
        CAPACITY,
        "bar.C[i] += mu[i] * (old[i] - new[i]) / column.C[i] * s[i]",
    ),
    "adjoint: β": (parameters, "= -h / beta**2 * bar.H", "= -(h * bar.H) / beta / beta"),
    "tangent: forcing": (
        tangent,
        "(1 - column.alpha[n]) * d.SW[n]",
        "d.SW[n] - column.alpha[n] * d.SW[n]",
    ),
    "torch: emission": (
        direct,
        "x = x - (c1 * x + c4 * x3 * x - load) /",
        "x = x - (x * (c1 + c4 * x3) - load) /",
    ),
    "torch: storage": (
        direct,
        "c1 = soil.storage[:, 0] + soil.conductance + H",
        "c1 = H + (soil.conductance + soil.storage[:, 0])",
    ),
    "torch: H": (
        column,
        '* (1 + 1 / spread("bowen_ratio", S))',
        '/ spread("bowen_ratio", S) * (1 + spread("bowen_ratio", S))',
    ),
    "torch: objective": (observe, "total = (w * r * r).sum", "total = ((w * r) * r).flip(2).sum"),
    "torch: three steps at the root": (direct, "for _ in range(2):", "for _ in range(3):"),
}


@pytest.mark.parametrize("what", EQUIVALENT)
def test_the_same_value_in_other_arithmetic_passes(planter, what):
    module, old, new = EQUIVALENT[what]
    Error(module, old, new, set(), into=(evaluate,)).plant(planter)
    for case in (small_twin(), short_layered()):
        report = judged(case)
        assert report.exit_code == 0
        assert not [c for c in report.checks if c.parameters or c.odd_one_out]


def test_the_other_checks_see_an_error_too(planter):
    """Dot products and finite differences blame the adjoint without help from the primary gate."""
    ERRORS["adjoint: emission doubled"].plant(planter)
    report = verify(small_twin(), points=0)
    assert failed(report, "dot-product")
    differences = failed(report, "finite-difference")
    assert differences
    assert {c.subject for c in differences} == {"adjoint"}
    assert {c.reason for c in differences} == {Reason.MISMATCH}
    window = [c for c in failed(report, "agreement") if c.point == "first 5 steps"]
    assert {c.odd_one_out for c in window} == {"adjoint"}
    assert not failed(report, "energy closure")


def test_energy_sees_a_wrong_model(planter):
    ERRORS["torch: shortwave of the step before"].plant(planter)
    broken = failed(judged(small_twin()), "energy closure")
    assert {c.subject for c in broken} == {"torch"}


def test_two_routes_cannot_tell_who_is_guilty(planter):
    ERRORS["adjoint: bottom dropped"].plant(planter)
    report = verify(small_twin(), routes=("adjoint", "tangent"), points=0)
    assert report.exit_code == 1
    assert {c.odd_one_out for c in failed(report, "agreement")} == {None}


@pytest.mark.parametrize(
    "what",
    ["adjoint: emission doubled", "torch: shortwave of the step before", "adjoint: bottom dropped"],
)
def test_check_twin_exits_1_and_names_the_parameters(planter, capsys, what):
    error = ERRORS[what]
    error.plant(planter)
    code = cli.run(["check", "twin", "--points", "0"])
    shown = capsys.readouterr().out
    assert code == 1
    line = next(
        line
        for line in shown.splitlines()
        if "parameters affected" in line or "stands apart" in line
    )
    assert "FAIL" in shown
    assert f"{error.guilty} stands apart" in shown
    named = " ".join(shown.split()).partition("parameters affected: ")[2]
    assert all(name in named for name in error.all_of), line
    if error.only is not None:
        assert not any(name in named for name in ALL - error.only)
