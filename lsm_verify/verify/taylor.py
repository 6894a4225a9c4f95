"""Taylor remainder: the odd part falls with the third power of the step, if the slope is right.

|J(p + h v) - J(p - h v) - 2 h ⟨g, v⟩| = h³ |J'''| / 3 + O(h⁵), and 2 h |⟨g - ∇J, v⟩| takes over for
small h if the gradient g is wrong. The window of steps is chosen from the noise, not by hand.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from lsm_verify.verify.differences import richardson
from lsm_verify.verify.directions import lengths
from lsm_verify.verify.lines import RATIO, Lines, along
from lsm_verify.verify.noise import finer, largest
from lsm_verify.verify.result import CheckResult, Reason, Verdict
from lsm_verify.verify.target import Target

ORDER = 3.0
WIDTH = 0.1
"""The rate passes within this of three, to both sides."""

ABOVE_NOISE = 30.0
"""A remainder counts from this many times the noise: its logarithm is then known to 3 %."""

SETTLED = 0.4
"""The uncertainty of a linear error, relative to it, up to which it is one; a jump gives 0.5."""

APART, CREEPING = 3, 0.2
"""Over this many halvings of the step the change of the slope falls to less than this share of what
it was: to 1/64 for a smooth function, 0.13 for sign(x)x², but 0.35 for |x|^1.5, 0.81 for |x|^1.1,
whose slope settles so late that a limit of it means nothing."""

REDRAWS = 2
"""How often other lines are drawn."""

FEWEST, MOST = 4, 6
"""Points of the window: the smallest steps above the noise, farthest from the higher terms."""

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Remainder:
    """The odd remainder along one direction.

    ``rate`` is not-a-number where fewer than four points stand out of the noise; ``window`` are the
    first and last step of it; ``error`` is what the smallest remainder leaves for |⟨g - ∇J, v⟩|;
    ``linear`` and ``linear_uncertainty`` estimate that error by extrapolation to h → 0 (infinite
    where the slope does not settle: a derivative with a cusp has no third power to fall with);
    ``visible`` is the error that would have moved the rate out of its limits, ``proven`` what
    differences prove it to be at least.
    """

    rate: float
    window: tuple[float, ...]
    error: float
    linear: float
    linear_uncertainty: float
    visible: float
    proven: float = -np.inf


def remainder(steps: Array, plus: Array, minus: Array, slope: float, noise: float) -> Remainder:
    """Evaluate the odd remainder of one direction from a ladder.

    Parameters
    ----------
    steps, plus, minus : (pairs,) array
        Falling steps and the objective at p ± h v.
    slope : float
        Claimed ⟨g, v⟩.
    noise : float
        Standard deviation of the objective's noise.
    """
    with np.errstate(all="ignore"):  # what overflows, or has no step left, is not clear
        return _remainder_of(steps, plus, minus, slope, noise)


def _remainder_of(steps: Array, plus: Array, minus: Array, slope: float, noise: float) -> Remainder:
    signed = plus - minus - 2 * steps * slope
    size = np.abs(signed)
    clear = np.isfinite(size) & (size > ABOVE_NOISE * noise)
    value, u = richardson(steps, plus, minus, noise)
    certified = abs(value - slope) + u if np.isfinite(u) else float("inf")
    # The run of clear points that ends at the smallest step: beyond it noise rules.
    ends = np.flatnonzero(clear)
    if not ends.size:
        return Remainder(np.nan, (), certified, 0.0, certified, certified)
    last = int(ends[-1])
    first = last
    while first > 0 and clear[first - 1] and last - first + 1 < MOST:
        first -= 1
    if last - first + 1 < FEWEST:
        return Remainder(np.nan, (), certified, 0.0, certified, certified)
    h, r = steps[first : last + 1], size[first : last + 1]
    i, j = np.triu_indices(h.size, 1)
    rate = float(np.median(np.log(r[i] / r[j]) / np.log(h[i] / h[j])))
    # signed / 2h = error + c h²: one extrapolation over the last three points, checked by itself.
    e = signed[last - 2 : last + 1] / (2 * steps[last - 2 : last + 1])
    limit = (RATIO**2 * e[1:] - e[:-1]) / (RATIO**2 - 1)
    sigma = 2 * noise / steps[last]
    creeps = _creeps(signed / (2 * steps), clear, last, 2 * noise / steps)
    return Remainder(
        rate,
        (float(h[0]), float(h[-1])),
        certified,
        float(abs(limit[1])),
        float("inf") if creeps else float(abs(limit[1] - limit[0]) + 3 * sigma),
        # Four times the remainder at the last step rules the last two points, whatever its sign.
        float(4 * r[-1] / (2 * h[-1])),
        proven=abs(value - slope) - u if np.isfinite(u) else -np.inf,
    )


def _creeps(slopes: Array, clear: NDArray[np.bool_], last: int, sigma: Array) -> bool:
    """Say whether the slope goes on changing as the step falls, well above the noise."""
    end = last - 2
    begin = end - 2 * APART
    if begin < 0 or not np.all(clear[begin:end]):
        return False
    before, after = np.abs(np.diff(slopes[[begin, end - APART, end]]))
    return bool(after > CREEPING * before + 3 * sigma[end])


def taylor(
    target: Target,
    lines: Lines,
    index: int,
    gradients: Mapping[str, Array],
    norm: float,
    *,
    point: str,
    seed: int,
    tolerance: float,
    bias: float = 0.0,
) -> CheckResult:
    """Test the remainder of every claimed gradient along the random lines.

    PASS iff every rate lies within 3 ± 0.1; where all lies below the noise (J linear along v) the
    bound that the noise leaves is judged instead. FAIL iff a rate is off and the linear error that
    explains it exceeds ``tolerance`` ‖g∘s‖ ‖ξ‖, v = s ξ, by more than its uncertainty. Lines across
    a kink are judged by `kinks`, not here. ``bias`` is what an inner solver may do to a slope, as a
    norm.
    Where a rate is off and nothing linear is seen, other lines are drawn: the third derivative all
    but vanishes along one line in a thousand.
    """
    evaluations = 0
    for draw in range(REDRAWS + 1):
        drawn = seed + 1000 * draw
        here = lines if draw == 0 else along(target, drawn)
        result, linear = _test(target, here, index, gradients, norm, tolerance, bias)
        evaluations += here.evaluations
        if result.reason is not Reason.BORDERLINE or linear:
            break
    return replace(result, point=point, seed=drawn, evaluations=evaluations)


def _test(
    target: Target,
    lines: Lines,
    index: int,
    gradients: Mapping[str, Array],
    norm: float,
    tolerance: float,
    bias: float,
) -> tuple[CheckResult, bool]:
    """Test along the lines given; also whether a linear error is seen along any."""
    bent = lines.kinks[index]
    smooth = [k for k in range(len(lines.rows)) if bent[k] is None]
    size = lines.size[smooth]
    # An error of the norm allowed may lie along the line: FAIL is beyond what it would show there.
    length = lengths(target, lines.rows[smooth])
    found = {
        name: [along_line(lines, index, k, g) for k in smooth] for name, g in gradients.items()
    }
    verdicts = {
        name: [
            _judge(r, tolerance * norm * s, tolerance * norm * whole + 3 * bias * s)
            for r, s, whole in zip(each, size, length, strict=True)
        ]
        for name, each in found.items()
    }
    failed = any(Verdict.FAIL in each for each in verdicts.values())
    if failed and any(_structured(target, lines, index, k) for k in smooth):
        open_ = {Verdict.FAIL: Verdict.INCONCLUSIVE}
        verdicts = {name: [open_.get(v, v) for v in each] for name, each in verdicts.items()}
    flat = [v for each in verdicts.values() for v in each]
    order = (Verdict.FAIL, Verdict.INCONCLUSIVE, Verdict.PASS)
    verdict = next((v for v in order if v in flat), Verdict.INCONCLUSIVE)
    rates = np.array([r.rate for each in found.values() for r in each])
    reason: Reason | None = None
    if verdict is Verdict.FAIL and len(smooth) == len(bent):
        reason = Reason.RATE
    elif len(smooth) < len(bent) and verdict is not Verdict.PASS:
        # Beside a kink that some lines cross no line can be trusted to be smooth.
        verdict, reason = Verdict.INCONCLUSIVE, Reason.KINK
    elif not norm > 0:
        verdict, reason = Verdict.INCONCLUSIVE, Reason.NO_SIGNAL
    elif verdict is Verdict.INCONCLUSIVE and bias > tolerance * norm:
        reason = Reason.SOLVER
    elif verdict is Verdict.INCONCLUSIVE:
        reason = Reason.NOISE if np.any(np.isnan(rates)) else Reason.BORDERLINE
    errors = [np.array([r.error for r in each]) / size for each in found.values()]
    visible = [np.array([r.visible for r in each]) / size for each in found.values()]
    windows = [r.window for each in found.values() for r in each if r.window]
    linear = any(r.linear > r.linear_uncertainty for each in found.values() for r in each)
    result = CheckResult(
        check="taylor",
        point="",
        objective=target.objectives[index],
        subject=", ".join([n for n, each in verdicts.items() if verdict in each] or gradients),
        verdict=verdict,
        primary=False,
        statistic=f"max |rate - {ORDER:g}|",
        value=farthest(rates),
        pass_limit=WIDTH,
        fail_limit=WIDTH,
        bound=float(np.max(errors) / norm) if norm > 0 and flat else None,
        detectable=float(np.max(visible) / norm) if norm > 0 and flat else None,
        reason=reason,
        dtype=target.dtype,
        message=_message(rates),
        steps=(max(w[0] for w in windows), min(w[-1] for w in windows)) if windows else (),
    )
    return result, linear


def _structured(target: Target, lines: Lines, index: int, k: int) -> bool:
    """Whether the objective varies along a line on lengths below the shortest step."""
    _, plus, minus = lines.ladders[k]
    change = largest(np.concatenate([plus[index], minus[index]]) - lines.centre[index])
    return finer(target, lines.rows[k], index, float(lines.noise[index, k]), change)


def along_line(lines: Lines, index: int, k: int, gradient: Array) -> Remainder:
    """Evaluate the odd remainder of a claimed gradient along one line."""
    steps, plus, minus = lines.ladders[k]
    slope = float(lines.rows[k] @ gradient)
    return remainder(steps, plus[index], minus[index], slope, float(lines.noise[index, k]))


def _judge(r: Remainder, allowed: float, beyond: float) -> Verdict:
    if np.isnan(r.rate):  # linear along v, or all noise: what is left is the noise's bound
        return Verdict.PASS if r.error <= allowed else Verdict.INCONCLUSIVE
    if abs(r.rate - ORDER) <= WIDTH:
        return Verdict.PASS
    # A limit that does not settle is no slope: the function may jump at the point.
    settled = r.linear_uncertainty < SETTLED * r.linear
    if settled and min(r.linear - r.linear_uncertainty, r.proven) > beyond:
        return Verdict.FAIL
    return Verdict.INCONCLUSIVE


def farthest(rates: Array) -> float:
    """Distance of the worst rate from three; not-a-number where none was measured."""
    seen = rates[~np.isnan(rates)]
    return float(np.max(np.abs(seen - ORDER))) if seen.size else float("nan")


def _message(rates: Array) -> str:
    seen = rates[~np.isnan(rates)]
    quiet = int(np.sum(np.isnan(rates)))
    text = f"rates {seen.min():.3f} to {seen.max():.3f}" if seen.size else "no rate"
    if quiet:
        text += f"; {quiet} of {rates.size} directions all below the noise: a bound, not a rate"
    return text
