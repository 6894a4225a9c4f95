"""Reports that the tests of their renderings share: right, wrong, open, and one of every kind."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
from scipy.optimize import rosen, rosen_der

from lsm_verify import Location, Problem, Report, Verdict, verify
from lsm_verify.verify.result import CheckResult, GradientRow, Options, PointResult, Reason

COMMAND = "lsm-verify check model:problem --seed 0"


def named(p):
    return rosen(np.array([p["a"], p["b"], 1.1]))


def half_wrong(p):
    slope = rosen_der(np.array([p["a"], p["b"], 1.1]))
    return {"a": slope[0], "b": 2 * slope[1]}


@cache
def right() -> Report:
    """A gradient that is right, of a function of three numbers."""
    return commanded(verify(Problem(rosen, [1.3, 0.7, 0.8], gradients={"rosen_der": rosen_der})))


@cache
def wrong() -> Report:
    """One of two derivatives is wrong; names hold what markup takes for its own."""
    point = {"a": 1.3, "b": 0.7}
    problem = Problem(named, point, gradients={"mine": half_wrong}, name="mine <&> a|b_c")
    return commanded(verify(problem))


@cache
def flat() -> Report:
    """No signal: nothing can be concluded."""
    return commanded(verify(Problem(lambda x: 3.0, [1.0], gradients={"zero": lambda x: 0 * x})))


@cache
def located() -> Report:
    """Two routes of a model with many parameters and a location, in the form of a case's report."""
    where = Location(
        48, 0, "emission", "autograd", "step 48, node 0, emission 4εσT³: autograd × 0.5"
    )
    bad = check(
        Verdict.FAIL,
        value=1.3e9,
        bound=3.2e-2,
        reason=Reason.DISAGREEMENT,
        parameters=("emissivity", "albedo"),
        odd_one_out="autograd",
        location=where,
        message="autograd stands apart from the other 2 routes",
    )
    rows = tuple(
        row(name, unit=unit, verdict=verdict)
        for name, unit, verdict in (
            ("albedo", "1", Verdict.FAIL),
            ("thermal_conductivity", "W m-1 K-1", Verdict.PASS),
            ("volumetric_heat_capacity", "J m-3 K-1", Verdict.PASS),
            ("turbulent_transfer_coefficient", "W m-2 K-1", Verdict.PASS),
            ("initial_temperature", "K", Verdict.PASS),
            ("emissivity", "1", Verdict.FAIL),
        )
    )
    values = dict.fromkeys(("adjoint", "autograd"), 7.527561875)
    covered = check(Verdict.INCONCLUSIVE, point="truth", covered=True, reason=Reason.NO_SIGNAL)
    open_ = check(
        Verdict.INCONCLUSIVE, check="hessian", primary=False, reason=Reason.NOISE, message="noise"
    )
    return Report(
        case="twin",
        title="100 % of 5 nodes & #1 {α, λ_s}",
        verdict=Verdict.FAIL,
        exit_code=1,
        options=Options(tuple(values), False, 2, 7, False, False, 1e-4, 1e-8),
        checks=(bad, covered, open_, check(check="energy closure", objective="")),
        points=(PointResult("start", "J", values, 0.5, Verdict.FAIL, 3.5, rows, {"0.05 m": 2.7}),),
        seconds={"adjoint": 0.25},
        notes=("a note",),
        provenance={
            "lsm-verify": "0.1.0",
            "numpy": "2.3.1",
            "platform": "Linux x86_64",
            "sha256 of tower.nc": "ab" * 32,
        },
        command="lsm-verify check twin --seed 7",
    )


def check(verdict: Verdict = Verdict.PASS, **changes: object) -> CheckResult:
    result = CheckResult(
        check="agreement",
        point="start",
        objective="J",
        subject="adjoint, autograd",
        verdict=verdict,
        primary=True,
        statistic="max z",
        value=0.5,
        pass_limit=32.0,
        fail_limit=128.0,
        bound=1.82e-13,
        detectable=2.5e-12,
        seed=7,
        message="2 routes, 1 pairs",
    )
    return replace(result, **changes)


def row(parameter: str, component: tuple[int, ...] = (), **changes: object) -> GradientRow:
    gradients = {"adjoint": -1.234567891e-05, "autograd": -1.234567891e-05}
    result = GradientRow(
        parameter, component, 0.3, 0.1, "1", gradients, 0.4, 0.5, 1.82e-13, -1.2345678e-05, 3.1e-14,
        Verdict.PASS,
    )  # fmt: skip
    return replace(result, **changes)


def commanded(report: Report) -> Report:
    return replace(report, command=COMMAND)
