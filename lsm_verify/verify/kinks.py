"""Kinks: whether the objective has one slope at the point, or one to each side."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from lsm_verify.verify.result import CheckResult, Reason, Verdict
from lsm_verify.verify.target import Target

if TYPE_CHECKING:
    from lsm_verify.verify.lines import Lines

SIGNIFICANT = 5.0
"""A jump of the slope counts from this many times its own uncertainty."""

CHANGES = 3
"""Successive limits that must agree with the jump within a fifth of it: it is stable."""

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Kink:
    """Slopes along a direction from the left and from the right, and how sure they are."""

    left: float
    right: float
    uncertainty: float

    def admits(self, slope: float) -> bool:
        """Whether a claimed slope lies between both."""
        low, high = sorted((self.left, self.right))
        return bool(low - self.uncertainty <= slope <= high + self.uncertainty)


def find(steps: Array, plus: Array, minus: Array, centre: float, noise: float) -> Kink | None:
    """Look for a kink in a ladder of central differences.

    S(h) = (J₊ + J₋ - 2 J₀)/h is the jump of the slope and a term of order h; it is extrapolated to
    h → 0. A limit that stays the same over the steps and exceeds five times its noise is a kink.

    Parameters
    ----------
    steps, plus, minus : (pairs,) array
        Falling steps, each a fixed fraction of the last, and the function at p ± h.
    centre, noise : float
        The function at p, and the standard deviation ν of its noise.
    """
    limit, uncertainty = _limits(steps, plus, minus, centre, noise)
    with np.errstate(all="ignore"):
        clear = np.abs(limit[1:]) > SIGNIFICANT * uncertainty
    # Smooth curvature falls with h: only a limit that stays is a jump.
    stable = [
        k
        for k in range(CHANGES - 1, clear.size)
        if np.all(clear[k - CHANGES + 1 : k + 1])
        and np.ptp(limit[k - CHANGES + 1 : k + 2]) <= 0.2 * abs(limit[k + 1])
        # A kink beside the point shows in long steps alone: short ones contradict it.
        and not np.any(
            np.abs(limit[k + 2 :] - limit[k + 1]) > uncertainty[k + 1 :] + uncertainty[k]
        )
    ]
    if not stable:
        return None
    jump = float(min(uncertainty[k] for k in stable))
    right, of_right = _one_sided(steps, plus - centre, noise)
    left, of_left = _one_sided(steps, centre - minus, noise)
    return Kink(left, right, max(jump, of_left, of_right))


def visible(steps: Array, plus: Array, minus: Array, centre: float, noise: float) -> float:
    """Return the smallest jump of the slope that `find` could have seen."""
    _, uncertainty = _limits(steps, plus, minus, centre, noise)
    runs = [np.max(uncertainty[k : k + CHANGES]) for k in range(uncertainty.size - CHANGES + 1)]
    return float(SIGNIFICANT * np.min(runs, where=np.isfinite(runs), initial=np.inf))


def _limits(
    steps: Array, plus: Array, minus: Array, centre: float, noise: float
) -> tuple[Array, Array]:
    """S(h) extrapolated to h → 0 for every two steps, and the uncertainty of all but the first."""
    with np.errstate(all="ignore"):
        ratio = steps[:-1] / steps[1:]
        bend = (plus + minus - 2 * centre) / steps
        limit = (ratio * bend[1:] - bend[:-1]) / (ratio - 1)
        sigma = np.sqrt(6.0) * noise / steps
        sigma = np.hypot(ratio * sigma[1:], sigma[:-1]) / (ratio - 1)
        return limit, np.abs(np.diff(limit)) + 3 * sigma[1:]


def _one_sided(steps: Array, difference: Array, noise: float) -> tuple[float, float]:
    """One-sided slope, extrapolated once where it is surest, and its uncertainty."""
    with np.errstate(all="ignore"):
        ratio = steps[:-1] / steps[1:]
        slope = difference / steps
        limit = (ratio * slope[1:] - slope[:-1]) / (ratio - 1)
        sigma = np.sqrt(2.0) * noise / steps
        sigma = np.hypot(ratio * sigma[1:], sigma[:-1]) / (ratio - 1)
        uncertainty = np.abs(np.diff(limit)) + 3 * sigma[1:]
    k = int(np.nanargmin(uncertainty))
    return float(limit[k + 1]), float(uncertainty[k])


def judge(
    target: Target,
    lines: Lines,
    index: int,
    gradients: Mapping[str, Array],
    norm: float,
    *,
    point: str,
    primary: bool,
    seed: int,
) -> CheckResult:
    """Say whether the point sits on a kink, and whether claimed slopes lie between both sides.

    NONSMOOTH if a line has one slope to the left and another to the right and every claim lies
    between them; FAIL if one does not; PASS if no line has a kink.
    """
    found = lines.kinks[index]
    bent = [k for k, kink in enumerate(found) if kink is not None]
    outside = {
        name
        for name, gradient in gradients.items()
        for k in bent
        if not found[k].admits(float(lines.rows[k] @ gradient))  # type: ignore[union-attr]
    }
    verdict = Verdict.FAIL if outside else Verdict.NONSMOOTH if bent else Verdict.PASS
    message = f"none along {len(found)} directions"
    if bent:
        kink = found[bent[0]]
        assert kink is not None
        claims = ", ".join(f"{n} {lines.rows[bent[0]] @ g:.6g}" for n, g in gradients.items())
        message = (
            f"in {len(bent)} of {len(found)} directions; along the first: slope {kink.left:.6g} to "
            f"the left, {kink.right:.6g} to the right, claimed: {claims}"
        )
    return CheckResult(
        check="kinks",
        point=point,
        objective=target.objectives[index],
        subject=", ".join(sorted(outside) or gradients),
        verdict=verdict,
        primary=primary,
        statistic="directions with a kink:",
        value=float(len(bent)),
        pass_limit=0.0,
        fail_limit=0.0,
        detectable=_detectable(lines, index, norm),
        reason=Reason.MISMATCH if outside else Reason.KINK if bent else None,
        evaluations=lines.evaluations,
        seed=seed,
        dtype=target.dtype,
        message=message,
    )


def _detectable(lines: Lines, index: int, norm: float) -> float | None:
    """Smallest jump that every line would have shown, in units of ‖g∘s‖."""
    if not norm > 0:
        return None
    jumps = [
        visible(steps, plus[index], minus[index], float(lines.centre[index]), float(noise)) / size
        for (steps, plus, minus), noise, size in zip(
            lines.ladders, lines.noise[index], lines.size, strict=True
        )
    ]
    return float(max(jumps) / norm)
