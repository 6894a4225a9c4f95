"""Walk along one unknown, all others fitted again at each step: what a profile is made of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, cast

import numpy as np
from numpy.typing import NDArray

from lsm_verify.errors import InputError
from lsm_verify.inverse.local import SETTLED, least_squares
from lsm_verify.inverse.misfit import Misfit
from lsm_verify.inverse.outcome import CONVERGED, Outcomes
from lsm_verify.inverse.space import Space
from lsm_verify.validation import vector

Array = NDArray[np.float64]

REACH = 3.0
"""How many Gauss-Newton deviations the values on either side of the estimate span."""

RANGE = float(np.sqrt(3.0))
"""Half of a range in units of its standard deviation: what is walked without a deviation."""

DOUBLINGS = 6
"""Steps beyond the grid in search of the interval's ends, each twice as long as the one before."""

CROSSING = 1e-6
"""To which part of a deviation the ends of the interval are found."""

Kind = Literal["crossing", "bound", "open", "no solution"]

CROSSED: Kind = "crossing"
BOUND: Kind = "bound"
OPEN: Kind = "open"
NO_SOLUTION: Kind = "no solution"
"""How an interval ends: where the objective crosses the quantile; at a bound of the unknown, below
it; nowhere as far as was walked; where the model has no solution any more."""


@dataclass(frozen=True)
class End:
    """Where the interval ends on one side: a value, infinite if there is none, and how."""

    value: float
    kind: Kind


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


class Walk:
    """Fits at values of one coordinate, each begun at the one before.

    Parameters
    ----------
    misfit : Misfit
        Of all unknowns.
    k : int
        The coordinate that is held.
    best : (P,) array
        The fit of all unknowns, in scaled coordinates, from which the walk goes out.
    least : float
        The objective there.
    settled : bool
        Whether that fit has converged.

    Attributes
    ----------
    found, rise, converged : dict
        By held values: all coordinates there (P,), the objective above ``least``, and whether the
        others' fit has converged.
    """

    def __init__(self, misfit: Misfit, k: int, best: Array, least: float, settled: bool) -> None:
        self.misfit, self.k, self.best, self.least = misfit, k, best, least
        centre = float(best[k])
        self.found: dict[float, Array] = {centre: best}
        self.rise: dict[float, float] = {centre: 0.0}
        self.converged: dict[float, bool] = {centre: settled}
        self._last = best

    @property
    def lowest(self) -> tuple[Array, float]:
        """All coordinates (P,) where the objective was least, and its rise there."""
        value = min(self.rise, key=self.rise.__getitem__)
        return self.found[value], self.rise[value]

    def out(self, values: Array) -> None:
        """Go out from the best fit to values, the nearest first."""
        self._last = self.best
        for value in values:
            self.to(float(value))

    def to(self, value: float) -> float:
        """Return the rise of the objective where the coordinate is held at ``value``."""
        held = _Held(self.misfit, self.k, value)
        begin = self._last[held.kept][None]
        outcomes = Outcomes.begin(begin)
        if held.kept.size:
            least_squares(cast("Misfit", held), begin, outcomes, tolerance=SETTLED)
        else:
            r = self.misfit.residuals(np.array([value]))[0]
            F = 0.5 * float(r @ r)
            outcomes.value[0], outcomes.status[0] = F if np.isfinite(F) else np.inf, CONVERGED
        point = held.whole(outcomes.u[0])
        self.found[value], self.converged[value] = point, outcomes.status[0] == CONVERGED
        self.rise[value] = float(outcomes.value[0]) - self.least
        if np.isfinite(self.rise[value]):
            self._last = point
        return self.rise[value]

    def end(self, sign: float, threshold: float, deviation: float) -> End:
        """Go outward until sqrt(2 rise) reaches the threshold, or to the bound.

        ``sign``: -1 for the lower end, 1 for the upper. ``deviation`` is the length of the first
        step beyond what was walked already, 1 if infinite.
        """
        centre = before = float(self.best[self.k])
        bound = float(self.misfit.space.box[0 if sign < 0 else 1][self.k])
        if sign * (bound - centre) <= 0:
            return End(bound, BOUND)
        scale = unit = deviation if np.isfinite(deviation) else 1.0
        walked = sorted((v for v in self.found if sign * (v - centre) > 0), key=lambda v: sign * v)
        at_bound_is_none = False
        for n in range(len(walked) + DOUBLINGS):
            value = walked[n] if n < len(walked) else before + sign * scale
            if sign * (bound - value) <= 0:  # by halves if the model has no solution at the bound
                value = (before + bound) / 2 if at_bound_is_none else bound
            above = self._above(value, threshold)
            if value == bound and not np.isfinite(above):
                at_bound_is_none = True
                continue
            if not np.isfinite(above):
                return End(sign * np.inf, NO_SOLUTION)
            if above >= 0:
                return End(self._between(before, value, threshold, CROSSING * unit), CROSSED)
            if value == bound:
                return End(bound, BOUND)
            before, self._last = value, self.found[value]
            if n >= len(walked):
                scale *= 2
        return End(sign * np.inf, NO_SOLUTION if at_bound_is_none else OPEN)

    def _above(self, value: float, threshold: float) -> float:
        rise = self.rise[value] if value in self.rise else self.to(value)
        return float(np.sqrt(2 * max(rise, 0.0))) - threshold

    def _between(self, below: float, above: float, threshold: float, precision: float) -> float:
        """Find the crossing between two values."""
        from scipy.optimize import brentq

        self._last = self.found[below]
        return float(brentq(self._above, below, above, args=(threshold,), xtol=precision))


def grid_of(
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
