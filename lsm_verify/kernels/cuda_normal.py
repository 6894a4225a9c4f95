"""Misfit and normal equations of a column on a GPU's thread: see `normal` for the CPU's.

Plain functions, bound by `cuda_levenberg_run`. Every direction is carried beside the state, in a
row of its own; the elimination and the new temperatures are made once a step and serve all.
``spot`` is the thread, whose columns are ``problem[0]``; ``column`` is its column's number in the
batch, by which sight and observations are read. ``sums`` (rows, threads) has the rows of `normal`.
"""

from __future__ import annotations

from typing import Any

from lsm_verify.kernels.cuda_kernels import begin, emitting
from lsm_verify.kernels.cuda_looks import look, look_along, series_at
from lsm_verify.kernels.cuda_steps import (
    AIR,
    ALBEDO,
    BOTTOM,
    CAPACITY,
    CV,
    DCV,
    DG,
    EMISSIVITY,
    INITIAL,
    LAM,
    LONGWAVE,
    SHORTWAVE,
    SPACING,
    TIME_STEP,
    TURBULENT,
    G,
    P,
    Q,
    Row,
    W,
    acting,
    at,
    copy,
    fma,
    initial,
    load,
    prepare,
    row,
    step_forward,
    store,
    surface_along,
    sweep_up,
    volume,
)
from lsm_verify.kernels.node import Real, conduction_change, rise_tangent
from lsm_verify.kernels.normal import POWER, SLOPES, VALUE

NONE, STATE, EVEN, ODD, DIRECTIONS = range(DCV + 1, DCV + 6)
"""Rows after those of a tangent: zeros, T as it is swept, the states with an even and with an odd
number, and δT along the first direction, which the others follow."""


def acting_along(what: int, rate: Real, insulated: int, zero: Real) -> tuple[Real, ...]:
    """Change of what acts during a step along a direction: of α, H, T_b, K↓, L↓, T_a."""
    return (
        rate if what == ALBEDO else zero,
        rate if what == TURBULENT else zero,
        rate if what == BOTTOM and insulated == 0 else zero,
        rate if what == SHORTWAVE else zero,
        rate if what == LONGWAVE else zero,
        rate if what == AIR else zero,
    )


def emitting_along(what: int, rate: Real, numbers: Any) -> Real:
    """Change of εσ along a direction."""
    return rate * numbers[4] if what == EMISSIVITY else numbers[0]


def set_out(problem: Any, spot: int, tied: int, moved: Any, pace: Any, rows: Any) -> None:
    """Fill the change of a column along every direction: ``moved`` says of what, ``pace`` how much.

    A direction changes one canonical quantity, the same at all nodes and steps; where the initial
    temperature is tied to the bottom's, both.
    """
    columns, _, _, _, numbers = problem
    zero, half, nodes = numbers[0], numbers[2], rows[1]
    for i in range(nodes):
        store(row(rows, NONE), i, zero)
    for j in range(moved.shape[0]):
        what, rate, start = moved[j], pace[j, spot], zero
        if what == LAM:
            for i in range(nodes - 1):
                store(row(rows, DG), i, rate / at(columns[SPACING], spot, i))
        elif what == CAPACITY:
            for i in range(nodes):
                store(row(rows, DCV), i, rate * volume(columns, spot, i, half))
        elif what == INITIAL or (what == BOTTOM and tied != 0):
            start = rate
        for i in range(nodes):
            store(row(rows, DIRECTIONS + j), i, start)


# ------------------------------------------------------------------ one step


def conduct_along(new: Row, dT: Row, rows: Any, s0: Real, last: Real) -> Real:
    """Upward with a change of conductivity alone, (17); return what then heats the surface."""
    N = rows[1] - 1
    p, q, w, dg = row(rows, P), row(rows, Q), row(rows, W), row(rows, DG)
    zero = last - last
    b, below = last, zero
    T = load(new, N)
    for i in range(N, 0, -1):
        T_above = load(new, i - 1)
        above = conduction_change(load(dg, i - 1), T_above, T)
        if i == N:
            b = b + fma(load(p, i), load(dT, i), load(w, i) * (below - above))
        else:
            b = rise_tangent(load(p, i), load(dT, i), load(q, i), b, load(w, i), below, above, zero)
        store(dT, i, b)
        below = above
        T = T_above
    return fma(s0, load(dT, 0), fma(load(row(rows, G), 0), b, below))


def store_along(old: Row, new: Row, dT: Row, rows: Any, s0: Real, rate: Real, last: Real) -> Real:
    """Upward with a change of heat capacity alone, (17), as `conduct_along`; ``rate`` is 1/Δt."""
    N = rows[1] - 1
    p, q, w, dcv = row(rows, P), row(rows, Q), row(rows, W), row(rows, DCV)
    b = last
    zero = last - last
    for i in range(N, 0, -1):
        stored = load(dcv, i) * rate * (load(new, i) - load(old, i))
        if i == N:
            b = b + fma(load(p, i), load(dT, i), load(w, i) * (zero - stored))
        else:
            b = rise_tangent(load(p, i), load(dT, i), load(q, i), b, load(w, i), zero, zero, stored)
        store(dT, i, b)
    stored = load(dcv, 0) * rate * (load(new, 0) - load(old, 0))
    return fma(s0, load(dT, 0), fma(load(row(rows, G), 0), b, -stored))


