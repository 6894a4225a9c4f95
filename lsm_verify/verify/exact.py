"""Solutions known on paper, as inputs of the models and the temperatures that they should give.

Forcing that acts during a step is that at its end, as backward Euler wants it; the bottom is
prescribed from the solution, the first profile is the solution's own.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lsm_verify.inputs import Inputs
from lsm_verify.observations import Series
from lsm_verify.quantities import STEFAN_BOLTZMANN

Array = NDArray[np.float64]

DAY = 86400.0

CONDUCTIVITY, HEAT_CAPACITY = 1.0, 2.0e6
DIFFUSIVITY = CONDUCTIVITY / HEAT_CAPACITY

STRETCH = 1.0
"""The spacing grows by e from the surface to the bottom: control volumes are not symmetric."""


@dataclass(frozen=True)
class Solution:
    """An exact solution T(t, z) of the model's differential equations, in a uniform soil.

    ``temperature`` maps times (m,) and depths (n,) to (m, n) [K]; ``forcing`` maps times to SWdown,
    LWdown and Tair; ``parameters`` are the constants. Runs start at ``start`` [s].
    """

    name: str
    depth: float
    start: float
    duration: float
    parameters: Mapping[str, float]
    temperature: Callable[[Array, Array], Array]
    forcing: Callable[[Array], dict[str, Array]]


def sample(solution: Solution, nodes: int, steps: int) -> tuple[Inputs, Array]:
    """Return inputs on a stretched grid of ``nodes`` interfaces, and the solution at its states."""
    xi = np.arange(nodes + 1) / nodes
    z = solution.depth * np.expm1(STRETCH * xi) / np.expm1(STRETCH)
    t = solution.start + solution.duration * np.arange(steps + 1) / steps
    exact = solution.temperature(t, z)
    parameters = {
        **solution.parameters,
        **solution.forcing(t[1:]),
        "thermal_conductivity": CONDUCTIVITY,
        "volumetric_heat_capacity": HEAT_CAPACITY,
        "bottom_temperature": exact[1:, -1],
        "initial_temperature": exact[0],
    }
    return _inputs(np.diff(z), np.full(steps, solution.duration / steps), parameters), exact


def _inputs(
    spacing: Array, time_step: Array, parameters: Mapping[str, object], *, insulated: bool = False
) -> Inputs:
    surface = Series("soil_temperature", np.full(time_step.size + 1, 290.0))
    return Inputs(
        spacing=spacing,
        time_step=time_step,
        parameters={name: np.asarray(v, dtype=np.float64) for name, v in parameters.items()},
        series=(surface,),
        insulated=insulated,
    )


def manufactured() -> Solution:
    """Return a damped wave, with the sunshine that keeps the surface balance, emission included.

    T = T̄ + A exp(-kz) cos(ωt - kz + φ) with k = √(ω/2κ) solves the heat equation; K↓(t) is chosen
    from the balance of the surface, so that it solves the nonlinear model without a source term.
    """
    mean, amplitude, phase = 290.0, 6.0, -1.0
    omega = 2 * np.pi / DAY
    k = np.sqrt(omega / (2 * DIFFUSIVITY))
    albedo, emissivity, H = 0.2, 0.95, 15.0

    def temperature(t: Array, z: Array) -> Array:
        angle = omega * t[:, None] - k * z + phase
        return np.asarray(mean + amplitude * np.exp(-k * z) * np.cos(angle))

    def forcing(t: Array) -> dict[str, Array]:
        surface = temperature(t, np.zeros(1))[:, 0]
        angle = omega * t + phase
        into_soil = CONDUCTIVITY * k * amplitude * (np.cos(angle) - np.sin(angle))
        air = 287.0 + 3.0 * np.cos(omega * t - 0.5)
        longwave = 250.0 + 30.0 * np.sin(omega * t)
        emitted = emissivity * STEFAN_BOLTZMANN * surface**4
        absorbed = into_soil + emitted + H * (surface - air) - longwave
        return {"SWdown": absorbed / (1 - albedo), "LWdown": longwave, "Tair": air}

    return Solution(
        "manufactured forcing",
        depth=0.5,
        start=0.0,
        duration=DAY / 2,
        parameters={
            "albedo": albedo,
            "emissivity": emissivity,
            "turbulent_transfer_coefficient": H,
        },
        temperature=temperature,
        forcing=forcing,
    )


def half_space() -> Solution:
    """Return a cold half-space under warm air, no radiation: Carslaw and Jaeger, section 2.7.

    Runs start when the surface has warmed for six hours: at first the flux jumps, and no scheme
    has its order there.
    """
    from scipy.special import erfc, erfcx

    cold, warm, H = 285.0, 300.0, 20.0

    def temperature(t: Array, z: Array) -> Array:
        length = np.sqrt(DIFFUSIVITY * t[:, None])
        eta = z / (2 * length)
        # exp(hz/λ + h²κt/λ²) erfc(η + h√κt/λ), free of overflow.
        delayed = np.exp(-(eta**2)) * erfcx(eta + H * length / CONDUCTIVITY)
        return np.asarray(cold + (warm - cold) * (erfc(eta) - delayed))

    def forcing(t: Array) -> dict[str, Array]:
        dark = np.zeros_like(t)
        return {"SWdown": dark, "LWdown": dark, "Tair": np.full_like(t, warm)}

    return Solution(
        "half-space under constant air",
        depth=0.5,
        start=DAY / 4,
        duration=DAY / 4,
        parameters={"albedo": 0.2, "emissivity": 0.0, "turbulent_transfer_coefficient": H},
        temperature=temperature,
        forcing=forcing,
    )


def drifting(*, insulated: bool) -> tuple[Inputs, Array]:
    """Return a layered column that warms everywhere at one rate: inputs, and its temperatures.

    T_i = T_i⁰ + r t. Linear in time, so backward Euler is exact; each interface carries the heat
    that warms the nodes below it. In a uniform soil this is the parabola
    T + r t + c z + r z² / 2κ, an exact solution of the heat equation. Grid, steps, layers and
    forcing vary as they like.
    """
    rng = np.random.default_rng(7)
    layers, steps, rate = 12, 10, 5e-5
    spacing = rng.uniform(0.01, 0.08, layers)
    time_step = rng.uniform(300.0, 5400.0, steps)
    lam = rng.uniform(0.3, 2.0, layers)
    C = rng.uniform(1e6, 3e6, layers + 1)
    volume = np.concatenate([[spacing[0] / 2], (spacing[1:] + spacing[:-1]) / 2, [spacing[-1] / 2]])
    heat = rate * C * volume  # that each node takes up [W m-2]
    through = heat[-1] if insulated else 2.0  # that the last interface carries downward
    q = through + np.concatenate([np.cumsum(heat[-2:0:-1])[::-1], [0.0]])
    profile = 283.0 + np.concatenate([np.cumsum((q * spacing / lam)[::-1])[::-1], [0.0]])
    t = np.concatenate([[0.0], np.cumsum(time_step)])
    exact = profile + rate * t[:, None]
    surface, albedo, H = exact[1:, 0], rng.uniform(0.1, 0.4, steps), rng.uniform(5, 25, steps)
    air, longwave = rng.uniform(278, 292, steps), rng.uniform(200, 300, steps)
    emissivity = 0.94
    emitted = emissivity * STEFAN_BOLTZMANN * surface**4
    absorbed = heat[0] + q[0] + emitted + H * (surface - air) - longwave
    parameters = {
        "albedo": albedo,
        "emissivity": emissivity,
        "turbulent_transfer_coefficient": H,
        "thermal_conductivity": lam,
        "volumetric_heat_capacity": C,
        "initial_temperature": exact[0],
        "SWdown": absorbed / (1 - albedo),
        "LWdown": longwave,
        "Tair": air,
    }
    if not insulated:
        parameters["bottom_temperature"] = exact[1:, -1]
    return _inputs(spacing, time_step, parameters, insulated=insulated), exact
