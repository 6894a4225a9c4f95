"""How smooth a parameter is in time, from the record itself: the evidence of the smoothness.

The prior of a varying unknown says how large its differences are: their standard deviation s. The
evidence p(observations | s) is their probability with all unknowns integrated out, here about the
optimum û(s) of F, to second order with the Gauss-Newton Hessian H = JᵀJ + LᵀL:

    ln p = - F(û) - ½ ln det H + ½ ln det⁺ LᵀL + constant,

L the rows of all priors and det⁺ the product of what is not zero: a smoothness prior alone says
nothing of the mean and gives - m ln s for m differences.

References
----------
MacKay, D. J. C. (1992). Bayesian interpolation. Neural Computation 4, 415-447.
doi:10.1162/neco.1992.4.3.415.
Hansen, P. C. (1992). Analysis of discrete ill-posed problems by means of the L-curve. SIAM Review
34, 561-580. doi:10.1137/1034115.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lsm_verify.cases import Case
from lsm_verify.errors import InputError
from lsm_verify.inverse.calibrate import calibrate
from lsm_verify.inverse.misfit import Misfit
from lsm_verify.inverse.priors import Prior, Smooth
from lsm_verify.inverse.result import Calibration
from lsm_verify.validation import increasing, positive, vector

Array = NDArray[np.float64]

GRID = np.logspace(-3, 0, 13)
"""Standard deviations that are tried unless others are given, in units of the unknown's scale."""

CREDIBLE = 0.95
"""Probability of the interval of the choice."""


@dataclass(frozen=True)
class Smoothness:
    """The choice of a smoothness.

    Attributes
    ----------
    name, order
        As of `Smooth`.
    deviations : (n,) array
        Standard deviations that were tried, increasing, in the unknown's unit.
    log_evidence : (n,) array
        Natural logarithm, up to a constant.
    misfit : (n,) array
        Σ w r²/σ² of the observations at the optimum: one axis of the L-curve.
    roughness : (n,) array
        Sum of the squared differences of the unknown, in its unit squared: the other axis.
    corner : float
        Where the L-curve is bent most (logarithmic axes), for comparison.
    choice : float
        Where the evidence is largest, on a cubic spline through ln p over ln s, between the
        neighbours of the largest that was tried.
    interval : (float, float)
        Central 95 % of the evidence over ln s, flat prior within the grid. It tells the record's
        uncertainty of s, not that of Laplace's approximation.
    at_edge : bool
        Whether the largest evidence is at an end of the grid: then the choice is that end, and
        says only in which direction to look.
    calibrations : tuple of Calibration
        The optima.
    """

    name: str
    order: int
    deviations: Array
    log_evidence: Array
    misfit: Array
    roughness: Array
    corner: float
    choice: float
    interval: tuple[float, float]
    at_edge: bool
    calibrations: tuple[Calibration, ...]

    @property
    def prior(self) -> Smooth:
        """The prior that was chosen."""
        return Smooth(self.name, self.choice, self.order)


def choose_smoothness(
    case: Case,
    name: str,
    *,
    observation_error: Any,
    deviations: Any = None,
    order: int = 1,
    priors: Sequence[Prior] = (),
    **options: Any,
) -> Smoothness:
    """Choose how smooth an unknown is in time by the evidence.

    Parameters
    ----------
    case : Case
        With the unknown per step or by knots.
    name : str
        The unknown.
    observation_error : float or (series,) array_like
        Standard deviation of the observations; it must be known, since an error taken too small
        is answered by a rough unknown.
    deviations : (n,) array_like, optional
        Standard deviations to try, in the unknown's unit, increasing; three or more.
    order : int
        Of the differences, see `Smooth`.
    priors : sequence of Prior
        Of the other unknowns.
    **options
        Of `calibrate`, ``method`` and ``bounds``, say. Every optimum starts from the one before,
        the smoothest from the case's start.

    Raises
    ------
    InputError
        If fewer than three deviations are given; if neither observations nor priors see some
        direction of the unknowns: the evidence is then not defined.
    """
    found: list[Calibration] = []
    rows: list[tuple[float, float, float]] = []
    grid = None if deviations is None else _grid(deviations)
    for k in range(len(GRID if grid is None else grid)):
        if grid is None:
            low, high = case.ranges.get(name, (0.0, 0.0))
            grid = _grid(GRID * float(np.mean(np.asarray(high) - np.asarray(low))) / 12**0.5)
        every = [*priors, Smooth(name, float(grid[k]), order)]
        start = {"starts": found[-1].parameters()} if found else {}
        here = calibrate(
            case,
            observation_error=observation_error,
            priors=every,
            **{"examine": False, **options, **start},
        )
        misfit = Misfit(case, here.space, observation_error=observation_error, priors=every)
        rows.append(_at_optimum(misfit, here, Smooth(name, float(grid[k]), order)))
        found.append(here)
    assert grid is not None
    evidence, misfits, roughness = np.array(rows).T
    choice, interval, at_edge = _choose(np.log(grid), evidence)
    return Smoothness(
        name=name,
        order=order,
        deviations=grid,
        log_evidence=evidence,
        misfit=misfits,
        roughness=roughness,
        corner=float(grid[_corner(np.log(misfits), np.log(roughness))]),
        choice=choice,
        interval=interval,
        at_edge=at_edge,
        calibrations=tuple(found),
    )


