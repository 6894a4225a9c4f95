"""The synthetic experiment of the paper, with exact observations.

References
----------
Huang, R., Heaney, C. E., van Reeuwijk, M. (2025). Parameter estimation for land-surface models
using Neural Physics. arXiv:2505.02979.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lsm_verify.cases.case import Case, Range
from lsm_verify.cases.embedded import read_series
from lsm_verify.forcing import Forcing
from lsm_verify.grid import Grid
from lsm_verify.observations import Observations, Series

DEPTHS = (0.0, 0.05)
STEPS = 100
SUNRISE, SUNSET, DAY = 7 * 3600.0, 21 * 3600.0, 86400.0

TRUTH = {
    "albedo": 0.2,
    "heat_transfer_coefficient": 15.0,
    "bowen_ratio": 1.5,
    "thermal_conductivity": 0.8,
    "volumetric_heat_capacity": 2.2e6,
    "bottom_temperature": 293.0,
}

PUBLISHED_RANGES: dict[str, Range] = {
    "albedo": (0.05, 0.5),
    "heat_transfer_coefficient": (5.0, 20.0),
    "bowen_ratio": (0.5, 5.0),
    "thermal_conductivity": (0.47, 0.8),
    "volumetric_heat_capacity": (2.0e6, 2.5e6),
    "bottom_temperature": (290.0, 303.0),
}
"""Ends of the uniform distributions from which the paper draws its 50 starts."""


def shortwave(time: NDArray[np.float64]) -> NDArray[np.float64]:
    """Downward shortwave radiation [W m-2] at ``time`` [s since midnight of the first day].

    The paper's zenith angle grows linearly from -π/2 at sunrise to π/2 at sunset; at night the
    formula leaves 800 cos(π/2) = 4.9e-14, not 0.
    """
    angle = (2 * (time % DAY) - SUNRISE - SUNSET) / (SUNSET - SUNRISE) * (np.pi / 2)
    return 800.0 * np.cos(np.clip(angle, -np.pi / 2, np.pi / 2))


def middle(ranges: dict[str, Range]) -> dict[str, float]:
    """Middle of every range: where estimation starts when nothing better is known."""
    return {name: float(low + high) / 2 for name, (low, high) in ranges.items()}


def twin(depths: tuple[float, ...] = DEPTHS, name: str = "twin") -> Case:
    """Return the twin experiment: 1 m, 100 nodes deep, 100 hourly steps, six free parameters."""
    time_step = np.full(STEPS, 3600.0)
    columns, digest = read_series("twin.csv")
    return Case(
        name=name,
        title="twin experiment of arXiv:2505.02979, exact observations",
        grid=Grid(np.full(100, 0.01)),
        forcing=Forcing(
            time_step=time_step,
            SWdown=shortwave(np.cumsum(time_step)),
            LWdown=np.full(STEPS, 100.0),
            Tair=np.full(STEPS, 296.0),
        ),
        observations=Observations(
            tuple(
                Series("soil_temperature", columns[f"soil_temperature_{d:g}m"], depth=d)
                for d in depths
            )
        ),
        fixed={"emissivity": 0.95},
        start=middle(PUBLISHED_RANGES),
        ranges=PUBLISHED_RANGES,
        truth=TRUTH,
        sources={"twin.csv": digest},
    )


def twin_one_depth() -> Case:
    """Return the twin experiment observed at 0.05 m alone."""
    return twin(depths=DEPTHS[1:], name="twin-one-depth")
