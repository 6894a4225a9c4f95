"""Errors in the chain rule from public parameters to the column, and in its transpose."""

from __future__ import annotations

from lsm_verify.mutants.mutant import (
    ALL,
    SEALED_KNOTS,
    SHORT_LAYERED,
    Kind,
    Part,
    Place,
    Site,
    planting,
)

MODULE = "lsm_reference.parameters"
BACK, TANGENT = "pull_back", "expand_tangent"

H_BY_H = Site(MODULE, BACK, "(1 + 1 / beta) * bar.H", "bar.H + bar.H / beta")
H_BY_BETA = Site(MODULE, BACK, "-h / beta**2 * bar.H", "-(h * bar.H) / beta / beta")
TIED = Site(MODULE, BACK, "Tb[0] += np.sum(bar.T0)", "Tb[0] += np.sum(bar.T0[::-1])")
CONDUCTIVITY = Site(MODULE, BACK, "bar.lam", "bar.lam * 3 / 3")
CAPACITY = Site(MODULE, BACK, "bar.C", "3 * bar.C / 3")
GATHERED = Site(MODULE, "gather", "np.sum(bar)", "np.sum(np.atleast_1d(bar)[::-1])")
GATHERED_KNOTS = Site(
    MODULE,
    "gather",
    "hats(problem, name).T.dot(bar)",
    "(bar[:, None] * hats(problem, name)).sum(axis=0)",
)
H_CHANGE = Site(
    MODULE,
    TANGENT,
    "(1 + 1 / beta) * dh - h / beta**2 * dbeta",
    "dh + (dh - dbeta / beta * h) / beta",
)

CHAIN = Place(None, None, ("chain rule",))

# Given per interface or node, a parameter is its own canonical form: nothing but the sum over
# steps stands between the adjoint states and the gradient, and either may be wrong.
CHAIN_OR_CONDUCTION = Place(None, None, ("chain rule", "conduction up", "conduction down"))
CHAIN_OR_STORAGE = Place(None, None, ("chain rule", "storage"))


_wrong = planting(Part.CHAIN_RULE, "adjoint", only=True, place=CHAIN)

MUTANTS = (
    _wrong("sign of β", Kind.SIGN, H_BY_BETA, "h / beta**2 * bar.H", {"bowen_ratio"}),
    _wrong("power of β", Kind.CHAIN, H_BY_BETA, "-h / beta * bar.H", {"bowen_ratio"}),
    _wrong(
        "h by β instead of its inverse",
        Kind.CHAIN,
        H_BY_H,
        "(1 + beta) * bar.H",
        {"heat_transfer_coefficient"},
    ),
    _wrong(
        "h by the rule of β",
        Kind.CHAIN,
        H_BY_H,
        "-h / beta**2 * bar.H",
        {"heat_transfer_coefficient"},
    ),
    _wrong(
        "h per step by the rule of β",
        Kind.CHAIN,
        H_BY_H,
        "-h / beta**2 * bar.H",
        {"heat_transfer_coefficient"},
        workload=SEALED_KNOTS,
    ),
    _wrong(
        "tied start forgotten",
        Kind.BOUNDARY,
        TIED,
        "pass",
        {"bottom_temperature"},
        place=Place(None, None, ("initial state", "chain rule")),
    ),
    _wrong(
        "tied start of the surface alone",
        Kind.DROPPED,
        TIED,
        "Tb[0] += bar.T0[0]",
        {"bottom_temperature"},
        place=Place(None, None, ("initial state", "chain rule")),
    ),
    _wrong(
        "mean instead of sum for one number",
        Kind.NORM,
        GATHERED,
        "np.mean(bar)",
        ALL,
        only=False,
    ),
    _wrong(
        "last value left out for one number",
        Kind.DROPPED,
        GATHERED,
        "np.sum(np.atleast_1d(bar)[:-1])",
        {"albedo"},
        only=False,
    ),
    _wrong(
        "λ upside down",
        Kind.NODE,
        CONDUCTIVITY,
        "bar.lam[::-1]",
        {"thermal_conductivity"},
        workload=SHORT_LAYERED,
        place=CHAIN_OR_CONDUCTION,
    ),
    _wrong(
        "C by one node down",
        Kind.NODE,
        CAPACITY,
        "np.roll(bar.C, 1)",
        {"volumetric_heat_capacity"},
        workload=SHORT_LAYERED,
        place=CHAIN_OR_STORAGE,
    ),
    _wrong(
        "C by the initial temperature's rule",
        Kind.CHAIN,
        CAPACITY,
        "bar.T0",
        {"volumetric_heat_capacity"},
        workload=SHORT_LAYERED,
        place=CHAIN_OR_STORAGE,
    ),
    _wrong(
        "knots backward in time",
        Kind.STEP,
        GATHERED_KNOTS,
        "hats(problem, name).T.dot(bar[::-1])",
        {"albedo"},
        workload=SEALED_KNOTS,
    ),
    _wrong(
        "knots take the next step's share",
        Kind.STEP,
        GATHERED_KNOTS,
        "hats(problem, name).T.dot(np.roll(bar, 1))",
        {"albedo"},
        workload=SEALED_KNOTS,
    ),
    _wrong(
        "sign of β in the tangent",
        Kind.SIGN,
        H_CHANGE,
        "(1 + 1 / beta) * dh + h / beta**2 * dbeta",
        {"bowen_ratio"},
        {"tangent"},
    ),
    _wrong(
        "power of β in the tangent",
        Kind.CHAIN,
        H_CHANGE,
        "(1 + 1 / beta) * dh - h / beta * dbeta",
        {"bowen_ratio"},
        {"tangent"},
    ),
)
