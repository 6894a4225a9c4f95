"""Where an ensemble of starts ends: its spread along the directions of the information.

The spread of many starts is often read as the uncertainty of the estimate. It is one where every
start has reached the optimum of its own noisy record; here all starts share one record, and what is
left of their spread is the distance that the minimiser has not gone.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lsm_verify.cases.phoenix import RANGES
from lsm_verify.inverse.experiments import NOISE, Experiment, combined_rows
from lsm_verify.inverse.identifiability import Identifiability
from lsm_verify.inverse.identify import identify
from lsm_verify.inverse.varying import combined
from lsm_verify.parameters import COMBINED

Array = NDArray[np.float64]

PAIR = ("thermal_conductivity", "volumetric_heat_capacity")
"""What the paper finds correlated over its starts."""

PUBLISHED_CORRELATION = {"phoenix": 0.997}
"""Of λ and C over the ends of the paper's 50 starts, from its own tables."""

TWIN_NOISE = NOISE[1]


@dataclass(frozen=True)
class Valley:
    """Starts and ends of an ensemble beside what the observations say, h and β as h(1+1/β).

    Attributes
    ----------
    case : str
        Its name.
    told : Identifiability
        At the truth, or the best fit, for independent errors of ``error``.
    error : float
        Standard deviation of the observations [K]: 0.05 for twins, else the root mean square
        residual of the best fit.
    starts, adam, exact : (B, P) array
        Where the paper's starts are, and where its Adam and least squares end, in the parameters'
        units.
    published : mapping
        The paper's means and spreads by name.
    """

    case: str
    told: Identifiability
    error: float
    starts: Array
    adam: Array
    exact: Array
    published: dict[str, tuple[float, float]]

    @property
    def directions(self) -> Array:
        """Rows (P, P) in scaled coordinates, that of which the observations say most first."""
        return np.asarray(np.linalg.svd(self.told.jacobian, full_matrices=False)[2])

    @property
    def deviations(self) -> Array:
        """What the observations let be known along each direction (P,), one standard deviation."""
        return np.asarray(1 / self.told.singular_values)

    def along(self, rows: Array) -> Array:
        """Return the deviation of rows (B, P) along each direction (P,), in scaled coordinates."""
        return np.asarray(np.std(self.told.space.scaled(rows) @ self.directions.T, axis=0, ddof=1))

    @property
    def share(self) -> float:
        """Share of the variance of Adam's ends that lies along the worst direction."""
        variances = self.along(self.adam) ** 2
        return float(variances[-1] / variances.sum())

    @property
    def correlation(self) -> float:
        """Correlation of λ and C over Adam's ends."""
        return float(np.corrcoef(*self.pair(self.adam))[0, 1])

    @property
    def correlation_of_data(self) -> float:
        """Correlation of λ and C of estimates from noisy records."""
        k, j = (self.told.space.names.index(name) for name in PAIR)
        return float(self.told.correlation[k, j])

    @property
    def left_by_least_squares(self) -> float:
        """Largest spread of the ends of least squares, in units of Adam's, of any parameter."""
        return float(np.max(self.exact.std(axis=0) / self.adam.std(axis=0)))

    def pair(self, rows: Array) -> Array:
        """λ and C (2, B) of rows."""
        return np.stack([rows[:, self.told.space.names.index(name)] for name in PAIR])


def valley(experiment: Experiment) -> Valley:
    """Return the ensemble of an experiment beside what its observations say."""
    low, high = (float(end) for end in RANGES[COMBINED])
    case = combined(experiment.case, (low, high))
    twin = case.truth is not None
    error = TWIN_NOISE if twin else float(np.nanmin(experiment.exact.rmse))
    point = "truth" if twin else experiment.exact.parameters()
    told = identify(case, point, observation_error=error)
    names = told.space.names
    return Valley(
        case=case.name,
        told=told,
        error=error,
        starts=combined_rows(experiment.adam, experiment.adam.start, names),
        adam=combined_rows(experiment.adam, experiment.adam.estimate, names),
        exact=combined_rows(experiment.exact, experiment.exact.estimate, names),
        published=dict(experiment.published),
    )
