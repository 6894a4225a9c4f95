"""Functions from textbooks, each with its derivative, and what makes them hard to check."""

from __future__ import annotations

import zlib
from collections.abc import Callable

import numpy as np
from scipy.optimize import rosen_der

from tests.peers.problem import Array, Number, Pair, Point

Function = Callable[[Array], Number]
Derivative = Callable[[Array], Array]

rng = np.random.default_rng(1)

NOISE = 1e-10
OFFSET = 1e10
TINY = 1e-9

SMOOTH_POINT = rng.uniform(-1.0, 1.0, 5)
ROSEN_POINT = rng.uniform(-1.2, 1.2, 10)
LARGE_POINT = rng.uniform(-1.2, 1.2, 1000)

NODE_HEAT_CAPACITY = np.full(20, 2.2e6 * 0.05)
"""C V of 20 nodes [J m-2 K-1]: the heat content is linear in the temperatures, some 6e8 J m-2."""
TEMPERATURES = 288.0 + rng.uniform(0.0, 10.0, 20)

PERMEABILITY = {"permeability": np.array(3e-12), "porosity": np.array(0.3)}
"""[m2] and [1]."""

MATRIX = rng.standard_normal((300, 200))
MODEL, DATA = rng.standard_normal(200), rng.standard_normal(300)


def of_vector(function: Function) -> Callable[[Point], Number]:
    """Take a function of one array as one of named parameters."""
    return lambda p: function(p["x"])


def of_vector_gradient(derivative: Derivative) -> Callable[[Point], dict[str, Array]]:
    """Take its derivative likewise."""
    return lambda p: {"x": derivative(p["x"])}


def smooth(x: Array) -> Number:
    """Log-sum-exp with one product: of order one, and so are its derivatives."""
    return np.log(np.sum(np.exp(x))) + x[0] * x[1]


def smooth_der(x: Array) -> Array:
    g = np.exp(x) / np.sum(np.exp(x))
    g[0] += x[1]
    g[1] += x[0]
    return g


def noisy(x: Array) -> Number:
    """Repeatable noise of relative size 1e-10, as an inner solver or a printed number leaves."""
    uniform = zlib.crc32(np.ascontiguousarray(x.real).tobytes()) / 2**31 - 1
    return smooth(x) * (1 + NOISE * uniform)


def rosen(x: Array) -> Number:
    """Rosenbrock's function; SciPy's refuses the complex numbers that the truth is found with."""
    return np.sum(100.0 * (x[1:] - x[:-1] ** 2) ** 2 + (1.0 - x[:-1]) ** 2)


def rosen_without_cross_term(x: Array) -> Array:
    """Derivative of Rosenbrock's function without 200 (x_i - x²_{i-1})."""
    g = rosen_der(x)
    g[1:] -= 200.0 * (x[1:] - x[:-1] ** 2)
    return g


def with_entry(derivative: Derivative, index: int, change: Callable[[float], float]) -> Derivative:
    """Plant an error in one component."""

    def changed(x: Array) -> Array:
        g = derivative(x).copy()
        g[index] = change(g[index])
        return g

    return changed


def permeability(p: Point) -> Number:
    """Misfit in log permeability and porosity; not-a-number where the logarithm has no value."""
    with np.errstate(invalid="ignore", divide="ignore"):
        misfit = np.log(p["permeability"] / 1e-12) - 2.0
    return 0.5 * misfit**2 + 50.0 * (p["porosity"] - 0.25) ** 2


def permeability_der(p: Point) -> dict[str, Array]:
    misfit = np.log(p["permeability"] / 1e-12) - 2.0
    return {
        "permeability": np.asarray(misfit / p["permeability"]),
        "porosity": np.asarray(100.0 * (p["porosity"] - 0.25)),
    }


def melt(x: Array) -> Number:
    """Degree-day melt Σ max(0, T) beside a smooth part."""
    return np.sum(np.where(x.real > 0, x, 0.0)) + 0.5 * np.sum((x - 1.0) ** 2)


def melt_der(x: Array) -> Array:
    return (x > 0) + (x - 1.0)


def least_squares(pair: Pair, data: Array) -> tuple[Function, Derivative]:
    """½ |A x - d|² and the gradient by the claimed transpose."""

    def function(x: Array) -> Number:
        residual = pair.forward(x) - data
        return 0.5 * (residual @ residual)

    def derivative(x: Array) -> Array:
        return pair.transpose(pair.forward(x) - data)

    return function, derivative


def matrix_pair(transposed: Array, matrix: Array = MATRIX) -> Pair:
    """A matrix and what is claimed to be its transpose."""
    return Pair(lambda x: matrix @ x, lambda y: transposed @ y, *matrix.shape)


def difference_pair(*, boundary: bool) -> Pair:
    """First differences of 200 values; their transpose with its last boundary term or without."""

    def transpose(y: Array) -> Array:
        x = np.zeros(y.size + 1, y.dtype)
        x[:-1] -= y
        x[1:] += y
        if not boundary:
            x[-1] = 0.0
        return x

    return Pair(np.diff, transpose, MODEL.size - 1, MODEL.size)
