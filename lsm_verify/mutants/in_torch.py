"""Errors in the torch model: the solve, and what autograd is allowed to see of it."""

from __future__ import annotations

from lsm_verify.mutants.mutant import (
    ALL,
    CELL,
    CELL_SIZES,
    SHORT_LAYERED,
    TORCH,
    Kind,
    Part,
    Place,
    Site,
    cell,
    planting,
)

DIRECT, COLUMN = "lsm_verify.models.direct", "lsm_verify.models.column"
STATES, ROOT, SOILS = "states", "surface_root", "_soils"

EMISSION = Site(
    DIRECT,
    STATES,
    "columns.emissivity * STEFAN_BOLTZMANN",
    "STEFAN_BOLTZMANN / 3 * columns.emissivity * 3",
)
ROOT_CALL = Site(
    DIRECT,
    STATES,
    "surface_root(c1, c4, load, T[:, 0], step=n)",
    "surface_root(3 * c1, c4 * 3, 3 * load, T[:, 0], step=n)",
)
NEWTON = Site(
    DIRECT,
    ROOT,
    "x = x - (c1 * x + c4 * x3 * x - load) / (c1 + 4 * c4 * x3)",
    "x = x - (x * (c1 + c4 * x3) - load) / (4 * c4 * x3 + c1)",
)
ROOT_STEPS = Site(DIRECT, ROOT, "range(2)", "range(3)")
ABSORBED = Site(
    DIRECT,
    STATES,
    "(1 - columns.albedo) * columns.SWdown + columns.LWdown",
    "columns.LWdown + columns.SWdown - columns.SWdown * columns.albedo",
)
LOAD = Site(
    DIRECT,
    STATES,
    "load + absorbed[:, n] + H * columns.Tair[:, n]",
    "columns.Tair[:, n] * H + (absorbed[:, n] + load)",
)
STORED = Site(
    DIRECT,
    STATES,
    "soil.storage[:, 0] * T[:, 0] + g[:, 0] * below[:, 0]",
    "below[:, 0] * g[:, 0] + T[:, 0] * soil.storage[:, 0]",
)
SLOPE = Site(
    DIRECT,
    STATES,
    "soil.storage[:, 0] + soil.conductance + H",
    "H + (soil.conductance + soil.storage[:, 0])",
)
SOIL = Site(DIRECT, STATES, "soils[d]", "[*soils][which[n]]")
BOTTOM = Site(
    DIRECT,
    STATES,
    "g[:, -1] * columns.Tb[:, n]",
    "columns.Tb[:, n] / 3 * g[:, -1] * 3",
)
BELOW = Site(
    DIRECT,
    STATES,
    "below + soil.surface_response * x[:, None]",
    "x[:, None] * soil.surface_response + below",
)
NEXT = Site(DIRECT, STATES, "torch.cat(parts, dim=1)", "torch.cat([p / 3 for p in parts], 1) * 3")
VOLUME = Site(
    DIRECT,
    SOILS,
    "half[:, 1:] + half[:, :-1]",
    "(columns.spacing[:, :-1] + columns.spacing[:, 1:]) / 2",
)
HELD = Site(
    DIRECT,
    SOILS,
    "held = held + inverse[:, :, 0, -1] * g[:, None, -1]",
    "held = g[:, None, -1] * inverse[:, :, 0, -1] + held",
)
LENGTH = Site(
    DIRECT,
    SOILS,
    "(columns.C * volume)[:, None, :] / lengths[:, :, None]",
    "columns.C[:, None, :] / lengths[:, :, None] * volume[:, None, :]",
)
CONDUCTIVITY = Site(
    COLUMN,
    "expand",
    'spread("thermal_conductivity", N)',
    '3 * spread("thermal_conductivity", N) / 3',
)
CAPACITY = Site(
    COLUMN,
    "expand",
    'spread("volumetric_heat_capacity", nodes)',
    '3 * spread("volumetric_heat_capacity", nodes) / 3',
)
ALBEDO = Site(COLUMN, "expand", 'spread("albedo", S)', '3 * spread("albedo", S) / 3')
TURBULENT = Site(
    COLUMN,
    "expand",
    '1 + 1 / spread("bowen_ratio", S)',
    '(spread("bowen_ratio", S) + 1) / spread("bowen_ratio", S)',
)
PRESCRIBED = Site(
    COLUMN,
    "expand",
    'spread("bottom_temperature", S)',
    '3 * spread("bottom_temperature", S) / 3',
)
TIED = Site(
    COLUMN,
    "expand",
    "Tb[:, :1].expand(B, nodes)",
    "(3 * Tb[:, :1]).expand(B, nodes) / 3",
)


