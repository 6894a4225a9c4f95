"""Everything one run of a model reads, as plain arrays: the form in which routes are asked."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from lsm_verify.observations import Series

OBJECTIVES = ("mean-square", "half-sum-of-squares", "probe")

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Objective:
    """How predictions are scored.

    ``mean-square``: J = Σ w r² / Σ w (the paper); ``half-sum-of-squares``: J = ½ Σ w r²;
    ``probe``: J = Σ w y, a linear functional of the predictions y that has signal everywhere.
    ``weights`` (series, steps + 1) replace the weights of the series; the probe needs them.
    """

    kind: str = "mean-square"
    weights: Array | None = None

    @property
    def label(self) -> str:
        """Name in tables: J, or probe."""
        return "probe" if self.kind == "probe" else "J"


@dataclass(frozen=True)
class Inputs:
    """One column with its forcing, parameters, observations and objectives.

    ``parameters`` holds every parameter and the forcing by public name, in the shape in which it
    was given; those in ``knots`` (name to times [s]) hold the values of their knots. ``wrt`` names
    the parameters to differentiate by, ``scales`` their scales (prior standard deviations).
    """

    spacing: Array
    time_step: Array
    parameters: Mapping[str, Array]
    series: tuple[Series, ...]
    insulated: bool = False
    knots: Mapping[str, Array] = field(default_factory=dict)
    objectives: tuple[Objective, ...] = (Objective(),)
    wrt: tuple[str, ...] = ()
    scales: Mapping[str, Array] = field(default_factory=dict)

    def scale(self, name: str) -> Array:
        """Scale of a parameter, in its shape: the prior's standard deviation, else |p|, else 1."""
        value = self.parameters[name]
        if name in self.scales and np.ndim(self.scales[name]) in (0, value.ndim):
            return np.broadcast_to(self.scales[name], value.shape)
        size = np.abs(value)
        return np.where(size > 0, size, 1.0)

    def expanded(self, name: str) -> Array:
        """Values of a parameter, its knots interpolated to the end of every step."""
        value = self.parameters[name]
        if name not in self.knots:
            return value
        return np.interp(np.cumsum(self.time_step), self.knots[name], value)

    @property
    def steps(self) -> int:
        """Number of time steps."""
        return int(self.time_step.size)

    @property
    def component_count(self) -> int:
        """How many numbers are differentiated by."""
        return sum(int(self.parameters[name].size) for name in self.wrt)

    def with_values(self, values: Mapping[str, Array]) -> Inputs:
        """Return a copy in which some parameters have other values (same shapes)."""
        return replace(self, parameters={**self.parameters, **values})


def probe_weights(inputs: Inputs, seed: int) -> Array:
    """Seeded Gaussian weights (series, steps + 1) where something is observed, else zero.

    Each series is divided by a size of its own unit (1 K, 100 W m-2), so that fluxes do not
    drown temperatures.
    """
    rng = np.random.default_rng(seed)
    rows = []
    for s in inputs.series:
        unit = 1.0 if s.kind == "soil_temperature" else 100.0
        noise = rng.standard_normal(s.values.size) / unit
        rows.append(np.where(s.weights > 0, noise, 0.0))
    return np.stack(rows)


def ulp_copies(inputs: Inputs, count: int, rng: np.random.Generator) -> Iterator[Inputs]:
    """Yield copies in which every input number is moved up or down by one unit in the last place.

    Grid, steps, parameters, forcing, knots, observed values and depths all move; equal steps move
    together, being one input. Weights of probe and series stay: they define the objective.
    """

    def moved(x: Array) -> Array:
        toward = np.where(rng.random(np.shape(x)) < 0.5, -np.inf, np.inf)
        return np.nextafter(x, toward)

    for _ in range(count):
        distinct, which = np.unique(inputs.time_step, return_inverse=True)
        yield replace(
            inputs,
            spacing=moved(inputs.spacing),
            time_step=moved(distinct)[which],
            parameters={name: moved(v) for name, v in inputs.parameters.items()},
            knots={name: moved(v) for name, v in inputs.knots.items()},
            series=tuple(_moved_series(s, moved(s.values), rng) for s in inputs.series),
        )


def _moved_series(series: Series, values: Array, rng: np.random.Generator) -> Series:
    """Copy a series with other values and its depth moved; not checked again."""
    copy = object.__new__(Series)
    depth = float(np.nextafter(series.depth, -np.inf if rng.random() < 0.5 else np.inf))
    for name, value in (
        ("kind", series.kind),
        ("values", values),
        ("depth", depth),
        ("weights", series.weights),
    ):
        object.__setattr__(copy, name, value)
    return copy


def same_pattern(batch: Sequence[Inputs]) -> None:
    """Refuse a batch whose members differ in more than their numbers."""
    first = batch[0]
    for other in batch[1:]:
        if (
            other.spacing.shape != first.spacing.shape
            or other.time_step.shape != first.time_step.shape
            or {k: v.shape for k, v in other.parameters.items()}
            != {k: v.shape for k, v in first.parameters.items()}
            or [s.kind for s in other.series] != [s.kind for s in first.series]
        ):
            raise ValueError("the columns of a batch must have the same shapes and series")
