"""What is observed, and the gradient that adjoint states imply, stated a third time in numpy.

The evidence of `lsm_verify.verify.localise` after the states: predictions, their direct part in
the adjoint, and the sums over steps that make a gradient. Equation numbers are those of
``reference/derivation.md``.
"""

from __future__ import annotations

import numpy as np

from lsm_verify.inputs import Inputs, Objective
from lsm_verify.verify.residuals import SIGMA, Array, Column, canonical

Gradient = dict[str, Array]


def observe(inputs: Inputs, c: Column, T: Array) -> tuple[Array, Array]:
    """Predictions (series, S + 1), (12) to (15), and their slopes by T (series, S + 1, N + 1)."""
    T = T.astype(np.longdouble)
    values, slopes = [], []
    for series in inputs.series:
        slope = np.zeros(T.shape, dtype=np.longdouble)
        x = T[:, 0]
        if series.kind == "soil_temperature":
            slope[:] = _weights(inputs, series.depth, midpoints=False)
            y = (slope * T).sum(axis=1)
        elif series.kind == "soil_heat_flux":
            each = _weights(inputs, series.depth, midpoints=True) * c.g
            slope[:, :-1] += each
            slope[:, 1:] -= each
            y = -(each * np.diff(T, axis=1)).sum(axis=1)
        elif series.kind == "longwave_up":
            slope[:, 0] = 4 * c.emissivity * SIGMA * x**3
            y = c.emissivity * SIGMA * x**4
        else:
            slope[1:, 0] = c.H
            y = np.concatenate([[np.longdouble(0)], c.H * (x[1:] - c.Tair)])
        values.append(y)
        slopes.append(slope)
    return np.stack(values), np.stack(slopes)


def _weights(inputs: Inputs, depth: float, *, midpoints: bool) -> Array:
    """Weights of linear interpolation between nodes, or between the middles of interfaces."""
    z = np.concatenate([[0.0], np.cumsum(inputs.spacing)])
    points = (z[:-1] + z[1:]) / 2 if midpoints else z
    return np.array([np.interp(depth, points, unit) for unit in np.eye(points.size)])


def score(inputs: Inputs, objective: Objective, y: Array) -> tuple[float, Array]:
    """Objective of predictions y and its slope ∂J/∂y, equation (16)."""
    w = objective.weights
    if w is None:
        w = np.stack([np.broadcast_to(s.weights, s.values.shape) for s in inputs.series])
    if objective.kind == "probe":
        return float((w * y).sum()), w.astype(np.longdouble)
    r = y - np.stack([s.values for s in inputs.series])
    scale = 1 / np.longdouble(w.sum()) if objective.kind == "mean-square" else np.longdouble(0.5)
    return float(scale * (w * r * r).sum()), 2 * scale * w * r


def adjoint_states(c: Column, T: Array, direct: Array) -> tuple[Array, Array]:
    """Solve (22) and (23): Λ (K, S + 1, N + 1) and μ (K, S, N + 1) from the W of K objectives.

    LAPACK's factorisation L D Lᵀ of the symmetric tridiagonal matrix solves the steps.
    """
    from scipy.linalg.lapack import dptsv

    s = c.storage.astype(np.float64)
    diagonal, beside = _matrix(c, T)
    total = direct.astype(np.float64)
    mu = np.zeros((direct.shape[0], *s.shape))
    rows = diagonal.shape[1]
    for n in range(s.shape[0] - 1, -1, -1):
        mu[:, n, :rows] = dptsv(diagonal[n], beside, total[:, n + 1, :rows].T)[2].T
        total[:, n] += s[n] * mu[:, n]
    return total, mu


def transposed_step(c: Column, T: Array, total: Array, n: int) -> Array:
    """Solve (23) for μ (N + 1,) of step n from given Λ of the new state."""
    from scipy.linalg.lapack import dptsv

    diagonal, beside = _matrix(c, T)
    rows = diagonal.shape[1]
    mu = dptsv(diagonal[n], beside, total[n + 1, :rows].astype(np.float64))[2]
    return np.concatenate([mu, np.zeros(c.volume.size - rows)])


def _matrix(c: Column, T: Array) -> tuple[Array, Array]:
    """Diagonals (S, rows) of (17) and (18), and what is beside them (rows - 1,)."""
    rows = c.volume.size if c.insulated else c.volume.size - 1
    diagonal = c.storage[:, :rows] + np.pad(c.g, (0, 1))[:rows] + np.pad(c.g, (1, 0))[:rows]
    diagonal[:, 0] += c.H + 4 * c.emissivity * SIGMA * T[1:, 0].astype(np.longdouble) ** 3
    return diagonal.astype(np.float64), -c.g[: rows - 1].astype(np.float64)


