"""Determinism: the same question twice, and with other numbers of threads."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lsm_verify.inputs import Inputs
from lsm_verify.routes import fused
from lsm_verify.routes.in_torch import autograd
from lsm_verify.routes.oracle import scores_at
from lsm_verify.verify.agreement import EPSILON, FAIL_Z, PASS_Z, TOLERANCE, pair_z
from lsm_verify.verify.result import CheckResult, Reason, Verdict, judge
from lsm_verify.verify.target import Sample, Target, flatten, norm_of

Array = NDArray[np.float64]


def determinism(
    target: Target,
    samples: Mapping[str, Sample],
    *,
    point: str,
    threads: Mapping[str, Callable[[int], Array]] | None = None,
    tolerance: float = TOLERANCE,
) -> CheckResult:
    """Ask every route and the objective again: the answer must be the same, bit for bit.

    PASS: bitwise equal on repeat, and within round-off across thread counts, whose spread is
    reported. Otherwise INCONCLUSIVE up to ``tolerance`` ‖g∘s‖, FAIL beyond.

    Parameters
    ----------
    target : Target
        The model at its point.
    samples : mapping
        Route name to its answer and round-off.
    threads : mapping, optional
        Name to ``answer(count)``, what is computed on ``count`` threads.
    """
    worst, unequal, evaluations = 0.0, [], 0
    for name, known in samples.items():
        one, again = (target.gradients(name, target.x[None])[0, 0] for _ in range(2))
        evaluations += 2
        # What was judged came in a batch with its copies: it is the same to round-off, not bitwise.
        norm = norm_of(known.gradient * target.scale)
        since = float(np.max(pair_z(known, replace(known, gradient=again), norm, target.scale)))
        if not np.array_equal(one, again) or since > PASS_Z:
            unequal.append(name)
            worst = max(worst, since, _distance(known, one, again, target.scale, tolerance))
    first, second = (target.scores(target.x[None]) for _ in range(2))
    judged = [known.value for known in samples.values()][:1]
    # An objective that is another function each time lets nothing be concluded.
    random = _apart(first, second) or _apart(first[0], judged)
    if random or not np.array_equal(first, second):
        unequal.append("objective")
    spreads = []
    for name, answer in (threads or {}).items():
        one, many = answer(1), answer(max(2, os.cpu_count() or 1))
        evaluations += 2
        if np.array_equal(one, many):
            spreads.append(f"{name} bitwise equal")
        else:
            size = float(np.max(np.abs(one - many)) / np.max(np.abs(one)))
            spreads.append(f"{name} equal to {size:.1e}")
            if name in samples:
                known = samples[name]
                for a, b in zip(np.atleast_2d(one), np.atleast_2d(many), strict=True):
                    worst = max(worst, _distance(known, a, b, target.scale, tolerance))
            else:  # objectives: their round-off is that of the value
                any_ = next(iter(samples.values()))
                unit = EPSILON + any_.value_spread / max(abs(any_.value), EPSILON)
                worst = max(worst, size / unit)
    verdict = judge(worst, PASS_Z, FAIL_Z)
    if random or (unequal and verdict is Verdict.PASS):
        verdict = Verdict.INCONCLUSIVE
    text = "repeats bitwise equal" if not unequal else f"not repeated: {', '.join(unequal)}"
    if spreads:
        text += f"; across thread counts {', '.join(spreads)}"
    return CheckResult(
        check="determinism",
        point=point,
        objective=target.objectives[0],
        subject=", ".join(unequal or samples),
        verdict=verdict,
        primary=random,
        statistic="max z",
        value=worst,
        pass_limit=PASS_Z,
        fail_limit=FAIL_Z,
        detectable=EPSILON,
        reason=None if verdict is Verdict.PASS else Reason.NOT_REPEATABLE,
        evaluations=evaluations,
        dtype=target.dtype,
        message=text,
    )


def _apart(first: ArrayLike, second: ArrayLike) -> bool:
    """Whether objectives differ by more than round-off could make them."""
    one, other = np.asarray(first), np.asarray(second)
    return bool(other.size and np.any(np.abs(one - other) > TOLERANCE * np.abs(one)))


def _distance(sample: Sample, one: Array, other: Array, scale: Array, tolerance: float) -> float:
    """Largest difference of two answers of one route in units of its round-off."""
    norm = norm_of(sample.gradient * scale)
    # Randomness widens the spread over copies: what the gate could not certify is no round-off.
    if np.max(np.abs(one - other) * scale) > tolerance * norm > 0:
        return float("inf")
    a, b = (replace(sample, gradient=gradient) for gradient in (one, other))
    return min(float(np.max(pair_z(a, b, norm, scale))), FAIL_Z)


def threaded(inputs: Inputs) -> dict[str, Callable[[int], Array]]:
    """Return what of our own model runs on several threads, to be asked with their number.

    The kernels' threads share a batch of several blocks: one gradient a column.
    """
    moved = [
        {name: inputs.parameters[name] * (1 + k / 64) for name in inputs.wrt} for k in range(16)
    ]
    batch = [replace(inputs, parameters={**inputs.parameters, **each}) for each in moved]
    return {
        "autograd": lambda count: flatten(inputs, autograd([inputs], threads=count)[0][0][1]),
        "fused": lambda count: np.stack(
            [flatten(inputs, each[0][1]) for each in fused.evaluate(batch, threads=count)]
        ),
        "forward sweep": lambda count: scores_at(inputs, moved, threads=count),
    }
