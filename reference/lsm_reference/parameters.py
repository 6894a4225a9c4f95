"""From public parameters to canonical columns: expansion, its tangent and its transpose.

Equations (29) to (31) of ``reference/derivation.md``. Works on float64, complex128 and object
(mpmath) arrays alike.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from lsm_reference.problem import (
    OBSERVATION_KINDS,
    SOIL_HEAT_FLUX,
    SOIL_TEMPERATURE,
    Column,
    Problem,
    Sight,
)

PER_STEP = {
    "albedo": "alpha",
    "turbulent_transfer_coefficient": "H",
    "bottom_temperature": "Tb",
    "SWdown": "SW",
    "LWdown": "LW",
    "Tair": "Ta",
}
"""Public name to `Column` field, for quantities that are copied to every step."""

Values = Mapping[str, Any]


def hats(problem: Problem, name: str) -> Any:
    """Weights (S, knots) of piecewise-linear knots at the end of every step, equation (29b)."""
    times = problem.knots[name]
    ends = np.clip(np.cumsum(problem.time_step), times[0], times[-1])
    weights = np.zeros((ends.size, times.size), dtype=ends.dtype)
    if times.size == 1:
        return weights + 1
    k = np.minimum(np.searchsorted(times, ends, side="right") - 1, times.size - 2)
    f = (ends - times[k]) / (times[k + 1] - times[k])
    n = np.arange(ends.size)
    weights[n, k] = 1 - f
    weights[n, k + 1] = f
    return weights


def spread(problem: Problem, name: str, value: Any, count: int) -> Any:
    """One number, knots or a full array, brought to ``count`` values, equation (29a, b)."""
    value = np.asarray(value)
    if name in problem.knots:
        return hats(problem, name).dot(value)
    if value.ndim == 0:
        return np.full(count, value[()], dtype=value.dtype)
    return value


def gather(problem: Problem, name: str, value: Any, bar: Any) -> Any:
    """Transpose of `spread`: the gradient in the shape in which the parameter was given, (31)."""
    if name in problem.knots:
        return hats(problem, name).T.dot(bar)
    return np.sum(bar) if np.ndim(value) == 0 else bar


def expand(problem: Problem, values: Values) -> Column:
    """Canonical column of public ``values``, equation (29)."""
    N, S = problem.spacing.size, problem.time_step.size

    def steps(name: str) -> Any:
        return spread(problem, name, values[name], S)

    if "turbulent_transfer_coefficient" in values:
        H = steps("turbulent_transfer_coefficient")
    else:
        H = steps("heat_transfer_coefficient") * (1 + 1 / steps("bowen_ratio"))
    return _column(
        problem,
        values,
        H,
        spread(problem, "thermal_conductivity", values["thermal_conductivity"], N),
    )


def expand_tangent(problem: Problem, values: Values, change: Values) -> Column:
    """Change of the canonical column along a ``change`` of every public value, equation (30)."""
    N, S = problem.spacing.size, problem.time_step.size
    if "turbulent_transfer_coefficient" in values:
        dH = spread(
            problem, "turbulent_transfer_coefficient", change["turbulent_transfer_coefficient"], S
        )
    else:
        h, beta = (
            spread(problem, name, values[name], S)
            for name in ("heat_transfer_coefficient", "bowen_ratio")
        )
        dh, dbeta = (
            spread(problem, name, change[name], S)
            for name in ("heat_transfer_coefficient", "bowen_ratio")
        )
        dH = (1 + 1 / beta) * dh - h / beta**2 * dbeta
    return _column(
        problem,
        change,
        dH,
        spread(problem, "thermal_conductivity", change["thermal_conductivity"], N),
    )


def _column(problem: Problem, values: Values, H: Any, lam: Any) -> Column:
    """Expand what is linear, hence common to values and their change."""
    N, S = problem.spacing.size, problem.time_step.size
    steps = {
        field: spread(problem, name, values[name], S)
        for name, field in PER_STEP.items()
        if name in values
    }
    steps["H"] = H
    if problem.insulated and "Tb" not in steps:
        steps["Tb"] = 0 * H
    tied = "initial_temperature" not in values
    T0 = steps["Tb"][0] if tied else values["initial_temperature"]
    return Column(
        dz=problem.spacing,
        dt=problem.time_step,
        lam=lam,
        C=spread(problem, "volumetric_heat_capacity", values["volumetric_heat_capacity"], N + 1),
        T0=spread(problem, "initial_temperature", T0, N + 1),
        eps=np.asarray(values["emissivity"])[()],
        insulated=problem.insulated,
        **steps,
    )


def pull_back(problem: Problem, values: Values, bar: Column) -> dict[str, Any]:
    """Gradient by every public value, from the gradient ``bar`` by canonical quantity, (31)."""
    Tb = np.array(bar.Tb)
    if "initial_temperature" not in values:
        Tb[0] += np.sum(bar.T0)
    canonical = {name: getattr(bar, field) for name, field in PER_STEP.items()}
    canonical |= {
        "bottom_temperature": Tb,
        "thermal_conductivity": bar.lam,
        "volumetric_heat_capacity": bar.C,
        "initial_temperature": bar.T0,
        "emissivity": bar.eps,
    }
    if "turbulent_transfer_coefficient" not in values:
        S = problem.time_step.size
        h, beta = (
            spread(problem, name, values[name], S)
            for name in ("heat_transfer_coefficient", "bowen_ratio")
        )
        canonical["heat_transfer_coefficient"] = (1 + 1 / beta) * bar.H
        canonical["bowen_ratio"] = -h / beta**2 * bar.H
    return {name: gather(problem, name, values[name], canonical[name]) for name in values}


def pull_back_tangent(
    problem: Problem, values: Values, change: Values, bar: Column, change_of_bar: Column
) -> dict[str, Any]:
    """Change of `pull_back` where values and ``bar`` change, equation (39).

    ``change`` holds a change of every public value. All but h and β is linear in ``bar`` with
    factors that do not depend on values: there `pull_back` of the change is the change.
    """
    result = pull_back(problem, values, change_of_bar)
    if "turbulent_transfer_coefficient" not in values:
        names = ("heat_transfer_coefficient", "bowen_ratio")
        S = problem.time_step.size
        h, beta = (spread(problem, name, values[name], S) for name in names)
        dh, dbeta = (spread(problem, name, change[name], S) for name in names)
        moved = (-dbeta / beta**2 * bar.H, (2 * h * dbeta / beta - dh) / beta**2 * bar.H)
        for name, more in zip(names, moved, strict=True):
            result[name] = result[name] + gather(problem, name, values[name], more)
    return result


def look(problem: Problem) -> Sight:
    """Nodes and weights at which the series read the column; weights from the series."""
    z = np.concatenate([[0.0], np.cumsum(problem.spacing)])
    middle = (z[:-1] + z[1:]) / 2
    kinds, index, fraction = [], [], []
    for series in problem.series:
        kind = OBSERVATION_KINDS[series.kind]
        points = {SOIL_TEMPERATURE: z, SOIL_HEAT_FLUX: middle}.get(kind)
        j, f = 0, 0.0
        if points is not None and points.size > 1:
            j = int(np.searchsorted(points, series.depth, side="right")) - 1
            j = min(max(j, 0), points.size - 2)
            f = (series.depth - points[j]) / (points[j + 1] - points[j])
        kinds.append(kind)
        index.append(j)
        fraction.append(f)
    return Sight(
        kind=np.array(kinds),
        index=np.array(index),
        fraction=np.array(fraction),
        values=np.array([series.values for series in problem.series]),
        weights=np.array([series.weights for series in problem.series]),
    )
