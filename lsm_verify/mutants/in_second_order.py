"""Errors that leave every gradient right: in products with the Hessian, and between two calls."""

from __future__ import annotations

from lsm_verify.mutants import in_torch
from lsm_verify.mutants.mutant import SHORT_LAYERED, SMALL_TWIN, Kind, Mutant, Part, Site

MODULE = "lsm_reference.second_order"
STEP, RUN = "adjoint_tangent_step", "adjoint_tangent_run"

CURVATURE = Site(
    MODULE,
    STEP,
    "4 * SIGMA * x * x * (d.eps * x + 3 * column.eps * dx)",
    "SIGMA * (x * x) * (4 * x * d.eps + dx * 12 * column.eps)",
)
STORED = Site(
    MODULE,
    STEP,
    "dmu[i] * (new[i] - old[i]) + mu[i] * (dnew[i] - dold[i])",
    "mu[i] * dnew[i] - mu[i] * dold[i] - dmu[i] * (old[i] - new[i])",
)
HANDED_ON = Site(
    MODULE,
    STEP,
    "dstates[n, i] += ds[i] * mu[i] + s[i] * dmu[i]",
    "dstates[n, i] += s[i] * dmu[i] + mu[i] * ds[i]",
)
BOTTOM = Site(
    MODULE,
    STEP,
    "dstates[n + 1, N] + dg[N - 1] * mu[N - 1] + g[N - 1] * dmu[N - 1]",
    "mu[N - 1] * dg[N - 1] + (dmu[N - 1] * g[N - 1] + dstates[n + 1, N])",
)
BETA = Site(
    "lsm_reference.parameters",
    "pull_back_tangent",
    "(2 * h * dbeta / beta - dh) / beta**2 * bar.H",
    "bar.H / beta * (2 * h * dbeta / beta - dh) / beta",
)


def _wrong(
    name: str,
    kind: Kind,
    site: Site,
    new: str,
    *culprits: str,
    workload: str = SMALL_TWIN,
) -> Mutant:
    return Mutant(
        f"second order: {name}",
        Part.SECOND_ORDER,
        kind,
        site,
        new,
        frozenset(culprits),
        value=None,
        workload=workload,
        full=True,
    )


MUTANTS = (
    _wrong(
        "one differentiable step at torch's root",
        Kind.DETACHED,
        in_torch.ROOT_STEPS,
        "range(1)",
    ),
    _wrong(
        "curvature of the emission by a quarter too little",
        Kind.FACTOR,
        CURVATURE,
        "3 * SIGMA * x * x * (d.eps * x + 3 * column.eps * dx)",
    ),
    _wrong(
        "change of the stored heat dropped",
        Kind.DROPPED,
        STORED,
        "dmu[i] * (new[i] - old[i])",
    ),
    _wrong(
        "storage not changed on the way back",
        Kind.STALE,
        HANDED_ON,
        "dstates[n, i] += s[i] * dmu[i]",
        workload=SHORT_LAYERED,
    ),
    _wrong(
        "bottom's conductance not changed",
        Kind.BOUNDARY,
        BOTTOM,
        "dstates[n + 1, N] + g[N - 1] * dmu[N - 1]",
        workload=SHORT_LAYERED,
    ),
    _wrong(
        "sign of the second derivative by β",
        Kind.CHAIN,
        BETA,
        "(-2 * h * dbeta / beta - dh) / beta**2 * bar.H",
    ),
    _wrong(
        "torch's answer is not repeatable",
        Kind.NOISE,
        in_torch.SLOPE,
        "soil.storage[:, 0] + soil.conductance + H * (1 + 1e-6 * torch.rand(()))",
        "autograd",
    ),
)
