"""A case in which nothing is constant: what the twin and Phoenix cannot exercise."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lsm_verify.cases.case import Case, Range
from lsm_verify.cases.embedded import read_series
from lsm_verify.forcing import Forcing
from lsm_verify.grid import Grid
from lsm_verify.observations import Observations, Series

STEPS = 72
GRID = Grid.stretched(depth=1.5, interfaces=40, ratio=1.08)
TIME_STEP = np.tile([600.0, 900.0, 1800.0, 3600.0, 3600.0, 1200.0], STEPS // 6)

SERIES = {
    "soil_temperature_0.013m": ("soil_temperature", 0.013, 0.1),
    "soil_temperature_0.12m": ("soil_temperature", 0.12, 0.1),
    "soil_heat_flux_0.05m": ("soil_heat_flux", 0.05, 5.0),
    "longwave_up": ("longwave_up", 0.0, 5.0),
    "turbulent_flux": ("turbulent_flux", 0.0, 10.0),
}
"""Column of the embedded file: kind, depth [m], standard error [K or W m-2]."""


def layers(
    depth: NDArray[np.float64], top: float, middle: float, deep: float
) -> NDArray[np.float64]:
    """Values of three layers: above 0.1 m, above 0.5 m, below."""
    return np.where(depth < 0.1, top, np.where(depth < 0.5, middle, deep))


def forcing() -> Forcing:
    """Return two smooth days with a cloudy second one."""
    hours = np.cumsum(TIME_STEP) / 3600.0
    sun = np.maximum(0.0, np.sin(2 * np.pi * (hours - 6.0) / 24.0))
    cloud = 1.0 - 0.6 * np.exp(-(((hours - 36.0) / 5.0) ** 2))
    return Forcing(
        time_step=TIME_STEP,
        SWdown=850.0 * sun * cloud,
        LWdown=310.0 + 35.0 * np.sin(2 * np.pi * (hours - 9.0) / 24.0) + 40.0 * (1 - cloud),
        Tair=291.0 + 7.0 * np.sin(2 * np.pi * (hours - 9.0) / 24.0),
    )


def truth() -> dict[str, NDArray[np.float64] | float]:
    """Return the parameters that made the observations."""
    hours = np.cumsum(TIME_STEP) / 3600.0
    z = GRID.nodes
    return {
        "albedo": 0.22 + 0.06 * np.cos(2 * np.pi * (hours - 12.0) / 24.0),
        "turbulent_transfer_coefficient": 18.0 + 8.0 * np.sin(2 * np.pi * (hours - 10.0) / 24.0),
        "thermal_conductivity": layers(GRID.midpoints, 0.35, 1.1, 1.9),
        "volumetric_heat_capacity": layers(z, 1.3e6, 2.1e6, 2.8e6),
        "bottom_temperature": 288.0 + 0.01 * hours,
        "initial_temperature": 288.0 + 3.0 * np.exp(-z / 0.2) * np.cos(z / 0.2),
        "emissivity": 0.93,
    }


def observations() -> Observations:
    """Exact series with regular gaps, weighted by their standard errors."""
    columns, _ = read_series("layered.csv")
    return Observations(
        tuple(
            Series(kind, columns[name], depth=depth, weights=1.0 / error**2)
            for name, (kind, depth, error) in SERIES.items()
        )
    )


def layered() -> Case:
    """Return the layered case: 40 growing spacings, 72 steps of 10 to 60 minutes, 339 unknowns."""
    true = truth()
    start: dict[str, NDArray[np.float64] | float] = {
        "albedo": np.full(STEPS, 0.3),
        "turbulent_transfer_coefficient": np.full(STEPS, 15.0),
        "thermal_conductivity": np.full(40, 1.0),
        "volumetric_heat_capacity": np.full(41, 2.0e6),
        "bottom_temperature": np.full(STEPS, 290.0),
        "initial_temperature": np.full(41, 290.0),
        "emissivity": 0.97,
    }
    ranges: dict[str, Range] = {
        "albedo": (np.full(STEPS, 0.05), np.full(STEPS, 0.5)),
        "turbulent_transfer_coefficient": (np.full(STEPS, 6.0), np.full(STEPS, 30.0)),
        "thermal_conductivity": (
            true["thermal_conductivity"] / 2,
            true["thermal_conductivity"] * 2,
        ),
        "volumetric_heat_capacity": (
            true["volumetric_heat_capacity"] * 0.7,
            true["volumetric_heat_capacity"] * 1.4,
        ),
        "bottom_temperature": (np.full(STEPS, 284.0), np.full(STEPS, 294.0)),
        "initial_temperature": (np.full(41, 284.0), np.full(41, 294.0)),
        "emissivity": (0.85, 1.0),
    }
    return Case(
        name="layered",
        title="stretched grid, layers, variable steps, time-dependent parameters, fluxes and gaps",
        grid=GRID,
        forcing=forcing(),
        observations=observations(),
        fixed={},
        start=start,
        ranges=ranges,
        truth=true,
        sources={"layered.csv": read_series("layered.csv")[1]},
    )
