"""Hypothesis strategies for soil columns: any grid, layering, steps, forcing and bottom."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from lsm_verify.inputs import Inputs
from lsm_verify.observations import Series

Array = NDArray[np.float64]

THINNEST, THICKEST = 1e-3, 0.5
SHORTEST, LONGEST = 1.0, 4 * 86400.0
CONDUCTIVITY = (1e-2, 1e2)
HEAT_CAPACITY = (1e4, 1e8)
"""Both span a contrast of 1e4; [W m-1 K-1] and [J m-3 K-1]."""
COLD, HOT = 230.0, 330.0

GRID = 1024
UNIT = st.integers(0, GRID).map(lambda k: k / GRID)
"""Multiples of 1/1024: numbers of 1e-300 would test how floats underflow, not the model."""


def between(low: float, high: float) -> Callable[[Array], Array]:
    return lambda u: low + (high - low) * u


def logarithmic(low: float, high: float) -> Callable[[Array], Array]:
    return lambda u: low * (high / low) ** u


def units(count: int) -> st.SearchStrategy[Array]:
    return arrays(np.int64, count, elements=st.integers(0, GRID)).map(lambda k: k / GRID)


@st.composite
def profiles(draw: st.DrawFn, count: int, scale: Callable[[Array], Array]) -> Array:
    """``count`` values: all equal, in two layers, or each drawn by itself."""
    form = draw(st.sampled_from(("constant", "layers", "any")))
    if form == "any":
        return scale(draw(units(count)))
    top, below = draw(UNIT), draw(UNIT)
    border = 0 if form == "constant" else draw(st.integers(0, count))
    return scale(np.where(np.arange(count) < border, top, below))


def given_as(values: Array, *, scalar: bool) -> Array:
    """One number instead of a constant profile, where asked for."""
    return values[0] if scalar and np.ptp(values) == 0 else values


@st.composite
def columns(
    draw: st.DrawFn,
    *,
    max_interfaces: int = 40,
    max_steps: int = 6,
    emissivity: st.SearchStrategy[float] = UNIT,
    insulated: st.SearchStrategy[bool] = st.booleans(),  # noqa: B008
) -> Inputs:
    """Inputs of one column; nights are hours without sun, gaps are weights of zero."""
    N = draw(st.integers(2, max_interfaces))
    S = draw(st.integers(1, max_steps))
    sealed = draw(insulated)
    scalar = draw(st.booleans())

    def profile(count: int, scale: Callable[[Array], Array]) -> Array:
        return given_as(draw(profiles(count, scale)), scalar=scalar)

    spacing = draw(profiles(N, logarithmic(THINNEST, THICKEST)))
    sun = between(0.0, 1200.0)(draw(units(S)))
    night = draw(arrays(np.bool_, S))
    parameters = {
        "albedo": profile(S, between(0.0, 1.0)),
        "thermal_conductivity": profile(N, logarithmic(*CONDUCTIVITY)),
        "volumetric_heat_capacity": profile(N + 1, logarithmic(*HEAT_CAPACITY)),
        "emissivity": np.float64(draw(emissivity)),
        "SWdown": np.where(night, 0.0, sun),
        "LWdown": draw(profiles(S, between(50.0, 500.0))),
        "Tair": draw(profiles(S, between(COLD, HOT))),
    }
    if draw(st.booleans()):
        parameters["turbulent_transfer_coefficient"] = profile(S, between(0.0, 200.0))
    else:
        parameters["heat_transfer_coefficient"] = profile(S, between(0.0, 50.0))
        parameters["bowen_ratio"] = profile(S, logarithmic(0.1, 10.0))
    tied = not sealed and draw(st.booleans())
    if not sealed:
        parameters["bottom_temperature"] = profile(S, between(COLD, HOT))
    if not tied:
        parameters["initial_temperature"] = profile(N + 1, between(COLD, HOT))
    return Inputs(
        spacing=spacing,
        time_step=draw(profiles(S, logarithmic(SHORTEST, LONGEST))),
        parameters={name: np.asarray(value) for name, value in parameters.items()},
        series=draw(series(spacing, S)),
        insulated=sealed,
        wrt=tuple(parameters),
    )


@st.composite
def series(draw: st.DrawFn, spacing: Array, steps: int) -> tuple[Series, ...]:
    """One series of each kind, sensors anywhere, some values missing."""
    z = np.concatenate([[0.0], np.cumsum(spacing)])
    middle = (z[:-1] + z[1:]) / 2
    result = []
    for kind, low, high, typical in (
        ("soil_temperature", 0.0, z[-1], 290.0),
        ("soil_heat_flux", middle[0], middle[-1], 50.0),
        ("longwave_up", 0.0, 0.0, 400.0),
        ("turbulent_flux", 0.0, 0.0, 100.0),
    ):
        values = np.full(steps + 1, typical)
        values[draw(arrays(np.bool_, steps + 1))] = np.nan
        if kind == "turbulent_flux":
            values[0] = np.nan
        result.append(Series(kind, values, depth=low + (high - low) * draw(UNIT)))
    return tuple(result)
