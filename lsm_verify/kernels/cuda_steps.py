"""One time step of a column on a GPU's thread, forward, backward and along a change.

Plain functions, bound by `cuda_plan` together with `node`. A thread has a column at a time. A
*row* of it, a value per node, is a triple (array, start, stride) into a flat array in which the
rows of neighbouring threads are interleaved, so that what a warp loads lies side by side. ``rows``
is the quadruple (array, nodes, threads, thread) in which row r begins at r nodes threads + thread.
"""

from __future__ import annotations

from typing import Any

from lsm_verify.kernels.node import (
    Real,
    balance,
    bottom,
    bottom_adjoint,
    capacity_term,
    conduction_change,
    conductivity_term,
    forced_change,
    interior,
    newton,
    rise,
    rise_tangent,
    sink,
    surface_adjoint,
    surface_slope,
)

cuda: Any = None
"""Given by the binding: numba-cuda, or its simulator."""

Row = Any
"""A value per node: (array, start, stride)."""

SPACING, TIME_STEP, LAM, CAPACITY, ALBEDO, TURBULENT, BOTTOM = range(7)
SHORTWAVE, LONGWAVE, AIR, INITIAL, EMISSIVITY = range(7, 12)
"""Places in `lsm_verify.kernels.columns.Columns`."""

P, Q, A, G, CV, FORWARD_ROWS = range(6)
"""Rows of every run: elimination, g_i and C_i V_i."""
LAM_BAR, C_BAR, SAVED, GRADIENT_ROWS = range(FORWARD_ROWS, FORWARD_ROWS + 4)
"""Further rows of a gradient: two running sums, and Λ/s while a segment is run again."""
W, DG, DCV, MOVED, OLD, TANGENT_ROWS = range(FORWARD_ROWS, FORWARD_ROWS + 6)
"""Further rows of a tangent: 1/D_i, changes of g_i, C_i V_i and T_i, and the old T_i."""

MAX_NEWTON = 60


def fma(x: Real, y: Real, z: Real) -> Real:
    """Multiply and add with one rounding; the simulator rounds twice."""
    return cuda.fma(x, y, z)


def at(array: Any, b: int, i: int) -> Real:
    """Value i of column b in a (B or 1, n or 1) array."""
    return array[b if array.shape[0] > 1 else 0, i if array.shape[1] > 1 else 0]


def row(rows: Any, r: int) -> Row:
    """Row r of a thread."""
    array, nodes, threads, thread = rows
    return array, r * nodes * threads + thread, threads


def load(row: Row, i: int) -> Real:
    """Value at node i."""
    array, start, stride = row
    return array[start + i * stride]


def store(row: Row, i: int, x: Real) -> None:
    """Set the value at node i."""
    array, start, stride = row
    array[start + i * stride] = x


def copy(source: Row, target: Row, nodes: int) -> None:
    """Copy a row."""
    for i in range(nodes):
        store(target, i, load(source, i))


# ------------------------------------------------------------------ before the steps


def volume(columns: Any, b: int, i: int, half: Real) -> Real:
    """Control volume V_i, (1)."""
    spacing = columns[SPACING]
    N = spacing.shape[1]
    if i == 0:
        return half * at(spacing, b, 0)
    if i == N:
        return half * at(spacing, b, N - 1)
    return half * (at(spacing, b, i - 1) + at(spacing, b, i))


def prepare(columns: Any, b: int, g: Row, cv: Row, half: Real) -> None:
    """Fill what does not change in time: g_i and C_i V_i, (2)."""
    N = columns[SPACING].shape[1]
    for i in range(N):
        store(g, i, at(columns[LAM], b, i) / at(columns[SPACING], b, i))
    for i in range(N + 1):
        store(cv, i, at(columns[CAPACITY], b, i) * volume(columns, b, i, half))


def initial(columns: Any, b: int, T: Row, nodes: int) -> None:
    """Fill T⁰."""
    for i in range(nodes):
        store(T, i, at(columns[INITIAL], b, i))


