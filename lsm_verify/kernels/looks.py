"""Observations and objective of a block of columns: predicted, scored, pulled back, changed.

Like `steps`, plain functions on (rows, lanes) arrays. Columns side by side may be observed at
different nodes; ``even`` says for which series they are not, which then need no gathering.
"""

from __future__ import annotations

from typing import Any

from lsm_verify.kernels.columns import (
    LONGWAVE_UP,
    MEAN_SQUARE,
    SOIL_HEAT_FLUX,
    SOIL_TEMPERATURE,
)
from lsm_verify.kernels.lanes import LANES, Rows, lane, load, splat, store, with_lane
from lsm_verify.kernels.node import (
    Real,
    between,
    emission,
    emission_change,
    flux,
    flux_change,
    fma,
    misfit_term,
    turbulent_change,
    weighted_residual,
)
from lsm_verify.kernels.steps import (
    C4,
    DT,
    FOUR_C4,
    LAM_BAR,
    SIGMA,
    STATE,
    TA,
    TURBULENT,
    UNIT,
    G,
    fetch,
)


def aim(sight: Any, base: int, where: Any, even: Any, share: Rows) -> None:
    """Gather nodes (K, lanes) and fractions of a block of columns."""
    kind, index, fraction = sight
    last = index.shape[0] - 1
    for k in range(kind.shape[0]):
        store(share, k, fetch(fraction, base, k))
        even[k] = 1
        for each in range(LANES):
            where[k, each] = index[min(base + each, last), k]
            if where[k, each] != where[k, 0]:
                even[k] = 0


def fetch_series(array: Any, base: int, k: int, n: int) -> Real:
    """Values of a (B or 1, K, S + 1) array for a block of columns."""
    last = array.shape[0] - 1
    x = splat(array[min(base, last), k, n])
    if last > 0:
        for each in range(1, LANES):
            x = with_lane(x, each, array[min(base + each, last), k, n])
    return x


def pick(rows: Rows, where: Any, even: Any, k: int, offset: int) -> Real:
    """Each lane's value at its own node."""
    x = load(rows, where[k, 0] + offset)
    if even[k] == 0:
        for each in range(1, LANES):
            x = with_lane(x, each, rows[where[k, each] + offset, each])
    return x


def put(rows: Rows, where: Any, even: Any, k: int, offset: int, x: Real) -> None:
    """Add to each lane's value at its own node."""
    if even[k] != 0:
        j = where[k, 0] + offset
        store(rows, j, load(rows, j) + x)
    else:
        for each in range(LANES):
            rows[where[k, each] + offset, each] += lane(x, each)


def look(code: int, k: int, first: bool, aimed: Any, T: Rows, work: Rows, now: Rows) -> Real:
    """Prediction of series k from the temperatures T, (12) to (15)."""
    where, even, share = aimed
    f = load(share, k)
    if code == SOIL_TEMPERATURE:
        return between(pick(T, where, even, k, 0), pick(T, where, even, k, 1), f)
    if code == SOIL_HEAT_FLUX:
        middle = pick(T, where, even, k, 1)
        upper = flux(pick(work[G], where, even, k, 0), pick(T, where, even, k, 0), middle)
        lower = flux(pick(work[G], where, even, k, 1), middle, pick(T, where, even, k, 2))
        return between(upper, lower, f)
    if code == LONGWAVE_UP:
        return emission(load(now, C4), load(T, 0))
    if first:
        return f - f
    return load(now, TURBULENT) * (load(T, 0) - load(now, TA))


# ------------------------------------------------------------------ objective


def total_weight(weights: Any, base: int) -> Real:
    """Σ w of each column."""
    total = splat(weights.dtype.type(0.0))
    for k in range(weights.shape[1]):
        for n in range(weights.shape[2]):
            total = total + fetch_series(weights, base, k, n)
    return total


def misfit(objective: Any, base: int, k: int, n: int, y: Real) -> Real:
    """Term of one observation in J, before it is divided."""
    code, values, weights = objective
    w, observed = fetch_series(weights, base, k, n), fetch_series(values, base, k, n)
    return misfit_term(code, w, y, observed)


