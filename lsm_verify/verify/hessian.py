"""Second order: products with the Hessian against differences of the gradient, and by themselves.

Everything is in scaled coordinates: a product is S H S v and the slope S ∇J(x + S e) of an offset
e, with S the diagonal of the scales, so that no parameter hides another and norms mean something.
Three results: the products against Richardson-extrapolated differences of the gradient, their
symmetry, and the rate of the gradient's Taylor remainder.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from lsm_verify.verify.finite_difference import RELATIVE, WEIGHTY
from lsm_verify.verify.gradient_differences import (
    Evidence,
    Remainder,
    Slope,
    differences,
    remainder,
)
from lsm_verify.verify.result import CheckResult, Reason, Verdict, judge
from lsm_verify.verify.taylor import ORDER, WIDTH, farthest

TOLERANCE = 1e-8
"""Largest certified error of any component, in units of ‖H‖, the root mean square of ‖Hv‖."""

PASS_ETA, FAIL_ETA = 64.0, 256.0
"""Limits of η of the symmetry. On 1,400 objectives of drawn columns the hand adjoint gave 0.8 at
most, torch's double backward 30 (99 % below 6.2), by heat flux through thin layers;
``test_clean_products_stay_below_the_limits`` draws anew."""

SIGNAL = 10.0
"""The terms of ⟨Hu, v⟩ must exceed their unit of round-off by this factor to count as a signal; and
where the evidence has none, a claim must differ by so many times its uncertainty to fail."""

EPSILON = float(np.finfo(np.float64).eps)

Array = NDArray[np.float64]
Product = Callable[[Array], Array]


def agreement(
    products: Mapping[str, Array],
    evidence: Evidence,
    *,
    names: Sequence[str] = (),
    tolerance: float = TOLERANCE,
) -> CheckResult:
    """Judge products (m, n) by differences of the gradient.

    δ + U must stay below ``tolerance`` ‖H‖, and below a hundred tolerances of the component where
    that exceeds 1e-3 ‖H‖. A claim may owe as much of δ to its own round-off as in `symmetry`, so
    FAIL takes δ > U + 64 ν beyond that, ν being the gradient's noise; where the evidence has no
    signal it takes ten times the largest U of all. ``names`` are the parameters that the
    components belong to.
    """
    norm, value, u = evidence.norm, evidence.value, evidence.uncertainty
    claimed = np.stack(list(products.values()))
    weighty = np.abs(claimed) >= WEIGHTY * norm
    relative = np.where(weighty, RELATIVE * tolerance * np.abs(claimed), np.inf)
    allowed = np.minimum(tolerance * norm, relative)
    signal = evidence.has_signal
    with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
        delta = np.where(np.isfinite(value), np.abs(claimed - value), 0.0)
        own = PASS_ETA * evidence.level + (0.0 if signal else SIGNAL * np.max(u))
        wrong = ~np.isfinite(claimed) | (delta - u - own > allowed)
        ratio = np.where(np.isfinite(claimed), (delta + u) / allowed, np.inf)
    open_ = ~(delta + u <= allowed)
    verdict, reason = Verdict.PASS, None
    concerned = np.zeros(claimed.shape, dtype=np.bool_)
    if np.any(wrong):
        verdict, reason, concerned = Verdict.FAIL, Reason.MISMATCH, wrong
    elif not signal:
        verdict, reason = Verdict.INCONCLUSIVE, Reason.NO_SIGNAL
    elif np.any(open_):
        verdict, reason, concerned = Verdict.INCONCLUSIVE, Reason.NOISE, open_
    guilty = [r for r, bad in zip(products, concerned, strict=True) if np.any(bad)]
    affected = np.flatnonzero(np.any(concerned, axis=(0, 1)))
    return CheckResult(
        check="hessian",
        point="",
        objective="",
        subject=", ".join(guilty or products),
        verdict=verdict,
        primary=False,
        statistic="max (δ+U)/allowed",
        value=float(np.max(ratio)),
        pass_limit=1.0,
        fail_limit=1.0,
        bound=float(np.max(delta + u) / norm) if norm > 0 else None,
        detectable=float(np.max(u) / norm) if norm > 0 else None,
        reason=reason,
        parameters=tuple(dict.fromkeys(names[int(j)] for j in affected)) if names else (),
        evaluations=evidence.evaluations,
        message=(
            f"{value.shape[0]} products from {evidence.evaluations} gradients"
            if signal
            else "differences of the gradient show no curvature above their noise"
        ),
        steps=(float(np.max(evidence.steps)), float(np.min(evidence.steps))),
    )


def asymmetry(Hu: Array, u: Array, Hv: Array, v: Array, noise: Array) -> tuple[float, float, float]:
    """Return |⟨Hu, v⟩ - ⟨u, Hv⟩|, the unit of its round-off, and the size of its terms.

    The size is Σ|(Hu)_j v_j| + Σ|u_j (Hv)_j|, the unit ε times that and Σ ν_j (|u_j| + |v_j|) with
    the measured noise ν of the gradient: products inherit it where the gradient cancels, as in the
    flux between nodes of nearly equal temperature. Sums are taken in extended precision.
    """
    left = np.asarray(Hu, dtype=np.longdouble) * v
    right = np.asarray(Hv, dtype=np.longdouble) * u
    size = float(np.sum(np.abs(left)) + np.sum(np.abs(right)))
    unit = EPSILON * size + float(np.sum(noise * (np.abs(u) + np.abs(v))))
    with np.errstate(invalid="ignore"):
        return float(abs(np.sum(left) - np.sum(right))), unit, size


def symmetry(products: Mapping[str, Array], evidence: Evidence) -> CheckResult:
    """Test ⟨Hu, v⟩ = ⟨u, Hv⟩ for every pair of directions and every route."""
    rows, noise = evidence.directions, evidence.level
    pairs = list(combinations(range(len(rows)), 2))
    found = {
        route: np.array([asymmetry(H[i], rows[i], H[j], rows[j], noise) for i, j in pairs])
        for route, H in products.items()
        if pairs
    }
    eta = {route: _eta(f[:, 0], f[:, 1]) for route, f in found.items()}
    value = max(eta.values(), default=float("nan"))
    verdict = judge(value, PASS_ETA, FAIL_ETA)
    reason = {Verdict.FAIL: Reason.MISMATCH, Verdict.INCONCLUSIVE: Reason.BORDERLINE}.get(verdict)
    blind = [r for r, f in found.items() if not np.any(f[:, 2] > SIGNAL * f[:, 1])]
    if not found:
        verdict, reason = Verdict.INCONCLUSIVE, Reason.NOTHING
    elif verdict is Verdict.PASS and blind:
        verdict, reason = Verdict.INCONCLUSIVE, Reason.NO_SIGNAL
    limit = FAIL_ETA if verdict is Verdict.FAIL else PASS_ETA
    guilty = [r for r, e in eta.items() if not e <= limit]
    every = np.concatenate(list(found.values())) if found else np.zeros((0, 3))
    seen = every[np.isfinite(every[:, 0]) & (every[:, 2] > 0)]
    return CheckResult(
        check="hessian",
        point="",
        objective="",
        subject=", ".join(guilty or (blind if reason is Reason.NO_SIGNAL else products)),
        verdict=verdict,
        primary=False,
        statistic="max η",
        value=float(value),
        pass_limit=PASS_ETA,
        fail_limit=FAIL_ETA,
        bound=float(np.max(seen[:, 0] / seen[:, 2])) if seen.size else None,
        detectable=float(PASS_ETA * np.max(seen[:, 1] / seen[:, 2])) if seen.size else None,
        reason=reason,
        evaluations=len(rows) * len(products),
        message=f"symmetry over {len(pairs)} pairs of directions",
    )


def _eta(difference: Array, unit: Array) -> float:
    """Largest difference in its units; 0/0 = 0, and infinite where it is not a number."""
    with np.errstate(invalid="ignore", divide="ignore"):
        eta = np.where(difference == 0, 0.0, difference / unit)
    return float(np.max(np.where(np.isnan(eta), np.inf, eta)))


def rate(
    products: Mapping[str, Array], evidence: Evidence, *, tolerance: float = TOLERANCE
) -> CheckResult:
    """Test that the gradient's odd remainder falls with the third power of the step.

    PASS iff every rate lies within 3 ± 0.1; where the remainder is noise (the gradient is linear
    along v) there is no rate, and the bound that the noise leaves is judged instead. FAIL iff a
    rate is off and the linear error that explains it exceeds ``tolerance`` ‖H‖ by more than its
    uncertainty and the claim's own round-off.
    """
    norm = evidence.norm
    allowed = tolerance * norm
    certain = 1.0 if evidence.has_signal else SIGNAL
    own = PASS_ETA * float(np.linalg.norm(evidence.level))
    found = {
        route: [remainder(evidence, i, Hv) for i, Hv in enumerate(H)]
        for route, H in products.items()
    }
    verdicts = {
        route: [
            _judge(r, allowed, own, certain) if np.all(np.isfinite(Hv)) else Verdict.FAIL
            for r, Hv in zip(found[route], H, strict=True)
        ]
        for route, H in products.items()
    }
    order = (Verdict.FAIL, Verdict.INCONCLUSIVE, Verdict.PASS)
    flat = [v for each in verdicts.values() for v in each]
    verdict = next((v for v in order if v in flat), Verdict.INCONCLUSIVE)
    rates = np.array([r.rate for rows in found.values() for r in rows])
    rated = ~np.isnan(rates)
    reason: Reason | None = None
    if verdict is Verdict.FAIL:
        reason = Reason.RATE
    elif not evidence.has_signal:
        verdict, reason = Verdict.INCONCLUSIVE, Reason.NO_SIGNAL
    elif verdict is Verdict.INCONCLUSIVE:
        reason = Reason.BORDERLINE if np.all(rated) else Reason.NOISE
    guilty = [r for r, v in verdicts.items() if verdict is not Verdict.PASS and verdict in v]
    windows = [r.window for rows in found.values() for r in rows if r.window]
    errors = [r.error for rows in found.values() for r in rows]
    return CheckResult(
        check="hessian",
        point="",
        objective="",
        subject=", ".join(guilty or products),
        verdict=verdict,
        primary=False,
        statistic=f"max |rate - {ORDER:g}|",
        value=farthest(rates),
        pass_limit=WIDTH,
        fail_limit=WIDTH,
        bound=float(max(errors) / norm) if norm > 0 and errors else None,
        reason=reason,
        evaluations=evidence.evaluations,
        message=_describe(rates),
        steps=(max(w[0] for w in windows), min(w[1] for w in windows)) if windows else (),
    )


def _judge(found: Remainder, allowed: float, own: float, certain: float) -> Verdict:
    if np.isnan(found.rate):
        return Verdict.PASS if found.error <= allowed else Verdict.INCONCLUSIVE
    if abs(found.rate - ORDER) <= WIDTH:
        return Verdict.PASS
    wrong = found.linear - certain * found.linear_uncertainty - own > allowed
    return Verdict.FAIL if wrong else Verdict.INCONCLUSIVE


def _describe(rates: Array) -> str:
    seen = rates[~np.isnan(rates)]
    if not seen.size:
        return "the gradient's remainder is limited by noise: a bound, no rate"
    limited = rates.size - seen.size
    text = f"rates of the gradient's remainder: {seen.min():.3f} to {seen.max():.3f}"
    return text + (f"; {limited} limited by noise, without a rate" if limited else "")


def hessian(
    products: Mapping[str, Product],
    slope: Slope,
    directions: Array,
    *,
    point: str,
    objective: str,
    seed: int | None = None,
    names: Sequence[str] = (),
    reach: Array | None = None,
    tolerance: float = TOLERANCE,
) -> tuple[CheckResult, ...]:
    """Check products with the Hessian: by differences of the gradient, symmetry and Taylor rate.

    Parameters
    ----------
    products : mapping
        Route to a callable from a direction (n,) to the product (n,), scaled.
    slope : callable
        From an offset (n,) in units of the scales to the scaled gradient (n,) there.
    directions : (m, n) array
        Signed Gaussian directions of unit variance, drawn from ``seed``.
    point, objective : str
        Where, for the results.
    names : sequence of str, optional
        Parameter of every component, to be named where one is wrong.
    reach : (n,) array, optional
        How far each number may be moved, in units of its scale, at most 1.
    tolerance : float
        Largest certified error, in units of ‖H‖.
    """
    evidence = differences(slope, directions, reach)
    claims = {
        route: np.stack([product(v) for v in directions]) for route, product in products.items()
    }
    return confirm(
        claims,
        evidence,
        point=point,
        objective=objective,
        seed=seed,
        names=names,
        tolerance=tolerance,
    )


def confirm(
    claims: Mapping[str, Array],
    evidence: Evidence,
    *,
    point: str,
    objective: str,
    seed: int | None = None,
    names: Sequence[str] = (),
    tolerance: float = TOLERANCE,
) -> tuple[CheckResult, ...]:
    """Judge products (m, n) that are there already, in the order of the evidence's directions."""
    if not claims:
        raise ValueError("no products were given; there is nothing to judge")
    results = (
        agreement(claims, evidence, names=names, tolerance=tolerance),
        symmetry(claims, evidence),
        rate(claims, evidence, tolerance=tolerance),
    )
    return tuple(replace(r, point=point, objective=objective, seed=seed) for r in results)