def acting(columns: Any, insulated: int, b: int, n: int, zero: Real) -> tuple[Real, ...]:
    """Collect what acts during step n: α, H, T_b (0 if insulated), K↓, L↓, T_a."""
    Tb = zero
    if insulated == 0:
        Tb = at(columns[BOTTOM], b, n)
    return (
        at(columns[ALBEDO], b, n), at(columns[TURBULENT], b, n), Tb,
        at(columns[SHORTWAVE], b, n), at(columns[LONGWAVE], b, n), at(columns[AIR], b, n),
    )  # fmt: skip


def eliminate(
    insulated: int, rows: Any, dt: Real, keep_w: int, numbers: Any
) -> tuple[Real, Real, Real]:
    """Fill the elimination's coefficients for steps of length Δt; return Δt, s_0, s_0 + g_0 m_1.

    Equations (7) and (8).
    """
    zero, one = numbers[0], numbers[1]
    N = rows[1] - 1
    p_row, q_row, a_row, w_row = row(rows, P), row(rows, Q), row(rows, A), row(rows, W)
    g, cv = row(rows, G), row(rows, CV)
    below = load(g, N - 1)
    p, q, a, m, w = zero, zero, zero, one, zero
    if insulated != 0:
        p, a, m, w = bottom(load(cv, N) / dt, below, one)
    for i in range(N, 0, -1):
        if i < N:
            above = load(g, i - 1)
            p, q, a, m, w = interior(load(cv, i) / dt, above, below, m, one)
            below = above
        store(p_row, i, p)
        store(q_row, i, q)
        store(a_row, i, a)
        if keep_w != 0:
            store(w_row, i, w)
    s = load(cv, 0) / dt
    return dt, s, fma(below, m, s)


# ------------------------------------------------------------------ forward


def sweep_up(rows: Any, x: Row, last: Real) -> Real:
    """Turn a row x into b_1 … b_N and return b_1; b_N = p_N x_N + ``last``, (8)."""
    N = rows[1] - 1
    p, q = row(rows, P), row(rows, Q)
    b = fma(load(p, N), load(x, N), last)
    store(x, N, b)
    for i in range(N - 1, 0, -1):
        b = rise(load(p, i), load(x, i), load(q, i), b)
        store(x, i, b)
    return b


def surface_root(
    c1: Real, c4: Real, four_c4: Real, R: Real, x: Real, numbers: Any
) -> tuple[Real, bool]:
    """Root of the surface balance, (10), and whether there is one; not-a-number if not.

    Settled where a step is below the root of half an ε: see `steps.surface_root`.
    """
    zero, tolerance, nan = numbers[0], numbers[5], numbers[6]
    if zero < R and zero < c1:
        for _ in range(MAX_NEWTON):
            dx = newton(c1, c4, four_c4, R, x)
            x = x - dx
            if abs(dx) <= tolerance * abs(x):
                return x, True
    return nan, False


def step_forward(
    rows: Any, T: Row, kept: Row, solid: Any, fixed: Any, now: Any, numbers: Any
) -> bool:
    """One step in place, copied to ``kept`` (which may be T); whether the surface has a root."""
    _, s0, c0 = solid
    c4, four_c4 = fixed
    alpha, H, Tb, SW, LW, Ta = now
    x = load(T, 0)
    b = sweep_up(rows, T, Tb)
    R = balance(s0, load(row(rows, G), 0), x, b, H, Ta, alpha, SW, LW)
    x, found = surface_root(c0 + H, c4, four_c4, R, x, numbers)
    a = row(rows, A)
    store(T, 0, x)
    store(kept, 0, x)
    for i in range(1, rows[1]):
        x = sink(load(a, i), x, load(T, i))
        store(T, i, x)
        store(kept, i, x)
    return found


# ------------------------------------------------------------------ backward


