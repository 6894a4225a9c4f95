"""Observations and objective of a column on a GPU's thread: see `looks` for the CPU's.

Plain functions, bound by `cuda_plan`. ``T`` is a row of temperatures (see `cuda_steps`), ``now``
what acts during the step that ends in the state that is looked at.
"""

from __future__ import annotations

from typing import Any

from lsm_verify.kernels.columns import (
    LONGWAVE_UP,
    MEAN_SQUARE,
    SOIL_HEAT_FLUX,
    SOIL_TEMPERATURE,
)
from lsm_verify.kernels.cuda_steps import (
    CV,
    LAM_BAR,
    G,
    Row,
    at,
    fma,
    load,
    row,
    store,
)
from lsm_verify.kernels.node import (
    Real,
    between,
    emission,
    emission_change,
    flux,
    flux_change,
    misfit_term,
    turbulent_change,
    weighted_residual,
)


def look(
    sight: Any, b: int, k: int, n: int, T: Row, rows: Any, fixed: Any, now: Any, zero: Real
) -> Real:
    """Prediction of series k at state n from the temperatures T, (12) to (15)."""
    code = sight[0][k]
    if code == LONGWAVE_UP:
        return emission(fixed[0], load(T, 0))
    j, f = at(sight[1], b, k), at(sight[2], b, k)
    if code == SOIL_TEMPERATURE:
        return between(load(T, j), load(T, j + 1), f)
    if code == SOIL_HEAT_FLUX:
        g = row(rows, G)
        middle = load(T, j + 1)
        upper = flux(load(g, j), load(T, j), middle)
        return between(upper, flux(load(g, j + 1), middle, load(T, j + 2)), f)
    if n == 0:
        return zero
    return now[1] * (load(T, 0) - now[5])


# ------------------------------------------------------------------ objective


def series_at(array: Any, b: int, k: int, n: int) -> Real:
    """Value of a (B or 1, K, S + 1) array."""
    return array[b if array.shape[0] > 1 else 0, k, n]


def total_weight(weights: Any, b: int, zero: Real) -> Real:
    """Σ w of a column."""
    total = zero
    for k in range(weights.shape[1]):
        for n in range(weights.shape[2]):
            total = total + series_at(weights, b, k, n)
    return total


def misfit(objective: Any, b: int, k: int, n: int, y: Real) -> Real:
    """Term of one observation in J, before it is divided."""
    code, values, weights = objective
    return misfit_term(code, series_at(weights, b, k, n), y, series_at(values, b, k, n))


def slope(objective: Any, b: int, k: int, n: int, y: Real, mass: Real) -> Real:
    """∂J/∂y of one observation, (16)."""
    code, values, weights = objective
    w, observed = series_at(weights, b, k, n), series_at(values, b, k, n)
    q = weighted_residual(code, w, y, observed)
    if code == MEAN_SQUARE:
        return (q + q) / mass
    return q


def add(row: Row, i: int, x: Real) -> None:
    """Add to a row's value."""
    store(row, i, load(row, i) + x)


def look_back(
    sight: Any, b: int, k: int, n: int, q: Real, x: Row, T: Row, rows: Any, dt: Real,
    fixed: Any, now: Any, numbers: Any,
) -> tuple[Real, Real, Real]:  # fmt: skip
    """Pull q = ∂J/∂y back: add to x = Λ/s and to ∂J/∂λ; return ∂J/∂(ε, H, T_a), (27)."""
    zero, sigma = numbers[0], numbers[4]
    code = sight[0][k]
    cv, g, lam_bar = row(rows, CV), row(rows, G), row(rows, LAM_BAR)
    j, f = at(sight[1], b, k), at(sight[2], b, k)
    surface = load(T, 0)
    unit = dt / load(cv, 0)
    if code == SOIL_TEMPERATURE:
        lower = f * q
        add(x, j, (q - lower) * dt / load(cv, j))
        add(x, j + 1, lower * dt / load(cv, j + 1))
    elif code == SOIL_HEAT_FLUX:
        lower = f * q
        upper = q - lower
        middle = load(T, j + 1)
        add(lam_bar, j, upper * (load(T, j) - middle))
        add(lam_bar, j + 1, lower * (middle - load(T, j + 2)))
        upper = upper * load(g, j)
        lower = lower * load(g, j + 1)
        add(x, j, upper * dt / load(cv, j))
        add(x, j + 1, (lower - upper) * dt / load(cv, j + 1))
        add(x, j + 2, -lower * dt / load(cv, j + 2))
    elif code == LONGWAVE_UP:
        x3 = surface * surface * surface
        store(x, 0, fma(fixed[1] * x3 * q, unit, load(x, 0)))
        return sigma * (x3 * surface) * q, zero, zero
    elif n > 0:
        H, Ta = now[1], now[5]
        store(x, 0, fma(H * q, unit, load(x, 0)))
        return zero, (surface - Ta) * q, -H * q
    return zero, zero, zero


def look_along(
    sight: Any, b: int, k: int, n: int, T: Row, rows: Any, fixed: Any, now: Any,
    dT: Row, dg: Row, d_c4: Real, d_now: Any, zero: Real,
) -> Real:  # fmt: skip
    """Change of the prediction of series k at state n, (21), from the changes δT and δg_i."""
    code = sight[0][k]
    if code == LONGWAVE_UP:
        return emission_change(d_c4, fixed[1], load(T, 0), load(dT, 0))
    j, f = at(sight[1], b, k), at(sight[2], b, k)
    if code == SOIL_TEMPERATURE:
        return between(load(dT, j), load(dT, j + 1), f)
    if code == SOIL_HEAT_FLUX:
        g = row(rows, G)
        middle, d_middle = load(T, j + 1), load(dT, j + 1)
        upper = flux_change(load(dg, j), load(g, j), load(T, j), middle, load(dT, j), d_middle)
        lower = flux_change(
            load(dg, j + 1), load(g, j + 1), middle, load(T, j + 2), d_middle, load(dT, j + 2)
        )
        return between(upper, lower, f)
    if n == 0:
        return zero
    return turbulent_change(d_now[1], now[1], load(T, 0), now[5], load(dT, 0), d_now[5])
