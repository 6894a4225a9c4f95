"""A land-surface model of one layer, with its adjoint by hand, open to planted errors.

    c (T' - T) / Δt = (1 - α) K↓ + L↓ - ε σ T⁴ - h (T - T_a) - g (T - T_b)

explicit in time, with steps of 15 minutes to two hours; T⁰ is tied to T_b. c is the heat capacity
of the layer [J m-2 K-1], g the conductance to the soil below [W m-2 K-1]. All temperatures after
the first are observed, and J is their mean square misfit.
"""

from __future__ import annotations

import numpy as np

from tests.peers.problem import Array, Number, Pair, Point

EPSILON_SIGMA = 0.95 * 5.67e-8
STEPS = np.random.default_rng(3).uniform(900.0, 7200.0, 60)
TIME = np.cumsum(STEPS)
SWDOWN = 800.0 * np.maximum(0.0, np.sin(2 * np.pi * (TIME / 86400.0 - 0.25)))
LWDOWN = 300.0 + 40.0 * np.sin(2 * np.pi * TIME / 172800.0)
TAIR = 291.0 + 6.0 * np.sin(2 * np.pi * (TIME / 86400.0 - 0.35))

TRUTH = {
    "albedo": np.array(0.2),
    "heat_transfer_coefficient": np.array(15.0),
    "conductance": np.array(8.0),
    "heat_capacity": np.array(2.2e5),
    "bottom_temperature": np.array(293.0),
}
START = {
    "albedo": np.array(0.3),
    "heat_transfer_coefficient": np.array(11.0),
    "conductance": np.array(6.0),
    "heat_capacity": np.array(2.6e5),
    "bottom_temperature": np.array(290.0),
}
SCALES = {
    "albedo": np.array(0.1),
    "heat_transfer_coefficient": np.array(4.0),
    "conductance": np.array(2.0),
    "heat_capacity": np.array(4e4),
    "bottom_temperature": np.array(3.0),
}


def net_flux(p: Point, n: int, T: Array) -> Array:
    """Heat that the layer gains in step ``n`` [W m-2], linear terms and emission."""
    kind = T.real.dtype.type
    sun, sky, air = kind(SWDOWN[n]), kind(LWDOWN[n]), kind(TAIR[n])
    return (
        (1 - p["albedo"]) * sun
        + sky
        - kind(EPSILON_SIGMA) * T**4
        - p["heat_transfer_coefficient"] * (T - air)
        - p["conductance"] * (T - p["bottom_temperature"])
    )


def trajectory(p: Point) -> Array:
    """Temperatures (steps + 1,) [K], in the precision of the parameters."""
    T = np.asarray(p["bottom_temperature"])
    states = [T]
    for n, step in enumerate(STEPS):
        T = T + T.real.dtype.type(step) / p["heat_capacity"] * net_flux(p, n, T)
        states.append(T)
    return np.stack(states)


OBSERVED = trajectory(TRUTH)[1:]


def objective(p: Point) -> Number:
    """Mean square misfit [K2], in the precision of the parameters."""
    T = trajectory(p)[1:]
    return np.mean((T - OBSERVED.astype(T.dtype)) ** 2)


def adjoint(
    p: Point,
    cotangent: Array,
    *,
    steps: Array = STEPS,
    emission: Array | float = 1.0,
    shift: int = 0,
    dtype: type[np.floating] = np.float64,
) -> dict[str, Array]:
    """Transpose the linearised run, right as it stands.

    Parameters
    ----------
    p, cotangent : mapping, (steps,) array
        Where, and the sensitivity to every temperature but the first.
    steps : (steps,) array
        Time steps of the adjoint; planted: other ones than the model's.
    emission : float or (steps,) array
        Factor of the emission term; planted: not one.
    shift : int
        Planted: by how many states the one that the emission is linearised at is off.
    dtype : type
        Precision of the run and the sweep; planted: single.
    """
    p = cast(p, dtype)
    T = trajectory(p)
    steps, y = np.asarray(steps, dtype), np.asarray(cotangent, dtype)
    c, h, g = p["heat_capacity"], p["heat_transfer_coefficient"], p["conductance"]
    factor = np.broadcast_to(np.asarray(emission, dtype), steps.shape)
    total = {name: np.zeros((), dtype) for name in p}
    adjoint_state = np.zeros((), dtype)
    for n in reversed(range(steps.size)):
        adjoint_state = adjoint_state + y[n]
        weight = adjoint_state * steps[n] / c
        total["albedo"] -= weight * dtype(SWDOWN[n])
        total["heat_transfer_coefficient"] -= weight * (T[n] - dtype(TAIR[n]))
        total["conductance"] -= weight * (T[n] - p["bottom_temperature"])
        total["heat_capacity"] -= weight / c * net_flux(p, n, T[n])
        total["bottom_temperature"] += weight * g
        slope = -4 * factor[n] * dtype(EPSILON_SIGMA) * T[n + shift] ** 3 - h - g
        adjoint_state = adjoint_state + weight * slope
    total["bottom_temperature"] += adjoint_state
    return total


def cast(p: Point, dtype: type[np.floating]) -> dict[str, Array]:
    """Take the parameters to a precision."""
    return {name: np.asarray(value, dtype) for name, value in p.items()}


def gradient(
    p: Point, *, dtype: type[np.floating] = np.float64, **planted: object
) -> dict[str, Array]:
    """Gradient of the misfit by the adjoint; ``planted`` as in `adjoint`."""
    T = trajectory(cast(p, dtype))[1:]
    residual = 2 * (T - OBSERVED.astype(dtype)) / T.size
    return adjoint(p, residual, dtype=dtype, **planted)


def pair(**planted: object) -> Pair:
    """Tangent at the start, by complex step, and its transpose with ``planted`` errors."""
    tiny = 1e-30

    def forward(change: Array) -> Array:
        moved = {
            name: value + 1j * tiny * dp
            for (name, value), dp in zip(START.items(), change, strict=True)
        }
        return trajectory(moved)[1:].imag / tiny

    def transpose(cotangent: Array) -> Array:
        return np.array([float(v) for v in adjoint(START, cotangent, **planted).values()])

    return Pair(forward, transpose, STEPS.size, len(START))