def carry(
    what: int, rate: Real, insulated: int, old: Row, new: Row, dT: Row, rows: Any, solid: Any,
    fixed: Any, now: Any, numbers: Any,
) -> None:  # fmt: skip
    """Turn the change δT of the old state along one direction into that of the new one."""
    d_now = acting_along(what, rate, insulated, numbers[0])
    s0, last = solid[1], d_now[2]
    if what == LAM:
        right = conduct_along(new, dT, rows, s0, last)
    elif what == CAPACITY:
        right = store_along(old, new, dT, rows, s0, numbers[1] / solid[0], last)
    else:
        b = sweep_up(rows, dT, last)
        right = fma(s0, load(dT, 0), load(row(rows, G), 0) * b)
    d_c4 = emitting_along(what, rate, numbers)
    surface_along(rows, dT, load(new, 0), right, solid, fixed, now, d_now, d_c4)


# ------------------------------------------------------------------ what is observed


def add_up(w: Real, observed: Real, y: Real, dy: Any, sums: Any, spot: int) -> None:
    """Add one observation to the misfit and the normal equations."""
    count = dy.shape[0]
    r = y - observed
    wr = w * r
    sums[VALUE, spot] = fma(wr, r, sums[VALUE, spot])
    sums[POWER, spot] = fma(w * y, y, sums[POWER, spot])
    place = SLOPES + count
    for j in range(count):
        each = dy[j]
        sums[SLOPES + j, spot] = fma(wr, each, sums[SLOPES + j, spot])
        weighted = w * each
        for k in range(j + 1):
            sums[place, spot] = fma(weighted, dy[k], sums[place, spot])
            place += 1


def look_all(
    n: int, problem: Any, spot: int, column: int, T: Row, moved: Any, pace: Any, rows: Any,
    fixed: Any, now: Any, dy: Any, sums: Any,
) -> None:  # fmt: skip
    """Add what is observed of state n; a value of no weight costs nothing."""
    _, insulated, sight, objective, numbers = problem
    zero = numbers[0]
    for k in range(sight[0].shape[0]):
        w = series_at(objective[2], column, k, n)
        if w == zero:
            continue
        y = look(sight, column, k, n, T, rows, fixed, now, zero)
        for j in range(moved.shape[0]):
            what, rate = moved[j], pace[j, spot]
            dg = row(rows, DG if what == LAM else NONE)
            dy[j] = look_along(
                sight, column, k, n, T, rows, fixed, now, row(rows, DIRECTIONS + j), dg,
                emitting_along(what, rate, numbers),
                acting_along(what, rate, insulated, zero), zero,
            )  # fmt: skip
        add_up(w, series_at(objective[1], column, k, n), y, dy, sums, spot)


def normal_equations(
    problem: Any, spot: int, column: int, tied: int, moved: Any, pace: Any, rows: Any, dy: Any,
    sums: Any,
) -> None:  # fmt: skip
    """One run of a column: fill ``sums``, not-a-number where the model has no solution."""
    columns, insulated, _, _, numbers = problem
    zero, half, nan, nodes = numbers[0], numbers[2], numbers[6], rows[1]
    for each in range(sums.shape[0]):
        sums[each, spot] = zero
    prepare(columns, spot, row(rows, G), row(rows, CV), half)
    set_out(problem, spot, tied, moved, pace, rows)
    fixed = emitting(columns, spot, numbers)
    T = row(rows, STATE)
    initial(columns, spot, T, nodes)
    copy(T, row(rows, EVEN), nodes)
    now = acting(columns, insulated, spot, 0, zero)
    solid = (zero, zero, zero)
    look_all(0, problem, spot, column, T, moved, pace, rows, fixed, now, dy, sums)
    for n in range(columns[TIME_STEP].shape[1]):
        old, new = row(rows, EVEN + n % 2), row(rows, EVEN + (n + 1) % 2)
        solid = begin(problem, spot, n, rows, solid, 1)
        now = acting(columns, insulated, spot, n, zero)
        if not step_forward(rows, T, new, solid, fixed, now, numbers):
            sums[VALUE, spot] = nan
            return
        for j in range(moved.shape[0]):
            carry(
                moved[j], pace[j, spot], insulated, old, new, row(rows, DIRECTIONS + j), rows,
                solid, fixed, now, numbers,
            )  # fmt: skip
        look_all(n + 1, problem, spot, column, T, moved, pace, rows, fixed, now, dy, sums)
    sums[VALUE, spot] = half * sums[VALUE, spot]
