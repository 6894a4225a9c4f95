"""Errors in the hand tangent-linear model."""

from __future__ import annotations

from lsm_verify.mutants.mutant import (
    ALL,
    CELL,
    CELL_SIZES,
    SHORT_LAYERED,
    Kind,
    Part,
    Place,
    Site,
    cell,
    planting,
)

MODULE = "lsm_reference.tangent"
STEP, RUN, PREDICT = "tangent_step", "tangent_run", "tangent_predict"

EMISSION = Site(
    MODULE, STEP, "4 * column.eps * SIGMA * x * x * x", "(x * SIGMA) * (x * x) * (column.eps * 4)"
)
LINEARISED_AT = Site(MODULE, STEP, "x = new[0]", "x = 0.5 * (new[0] + new[0])")
FORCED = Site(
    MODULE,
    STEP,
    "(1 - column.alpha[n]) * d.SW[n] - d.alpha[n] * column.SW[n] + d.LW[n]",
    "d.LW[n] + (d.SW[n] - column.alpha[n] * d.SW[n]) - column.SW[n] * d.alpha[n]",
)
TURBULENT = Site(
    MODULE,
    STEP,
    "d.H[n] * (x - column.Ta[n]) - column.H[n] * d.Ta[n]",
    "d.H[n] * x - d.H[n] * column.Ta[n] - d.Ta[n] * column.H[n]",
)
STORED = Site(
    MODULE,
    STEP,
    "s[i] * before[i] - ds[i] * (new[i] - old[i])",
    "ds[i] * (old[i] - new[i]) + before[i] * s[i]",
)
ABOVE = Site(
    MODULE,
    STEP,
    "r[i] -= dg[i - 1] * (new[i] - new[i - 1])",
    "r[i] += dg[i - 1] * new[i - 1] - dg[i - 1] * new[i]",
)
BELOW = Site(
    MODULE,
    STEP,
    "r[i] += dg[i] * (new[i + 1] - new[i])",
    "r[i] -= (new[i] - new[i + 1]) * dg[i]",
)
BOTTOM = Site(
    MODULE,
    STEP,
    "eliminate(s, g, r, d.Tb[n], column.insulated, a, m, b)",
    "eliminate(s, g, r, d.Tb[n] / 3 * 3, column.insulated, a, m, b)",
)
CHANGED_LENGTH = Site(
    MODULE, STEP, "storage(dz, d.C, column.dt[n], ds)", "storage(3 * dz, d.C / 3, column.dt[n], ds)"
)
SURFACE = Site(
    MODULE,
    STEP,
    "(r[0] + g[0] * b[1] + forced - emitted - turbulent) / slope",
    "(forced - (turbulent + emitted) + (b[1] * g[0] + r[0])) / slope",
)
DOWNWARD = Site(
    MODULE,
    STEP,
    "after[i] = a[i] * after[i - 1] + b[i]",
    "after[i] = b[i] + after[i - 1] * a[i]",
)
INITIAL = Site(MODULE, RUN, "dT[0, i] = d.T0[i]", "dT[0, i] = d.T0[i] / 3 * 3")
STATES = Site(
    MODULE,
    RUN,
    "tangent_step(column, d, n, T[n + 1], T[n], dT[n], dT[n + 1])",
    "tangent_step(column, d, n, T[n + 1] * 3 / 3, T[n], dT[n], dT[n + 1])",
)
LONGWAVE = Site(
    MODULE,
    PREDICT,
    "SIGMA * x * x * x * (d.eps * x + 4 * column.eps * dT[n, 0])",
    "(x * x) * SIGMA * (x * (x * d.eps) + 4 * x * (column.eps * dT[n, 0]))",
)
OBSERVED_TURBULENT = Site(
    MODULE,
    PREDICT,
    "dy[k, n] += column.H[n - 1] * (dT[n, 0] - d.Ta[n - 1])",
    "dy[k, n] -= (d.Ta[n - 1] - dT[n, 0]) * column.H[n - 1]",
)


_wrong = planting(Part.TANGENT, "tangent")

