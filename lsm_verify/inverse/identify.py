"""Identifiability from the Jacobian of the tangent, scaled: `identify`.

References
----------
Transtrum, M. K., Machta, B. B., Sethna, J. P. (2011). Geometry of nonlinear least squares with
applications to sloppy models and optimization. Phys. Rev. E 83, 036701.
doi:10.1103/PhysRevE.83.036701.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Unpack

import numpy as np
from numpy.typing import NDArray

from lsm_verify.cases import Case
from lsm_verify.errors import InputError
from lsm_verify.inverse import blas
from lsm_verify.inverse.directions import describe, rank_threshold
from lsm_verify.inverse.identifiability import Bound, Identifiability
from lsm_verify.inverse.misfit import Misfit
from lsm_verify.inverse.point import Setting, Unknowns, misfit_at
from lsm_verify.inverse.space import Space
from lsm_verify.parameters import COMBINED, SEPARATE, combine
from lsm_verify.quantities import PARAMETERS

if TYPE_CHECKING:
    from torch import Tensor

Array = NDArray[np.float64]

COPIES, SEED = 4, 0
"""Copies of the point, moved by one unit in the last place, on which round-off is measured."""

SPREADS = 32.0
"""Round-off is taken as so many of the spreads on those copies: the limit within which exact
routes agree, calibrated on 1,000 drawn columns (reports/calibration.md)."""

ALONG = (1.5, 2.0)
"""Factors of β at which the curve h(1+1/β) = const is followed, away from β = 0 and -1."""


def identify(
    case: Case,
    parameters: Mapping[str, Any] | str,
    unknowns: Unknowns = None,
    **setting: Unpack[Setting],
) -> Identifiability:
    """Tell what the observations of a case say of its unknowns at a point.

    Parameters
    ----------
    case : Case
        What is modelled and observed; values of the observations do not matter here.
    parameters : mapping, or the name of a point of the case
        A value for every unknown; ``"truth"``, ``"start"``, ``"published"``.
    unknowns : names or sequence of Unknown, optional
        Default: the free parameters of the case. Ranges give the scales.
    **setting
        ``observation_error``, the standard deviation of the observations; ``priors``, information
        beside them, which enters the bounds, not the singular values; ``compose``; ``threads``:
        see `lsm_verify.inverse.point.Setting`.

    Raises
    ------
    InputError
        If a name or value is wrong, or the model has no solution at the point.

    Examples
    --------
    >>> from lsm_verify import load_case
    >>> found = identify(load_case("twin"), "truth", observation_error=0.1)
    >>> found.rank, found.directions[0].kind, found.directions[0].labels
    (5, 'structural', ('heat_transfer_coefficient', 'bowen_ratio'))
    """
    misfit, u = misfit_at(case, parameters, unknowns, **setting)
    return identified(misfit, u)


@blas.one_thread()
def identified(misfit: Misfit, u: Array) -> Identifiability:
    """Tell it of a misfit at scaled coordinates (P,), see `identify`."""
    case, compose = misfit.evaluator.case, misfit.evaluator.compose
    P, n = misfit.space.size, misfit.count
    J, L = np.split(_jacobian(misfit, u), [n])
    s = np.zeros(P)
    s[: min(n, P)] = np.linalg.svd(J, compute_uv=False)
    copies = _copies(misfit.space, u)
    spread = max(float(np.linalg.norm(_jacobian(misfit, c)[:n] - J, 2)) for c in copies)
    threshold = rank_threshold(J, float(s[0])) + SPREADS * spread
    curve = "" if compose is not None else _along_curve(misfit, u, copies)
    covariance, blind, roundoff = _inverse(np.concatenate([J, L]), threshold)
    found = Identifiability(
        case=case.name,
        title=case.title,
        space=misfit.space,
        point=misfit.space.physical(u),
        observation_error=misfit.sigma,
        count=n,
        jacobian=J,
        prior_jacobian=L,
        singular_values=s,
        threshold=threshold,
        directions=describe(misfit, J, misfit.evaluator.parametrisation(u), threshold, curve),
        covariance=covariance,
        blind=blind,
        roundoff=roundoff,
        cautions=cautions(misfit),
    )
    if compose is not None or not set(SEPARATE) <= set(misfit.space.names):
        return found
    return replace(found, combinations=_combinations(found))


def _jacobian(misfit: Misfit, u: Array) -> Array:
    """Observations' rows, then priors', (R, P)."""
    J = misfit.residuals(u)[1]
    if not np.all(np.isfinite(J)):
        raise InputError(
            f"the model has no solution with {_values(misfit.space, u)}; move the point."
        )
    return J


def _copies(space: Space, u: Array) -> list[Array]:
    """Points (P,) whose parameters are moved by one unit in the last place, up or down."""
    rng = np.random.default_rng(SEED)
    p = space.physical(u)
    ulp = np.spacing(np.abs(p)) / np.abs(space.slope(u))
    return [u + ulp * rng.choice([-1.0, 1.0], u.size) for _ in range(COPIES)]


def _inverse(A: Array, threshold: float) -> tuple[Array, Array, float]:
    """Inverse of A'A on what it sees (P, P), what it does not see (k, P), and A's round-off."""
    _, s, rows = np.linalg.svd(A, full_matrices=len(A) < A.shape[1])
    threshold = max(threshold, rank_threshold(A, float(s[0])))
    rank = int(np.count_nonzero(s > threshold))
    seen = rows[:rank] / s[:rank, None]
    return seen.T @ seen, rows[rank:], threshold


def _along_curve(misfit: Misfit, u: Array, copies: Sequence[Array]) -> str:
    """Follow h(1+1/β) = const and say by how much predictions change beside round-off."""
    space = misfit.space
    if not set(SEPARATE) <= set(space.names):
        return ""
    h, beta = (space.physical(u)[space.places[name]] for name in SEPARATE)
    if h.size != beta.size and beta.size > 1:
        return ""  # one h cannot make up for β that changes from step to step
    points = []
    for factor in ALONG:
        p = space.physical(u)
        p[space.places[SEPARATE[0]]] = h * combine(1.0, beta) / combine(1.0, factor * beta)
        p[space.places[SEPARATE[1]]] = factor * beta
        points.append(space.scaled(p))
    y = misfit.evaluator.predict(np.stack([u, *points, *copies]))[:, misfit.seen]
    change = np.max(np.abs(y[1:] - y[0]), axis=1)
    moved, noise = np.max(change[: len(points)]), np.max(change[len(points) :])
    return (
        f"with β {' and '.join(f'{f:g}' for f in ALONG)} times as large and h(1+1/β) kept, "
        f"predictions change by at most {moved:.1e} (by {noise:.1e} if every unknown is moved by "
        "one unit in the last place)"
    )


def _combinations(found: Identifiability) -> tuple[Bound, ...]:
    h, beta = (found.space.places[name] for name in SEPARATE)
    size = max(h.stop - h.start, beta.stop - beta.start)

    def combined(unknowns: dict[str, Tensor], k: int) -> Tensor:
        H: Tensor = combine(*(unknowns[name] for name in SEPARATE))
        return H.reshape(-1)[k]

    return tuple(
        found.bound_of(
            COMBINED + (f"[{k}]" if size > 1 else ""),
            lambda unknowns, k=k: combined(unknowns, k),  # type: ignore[misc]
            PARAMETERS[COMBINED].unit,
        )
        for k in range(size)
    )


def cautions(misfit: Misfit) -> tuple[str, ...]:
    """Say what the numbers of observations and unknowns tell without a run of the model."""
    found = []
    if misfit.count < misfit.space.size:
        found.append(
            f"{misfit.count} observations for {misfit.space.size} unknowns: at least "
            f"{misfit.space.size - misfit.count} directions cannot be seen"
        )
    for s, values, seen in zip(
        misfit.evaluator.case.observations.series, misfit.values, misfit.seen, strict=True
    ):
        kept = values[seen]
        if kept.size > 1 and np.ptp(kept) == 0:
            found.append(
                f"{s.label} is {kept[0]:g} in all of its {kept.size} values: it never moves, so "
                "an estimate from it would describe the sensor; check the record"
            )
    return tuple(found)


def _values(space: Space, u: Array) -> str:
    pairs = zip(space.labels[:4], space.physical(u), strict=False)
    return ", ".join(f"{label}={p:g}" for label, p in pairs)
