"""The limits of the checks against the clean distribution, recomputed and as committed."""

from __future__ import annotations

import copy
import json
import os
from pathlib import Path

import numpy as np
import pytest

from lsm_reference import adjoint
from lsm_verify.cases.serial import case_to_json
from lsm_verify.verify.calibration import (
    FEWEST,
    LIMITS,
    MOST_INCONCLUSIVE,
    SEED,
    complaints,
    gate,
    measure,
    measure_inputs,
    summarise,
)
from lsm_verify.verify.draws import ERRORS, draw_case, draw_inputs

NIGHTLY = os.environ.get("HYPOTHESIS_PROFILE") == "nightly"
COUNT = 1000 if NIGHTLY else 60
GATES = {"whole": 1000 if NIGHTLY else 4, "fast": 1000 if NIGHTLY else 20}
"""Cases of each gate. The nightly workflow runs the fast one on 10,000 as well, on all cores:
tools/calibrate.py."""

MEDIANS = 2.0
"""Factor between a median of 60 columns and the committed one: the values spread over about one
decade (quartiles within a factor 2), so the median of 60 is known to some 20 %."""

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def committed():
    return json.loads((ROOT / "reports" / "calibration.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def measured():
    return [measure(index) for index in range(COUNT)]


# ------------------------------------------------------------------ the clean distribution


@pytest.mark.slow
def test_no_clean_column_leaves_the_limits_for_pass(measured):
    for one in measured:
        for name, (passes, fails) in LIMITS.items():
            if fails is not None:
                assert one.values[name] <= passes, (one.index, name)


@pytest.mark.slow
def test_nothing_clean_fails_and_next_to_nothing_is_open(measured):
    said = [verdict for one in measured for verdict in one.verdicts]
    assert {"PASS"} <= {verdict for _, verdict, _ in said} <= {"PASS", "INCONCLUSIVE"}
    open_ = [(check, reason) for check, verdict, reason in said if verdict != "PASS"]
    assert len(open_) < MOST_INCONCLUSIVE * len(said), open_
    assert all(reason for _, reason in open_)


@pytest.mark.slow
def test_the_committed_distribution_is_the_one_of_this_code(measured, committed):
    recomputed = summarise(measured)["statistics"]
    for name, one in committed["statistics"].items():
        ratio = recomputed[name]["quantiles"]["0.5"] / one["quantiles"]["0.5"]
        assert 1 / MEDIANS <= ratio <= MEDIANS, name


def test_the_committed_calibration_holds(committed):
    assert committed["count"] >= FEWEST
    assert committed["seed"] == SEED
    assert complaints(committed) == []


@pytest.mark.slow
@pytest.mark.parametrize("kind", GATES)
def test_the_gate_passes_clean_cases(kind):
    found = [gate(index, fast=kind == "fast") for index in range(GATES[kind])]
    assert not [one for one in found if one["verdict"] == "FAIL"]
    open_ = [one["index"] for one in found if one["exit_code"] != 0]
    assert len(open_) < MOST_INCONCLUSIVE * GATES[kind], open_
    said = [check for one in found for check in one["checks"]]
    assert all(reason for _, verdict, reason in said if verdict != "PASS")


def test_a_misfit_that_stands_still_is_no_failure():
    """A sensor so deep that the misfit does not change by a last place: once taken for proof."""
    assert gate(1100, fast=True)["verdict"] == "INCONCLUSIVE"


# ------------------------------------------------------------------ what must not hold


def test_a_calibration_that_does_not_hold_is_refused(committed):
    name = "agreement on J, max z"

    def changed(change):
        content = copy.deepcopy(committed)
        change(content)
        return " ".join(complaints(content))

    assert "beyond the limit" in changed(lambda c: c["statistics"][name].update(max=200.0))
    assert "beyond the limit" in changed(lambda c: c["statistics"][name].update(max=float("nan")))
    assert "other limits" in changed(lambda c: c["statistics"][name].update(pass_limit=64.0))
    assert "is missing" in changed(lambda c: c["statistics"].pop(name))
    assert "uncovered" in changed(lambda c: c.update(uncovered=c["derivatives"] // 1000))
    assert "are wanted" in changed(lambda c: c.update(count=60))
    assert "clean checks fail" in changed(lambda c: c["verdicts"].update(FAIL=1))
    assert "inconclusive" in changed(lambda c: c["verdicts"].update(INCONCLUSIVE=10**6))
    runs = {"count": 1000, "runs": {"FAIL": 1, "PASS": 999}}
    assert "the gate fails 1" in changed(lambda c: c.update(gate=runs))
    runs = {"count": 1000, "runs": {"INCONCLUSIVE": 20, "PASS": 980}}
    assert "does not pass 20" in changed(lambda c: c.update(gate=runs))
    runs = {"count": 999, "runs": {"PASS": 999}}
    assert "the fast gate ran on 999 cases" in changed(lambda c: c.update(fast_gate=runs))
    assert "without a reason" in changed(lambda c: c["reasons"].update({"taylor: PASS, ": 1}))


def test_a_wrong_adjoint_is_no_part_of_the_clean_distribution(planter):
    inputs = draw_inputs(np.random.default_rng([SEED, 0]))
    planter.plant_in_oracle(adjoint, "/ slope  # (24)", "/ slope * (1 + 1e-8)  # (24)")
    found = measure_inputs(inputs, 0)
    assert (
        found.values["agreement on the probe, max z"] > LIMITS["agreement on the probe, max z"][1]
    )
    assert found.values["dot-product per step, max η"] > LIMITS["dot-product per step, max η"][1]
    assert "FAIL" in {verdict for _, verdict, _ in found.verdicts}


# ------------------------------------------------------------------ the draws


def test_draws_are_reproducible_and_differ():
    one, same, other = (
        case_to_json(draw_case(np.random.default_rng([SEED, k]))) for k in (3, 3, 4)
    )
    assert one == same
    assert one != other


@pytest.fixture(scope="module")
def drawn():
    return [draw_case(np.random.default_rng([SEED, k])) for k in range(150)]


def test_draws_are_columns_that_someone_would_run(drawn):
    for case in drawn:
        assert 10 <= case.sizes["interfaces"] <= 40
        assert 10 <= case.sizes["steps"] <= 60
        assert case.grid.spacing.min() > 1e-3
        assert 0.09 < case.grid.depth <= 3.0
        assert 300 <= case.forcing.time_step.min() <= case.forcing.time_step.max() <= 3600
        assert case.forcing.SWdown.min() >= 0
        assert case.points() == ("start", "truth")


def test_draws_cover_what_the_model_has(drawn):
    def share(condition):
        return np.mean([condition(case) for case in drawn])

    assert 0.1 < share(lambda c: c.insulated) < 0.4
    assert 0.2 < share(lambda c: np.ptp(c.forcing.time_step) > 0) < 0.8
    assert 0.2 < share(lambda c: np.ptp(c.grid.spacing) > 1e-12) < 0.6
    assert 0.2 < share(lambda c: np.any(c.forcing.SWdown == 0)) < 1.0
    assert 0.1 < share(lambda c: len(c.inputs().knots) > 0) < 0.8
    assert 0.1 < share(lambda c: "bowen_ratio" in c.free) < 0.5
    assert 0.1 < share(lambda c: c.fixed.get("initial_temperature", 0) is None) < 0.7
    assert 0.1 < share(lambda c: any(np.any(s.weights == 0) for s in c.observations.series)) < 0.95
    for kind in ERRORS:
        assert share(lambda c, k=kind: k in {s.kind for s in c.observations.series}) > 0.2
    for name in ("thermal_conductivity", "volumetric_heat_capacity"):
        assert share(lambda c, n=name: c.inputs().parameters[n].ndim == 1) > 0.2
