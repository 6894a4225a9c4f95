"""Single against double precision, and one column against its neighbours in a batch."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from lsm_verify.inputs import Inputs
from lsm_verify.routes.in_torch import autograd
from lsm_verify.routes.route import Route
from lsm_verify.verify.agreement import FAIL_Z, PASS_Z, SIGNAL, pair_z
from lsm_verify.verify.result import CheckResult, Reason, Verdict, judge
from lsm_verify.verify.target import Sample, flatten, scales

EPSILON = float(np.finfo(np.float64).eps)
SINGLE = float(np.finfo(np.float32).eps)


def single_precision(inputs: Inputs, samples: Sequence[Sample], *, point: str) -> list[CheckResult]:
    """Compare autograd in float32 with float64 and say what float32 cannot show.

    Round-off grows with ε, so the spread over ±1-ulp copies in float64, times ε₃₂/ε₆₄, is what
    float32 may differ by. One result per objective; those without signal in float64 are left out.
    """
    scale = scales(inputs)
    results = []
    for objective, sample, (_, gradient) in zip(
        inputs.objectives, samples, autograd([inputs], dtype="float32")[0], strict=True
    ):
        norm = float(np.linalg.norm(sample.gradient * scale))
        if not norm > SIGNAL * float(np.linalg.norm(sample.spread * scale)):
            continue
        found = flatten(inputs, gradient).astype(np.float64)
        ratio = SINGLE / EPSILON
        single = Sample(sample.value, found, ratio * sample.spread)
        z = pair_z(single, single_unit(sample, ratio), ratio * norm, scale)
        worst = float(np.max(z))
        verdict = judge(worst, PASS_Z, FAIL_Z)
        error = float(np.max(np.abs(found - sample.gradient) * scale) / norm)
        reasons = {Verdict.FAIL: Reason.MISMATCH, Verdict.INCONCLUSIVE: Reason.DTYPE}
        results.append(
            CheckResult(
                check="float32",
                point=point,
                objective=objective.label,
                subject="autograd",
                verdict=verdict,
                primary=False,
                statistic="max z",
                value=worst,
                pass_limit=PASS_Z,
                fail_limit=FAIL_Z,
                bound=error,
                detectable=float(PASS_Z * ratio * np.max(sample.spread * scale) / norm),
                reason=reasons.get(verdict),
                evaluations=1,
                dtype="float32",
                message=f"single precision is off by {error:.1e} ‖g∘s‖; smaller errors it hides",
            )
        )
    return results


def single_unit(sample: Sample, ratio: float) -> Sample:
    """Return the float64 answer with the spread that float32 would give it."""
    return Sample(sample.value, sample.gradient, ratio * sample.spread)


def batch_independence(
    route: Route, inputs: Inputs, others: Sequence[Inputs], sample: Sample, *, point: str
) -> CheckResult:
    """Evaluate a column alone, and first and last in a batch with others: it must not matter."""
    alone = flatten(inputs, route.evaluate([inputs])[0][0][1])
    first = flatten(inputs, route.evaluate([inputs, *others])[0][0][1])
    last = flatten(inputs, route.evaluate([*others, inputs])[-1][0][1])
    scale = scales(inputs)
    norm = float(np.linalg.norm(alone * scale))
    base = Sample(sample.value, alone, sample.spread)
    z = [
        pair_z(base, Sample(sample.value, found, sample.spread), norm, scale)
        for found in (first, last)
    ]
    worst = float(np.max(z))
    verdict = judge(worst, PASS_Z, FAIL_Z)
    error = max(float(np.max(np.abs(found - alone) * scale)) for found in (first, last))
    bitwise = np.array_equal(alone, first) and np.array_equal(alone, last)
    return CheckResult(
        check="batch independence",
        point=point,
        objective=inputs.objectives[0].label,
        subject=route.name,
        verdict=verdict,
        primary=False,
        statistic="max z",
        value=worst,
        pass_limit=PASS_Z,
        fail_limit=FAIL_Z,
        bound=error / norm if norm > 0 else None,
        detectable=float(PASS_Z * np.max(sample.spread * scale) / norm) if norm > 0 else None,
        reason=None if verdict is Verdict.PASS else Reason.NOT_INDEPENDENT,
        evaluations=3,
        message=f"alone and among {len(others)} others: "
        + ("bitwise equal" if bitwise else f"equal within {worst:.1f} times the round-off"),
    )
