"""One time step of a block of columns: its elimination, and forward.

Plain functions on (rows, lanes) arrays, in terms of `node`; `binding.bind` gives ``load``,
``store``, ``splat``, ``lane``, ``with_lane``, ``select`` and ``every`` their meaning. Rows of the
scratch array ``work`` (rows, N + 1, lanes) hold a value per node or interface, rows of ``now``
(rows, lanes) what acts during the step at hand.
"""

from __future__ import annotations

from typing import Any

from lsm_verify.kernels.lanes import (
    LANES,
    Rows,
    every,
    load,
    select,
    splat,
    store,
    with_lane,
)
from lsm_verify.kernels.node import (
    Real,
    balance,
    bottom,
    fma,
    interior,
    newton,
    rise,
    rise_twice,
    sink,
    sink_twice,
)
from lsm_verify.quantities import STEFAN_BOLTZMANN

SIGMA = STEFAN_BOLTZMANN
NAN = float("nan")

SPACING, TIME_STEP, LAM, CAPACITY, ALBEDO, _, _, _, _, _, INITIAL, EMISSIVITY = range(12)
"""Places in `lsm_verify.kernels.columns.Columns`."""

P, Q, A, W, G, CV, UNIT, STATE, LAM_BAR, C_BAR, WORK_ROWS = range(11)
"""Rows of ``work``: elimination, g_i, C_i V_i and 1 over it, T or Λ/s, and two running sums."""

ALPHA, TURBULENT, BOTTOM, SW, LW, TA, DT, RATE, S0, C0, C4, FOUR_C4, HELD, NOW_ROWS = range(14)
"""Rows of ``now``: the quantities per step, then Δt, 1/Δt, s_0, s_0 + g_0 m_1, εσ, 4 εσ, and the
Δt for which ``work`` holds the elimination."""

MAX_NEWTON = 60


def fetch(array: Rows, base: int, i: int) -> Real:
    """Values of column ``base`` and its neighbours at place i; a batch that ends is padded."""
    place = i if array.shape[1] > 1 else 0
    last = array.shape[0] - 1
    x = splat(array[min(base, last), place])
    if last > 0:
        for each in range(1, LANES):
            x = with_lane(x, each, array[min(base + each, last), place])
    return x


def volume(columns: Any, base: int, i: int) -> Real:
    """Control volume V_i, (1)."""
    spacing = columns[SPACING]
    half = splat(spacing.dtype.type(0.5))
    N = spacing.shape[1]
    if i == 0:
        return half * fetch(spacing, base, 0)
    if i == N:
        return half * fetch(spacing, base, N - 1)
    return half * (fetch(spacing, base, i - 1) + fetch(spacing, base, i))


# ------------------------------------------------------------------ before the steps


def prepare(columns: Any, base: int, work: Rows, now: Rows) -> None:
    """Fill what does not change in time: g_i and C_i V_i, (2), εσ, and constant inputs."""
    spacing = columns[SPACING]
    N = spacing.shape[1]
    one = splat(spacing.dtype.type(1.0))
    for i in range(N):
        store(work[G], i, fetch(columns[LAM], base, i) / fetch(spacing, base, i))
    for i in range(N + 1):
        cv = fetch(columns[CAPACITY], base, i) * volume(columns, base, i)
        store(work[CV], i, cv)
        store(work[UNIT], i, one / cv)
    c4 = fetch(columns[EMISSIVITY], base, 0) * splat(spacing.dtype.type(SIGMA))
    store(now, C4, c4)
    store(now, FOUR_C4, splat(spacing.dtype.type(4.0)) * c4)
    store(now, HELD, splat(spacing.dtype.type(0.0)))
    for each in range(DT):
        store(now, each, fetch(columns[ALBEDO + each], base, 0))


def refresh(columns: Any, insulated: bool, base: int, n: int, now: Rows) -> None:
    """Bring what varies per step to step n."""
    for each in range(DT):
        if columns[ALBEDO + each].shape[1] > 1:
            store(now, each, fetch(columns[ALBEDO + each], base, n))
    if insulated:
        store(now, BOTTOM, splat(now.dtype.type(0.0)))


