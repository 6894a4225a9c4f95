from dataclasses import replace

import numpy as np
import pytest

from lsm_verify import Reason, Verdict, load_case
from lsm_verify.routes import ROUTES
from lsm_verify.verify.solver import TOLERANCE, judge_published
from lsm_verify.verify.target import Sample, flatten

TIGHT = 1e-11


@pytest.fixture(scope="module")
def inputs():
    return load_case("twin").window(2).inputs()


@pytest.fixture(scope="module")
def evidence(inputs):
    ((value, gradient),) = ROUTES["adjoint"].evaluate([inputs])[0]
    exact = flatten(inputs, gradient)
    return Sample(value, exact, 1e-14 * np.abs(exact))


def _worst(verdicts):
    order = (Verdict.FAIL, Verdict.INCONCLUSIVE, Verdict.PASS)
    return next(v for v in order if v in verdicts)


def judged(inputs, evidence, tolerance):
    lines = []
    result, verdicts, claim = judge_published(
        inputs, evidence, point="start", tolerance=tolerance, warn=lines.append
    )
    assert _worst(verdicts) is result.verdict
    return result, claim, lines


def test_at_the_papers_tolerance_it_fails_by_solver_truncation(inputs, evidence):
    result, claim, _ = judged(inputs, evidence, 1e-4)
    assert result.verdict is Verdict.FAIL
    assert result.reason is Reason.SOLVER
    assert "solver truncation" in result.reason
    assert result.parameters[0] == "bottom_temperature"
    assert {type(name) for name in result.parameters} == {str}
    assert result.value > TOLERANCE
    assert "solver's share" in result.message
    # Wrong, and yet a gradient: within a third of the truth.
    assert np.all(np.abs(claim.gradient / evidence.gradient - 1) < 0.3)


@pytest.mark.parametrize("tolerance", [TIGHT, 1e-12])
def test_at_a_tight_tolerance_it_passes(inputs, evidence, tolerance):
    result, claim, _ = judged(inputs, evidence, tolerance)
    assert result.verdict is Verdict.PASS
    assert result.reason is None
    assert result.parameters == ()
    assert result.bound <= TOLERANCE
    np.testing.assert_allclose(claim.gradient, evidence.gradient, rtol=1e-4)


@pytest.mark.parametrize("tolerance", [TIGHT, 1e-4])
def test_an_error_that_the_solver_does_not_explain_is_a_mismatch(inputs, evidence, tolerance):
    wrong = evidence.gradient * np.where(np.arange(6) == 1, 2.0, 1.0)
    result, _, _ = judged(inputs, replace(evidence, gradient=wrong), tolerance)
    assert result.verdict is Verdict.FAIL
    assert result.reason is Reason.MISMATCH
    assert result.parameters[0] == "heat_transfer_coefficient"


def test_vague_evidence_is_inconclusive(inputs, evidence):
    vague = replace(evidence, spread=1e-4 * np.abs(evidence.gradient))
    result, _, _ = judged(inputs, vague, TIGHT)
    assert result.verdict is Verdict.INCONCLUSIVE
    assert result.reason is Reason.NOISE


def test_evidence_without_signal_is_inconclusive(inputs, evidence):
    nothing = replace(evidence, gradient=0 * evidence.gradient, spread=0 * evidence.spread)
    result, _, _ = judged(inputs, nothing, 1e-4)
    assert result.verdict is Verdict.INCONCLUSIVE
    assert result.reason is Reason.NO_SIGNAL
    assert result.parameters == ()


def test_the_cost_is_told_first(inputs, evidence):
    _, _, lines = judged(inputs, evidence, 1e-2)
    assert len(lines) == 2
    assert lines[0].startswith("published route at tolerance 0.01 K: about ")
    assert "sweeps" in lines[0]
    assert "GB" in lines[0]
    assert "0.0001 K" in lines[1]