WHOLE = (
    _wrong(
        "emission doubled",
        Kind.FACTOR,
        EMISSION,
        "8 * column.eps * SIGMA * x * x * x",
        ALL,
        place=Place(None, 0, ("emission",)),
    ),
    _wrong(
        "linearised about the old surface temperature",
        Kind.STALE,
        LINEARISED_AT,
        "x = old[0]",
        ALL,
        place=Place(None, 0, ("emission", "turbulent")),
    ),
    _wrong(
        "linearised about the state before",
        Kind.STEP,
        STATES,
        "tangent_step(column, d, n, T[n], T[max(n - 1, 0)], dT[n], dT[n + 1])",
        ALL,
        place=Place(None, None, ()),
    ),
    _wrong(
        "sign of the albedo",
        Kind.SIGN,
        FORCED,
        "(1 - column.alpha[n]) * d.SW[n] + d.alpha[n] * column.SW[n] + d.LW[n]",
        {"albedo"},
        only=True,
        place=Place(None, 0, ("shortwave",)),
    ),
    _wrong(
        "shortwave of the step before",
        Kind.FORCING,
        FORCED,
        "(1 - column.alpha[n]) * d.SW[n] - d.alpha[n] * column.SW[n - 1] + d.LW[n]",
        {"albedo"},
        only=True,
        place=Place(None, 0, ("shortwave",)),
    ),
    _wrong(
        "sign of the turbulent flux",
        Kind.SIGN,
        TURBULENT,
        "d.H[n] * (column.Ta[n] - x) - column.H[n] * d.Ta[n]",
        {"heat_transfer_coefficient", "bowen_ratio"},
        only=True,
        place=Place(None, 0, ("turbulent",)),
    ),
    _wrong(
        "change of the heat capacity dropped",
        Kind.DROPPED,
        STORED,
        "s[i] * before[i]",
        {"volumetric_heat_capacity"},
        only=True,
        place=Place(None, None, ("storage",)),
    ),
    _wrong(
        "Δt of the step before in the change of storage",
        Kind.TIME_STEP,
        CHANGED_LENGTH,
        "storage(dz, d.C, column.dt[n - 1], ds)",
        {"volumetric_heat_capacity"},
        only=True,
        workload=SHORT_LAYERED,
        place=Place(None, None, ("storage",)),
    ),
    _wrong(
        "conduction to above dropped",
        Kind.DROPPED,
        ABOVE,
        "pass",
        {"thermal_conductivity"},
        only=True,
        place=Place(None, None, ("conduction up", "conduction down")),
    ),
    _wrong(
        "change of conduction one interface up",
        Kind.NODE,
        BELOW,
        "r[i] += dg[i] * (new[i] - new[max(i - 1, 0)])",
        {"thermal_conductivity"},
        only=True,
        place=Place(None, None, ("conduction up", "conduction down")),
    ),
    _wrong(
        "bottom temperature dropped",
        Kind.BOUNDARY,
        BOTTOM,
        "eliminate(s, g, r, 0.0, column.insulated, a, m, b)",
        {"bottom_temperature"},
        only=True,
        place=Place(None, None, ("bottom",)),
    ),
    _wrong(
        "single precision at the surface",
        Kind.SINGLE,
        SURFACE,
        "np.float64(np.float32((r[0] + g[0] * b[1] + forced - emitted - turbulent) / slope))",
        {"albedo"},
        size=1e-7,
        place=Place(None, 0, ()),
    ),
    _wrong(
        "downward sweep reads two nodes up",
        Kind.UNTRANSPOSED,
        DOWNWARD,
        "after[i] = a[i] * after[max(i - 2, 0)] + b[i]",
        {"thermal_conductivity", "volumetric_heat_capacity"},
        place=Place(None, None, ("conduction up", "conduction down")),
    ),
    _wrong(
        "initial state dropped",
        Kind.BOUNDARY,
        INITIAL,
        "dT[0, i] = 0.0",
        {"initial_temperature"},
        only=True,
        workload=SHORT_LAYERED,
        place=Place(None, None, ("initial state",)),
    ),
    _wrong(
        "observed longwave by a quarter of its slope too little",
        Kind.FACTOR,
        LONGWAVE,
        "SIGMA * x * x * x * (d.eps * x + 3 * column.eps * dT[n, 0])",
        {"albedo", "turbulent_transfer_coefficient"},
        workload=SHORT_LAYERED,
        place=Place(None, None, ("observation",)),
    ),
    _wrong(
        "observed turbulent flux a state late",
        Kind.LATE,
        OBSERVED_TURBULENT,
        "dy[k, n] += column.H[n - 1] * (dT[n - 1, 0] - d.Ta[n - 1])",
        {"albedo", "turbulent_transfer_coefficient"},
        workload=SHORT_LAYERED,
        place=Place(None, None, ("observation",)),
    ),
)

CELLS = tuple(
    _wrong(
        f"emission {size:g} too large in one step",
        Kind.CELL,
        EMISSION,
        cell(EMISSION.old, f"n == {CELL[workload]}", size),
        {"albedo"},
        workload=workload,
        size=size,
        place=Place(CELL[workload], 0, ("emission",)),
    )
    for size, workload in CELL_SIZES
)

MUTANTS = WHOLE + CELLS
