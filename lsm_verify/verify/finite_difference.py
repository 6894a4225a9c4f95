"""Finite differences as evidence: a claimed gradient is held against differences ± U."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from lsm_verify.inputs import Inputs
from lsm_verify.routes import register
from lsm_verify.routes.route import Evaluation, Route
from lsm_verify.verify import kinks
from lsm_verify.verify.differences import LARGEST_STEP, PAIRS, RATIO, Estimate, estimate
from lsm_verify.verify.directions import lengths
from lsm_verify.verify.noise import finer
from lsm_verify.verify.result import CheckResult, Reason, Verdict
from lsm_verify.verify.target import norm_of, of_inputs, unflatten

TOLERANCE = 1e-8
"""Largest certified error of any component of our own model, in units of ‖g∘s‖."""

CHANCE = 3.06
"""The square root of 8 over the 0.1 % quantile of χ² with 8 degrees of freedom."""

WEIGHTY = 1e-3
"""Share |g_j s_j| / ‖g∘s‖ from which a component carries weight."""

RELATIVE = 100.0
"""A component that carries weight may be wrong by this many tolerances of its own size; one of too
small a share to fail is not passed either if it is proven wrong by more."""

OFFSET = 1e4
"""|J| over its change along the ladder from which digits lost to an offset explain the noise."""

Array = NDArray[np.float64]


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
    allowed = allowed_error(found, claimed, norm, tolerance)
    delta = np.abs(claimed - value)
    # Along a random direction an error of the norm allowed shows as up to |ξ| times that.
    beyond = np.where(
        along.component >= 0, allowed, tolerance * norm * lengths(found.target, along.rows)
    )
    gross = RELATIVE * tolerance * np.maximum(np.abs(claimed), np.abs(value))
    each = [
        _judge(*row)
        for row in zip(delta, u, allowed, beyond, claimed, gross, found.kinks[index], strict=True)
    ]
    for j in [j for j, v in enumerate(each) if v is Verdict.FAIL]:
        noise, change = found.noise[index, j], found.change[index, j]
        smooth_here = found.kinks[index][j] is None
        if smooth_here and finer(found.target, along.rows[j], index, noise, change):
            each[j] = Verdict.INCONCLUSIVE
    smooth = np.array([v is not Verdict.NONSMOOTH for v in each])
    with np.errstate(invalid="ignore", divide="ignore"):
        ratio = np.where(allowed > 0, (delta + u) / allowed, np.inf)
        error = (delta + u) / along.size
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
        bound=_norm_of_errors(found, error, smooth) / norm if norm > 0 else None,
        detectable=None if reach is None else float(np.max(reach[smooth], initial=0.0)),
        reason=reason,
        parameters=tuple(concerned),
        evaluations=found.evaluations,
        seed=found.seed,
        dtype=found.target.dtype,
        message=_message(found, index, each, claimed, delta + u <= allowed),
        steps=(LARGEST_STEP, LARGEST_STEP / RATIO ** (PAIRS - 1)),
    )
    return result, _per_component(found, each)


def allowed_error(found: Estimate, claimed: Array, norm: float, tolerance: float) -> Array:
    """Error (m,) of claimed slopes along every direction up to which they pass."""
    along = found.along
    allowed = tolerance * norm * along.size
    weighty = (along.component >= 0) & (np.abs(claimed) >= WEIGHTY * norm * along.size)
    return np.where(weighty, np.minimum(allowed, RELATIVE * tolerance * np.abs(claimed)), allowed)


def _judge(
    delta: float,
    u: float,
    allowed: float,
    beyond: float,
    claimed: float,
    gross: float,
    kink: kinks.Kink | None,
) -> Verdict:
    if not np.isfinite(claimed):
        return Verdict.FAIL
    if kink is not None:
        return Verdict.NONSMOOTH if kink.admits(claimed) else Verdict.FAIL
    if delta + u <= allowed:
        # Too small a share of the norm to fail, yet wrong by itself: no PASS either.
        return Verdict.INCONCLUSIVE if delta - u > max(gross, u) else Verdict.PASS
    return Verdict.FAIL if delta - u > beyond else Verdict.INCONCLUSIVE


def _norm_of_errors(found: Estimate, error: Array, smooth: NDArray[np.bool_]) -> float:
    """Bound of ‖(g - ∇J)∘s‖ from bounds of components and of projections on random directions.

    The mean square of Gaussian projections is the square of the norm; that of eight of them is too
    small by `CHANCE`² once in a thousand times.
    """
    parts = []
    for name in found.target.names:
        here = smooth & np.array([owner == name for owner in found.along.owner])
        drawn = np.any(found.along.component[here] < 0)
        share = CHANCE / math.sqrt(np.count_nonzero(here)) if drawn else 1.0
        parts.append(share * norm_of(error[here]))
    return norm_of(np.array(parts))


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
