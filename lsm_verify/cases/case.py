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
from lsm_verify.validation import as_array, finite, whole, within

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
        if not self.start:
            raise InputError("start is empty; give at least one parameter to differentiate by.")
        if set(self.ranges) != set(self.start):
            raise InputError(
                f"ranges are given for {sorted(self.ranges)}; give one per free parameter."
            )
        checked = {
            name: _check_range(name, self.ranges[name], self.start[name]) for name in self.start
        }
        object.__setattr__(self, "ranges", checked)
        for point in self.points():
            self.inputs(self.point(point), wrt=self.free)
            for name, value in self.point(point).items():
                if name in self.start and _shape(value) != _shape(self.start[name]):
                    raise InputError(
                        f"{name} has shape {_shape(value)} at the {point} and "
                        f"{_shape(self.start[name])} at the start; give both the same."
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
        """``count`` seeded points, uniform in the ranges, in the shapes of the start."""
        rng = np.random.default_rng(whole("seed", seed, 0))

        def draw(name: str) -> Value:
            (low, high), start = self.ranges[name], self.start[name]
            values = low + (np.asarray(high) - low) * rng.random(_shape(start))
            return Knots(start.times, values) if isinstance(start, Knots) else values

        return [{name: draw(name) for name in self.start} for _ in range(whole("count", count, 0))]

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
            wrt = given or tuple(name for name in self.free if name in values)
        for name in wrt:
            if name not in PARAMETERS:
                raise unknown("parameter", name, PARAMETERS)
            if name not in values:
                raise InputError(f"{name} has no value in case {self.name}; give one.")
        for objective in objectives:
            objective.check(len(self.observations.series), self.forcing.steps)
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
            ranges={
                k: pair if isinstance(self.start[k], Knots) else (cut(k, pair[0]), cut(k, pair[1]))
                for k, pair in self.ranges.items()
            },
        )


def _shape(value: Value) -> tuple[int, ...]:
    return np.shape(value.values) if isinstance(value, Knots) else np.shape(value)  # type: ignore[arg-type]


def _check_range(name: str, pair: Any, start: Value) -> Range:
    """Return a range as two arrays; its width is the scale of all verdicts, so it must have one."""
    if not isinstance(pair, tuple | list) or len(pair) != 2:
        raise InputError(f"ranges[{name!r}]={pair!r} must be a pair, (lower, upper).")
    if name not in PARAMETERS:
        raise unknown("parameter", name, PARAMETERS)
    ends = []
    for end in pair:
        array = within(PARAMETERS[name], finite(f"range of {name}", as_array(name, end)))
        if array.shape not in ((), _shape(start)):
            raise InputError(
                f"range of {name} has shape {array.shape}; give one number or {_shape(start)}, "
                "the shape of its start."
            )
        ends.append(array)
    if name == "bowen_ratio" and not np.all((ends[0] > 0) | (ends[1] < -1)):
        raise InputError(
            "range of bowen_ratio reaches values at which h(1+1/β) is negative or infinite; give "
            "lower > 0, or upper < -1."
        )
    if not np.all(ends[0] < ends[1]):
        raise InputError(f"ranges[{name!r}] must have lower < upper everywhere; widen it.")
    return ends[0], ends[1]
