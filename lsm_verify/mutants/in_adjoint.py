"""Errors in the hand adjoint."""

from __future__ import annotations

from lsm_verify.mutants.mutant import (
    ALL,
    CELL,
    CELL_SIZES,
    LAST,
    SHORT_LAYERED,
    SMALL_TWIN,
    Kind,
    Part,
    Place,
    Site,
    cell,
    planting,
)

MODULE = "lsm_reference.adjoint"
STEP, RUN, PREDICT, FLUX = "adjoint_step", "adjoint_run", "adjoint_predict", "adjoint_flux"

EMISSION = Site(
    MODULE, STEP, "4 * column.eps * SIGMA * x * x * x", "(x * SIGMA) * (x * x) * (column.eps * 4)"
)
SURFACE_SLOPE = Site(
    MODULE,
    STEP,
    "s[0] + g[0] * m[1] + column.H[n]",
    "column.H[n] + (m[1] * g[0] + s[0])",
)
LINEARISED_AT = Site(MODULE, STEP, "x = new[0]", "x = 0.5 * (new[0] + new[0])")
SURFACE_MU = Site(
    MODULE, STEP, "(total[0] + g[0] * b[1]) / slope", "total[0] / slope + b[1] * g[0] / slope"
)
DOWNWARD = Site(MODULE, STEP, "mu[i] = a[i] * mu[i - 1] + b[i]", "mu[i] = b[i] + mu[i - 1] * a[i]")
BOTTOM = Site(
    MODULE,
    STEP,
    "bar.Tb[n] += total[N] + g[N - 1] * mu[N - 1]",
    "bar.Tb[n] += mu[N - 1] * g[N - 1] + total[N]",
)
CAPACITY = Site(
    MODULE,
    STEP,
    "bar.C[i] -= mu[i] * (new[i] - old[i]) * (s[i] / column.C[i])",
    "bar.C[i] += mu[i] * (old[i] - new[i]) / column.C[i] * s[i]",
)
CONDUCTIVITY = Site(
    MODULE,
    STEP,
    "bar.lam[i] += (mu[i] - mu[i + 1]) * (new[i + 1] - new[i]) / dz[i]",
    "bar.lam[i] -= (mu[i + 1] - mu[i]) / dz[i] * (new[i + 1] - new[i])",
)
ALBEDO = Site(
    MODULE, STEP, "bar.alpha[n] -= mu[0] * column.SW[n]", "bar.alpha[n] += column.SW[n] * -mu[0]"
)
EMISSIVITY = Site(
    MODULE,
    STEP,
    "bar.eps[0] -= mu[0] * SIGMA * x * x * x * x",
    "bar.eps[0] -= (x * x) * SIGMA * (x * x) * mu[0]",
)
TURBULENT = Site(
    MODULE,
    STEP,
    "bar.H[n] -= mu[0] * (x - column.Ta[n])",
    "bar.H[n] += mu[0] * (column.Ta[n] - x)",
)
LENGTH = Site(
    MODULE,
    STEP,
    "storage(dz, column.C, column.dt[n], s)",
    "storage(3 * dz, column.C / 3, column.dt[n], s)",
)
BEFORE = Site(MODULE, STEP, "s[i] * mu[i]", "(0.5 * mu[i]) * (2 * s[i])")
OBSERVED = Site(
    MODULE, RUN, "states[n, i] = W[n, i] + before[i]", "states[n, i] = before[i] + W[n, i]"
)
INITIAL = Site(
    MODULE, RUN, "bar.T0[i] += states[0, i]", "bar.T0[i] = states[0, i] * 1.0 + bar.T0[i]"
)
UPPER = Site(MODULE, PREDICT, "W[n, j] += (1 - f) * q", "W[n, j] += q - f * q")
LOWER = Site(MODULE, PREDICT, "W[n, j + 1] += f * q", "W[n, j + 1] -= -q * f")
LONGWAVE = Site(
    MODULE,
    PREDICT,
    "4 * column.eps * SIGMA * x * x * x * q",
    "q * (SIGMA * 4) * column.eps * (x * x * x)",
)
OBSERVED_TURBULENT = Site(
    MODULE, PREDICT, "W[n, 0] += column.H[n - 1] * q", "W[n, 0] -= -q * column.H[n - 1]"
)
FLUX_CONDUCTIVITY = Site(
    MODULE,
    FLUX,
    "bar.lam[j] += (T[n, j] - T[n, j + 1]) / column.dz[j] * q",
    "bar.lam[j] -= (T[n, j + 1] - T[n, j]) * q / column.dz[j]",
)
FLUX_BELOW = Site(
    MODULE,
    FLUX,
    "W[n, j + 1] -= column.lam[j] / column.dz[j] * q",
    "W[n, j + 1] += -q * column.lam[j] / column.dz[j]",
)


