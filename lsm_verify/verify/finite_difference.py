"""Finite differences as evidence: a raw ladder becomes a value with its uncertainty.

A ladder of central differences is extrapolated (Richardson), the noise of the function is measured
along the same line (ECnoise, at p and at p ± h), and the step with the least uncertainty is taken.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from lsm_verify.inputs import Inputs
from lsm_verify.routes import Evaluation, Route, register
from lsm_verify.verify import kinks
from lsm_verify.verify.directions import Directions, along_parameters
from lsm_verify.verify.noise import POINTS, ecnoise
from lsm_verify.verify.result import CheckResult, Reason, Verdict
from lsm_verify.verify.target import Ladder, Target, norm_of, of_inputs, unflatten

PAIRS = 13
RATIO = 4.0
LARGEST_STEP = 0.5
"""First step of the ladder in the units of the target; the last is 3e-8 of it."""

NOISE_SPACINGS = (1e-8, 1e-4)
"""Spacing of the points for the noise estimate, in units of the scale; the second where the
function does not move at the first: single precision on the way makes it a staircase."""

NOISE_OFFSET = 0.05
"""Where beside p the noise is measured, in units of the scale."""

TOLERANCE = 1e-8
"""Largest certified error of any component of our own model, in units of ‖g∘s‖."""

WEIGHTY = 1e-3
"""Share |g_j s_j| / ‖g∘s‖ from which a component carries weight."""

RELATIVE = 100.0
"""A component that carries weight may be wrong by this many tolerances of its own size."""

GROSS = 1e-2
"""A number of too small a share to fail is not passed either if it is wrong by more than this."""

OFFSET = 1e4
"""|J| over its change along the ladder from which digits lost to an offset explain the noise."""

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Estimate:
    """Derivatives with uncertainty along every direction: arrays (objectives, directions).

    ``solver`` is the part of the uncertainty that an inner solver causes; ``kinks`` holds one entry
    per objective and direction.
    """

    target: Target
    along: Directions
    scores: Array
    value: Array
    uncertainty: Array
    noise: Array
    solver: Array
    kinks: tuple[tuple[kinks.Kink | None, ...], ...]
    change: Array
    evaluations: int

    def bias(self, index: int) -> float:
        """Return the solver's share of the uncertainty of one objective's gradient, as a norm."""
        return norm_of(self.solver[index] / self.along.size)

    def component(self, index: int, j: int) -> tuple[float, float] | None:
        """Return the derivative by one number and its uncertainty, where that was taken."""
        found = np.flatnonzero(self.along.component == j)
        if not found.size:
            return None
        unit = self.target.unit[j]
        k = int(found[0])
        return float(self.value[index, k] / unit), float(self.uncertainty[index, k] / unit)


def richardson(steps: Array, plus: Array, minus: Array, noise: float) -> tuple[float, float]:
    """Extrapolate a ladder of central differences to step zero.

    D_k are the differences, R_k and Q_k their first and second extrapolation. For each,

        U_k = max(|X_k - X_{k-1}|, |X_k - Y_{k+1}| / 16) + 3 ν_X,

    Y being what X was extrapolated from, and the one with the least U is taken that no finer one
    contradicts; where changes fall slowly the rest of their series is added to U. The second
    extrapolation allows longer steps where noise dominates; U is then some five times smaller.

    Parameters
    ----------
    steps, plus, minus : (pairs,) array
        Falling steps, each a fixed fraction of the last, and the function at p ± h.
    noise : float
        Standard deviation ν of the function's noise.

    Returns
    -------
    value, uncertainty : float
        Infinite uncertainty where too few neighbouring pairs are finite.
    """
    ratio = steps[:-1] / steps[1:]
    lower = (plus - minus) / (2 * steps)
    sigma = noise / (np.sqrt(2.0) * steps)
    best = float("nan"), float("inf")
    for order in (2, 4):
        factor = ratio[: lower.size - 1] ** order
        upper = (factor * lower[1:] - lower[:-1]) / (factor - 1)
        sigma = np.hypot(factor * sigma[1:], sigma[:-1]) / (factor - 1)
        change = np.abs(np.diff(upper))
        correction = np.abs(upper - lower[1:])[1:] / ratio[: upper.size - 1] ** 2
        uncertainty = _sceptical(upper, change, np.maximum(change, correction), 3 * sigma[1:])
        if np.any(np.isfinite(uncertainty)):
            k = int(np.nanargmin(uncertainty))
            if uncertainty[k] < best[1]:
                best = float(upper[k + 1]), float(uncertainty[k])
        lower = upper
    return best


def _sceptical(upper: Array, change: Array, truncation: Array, noise: Array) -> Array:
    """Uncertainty of extrapolated differences that looks at the finer steps as well.

    Where the changes fall slowly, as a geometric series with ratio ρ, the rest of the series is
    added. A value that a finer one contradicts, beyond the uncertainty of both, is not to be used:
    long steps see another function than the one at the point.
    """
    plain = truncation + noise
    with np.errstate(invalid="ignore", divide="ignore"):
        ratio = change / np.concatenate([[np.inf], change[:-1]])
        ratio = np.where(change > noise, ratio, 0.0)
        rest = np.where(ratio < 1, ratio / (1 - ratio), np.inf)
        result = plain + np.where(rest > 1, change * (2 * rest - 1), 0.0)
        for k in range(change.size):
            if np.any(np.abs(upper[k + 2 :] - upper[k + 1]) > plain[k + 1 :] + plain[k]):
                result[k] = np.inf
    return np.asarray(result)


def estimate(target: Target, *, most: int | None = None, seed: int = 0) -> Estimate:
    """Differentiate every objective along every direction.

    Parameters
    ----------
    target : Target
        The model at its point.
    most : int, optional
        Numbers of a parameter up to which each is moved by itself; beyond, 8 random directions
        stand for the parameter. Default: each number, always.
    seed : int
        Seed of random directions.
    """
    along = along_parameters(target, most, seed)
    rungs = target.ladders(along.rows, LARGEST_STEP, RATIO, PAIRS)
    lines = noise_lines(target, along.rows)
    scores = target.scores(target.x[None])[:, 0]
    shape = (len(target.objectives), len(along.owner))
    value, uncertainty, noise, change = (np.empty(shape) for _ in range(4))
    bent: list[tuple[kinks.Kink | None, ...]] = []
    for o in range(shape[0]):
        noise[o] = noise_along(lines, rungs, o, target.epsilon)
        for j, (steps, plus, minus) in enumerate(rungs):
            value[o, j], uncertainty[o, j] = richardson(steps, plus[o], minus[o], noise[o, j])
            ends = np.concatenate([plus[o], minus[o]])
            change[o, j] = _largest(ends - scores[o])
        bent.append(
            tuple(
                kinks.find(steps, plus[o], minus[o], float(scores[o]), float(noise[o, j]))
                for j, (steps, plus, minus) in enumerate(rungs)
            )
        )
    solver = _solver_share(target, along, value, noise)
    count = len(along.owner) * (2 * PAIRS + 3 * POINTS) + 1
    return Estimate(
        target,
        along,
        scores,
        value,
        uncertainty + solver,
        noise,
        solver,
        tuple(bent),
        change,
        count,
    )


def _solver_share(target: Target, along: Directions, value: Array, noise: Array) -> Array:
    """|D(tolerance) - D(tolerance / 100)|: the smooth bias of an inner solver in the evidence."""
    if target.tighter is None:
        return np.zeros_like(value)
    tighter = np.empty_like(value)
    for j, row in enumerate(along.rows):
        nominal = np.asarray(LARGEST_STEP / RATIO ** np.arange(PAIRS), dtype=np.float64)
        points = target.x + np.concatenate([nominal, -nominal])[:, None] * row
        scores = target.tighter(points)
        for o in range(value.shape[0]):
            tighter[o, j], _ = richardson(
                nominal, scores[o, :PAIRS], scores[o, PAIRS:], float(noise[o, j])
            )
    return np.abs(value - tighter)


def noise_lines(target: Target, rows: Array) -> list[list[Array]]:
    """Scores (objectives, points) on short lines at p - h, p and p + h, for every direction."""
    fine, coarse = NOISE_SPACINGS
    lines = _lines(target, rows, fine)
    flat = [
        j for j, three in enumerate(lines) if not any(_moves(row) for line in three for row in line)
    ]
    if flat:
        for j, three in zip(flat, _lines(target, rows[flat], coarse), strict=True):
            lines[j] = three
    return lines


def _lines(target: Target, rows: Array, spacing: float) -> list[list[Array]]:
    offsets = np.array(
        [
            centre + spacing * i
            for centre in (-NOISE_OFFSET, 0.0, NOISE_OFFSET)
            for i in range(POINTS)
        ]
    )
    points = (target.x + offsets[None, :, None] * rows[:, None, :]).reshape(-1, target.x.size)
    lines = target.scores(points).reshape(len(target.objectives), len(rows), 3, POINTS)
    return [[lines[:, j, c] for c in range(3)] for j in range(len(rows))]


def noise_along(
    lines: Sequence[Sequence[Array]], rungs: Sequence[Ladder], o: int, epsilon: float
) -> Array:
    """Noise of one objective along every direction, from its short lines and its ladder."""
    own = [[line[o] for line in three] for three in lines]
    stairs = [
        _stair(three, plus[o], minus[o]) for three, (_, plus, minus) in zip(own, rungs, strict=True)
    ]
    return np.maximum(noise_levels(own, epsilon), stairs)


def noise_levels(lines: Sequence[Sequence[Array]], epsilon: float) -> Array:
    """Noise level of one objective along every direction: the largest of its lines.

    A parameter with little effect leaves most of the objective's bits alone over a short line,
    which says nothing about rounding over a longer step: no direction is taken to be quieter than
    the median of all, nor than ε max|J| / 4, ε being the number type's.
    """
    levels = np.array(
        [max((ecnoise(line) for line in three if _moves(line)), default=np.nan) for three in lines]
    )
    seen = levels[~np.isnan(levels)]
    floor = [epsilon * _largest(np.concatenate(three)) / 4 for three in lines]
    return np.asarray(np.maximum(np.fmax(levels, np.median(seen) if seen.size else 0.0), floor))


def _largest(values: Array) -> float:
    """Largest finite magnitude; 0 without any."""
    return float(np.max(np.abs(values), where=np.isfinite(values), initial=0.0))


def _stair(three: Sequence[Array], plus: Array, minus: Array) -> float:
    """Height of a step of a function that stands still over short lines: rounded, say.

    It is the smallest change that the ladder shows; zero where the function moves, or never does.
    """
    if any(_moves(line) for line in three):
        return 0.0
    change = np.abs(plus - minus)
    return float(np.min(change[change > 0], initial=np.inf)) if np.any(change > 0) else 0.0


def _moves(line: Array) -> bool:
    """Whether at least half of the neighbouring values differ, as ECnoise needs."""
    return bool(2 * np.count_nonzero(np.diff(line)) >= line.size - 1)


def confirm(
    found: Estimate,
    index: int,
    gradient: Array,
    norm: float,
    *,
    point: str,
    objective: str,
    subject: str,
    tolerance: float = TOLERANCE,
) -> tuple[CheckResult, list[Verdict]]:
    """Judge a claimed gradient by finite differences; verdicts per component come with it.

    δ + U must stay below ``tolerance`` ‖g∘s‖ / s_j, and below a hundred tolerances of |g_j| where
    |g_j s_j| ≥ 1e-3 ‖g∘s‖. Along a direction with a kink the claimed slope must lie between the
    slopes to both sides.
    """
    along = found.along
    claimed = along.rows @ gradient
    value, u = found.value[index], found.uncertainty[index]
    allowed = tolerance * norm * along.size
    weighty = (along.component >= 0) & (np.abs(claimed) >= WEIGHTY * norm * along.size)
    allowed = np.where(
        weighty, np.minimum(allowed, RELATIVE * tolerance * np.abs(claimed)), allowed
    )
    delta = np.abs(claimed - value)
    each = [
        _judge(d, e, a, g, kink, GROSS * max(abs(g), abs(v)))
        for d, e, a, g, v, kink in zip(
            delta, u, allowed, claimed, value, found.kinks[index], strict=True
        )
    ]
    smooth = np.array([v is not Verdict.NONSMOOTH for v in each])
    with np.errstate(invalid="ignore", divide="ignore"):
        ratio = np.where(allowed > 0, (delta + u) / allowed, np.inf)
        error = (delta + u) / along.size / norm if norm > 0 else None
        reach = u / along.size / norm if norm > 0 else None
    verdict, reason = _conclude(found, index, each, claimed, norm, delta + u <= allowed)
    concerned = dict.fromkeys(
        owner
        for owner, v in zip(along.owner, each, strict=True)
        if verdict is not Verdict.PASS and v is verdict
    )
    result = CheckResult(
        check="finite-difference",
        point=point,
        objective=objective,
        subject=subject,
        verdict=verdict,
        primary=False,
        statistic="max (δ+U)/allowed",
        value=float(np.max(ratio[smooth], initial=0.0)),
        pass_limit=1.0,
        fail_limit=1.0,
        bound=None if error is None else float(np.max(error[smooth], initial=0.0)),
        detectable=None if reach is None else float(np.max(reach[smooth], initial=0.0)),
        reason=reason,
        parameters=tuple(concerned),
        evaluations=found.evaluations,
        dtype=found.target.dtype,
        message=_message(found, index, each, claimed, delta + u <= allowed),
        steps=(LARGEST_STEP, LARGEST_STEP / RATIO ** (PAIRS - 1)),
    )
    return result, _per_component(found, each)


def _judge(
    delta: float,
    u: float,
    allowed: float,
    claimed: float,
    kink: kinks.Kink | None,
    gross: float,
) -> Verdict:
    if not np.isfinite(claimed):
        return Verdict.FAIL
    if kink is not None:
        return Verdict.NONSMOOTH if kink.admits(claimed) else Verdict.FAIL
    if delta + u <= allowed:
        # Too small a share of the norm to fail, yet wrong by itself: no PASS either.
        return Verdict.INCONCLUSIVE if delta - u > max(gross, u) else Verdict.PASS
    return Verdict.FAIL if delta - u > allowed else Verdict.INCONCLUSIVE


def _conclude(
    found: Estimate,
    index: int,
    each: Sequence[Verdict],
    claimed: Array,
    norm: float,
    within: NDArray[np.bool_],
) -> tuple[Verdict, Reason | None]:
    if Verdict.FAIL in each:
        return Verdict.FAIL, Reason.MISMATCH
    if Verdict.NONSMOOTH in each:
        return Verdict.NONSMOOTH, Reason.KINK
    if not norm > 0 or not np.any(np.abs(claimed) > found.uncertainty[index]):
        return Verdict.INCONCLUSIVE, Reason.NO_SIGNAL
    if Verdict.INCONCLUSIVE not in each:
        return Verdict.PASS, None
    open_ = np.array([v is Verdict.INCONCLUSIVE for v in each])
    if np.any(open_ & within):
        return Verdict.INCONCLUSIVE, Reason.SHARE
    if np.all(found.solver[index][open_] > found.uncertainty[index][open_] / 2):
        return Verdict.INCONCLUSIVE, Reason.SOLVER
    if found.target.dtype == "float32":
        return Verdict.INCONCLUSIVE, Reason.DTYPE
    if abs(found.scores[index]) > OFFSET * np.max(found.change[index]):
        return Verdict.INCONCLUSIVE, Reason.OFFSET
    return Verdict.INCONCLUSIVE, Reason.NOISE


def _message(
    found: Estimate,
    index: int,
    each: Sequence[Verdict],
    claimed: Array,
    within: NDArray[np.bool_],
) -> str:
    text = (
        f"{len(each)} derivatives from {found.evaluations} runs; steps "
        f"{LARGEST_STEP:g} s to {LARGEST_STEP / RATIO ** (PAIRS - 1):.0e} s, s the scale"
    )
    bent = next((j for j, kink in enumerate(found.kinks[index]) if kink is not None), None)
    wrong = [j for j, v in enumerate(each) if v is Verdict.FAIL] or [
        j for j, v in enumerate(each) if v is Verdict.INCONCLUSIVE and within[j]
    ]
    if wrong:
        off = np.abs(claimed - found.value[index])[wrong] / found.along.size[wrong]
        j = wrong[int(np.argmax(off))]
        name, unit = _direction(found, j)
        value, u = found.value[index, j] / unit, found.uncertainty[index, j] / unit
        text = f"{name}: claimed {claimed[j] / unit:.9g}, differences {value:.9g} ± {u:.1e}"
    if bent is not None:
        kink = found.kinks[index][bent]
        assert kink is not None
        name, unit = _direction(found, bent)
        text = f"kink in {name}: slope {kink.left / unit:.6g} left, {kink.right / unit:.6g} right"
    if np.any(found.solver[index] > 0):
        text += f"; the solver's share of U: up to {np.max(found.solver[index]):.1e}"
    return text


def _direction(found: Estimate, j: int) -> tuple[str, float]:
    """Name of a direction, and what its derivative is divided by to be one by a number."""
    component = int(found.along.component[j])
    if component < 0:
        return f"{found.along.owner[j]} along a random direction", 1.0
    name, index = found.target.labels[component]
    return name + (f"[{','.join(map(str, index))}]" if index else ""), found.target.unit[component]


def _per_component(found: Estimate, each: Sequence[Verdict]) -> list[Verdict]:
    """Verdict of every number: its own, or the worst of its parameter's random directions."""
    order = (Verdict.FAIL, Verdict.NONSMOOTH, Verdict.INCONCLUSIVE, Verdict.PASS)
    own = {int(j): v for j, v in zip(found.along.component, each, strict=True) if j >= 0}
    worst = {
        name: next(
            v
            for v in order
            if v in [e for e, o in zip(each, found.along.owner, strict=True) if o == name]
        )
        for name in found.target.names
    }
    return [own.get(j, worst[name]) for j, (name, _) in enumerate(found.target.labels)]


