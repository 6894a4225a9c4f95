"""Small cases on which mutants run: fast, and with every term of the cases they are cut from."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from lsm_verify.cases import Case, load_case
from lsm_verify.forcing import Forcing
from lsm_verify.grid import Grid
from lsm_verify.observations import Observations, Series
from lsm_verify.parameters import Knots

STEPS = 20

FIRST, LAYERED_STEPS = 12, 12
"""The morning of the layered case: from half past six, sun in every step."""

PER_STEP = ("albedo", "turbulent_transfer_coefficient", "bottom_temperature")


def small_twin() -> Case:
    """Return the twin on 20 interfaces and 20 steps: six numbers, observed at two depths."""
    case = load_case("twin").window(STEPS)
    return replace(case, name="small-twin", grid=Grid.uniform(1.0, 20), truth=None)


def short_layered() -> Case:
    """Cut a morning out of the layered case, on six interfaces: everything varies, all is observed.

    Coefficients start from their true values, which differ from step to step.
    """
    case = load_case("layered")
    part = slice(FIRST, FIRST + LAYERED_STEPS)
    forcing = {
        name: getattr(case.forcing, name)[part]
        for name in ("time_step", "SWdown", "LWdown", "Tair")
    }
    truth = case.point("truth")
    start: dict[str, Any] = {
        **{name: np.asarray(truth[name])[part] for name in PER_STEP},
        "thermal_conductivity": np.linspace(0.5, 2.0, 6),
        "volumetric_heat_capacity": np.linspace(1.5e6, 2.5e6, 7),
        "initial_temperature": np.linspace(292.0, 288.0, 7),
        "emissivity": 0.95,
    }
    return Case(
        name="short-layered",
        title="a morning of the layered case on six interfaces",
        grid=Grid.stretched(1.0, 6, 1.8),
        forcing=Forcing(**forcing),
        observations=Observations(tuple(_cut(s) for s in case.observations.series)),
        fixed={},
        start=start,
        ranges={
            "albedo": (0.05, 0.5),
            "turbulent_transfer_coefficient": (6.0, 30.0),
            "bottom_temperature": (284.0, 294.0),
            "thermal_conductivity": (0.3, 3.0),
            "volumetric_heat_capacity": (1.0e6, 3.0e6),
            "initial_temperature": (284.0, 294.0),
            "emissivity": (0.85, 1.0),
        },
    )


def _cut(series: Series) -> Series:
    """Return the part of a series that belongs to the morning; its gaps stay gaps."""
    part = slice(FIRST, FIRST + LAYERED_STEPS + 1)
    weights = np.broadcast_to(series.weights, series.values.shape)[part].copy()
    if series.kind == "turbulent_flux":
        weights[0] = 0.0  # no step ends at the initial state
    values = np.where(weights > 0, series.values[part], np.nan)
    return replace(series, values=values, weights=weights)


def sealed_knots() -> Case:
    """Six interfaces over an insulated bottom, albedo by knots, h per step, β one number."""
    time_step = np.tile([900.0, 1800.0, 3600.0], 4)
    hours = 6.0 + np.cumsum(time_step) / 3600.0
    states = np.concatenate([[6.0], hours])
    swing = np.sin(2 * np.pi * (states - 8.0) / 24.0)
    gaps = np.where(np.arange(states.size) % 5 == 3, np.nan, 0.0)
    start: dict[str, Any] = {
        "albedo": Knots(np.array([0.0, 7200.0, 14400.0, 28800.0]), np.array([0.2, 0.25, 0.3, 0.2])),
        "heat_transfer_coefficient": 12.0 + 3.0 * np.cos(hours),
        "bowen_ratio": 1.4,
        "thermal_conductivity": np.linspace(0.6, 1.8, 6),
        "volumetric_heat_capacity": 2.1e6,
        "initial_temperature": np.linspace(292.0, 288.0, 7),
    }
    return Case(
        name="sealed-knots",
        title="insulated bottom, albedo given by knots",
        grid=Grid.stretched(0.6, 6, 1.4),
        forcing=Forcing(
            time_step=time_step,
            SWdown=np.maximum(0.0, 800.0 * np.sin(np.pi * (hours - 7.0) / 14.0)),
            LWdown=320.0 + 10.0 * np.cos(hours),
            Tair=290.0 + 6.0 * np.sin(2 * np.pi * (hours - 9.0) / 24.0),
        ),
        observations=Observations(
            (
                Series("soil_temperature", 291.0 + 3.0 * swing, depth=0.03),
                Series("soil_temperature", 290.0 + swing + gaps, depth=0.17, weights=4.0),
            )
        ),
        fixed={"emissivity": 0.96},
        start=start,
        ranges={
            "albedo": (0.05, 0.5),
            "heat_transfer_coefficient": (5.0, 20.0),
            "bowen_ratio": (0.5, 5.0),
            "thermal_conductivity": (0.3, 3.0),
            "volumetric_heat_capacity": (1.0e6, 3.0e6),
            "initial_temperature": (285.0, 295.0),
        },
        insulated=True,
    )


WORKLOADS: dict[str, Callable[[], Case]] = {
    "small-twin": small_twin,
    "short-layered": short_layered,
    "sealed-knots": sealed_knots,
}