_wrong = planting(Part.ADJOINT, "adjoint")

EMISSION_LAST = Place(LAST[SMALL_TWIN], 0, ("emission",))

SWEEP = (
    _wrong(
        "emission doubled",
        Kind.FACTOR,
        EMISSION,
        "8 * column.eps * SIGMA * x * x * x",
        ALL,
        place=EMISSION_LAST,
    ),
    _wrong(
        "emission halved",
        Kind.FACTOR,
        EMISSION,
        "2 * column.eps * SIGMA * x * x * x",
        ALL,
        place=EMISSION_LAST,
    ),
    _wrong("emission dropped", Kind.DROPPED, EMISSION, "0.0", ALL, place=EMISSION_LAST),
    _wrong(
        "sign of the emission",
        Kind.SIGN,
        EMISSION,
        "-4 * column.eps * SIGMA * x * x * x",
        ALL,
        place=EMISSION_LAST,
    ),
    _wrong(
        "linearised about the old surface temperature",
        Kind.STALE,
        LINEARISED_AT,
        "x = old[0]",
        ALL,
        place=EMISSION_LAST,
    ),
    _wrong(
        "turbulent coefficient of the step before",
        Kind.STEP,
        SURFACE_SLOPE,
        "s[0] + g[0] * m[1] + column.H[n - 1]",
        {"albedo", "turbulent_transfer_coefficient", "initial_temperature"},
        workload=SHORT_LAYERED,
        place=Place(LAST[SHORT_LAYERED], 0, ("turbulent",)),
    ),
    _wrong(
        "Δt of the step before",
        Kind.TIME_STEP,
        LENGTH,
        "storage(dz, column.C, column.dt[n - 1], s)",
        {"thermal_conductivity", "volumetric_heat_capacity", "albedo"},
        workload=SHORT_LAYERED,
        place=Place(LAST[SHORT_LAYERED], None, ("storage",)),
    ),
    _wrong(
        "conduction from below dropped at the surface",
        Kind.DROPPED,
        SURFACE_MU,
        "total[0] / slope",
        ALL,
        place=Place(LAST[SMALL_TWIN], 0, ("conduction up", "conduction down")),
    ),
    _wrong(
        "single precision at the surface",
        Kind.SINGLE,
        SURFACE_MU,
        "np.float64(np.float32((total[0] + g[0] * b[1]) / slope))",
        ALL,
        size=1e-7,
        place=Place(LAST[SMALL_TWIN], 0, ()),
    ),
    _wrong(
        "downward sweep reads two nodes up",
        Kind.NODE,
        DOWNWARD,
        "mu[i] = a[i] * mu[max(i - 2, 0)] + b[i]",
        {"thermal_conductivity", "volumetric_heat_capacity"},
        place=Place(LAST[SMALL_TWIN], None, ("conduction up", "conduction down")),
    ),
    _wrong(
        "storage of the node above",
        Kind.UNTRANSPOSED,
        BEFORE,
        "s[max(i - 1, 0)] * mu[i]",
        ALL,
        place=Place(LAST[SMALL_TWIN], None, ("storage",)),
    ),
    _wrong(
        "observed a state late",
        Kind.LATE,
        OBSERVED,
        "states[n, i] = W[n + 1, i] + before[i]",
        ALL,
        place=Place(LAST[SMALL_TWIN], None, ("observation",)),
    ),
)

