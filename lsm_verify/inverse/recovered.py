"""Twins whose parameters vary in time, recovered from noisy records beside what can be known."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lsm_verify.cases.twin import DEPTHS
from lsm_verify.inverse.priors import Prior
from lsm_verify.inverse.recovery import synthetic
from lsm_verify.inverse.smoothness import choose_smoothness
from lsm_verify.inverse.twins import (
    NOISE,
    Experiment,
    daylight,
    diurnal_albedo,
    experiment,
    in_time,
    step_change,
)
from lsm_verify.parameters import COMBINED

Array = NDArray[np.float64]

SEEDS = range(5)
DEEP = (0.05, 0.15)  # m

DEVIATIONS = np.geomspace(0.002, 0.2, 9)
"""Of the hourly difference of α, from which the evidence chooses: up to the width of its range."""


@dataclass(frozen=True)
class Recovery:
    """One twin's experiment.

    Attributes
    ----------
    label : str
        What was observed, and what else was unknown.
    truth : (steps,) array
        In the parameter's unit.
    where : (steps,) array of bool
        Steps that count.
    experiment : Experiment
        Estimates from every record, and the bounds.
    priors : tuple of Prior
        Beside the observations.
    """

    label: str
    truth: Array
    where: NDArray[np.bool_]
    experiment: Experiment
    priors: tuple[Prior, ...] = ()

    @property
    def errors(self) -> Array:
        """Root mean square error of every step over the records (steps,); nan where not counted."""
        away = np.stack([run.estimate for run in self.experiment.runs]) - self.truth
        return np.where(self.experiment.where, np.sqrt(np.mean(away**2, axis=0)), np.nan)

    @property
    def bound(self) -> Array:
        """Cramér-Rao bound of every step (steps,), from the observations alone."""
        return self._of("deviation")

    @property
    def expected(self) -> Array:
        """Expected error of every step with the priors at this truth (steps,), to first order."""
        return np.hypot(self._of("bias"), self._of("spread"))

    def _of(self, field: str) -> Array:
        found = self.experiment
        start = found.bound.labels.index(f"{found.name}[0]")
        values: Any = getattr(found.bound, field)
        return np.where(found.where, values[start : start + self.truth.size], np.nan)


def recoveries(seeds: Sequence[int] = SEEDS) -> tuple[Recovery, ...]:
    """Recover a daily albedo at two pairs of depths, and a step in h(1+1/β), from noisy records.

    The albedo with all other parameters unknown; at the deeper pair with the smoothness that the
    evidence of the first record chooses. The coefficient with all others known: see `twins`.
    """
    day, alpha, H = daylight(), diurnal_albedo(), step_change()
    shallow = in_time({"albedo": alpha}, depths=DEPTHS)
    deep = in_time({"albedo": alpha}, depths=DEEP)
    prior = choose_smoothness(
        synthetic(deep, noise=NOISE, seed=seeds[0]),
        "albedo",
        observation_error=NOISE,
        deviations=DEVIATIONS,
    ).prior
    step = in_time({COMBINED: H}, known=True)
    return (
        Recovery(
            "0 and 0.05 m, all else unknown",
            alpha,
            day,
            experiment(shallow, "albedo", seeds=seeds, where=day),
        ),
        Recovery(
            "0.05 and 0.15 m, all else unknown, smooth",
            alpha,
            day,
            experiment(deep, "albedo", seeds=seeds, where=day, priors=[prior]),
            (prior,),
        ),
        Recovery(
            "0 and 0.05 m, all else known",
            H,
            np.ones(H.size, dtype=bool),
            experiment(step, COMBINED, seeds=seeds),
        ),
    )
