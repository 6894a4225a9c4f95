"""What verdicts were drawn from, kept for figures: curves, maps of states, energy budgets.

Nothing here is computed for its own sake: ladders are those of `differences` and `lines`, budgets
those of `conservation`. Long records are reduced to blocks, each shown by its largest magnitude, so
that no error can hide in a mean; numbers keep `DIGITS` digits, enough for a figure and no more.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

MOST_STEPS, MOST_NODES = 150, 60
"""Cells of a map, at most: finer than a figure of a page's width shows."""

DIGITS = 4

Array = NDArray[np.float64]


@dataclass(frozen=True)
class TaylorCurve:
    """Odd remainder |J(p + h v) - J(p - h v) - 2 h ⟨g, v⟩| along one random direction v.

    Attributes
    ----------
    point, objective, route : str
        Where, of what, and whose gradient g.
    direction : int
        Number of the direction, in the order in which they were drawn.
    steps, remainder : tuple of float
        Falling steps h, in units of the direction, and the remainder in units of the objective.
    noise : float
        Standard deviation of the objective's noise along the direction.
    rate : float or None
        Measured rate over ``window``; ``None`` where all lies below the noise.
    window : tuple of float
        First and last step of those that the rate is read from.
    allowed : float
        Error of the slope ⟨g, v⟩ that the tolerance allows: a remainder of 2 h allowed.
    kinked : bool
        Whether the line crosses a kink.
    """

    point: str
    objective: str
    route: str
    direction: int
    steps: tuple[float, ...]
    remainder: tuple[float, ...]
    noise: float
    rate: float | None
    window: tuple[float, ...]
    allowed: float
    kinked: bool


@dataclass(frozen=True)
class DifferenceCurve:
    """Central differences against their step, for one number or one random direction.

    Attributes
    ----------
    parameter, component, direction
        Which number; or which random direction over a parameter with many (else ``None``).
    steps, slopes : tuple of float
        Falling steps h in units of the scale, and (J(p + h s) - J(p - h s)) / 2 h: the derivative
        times the scale s.
    noise : float
        Standard deviation of the objective's noise: of a difference ``noise`` / (√2 h).
    estimate, uncertainty : float
        Extrapolated value ± U, times the scale.
    window : tuple of float
        First and last step of the differences that the estimate is made of.
    claimed : dict
        Route to its derivative times the scale.
    allowed : float
        Error that the tolerance allows, times the scale.
    norm : float
        ‖g∘s‖, the unit of relative errors.
    kinked : bool
        Whether a kink is seen.
    """

    point: str
    objective: str
    parameter: str
    component: tuple[int, ...]
    direction: int | None
    steps: tuple[float, ...]
    slopes: tuple[float, ...]
    noise: float
    estimate: float
    uncertainty: float
    window: tuple[float, ...]
    claimed: dict[str, float]
    allowed: float
    norm: float
    kinked: bool


@dataclass(frozen=True)
class StateMap:
    """States of a run, time × depth: of one route, or the first's minus the second's.

    Attributes
    ----------
    kind : str
        ``adjoint``: sensitivity of the objective to every temperature; ``tangent``: change of
        every temperature with the parameters; ``temperature``.
    routes : tuple of str
        One route, or two.
    unit : str
        Of the values.
    states, nodes : tuple of int
        Edges of the blocks, as indices of the first state or node in each; the last is their
        number.
    depths : tuple of float
        Edges of the blocks of nodes [m]; empty where a model tells none.
    values : tuple
        Rows over time of blocks over depth: in each the value of the largest magnitude.
    step, node : int or None
        First divergence, where one was located in these states.
    sentence : str
        What was located there.
    """

    kind: str
    point: str
    objective: str
    routes: tuple[str, ...]
    unit: str
    states: tuple[int, ...]
    nodes: tuple[int, ...]
    depths: tuple[float, ...]
    values: tuple[tuple[float, ...], ...]
    step: int | None = None
    node: int | None = None
    sentence: str = ""


@dataclass(frozen=True)
class EnergyCurve:
    """Energy budget of one model's run, step by step.

    Attributes
    ----------
    point, model : str
        Where, and of which model.
    steps : tuple of int
        Edges of the blocks of steps.
    ratio : tuple of float
        Residual in units of ε Σ|terms|: in each block that of the largest magnitude.
    limit : float
        Magnitude up to which the budget counts as closed.
    residual : float
        Mean magnitude of the residual [W m-2].
    """

    point: str
    model: str
    steps: tuple[int, ...]
    ratio: tuple[float, ...]
    limit: float
    residual: float


@dataclass(frozen=True)
class Evidence:
    """All of it; empty where a check did not run."""

    taylor: tuple[TaylorCurve, ...] = ()
    differences: tuple[DifferenceCurve, ...] = ()
    maps: tuple[StateMap, ...] = ()
    energy: tuple[EnergyCurve, ...] = ()


def edges(count: int, most: int) -> NDArray[np.int64]:
    """Cut ``count`` things into at most ``most`` blocks of nearly the same size.

    Examples
    --------
    >>> edges(5, 2).tolist()
    [0, 2, 5]
    """
    blocks = min(count, most)
    return np.arange(blocks + 1) * count // blocks


def reduced(values: Array, *most: int) -> Array:
    """Reduce every axis to at most so many blocks, each shown by its value of largest magnitude.

    Not-a-number is the largest of all.

    Examples
    --------
    >>> reduced(np.array([1.0, -7.0, 2.0, 3.0]), 2).tolist()
    [-7.0, 3.0]
    """
    values = np.asarray(values, dtype=np.float64)
    for axis, limit in enumerate(most):
        if values.shape[axis] <= limit:
            continue
        cuts = edges(values.shape[axis], limit)
        blocks = np.split(values, cuts[1:-1], axis=axis)
        values = np.stack([_largest(block, axis) for block in blocks], axis=axis)
    return values


def rounded(values: Array) -> list[float]:
    """Return numbers with the digits that a figure needs."""
    return [float(f"{value:.{DIGITS - 1}e}") for value in np.ravel(values)]


def _largest(block: Array, axis: int) -> Array:
    size = np.where(np.isnan(block), np.inf, np.abs(block))
    where = np.expand_dims(np.argmax(size, axis=axis), axis)
    return np.take_along_axis(block, where, axis=axis).squeeze(axis)
