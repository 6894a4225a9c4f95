"""From a model or function with its derivative to a problem."""

from __future__ import annotations

import numpy as np

from tests.peers import slab, textbook
from tests.peers.problem import Array, Group, Pair, Point, Problem


def layer(
    name: str,
    group: Group,
    title: str,
    point: Point,
    planted: dict[str, object] | None = None,
    pair: Pair | None = None,
) -> Problem:
    """Judge the adjoint of the one-layer model, right or with errors planted."""
    planted = planted or {}
    single = next(iter(point.values())).dtype == np.float32
    dtype = {"dtype": np.float32} if single else {}
    return Problem(
        name,
        group,
        title,
        slab.objective,
        lambda p: slab.gradient(p, **{**dtype, **planted}),
        point,
        slab.SCALES,
        pair,
    )


def vector(
    name: str,
    group: Group,
    title: str,
    functions: tuple[textbook.Function, textbook.Derivative],
    point: Array = textbook.SMOOTH_POINT,
    pair: Pair | None = None,
    scale: float | None = None,
) -> Problem:
    """Judge a function of one array and its derivative."""
    function, derivative = functions
    scales = {} if scale is None else {"x": np.full(point.shape, scale)}
    return Problem(
        name,
        group,
        title,
        textbook.of_vector(function),
        textbook.of_vector_gradient(derivative),
        {"x": point},
        scales,
        pair,
    )


def affine(factor: float, offset: float) -> tuple[textbook.Function, textbook.Derivative]:
    """The smooth function, stretched and lifted."""
    return (
        lambda x: offset + factor * textbook.smooth(x),
        lambda x: factor * textbook.smooth_der(x),
    )


def operator(
    name: str, group: Group, title: str, pair: Pair, dtype: type[np.floating] = np.float64
) -> Problem:
    """Judge a claimed transpose through the gradient of a least-squares misfit."""
    data = textbook.DATA[: pair.rows].astype(dtype)
    functions = textbook.least_squares(pair, data)
    return vector(name, group, title, functions, textbook.MODEL.astype(dtype), pair)
