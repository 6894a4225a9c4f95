"""Misfit and normal equations of a block of columns by several unknowns, in one forward run.

Every direction is carried beside the state: the elimination and the new temperatures are made once
a step and serve all of them. A direction that changes neither conductivity nor heat capacity costs
what a forward run costs, a multiply-add a node either way; those two have one source term more.
"""

from __future__ import annotations

from typing import Any

from lsm_verify.kernels.along import surface_along
from lsm_verify.kernels.blocks import initial
from lsm_verify.kernels.lanes import Rows, every, load, select, splat, store
from lsm_verify.kernels.looks import aim, fetch_series, look, look_along
from lsm_verify.kernels.node import Real, conduction_change, fma, rise_tangent
from lsm_verify.kernels.steps import (
    ALBEDO,
    BOTTOM,
    C4,
    CAPACITY,
    EMISSIVITY,
    INITIAL,
    LAM,
    NAN,
    NOW_ROWS,
    RATE,
    S0,
    SIGMA,
    SPACING,
    TIME_STEP,
    G,
    P,
    Q,
    W,
    begin,
    fetch,
    prepare,
    step_forward,
    sweep_up,
    volume,
)

VALUE, POWER, SLOPES = range(3)
"""Rows of the sums: ½ Σ w r², Σ w y², from which the rounding of the first is judged, then Jᵀ W r
and the lower triangle of Jᵀ W J, row by row."""


def set_out(
    columns: Any, insulated: bool, tied: bool, moved: Any, pace: Rows,
    dT: Any, dg: Any, dcv: Any, d: Any,
) -> None:  # fmt: skip
    """Fill the change of columns along every direction: ``moved`` says of what, ``pace`` how much.

    A direction changes one canonical quantity, the same at all nodes and steps; where the initial
    temperature is tied to the bottom's, both.
    """
    zero = splat(pace.dtype.type(0.0))
    N = columns[SPACING].shape[1]
    for j in range(moved.shape[0]):
        rate, what = load(pace, j), moved[j]
        start = zero
        for each in range(NOW_ROWS):
            store(d[j], each, zero)
        for i in range(N):
            store(dg[j], i, zero)
        if what == LAM:
            for i in range(N):
                store(dg[j], i, rate / fetch(columns[SPACING], 0, i))
        elif what == CAPACITY:
            for i in range(N + 1):
                store(dcv[j], i, rate * volume(columns, 0, i))
        elif what == INITIAL:
            start = rate
        elif what == EMISSIVITY:
            store(d[j], C4, rate * splat(pace.dtype.type(SIGMA)))
        else:
            row = what - ALBEDO
            if row != BOTTOM or not insulated:
                store(d[j], row, rate)
            if row == BOTTOM and tied:
                start = rate
        for i in range(N + 1):
            store(dT[j], i, start)


def conduct_along(new: Rows, dT: Rows, work: Rows, now: Rows, dg: Rows, last: Real) -> Real:
    """Upward with a change of conductivity alone, (17); return what then heats the surface."""
    N = new.shape[0] - 1
    p, q, w = work[P], work[Q], work[W]
    b = last
    zero = last - last
    below = zero
    T = load(new, N)
    for i in range(N, 0, -1):
        T_above = load(new, i - 1)
        above = conduction_change(load(dg, i - 1), T_above, T)
        if i == N:
            b = b + fma(load(p, i), load(dT, i), load(w, i) * (below - above))
        else:
            b = rise_tangent(load(p, i), load(dT, i), load(q, i), b, load(w, i), below, above, zero)
        store(dT, i, b)
        below, T = above, T_above
    return fma(load(now, S0), load(dT, 0), fma(load(work[G], 0), b, below))


def store_along(
    old: Rows, new: Rows, dT: Rows, work: Rows, now: Rows, dcv: Rows, last: Real
) -> Real:
    """Upward with a change of heat capacity alone, (17), as `conduct_along`."""
    N = new.shape[0] - 1
    p, q, w = work[P], work[Q], work[W]
    rate = load(now, RATE)
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
    return fma(load(now, S0), load(dT, 0), fma(load(work[G], 0), b, -stored))