_wrong = planting(Part.TORCH, "autograd")
_wrong_of_both = planting(Part.TORCH, *TORCH)

MODEL = (
    _wrong(
        "emission doubled",
        Kind.FACTOR,
        EMISSION,
        "2 * columns.emissivity * STEFAN_BOLTZMANN",
        ALL,
        value=True,
        place=Place(None, 0, ("emission",)),
    ),
    _wrong(
        "shortwave of the step before",
        Kind.FORCING,
        LOAD,
        "load + absorbed[:, max(n - 1, 0)] + H * columns.Tair[:, n]",
        ALL,
        value=True,
        place=Place(None, 0, ("shortwave",)),
    ),
    _wrong(
        "air temperature of the step before",
        Kind.STEP,
        LOAD,
        "load + absorbed[:, n] + H * columns.Tair[:, max(n - 1, 0)]",
        {"albedo", "turbulent_transfer_coefficient"},
        value=True,
        workload=SHORT_LAYERED,
        place=Place(None, 0, ("turbulent",)),
    ),
    _wrong(
        "sign of the albedo",
        Kind.SIGN,
        ABSORBED,
        "(1 + columns.albedo) * columns.SWdown + columns.LWdown",
        {"albedo"},
        value=True,
        place=Place(None, 0, ("shortwave",)),
    ),
    _wrong(
        "longwave dropped",
        Kind.DROPPED,
        ABSORBED,
        "(1 - columns.albedo) * columns.SWdown",
        ALL,
        value=True,
        place=Place(None, 0, ("longwave",)),
    ),
    _wrong(
        "conductance of the next interface",
        Kind.NODE,
        STORED,
        "soil.storage[:, 0] * T[:, 0] + g[:, 1] * below[:, 0]",
        {"thermal_conductivity"},
        value=True,
        workload=SHORT_LAYERED,
        place=Place(None, 0, ("conduction up", "conduction down")),
    ),
    _wrong(
        "control volumes of one spacing",
        Kind.NODE,
        VOLUME,
        "2 * half[:, 1:]",
        {"volumetric_heat_capacity"},
        value=True,
        workload=SHORT_LAYERED,
        place=Place(None, None, ("storage",)),
    ),
    _wrong(
        "Δt of the step before",
        Kind.TIME_STEP,
        SOIL,
        "soils[which[n - 1]]",
        {"thermal_conductivity", "volumetric_heat_capacity", "albedo"},
        value=True,
        workload=SHORT_LAYERED,
        place=Place(None, None, ("storage",)),
    ),
    _wrong(
        "every Δt the first",
        Kind.TIME_STEP,
        LENGTH,
        "(columns.C * volume)[:, None, :] / columns.time_step[:, :1, None].expand_as("
        "lengths[:, :, None])",
        {"thermal_conductivity", "volumetric_heat_capacity", "albedo"},
        value=True,
        workload=SHORT_LAYERED,
        place=Place(None, None, ("storage",)),
    ),
    _wrong(
        "bottom of the step before",
        Kind.STEP,
        BOTTOM,
        "g[:, -1] * columns.Tb[:, n - 1]",
        {"bottom_temperature"},
        value=True,
        workload=SHORT_LAYERED,
        place=Place(None, None, ("bottom",)),
    ),
    _wrong(
        "bottom dropped from the surface's balance",
        Kind.BOUNDARY,
        HELD,
        "pass",
        {"bottom_temperature"},
        value=True,
        workload=SHORT_LAYERED,
        place=Place(None, 0, ("bottom", "conduction up", "conduction down")),
    ),
)