def step_backward(
    rows: Any, x: Row, old: Row, new: Row, solid: Any, fixed: Any, H: Real, wants: Any, one: Real
) -> tuple[Real, Real]:
    """One step backward: Λ'/s in x becomes μ; return μ_0 and ∂J/∂T_b, (23) to (26).

    Terms of ∂J/∂λ and ∂J/∂C are added where ``wants`` has the first and second place set.
    """
    dt, s0, c0 = solid
    N = rows[1] - 1
    a, g = row(rows, A), row(rows, G)
    lam_bar, C_bar = row(rows, LAM_BAR), row(rows, C_BAR)
    stored, below, rate = load(row(rows, CV), N) / dt, load(x, N), one / dt
    b = sweep_up(rows, x, dt - dt)
    T = load(new, 0)
    first = surface_adjoint(s0, load(g, 0), load(x, 0), b, c0 + H, fixed[1], T)
    mu, above = first, first
    store(x, 0, mu)
    if wants[1] != 0:
        store(C_bar, 0, capacity_term(mu * rate, T, load(old, 0), load(C_bar, 0)))
    for i in range(1, N + 1):
        above, T_above = mu, T
        mu = sink(load(a, i), above, load(x, i))
        T = load(new, i)
        store(x, i, mu)
        if wants[0] != 0:
            term = conductivity_term(above, mu, T_above, T, load(lam_bar, i - 1))
            store(lam_bar, i - 1, term)
        if wants[1] != 0:
            store(C_bar, i, capacity_term(mu * rate, T, load(old, i), load(C_bar, i)))
    return first, bottom_adjoint(stored, below, load(g, N - 1), above)


# ------------------------------------------------------------------ along a change


def step_along(
    rows: Any, new: Row, solid: Any, fixed: Any, now: Any, d_now: Any, d_c4: Real
) -> None:
    """Turn the change δT of the old state into that of the new one, (17) to (19)."""
    dt, s0, _ = solid
    b = d_now[2]
    N = rows[1] - 1
    p, q, w = row(rows, P), row(rows, Q), row(rows, W)
    dg, dcv, dT, old = row(rows, DG), row(rows, DCV), row(rows, MOVED), row(rows, OLD)
    below = dt - dt
    T = load(new, N)
    for i in range(N, 0, -1):
        T_above = load(new, i - 1)
        above = conduction_change(load(dg, i - 1), T_above, T)
        stored = load(dcv, i) / dt * (T - load(old, i))
        if i == N:
            b = b + fma(load(p, N), load(dT, N), load(w, N) * (below - above - stored))
        else:
            b = rise_tangent(
                load(p, i), load(dT, i), load(q, i), b, load(w, i), below, above, stored
            )
        store(dT, i, b)
        below = above
        T = T_above
    stored = load(dcv, 0) / dt * (T - load(old, 0))
    right = fma(s0, load(dT, 0), fma(load(row(rows, G), 0), b, below - stored))
    surface_along(rows, dT, T, right, solid, fixed, now, d_now, d_c4)


def surface_along(
    rows: Any, dT: Row, T: Real, right: Real, solid: Any, fixed: Any, now: Any, d_now: Any,
    d_c4: Real,
) -> None:  # fmt: skip
    """Change of the surface temperature T, (18), and downward from b in the row of δT, (19).

    ``right`` is the change of s_0 T_0 + g_0 b_1, conducted and stored heat included.
    """
    alpha, H, _, SW, _, Ta = now
    d_alpha, dH, _, d_SW, d_LW, dTa = d_now
    a = row(rows, A)
    T2 = T * T
    forced = forced_change(alpha, d_alpha, SW, d_SW, d_LW)
    turbulent = dH * (T - Ta) - H * dTa
    x = (right + forced - d_c4 * (T2 * T2) - turbulent) / surface_slope(solid[2] + H, fixed[1], T)
    store(dT, 0, x)
    for i in range(1, rows[1]):
        x = sink(load(a, i), x, load(dT, i))
        store(dT, i, x)