def carry(
    what: int, old: Rows, new: Rows, dT: Rows, work: Rows, now: Rows, dg: Rows, dcv: Rows, d: Rows
) -> None:
    """Turn the change δT of the old state along one direction into that of the new one."""
    last = load(d, BOTTOM)
    if what == LAM:
        right = conduct_along(new, dT, work, now, dg, last)
    elif what == CAPACITY:
        right = store_along(old, new, dT, work, now, dcv, last)
    else:
        b = sweep_up(dT, dT, work, last)
        right = fma(load(now, S0), load(dT, 0), load(work[G], 0) * b)
    surface_along(load(new, 0), right, dT, work, now, d)


def add_up(w: Real, observed: Real, y: Real, dy: Rows, sums: Rows) -> None:
    """Add one observation to the misfit and the normal equations."""
    count = dy.shape[0]
    r = y - observed
    wr = w * r
    store(sums, VALUE, fma(wr, r, load(sums, VALUE)))
    store(sums, POWER, fma(w * y, y, load(sums, POWER)))
    row = SLOPES + count
    for j in range(count):
        each = load(dy, j)
        store(sums, SLOPES + j, fma(wr, each, load(sums, SLOPES + j)))
        weighted = w * each
        for k in range(j + 1):
            store(sums, row, fma(weighted, load(dy, k), load(sums, row)))
            row += 1


def look_all(
    n: int, sight: Any, seen: Any, aimed: Any, T: Rows, dT: Any, dg: Any, d: Any,
    work: Rows, now: Rows, dy: Rows, sums: Rows,
) -> None:  # fmt: skip
    """Add what is observed of state n; series that no column observes there cost nothing."""
    kind = sight[0]
    for k in range(kind.shape[0]):
        w = fetch_series(seen[1], 0, k, n)
        if every(w == w - w):
            continue
        first = n == 0
        y = look(kind[k], k, first, aimed, T, work, now)
        for j in range(dy.shape[0]):
            store(dy, j, look_along(kind[k], k, first, aimed, (T, dT[j]), work, now, (dg[j], d[j])))
        add_up(w, fetch_series(seen[0], 0, k, n), y, dy, sums)


def normal_equations(
    columns: Any, insulated: bool, tied: bool, sight: Any, seen: Any, tolerance: Any,
    moved: Any, pace: Rows, scratch: Any, beside: Any,
) -> None:  # fmt: skip
    """One run of a block: fill ``sums``, not-a-number where the model has no solution."""
    work, now, share, where, even = scratch
    states, dT, dg, dcv, d, dy, sums = beside
    aimed = (where, even, share)
    S = columns[TIME_STEP].shape[1]
    zero = splat(now.dtype.type(0.0))
    for each in range(sums.shape[0]):
        store(sums, each, zero)
    prepare(columns, 0, work, now)
    aim(sight, 0, where, even, share)
    set_out(columns, insulated, tied, moved, pace, dT, dg, dcv, d)
    initial(columns, 0, states[0])
    look_all(0, sight, seen, aimed, states[0], dT, dg, d, work, now, dy, sums)
    for n in range(S):
        old, new = states[n % 2], states[(n + 1) % 2]
        begin(columns, insulated, 0, n, work, now)
        sound = step_forward(old, new, work, now, tolerance)
        if not every(sound):
            lost = select(sound, zero, splat(now.dtype.type(NAN)))
            store(sums, VALUE, load(sums, VALUE) + lost)
        for j in range(moved.shape[0]):
            carry(moved[j], old, new, dT[j], work, now, dg[j], dcv[j], d[j])
        look_all(n + 1, sight, seen, aimed, new, dT, dg, d, work, now, dy, sums)
    store(sums, VALUE, splat(now.dtype.type(0.5)) * load(sums, VALUE))
