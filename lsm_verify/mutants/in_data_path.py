"""Errors on the way of the data: from one set of inputs to what each model is given.

An error before the inputs are one set reaches every route alike, and no comparison of routes can
see it: readers are tested against the data themselves. From there on the torch model and the
oracle each have their own way.
"""

from __future__ import annotations

from collections.abc import Set
from typing import Any

from lsm_verify.mutants.mutant import (
    ALL,
    ORACLE,
    SEALED_KNOTS,
    SHORT_LAYERED,
    TORCH,
    Kind,
    Mutant,
    Part,
    Place,
    Site,
    planting,
)

COLUMN, OBSERVE = "lsm_verify.models.column", "lsm_verify.models.observe"
ROUTES, PARAMETERS = "lsm_verify.routes.oracle", "lsm_reference.parameters"

SPACING = Site(
    COLUMN,
    "leaves",
    "tensor([b.spacing for b in batch])",
    "3 * tensor([b.spacing / 3 for b in batch])",
)
LENGTH = Site(
    COLUMN,
    "leaves",
    "tensor([b.time_step for b in batch])",
    "60 * tensor([b.time_step / 60 for b in batch])",
)
VALUES = Site(
    COLUMN,
    "leaves",
    "tensor([b.parameters[name] for b in batch])",
    "3 * tensor([b.parameters[name] / 3 for b in batch])",
)
TORCH_HATS = Site(
    COLUMN, "_hats", "np.cumsum(inputs.time_step)", "np.cumsum(inputs.time_step / 3) * 3"
)
SHORTWAVE = Site(COLUMN, "expand", 'given["SWdown"]', '(given["SWdown"] + 1) - 1')
LONGWAVE = Site(COLUMN, "expand", 'given["LWdown"]', 'given["LWdown"] / 3 * 3')
AIR = Site(COLUMN, "expand", 'given["Tair"]', '(given["Tair"] - 273.15) + 273.15')
SHARES = Site(
    OBSERVE,
    "_weights",
    "row[upper : upper + 2] = (1.0 - share, share)",
    "row[upper : upper + 2] = ((points[upper + 1] - depth) / (points[upper + 1] - points[upper]), "
    "share)",
)
DEPTH = Site(OBSERVE, "_weights", "inputs.series[k].depth", "inputs.series[k].depth / 3 * 3")
MIDPOINTS = Site(OBSERVE, "_weights", "(z[:-1] + z[1:]) / 2", "z[:-1] + (z[1:] - z[:-1]) / 2")
WEIGHTS = Site(
    OBSERVE,
    "score",
    "tensor([np.stack([s.weights for s in b.series]) for b in batch])",
    "3 * tensor([np.stack([s.weights / 3 for s in b.series]) for b in batch])",
)
OBSERVED = Site(
    OBSERVE,
    "score",
    "tensor([np.stack([s.values for s in b.series]) for b in batch])",
    "3 * tensor([np.stack([s.values / 3 for s in b.series]) for b in batch])",
)
ORACLE_SPACING = Site(ROUTES, "to_problem", "inputs.spacing", "3 * (inputs.spacing / 3)")
ORACLE_LENGTH = Site(ROUTES, "to_problem", "inputs.time_step", "60 * (inputs.time_step / 60)")
ORACLE_WEIGHTS = Site(
    ROUTES,
    "to_problem",
    "np.broadcast_to(s.weights, s.values.shape)",
    "3 * np.broadcast_to(s.weights / 3, s.values.shape)",
)
ORACLE_HATS = Site(
    PARAMETERS, "hats", "np.cumsum(problem.time_step)", "np.cumsum(problem.time_step / 3) * 3"
)
ORACLE_SHARE = Site(
    PARAMETERS,
    "look",
    "(series.depth - points[j]) / (points[j + 1] - points[j])",
    "1 - (points[j + 1] - series.depth) / (points[j + 1] - points[j])",
)
ORACLE_OBSERVED = Site(
    PARAMETERS,
    "look",
    "np.array([series.values for series in problem.series])",
    "np.array([series.values / 3 for series in problem.series]) * 3",
)


_BY_MODULE = {
    COLUMN: planting(Part.DATA_PATH, *TORCH, value=True),
    OBSERVE: planting(Part.DATA_PATH, "autograd", value=True),
}
_in_oracle = planting(Part.DATA_PATH, *ORACLE, value=True)


def _wrong(name: str, kind: Kind, site: Site, new: str, named: Set[str], **more: Any) -> Mutant:
    return _BY_MODULE.get(site.module, _in_oracle)(name, kind, site, new, named, **more)


OBSERVATION = Place(None, None, ("observation",))

