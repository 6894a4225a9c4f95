"""Reports of every verdict, as small runs give them: what pages are rendered from in tests."""

from __future__ import annotations

import json
import tempfile
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.optimize import rosen, rosen_der

from lsm_reference import adjoint
from lsm_verify import Problem, Report, calibrate, load_case, verify
from lsm_verify.mutants.workloads import small_twin
from lsm_verify.report.findings import deciding
from lsm_verify.report.html import render
from lsm_verify.verify.result import Verdict
from tests.planting import Planter

REPORTS = Path(__file__).resolve().parents[2] / "reports"

NAMES = ("pass", "fail", "user", "inconclusive", "nonsmooth", "all")

CALIBRATION: dict[str, Any] = {
    "format": "lsm-verify calibration 1",
    "case": "twin",
    "title": "",
    "method": "least-squares",
    "route": "adjoint",
    "best": 1,
    "warnings": [],
    "unknowns": [{"label": "albedo", "unit": "1"}],
    "truth": [0.3],
    "published": None,
    "starts": [
        {"estimate": [None], "objective": None, "rmse": None, "iterations": 0},
        {"estimate": [0.25], "objective": 1.0, "rmse": 0.5, "iterations": 7},
    ],
}
"""What ``calibrate --json`` writes: one start without a solution, one with."""

VERDICTS = {
    "pass": Verdict.PASS,
    "fail": Verdict.FAIL,
    "user": Verdict.FAIL,
    "inconclusive": Verdict.INCONCLUSIVE,
    "nonsmooth": Verdict.NONSMOOTH,
    "all": Verdict.PASS,
}


@cache
def everything() -> dict[str, tuple[Report, dict[str, Any]]]:
    """Name to a report and what stands beside it."""
    right = verify(small_twin(), fast=True)
    found: dict[str, tuple[Report, dict[str, Any]]] = {
        "pass": (right, {}),
        "fail": (planted(), {}),
        "user": (verify(user(wrong=1e-2)), {}),
        "inconclusive": (verify(without_signal()), {}),
        "nonsmooth": (verify(kinked()), {}),
        "all": (right, beside()),
    }
    assert {name: report.verdict for name, (report, _) in found.items()} == VERDICTS
    return found


@cache
def page(name: str) -> str:
    """Return the page of one of them."""
    report, beside = everything()[name]
    return render(report, **beside)


def planted() -> Report:
    """A wrong emission term in the hand adjoint's step."""
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        Planter(Path(folder), patch).plant_in_oracle(
            adjoint, "column.H[n] + 4 * column.eps", "column.H[n] + 8 * column.eps"
        )
        return verify(small_twin(), fast=True)


def user(wrong: float) -> Problem:
    """A user's problem without states: two parameters, of one a derivative is wrong."""

    def values(point: dict[str, Any]) -> Any:
        return np.concatenate([point["stiffness"], point["damping"]])

    def gradient(point: dict[str, Any]) -> dict[str, Any]:
        slope = rosen_der(values(point))
        slope[1] *= 1 + wrong
        return {"stiffness": slope[:2], "damping": slope[2:]}

    point = {"stiffness": np.array([1.3, 0.7]), "damping": np.array([0.8, 1.9])}
    return Problem(
        lambda point: rosen(values(point)), point, gradients={"mine": gradient}, name="spring"
    )


def without_signal() -> Problem:
    """A large constant and a change that its round-off drowns."""
    return Problem(
        lambda x: 1e9 + 1e-7 * float(x @ x),
        [1.3, 0.7],
        gradients={"mine": lambda x: 2e-7 * x},
        name="flat",
    )


def kinked() -> Problem:
    """A norm at its kink."""
    return Problem(
        lambda x: float(np.abs(x).sum() + x @ x),
        [0.0, 1.0],
        gradients={"mine": lambda x: np.sign(x) + 2 * x},
        name="kink",
    )


def beside() -> dict[str, Any]:
    """All that may stand beside a report: the committed results, and a calibration."""
    return {**committed(), "calibration": calibrate(load_case("twin"), starts=3).to_json()}


def committed() -> dict[str, Any]:
    """Return the committed results that may stand beside a report."""

    def read(name: str) -> Any:
        return json.loads((REPORTS / name).read_text(encoding="utf-8"))

    return {
        "selftest": read("selftest.json"),
        "benchmarks": read("benchmarks/cpu.json"),
        "claims": read("reproduction/claims.json"),
    }


def on_first_screen(report: Report) -> list[str]:
    """What a reader must see at once: of a bad run what, where, which parameter, the command."""
    seed = f"seed={report.options.seed}"
    if report.verdict is Verdict.PASS:
        return ["relative error of the gradient ≤", seed]
    check = deciding(report)[0]
    words = [check.check, check.point, *check.parameters, seed]
    if check.location is not None:
        words.append(check.location.sentence)
    return words


def panels(report: Report) -> int:
    """How many figures a report's evidence gives."""
    found = report.evidence
    remainders = {(c.point, c.objective, c.route) for c in found.taylor}
    return len(remainders) + len(found.differences) + len(found.maps) + len(found.energy)