DERIVATIVE = (
    _wrong(
        "emission doubled in the slope",
        Kind.FACTOR,
        NEWTON,
        "x = x - (c1 * x + c4 * x3 * x - load) / (c1 + 8 * c4 * x3)",
        ALL,
        place=Place(None, 0, ("emission",)),
    ),
    _wrong(
        "slope at the old surface temperature",
        Kind.STALE,
        NEWTON,
        "x = x - (c1 * x + c4 * x3 * x - load) / (c1 + 4 * c4 * guess * guess * guess)",
        # Two steps with a slope that is off by a relative δ leave an error of δ²: enough.
        {"albedo"},
        place=Place(None, 0, ("emission",)),
    ),
    _wrong(
        "surface temperature detached between steps",
        Kind.DETACHED,
        NEXT,
        "torch.cat([parts[0].detach(), *parts[1:]], dim=1)",
        ALL,
    ),
    _wrong_of_both(
        "bottom temperature of all columns is the first one's",
        Kind.LEAK,
        PRESCRIBED,
        'spread("bottom_temperature", S)[:1] + 0 * spread("bottom_temperature", S)',
        {"bottom_temperature"},
        only=True,
        full=True,
    ),
    _wrong(
        "response of the soil to the surface detached",
        Kind.DETACHED,
        BELOW,
        "below + soil.surface_response.detach() * x[:, None]",
        {"thermal_conductivity", "volumetric_heat_capacity"},
        only=True,
        place=Place(None, None, ("conduction up", "conduction down")),
    ),
    _wrong_of_both(
        "λ detached",
        Kind.DETACHED,
        CONDUCTIVITY,
        'spread("thermal_conductivity", N).detach()',
        {"thermal_conductivity"},
        only=True,
        place=Place(None, None, ("chain rule",)),
    ),
    _wrong_of_both(
        "C detached",
        Kind.DETACHED,
        CAPACITY,
        'spread("volumetric_heat_capacity", nodes).detach()',
        {"volumetric_heat_capacity"},
        only=True,
        place=Place(None, None, ("chain rule",)),
    ),
    _wrong_of_both(
        "α detached",
        Kind.DETACHED,
        ALBEDO,
        'spread("albedo", S).detach()',
        {"albedo"},
        only=True,
        place=Place(None, None, ("chain rule",)),
    ),
    _wrong_of_both(
        "β detached",
        Kind.DETACHED,
        TURBULENT,
        '1 + 1 / spread("bowen_ratio", S).detach()',
        {"bowen_ratio"},
        only=True,
        place=Place(None, None, ("chain rule",)),
    ),
    _wrong_of_both(
        "tied start detached",
        Kind.DETACHED,
        TIED,
        "Tb[:, :1].detach().expand(B, nodes)",
        {"bottom_temperature"},
        only=True,
        place=Place(None, None, ("initial state",)),
    ),
    _wrong(
        "single precision in the surface's slope",
        Kind.SINGLE,
        SLOPE,
        "soil.storage[:, 0].float().to(H.dtype) + soil.conductance + H",
        {"volumetric_heat_capacity"},
        size=1e-8,
        place=Place(None, 0, ("storage",)),
    ),
)

CELLS = tuple(
    _wrong(
        f"emission {size:g} too large in one step",
        Kind.CELL,
        ROOT_CALL,
        f"surface_root(c1, {cell('c4', f'n == {CELL[workload]}', size)}, load, T[:, 0], step=n)",
        {"albedo"},
        value=True if size >= 1e-8 else None,
        workload=workload,
        size=size,
        place=Place(CELL[workload], 0, ("emission",)),
    )
    for size, workload in CELL_SIZES
)

MUTANTS = MODEL + DERIVATIVE + CELLS