def contributions(
    inputs: Inputs, c: Column, T: Array, total: Array, mu: Array, slope: Array
) -> tuple[Gradient, Gradient]:
    """Split the gradient: what every step adds, (25) and (26), what is observed directly, (27).

    By canonical quantity: (S,) for those with a value per step, (S, N) for the conductivity,
    (S, N + 1) for the heat capacity, (S,) for the emissivity; the initial temperature is direct.
    """
    T = T.astype(np.longdouble)
    new, old, top = T[1:], T[:-1], mu[:, 0]
    x = new[:, 0]
    steps = {
        "albedo": -top * c.SWdown,
        "SWdown": top * (1 - c.albedo),
        "LWdown": top,
        "emissivity": -top * SIGMA * x**4,
        "turbulent_transfer_coefficient": -top * (x - c.Tair),
        "Tair": top * c.H,
        "thermal_conductivity": -np.diff(mu, axis=1) * np.diff(new, axis=1) / c.spacing,
        "volumetric_heat_capacity": -mu * (new - old) * c.volume / c.time_step[:, None],
        "bottom_temperature": np.zeros_like(top),
    }
    if not c.insulated:
        steps["bottom_temperature"] = total[1:, -1] + c.g[-1] * mu[:, -2]
    seen: Gradient = {name: np.zeros_like(part) for name, part in steps.items()}
    seen["initial_temperature"] = total[0]
    gradient = -np.diff(T, axis=1) / c.spacing
    for k, series in enumerate(inputs.series):
        q = slope[k]
        if series.kind == "soil_heat_flux":
            each = _weights(inputs, series.depth, midpoints=True) * gradient * q[:, None]
            seen["thermal_conductivity"] += each[1:]
            seen["thermal_conductivity"][0] += each[0]
        elif series.kind == "longwave_up":
            each = SIGMA * T[:, 0] ** 4 * q
            seen["emissivity"] += each[1:]
            seen["emissivity"][0] += each[0]
        elif series.kind == "turbulent_flux":
            seen["turbulent_transfer_coefficient"] += (x - c.Tair) * q[1:]
            seen["Tair"] += -c.H * q[1:]
    return steps, seen


def pull_back(inputs: Inputs, steps: Gradient, seen: Gradient) -> Gradient:
    """Gradient by every name in ``wrt`` in the form in which it was given, equation (31)."""
    summed = ("emissivity", "thermal_conductivity", "volumetric_heat_capacity")
    bar = {name: seen[name] + steps.get(name, 0) for name in seen}
    bar = {name: b.sum(axis=0) if name in summed else b for name, b in bar.items()}
    if "initial_temperature" not in inputs.parameters:
        bar["bottom_temperature"][0] += bar["initial_temperature"].sum()
    if "bowen_ratio" in inputs.parameters:
        h, beta = (
            inputs.expanded(name).astype(np.longdouble)
            for name in ("heat_transfer_coefficient", "bowen_ratio")
        )
        H = bar["turbulent_transfer_coefficient"]
        bar["heat_transfer_coefficient"] = (1 + 1 / beta) * H
        bar["bowen_ratio"] = -h / beta**2 * H
    result = {}
    for name in inputs.wrt:
        if name in inputs.knots:
            ends, times = np.cumsum(inputs.time_step), inputs.knots[name]
            hats = np.stack([np.interp(ends, times, unit) for unit in np.eye(times.size)])
            result[name] = hats @ bar[name]
        else:
            result[name] = bar[name] if inputs.parameters[name].ndim else bar[name].sum()
    return {name: np.asarray(value, dtype=np.float64) for name, value in result.items()}


def gradients(
    inputs: Inputs, T: Array, *, of: Column | None = None, observed_only: bool = False
) -> list[tuple[float, Gradient]]:
    """Value and gradient of every objective, by these equations alone about given temperatures.

    ``of`` replaces the column in (25) to (27), not in the adjoint states: an error to recognise.
    ``observed_only`` leaves out what the steps add, (25) and (26).
    """
    c = canonical(inputs)
    y, slopes = observe(inputs, c, T)
    scored = [score(inputs, objective, y) for objective in inputs.objectives]
    direct = np.stack([(slope[..., None] * slopes).sum(axis=0) for _, slope in scored])
    result = []
    for (value, slope), total, mu in zip(scored, *adjoint_states(c, T, direct), strict=True):
        steps, seen = contributions(inputs, of or c, T, total, mu, slope)
        result.append((value, pull_back(inputs, {} if observed_only else steps, seen)))
    return result