def confirm_all(
    found: Estimate,
    index: int,
    gradients: Mapping[str, Array],
    norm: float,
    *,
    point: str,
    objective: str,
    primary: bool = False,
    tolerance: float = TOLERANCE,
) -> tuple[CheckResult, list[list[Verdict]]]:
    """Judge several routes by the same differences: one result, the worst, naming who failed."""
    judged = {
        name: confirm(
            found,
            index,
            g,
            norm,
            point=point,
            objective=objective,
            subject=name,
            tolerance=tolerance,
        )
        for name, g in gradients.items()
    }
    order = (Verdict.FAIL, Verdict.NONSMOOTH, Verdict.INCONCLUSIVE, Verdict.PASS)
    verdict = next(v for v in order if any(r.verdict is v for r, _ in judged.values()))
    concerned = [r for r, _ in judged.values() if r.verdict is verdict]
    worst = max(concerned, key=lambda r: r.value)
    subject = ", ".join(r.subject for r in concerned)
    message = worst.message
    if verdict is Verdict.FAIL:
        plural = "s" if len(concerned) == 1 else ""
        message = f"{subject} differ{plural} from finite differences; {worst.message}"
    return replace(worst, subject=subject, message=message, primary=primary), [
        v for _, v in judged.values()
    ]


def _evaluate(batch: Sequence[Inputs]) -> list[Evaluation]:
    result = []
    for inputs in batch:
        found = estimate(of_inputs(inputs))
        rows = found.value / found.target.unit
        result.append(
            [
                (float(score), unflatten(inputs, row))
                for score, row in zip(found.scores, rows, strict=True)
            ]
        )
    return result


ROUTE = register(
    Route(
        "finite-difference",
        "Richardson-extrapolated central differences with measured noise (oracle's forward run)",
        exact=False,
        evaluate=_evaluate,
    )
)
