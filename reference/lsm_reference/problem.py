"""What the oracle is asked: a column, what is observed of it, and the objective.

`Problem` holds inputs in the public form (a parameter may be one number, a series of knots, or a
value per step, node or interface). `Column` and `Sight` hold what the numerical functions read:
plain arrays, one value per step, node or interface, in float64, complex128 or mpmath numbers.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

SOIL_TEMPERATURE, SOIL_HEAT_FLUX, LONGWAVE_UP, TURBULENT_FLUX = range(4)
OBSERVATION_KINDS = {
    "soil_temperature": SOIL_TEMPERATURE,
    "soil_heat_flux": SOIL_HEAT_FLUX,
    "longwave_up": LONGWAVE_UP,
    "turbulent_flux": TURBULENT_FLUX,
}

MEAN_SQUARE, HALF_SUM_OF_SQUARES, PROBE = range(3)
OBJECTIVE_KINDS = {
    "mean-square": MEAN_SQUARE,
    "half-sum-of-squares": HALF_SUM_OF_SQUARES,
    "probe": PROBE,
}


class Column(NamedTuple):
    """One soil column in canonical form; N interfaces, N + 1 nodes, S steps.

    Forcing and per-step parameters hold the value that acts during a step, that is the primed
    value of equation (3).
    """

    dz: Any  #: (N,) spacing Δ [m]
    dt: Any  #: (S,) step length Δt [s]
    lam: Any  #: (N,) thermal conductivity λ [W m-1 K-1]
    C: Any  #: (N + 1,) volumetric heat capacity [J m-3 K-1]
    alpha: Any  #: (S,) albedo [1]
    H: Any  #: (S,) turbulent transfer coefficient h(1 + 1/β) [W m-2 K-1]
    Tb: Any  #: (S,) bottom temperature [K]; not read where the bottom is insulated
    T0: Any  #: (N + 1,) initial temperature [K]
    eps: Any  #: emissivity [1]
    SW: Any  #: (S,) downward shortwave radiation [W m-2], positive down
    LW: Any  #: (S,) downward longwave radiation [W m-2], positive down
    Ta: Any  #: (S,) air temperature [K]
    insulated: bool  #: True: no flux through the bottom; False: T_N' = Tb


class Sight(NamedTuple):
    """Where the column is looked at: M series, each with S + 1 values (index 0: initial state)."""

    kind: Any  #: (M,) one of the observation codes above
    index: Any  #: (M,) upper of the two nodes (or interfaces) read
    fraction: Any  #: (M,) weight of the lower one, 0 to 1
    values: Any  #: (M, S + 1) observed values; anything finite where the weight is zero
    weights: Any  #: (M, S + 1) weights w ≥ 0 (probe: the signed weights of the inner product)


@dataclass(frozen=True)
class Series:
    """One observed series in public form."""

    kind: str
    depth: float
    values: NDArray[np.float64]
    weights: NDArray[np.float64]


@dataclass(frozen=True)
class Objective:
    """How predictions are scored; ``weights`` (M, S + 1) replace those of the series if given."""

    kind: str = "mean-square"
    weights: NDArray[np.float64] | None = None


@dataclass(frozen=True)
class Problem:
    """A column in public form, what is observed and how it is scored.

    ``parameters`` maps public names to a number or array; every name of DESIGN's table except
    ``initial_temperature`` (absent: tied to the bottom temperature) must be there, with either
    ``turbulent_transfer_coefficient`` or both ``heat_transfer_coefficient`` and ``bowen_ratio``.
    ``knots`` maps a parameter name to the times [s since the start] of its piecewise-linear knots.
    ``wrt`` names the parameters to differentiate by; several objectives share one run.
    """

    spacing: NDArray[np.float64]
    time_step: NDArray[np.float64]
    parameters: Mapping[str, Any]
    series: tuple[Series, ...]
    insulated: bool = False
    objectives: tuple[Objective, ...] = (Objective(),)
    knots: Mapping[str, NDArray[np.float64]] = field(default_factory=dict)
    wrt: tuple[str, ...] = ()


class RootNotFound(ArithmeticError):  # noqa: N818 - says what happened
    """The surface balance has no positive root at ``step`` (0 is the first step)."""

    def __init__(self, step: int) -> None:
        super().__init__(f"the surface energy balance has no positive root at step {step}")
        self.step = step
