"""What is observed of a column: series at every state, with weights and gaps."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lsm_verify.errors import InputError, unknown
from lsm_verify.grid import Grid
from lsm_verify.quantities import OBSERVABLES
from lsm_verify.validation import as_array, finite, within

AT_DEPTH = ("soil_temperature", "soil_heat_flux")
"""Kinds that are observed at a depth; the others belong to the surface."""


@dataclass(frozen=True)
class Series:
    """One observed series, index 0 at the initial state.

    Parameters
    ----------
    kind : str
        ``soil_temperature`` [K], ``soil_heat_flux`` [W m-2, positive down], ``longwave_up``
        [W m-2, positive up] or ``turbulent_flux`` [W m-2, positive up].
    values : (steps + 1,) array_like
        Observed values; not-a-number where missing, which carries weight zero.
    depth : float
        Depth of the sensor [m], positive down; 0 for surface fluxes.
    weights : float or (steps + 1,) array_like
        Weight of each squared residual, not negative; 1/variance, say.

    Raises
    ------
    InputError
        If the kind is unknown, a weight negative, a value infinite or out of bounds, or the
        initial state of a turbulent flux is given (no step ends there, so it has no forcing).
    """

    kind: str
    values: NDArray[np.float64]
    depth: float = 0.0
    weights: NDArray[np.float64] | float = 1.0

    def __post_init__(self) -> None:
        if self.kind not in OBSERVABLES:
            raise unknown("kind of observation", self.kind, OBSERVABLES)
        values = as_array(f"observed {self.kind}", self.values)
        if values.ndim != 1 or values.size == 0:
            raise InputError(
                f"observed {self.kind} has shape {values.shape}; give one value per state."
            )
        missing = np.isnan(values)
        finite(f"observed {self.kind}", np.where(missing, 0.0, values))
        within(OBSERVABLES[self.kind], values)  # gaps are neither below nor above a bound
        depth = finite("depth", as_array("depth", self.depth))
        if depth.ndim != 0:
            raise InputError(f"depth has shape {depth.shape}; give one number per series.")
        weights = finite("weights", as_array("weights", self.weights))
        if weights.ndim > 1 or (weights.ndim == 1 and weights.size != values.size):
            raise InputError(
                f"weights have shape {weights.shape}; give one, or {values.size}, one per state."
            )
        if np.any(weights < 0):
            raise InputError(f"weights={float(weights.min())} must not be negative.")
        if np.any((weights > 0) & ((weights < 1e-100) | (weights > 1e100))):
            raise InputError(
                f"weights={float(weights.max()):g} must be 0 or in [1e-100, 1e100]; rescale them."
            )
        weights = np.where(missing, 0.0, weights)
        if self.kind == "turbulent_flux" and weights[0] > 0:
            raise InputError(
                "turbulent_flux has a value at the initial state, where no step ends and the "
                "forcing is not defined; give nan there."
            )
        if self.kind not in AT_DEPTH and self.depth != 0:
            raise InputError(f"{self.kind} belongs to the surface; depth={self.depth} must be 0.")
        object.__setattr__(self, "values", np.where(missing, 0.0, values))
        object.__setattr__(self, "weights", weights)
        object.__setattr__(self, "depth", float(depth))

    @property
    def label(self) -> str:
        """Short name with depth, for tables."""
        return f"{self.kind} at {self.depth:g} m" if self.kind in AT_DEPTH else self.kind


@dataclass(frozen=True)
class Observations:
    """All series of a case; at least one."""

    series: tuple[Series, ...]

    def __post_init__(self) -> None:
        given: Any = self.series
        if not isinstance(given, tuple) or not given:
            raise InputError(f"observations={self.series!r} must be a tuple of Series, not empty.")

    def check(self, grid: Grid, steps: int) -> None:
        """Refuse series that do not fit a grid and a number of steps, or of which none counts."""
        if not any(np.any(s.weights > 0) for s in self.series):
            raise InputError(
                f"nothing is observed: every value of {', '.join(s.label for s in self.series)} "
                "is missing or has weight zero; give at least one."
            )
        for s in self.series:
            if s.values.size != steps + 1:
                raise InputError(
                    f"{s.label} has {s.values.size} values; {steps + 1} are wanted, "
                    "one per state, the initial one included."
                )
            low, high = 0.0, grid.depth
            if s.kind == "soil_heat_flux":
                low, high = grid.midpoints[0], grid.midpoints[-1]
            if not low <= s.depth <= high * (1 + 1e-12):
                raise InputError(
                    f"depth={s.depth} m of {s.kind} must lie in [{low:g}, {high:g}] m; "
                    "move the observation or deepen the grid."
                )

    def window(self, steps: int) -> Observations:
        """Return the part that belongs to the first ``steps`` steps."""
        return Observations(
            tuple(
                replace(
                    s,
                    values=np.where(s.weights > 0, s.values, np.nan)[: steps + 1],
                    weights=np.broadcast_to(s.weights, s.values.shape)[: steps + 1],
                )
                for s in self.series
            )
        )
