"""Everything one run of a model reads, as plain arrays: the form in which routes are asked."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from lsm_verify.errors import InputError, unknown
from lsm_verify.observations import Series
from lsm_verify.quantities import PARAMETERS
from lsm_verify.validation import as_array, finite

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

    def __post_init__(self) -> None:
        if self.kind not in OBJECTIVES:
            raise unknown("objective", self.kind, OBJECTIVES)
        if self.weights is None:
            if self.kind == "probe":
                raise InputError("objective 'probe' has no weights; give them, see probe_weights.")
            return
        weights = finite("weights of the objective", as_array("weights", self.weights))
        if self.kind != "probe" and (np.any(weights < 0) or not np.any(weights > 0)):
            raise InputError(
                f"weights of the {self.kind} objective must not be negative, nor all zero."
            )
        object.__setattr__(self, "weights", weights)

    def check(self, series: int, steps: int) -> None:
        """Refuse weights that do not fit the observations."""
        if self.weights is not None and self.weights.shape != (series, steps + 1):
            raise InputError(
                f"weights of the objective have shape {self.weights.shape}; give "
                f"{(series, steps + 1)}, a row per series and a value per state."
            )

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

    def with_values(self, values: Mapping[str, Array]) -> Inputs:
        """Return a copy in which some parameters have other values (same shapes)."""
        return replace(self, parameters={**self.parameters, **values})

    def window(self, steps: int) -> Inputs:
        """Return the first ``steps`` steps; what varies per step is cut with them.

        Objectives are dropped: their weights belong to the whole record.
        """

        def cut(name: str, value: Array) -> Array:
            per_step = "steps" in PARAMETERS[name].shapes and name not in self.knots
            return value[:steps] if per_step and value.ndim == 1 else value

        def first(series: Series) -> Series:
            weights = np.broadcast_to(series.weights, series.values.shape)
            return _changed(series, values=series.values[: steps + 1], weights=weights[: steps + 1])

        return replace(
            self,
            time_step=self.time_step[:steps],
            parameters={name: cut(name, v) for name, v in self.parameters.items()},
            series=tuple(first(s) for s in self.series),
            scales={k: cut(k, v) for k, v in self.scales.items()},
            objectives=(Objective(),),
        )


def probe_weights(inputs: Inputs, seed: int, *, everywhere: bool = False) -> Array:
    """Seeded Gaussian weights (series, steps + 1) where something is observed, else zero.

    Each series is divided by a size of its own unit (1 K, 100 W m-2), so that fluxes do not
    drown temperatures. ``everywhere`` gives every state a weight, observed or not.
    """
    rng = np.random.default_rng(seed)
    rows = []
    for s in inputs.series:
        unit = 1.0 if s.kind == "soil_temperature" else 100.0
        noise = rng.standard_normal(s.values.size) / unit
        seen = np.broadcast_to(s.weights, noise.shape) > 0
        if everywhere:
            seen = np.arange(noise.size) >= (1 if s.kind == "turbulent_flux" else 0)
        rows.append(np.where(seen, noise, 0.0))
    return np.stack(rows)


def ulp_copies(inputs: Inputs, count: int, rng: np.random.Generator) -> Iterator[Inputs]:
    """Yield copies in which every input number is moved up or down by one unit in the last place.

    Grid, steps, parameters, forcing, knots, observed values and depths all move; equal steps move
    together, being one input. Weights of probe and series stay: they define the objective. Zeros
    stay: the number next to zero, 5e-324, is no rounding error of anything.
    """

    def moved(x: Array) -> Array:
        toward = np.where(rng.random(np.shape(x)) < 0.5, -np.inf, np.inf)
        return np.where(x == 0, x, np.nextafter(x, toward))

    for _ in range(count):
        distinct, which = np.unique(inputs.time_step, return_inverse=True)
        yield replace(
            inputs,
            spacing=moved(inputs.spacing),
            time_step=moved(distinct)[which],
            parameters={name: moved(v) for name, v in inputs.parameters.items()},
            knots={name: moved(v) for name, v in inputs.knots.items()},
            series=tuple(
                _changed(s, values=moved(s.values), depth=float(moved(np.asarray(s.depth))))
                for s in inputs.series
            ),
        )


def _changed(series: Series, **changes: object) -> Series:
    """Copy a series with some fields changed; not checked again."""
    copy = object.__new__(Series)
    for name, value in {**vars(series), **changes}.items():
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