def slope(objective: Any, base: int, k: int, n: int, y: Real, scale: Real) -> Real:
    """∂J/∂y of one observation, (16); ``scale`` is 2/Σw."""
    code, values, weights = objective
    w, observed = fetch_series(weights, base, k, n), fetch_series(values, base, k, n)
    q = weighted_residual(code, w, y, observed)
    if code == MEAN_SQUARE:
        return q * scale
    return q


def look_back(
    code: int, k: int, q: Real, first: bool, aimed: Any, T: Rows, work: Rows, now: Rows
) -> tuple[Real, Real, Real]:
    """Pull q = ∂J/∂y back: add to Λ/s in row STATE and to ∂J/∂λ; return ∂J/∂(ε, H, T_a), (27)."""
    where, even, share = aimed
    f, dt = load(share, k), load(now, DT)
    x, unit, g = work[STATE], work[UNIT], work[G]
    zero = q - q
    if code == SOIL_TEMPERATURE:
        lower = f * q
        put(x, where, even, k, 0, (q - lower) * dt * pick(unit, where, even, k, 0))
        put(x, where, even, k, 1, lower * dt * pick(unit, where, even, k, 1))
        return zero, zero, zero
    if code == SOIL_HEAT_FLUX:
        lower = f * q
        upper = q - lower
        middle = pick(T, where, even, k, 1)
        put(work[LAM_BAR], where, even, k, 0, upper * (pick(T, where, even, k, 0) - middle))
        put(work[LAM_BAR], where, even, k, 1, lower * (middle - pick(T, where, even, k, 2)))
        upper = upper * pick(g, where, even, k, 0)
        lower = lower * pick(g, where, even, k, 1)
        put(x, where, even, k, 0, upper * dt * pick(unit, where, even, k, 0))
        put(x, where, even, k, 1, (lower - upper) * dt * pick(unit, where, even, k, 1))
        put(x, where, even, k, 2, -lower * dt * pick(unit, where, even, k, 2))
        return zero, zero, zero
    surface = load(T, 0)
    each = dt * load(unit, 0)
    if code == LONGWAVE_UP:
        x3 = surface * surface * surface
        store(x, 0, fma(load(now, FOUR_C4) * x3 * q, each, load(x, 0)))
        return splat(T.dtype.type(SIGMA)) * (x3 * surface) * q, zero, zero
    if first:
        return zero, zero, zero
    H = load(now, TURBULENT)
    store(x, 0, fma(H * q, each, load(x, 0)))
    return zero, (surface - load(now, TA)) * q, -H * q


def look_along(
    code: int, k: int, first: bool, aimed: Any, states: Any, work: Rows, now: Rows, change: Any
) -> Real:
    """Change of the prediction of series k, (21).

    ``states`` holds T and δT, ``change`` the rows of δg_i and those of ``now``'s changes.
    """
    where, even, share = aimed
    T, dT = states
    dg, d = change
    f = load(share, k)
    if code == SOIL_TEMPERATURE:
        return between(pick(dT, where, even, k, 0), pick(dT, where, even, k, 1), f)
    if code == SOIL_HEAT_FLUX:
        middle, d_middle = pick(T, where, even, k, 1), pick(dT, where, even, k, 1)
        upper = flux_change(
            pick(dg, where, even, k, 0), pick(work[G], where, even, k, 0),
            pick(T, where, even, k, 0), middle, pick(dT, where, even, k, 0), d_middle,
        )  # fmt: skip
        lower = flux_change(
            pick(dg, where, even, k, 1), pick(work[G], where, even, k, 1),
            middle, pick(T, where, even, k, 2), d_middle, pick(dT, where, even, k, 2),
        )  # fmt: skip
        return between(upper, lower, f)
    if code == LONGWAVE_UP:
        return emission_change(load(d, C4), load(now, FOUR_C4), load(T, 0), load(dT, 0))
    if first:
        return f - f
    return turbulent_change(
        load(d, TURBULENT), load(now, TURBULENT),
        load(T, 0), load(now, TA), load(dT, 0), load(d, TA),
    )  # fmt: skip