TO_TORCH = (
    _wrong(
        "grid upside down",
        Kind.COLUMN,
        SPACING,
        "tensor([b.spacing[::-1] for b in batch])",
        {"thermal_conductivity", "volumetric_heat_capacity"},
        workload=SHORT_LAYERED,
    ),
    _wrong(
        "time steps in minutes",
        Kind.UNIT,
        LENGTH,
        "tensor([b.time_step / 60 for b in batch])",
        ALL,
        place=Place(None, None, ("storage",)),
    ),
    _wrong(
        "time steps by one",
        Kind.COLUMN,
        LENGTH,
        "tensor([np.roll(b.time_step, 1) for b in batch])",
        {"volumetric_heat_capacity"},
        workload=SHORT_LAYERED,
        place=Place(None, None, ("storage",)),
    ),
    _wrong(
        "parameters in single precision",
        Kind.SINGLE,
        VALUES,
        "tensor([b.parameters[name].astype(np.float32) for b in batch])",
        {"albedo"},
        size=1e-8,
    ),
    _wrong(
        "air temperature in °C",
        Kind.UNIT,
        AIR,
        'given["Tair"] - 273.15',
        ALL,
        place=Place(None, 0, ("turbulent",)),
    ),
    _wrong(
        "shortwave a step early",
        Kind.FORCING,
        SHORTWAVE,
        'given["SWdown"].roll(-1, 1)',
        ALL,
        place=Place(None, 0, ("shortwave",)),
    ),
    _wrong(
        "shortwave averaged with the step before",
        Kind.FORCING,
        SHORTWAVE,
        '(given["SWdown"] + given["SWdown"].roll(1, 1)) / 2',
        ALL,
        place=Place(None, 0, ("shortwave",)),
    ),
    _wrong(
        "shortwave in the column of longwave",
        Kind.COLUMN,
        LONGWAVE,
        'given["SWdown"]',
        ALL,
        place=Place(None, 0, ("longwave",)),
    ),
    _wrong(
        "knots at the beginning of steps",
        Kind.STEP,
        TORCH_HATS,
        "np.cumsum(inputs.time_step) - inputs.time_step",
        {"albedo"},
        workload=SEALED_KNOTS,
        place=Place(None, None, ("chain rule", "shortwave")),
    ),
    _wrong(
        "weights of two nodes exchanged",
        Kind.UNTRANSPOSED,
        SHARES,
        "row[upper : upper + 2] = (share, 1.0 - share)",
        {"initial_temperature"},
        workload=SHORT_LAYERED,
        place=OBSERVATION,
    ),
    # The sensors of the small twin sit on nodes, where an ulp decides between two intervals and
    # the exchanged weights jump: the gate finds nothing but noise, differences find the error.
    _wrong(
        "weights of two nodes exchanged, sensor on a node",
        Kind.UNTRANSPOSED,
        SHARES,
        "row[upper : upper + 2] = (share, 1.0 - share)",
        set(),
    ),
    _wrong(
        "depth in cm",
        Kind.UNIT,
        DEPTH,
        "inputs.series[k].depth / 100",
        {"thermal_conductivity"},
        place=OBSERVATION,
    ),
    _wrong(
        "flux at nodes instead of between them",
        Kind.NODE,
        MIDPOINTS,
        "z[:-1]",
        {"thermal_conductivity"},
        workload=SHORT_LAYERED,
        place=OBSERVATION,
    ),
    _wrong(
        "weights a state late",
        Kind.WEIGHTS,
        WEIGHTS,
        "tensor([np.stack([np.roll(s.weights, 1) for s in b.series]) for b in batch])",
        {"albedo"},
        workload=SHORT_LAYERED,
        place=Place(None, None, ("objective",)),
    ),
    _wrong(
        "observations in the reverse order of series",
        Kind.COLUMN,
        OBSERVED,
        "tensor([np.stack([s.values for s in b.series[::-1]]) for b in batch])",
        ALL,
        place=Place(None, None, ("objective",)),
    ),
)

TO_ORACLE = (
    _wrong(
        "oracle's grid upside down",
        Kind.COLUMN,
        ORACLE_SPACING,
        "np.ascontiguousarray(inputs.spacing[::-1])",
        {"thermal_conductivity", "volumetric_heat_capacity"},
        workload=SHORT_LAYERED,
    ),
    _wrong(
        "oracle's grid in single precision",
        Kind.SINGLE,
        ORACLE_SPACING,
        "inputs.spacing.astype(np.float32).astype(np.float64)",
        {"thermal_conductivity"},
        size=1e-8,
    ),
    _wrong(
        "oracle's time steps in minutes",
        Kind.UNIT,
        ORACLE_LENGTH,
        "inputs.time_step / 60",
        ALL,
        place=Place(None, None, ("storage",)),
    ),
    _wrong(
        "oracle's weights a state late",
        Kind.WEIGHTS,
        ORACLE_WEIGHTS,
        "np.roll(np.broadcast_to(s.weights, s.values.shape), 1)",
        {"albedo"},
        workload=SHORT_LAYERED,
        place=Place(None, None, ("objective",)),
    ),
    _wrong(
        "oracle's knots at the beginning of steps",
        Kind.STEP,
        ORACLE_HATS,
        "np.cumsum(problem.time_step) - problem.time_step",
        {"albedo"},
        workload=SEALED_KNOTS,
        place=Place(None, None, ("chain rule", "shortwave")),
    ),
    _wrong(
        "oracle observes at the node above",
        Kind.NODE,
        ORACLE_SHARE,
        "0.0",
        {"thermal_conductivity"},
        workload=SHORT_LAYERED,
        place=OBSERVATION,
    ),
    _wrong(
        "oracle's observations a state late",
        Kind.LATE,
        ORACLE_OBSERVED,
        "np.array([np.roll(series.values, 1) for series in problem.series])",
        ALL,
        place=Place(None, None, ("objective",)),
    ),
)

MUTANTS = TO_TORCH + TO_ORACLE
