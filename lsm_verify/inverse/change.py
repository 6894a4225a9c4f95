"""One sudden change of a parameter in time: when, from what, and to what."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lsm_verify.cases import Case
from lsm_verify.errors import InputError
from lsm_verify.inverse.calibrate import calibrate
from lsm_verify.inverse.drivers import linear
from lsm_verify.inverse.misfit import Misfit
from lsm_verify.inverse.space import Space
from lsm_verify.inverse.unknowns import unknown_of

Array = NDArray[np.float64]

CONFIDENT = 1.92
"""Half of the 95 % quantile of χ² with one degree of freedom: by so much may F exceed its least."""


@dataclass(frozen=True)
class Change:
    """Where a parameter changes, by least squares.

    Attributes
    ----------
    name : str
        The parameter.
    steps : (n,) array of int
        Steps that were tried as the first with the new value.
    objective : (n,) array
        F at the optimum of each.
    step : int
        The best.
    likely : tuple of int
        Steps whose F is within 1.92 of the least: a 95 % set as far as χ² holds for a time that
        comes in whole steps.
    before, after : float
        The two values there, in the parameter's unit.
    deviation : (float, float)
        Their standard deviations there, the other unknowns being estimated with them.
    """

    name: str
    steps: NDArray[np.int64]
    objective: Array
    step: int
    likely: tuple[int, ...]
    before: float
    after: float
    deviation: tuple[float, float]


def locate_change(
    case: Case, name: str, *, observation_error: Any, steps: Any = None, **options: Any
) -> Change:
    """Find the step at which a parameter changes, by one calibration for every candidate.

    Parameters
    ----------
    case : Case
        Where the parameter is free and one number.
    name : str
        The parameter.
    observation_error : float or (series,) array_like
        Standard deviation of the observations, in their units.
    steps : (n,) array_like of int, optional
        Candidates for the first step with the new value; default: all but the first.
    **options
        Of `calibrate`.

    Raises
    ------
    InputError
        If the parameter is not free or one number; if a candidate is no step after the first; if
        no calibration reaches an estimate.
    """
    if name not in case.start or np.ndim(case.start[name]):  # type: ignore[arg-type]
        raise InputError(f"{name} must be free and one number in case {case.name}.")
    count = case.forcing.steps
    tried = np.arange(1, count) if steps is None else np.ravel(np.asarray(steps, dtype=np.int64))
    if not tried.size or np.any((tried < 1) | (tried >= count)):
        raise InputError(f"steps of the change must lie in 1..{count - 1}.")
    found, start = [], None
    for candidate in tried:
        unknowns, compose = _two_levels(case, name, int(candidate))
        here = calibrate(
            case,
            unknowns,
            compose=compose,
            starts=start,
            observation_error=observation_error,
            **{"examine": False, **options},
        )
        found.append(here)
        if here.reached:
            start = here.parameters()
    objective = np.array([here.value[here.best] for here in found])
    best = int(np.argmin(objective))
    if not np.isfinite(objective[best]):
        raise InputError("the model has no solution wherever the change is put; check the ranges.")
    at, k = found[best], int(tried[best])
    p = at.parameters()
    unknowns, compose = _two_levels(case, name, k)
    misfit = Misfit(case, Space(unknowns), compose=compose, observation_error=observation_error)
    _, J = misfit.residuals(misfit.space.scaled(at.estimate[at.best]))
    covariance = np.linalg.pinv(J.T @ J) * np.outer(misfit.space.scale, misfit.space.scale)
    likely = tried[objective <= objective[best] + CONFIDENT]
    before, jump = float(p["offset"]), float(p["slope"])  # type: ignore[arg-type]
    after = covariance[0, 0] + covariance[1, 1] + 2 * covariance[0, 1]
    return Change(
        name=name,
        steps=tried,
        objective=objective,
        step=k,
        likely=tuple(int(i) for i in likely),
        before=before,
        after=before + jump,
        deviation=(float(covariance[0, 0] ** 0.5), float(after**0.5)),
    )


def _two_levels(case: Case, name: str, k: int) -> Any:
    """Return unknowns and function of a parameter that is a before step k, and a + b from it on."""
    u = unknown_of(case, name, None, False)
    low, high = float(u.lower), float(u.upper)
    since = np.where(np.arange(case.forcing.steps) < k, 0.0, 1.0)
    return linear(
        case,
        name,
        since,
        offset=(low, high),
        slope=(low - high, high - low),
        signed=True,
    )
