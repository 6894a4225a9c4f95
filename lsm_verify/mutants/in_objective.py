"""Errors in the predicted observations and in the objective, of the torch model and the oracle."""

from __future__ import annotations

from lsm_verify.mutants.mutant import (
    ALL,
    ORACLE,
    SHORT_LAYERED,
    SIZES,
    Kind,
    Part,
    Place,
    Site,
    planting,
)

OBSERVE, FORWARD = "lsm_verify.models.observe", "lsm_reference.forward"

SUM = Site(OBSERVE, "score", "(w * r * r).sum(dim=(1, 2))", "(r * (w * r)).flip(2).sum(dim=(1, 2))")
MEAN = Site(
    OBSERVE,
    "score",
    "total / w.sum(dim=(1, 2))",
    "total / w.flip(1, 2).sum(dim=2).sum(dim=1)",
)
TEMPERATURE = Site(
    OBSERVE,
    "predict",
    'torch.einsum("bsn,bn->bs", T, _weights(batch, k, T, midpoints=False))',
    "(T @ _weights(batch, k, T, midpoints=False)[..., None])[..., 0]",
)
LONGWAVE = Site(OBSERVE, "longwave_up", "T[..., 0] ** 4", "(T[..., 0] * T[..., 0]) ** 2")
TURBULENT = Site(
    OBSERVE,
    "turbulent_flux",
    "columns.H * (T[:, 1:, 0] - columns.Tair)",
    "-columns.H * (columns.Tair - T[:, 1:, 0])",
)
FLUX = Site(
    OBSERVE,
    "downward_flux",
    "g * (T[..., :-1] - T[..., 1:])",
    "(T[..., 1:] - T[..., :-1]) * -g",
)
ORACLE_SLOPE = Site(FORWARD, "score_slope", "2 * w * d / mass", "d / mass * w * 2")
ORACLE_RESIDUAL = Site(
    FORWARD,
    "score_slope",
    "y[k, n] - sight.values[k, n]",
    "-(sight.values[k, n] - y[k, n])",
)
ORACLE_SUM = Site(FORWARD, "score", "total + w * d * d", "d * (d * w) + total")
ORACLE_MASS = Site(FORWARD, "score", "total / mass", "total * 3 / mass / 3")

TORCH = frozenset({"autograd"})
BY_SLOPE = frozenset({"adjoint", "tangent"})
"""Routes that use the oracle's ∂J/∂y."""


_wrong = planting(Part.OBJECTIVE, *TORCH)

OBJECTIVE = Place(None, None, ("objective",))
OBSERVED = Place(None, None, ("observation",))

SCORES = (
    _wrong(
        "too large by a constant",
        Kind.FACTOR,
        SUM,
        "1 + (w * r * r).sum(dim=(1, 2))",
        set(),
        only=True,
        value=True,
    ),
    _wrong(
        "without its weights",
        Kind.WEIGHTS,
        SUM,
        "(r * r).sum(dim=(1, 2))",
        {"albedo"},
        value=True,
        workload=SHORT_LAYERED,
        place=OBJECTIVE,
    ),
    _wrong(
        "weights squared",
        Kind.WEIGHTS,
        SUM,
        "(w * w * r * r).sum(dim=(1, 2))",
        {"albedo"},
        value=True,
        workload=SHORT_LAYERED,
        place=OBJECTIVE,
    ),
    _wrong(
        "divided by the number of values, not by their weight",
        Kind.NORM,
        MEAN,
        "total / w[0].numel()",
        {"albedo"},
        value=True,
        workload=SHORT_LAYERED,
        place=OBJECTIVE,
    ),
    _wrong(
        "initial state left out",
        Kind.DROPPED,
        SUM,
        "(w * r * r)[:, :, 1:].sum(dim=(1, 2))",
        {"bottom_temperature"},
        only=True,
        value=True,
        place=OBJECTIVE,
    ),
    _wrong(
        "observed one state late",
        Kind.LATE,
        TEMPERATURE,
        'torch.einsum("bsn,bn->bs", T.roll(1, 1), _weights(batch, k, T, midpoints=False))',
        ALL,
        value=True,
        place=OBSERVED,
    ),
    _wrong(
        "longwave of the node below",
        Kind.NODE,
        LONGWAVE,
        "T[..., 1] ** 4",
        {"albedo"},
        value=True,
        workload=SHORT_LAYERED,
        place=OBSERVED,
    ),
    _wrong(
        "turbulent flux of the state before",
        Kind.LATE,
        TURBULENT,
        "columns.H * (T[:, :-1, 0] - columns.Tair)",
        {"albedo", "turbulent_transfer_coefficient"},
        value=True,
        workload=SHORT_LAYERED,
        place=OBSERVED,
    ),
    _wrong(
        "sign of the soil heat flux",
        Kind.SIGN,
        FLUX,
        "g * (T[..., 1:] - T[..., :-1])",
        {"thermal_conductivity"},
        value=True,
        workload=SHORT_LAYERED,
        place=OBSERVED,
    ),
)

SLOPES = (
    _wrong(
        "half of the oracle's slope",
        Kind.FACTOR,
        ORACLE_SLOPE,
        "w * d / mass",
        ALL,
        BY_SLOPE,
        place=OBJECTIVE,
    ),
    _wrong(
        "oracle's slope without weights",
        Kind.WEIGHTS,
        ORACLE_SLOPE,
        "2 * d / mass",
        {"albedo"},
        BY_SLOPE,
        workload=SHORT_LAYERED,
        place=OBJECTIVE,
    ),
    _wrong(
        "oracle's slope a value late",
        Kind.LATE,
        ORACLE_RESIDUAL,
        "y[k, n] - sight.values[k, max(n - 1, 0)]",
        ALL,
        BY_SLOPE,
        place=OBJECTIVE,
    ),
    _wrong(
        "oracle's sum not divided",
        Kind.NORM,
        ORACLE_MASS,
        "total",
        ALL,
        ORACLE,  # by its value; by its gradient, complex step alone
        value=True,
        place=OBJECTIVE,
    ),
    _wrong(
        "one cell of the oracle's slope 1e-06 too large",
        Kind.CELL,
        ORACLE_SLOPE,
        "(1 + 1e-6 * (n == 11 and k == 0)) * (2 * w * d / mass)",
        {"albedo"},
        BY_SLOPE,
        size=1e-6,
        place=Place(None, None, ("objective",)),
    ),
    _wrong(
        "one cell of the oracle's sum 1e-06 too large",
        Kind.CELL,
        ORACLE_SUM,
        "total + (1 + 1e-6 * (n == 11 and k == 0)) * (w * d * d)",
        {"albedo"},
        ORACLE,  # by its value; by its gradient, complex step alone
        value=True,
        size=1e-6,
        place=Place(None, None, ("objective",)),
    ),
)

CELLS = tuple(
    _wrong(
        f"one cell {size:g} too large",
        Kind.CELL,
        SUM,
        f"(w * r * r).sum(dim=(1, 2)) + {size!r} * (w * r * r)[:, 0, 11:12].sum(1)",
        {"albedo"},
        value=True if size >= 1e-8 else None,
        size=size,
        place=Place(None, None, ("objective",)),
    )
    for size in SIZES
)

MUTANTS = SCORES + SLOPES + CELLS
