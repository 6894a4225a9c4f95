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
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from lsm_verify.cases import Case
from lsm_verify.errors import InputError, unknown
from lsm_verify.inverse.evaluate import Compose
from lsm_verify.inverse.identify import identified
from lsm_verify.inverse.local import least_squares
from lsm_verify.inverse.misfit import Misfit
from lsm_verify.inverse.outcome import CONVERGED, Outcomes
from lsm_verify.inverse.point import Unknowns, misfit_at
from lsm_verify.inverse.priors import Prior
from lsm_verify.inverse.space import Space
from lsm_verify.validation import vector, whole

Array = NDArray[np.float64]

POINTS, REACH = 9, 3.0
"""Values on either side of the estimate, and how many Gauss-Newton deviations they span."""

RANGE = float(np.sqrt(3.0))
"""Half of a range in units of its standard deviation: what is walked without a deviation."""

DOUBLINGS = 6
"""Steps beyond the grid in search of the interval's ends: each twice as long as the one before,
or half of the way to a bound."""

LEVEL = 0.95

SETTLED = 1e-10
"""Relative changes at which fits of noisy records stop: an estimate is off by less than 1e-6 of its
deviation as long as that is above 1e-4 of the scale, with a third of the steps to round-off."""

BETTER = 1e-2
"""By so much (in ½ χ²; 1.92 ends a 95 % interval) a held fit may fall below that of all unknowns:
their convergence. More is another optimum."""

CROSSING = 1e-6
"""To which part of a deviation the ends of the interval are found."""


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
        of freedom; infinite where it does not rise so far between the bounds.
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

    @property
    def identifiable(self) -> bool:
        """Whether the interval has two ends."""
        return bool(np.isfinite(self.lower) and np.isfinite(self.upper))

    def __str__(self) -> str:
        unit = "" if self.unit in ("", "1") else f" {self.unit}"
        if not self.identifiable:
            ends = [f"{x:.4g}" if np.isfinite(x) else "open" for x in (self.lower, self.upper)]
            return (
                f"{self.name}: not identifiable at {100 * self.level:g} %: interval "
                f"{ends[0]} to {ends[1]}{unit}"
            )
        return (
            f"{self.name} = {self.estimate:.6g}{unit}, {100 * self.level:g} % interval "
            f"{self.lower:.6g} to {self.upper:.6g} (Gauss-Newton ± {self.deviation:.2g})"
        )


def profile(
    case: Case,
    name: str,
    parameters: Mapping[str, Any] | str = "start",
    unknowns: Unknowns = None,
    *,
    observation_error: Any,
    values: Sequence[float] | None = None,
    level: float = LEVEL,
    priors: Sequence[Prior] = (),
    compose: Compose | None = None,
    points: int = POINTS,
    threads: int | None = None,
) -> Profile:
    """Profile the likelihood of one unknown.

    Parameters
    ----------
    name : str
        The unknown; ``"albedo[3]"`` for one of several values.
    parameters : mapping, or the name of a point of the case
        Where the first fit starts.
    observation_error : float or one per series
        Standard deviation of the observations, independent of each other.
    values : sequence of float, optional
        At which to hold it; default: 9 on either side, three Gauss-Newton deviations wide; over
        the range where there is no deviation.
    level : float
        Of the interval.
    points : int
        Values on either side, where none are given.

    Raises
    ------
    InputError
        If a name or value is wrong, or the first fit finds no solution.

    Notes
    -----
    Each fit starts from its neighbour's, outward from the estimate.
    """
    from scipy.stats import chi2

    misfit, start = misfit_at(
        case,
        parameters,
        unknowns,
        observation_error=observation_error,
        priors=priors,
        compose=compose,
        threads=threads,
    )
    space = misfit.space
    if name not in space.labels:
        raise unknown("coordinate", name, space.labels)
    if not 0 < level < 1:
        raise InputError(f"level={level} must lie between 0 and 1.")
    k = space.labels.index(name)
    best, least, settled = fit(misfit, start)
    deviation = identified(misfit, best).deviation(np.eye(space.size)[k])
    grid = _grid(space, k, best, deviation, values, whole("points", points, 1))
    walk = _Walk(misfit, k, best, least, settled)
    for side in (grid[grid > best[k]], grid[grid < best[k]][::-1]):
        walk.restart()
        for value in side:
            walk.to(float(value))
    if min(walk.rise.values()) < -BETTER:
        raise InputError(
            f"a fit with {name} held at {walk.lowest(k):g} is better than that of all unknowns "
            "from the point given, which ended in a local optimum; start from there."
        )
    threshold = float(np.sqrt(chi2.ppf(level, 1)))
    lower, upper = (walk.crossing(sign, threshold, deviation) for sign in (-1.0, 1.0))
    rows = np.stack([walk.found[value] for value in sorted(walk.found)])
    physical = space.physical(rows)
    kept = sorted(walk.found)
    return Profile(
        name=name,
        unit=space.units[k],
        values=physical[:, k],
        objective=np.array([walk.rise[value] for value in kept]),
        others=physical,
        converged=np.array([walk.converged[value] for value in kept]),
        estimate=float(space.physical(best)[k]),
        deviation=float(deviation * abs(space.slope(best)[k])),
        level=level,
        lower=_physical(space, best, k, lower),
        upper=_physical(space, best, k, upper),
    )


