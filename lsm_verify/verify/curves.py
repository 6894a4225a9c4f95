"""Curves of differences and remainders, read from the ladders that the checks have climbed."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from lsm_verify.verify import finite_difference, taylor
from lsm_verify.verify.differences import Estimate, extrapolated
from lsm_verify.verify.directions import lengths
from lsm_verify.verify.evidence import DifferenceCurve, TaylorCurve, rounded
from lsm_verify.verify.lines import Lines
from lsm_verify.verify.target import Target

MOST_PARAMETERS = 9
"""Curves of differences per point and objective: as many as fit a figure; the worst first."""

MOST_DIRECTIONS = 3
"""Directions that are shown of each gradient: the one whose rate is farthest off, and others."""

Array = NDArray[np.float64]


def of_differences(
    found: Estimate,
    index: int,
    gradients: Mapping[str, Array],
    norm: float,
    *,
    point: str,
    tolerance: float,
) -> list[DifferenceCurve]:
    """One curve per parameter: of its worst number in units of what is allowed."""
    along = found.along
    claims = {name: along.rows @ gradient for name, gradient in gradients.items()}
    allowed = np.min(
        [finite_difference.allowed_error(found, c, norm, tolerance) for c in claims.values()],
        axis=0,
    )
    with np.errstate(invalid="ignore", divide="ignore"):
        off = np.max([np.abs(c - found.value[index]) for c in claims.values()], axis=0)
        error = (off + found.uncertainty[index]) / allowed
    error = np.where(np.isnan(error), np.inf, error)
    worst = [
        max(
            (j for j, owner in enumerate(along.owner) if owner == name),
            key=lambda j: (error[j], abs(found.value[index, j])),
        )
        for name in found.target.names
    ]
    shown = sorted(worst, key=lambda j: -error[j])[:MOST_PARAMETERS]
    return [
        _difference(
            found,
            index,
            j,
            {name: float(claim[j]) for name, claim in claims.items()},
            point=point,
            allowed=float(allowed[j]),
            norm=norm,
        )
        for j in shown
    ]


def _difference(
    found: Estimate,
    index: int,
    j: int,
    claimed: Mapping[str, float],
    *,
    point: str,
    allowed: float,
    norm: float,
) -> DifferenceCurve:
    """Bring a ladder along one direction to units of the scale."""
    target, along = found.target, found.along
    size, number = float(along.size[j]), int(along.component[j])
    steps, plus, minus = found.rungs[j]
    noise = float(found.noise[index, j])
    with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
        slopes = (plus[index] - minus[index]) / (2 * steps * size)
    _, _, window = extrapolated(steps, plus[index], minus[index], noise)
    alike = [k for k, owner in enumerate(along.owner) if owner == along.owner[j]]
    return DifferenceCurve(
        point=point,
        objective=target.objectives[index],
        parameter=along.owner[j],
        component=target.labels[number][1] if number >= 0 else (),
        direction=None if number >= 0 else alike.index(j),
        steps=tuple(rounded(steps * size)),
        # All digits: a figure shows the small difference of two of these.
        slopes=tuple(slopes.tolist()),
        noise=noise,
        estimate=float(found.value[index, j]) / size,
        uncertainty=float(found.uncertainty[index, j]) / size,
        window=tuple(rounded(np.array(window) * size)),
        claimed={name: claim / size for name, claim in claimed.items()},
        allowed=allowed / size,
        norm=norm,
        kinked=found.kinks[index][j] is not None,
    )


def of_remainders(
    target: Target,
    lines: Lines,
    index: int,
    gradients: Mapping[str, Array],
    norm: float,
    *,
    point: str,
    tolerance: float,
) -> list[TaylorCurve]:
    """Remainders of the first gradient, and of the worst one whose rate is not that of a right."""
    off = {name: _off(lines, index, gradient) for name, gradient in gradients.items()}
    first, worst = next(iter(off)), max(off, key=lambda name: float(np.max(off[name])))
    names = [first, worst] if float(np.max(off[worst])) > taylor.WIDTH else [first]
    allowed = tolerance * norm * lengths(target, lines.rows)
    curves = []
    for name in dict.fromkeys(names):
        shown = np.argsort(-off[name], kind="stable")[:MOST_DIRECTIONS]
        for k in sorted(shown.tolist()):
            steps, plus, minus = lines.ladders[k]
            slope = float(lines.rows[k] @ gradients[name])
            found = taylor.along_line(lines, index, k, gradients[name])
            with np.errstate(invalid="ignore", over="ignore"):
                size = np.abs(plus[index] - minus[index] - 2 * steps * slope)
            curves.append(
                TaylorCurve(
                    point=point,
                    objective=target.objectives[index],
                    route=name,
                    direction=k,
                    steps=tuple(rounded(steps)),
                    remainder=tuple(rounded(size)),
                    noise=float(lines.noise[index, k]),
                    rate=None if np.isnan(found.rate) else float(found.rate),
                    window=tuple(rounded(np.array(found.window))),
                    allowed=float(allowed[k]),
                    kinked=lines.kinks[index][k] is not None,
                )
            )
    return curves


def _off(lines: Lines, index: int, gradient: Array) -> Array:
    """Distance of every direction's rate from three; zero where there is none."""
    found = (taylor.along_line(lines, index, k, gradient) for k in range(len(lines.rows)))
    return np.array([0.0 if np.isnan(r.rate) else abs(r.rate - taylor.ORDER) for r in found])
