"""The dot-product test: the adjoint must be the transpose of the tangent-linear model.

η = |⟨Ax, y⟩ - ⟨x, Aᵀy⟩| / (ε (Σ|(Ax)_i y_i| + Σ|x_i (Aᵀy)_i|)) over random x and y, whatever
their size; products and sums are taken in extended precision.
"""

from __future__ import annotations

import numpy as np

from lsm_verify.inputs import Inputs, probe_weights
from lsm_verify.routes import forward_product, transposed_product
from lsm_verify.verify.directions import scaled_directions
from lsm_verify.verify.result import CheckResult, Reason, Verdict, judge

PASS_ETA, FAIL_ETA = 16.0, 64.0
"""Limits of η over a whole run. Measured on clean runs: at most 2, worst 17."""

DIRECTIONS = 8
REDRAWS = 2
"""How often new directions are drawn when η falls between the limits."""

EPSILON = float(np.finfo(np.float64).eps)


def dot_product(inputs: Inputs, *, point: str, seed: int) -> CheckResult:
    """Test tangent against adjoint over the whole run, along 8 scaled random directions."""
    eta, evaluations, draw = np.inf, 0, 0
    for draw in range(REDRAWS + 1):
        directions = scaled_directions(inputs, DIRECTIONS, seed=seed + 1000 * draw)
        eta = max(
            mismatch(inputs, x, probe_weights(inputs, seed=seed + 1000 * draw + i))
            for i, x in enumerate(directions)
        )
        evaluations += 2 * DIRECTIONS
        if judge(eta, PASS_ETA, FAIL_ETA) is not Verdict.INCONCLUSIVE:
            break
    verdict = judge(eta, PASS_ETA, FAIL_ETA)
    reason = {Verdict.FAIL: Reason.MISMATCH, Verdict.INCONCLUSIVE: Reason.BORDERLINE}.get(verdict)
    return CheckResult(
        check="dot-product",
        point=point,
        objective="",
        subject="tangent, adjoint",
        verdict=verdict,
        primary=False,
        statistic="max η",
        value=eta,
        pass_limit=PASS_ETA,
        fail_limit=FAIL_ETA,
        bound=eta * EPSILON,
        detectable=PASS_ETA * EPSILON,
        reason=reason,
        evaluations=evaluations,
        seed=seed + 1000 * draw,
        message=f"{DIRECTIONS} directions",
    )


def mismatch(inputs: Inputs, x: dict[str, np.ndarray], y: np.ndarray) -> float:
    """Return η for one pair of vectors; infinite if nothing is compared."""
    ax = forward_product(inputs, x)
    aty = transposed_product(inputs, y)
    left = np.asarray(ax, dtype=np.longdouble) * y
    right = np.concatenate(
        [np.ravel(np.asarray(x[name], dtype=np.longdouble) * aty[name]) for name in inputs.wrt]
    )
    size = np.sum(np.abs(left)) + np.sum(np.abs(right))
    if not size > 0:
        return float("inf")
    return float(abs(np.sum(left) - np.sum(right)) / (EPSILON * size))