def fit(misfit: Misfit, start: Array) -> tuple[Array, float, bool]:
    """Fit all unknowns from a start (P,): where, the objective, and whether it has converged.

    Raises
    ------
    InputError
        If the model has no solution at the start.
    """
    outcomes = Outcomes.begin(start[None])
    least_squares(misfit, start[None], outcomes)
    if not np.isfinite(outcomes.value[0]):
        raise InputError("the model has no solution at the start of the fit; move it.")
    return outcomes.u[0], float(outcomes.value[0]), outcomes.status[0] == CONVERGED


class _Box:
    """The space of all coordinates but one."""

    def __init__(self, space: Space, kept: NDArray[np.intp]) -> None:
        low, high = space.box
        self.box = low[kept], high[kept]


class _Held:
    """A misfit of all coordinates but one; what `least_squares` asks for."""

    def __init__(self, misfit: Misfit, k: int, value: float) -> None:
        self.misfit, self.k, self.value = misfit, k, value
        self.kept = np.delete(np.arange(misfit.space.size), k)
        self.space = _Box(misfit.space, self.kept)

    def whole(self, u: Array) -> Array:
        return np.insert(u, self.k, self.value)

    def residuals(self, u: Array) -> tuple[Array, Array]:
        r, J = self.misfit.residuals(self.whole(u))
        return r, J[:, self.kept]


class _Walk:
    """Fits at values of one coordinate, each begun at the one before."""

    def __init__(self, misfit: Misfit, k: int, best: Array, least: float, settled: bool) -> None:
        self.misfit, self.k, self.best, self.least = misfit, k, best, least
        centre = float(best[k])
        self.found: dict[float, Array] = {centre: best}
        self.rise: dict[float, float] = {centre: 0.0}
        self.converged: dict[float, bool] = {centre: settled}
        self.restart()

    def restart(self) -> None:
        self.last = self.best

    def lowest(self, k: int) -> float:
        """Value of the unknown at which the objective was least."""
        value = min(self.rise, key=self.rise.__getitem__)
        return float(self.misfit.space.physical(self.found[value])[k])

    def to(self, value: float) -> float:
        """Rise of the objective where the coordinate is held at ``value``."""
        held = _Held(self.misfit, self.k, value)
        begin = self.last[held.kept][None]
        outcomes = Outcomes.begin(begin)
        if held.kept.size:
            least_squares(cast("Misfit", held), begin, outcomes, tolerance=SETTLED)
        else:
            r = self.misfit.residuals(np.array([value]))[0]
            outcomes.value[0], outcomes.status[0] = 0.5 * float(r @ r), CONVERGED
        point = held.whole(outcomes.u[0])
        self.found[value], self.converged[value] = point, outcomes.status[0] == CONVERGED
        self.rise[value] = float(outcomes.value[0]) - self.least
        if np.isfinite(self.rise[value]):
            self.last = point
        return self.rise[value]

    def crossing(self, sign: float, threshold: float, deviation: float) -> float:
        """Where sqrt(2 rise) reaches the threshold, going outward; infinite if it does not."""
        from scipy.optimize import brentq

        centre = float(self.best[self.k])
        end = float(self.misfit.space.box[0 if sign < 0 else 1][self.k])
        before = centre

        def above(value: float) -> float:
            rise = self.rise[value] if value in self.rise else self.to(value)
            return float(np.sqrt(2 * max(rise, 0.0))) - threshold

        scale = unit = deviation if np.isfinite(deviation) else 1.0
        walked = sorted((v for v in self.found if sign * (v - centre) > 0), key=lambda v: sign * v)
        for n in range(len(walked) + DOUBLINGS):
            value = walked[n] if n < len(walked) else before + sign * scale
            if sign * (end - value) <= 0:  # towards a bound by halves: there may be no value at it
                value = (before + end) / 2
            if not np.isfinite(above(value)):
                break
            if above(value) >= 0:
                self.last = self.found[before]
                return float(brentq(above, before, value, xtol=CROSSING * unit))
            before, self.last = value, self.found[value]
            if n >= len(walked):
                scale *= 2
        return sign * float(np.inf)


def _grid(
    space: Space, k: int, best: Array, deviation: float, given: Sequence[float] | None, points: int
) -> Array:
    """Scaled values at which to hold coordinate k, within its bounds."""
    low, high = (float(end[k]) for end in space.box)
    if given is not None:
        values = vector(f"values of {space.labels[k]}", given)
        wrong = (values < space.least[k]) | (values > space.most[k])
        if np.any(wrong):
            raise InputError(
                f"{space.labels[k]} cannot be held at {values[wrong][0]:g}; give "
                f"{space.least[k]:g} to {space.most[k]:g}."
            )
        rows = np.repeat(space.physical(best)[None], values.size, axis=0)
        rows[:, k] = values
        return np.unique(space.scaled(rows)[:, k])
    reach = REACH * deviation if np.isfinite(deviation) else RANGE
    steps = best[k] + reach * np.arange(-points, points + 1) / points
    return np.unique(steps[(steps > low) & (steps < high)])


def _physical(space: Space, best: Array, k: int, value: float) -> float:
    if not np.isfinite(value):
        return value
    u = best.copy()
    u[k] = value
    return float(space.physical(u)[k])
