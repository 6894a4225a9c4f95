"""Cases: a column with forcing, observations, known and unknown parameters."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lsm_verify.errors import InputError, unknown
from lsm_verify.forcing import Forcing
from lsm_verify.grid import Grid
from lsm_verify.inputs import Inputs, Objective
from lsm_verify.observations import Observations
from lsm_verify.parameters import Knots, Parameters, Value, check, merge
from lsm_verify.quantities import FORCING, PARAMETERS
from lsm_verify.validation import whole

Range = tuple[NDArray[np.float64] | float, NDArray[np.float64] | float]


@dataclass(frozen=True)
class Case:
    """A column to simulate, calibrate and verify.

    Parameters
    ----------
    name, title : str
        Short name and one line of description.
    grid, forcing, observations
        The column, what drives it, what is seen of it.
    fixed : mapping
        Parameters that are not estimated.
    start : mapping
        Where estimation starts: a value for every free parameter.
    ranges : mapping
        Lower and upper end of the uniform prior of every free parameter; its standard deviation
        is the parameter's scale.
    truth, published : mapping, optional
        Values of the free parameters that made the observations, or that a publication gives.
    insulated : bool
        No flux through the bottom instead of a prescribed temperature.
    sources : mapping
        Data files used: name to SHA-256.
    notes : tuple of str
        What a reader of results must know, that forcing was interpolated, say.
    """

    name: str
    title: str
    grid: Grid
    forcing: Forcing
    observations: Observations
    fixed: Parameters
    start: Parameters
    ranges: Mapping[str, Range]
    truth: Parameters | None = None
    published: Parameters | None = None
    insulated: bool = False
    sources: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        self.observations.check(self.grid, self.forcing.steps)
        for point in self.points():
            self.inputs(self.point(point))
        if set(self.ranges) != set(self.start):
            raise InputError(
                f"ranges are given for {sorted(self.ranges)}; give one per free parameter."
            )

    @property
    def free(self) -> tuple[str, ...]:
        """Names of the parameters to estimate."""
        return tuple(self.start)

    @property
    def sizes(self) -> dict[str, int]:
        """Number of steps, nodes and interfaces."""
        interfaces = int(self.grid.spacing.size)
        return {"steps": self.forcing.steps, "nodes": interfaces + 1, "interfaces": interfaces}

    @property
    def scales(self) -> dict[str, NDArray[np.float64]]:
        """Standard deviation of each free parameter's uniform prior, in the parameter's unit."""
        return {
            name: np.asarray((np.asarray(high) - np.asarray(low)) / np.sqrt(12.0))
            for name, (low, high) in self.ranges.items()
        }

    def points(self) -> tuple[str, ...]:
        """Names of the points that the case knows: start, truth, published."""
        known = {"start": self.start, "truth": self.truth, "published": self.published}
        return tuple(name for name, values in known.items() if values is not None)

    def point(self, name: str) -> dict[str, Value]:
        """Free parameters at a known point."""
        if name not in self.points():
            raise unknown(f"point of case {self.name}", name, self.points())
        return dict(getattr(self, name))

    def random_points(self, count: int, seed: int) -> list[dict[str, Value]]:
        """``count`` seeded points, uniform in the ranges."""
        rng = np.random.default_rng(whole("seed", seed, 0))

        def draw(low: Any, high: Any) -> Any:
            low, high = np.asarray(low), np.asarray(high)
            return low + (high - low) * rng.random(np.broadcast_shapes(low.shape, high.shape))

        return [
            {name: draw(low, high) for name, (low, high) in self.ranges.items()}
            for _ in range(whole("count", count, 0))
        ]

    def inputs(
        self,
        parameters: Parameters | None = None,
        *,
        objectives: tuple[Objective, ...] = (Objective(),),
        wrt: tuple[str, ...] | None = None,
    ) -> Inputs:
        """Resolve parameters against the case and check them.

        Names missing from ``parameters`` come from the start and the fixed parameters; forcing
        may be given by its names too. ``initial_temperature=None`` ties it to the bottom
        temperature. The gradient is by the names given, or by the free ones if none is.

        Raises
        ------
        InputError
            If a name is unknown or a value wrong, see `lsm_verify.parameters.check`.
        """
        forcing = {name: getattr(self.forcing, name) for name in FORCING}
        complete = merge(merge({**self.fixed, **forcing}, self.start), parameters)
        values, knots = check(complete, self.sizes, insulated=self.insulated)
        if wrt is None:
            given = tuple(k for k, v in (parameters or {}).items() if v is not None)
            wrt = given or self.free
        for name in wrt:
            if name not in PARAMETERS:
                raise unknown("parameter", name, PARAMETERS)
            if name not in values:
                raise InputError(f"{name} has no value in case {self.name}; give one.")
        return Inputs(
            spacing=self.grid.spacing,
            time_step=self.forcing.time_step,
            parameters=values,
            series=self.observations.series,
            insulated=self.insulated,
            knots=knots,
            objectives=objectives,
            wrt=wrt,
            scales=self.scales,
        )

    def window(self, steps: int) -> Case:
        """Return the case cut to its first ``steps`` steps; per-step parameters are cut with it."""
        if whole("window", steps, 1) > self.forcing.steps:
            raise InputError(f"window={steps} must lie in 1..{self.forcing.steps} steps.")

        def cut(name: str, value: Any) -> Any:
            per_step = "steps" in PARAMETERS[name].shapes and not isinstance(value, Knots)
            return value[:steps] if per_step and np.ndim(value) == 1 else value

        def cut_all(values: Parameters | None) -> dict[str, Any] | None:
            return None if values is None else {k: cut(k, v) for k, v in values.items()}

        return replace(
            self,
            forcing=self.forcing.window(steps),
            observations=self.observations.window(steps),
            fixed=cut_all(self.fixed) or {},
            start=cut_all(self.start) or {},
            truth=cut_all(self.truth),
            published=cut_all(self.published),
            ranges={k: (cut(k, low), cut(k, high)) for k, (low, high) in self.ranges.items()},
        )
