"""Agreement of exact routes: the primary gate.

Routes that are exact to round-off may differ by round-off alone. How much that is is measured:
every input number is moved by one unit in the last place, each route is evaluated on copies of
its own, and the difference of two routes is compared with the spread of both.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from lsm_verify.verify.result import CheckResult, Reason, Verdict, judge
from lsm_verify.verify.target import Sample, Target, norm_of

PASS_Z, FAIL_Z = 32.0, 128.0
"""Limits of z, from a prototype of this model: 10,000 clean configurations gave at most 9, layered
stretched grids at most 23. The cases of this package stay below 5."""

TOLERANCE = 1e-10
"""Certified error, relative to ‖g∘s‖, above which agreement is not worth a PASS."""

SHARED = 1e-12
"""Error in units of ‖g∘s‖ that copies of one route may share and hence not show."""

SIGNAL = 10.0
"""‖g∘s‖ must exceed the norm of its own spread by this factor to count as a signal."""

EPSILON = float(np.finfo(np.float64).eps)

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Agreement:
    """Outcome for every component: largest z of any two routes, certified bound."""

    result: CheckResult
    z: Array
    bound: Array
    norm: float
    value_z: float


def pair_z(a: Sample, b: Sample, norm: float, scale: Array, epsilon: float = EPSILON) -> Array:
    """Difference of two routes in units of their joint round-off, per component; 0/0 = 0."""
    with np.errstate(invalid="ignore"):
        difference = np.abs(a.gradient - b.gradient)
    size = np.maximum(np.abs(a.gradient), np.abs(b.gradient))
    unit = np.hypot(a.spread, b.spread) + epsilon * size + epsilon * norm / scale
    with np.errstate(invalid="ignore", divide="ignore"):
        z = np.where(difference == 0, 0.0, difference / unit)
    return np.where(np.isnan(z), np.inf, z)


def value_z(a: Sample, b: Sample) -> float:
    """Difference of two routes' objectives in units of their joint round-off; 0/0 = 0."""
    difference = abs(a.value - b.value)
    unit = np.hypot(a.value_spread, b.value_spread) + EPSILON * max(abs(a.value), abs(b.value))
    if difference == 0:
        return 0.0
    z = difference / unit if unit > 0 else np.inf
    return float(z) if np.isfinite(z) else float("inf")


