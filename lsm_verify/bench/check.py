"""No time without a right answer: what a peer computed, held against the oracle."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from lsm_verify.bench.peers import Array, Outcome
from lsm_verify.bench.workloads import NAMES, SCALES, Workload
from lsm_verify.routes import get_route
from lsm_verify.routes.oracle import forward_product, trajectory

SAMPLE = 4
"""Columns of a batch that the oracle recomputes; all others must be finite and vary."""


class WrongResultError(ArithmeticError):
    """A peer's answer is further from the oracle's than the peer's own tolerance."""


def errors(work: Workload, outcome: Outcome) -> dict[str, float]:
    """Relative errors of an outcome: the largest over some columns.

    Of the value relative to it; of the gradient, ‖(g - ĝ)∘s‖ / ‖ĝ∘s‖ with s the parameters' prior
    standard deviations; of tangent and trajectory, the largest difference relative to the range.
    Infinite where any column is not finite.
    """
    found: dict[str, list[float]] = {}
    if not any(part is not None for part in outcome):
        raise ValueError("an outcome holds nothing to check")
    for name, part in outcome._asdict().items():
        if part is not None and (len(part) != work.batch or not np.all(np.isfinite(part))):
            return {name: float("inf")}
    for b in work.sample(SAMPLE):
        for name, error in _column(work, b, outcome).items():
            found.setdefault(name, []).append(error)
    return {name: max(each) for name, each in found.items()}


def _column(work: Workload, b: int, outcome: Outcome) -> dict[str, float]:
    inputs = work.inputs(b)
    found = {}
    if outcome.value is not None or outcome.gradient is not None:
        value, wanted = _oracle(work, b)
        if outcome.value is not None:
            found["value"] = abs(float(outcome.value[b]) - value) / abs(value)
        if outcome.gradient is not None:
            difference = np.asarray(outcome.gradient[b], dtype=np.float64) - wanted
            found["gradient"] = float(
                np.linalg.norm(difference * SCALES) / np.linalg.norm(wanted * SCALES)
            )
    if outcome.tangent is not None:
        along = dict(zip(NAMES, map(np.asarray, work.direction[b]), strict=True))
        found["tangent"] = _apart(outcome.tangent[b], forward_product(inputs, along))
    if outcome.trajectory is not None:
        found["trajectory"] = _apart(outcome.trajectory[b], trajectory(inputs))
    return found


@lru_cache(maxsize=64)
def _oracle(work: Workload, column: int) -> tuple[float, Array]:
    """Value and gradient of one column; peers of one workload share them."""
    (value, slope), *_ = get_route("adjoint").evaluate([work.inputs(column)])[0]
    return value, np.array([float(slope[name]) for name in NAMES])


def _apart(found: Array, wanted: Array) -> float:
    difference = np.max(np.abs(np.asarray(found, dtype=np.float64) - wanted))
    return float(difference / np.ptp(wanted))


def refuse_wrong(peer: str, found: dict[str, float], tolerance: float) -> None:
    """Raise if an error is beyond the peer's tolerance.

    Raises
    ------
    WrongResultError
        Naming the quantity, its error and the limit.
    """
    for name, error in found.items():
        if not error <= tolerance:
            raise WrongResultError(
                f"{peer}: the {name} is off by {error:.2g} of the oracle's, beyond its own "
                f"tolerance of {tolerance:.2g}; a wrong result is not timed."
            )
