"""The twin experiment on a coarse grid: six parameters between 0.275 and 2.25e6."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import cache

import numpy as np

import lsm_verify as lv
from lsm_verify.routes.oracle import forward_product, transposed_product
from tests.peers.problem import Array, Pair, Point


@cache
def case() -> lv.Case:
    """20 nodes and 48 of the twin's hours, so that a thousand runs take a second."""
    return replace(lv.load_case("twin").window(48), grid=lv.Grid(np.full(20, 0.05)))


def start() -> dict[str, Array]:
    """Middle of the paper's ranges."""
    return {name: np.asarray(value) for name, value in case().start.items()}


def objective(p: Point) -> float:
    """Mean square misfit [K2]; not-a-number for parameters that have no meaning."""
    try:
        return float(lv.gradient(case(), p, route="adjoint")[0])
    except (lv.InputError, lv.NoSolutionError):
        return float("nan")


def gradient(p: Point) -> dict[str, Array]:
    """Gradient by the adjoint derived by hand."""
    return dict(lv.gradient(case(), p, route="adjoint")[1])


def exact(p: Point) -> dict[str, Array]:
    """Gradient by complex step."""
    return dict(lv.gradient(case(), p, route="complex-step")[1])


def scaled(factors: dict[str, float]) -> Callable[[Point], dict[str, Array]]:
    """Plant a factor in some of the derivatives."""
    return lambda p: {name: factors.get(name, 1.0) * g for name, g in gradient(p).items()}


def pair(factors: dict[str, float]) -> Pair:
    """Tangent and adjoint of the predictions at the start, with the same factors planted."""
    inputs = case().inputs(start())
    states = (len(inputs.series), inputs.steps + 1)

    def forward(change: Array) -> Array:
        named = {name: np.asarray(dp) for name, dp in zip(start(), change, strict=True)}
        return forward_product(inputs, named).ravel()

    def transpose(cotangent: Array) -> Array:
        product = transposed_product(inputs, cotangent.reshape(states))
        return np.array([factors.get(name, 1.0) * float(product[name]) for name in start()])

    return Pair(forward, transpose, states[0] * states[1], len(start()))
