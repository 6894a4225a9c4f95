"""Canaries: corrupted answers fed to the checks that passed; each must be caught.

Nothing is recompiled and no model runs: a check gets an answer with one number changed, or of the
neighbouring step. A check that lets one pass is blind, and so is the verdict that rests on it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from lsm_verify.verify import agreement, differences, dot_product, finite_difference
from lsm_verify.verify.result import CheckResult, Reason, Verdict
from lsm_verify.verify.target import Sample, Target, norm_of

SIZE = 1e-6
"""Relative error of one component."""

BEYOND = 100.0
"""Where a check's tolerance is coarser, the error is this many tolerances of ‖g∘s‖."""


def of_agreement(
    target: Target, samples: Mapping[str, Sample], index: int, tolerance: float
) -> dict[str, bool]:
    """Feed the agreement of routes; say of each canary whether it was caught."""
    name, first = next(iter(samples.items()))
    caught = {}
    size = max(SIZE, BEYOND * tolerance / _share(target, first))
    for what, corrupted in _corrupt(target, first, size).items():
        fed = {**samples, name: replace(first, gradient=corrupted)}
        judged = agreement.compare(
            target,
            fed,
            point="",
            objective=target.objectives[index],
            seed=0,
            tolerance=tolerance,
        )
        caught[f"agreement, {what}"] = judged.result.verdict is Verdict.FAIL
    return caught


def of_differences(
    found: differences.Estimate, index: int, sample: Sample, norm: float, tolerance: float
) -> dict[str, bool]:
    """Feed the comparison with finite differences."""
    target = found.target
    size = max(SIZE, BEYOND * tolerance / _share(target, sample))
    corrupted = _corrupt(target, sample, size)["one component"]
    result, _ = finite_difference.confirm(
        found, index, corrupted, norm, point="", objective="", subject="", tolerance=tolerance
    )
    return {"finite-difference, one component": result.verdict is Verdict.FAIL}


def of_steps(terms: list[tuple[np.ndarray, np.ndarray]]) -> dict[str, bool]:
    """Feed the per-step dot product: one component off, and the products of the step before."""
    left, right = terms[0]
    off = right.copy()
    off[np.argmax(np.abs(off))] *= 1 + SIZE
    caught = {"dot-product, one component": _fails(left, off)}
    if len(terms) > 1:
        caught["dot-product, another step"] = _fails(left, terms[1][1])
    return caught


def _share(target: Target, sample: Sample) -> float:
    """Share of ‖g∘s‖ that the weightiest number has."""
    scaled = np.abs(sample.gradient) * target.scale
    return float(np.max(scaled)) / norm_of(scaled)


def _fails(left: np.ndarray, right: np.ndarray) -> bool:
    return dot_product.eta_of(left, right) > dot_product.STEP_FAIL_ETA


def _corrupt(target: Target, sample: Sample, size: float) -> dict[str, np.ndarray]:
    """Answers with the weightiest number off by ``size``, and with a record one step late."""
    j = int(np.argmax(np.abs(sample.gradient) * target.scale))
    one = sample.gradient.copy()
    one[j] *= 1 + size
    result = {"one component": one}
    here = np.flatnonzero(target.owners == target.labels[j][0])
    late = sample.gradient.copy()
    late[here] = np.roll(late[here], 1)
    moved = np.max(np.abs(late - sample.gradient) * target.scale)
    if moved > size * norm_of(sample.gradient * target.scale):  # else it is no corruption
        result["one step late"] = late
    return result


def summarise(caught: Mapping[str, bool], *, point: str) -> CheckResult:
    """Turn what was caught into the result that guards the verdict."""
    survived = [name for name, seen in caught.items() if not seen]
    return CheckResult(
        check="canaries",
        point=point,
        objective="",
        subject=", ".join(survived),
        verdict=Verdict.INCONCLUSIVE if survived else Verdict.PASS,
        primary=True,
        statistic=f"missed of {len(caught)} corrupted answers:",
        value=float(len(survived)),
        pass_limit=0.0,
        fail_limit=float(len(caught)),
        reason=Reason.BLIND if survived else None,
        evaluations=0,
        message=f"{len(caught) - len(survived)} of {len(caught)} corrupted answers caught"
        + (f"; survived: {', '.join(survived)}" if survived else ""),
    )
