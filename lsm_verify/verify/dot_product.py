"""The dot-product test: the adjoint must be the transpose of the tangent-linear model.

η = |⟨Ax, y⟩ - ⟨x, Aᵀy⟩| / (ε (Σ|(Ax)_i y_i| + Σ|x_i (Aᵀy)_i|)) over random x and y, whatever
their size; products and sums are taken in extended precision. Where conduction is observed, Ax is a
difference of temperatures that may cancel: |Ax|_i counts as what was added up for it, Σ|∂y_i/∂T|
|δT|, or thin layers of high conductivity would show their round-off as an error of the transpose.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from lsm_verify.inputs import Inputs, probe_weights
from lsm_verify.routes.oracle import (
    forward_product,
    step_terms,
    tangent_states,
    trajectory,
    transposed_product,
)
from lsm_verify.verify.directions import DIRECTIONS, random_directions
from lsm_verify.verify.residuals import canonical
from lsm_verify.verify.result import CheckResult, Reason, Verdict, judge
from lsm_verify.verify.sensitivity import observe
from lsm_verify.verify.target import of_inputs, unflatten

PASS_ETA, FAIL_ETA = 16.0, 64.0
"""Limits of η over a whole run, from a prototype: clean runs gave 2 as a rule and 17 at worst. The
cases of this package stay below 1."""

REDRAWS = 2
"""How often new directions are drawn when η falls between the limits."""

EPSILON = float(np.finfo(np.float64).eps)


def dot_product(inputs: Inputs, *, point: str, seed: int) -> CheckResult:
    """Test tangent against adjoint over the whole run, along 8 scaled random directions."""
    eta, evaluations, draw, shares = np.inf, 0, 0, {}
    target = of_inputs(inputs)
    for draw in range(REDRAWS + 1):
        directions = random_directions(target, DIRECTIONS, seed + 1000 * draw)
        products = [
            product(inputs, unflatten(inputs, x), probe_weights(inputs, seed + 1000 * draw + i))
            for i, x in enumerate(directions)
        ]
        evaluations += 2 * DIRECTIONS
        eta = float(np.max([p.eta for p in products]))
        shares = {n: float(np.max([p.shares[n] for p in products])) for n in inputs.wrt}
        if judge(eta, PASS_ETA, FAIL_ETA) is not Verdict.INCONCLUSIVE:
            break
    verdict = judge(eta, PASS_ETA, FAIL_ETA)
    reason = {Verdict.FAIL: Reason.MISMATCH, Verdict.INCONCLUSIVE: Reason.BORDERLINE}.get(verdict)
    if not any(share > 0 for share in shares.values()) and np.isfinite(eta):
        verdict, reason = Verdict.INCONCLUSIVE, Reason.NOTHING
    weakest = min(shares, key=lambda name: shares[name])
    return CheckResult(
        check="dot-product",
        point=point,
        objective="",
        subject="tangent, adjoint",
        verdict=verdict,
        primary=False,
        statistic="max η",
        value=eta,
        pass_limit=PASS_ETA,
        fail_limit=FAIL_ETA,
        bound=eta * EPSILON,
        detectable=PASS_ETA * EPSILON,
        reason=reason,
        evaluations=evaluations,
        seed=seed + 1000 * draw,
        message=(
            f"{DIRECTIONS} directions; least share of the product: {weakest} {shares[weakest]:.0e}"
        ),
    )


STEP_PASS_ETA, STEP_FAIL_ETA = 4.0, 16.0
"""Limits of η of a single step."""


def step_products(inputs: Inputs, *, point: str, seed: int) -> CheckResult:
    """Test tangent against adjoint step by step: an error in one step does not drown in others."""
    rng = np.random.default_rng([seed, 2])
    etas = np.array([eta_of(left, right) for left, right in step_terms(inputs, rng)])
    worst = int(np.argmax(etas))
    eta = float(etas[worst])
    verdict = judge(eta, STEP_PASS_ETA, STEP_FAIL_ETA)
    reason = {Verdict.FAIL: Reason.MISMATCH, Verdict.INCONCLUSIVE: Reason.BORDERLINE}.get(verdict)
    return CheckResult(
        check="dot-product per step",
        point=point,
        objective="",
        subject="tangent, adjoint",
        verdict=verdict,
        primary=False,
        statistic="max η",
        value=eta,
        pass_limit=STEP_PASS_ETA,
        fail_limit=STEP_FAIL_ETA,
        bound=eta * EPSILON,
        detectable=STEP_PASS_ETA * EPSILON,
        reason=reason,
        evaluations=2 * etas.size,
        seed=seed,
        message=(
            f"{int(np.sum(etas > STEP_PASS_ETA))} of {etas.size} steps beyond the limit; "
            f"largest at step {worst}"
        ),
    )


def eta_of(left: np.ndarray, right: np.ndarray, size: float = 0.0) -> float:
    """η of the terms of ⟨Ax, y⟩ and ⟨x, Aᵀy⟩; infinite where one is not a number, 0/0 = 0.

    ``size`` is what the terms themselves were added up from and does not show in them.
    """
    size = size + np.sum(np.abs(left)) + np.sum(np.abs(right))
    with np.errstate(invalid="ignore"):
        eta = 0.0 if size == 0 else float(abs(np.sum(left) - np.sum(right)) / (EPSILON * size))
    return eta if np.isfinite(eta) else float("inf")


class Product(NamedTuple):
    """One pair of vectors: η, and the share of every parameter in Σ|x_i (Aᵀy)_i|."""

    eta: float
    shares: dict[str, float]


def product(inputs: Inputs, x: dict[str, np.ndarray], y: np.ndarray) -> Product:
    """Compare ⟨Ax, y⟩ with ⟨x, Aᵀy⟩; η is infinite where a product is not a number."""
    aty = transposed_product(inputs, y)
    left = np.asarray(forward_product(inputs, x), dtype=np.longdouble) * y
    right = {name: np.asarray(x[name], dtype=np.longdouble) * aty[name] for name in inputs.wrt}
    sizes = {name: float(np.sum(np.abs(part))) for name, part in right.items()}
    total = sum(sizes.values())
    shares = {name: value / total if total > 0 else 0.0 for name, value in sizes.items()}
    terms = np.concatenate([np.ravel(part) for part in right.values()])
    cancelled = float(np.sum(added_up(inputs, x) * np.abs(y)))
    return Product(eta_of(np.ravel(left), terms, cancelled), shares)


def added_up(inputs: Inputs, x: dict[str, np.ndarray]) -> np.ndarray:
    """Σ|∂y_i/∂T||δT| (series, steps + 1) of observed conduction along x, zero of other series."""
    conduction = np.array([series.kind == "soil_heat_flux" for series in inputs.series])
    if not np.any(conduction):
        return np.zeros((conduction.size, inputs.steps + 1))
    _, slopes = observe(inputs, canonical(inputs), trajectory(inputs))
    sizes = (np.abs(slopes) * np.abs(tangent_states([inputs], x)[0])).sum(axis=2)
    return np.asarray(np.where(conduction[:, None], sizes, 0.0), dtype=np.float64)
