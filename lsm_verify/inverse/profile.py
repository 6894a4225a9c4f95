"""Profile likelihood: one unknown held at a value, the others fitted again.

References
----------
Raue, A. et al. (2009). Structural and practical identifiability analysis of partially observed
dynamical models by exploiting the profile likelihood. Bioinformatics 25, 1923-1929.
doi:10.1093/bioinformatics/btp358.
Wilks, S. S. (1938). The large-sample distribution of the likelihood ratio for testing composite
hypotheses. Ann. Math. Stat. 9, 60-62. doi:10.1214/aoms/1177732360.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Unpack

import numpy as np
from numpy.typing import NDArray

from lsm_verify.cases import Case
from lsm_verify.errors import InputError, unknown
from lsm_verify.inverse.identify import identified
from lsm_verify.inverse.local import fit
from lsm_verify.inverse.misfit import Misfit
from lsm_verify.inverse.point import Setting, Unknowns, misfit_at
from lsm_verify.inverse.space import Space
from lsm_verify.inverse.walk import BOUND, CROSSED, OPEN, End, Kind, Walk, grid_of
from lsm_verify.validation import whole

Array = NDArray[np.float64]

POINTS = 9
"""Values on either side of the estimate."""

LEVEL = 0.95

BETTER = 1e-2
"""By so much (in ½ χ²; 1.92 ends a 95 % interval) a held fit may fall below that of all unknowns:
their convergence. More is another optimum."""

RESTARTS = 3
"""Better optima to which a profile moves on before it gives up."""


@dataclass(frozen=True)
class Profile:
    """A profile likelihood.

    Attributes
    ----------
    name, unit : str
        The unknown, with its index if it has several.
    values : (K,) array
        At which it was held, increasing, the estimate among them.
    objective : (K,) array
        Least objective there, above that of the estimate: ½ χ²; infinite without a solution.
    others : (K, P) array
        All unknowns there, in their units.
    converged : (K,) array of bool
        Whether the others' fit has converged; where not, the objective is an upper bound.
    estimate : float
        Where the objective is least.
    deviation : float
        Gauss-Newton standard deviation there; infinite where there is none.
    level, lower, upper : float
        Interval in which the objective rises by less than half the quantile of χ² with one degree
        of freedom. An end is the bound itself where the objective stays below the quantile up to a
        bound of the unknown, and infinite where it does not rise so far.
    lower_end, upper_end : str
        How the interval ends: ``crossing`` of the quantile, ``bound``, ``open``, or
        ``no solution`` of the model beyond.
    """

    name: str
    unit: str
    values: Array
    objective: Array
    others: Array
    converged: NDArray[np.bool_]
    estimate: float
    deviation: float
    level: float
    lower: float
    upper: float
    lower_end: Kind
    upper_end: Kind

    @property
    def identifiable(self) -> bool:
        """Whether the interval has two ends, and the observations tell one of them at least.

        An interval from bound to bound, or with an open end, is no estimate.
        """
        kinds = (self.lower_end, self.upper_end)
        return CROSSED in kinds and set(kinds) <= {CROSSED, BOUND}

    def __str__(self) -> str:
        unit = "" if self.unit in ("", "1") else f" {self.unit}"
        interval = f"{self._told('lower')} to {self._told('upper')}{unit}"
        if not self.identifiable:
            return f"{self.name}: not identifiable at {100 * self.level:g} %: interval {interval}"
        return (
            f"{self.name} = {self.estimate:.6g}{unit}, {100 * self.level:g} % interval {interval} "
            f"(Gauss-Newton ± {self.deviation:.2g})"
        )

    def _told(self, side: str) -> str:
        value, kind = getattr(self, side), getattr(self, f"{side}_end")
        if kind == CROSSED:
            return f"{value:.6g}"
        if kind == BOUND:
            return f"{value:.6g} (its {side} bound)"
        return "open" if kind == OPEN else "open (the model has no solution further out)"


def profile(
    case: Case,
    name: str,
    parameters: Mapping[str, Any] | str = "start",
    unknowns: Unknowns = None,
    *,
    values: Sequence[float] | None = None,
    level: float = LEVEL,
    points: int = POINTS,
    **setting: Unpack[Setting],
) -> Profile:
    """Profile the likelihood of one unknown.

    Parameters
    ----------
    name : str
        The unknown; ``"albedo[3]"`` for one of several values.
    parameters : mapping, or the name of a point of the case
        Where the first fit starts.
    values : sequence of float, optional
        At which to hold it; default: 9 on either side, three Gauss-Newton deviations wide; over
        the range where there is no deviation.
    level : float
        Of the interval.
    points : int
        Values on either side, where none are given.
    **setting
        ``observation_error``, ``priors``, ``compose``, ``threads``, see
        `lsm_verify.inverse.point.Setting`.

    Raises
    ------
    InputError
        If a name or value is wrong, the first fit finds no solution, or one better optimum after
        another is found.

    Notes
    -----
    Each fit starts from its neighbour's, outward from the estimate. One that is better than the fit
    of all unknowns shows that this ended in a local optimum: all is then done anew from there.

    Where the estimate lies on a bound, the quantile of χ² makes the interval too wide rather than
    too narrow (Self and Liang 1987, doi:10.1080/01621459.1987.10478472).
    """
    from scipy.stats import chi2

    misfit, start = misfit_at(case, parameters, unknowns, **setting)
    space = misfit.space
    if name not in space.labels:
        raise unknown("coordinate", name, space.labels)
    if not 0 < level < 1:
        raise InputError(f"level={level} must lie between 0 and 1.")
    k = space.labels.index(name)
    count, threshold = whole("points", points, 1), float(np.sqrt(chi2.ppf(level, 1)))
    for _ in range(1 + RESTARTS):
        walk, deviation, ends = _walked(misfit, k, start, values, count, threshold)
        start, rise = walk.lowest
        if rise >= -BETTER:
            return _profile(walk, deviation, level, ends)
    raise InputError(
        f"with {name} held, {1 + RESTARTS} fits of all unknowns in a row were found to be local "
        f"optima; start from {name}={float(space.physical(start)[k]):g}, or give bounds."
    )


def _walked(
    misfit: Misfit,
    k: int,
    start: Array,
    values: Sequence[float] | None,
    points: int,
    threshold: float,
) -> tuple[Walk, float, tuple[End, End]]:
    """Fit all unknowns, walk along coordinate k, and find the ends of the interval.

    With the walk: the Gauss-Newton deviation, scaled.
    """
    best, least, settled = fit(misfit, start)
    deviation = identified(misfit, best).deviation(np.eye(misfit.space.size)[k])
    grid = grid_of(misfit.space, k, best, deviation, values, points)
    walk = Walk(misfit, k, best, least, settled)
    walk.out(grid[grid > best[k]])
    walk.out(grid[grid < best[k]][::-1])
    lower, upper = (walk.end(sign, threshold, deviation) for sign in (-1.0, 1.0))
    return walk, deviation, (lower, upper)


def _profile(walk: Walk, deviation: float, level: float, ends: tuple[End, End]) -> Profile:
    """Put a walk into the parameter's unit."""
    space, k, best = walk.misfit.space, walk.k, walk.best
    kept = sorted(walk.found)
    physical = space.physical(np.stack([walk.found[value] for value in kept]))
    lower, upper = (_physical(space, best, k, end) for end in ends)
    return Profile(
        name=space.labels[k],
        unit=space.units[k],
        values=physical[:, k],
        objective=np.array([walk.rise[value] for value in kept]),
        others=physical,
        converged=np.array([walk.converged[value] for value in kept]),
        estimate=float(space.physical(best)[k]),
        deviation=float(deviation * abs(space.slope(best)[k])),
        level=level,
        lower=lower,
        upper=upper,
        lower_end=ends[0].kind,
        upper_end=ends[1].kind,
    )


def _physical(space: Space, best: Array, k: int, end: End) -> float:
    """Return an end in the parameter's unit; that at a bound without the rounding of scaling."""
    if end.kind == BOUND:
        low = end.value <= space.box[0][k]
        return float(space.least[k] if low else space.most[k])
    if not np.isfinite(end.value):
        return end.value
    u = best.copy()
    u[k] = end.value
    return float(space.physical(u)[k])