def compare(
    target: Target,
    samples: Mapping[str, Sample],
    *,
    point: str,
    objective: str,
    seed: int,
    tolerance: float = TOLERANCE,
) -> Agreement:
    """Compare every two routes at one point on one objective: its value and every component.

    PASS iff max z ≤ 32, the certified bound is within ``tolerance`` and the gradient stands out of
    its own noise; FAIL iff max z > 128. Against a route without copies (multiprecision)
    differences below 1e-12 ‖g∘s‖ are BORDERLINE instead: the spread over copies does not show an
    error that they share, which thin layers were seen to have at 8e-14.

    Where only the point can be moved by an ulp, not all that a user's functions read, round-off is
    not known, and a certified bound within ``tolerance`` is PASS.
    """
    scale = target.scale
    names = list(samples)
    norms = np.array([norm_of(s.gradient * scale) for s in samples.values()])
    norm = float(np.median(norms[np.isfinite(norms)])) if np.isfinite(norms).any() else np.nan
    pairs = {
        (a, b): pair_z(samples[a], samples[b], norm, scale, target.epsilon)
        for a, b in combinations(names, 2)
    }
    noise = max(norm_of(s.spread * scale) for s in samples.values())
    z = np.max(list(pairs.values()), axis=0) if pairs else np.full(scale.size, np.nan)
    with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
        error = np.max(
            [
                np.abs(samples[a].gradient - samples[b].gradient)
                + 2 * np.hypot(samples[a].spread, samples[b].spread)
                for a, b in pairs
            ],
            axis=0,
        ) if pairs else np.full(scale.size, np.nan)  # fmt: skip
        bound = error * scale / norm
    values = {pair: value_z(samples[pair[0]], samples[pair[1]]) for pair in pairs}
    apart = max(values.values(), default=float("nan"))
    worst = float(np.max([*z, apart]))
    verdict = judge(worst, PASS_Z, FAIL_Z)
    largest = float(np.max(bound)) if pairs else np.nan
    once = min(s.evaluations for s in samples.values()) == 1
    shared = tolerance if target.partial else SHARED if once else 0.0
    within = bool(pairs) and largest <= shared and apart <= FAIL_Z
    if within and verdict is not Verdict.PASS:
        verdict = Verdict.PASS if target.partial else Verdict.INCONCLUSIVE
    reason: Reason | None = None
    if not pairs:
        verdict, reason = Verdict.INCONCLUSIVE, Reason.NOTHING
    elif verdict is Verdict.FAIL:
        reason = Reason.DISAGREEMENT
    elif not norm > SIGNAL * noise:
        verdict, reason = Verdict.INCONCLUSIVE, Reason.NO_SIGNAL
    elif verdict is Verdict.INCONCLUSIVE:
        reason = Reason.BORDERLINE
    elif not largest <= tolerance:
        verdict, reason = Verdict.INCONCLUSIVE, Reason.NOISE
    if reason is Reason.NOISE and target.dtype == "float32":
        reason = Reason.DTYPE
    affected: tuple[str, ...] = ()
    if reason in (Reason.DISAGREEMENT, Reason.BORDERLINE):
        affected = _affected(target, z)
    whole = {pair: np.append(each, values[pair]) for pair, each in pairs.items()}
    odd = odd_one_out(whole, names) if verdict is Verdict.FAIL else None
    result = CheckResult(
        check="agreement",
        point=point,
        objective=objective,
        subject=", ".join(names),
        verdict=verdict,
        primary=True,
        statistic="max z",
        value=worst,
        pass_limit=PASS_Z,
        fail_limit=FAIL_Z,
        bound=norm_of(bound) if pairs else float("nan"),
        detectable=float(PASS_Z * noise / norm) if norm > 0 else None,
        reason=reason,
        parameters=affected,
        odd_one_out=odd,
        evaluations=sum(s.evaluations for s in samples.values()),
        seed=seed,
        message=_message(whole, names, odd, verdict)
        + ("; the objective's value differs" if apart > PASS_Z else ""),
    )
    return Agreement(result, z, bound, norm, apart)


def _affected(target: Target, z: Array) -> tuple[str, ...]:
    """Names of the parameters beyond the limit, the worst first."""
    worst: dict[str, float] = {}
    for (name, _), value in zip(target.labels, z, strict=True):
        worst[name] = max(worst.get(name, 0.0), float(value))
    beyond = [name for name, value in worst.items() if not value <= PASS_Z]
    return tuple(sorted(beyond, key=lambda name: -worst[name]))


def odd_one_out(pairs: Mapping[tuple[str, str], Array], names: list[str]) -> str | None:
    """Return the route without which all others agree; ``None`` if there is no such, or several."""
    if len(names) < 3:
        return None
    odd = [
        name
        for name in names
        if all(np.max(z) <= PASS_Z for pair, z in pairs.items() if name not in pair)
    ]
    return odd[0] if len(odd) == 1 else None


def camps(pairs: Mapping[tuple[str, str], Array], names: list[str]) -> list[list[str]]:
    """Return two camps that agree within themselves and not with each other, the smaller first.

    Empty if there are no such. Which of them is right numbers do not tell: routes may share more
    than an answer.
    """

    def agree(a: str, b: str) -> bool:
        return a == b or float(np.max(pairs[(a, b) if (a, b) in pairs else (b, a)])) <= PASS_Z

    first = [name for name in names if agree(names[0], name)]
    others = [name for name in names if name not in first]
    split = all(agree(a, b) == ((a in first) == (b in first)) for a in names for b in names)
    return sorted((first, others), key=len) if others and split else []


def _message(
    pairs: Mapping[tuple[str, str], Array], names: list[str], odd: str | None, verdict: Verdict
) -> str:
    if verdict is not Verdict.FAIL:
        return f"{len(names)} routes, {len(pairs)} pairs"
    if odd is not None:
        return f"{odd} stands apart from the other {len(names) - 1} routes"
    split = camps(pairs, names)
    if split:
        return " against ".join(", ".join(camp) for camp in split)
    (a, b), _ = max(pairs.items(), key=lambda item: float(np.max(item[1])))
    return f"{a} and {b} disagree most; no single route explains it"