GRADIENT = (
    _wrong(
        "bottom's neighbour dropped",
        Kind.BOUNDARY,
        BOTTOM,
        "bar.Tb[n] += total[N]",
        {"bottom_temperature"},
        only=True,
        place=Place(None, None, ("bottom",)),
    ),
    _wrong(
        "sign of the heat capacity",
        Kind.SIGN,
        CAPACITY,
        "bar.C[i] += mu[i] * (new[i] - old[i]) * (s[i] / column.C[i])",
        {"volumetric_heat_capacity"},
        only=True,
        place=Place(None, None, ("storage",)),
    ),
    _wrong(
        "temperature gradient of the interface above",
        Kind.NODE,
        CONDUCTIVITY,
        "bar.lam[i] += (mu[i] - mu[i + 1]) * (new[i] - new[max(i - 1, 0)]) / dz[i]",
        {"thermal_conductivity"},
        only=True,
        place=Place(None, None, ("conduction up", "conduction down")),
    ),
    _wrong(
        "conductivity without the node below",
        Kind.UNTRANSPOSED,
        CONDUCTIVITY,
        "bar.lam[i] += mu[i] * (new[i + 1] - new[i]) / dz[i]",
        {"thermal_conductivity"},
        only=True,
        place=Place(None, None, ("conduction up", "conduction down")),
    ),
    _wrong(
        "shortwave of the step before",
        Kind.FORCING,
        ALBEDO,
        "bar.alpha[n] -= mu[0] * column.SW[n - 1]",
        {"albedo"},
        only=True,
        place=Place(None, 0, ("shortwave",)),
    ),
    _wrong(
        "emissivity by twice the emission",
        Kind.FACTOR,
        EMISSIVITY,
        "bar.eps[0] -= 2 * mu[0] * SIGMA * x * x * x * x",
        {"emissivity"},
        only=True,
        workload=SHORT_LAYERED,
        place=Place(None, 0, ("emission",)),
    ),
    _wrong(
        "turbulent flux by the old surface temperature",
        Kind.STALE,
        TURBULENT,
        "bar.H[n] -= mu[0] * (old[0] - column.Ta[n])",
        {"heat_transfer_coefficient", "bowen_ratio"},
        only=True,
        place=Place(None, 0, ("turbulent",)),
    ),
    _wrong(
        "initial state dropped",
        Kind.BOUNDARY,
        INITIAL,
        "pass",
        {"initial_temperature"},
        only=True,
        workload=SHORT_LAYERED,
        place=Place(None, None, ("initial state",)),
    ),
)

OBSERVATIONS = (
    _wrong(
        "weights of an observation's two nodes exchanged",
        Kind.UNTRANSPOSED,
        UPPER,
        "W[n, j] += f * q",
        {"thermal_conductivity", "initial_temperature"},
        workload=SHORT_LAYERED,
        place=Place(None, None, ("observation",)),
    ),
    _wrong(
        "an observation's lower node one up",
        Kind.NODE,
        LOWER,
        "W[n, j] += f * q",
        {"thermal_conductivity", "initial_temperature"},
        workload=SHORT_LAYERED,
        place=Place(None, None, ("observation",)),
    ),
    _wrong(
        "observed longwave by a quarter of its slope too little",
        Kind.FACTOR,
        LONGWAVE,
        "3 * column.eps * SIGMA * x * x * x * q",
        {"albedo", "turbulent_transfer_coefficient"},
        workload=SHORT_LAYERED,
        place=Place(None, None, ("observation",)),
    ),
    _wrong(
        "observed turbulent flux dropped",
        Kind.DROPPED,
        OBSERVED_TURBULENT,
        "pass",
        {"albedo", "turbulent_transfer_coefficient"},
        workload=SHORT_LAYERED,
        place=Place(None, None, ("observation",)),
    ),
    _wrong(
        "conductivity of an observed flux dropped",
        Kind.DROPPED,
        FLUX_CONDUCTIVITY,
        "pass",
        {"thermal_conductivity"},
        only=True,
        workload=SHORT_LAYERED,
        place=Place(None, None, ("observation",)),
    ),
    _wrong(
        "sign of an observed flux's lower node",
        Kind.SIGN,
        FLUX_BELOW,
        "W[n, j + 1] += column.lam[j] / column.dz[j] * q",
        {"thermal_conductivity", "initial_temperature"},
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

OTHER_CELLS = (
    _wrong(
        "storage of one node 1e-06 too large in one step",
        Kind.CELL,
        BEFORE,
        cell(BEFORE.old, "n == 7 and i == 3", 1e-6),
        set(),
        size=1e-6,
        place=Place(7, 3, ("storage",)),
    ),
    _wrong(
        "turbulent slope 1e-06 too large in one step",
        Kind.CELL,
        SURFACE_SLOPE,
        "s[0] + g[0] * m[1] + (1 + 1e-6 * (n == 13)) * column.H[n]",
        {"albedo"},
        size=1e-6,
        place=Place(13, 0, ("turbulent",)),
    ),
)

MUTANTS = SWEEP + GRADIENT + OBSERVATIONS + CELLS + OTHER_CELLS
