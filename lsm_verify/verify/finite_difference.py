"""Finite differences as evidence: a raw ladder becomes a value with its uncertainty.

The ladder of central differences comes from the oracle; here it is extrapolated (Richardson), the
noise of the function is measured along the same line (ECnoise, at p and at p ± h), and the step
with the least uncertainty is taken.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from lsm_verify.inputs import Inputs
from lsm_verify.quantities import PARAMETERS
from lsm_verify.routes import Evaluation, Route, ladders, register, scores_at, trajectory
from lsm_verify.verify.agreement import labels, scales
from lsm_verify.verify.noise import POINTS, ecnoise
from lsm_verify.verify.result import CheckResult, Reason, Verdict

PAIRS = 13
RATIO = 4.0
LARGEST_STEP = 0.5
"""First step of the ladder in the units of `units`; the last is 3e-8 of it."""

NOISE_SPACING = 1e-8
"""Spacing of the points for the noise estimate, in units of the scale."""

NOISE_OFFSET = 0.05
"""Where beside p the noise is measured, in units of the scale."""

NORM_TOLERANCE = 1e-8
"""Largest certified error of any component, in units of ‖g∘s‖."""

COMPONENT_TOLERANCE = 1e-6
"""Largest certified relative error of a component that carries weight."""

WEIGHTY = 1e-3
"""Share |g_j s_j| / ‖g∘s‖ from which a component carries weight."""

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Estimate:
    """Derivatives with uncertainty: arrays (objectives, components)."""

    inputs: Inputs
    scores: Array
    value: Array
    uncertainty: Array
    noise: Array
    evaluations: int

    @property
    def evaluation(self) -> Evaluation:
        """The estimate as a route's answer."""
        result: Evaluation = []
        for score, row in zip(self.scores, self.value, strict=True):
            gradient, start = {}, 0
            for name in self.inputs.wrt:
                shape = self.inputs.parameters[name].shape
                size = int(np.prod(shape))
                gradient[name] = row[start : start + size].reshape(shape)
                start += size
            result.append((float(score), gradient))
        return result


