"""Directions in the space of unknowns that observations see badly or not at all, in words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lsm_verify.inverse.misfit import Misfit
from lsm_verify.inverse.space import Space
from lsm_verify.parameters import SEPARATE
from lsm_verify.quantities import OBSERVABLES

Array = NDArray[np.float64]

NO_EFFECT, STRUCTURAL, UNSEEN, WEAK, SEEN = "no effect", "structural", "unseen", "weak", "seen"
"""No effect: an unknown moves no prediction. Structural: a combination of unknowns moves nothing
that the model reads, whatever is observed. Unseen: a combination that these observations do not
see. Weak: they say less of it than the prior range, s < 1. Seen: the worst of what they see."""

EPSILON = float(np.finfo(np.float64).eps)

HALF = 0.5
"""Between cosines that are 1 and those that are 0."""

NAMED_SHARE, NAMED_MOST = 0.05, 4
"""Components of a direction that are named: of at least this share of the largest, at most so
many. For reading only; the vector has them all."""

TOLD_MOST = 3
"""Directions of a kind that are told one by one; unseen ones beyond are told as one group."""


@dataclass(frozen=True)
class Direction:
    """One direction, or several of one kind, in scaled coordinates.

    Attributes
    ----------
    kind : str
        See `NO_EFFECT` and its neighbours.
    basis : (k, P) array
        Orthonormal rows.
    singular_value : float
        Largest ‖J v‖ over them: change of predictions in units of the observation error for one
        prior standard deviation.
    relative : float
        The same in units of the largest singular value.
    labels : tuple of str
        Unknowns that take part.
    words : str
        All of that, to be read.
    """

    kind: str
    basis: Array
    singular_value: float
    relative: float
    labels: tuple[str, ...]
    words: str


def null_space(matrix: Array, threshold: float) -> Array:
    """Orthonormal rows (k, P) that a matrix (M, P) maps to at most ``threshold``."""
    if not matrix.size:
        return np.eye(matrix.shape[1])
    _, s, rows = np.linalg.svd(matrix, full_matrices=matrix.shape[0] < matrix.shape[1])
    return np.asarray(rows[int(np.count_nonzero(s > threshold)) :])


def rank_threshold(matrix: Array, largest: float) -> float:
    """max(m, n) ε s_max, the backward error of a computed singular value decomposition.

    References
    ----------
    Golub, G. H., Van Loan, C. F. (2013). Matrix Computations, 4th ed., section 5.4.1.
    """
    return float(max(matrix.shape)) * EPSILON * largest


def without(basis: Array, known: Array) -> Array:
    """Rows of what a null space (k, P) holds beside known directions (j, P) in it."""
    if not len(known) or not len(basis):
        return basis
    inside = known @ basis.T  # (j, k): the known ones lie in the null space: cosines are 1, or 0
    _, s, rows = np.linalg.svd(inside)
    return np.asarray(rows[int(np.count_nonzero(s > HALF)) :] @ basis)


def structural(parametrisation: Array, columns: NDArray[np.bool_]) -> Array:
    """Orthonormal rows (k, P) that move nothing that the model reads.

    ``columns`` (P,) tells which unknowns are looked at. Rows of the parametrisation's derivatives
    (M, P) have units of their own and are brought to one length.
    """
    length = np.linalg.norm(parametrisation, axis=1)
    rows = parametrisation[length > 0][:, columns] / length[length > 0, None]
    largest = float(np.linalg.norm(rows, 2)) if rows.size else 0.0
    found = null_space(rows, rank_threshold(rows, largest) if rows.size else 0.0)
    full = np.zeros((len(found), columns.size))
    full[:, columns] = found
    return full


def describe(
    misfit: Misfit,
    J: Array,
    parametrisation: Array,
    threshold: float,
    curve: str,
) -> tuple[Direction, ...]:
    """Return all directions worth telling, the unseen ones first.

    Parameters
    ----------
    J : (R, P) array
        Derivatives of the weighted observations by scaled coordinates.
    parametrisation : (M, P) array
        See `Evaluator.parametrisation`.
    threshold : float
        Round-off of J in the spectral norm: what lies below is zero.
    curve : str
        What was found along h(1+1/β) = const, to be told with that direction.
    """
    space = misfit.space
    _, s, rows = np.linalg.svd(J, full_matrices=len(J) < J.shape[1])
    largest = float(s[0]) if s.size else 0.0
    rank = int(np.count_nonzero(s > threshold))
    silent = np.linalg.norm(J, axis=0) <= threshold
    found = _no_effect(space, J, silent, largest)
    transfer = np.repeat(
        [u.name in SEPARATE for u in space.unknowns], [u.size for u in space.unknowns]
    )
    alike = structural(parametrisation, ~silent & transfer if curve else ~silent & False)
    other = without(structural(parametrisation, ~silent), alike)
    found += _same(space, J, alike, largest, curve) + _same(space, J, other, largest, "")
    known = np.concatenate([np.eye(space.size)[silent], alike, other])
    left = without(rows[rank:], known)
    found += _unseen(space, J, left, largest)
    weak = int(np.count_nonzero(s[:rank] < 1))
    for k in range(rank - 1, max(rank - 1 - TOLD_MOST, rank - 1 - weak, -1), -1):
        found.append(_weak(misfit, J, rows[k], largest, weak))
    if rank and not weak:
        words = f"{_moved(space, rows[rank - 1])}: {_change(misfit, J, rows[rank - 1])}"
        found.append(_direction(space, SEEN, rows[rank - 1 : rank], J, largest, words))
    return tuple(found)


def _direction(
    space: Space, kind: str, basis: Array, J: Array, largest: float, words: str
) -> Direction:
    size = float(np.linalg.norm(J @ basis.T, 2))
    share = np.max(np.abs(basis), axis=0)
    part = np.flatnonzero(share > NAMED_SHARE * np.max(share))
    relative = size / largest if largest else 0.0
    return Direction(kind, basis, size, relative, tuple(space.labels[k] for k in part), words)


def _unseen(space: Space, J: Array, left: Array, largest: float) -> list[Direction]:
    if len(left) <= TOLD_MOST:
        return [
            _direction(
                space,
                UNSEEN,
                row[None],
                J,
                largest,
                f"{_moved(space, row)}: these observations do not see it; not identifiable",
            )
            for row in left
        ]
    part = np.linalg.norm(left, axis=0)
    names = [u.name for u in space.unknowns if np.max(part[space.places[u.name]]) > NAMED_SHARE]
    words = f"{len(left)} combinations of {_and(names)}: these observations do not see them"
    return [_direction(space, UNSEEN, left, J, largest, f"{words}; not identifiable")]


def _weak(misfit: Misfit, J: Array, row: Array, largest: float, count: int) -> Direction:
    words = f"{_moved(misfit.space, row)}: {_change(misfit, J, row)}"
    words += "; the observations say less of this than the prior range"
    if count > 1:
        words += f" (one of {count} such directions)"
    return _direction(misfit.space, WEAK, row[None], J, largest, words)


def _no_effect(
    space: Space, J: Array, silent: NDArray[np.bool_], largest: float
) -> list[Direction]:
    found = []
    for u in space.unknowns:
        which = np.flatnonzero(silent[space.places[u.name]])
        if not which.size:
            continue
        where = f" at {which.size} of {u.size} indices ({_ranges(which)})" if u.shape else ""
        words = f"{u.name}{where} has no effect on any observation: not identifiable"
        basis = np.eye(space.size)[space.places[u.name].start + which]
        found.append(_direction(space, NO_EFFECT, basis, J, largest, words))
    return found


def _same(space: Space, J: Array, same: Array, largest: float, curve: str) -> list[Direction]:
    if not len(same):
        return []
    size = float(np.linalg.norm(J @ same.T, 2))
    part = np.max(np.abs(same), axis=0)
    names = [u.name for u in space.unknowns if np.max(part[space.places[u.name]]) > NAMED_SHARE]
    times = f" ({len(same)} directions)" if len(same) > 1 else ""
    combination = "h(1+1/β)" if curve else "fewer combinations than they are"
    words = (
        f"{' and '.join(names)} only through {combination}{times}: no observation of this model "
        f"can tell them apart; singular value {size / largest if largest else 0:.1e} of the largest"
    )
    words += f"; {curve}" if curve else ""
    return [_direction(space, STRUCTURAL, same, J, largest, words)]


def _moved(space: Space, vector: Array) -> str:
    """Name the largest components of a direction, the largest as one standard deviation."""
    v = vector / vector[int(np.argmax(np.abs(vector)))]
    order = np.argsort(-np.abs(v), kind="stable")
    kept = [int(k) for k in order[:NAMED_MOST] if abs(v[k]) >= NAMED_SHARE]
    parts: dict[str, list[str]] = {"raise": [], "lower": []}
    for k in kept:
        parts["raise" if v[k] > 0 else "lower"].append(f"{space.labels[k]} by {abs(v[k]):.2g}")
    text = ", ".join(f"{verb} {_and(names)}" for verb, names in parts.items() if names)
    most = float(np.max(np.delete(np.abs(v), kept), initial=0.0))
    rest = f" (others by at most {most:.1g})" if most >= NAMED_SHARE / 10 else ""
    return f"{text} prior standard deviation{'s' if len(kept) > 1 else ''}{rest}"


def _change(misfit: Misfit, J: Array, vector: Array) -> str:
    """Root mean square change of predictions, in every unit that is observed, to first order."""
    v = vector / vector[int(np.argmax(np.abs(vector)))]
    dy = (J / np.sqrt(misfit.weights[misfit.seen])[:, None]) @ v
    series = misfit.evaluator.case.observations.series
    units = np.array([OBSERVABLES[s.kind].unit for s in series])
    unit = units[np.nonzero(misfit.seen)[0]]
    parts = [f"{np.sqrt(np.mean(dy[unit == u] ** 2)):.2g} {u}" for u in dict.fromkeys(unit)]
    return f"predictions change by {' and '.join(parts)} (root mean square, to first order)"


def _and(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def _ranges(which: NDArray[np.intp]) -> str:
    """Write indices as runs: 0-6, 21-30."""
    runs = np.split(which, np.flatnonzero(np.diff(which) > 1) + 1)
    return ", ".join(f"{r[0]}-{r[-1]}" if r.size > 1 else f"{r[0]}" for r in runs)
