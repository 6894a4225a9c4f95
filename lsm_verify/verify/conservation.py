"""Energy conservation: what enters the column is what it stores, each step and over the run.

Equation (32) of the derivation, evaluated from temperatures alone: it does not matter how a model
found them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lsm_verify.grid import Grid
from lsm_verify.inputs import Inputs
from lsm_verify.quantities import STEFAN_BOLTZMANN
from lsm_verify.verify.evidence import MOST_STEPS, EnergyCurve, edges, reduced, rounded
from lsm_verify.verify.result import CheckResult, Reason, judge

LIMIT = 8.0
"""Residual allowed, in units of ε times the sum of the magnitudes of all terms of the step."""

NODES = 80
"""Interfaces from which the limit grows in proportion: the back-substitution rounds once per node
and the errors add up. Measured on hard draws of the oracle: 5.7 at 40, 7.6 at 100, 31 at 400."""

EPSILON = float(np.finfo(np.float64).eps)

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Budget:
    """Energy budget of every step, as fluxes.

    ``residual`` (steps,) [W m-2]: surface flux in + bottom flux in - storage change per time.
    ``size`` (steps,) [W m-2]: sum of the magnitudes of the terms that the scheme adds up.
    ``total`` and ``total_size`` [J m-2]: the same over the run.
    """

    residual: Array
    size: Array
    total: float
    total_size: float


def budget(inputs: Inputs, T: Array) -> Budget:
    """Evaluate the budget of a run.

    Parameters
    ----------
    inputs : Inputs
        What the run was made from.
    T : (steps + 1, nodes) array
        Temperatures [K], index 0 at the surface.
    """
    p = {name: np.asarray(inputs.expanded(name), dtype=np.longdouble) for name in inputs.parameters}
    T = np.asarray(T, dtype=np.longdouble)
    dz, dt = inputs.spacing, inputs.time_step
    volume = Grid(dz).volumes
    if "turbulent_transfer_coefficient" in p:
        H = p["turbulent_transfer_coefficient"]
    else:
        H = p["heat_transfer_coefficient"] * (1 + 1 / p["bowen_ratio"])
    surface = T[1:, 0]
    incoming = [
        (1 - p["albedo"]) * p["SWdown"],
        p["LWdown"],
        -p["emissivity"] * STEFAN_BOLTZMANN * surface**4,
        -H * surface,
        H * p["Tair"],
    ]
    g = np.broadcast_to(p["thermal_conductivity"], dz.shape) / dz
    last = dz.size + 1 if inputs.insulated else dz.size
    heat = (p["volumetric_heat_capacity"] * volume)[:last] / dt[:, None]
    stored = heat * (T[1:, :last] - T[:-1, :last])
    residual = sum(incoming) - stored.sum(axis=1)
    if not inputs.insulated:
        residual = residual + g[-1] * (T[1:, -1] - T[1:, -2])
    size = sum(np.abs(term) for term in incoming)
    size = size + (heat * (np.abs(T[1:, :last]) + np.abs(T[:-1, :last]))).sum(axis=1)
    if not inputs.insulated:
        size = size + g[-1] * (np.abs(T[1:, -1]) + np.abs(T[1:, -2]))
    return Budget(
        residual=np.asarray(residual, dtype=np.float64),
        size=np.asarray(size, dtype=np.float64),
        total=float((residual * dt).sum()),
        total_size=float((size * dt).sum()),
    )


def curve(inputs: Inputs, found: Budget, *, point: str, model: str) -> EnergyCurve:
    """Keep a budget for figures."""
    ratio = found.residual / (EPSILON * found.size)
    return EnergyCurve(
        point=point,
        model=model,
        steps=tuple(edges(ratio.size, MOST_STEPS).tolist()),
        ratio=tuple(rounded(reduced(ratio, MOST_STEPS))),
        limit=limit(inputs),
        residual=float(np.mean(np.abs(found.residual))),
    )


def limit(inputs: Inputs) -> float:
    """Residual allowed for a column, in units of ε Σ|terms|."""
    return LIMIT * max(1.0, inputs.spacing.size / NODES)


def closure(inputs: Inputs, T: Array, *, point: str, subject: str) -> CheckResult:
    """Judge whether the budget closes to round-off, each step and over the run."""
    return judged(inputs, budget(inputs, T), point=point, subject=subject)


def judged(inputs: Inputs, found: Budget, *, point: str, subject: str) -> CheckResult:
    """Judge a budget."""
    ratios = np.abs(found.residual) / (EPSILON * found.size)
    worst = max(float(np.max(ratios)), abs(found.total) / (EPSILON * found.total_size))
    worst = worst if np.isfinite(worst) else np.inf
    allowed = limit(inputs)
    verdict = judge(worst, allowed, allowed)
    step = int(np.argmax(ratios))
    mean = float(np.mean(np.abs(found.residual)))
    return CheckResult(
        check="energy closure",
        point=point,
        objective="",
        subject=subject,
        verdict=verdict,
        primary=False,
        statistic="residual/ε Σ|terms|",
        value=worst,
        pass_limit=allowed,
        fail_limit=allowed,
        bound=worst * EPSILON,
        detectable=allowed * EPSILON,
        reason=None if worst <= allowed else Reason.NOT_CONSERVED,
        evaluations=1,
        message=(
            f"model {subject}: mean |residual| {mean:.1e} W m-2 per step, largest at step {step}"
        ),
    )
