"""The published route judged: whether its gradient is right, and whether its solver is to blame."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from lsm_verify.inputs import Inputs
from lsm_verify.routes import get_route
from lsm_verify.verify.agreement import SIGNAL
from lsm_verify.verify.result import CheckResult, Reason, Verdict
from lsm_verify.verify.target import Sample, flatten, labels, scales

TOLERANCE = 1e-6
"""Relative error, in units of ‖g∘s‖, that a route with an inner solver may have."""

BLAME = 0.9
"""Share of the error that must move with the solver's tolerance for it to be the cause."""

FACTOR = 100.0
"""Ratio of the two tolerances between which the solver's share is measured."""


def judge_published(
    inputs: Inputs,
    evidence: Sample,
    *,
    point: str,
    tolerance: float,
    warn: Callable[[str], None],
) -> tuple[CheckResult, list[Verdict], Sample]:
    """Compare the published route's gradient with an exact one.

    Returns the result, a verdict per component, and what the route claims.

    The evidence is exact, so U holds its round-off alone. The solver's share is the change of the
    claim between ``tolerance`` and a hundredth of it; where a hundredth cannot be reached, the
    change from a hundred times ``tolerance`` is divided by 99 (the truncation is proportional to
    the tolerance).
    """
    from lsm_verify.models.published import SMALLEST_TOLERANCE, estimate_cost

    tighter = tolerance / FACTOR >= SMALLEST_TOLERANCE * (1 - 1e-9)
    other = tolerance / FACTOR if tighter else tolerance * FACTOR
    for value in (tolerance, other):
        cost = estimate_cost(inputs, value)
        warn(
            f"published route at tolerance {value:g} K: about {cost.sweeps:,} sweeps, "
            f"{cost.bytes / 1e9:.1f} GB for the gradient"
        )
    alone = replace(inputs, objectives=inputs.objectives[:1])
    (value, claimed), (_, referred) = (
        get_route("autograd-published", jacobi_tolerance=t).evaluate([alone])[0][0]
        for t in (tolerance, other)
    )
    claim, reference = flatten(inputs, claimed), flatten(inputs, referred)
    scale = scales(inputs)
    norm = float(np.linalg.norm(evidence.gradient * scale))
    share = np.abs(claim - reference) / (1.0 if tighter else FACTOR - 1.0)
    delta = np.abs(claim - evidence.gradient)
    uncertainty = 2 * evidence.spread
    allowed = TOLERANCE * norm / scale
    passed = delta + uncertainty <= allowed
    failed = delta - uncertainty > allowed
    reason: Reason | None = None
    verdict = Verdict.PASS
    if np.any(failed):
        verdict = Verdict.FAIL
        moved, wrong = ((x * scale)[failed] for x in (share, delta))
        explained = np.linalg.norm(moved) >= BLAME * np.linalg.norm(wrong)
        reason = Reason.SOLVER if explained else Reason.MISMATCH
    elif not np.all(passed):
        verdict, reason = Verdict.INCONCLUSIVE, Reason.NOISE
    if not norm > SIGNAL * float(np.linalg.norm(evidence.spread * scale)):
        verdict, reason, failed = Verdict.INCONCLUSIVE, Reason.NO_SIGNAL, np.zeros_like(failed)
    names = [name for name, _ in labels(inputs)]
    affected: dict[str, float] = {}
    for name, wrong, size in zip(names, failed, delta * scale, strict=True):
        if wrong:
            affected[name] = max(affected.get(name, 0.0), float(size))
    size = np.maximum(np.abs(evidence.gradient), 1e-3 * norm / scale)
    change = float(np.max(delta / size)) if norm > 0 else float("nan")

    def relative(error: np.ndarray) -> float:
        return float(np.max(error * scale) / norm) if norm > 0 else float("nan")

    result = CheckResult(
        check="published route",
        point=point,
        objective="J",
        subject="autograd-published",
        verdict=verdict,
        primary=True,
        statistic="max δ s/‖g∘s‖",
        value=relative(delta),
        pass_limit=TOLERANCE,
        fail_limit=TOLERANCE,
        bound=relative(delta + uncertainty),
        detectable=relative(uncertainty),
        reason=reason,
        parameters=tuple(sorted(affected, key=lambda name: -affected[name])),
        evaluations=2,
        message=(
            f"Jacobi tolerance {tolerance:g} K; solver's share of the error "
            f"{relative(share):.1e}; largest relative error of a component {change:.1e}"
        ),
    )
    each = [
        Verdict.FAIL if f else Verdict.PASS if p else Verdict.INCONCLUSIVE
        for f, p in zip(failed, passed, strict=True)
    ]
    return result, each, Sample(value, claim, np.zeros_like(claim))