def begin(columns: Any, insulated: bool, base: int, n: int, work: Rows, now: Rows) -> None:
    """Bring ``now`` to step n, and the elimination if Δt is another in any lane.

    It is a function of the step alone: made anew for a neighbour's sake it has the same value.
    """
    refresh(columns, insulated, base, n, now)
    dt = fetch(columns[TIME_STEP], base, n)
    store(now, DT, dt)
    if not every(dt == load(now, HELD)):
        eliminate(insulated, work, now, dt)
        store(now, HELD, dt)


def eliminate(insulated: bool, work: Rows, now: Rows, dt: Real) -> None:
    """Fill the elimination's coefficients for steps of length Δt, (7) and (8)."""
    N = work.shape[1] - 1
    one = splat(now.dtype.type(1.0))
    zero = splat(now.dtype.type(0.0))
    rate = one / dt
    store(now, RATE, rate)
    p, a, m, w = zero, zero, one, zero
    if insulated:
        p, a, m, w = bottom(load(work[CV], N) * rate, load(work[G], N - 1), one)
    store(work[P], N, p)
    store(work[Q], N, zero)
    store(work[A], N, a)
    store(work[W], N, w)
    for i in range(N - 1, 0, -1):
        s = load(work[CV], i) * rate
        p, q, a, m, w = interior(s, load(work[G], i - 1), load(work[G], i), m, one)
        store(work[P], i, p)
        store(work[Q], i, q)
        store(work[A], i, a)
        store(work[W], i, w)
    s = load(work[CV], 0) * rate
    store(now, S0, s)
    store(now, C0, fma(load(work[G], 0), m, s))


# ------------------------------------------------------------------ forward


def sweep_up(old: Rows, new: Rows, work: Rows, last: Real) -> Real:
    """Fill b_N … b_1 into ``new`` (which may be ``old``) and return b_1."""
    N = old.shape[0] - 1
    p, q = work[P], work[Q]
    b = fma(load(p, N), load(old, N), last)
    store(new, N, b)
    for i in range(N - 1, 1, -2):
        near = load(p, i), load(old, i), load(q, i)
        first, b = rise_twice(near, (load(p, i - 1), load(old, i - 1), load(q, i - 1)), b)
        store(new, i, first)
        store(new, i - 1, b)
    if N % 2 == 0:
        b = rise(load(p, 1), load(old, 1), load(q, 1), b)
        store(new, 1, b)
    return b


def sweep_down(new: Rows, work: Rows, x: Real) -> None:
    """Turn b_1 … b_N into values, from the surface's down."""
    N = new.shape[0] - 1
    a = work[A]
    store(new, 0, x)
    for i in range(1, N, 2):
        near = load(a, i), load(new, i)
        first, x = sink_twice(near, (load(a, i + 1), load(new, i + 1)), x)
        store(new, i, first)
        store(new, i + 1, x)
    if N % 2:
        store(new, N, sink(load(a, N), x, load(new, N)))


def surface_root(c1: Real, now: Rows, R: Real, x: Real, tolerance: Any) -> tuple[Real, Any]:
    """Root of the surface balance and a mask of the lanes that have one; the others get nan.

    A lane that has settled keeps its value while others go on. The error after a step dx is at
    most 3/2 x (dx/x)², because the slope is at least 4 c_4 x³: with dx/x below the tolerance, the
    root of half an ε, it is below round-off.
    """
    c4, four_c4 = load(now, C4), load(now, FOUR_C4)
    zero = c4 - c4
    sound = (zero < R) & (zero < c1)
    done = ~sound
    for _ in range(MAX_NEWTON):
        dx = newton(c1, c4, four_c4, R, x)
        x = select(done, x, x - dx)
        done = done | (abs(dx) <= tolerance * abs(x))
        if every(done):
            break
    sound = sound & done
    return select(sound, x, splat(now.dtype.type(NAN))), sound


def step_forward(old: Rows, new: Rows, work: Rows, now: Rows, tolerance: Any) -> Any:
    """One step from ``old`` to ``new`` (which may be the same); a mask of the lanes with a root."""
    b = sweep_up(old, new, work, load(now, BOTTOM))
    H = load(now, TURBULENT)
    x = load(old, 0)
    R = balance(
        load(now, S0), load(work[G], 0), x, b,
        H, load(now, TA), load(now, ALPHA), load(now, SW), load(now, LW),
    )  # fmt: skip
    x, sound = surface_root(load(now, C0) + H, now, R, x, tolerance)
    sweep_down(new, work, x)
    return sound
