"""What is timed: the twin experiment for any number of columns, steps and nodes.

Columns differ in the six parameters that the paper estimates, drawn from its ranges; column 0 has
the middle of every range. Forcing, grid and observations are shared. The observations are those of
the twin's truth on the same grid and record, so that the misfit and its gradient have signal.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
from numpy.typing import NDArray

from lsm_verify.cases.twin import DEPTHS, PUBLISHED_RANGES, TRUTH, middle, shortwave
from lsm_verify.errors import InputError
from lsm_verify.inputs import Inputs
from lsm_verify.observations import Series
from lsm_verify.routes.oracle import predictions

Array = NDArray[np.float64]

NAMES = tuple(PUBLISHED_RANGES)
"""The six parameters, in the order of the columns of ``theta`` and of every gradient."""

SCALES: Array = np.array([(high - low) / np.sqrt(12.0) for low, high in PUBLISHED_RANGES.values()])
"""Standard deviations of their uniform priors: what errors of gradients are weighed with."""

EMISSIVITY = 0.95
DEPTH = 1.0  # m
TIME_STEP = 3600.0  # s
LONGWAVE_DOWN = 100.0  # W m-2
AIR_TEMPERATURE = 296.0  # K
SEED = 20250502


@dataclass(frozen=True)
class Workload:
    """``batch`` columns of ``nodes`` intervals in 1 m, over ``steps`` hours.

    ``nodes`` counts as the paper does: N intervals, N + 1 temperatures of which one is prescribed.
    """

    batch: int = 1
    steps: int = 100
    nodes: int = 100

    def __post_init__(self) -> None:
        if self.batch < 1 or self.steps < 1 or self.nodes < 2:
            raise InputError(
                f"workload of {self.batch} columns, {self.steps} steps and {self.nodes} nodes; "
                "give at least 1, 1 and 2."
            )

    @property
    def name(self) -> str:
        """Short name, as in the rows of a result."""
        return f"B{self.batch}-S{self.steps}-N{self.nodes}"

    @cached_property
    def theta(self) -> Array:
        """Parameters (batch, 6), in the order of `NAMES`; seeded."""
        low, high = np.array(list(PUBLISHED_RANGES.values())).T
        drawn: Array = low + (high - low) * np.random.default_rng(SEED).random(
            (self.batch, len(NAMES))
        )
        drawn[0] = [middle(PUBLISHED_RANGES)[name] for name in NAMES]
        return drawn

    @cached_property
    def direction(self) -> Array:
        """Change (batch, 6) of the parameters for tangents: a seeded draw in their scales."""
        return SCALES * np.random.default_rng(SEED + 1).standard_normal((self.batch, len(NAMES)))

    @property
    def spacing(self) -> float:
        """Distance of two nodes [m]."""
        return DEPTH / self.nodes

    @cached_property
    def SWdown(self) -> Array:
        """Downward shortwave radiation (steps,) [W m-2]."""
        return _sun(self.steps)

    @cached_property
    def reading(self) -> tuple[NDArray[np.int64], Array]:
        """Index of the upper node and share of the lower one, for both depths."""
        at = np.array(DEPTHS) / self.spacing
        index = np.minimum(np.floor(at + 1e-9).astype(np.int64), self.nodes - 1)
        return index, np.maximum(at - index, 0.0)

    @property
    def values(self) -> Array:
        """Observed temperatures (2, steps + 1) [K]: the oracle's, at the twin's truth."""
        return _observations(self.steps, self.nodes)

    def inputs(self, column: int) -> Inputs:
        """Return one column as the oracle and the torch models take it."""
        return _inputs(
            self.steps, self.nodes, dict(zip(NAMES, self.theta[column], strict=True)), self.values
        )

    def sample(self, count: int) -> list[int]:
        """Return the columns to be held against the oracle: the ends, and some between."""
        if self.batch <= count:
            return list(range(self.batch))
        between = np.random.default_rng(SEED + 2).choice(
            np.arange(1, self.batch - 1), count - 2, replace=False
        )
        return [0, *sorted(int(b) for b in between), self.batch - 1]


def _sun(steps: int) -> Array:
    ends: Array = TIME_STEP * np.arange(1, steps + 1, dtype=np.float64)
    return shortwave(ends)


def _inputs(steps: int, nodes: int, parameters: dict[str, float], values: Array) -> Inputs:
    spacing = DEPTH / nodes
    return Inputs(
        spacing=np.full(nodes, spacing),
        time_step=np.full(steps, TIME_STEP),
        parameters={name: np.asarray(value) for name, value in parameters.items()}
        | {
            "emissivity": np.asarray(EMISSIVITY),
            "SWdown": _sun(steps),
            "LWdown": np.full(steps, LONGWAVE_DOWN),
            "Tair": np.full(steps, AIR_TEMPERATURE),
        },
        series=tuple(
            Series("soil_temperature", row, depth=depth)
            for row, depth in zip(values, DEPTHS, strict=True)
        ),
        wrt=NAMES,
        scales=dict(zip(NAMES, map(np.asarray, SCALES), strict=True)),
    )


@lru_cache(maxsize=8)
def _observations(steps: int, nodes: int) -> Array:
    blank = np.full((len(DEPTHS), steps + 1), TRUTH["bottom_temperature"])
    return predictions(_inputs(steps, nodes, TRUTH, blank))