def _at_optimum(misfit: Misfit, here: Calibration, prior: Smooth) -> tuple[float, float, float]:
    """Log evidence, misfit of the observations and roughness at an optimum."""
    p = here.estimate[here.best]
    r, J = misfit.residuals(misfit.space.scaled(p))
    s = np.linalg.svd(J, compute_uv=False)
    if not np.all(np.isfinite(s)) or s.size < J.shape[1] or s[-1] <= _noise(J) * s[0]:
        raise InputError(
            "some direction of the unknowns is seen by neither observations nor priors, so that "
            "the evidence is not defined; fix a parameter, combine h and β, or give priors."
        )
    rows = len(r) - misfit.prior_right.size
    known = np.linalg.svd(J[rows:], compute_uv=False)
    known = known[known > _noise(J[rows:]) * known[0]]
    log_evidence = -0.5 * r @ r - np.sum(np.log(s)) + np.sum(np.log(known))
    differences = prior.rows(misfit.space)[0] @ p * prior.deviation
    return float(log_evidence), float(r[:rows] @ r[:rows]), float(differences @ differences)


def _noise(J: Array) -> float:
    """Singular values below this share of the largest are round-off."""
    return float(np.finfo(float).eps * max(J.shape))


def _grid(given: Any) -> Array:
    grid = increasing("deviations", positive("deviations", vector("deviations", given)))
    if grid.size < 3:
        raise InputError(f"{grid.size} deviations are given; give three or more to choose from.")
    return grid


def _choose(x: Array, log_evidence: Array) -> tuple[float, tuple[float, float], bool]:
    """Return the most probable exp(x), its central interval, and whether it is at an end."""
    from scipy.interpolate import CubicSpline

    k = int(np.argmax(log_evidence))
    at_edge = k in (0, x.size - 1)
    curve = CubicSpline(x, log_evidence - log_evidence[k])
    near = np.linspace(x[max(k - 1, 0)], x[min(k + 1, x.size - 1)], 2001)
    best = float(x[k]) if at_edge else float(near[int(np.argmax(curve(near)))])
    fine = np.linspace(x[0], x[-1], 20 * 2001)
    density = np.exp(np.minimum(curve(fine), np.max(curve(near))))
    total = np.concatenate([[0.0], np.cumsum((density[1:] + density[:-1]) / 2)])
    tails = ((1 - CREDIBLE) / 2, (1 + CREDIBLE) / 2)
    low, high = np.exp(np.interp(tails, total / total[-1], fine))
    return float(np.exp(best)), (float(low), float(high)), at_edge


def _corner(x: Array, y: Array) -> int:
    """Index of the largest turn of a curve, by the circle through three neighbours."""
    ax, ay = np.diff(x)[:-1], np.diff(y)[:-1]
    bx, by = np.diff(x)[1:], np.diff(y)[1:]
    sides = np.hypot(ax, ay) * np.hypot(bx, by) * np.hypot(ax + bx, ay + by)
    bend = 2 * np.abs(ax * by - ay * bx) / np.where(sides > 0, sides, np.inf)
    return int(np.argmax(bend)) + 1
