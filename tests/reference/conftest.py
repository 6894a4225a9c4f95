"""A small column in every form in which the oracle can be asked."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from lsm_reference.problem import Objective, Problem, Series

N, S = 6, 5
SPACING = np.array([0.01, 0.013, 0.03, 0.09, 0.2, 0.4])
TIME_STEP = np.array([600.0, 3600.0, 900.0, 86400.0, 1800.0])


def parameters(variant: str) -> dict[str, Any]:
    rng = np.random.default_rng(7)
    values: dict[str, Any] = {
        "albedo": rng.uniform(0.1, 0.4, S),
        "turbulent_transfer_coefficient": rng.uniform(5.0, 40.0, S),
        "thermal_conductivity": np.array([0.02, 0.3, 1.0, 2.0, 30.0, 0.7]),
        "volumetric_heat_capacity": np.array([1.0e6, 1.3e6, 2.0e6, 2.8e6, 4.0e6, 1.1e6, 2.0e6]),
        "bottom_temperature": rng.uniform(280.0, 295.0, S),
        "initial_temperature": rng.uniform(270.0, 310.0, N + 1),
        "emissivity": 0.93,
        "SWdown": np.array([0.0, 300.0, 900.0, 500.0, 0.0]),
        "LWdown": rng.uniform(250.0, 400.0, S),
        "Tair": rng.uniform(275.0, 305.0, S),
    }
    if variant == "tied":
        del values["initial_temperature"]
    if variant in ("separate", "knots"):
        del values["turbulent_transfer_coefficient"]
        values |= {"heat_transfer_coefficient": 14.0, "bowen_ratio": rng.uniform(0.5, 3.0, S)}
    if variant == "scalars":
        values |= {
            "albedo": 0.2,
            "turbulent_transfer_coefficient": 20.0,
            "thermal_conductivity": 0.8,
            "volumetric_heat_capacity": 2.0e6,
            "bottom_temperature": 290.0,
            "initial_temperature": 285.0,
        }
    if variant == "knots":
        values |= {
            "albedo": np.array([0.1, 0.3, 0.2]),
            "bowen_ratio": np.array([0.7, 2.0]),
            "bottom_temperature": np.array([284.0, 291.0]),
        }
    if variant == "insulated-no-bottom":
        del values["bottom_temperature"]
    return values


VARIANTS = ("full", "tied", "separate", "scalars", "knots", "insulated", "insulated-no-bottom")


@pytest.fixture(params=VARIANTS)
def variant(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def build() -> Callable[..., Problem]:
    """Make the problem of a variant; changes replace parameters, ``wrt`` defaults to all."""

    def make(
        variant: str = "full", *, objectives: tuple[str, ...] = ("mean-square",), **changes: Any
    ) -> Problem:
        values = parameters(variant) | changes
        rng = np.random.default_rng(11)
        series = (
            Series("soil_temperature", 0.05, rng.uniform(280.0, 300.0, S + 1), np.ones(S + 1)),
            Series("soil_temperature", 0.0, rng.uniform(280.0, 300.0, S + 1), rng.random(S + 1)),
            Series("soil_heat_flux", 0.04, rng.uniform(-50.0, 50.0, S + 1), np.full(S + 1, 0.01)),
            Series("longwave_up", 0.0, rng.uniform(350.0, 450.0, S + 1), np.full(S + 1, 0.01)),
            Series(
                "turbulent_flux", 0.0, rng.uniform(-99.0, 99.0, S + 1), np.r_[0.0, np.full(S, 0.01)]
            ),
        )
        knots = {
            "albedo": np.array([0.0, 5000.0, 92000.0]),
            "bowen_ratio": np.array([1000.0, 90000.0]),
            "bottom_temperature": np.array([300.0, 93000.0]),
        }
        probe = rng.standard_normal((5, S + 1)) / np.array([1, 1, 100, 100, 100.0])[:, None]
        probe[-1, 0] = 0.0
        return Problem(
            spacing=SPACING,
            time_step=TIME_STEP,
            parameters=values,
            series=series,
            insulated=variant.startswith("insulated"),
            objectives=tuple(
                Objective(kind, probe if kind == "probe" else None) for kind in objectives
            ),
            knots=knots if variant == "knots" else {},
            wrt=tuple(values),
        )

    return make
