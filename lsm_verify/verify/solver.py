"""The published route judged: whether its gradient is right, and whether its solver is to blame."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from lsm_verify.inputs import Inputs
from lsm_verify.routes import get_route
from lsm_verify.verify.agreement import Array, Sample, flatten, labels, scales
from lsm_verify.verify.result import CheckResult, Reason, Verdict

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
) -> tuple[CheckResult, list[Verdict], Array]:
    """Compare the published route's gradient with an exact one.

    Returns the result, a verdict per component, and the claimed gradient.

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
    claim, reference = (
        flatten(
            inputs, get_route("autograd-published", jacobi_tolerance=t).evaluate([inputs])[0][0][1]
        )
        for t in (tolerance, other)
    )
    scale = scales(inputs)
    norm = float(np.linalg.norm(evidence.gradient * scale))
    share = np.abs(claim - reference) / (1.0 if tighter else FACTOR - 1.0)
    delta = np.abs(claim - evidence.gradient)
    uncertainty = 2 * evidence.spread
    allowed = TOLERANCE * norm / scale
    passed = delta + uncertainty <= allowed
    failed = delta - uncertainty > allowed
    worst = int(np.argmax(delta / allowed))
    reason: Reason | None = None
    verdict = Verdict.PASS
    if np.any(failed):
        verdict = Verdict.FAIL
        moved, wrong = ((x * scale)[failed] for x in (share, delta))
        explained = np.linalg.norm(moved) >= BLAME * np.linalg.norm(wrong)
        reason = Reason.SOLVER if explained else Reason.MISMATCH
    elif not np.all(passed):
        verdict, reason = Verdict.INCONCLUSIVE, Reason.NOISE
    names = [name for name, _ in labels(inputs)]
    affected: dict[str, float] = {}
    for name, wrong, size in zip(names, failed, delta * scale, strict=True):
        if wrong:
            affected[name] = max(affected.get(name, 0.0), float(size))
    change = float(np.max(delta / np.maximum(np.abs(evidence.gradient), 1e-3 * norm / scale)))
    result = CheckResult(
        check="published route",
        point=point,
        objective="J",
        subject="autograd-published",
        verdict=verdict,
        primary=True,
        statistic="max δ s/‖g∘s‖",
        value=float((delta * scale / norm)[worst]),
        pass_limit=TOLERANCE,
        fail_limit=TOLERANCE,
        bound=float(np.max((delta + uncertainty) * scale) / norm),
        detectable=float(np.max(uncertainty * scale) / norm),
        reason=reason,
        parameters=tuple(sorted(affected, key=lambda name: -affected[name])),
        evaluations=2,
        message=(
            f"Jacobi tolerance {tolerance:g} K; solver's share of the error "
            f"{float(np.max(share * scale) / norm):.1e}; components off by up to {change:.1%}"
        ),
    )
    each = [
        Verdict.FAIL if f else Verdict.PASS if p else Verdict.INCONCLUSIVE
        for f, p in zip(failed, passed, strict=True)
    ]
    return result, each, claim