def richardson(steps: Array, plus: Array, minus: Array, noise: float) -> tuple[float, float]:
    """Extrapolate a ladder of central differences to step zero.

    D_k are the differences, R_k and Q_k their first and second extrapolation. For each,

        U_k = max(|X_k - X_{k-1}|, |X_k - Y_{k+1}| / 16) + 3 ν_X,

    Y being what X was extrapolated from, and the one with the least U is taken. The second
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
        uncertainty = np.maximum(change, correction) + 3 * sigma[1:]
        if np.any(np.isfinite(uncertainty)):
            k = int(np.nanargmin(uncertainty))
            if uncertainty[k] < best[1]:
                best = float(upper[k + 1]), float(uncertainty[k])
        lower = upper
    return best


def estimate(inputs: Inputs) -> Estimate:
    """Differentiate every objective of ``inputs`` by every component in ``wrt``."""
    if not np.all(np.isfinite(scores_at(inputs, [{}]))):
        trajectory(inputs)  # raises, naming the step
    directions = _directions(inputs)
    rungs = ladders(inputs, directions, LARGEST_STEP, RATIO, PAIRS)
    lines = _noise_lines(inputs, directions)
    scores = scores_at(inputs, [{}])[:, 0]
    shape = (len(inputs.objectives), len(directions))
    value, uncertainty, noise = np.empty(shape), np.empty(shape), np.empty(shape)
    unit = units(inputs)
    for o in range(shape[0]):
        noise[o] = _noise([[line[o] for line in three] for three in lines])
        for j, (steps, plus, minus) in enumerate(rungs):
            near = np.abs(np.concatenate([line[o] for line in lines[j]]))
            floor = np.finfo(np.float64).eps * float(np.nanmax(near, initial=0.0)) / 4
            noise[o, j] = max(noise[o, j], floor)
            slope, u = richardson(steps, plus[o], minus[o], noise[o, j])
            value[o, j], uncertainty[o, j] = slope / unit[j], u / unit[j]
    count = len(directions) * (2 * PAIRS + 3 * POINTS) + 1
    return Estimate(inputs, scores, value, uncertainty, noise, count)


def _noise(lines: Sequence[Sequence[Array]]) -> Array:
    """Noise level of one objective along every direction: the largest of its lines.

    A parameter with little effect leaves most of the objective's bits alone over a short line,
    which says nothing about rounding over a longer step: no direction is taken to be quieter than
    the median of all.
    """
    levels = np.array(
        [max((ecnoise(line) for line in three if _moves(line)), default=np.nan) for three in lines]
    )
    seen = levels[~np.isnan(levels)]
    return np.asarray(np.fmax(levels, np.median(seen) if seen.size else 0.0))


def _moves(line: Array) -> bool:
    """Whether at least half of the neighbouring values differ, as ECnoise needs."""
    return bool(2 * np.count_nonzero(np.diff(line)) >= line.size - 1)


def _directions(inputs: Inputs) -> list[dict[str, Array]]:
    """One direction per component: its unit of length, along itself."""
    result = []
    for (name, index), length in zip(labels(inputs), units(inputs), strict=True):
        unit = np.zeros(inputs.parameters[name].shape)
        unit[index] = length
        result.append({name: unit})
    return result


def units(inputs: Inputs) -> Array:
    """Length of the unit step of every component: its scale, where the model allows it.

    Conductivity and heat capacity must stay positive and the Bowen ratio on its side of zero, so
    theirs is at most the value itself, of which the ladder takes a half.
    """
    bounded = {name for name, q in PARAMETERS.items() if q.open_lower} | {"bowen_ratio"}
    parts = []
    for name in inputs.wrt:
        scale, size = inputs.scale(name), np.abs(inputs.parameters[name])
        parts.append(np.ravel(np.minimum(scale, size) if name in bounded else scale))
    return np.concatenate(parts)


def _noise_lines(inputs: Inputs, directions: Sequence[dict[str, Array]]) -> list[list[Array]]:
    """Scores (objectives, points) on short lines at p - h, p and p + h, for every direction."""
    offsets = [
        centre + NOISE_SPACING * i
        for centre in (-NOISE_OFFSET, 0.0, NOISE_OFFSET)
        for i in range(POINTS)
    ]
    points = [
        {name: inputs.parameters[name] + h * unit for name, unit in direction.items()}
        for direction in directions
        for h in offsets
    ]
    scores = scores_at(inputs, points)
    lines = scores.reshape(len(inputs.objectives), len(directions), 3, POINTS)
    return [[lines[:, j, c] for c in range(3)] for j in range(len(directions))]


def confirm(
    found: Estimate,
    index: int,
    gradient: Array,
    norm: float,
    *,
    point: str,
    objective: str,
    subject: str,
) -> tuple[CheckResult, list[Verdict]]:
    """Judge a claimed gradient by finite differences; verdicts per component come with it.

    δ + U must stay below 1e-8 ‖g∘s‖ / s_j, and below 1e-6 |g_j| where |g_j s_j| ≥ 1e-3 ‖g∘s‖.
    """
    scale = scales(found.inputs)
    value, u = found.value[index], found.uncertainty[index]
    allowed = NORM_TOLERANCE * norm / scale
    weighty = np.abs(gradient) * scale >= WEIGHTY * norm
    allowed = np.where(
        weighty, np.minimum(allowed, COMPONENT_TOLERANCE * np.abs(gradient)), allowed
    )
    delta = np.abs(gradient - value)
    verdicts = [
        Verdict.PASS
        if d + e <= a
        else Verdict.FAIL
        if d - e > a or not np.isfinite(g)
        else Verdict.INCONCLUSIVE
        for d, e, a, g in zip(delta, u, allowed, gradient, strict=True)
    ]
    with np.errstate(invalid="ignore", divide="ignore"):
        ratio = np.where(allowed > 0, (delta + u) / allowed, np.inf)
    if Verdict.FAIL in verdicts:
        verdict, reason = Verdict.FAIL, Reason.MISMATCH
    elif not norm > 0 or not np.any(np.abs(gradient) > u):
        verdict, reason = Verdict.INCONCLUSIVE, Reason.NO_SIGNAL
    elif Verdict.INCONCLUSIVE in verdicts:
        verdict, reason = Verdict.INCONCLUSIVE, Reason.NOISE
    else:
        verdict, reason = Verdict.PASS, None
    names = [name for name, _ in labels(found.inputs)]
    concerned = dict.fromkeys(
        n
        for n, v in zip(names, verdicts, strict=True)
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
        value=float(np.max(ratio)),
        pass_limit=1.0,
        fail_limit=1.0,
        bound=float(np.max((delta + u) * scale) / norm) if norm > 0 else None,
        detectable=float(np.max(u * scale) / norm) if norm > 0 else None,
        reason=reason,
        parameters=tuple(concerned),
        evaluations=found.evaluations,
        message=(
            f"{len(names)} derivatives from {found.evaluations} runs; steps "
            f"{LARGEST_STEP:g} s to {LARGEST_STEP / RATIO ** (PAIRS - 1):.0e} s, s the scale"
        ),
    )
    return result, verdicts


def confirm_all(
    found: Estimate,
    index: int,
    gradients: Mapping[str, Array],
    norm: float,
    *,
    point: str,
    objective: str,
    primary: bool = False,
) -> tuple[CheckResult, list[list[Verdict]]]:
    """Judge several routes by the same differences: one result, the worst, naming who failed."""
    judged = {
        name: confirm(found, index, g, norm, point=point, objective=objective, subject=name)
        for name, g in gradients.items()
    }
    order = (Verdict.FAIL, Verdict.INCONCLUSIVE, Verdict.PASS)
    verdict = next(v for v in order if any(r.verdict is v for r, _ in judged.values()))
    concerned = [r for r, _ in judged.values() if r.verdict is verdict]
    worst = max(concerned, key=lambda r: r.value)
    subject = ", ".join(r.subject for r in concerned)
    message = worst.message
    if verdict is Verdict.FAIL:
        message = f"{subject} differ{'s' if len(concerned) == 1 else ''} from finite differences"
    return replace(worst, subject=subject, message=message, primary=primary), [
        v for _, v in judged.values()
    ]


def _evaluate(batch: Sequence[Inputs]) -> list[Evaluation]:
    return [estimate(inputs).evaluation for inputs in batch]


ROUTE = register(
    Route(
        "finite-difference",
        "Richardson-extrapolated central differences with measured noise (oracle's forward run)",
        exact=False,
        evaluate=_evaluate,
    )
)
