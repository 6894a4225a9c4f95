"""From the package's inputs to what kernels take, and back: plain, one column at a time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from lsm_reference import evaluate as oracle
from lsm_verify.inputs import Inputs, probe_weights
from lsm_verify.inputs import Objective as InputObjective
from lsm_verify.kernels import cpu
from lsm_verify.kernels.columns import (
    OBSERVATION_KINDS,
    SOIL_HEAT_FLUX,
    SOIL_TEMPERATURE,
    Columns,
    Objective,
    Sight,
)
from lsm_verify.routes import ROUTES
from lsm_verify.routes.oracle import to_problem
from lsm_verify.routes.route import Route
from lsm_verify.verify.agreement import pair_z, value_z
from lsm_verify.verify.target import norm_of, of_inputs, sample

PUBLIC = {
    "thermal_conductivity": "lam",
    "volumetric_heat_capacity": "C",
    "albedo": "albedo",
    "bottom_temperature": "Tb",
    "SWdown": "SWdown",
    "LWdown": "LWdown",
    "Tair": "Tair",
    "initial_temperature": "T0",
    "emissivity": "emissivity",
    "turbulent_transfer_coefficient": "H",
}


def row(value: Any) -> np.ndarray:
    return np.atleast_1d(np.asarray(value, dtype=np.float64))


def transfer(inputs: Inputs) -> np.ndarray:
    """H = h(1 + 1/β), in the shorter of the forms that hold it."""
    if "turbulent_transfer_coefficient" in inputs.parameters:
        return row(inputs.expanded("turbulent_transfer_coefficient"))
    h, beta = (inputs.expanded(name) for name in ("heat_transfer_coefficient", "bowen_ratio"))
    return row(h * (1 + 1 / beta))


def fields(inputs: Inputs) -> dict[str, np.ndarray]:
    """Canonical quantities (n or 1,) of one column."""
    given = {
        PUBLIC[name]: row(inputs.expanded(name)) for name in inputs.parameters if name in PUBLIC
    }
    given["H"] = transfer(inputs)
    if "Tb" not in given:
        given["Tb"] = np.full(1, np.nan)  # insulated: nobody may read it
    if "T0" not in given:
        given["T0"] = given["Tb"][:1]
    return {"spacing": inputs.spacing, "time_step": inputs.time_step, **given}


def stack(rows: Sequence[np.ndarray], dtype: Any) -> np.ndarray:
    """One row where all are the same, so that sharing is tested too."""
    if all(np.array_equal(rows[0], r, equal_nan=True) for r in rows):
        rows = rows[:1]
    return np.ascontiguousarray(np.stack(rows), dtype=dtype)


def canonical(batch: Sequence[Inputs], dtype: Any = np.float64) -> Columns:
    columns = [fields(inputs) for inputs in batch]
    return Columns(**{name: stack([c[name] for c in columns], dtype) for name in Columns._fields})


def sight_of(batch: Sequence[Inputs], dtype: Any = np.float64) -> Sight:
    index, fraction = [], []
    for inputs in batch:
        z = np.concatenate([[0.0], np.cumsum(inputs.spacing)])
        points = {SOIL_TEMPERATURE: z, SOIL_HEAT_FLUX: (z[:-1] + z[1:]) / 2}
        index.append([]), fraction.append([])
        for series in inputs.series:
            at = points.get(OBSERVATION_KINDS[series.kind])
            j, f = 0, 0.0
            if at is not None:
                j = int(
                    np.clip(np.searchsorted(at, series.depth, side="right") - 1, 0, at.size - 2)
                )
                f = (series.depth - at[j]) / (at[j + 1] - at[j])
            index[-1].append(j)
            fraction[-1].append(f)
    kinds = [OBSERVATION_KINDS[series.kind] for series in batch[0].series]
    return Sight(
        np.array(kinds, dtype=np.int64),
        stack([np.array(i) for i in index], np.int64),
        stack([np.array(f) for f in fraction], dtype),
    )


def objective_of(
    batch: Sequence[Inputs], which: InputObjective, dtype: Any = np.float64
) -> Objective:
    def weights(inputs: Inputs) -> np.ndarray:
        if which.weights is not None:
            return which.weights
        return np.stack([np.broadcast_to(s.weights, s.values.shape) for s in inputs.series])

    return Objective(
        which.kind,
        stack([np.stack([s.values for s in inputs.series]) for inputs in batch], dtype),
        stack([weights(inputs) for inputs in batch], dtype),
    )


def public_gradient(inputs: Inputs, bars: dict[str, np.ndarray], b: int) -> dict[str, np.ndarray]:
    """Gradient of column ``b`` by public name, in the shape of the parameter, (31)."""
    tied = "initial_temperature" not in inputs.parameters
    result = {}
    for name in inputs.wrt:
        shape = np.shape(inputs.parameters[name])
        if name in ("heat_transfer_coefficient", "bowen_ratio"):
            h = inputs.expanded("heat_transfer_coefficient")
            beta = inputs.expanded("bowen_ratio")
            factor = 1 + 1 / beta if name == "heat_transfer_coefficient" else -h / beta**2
            bar = np.broadcast_to(factor, transfer(inputs).shape) * bars["H"][b]
        else:
            bar = bars[PUBLIC[name]][b].astype(np.float64)
        if name == "bottom_temperature" and tied:
            bar = bar.copy()
            bar[0] += bars["T0"][b].sum()
        if name in inputs.knots:
            ends = np.cumsum(inputs.time_step)
            times = inputs.knots[name]
            hats = np.stack([np.interp(ends, times, e) for e in np.eye(times.size)])
            bar = hats @ np.broadcast_to(bar, ends.shape)
        result[name] = bar.reshape(shape) if bar.size == np.prod(shape) else bar.sum()
    return result


def changes_of(batch, change):
    """Change of the canonical columns, in full, and that of the predictions by the oracle."""
    columns, dy = [], []
    for inputs in batch:
        problem = to_problem(inputs)
        d = oracle.column_change(problem, change)
        given = {"lam": d.lam, "C": d.C, "albedo": d.alpha, "H": d.H, "Tb": d.Tb, "SWdown": d.SW}
        given |= {"LWdown": d.LW, "Tair": d.Ta, "T0": d.T0, "emissivity": np.atleast_1d(d.eps)}
        columns.append({"spacing": inputs.spacing, "time_step": inputs.time_step, **given})
        dy.append(oracle.forward_product(problem, change))
    stacked = {name: stack([c[name] for c in columns], float) for name in Columns._fields}
    return Columns(**stacked), np.stack(dy)


# ------------------------------------------------------------------ kernels as a route


def evaluate(batch: Sequence[Inputs]) -> list[list[tuple[float, dict[str, np.ndarray]]]]:
    """Value and gradient of every objective of every column, all columns in one batch."""
    columns, sight = canonical(batch), sight_of(batch)
    results: list[list[tuple[float, dict[str, np.ndarray]]]] = [[] for _ in batch]
    for which in batch[0].objectives:
        J, bars, status = cpu.gradient(
            columns, batch[0].insulated, sight, objective_of(batch, which)
        )
        assert not status.any()
        for b, inputs in enumerate(batch):
            results[b].append((float(J[b]), public_gradient(inputs, bars, b)))
    return results


KERNEL = Route("kernel", "CPU kernels", True, evaluate)
ORACLE = ROUTES["adjoint"]


def everything(inputs: Inputs) -> Inputs:
    """Ask for all objectives and the gradient by all that is given, forcing included."""
    probe = InputObjective("probe", probe_weights(inputs, 5))
    return replace(
        inputs,
        wrt=tuple(inputs.parameters),
        objectives=(InputObjective(), InputObjective("half-sum-of-squares"), probe),
    )


def worst_z(inputs: Inputs, route: Route = KERNEL) -> float:
    """Largest z of a route against the oracle by the rule of `lsm_verify.verify.agreement`."""
    target = of_inputs(inputs, (ORACLE,))
    worst = 0.0
    for mine, theirs in zip(sample(route, inputs, 1), sample(ORACLE, inputs, 1), strict=True):
        norm = norm_of(theirs.gradient * target.scale)
        z = pair_z(mine, theirs, norm, target.scale)
        worst = max(worst, float(z.max()), value_z(mine, theirs))
    return worst
