"""Gradients of blocks of columns: forward, and backward over the states kept on the way."""

from __future__ import annotations

from typing import Any

from lsm_verify.kernels.blocks import copy, initial, look_at, note, write
from lsm_verify.kernels.lanes import LANES, Rows, every, load, splat, store
from lsm_verify.kernels.looks import aim, look, look_back, slope, total_weight
from lsm_verify.kernels.node import (
    Real,
    bottom_adjoint,
    capacity_term,
    conductivity_term,
    finish,
    fma,
    surface_adjoint,
)
from lsm_verify.kernels.steps import (
    ALPHA,
    BOTTOM,
    C0,
    C_BAR,
    CV,
    DT,
    FOUR_C4,
    HELD,
    LAM_BAR,
    LW,
    RATE,
    S0,
    SIGMA,
    SPACING,
    STATE,
    SW,
    TA,
    TIME_STEP,
    TURBULENT,
    G,
    begin,
    fetch,
    prepare,
    step_forward,
    sweep_down,
    sweep_up,
    volume,
)

LAM_OUT, C_OUT, PER_STEP_OUT, T0_OUT, EPS_OUT = 0, 1, 2, 8, 9
"""Places of gradients in `lsm_verify.kernels.columns.QUANTITIES`; six per step from the third."""

SCALE = DT
"""Row of the sums ``bar`` that holds the Δt by which row STATE is scaled, after six sums; the
emissivity's sum follows."""
EPS_SUM = DT + 1
BAR_ROWS = DT + 2


def step_backward(
    insulated: bool, old: Rows, new: Rows, work: Rows, now: Rows
) -> tuple[Real, Real]:
    """One step backward: Λ'/s in row STATE becomes μ; return μ_0 and ∂J/∂T_b, (23) to (26)."""
    N = old.shape[0] - 1
    x, lam_bar, C_bar = work[STATE], work[LAM_BAR], work[C_BAR]
    rate = load(now, RATE)
    last = load(work[CV], N) * rate
    below = load(x, N)
    b = sweep_up(x, x, work, splat(now.dtype.type(0.0)))
    mu = surface_adjoint(
        load(now, S0), load(work[G], 0), load(x, 0), b,
        load(now, C0) + load(now, TURBULENT), load(now, FOUR_C4), load(new, 0),
    )  # fmt: skip
    first = mu
    T = load(new, 0)
    store(C_bar, 0, capacity_term(mu * rate, T, load(old, 0), load(C_bar, 0)))
    sweep_down(x, work, mu)
    for i in range(1, N + 1):
        above, T_above = mu, T
        mu = load(x, i)
        T = load(new, i)
        store(lam_bar, i - 1, conductivity_term(above, mu, T_above, T, load(lam_bar, i - 1)))
        store(C_bar, i, capacity_term(mu * rate, T, load(old, i), load(C_bar, i)))
    if insulated:
        return first, splat(now.dtype.type(0.0))
    return first, bottom_adjoint(last, below, load(work[G], N - 1), above)


def run_gradient(
    columns: Any, insulated: bool, sight: Any, objective: Any, tolerance: Any,
    first: int, last: int, scratch: Any, segments: Any, out: Any, bars: Any,
) -> None:  # fmt: skip
    """Forward and back; ``bars`` are filled with ∂J/∂ by quantity, those of size zero left out.

    The states of one segment of steps are kept at a time (``kept``), and of the others the first
    one (``marks``), from which they are run again.
    """
    work, now, share, where, even = scratch
    kept, marks, bar = segments
    y, J, status = out
    aimed = (where, even, share)
    B, S = status.shape[0], columns[TIME_STEP].shape[1]
    length = kept.shape[0] - 1
    T = work[STATE]
    for block in range(first, last):
        base = block * LANES
        prepare(columns, base, work, now)
        aim(sight, base, where, even, share)
        total = splat(now.dtype.type(0.0))
        mass = total_weight(objective[2], base)
        scale = splat(now.dtype.type(2.0)) / mass
        initial(columns, base, T)
        start = (S - 1) // length * length
        for n in range(start):
            if n % length == 0:
                copy(T, marks[n // length])
            total = look_at(n, base, B, sight[0], objective, aimed, T, work, now, total, y)
            begin(columns, insulated, base, n, work, now)
            note(status, base, B, n, step_forward(T, T, work, now, tolerance))
        copy(T, kept[0])
        for n in range(start, S):
            old = kept[n - start]
            total = look_at(n, base, B, sight[0], objective, aimed, old, work, now, total, y)
            begin(columns, insulated, base, n, work, now)
            sound = step_forward(old, kept[n - start + 1], work, now, tolerance)
            note(status, base, B, n, sound)
        end = kept[S - start]
        total = look_at(S, base, B, sight[0], objective, aimed, end, work, now, total, y)
        write(J, base, B, 0, finish(objective[0], total, mass, splat(objective[1].dtype.type(0.5))))

        clear(work, now, bar)
        while True:
            for n in range(min(start + length, S) - 1, start - 1, -1):
                begin(columns, insulated, base, n, work, now)
                back(
                    insulated, base, B, n, sight[0], objective, scale, aimed,
                    kept[n - start], kept[n - start + 1], work, now, bar, bars,
                )  # fmt: skip
            if start == 0:
                break
            start -= length
            copy(marks[start // length], kept[0])
            for n in range(start, start + length):
                begin(columns, insulated, base, n, work, now)
                step_forward(kept[n - start], kept[n - start + 1], work, now, tolerance)
        for k in range(sight[0].shape[0]):
            q = slope_at(sight[0], k, 0, base, objective, scale, aimed, kept[0], work, now)
            eps, _, _ = look_back(sight[0][k], k, q, True, aimed, kept[0], work, now)
            store(bar, EPS_SUM, load(bar, EPS_SUM) + eps)
        close(columns, base, B, work, now, bar, bars)


def clear(work: Rows, now: Rows, bar: Rows) -> None:
    """Set to zero what the backward run adds to."""
    zero = splat(now.dtype.type(0.0))
    for i in range(work.shape[1]):
        store(work[STATE], i, zero)
        store(work[LAM_BAR], i, zero)
        store(work[C_BAR], i, zero)
    for each in range(bar.shape[0]):
        store(bar, each, zero)
    store(bar, SCALE, load(now, HELD))


def slope_at(
    kind: Any, k: int, n: int, base: int, objective: Any, scale: Real, aimed: Any, T: Rows,
    work: Rows, now: Rows,
) -> Real:  # fmt: skip
    """∂J/∂y of series k at state n."""
    y = look(kind[k], k, n == 0, aimed, T, work, now)
    return slope(objective, base, k, n, y, scale)


def back(
    insulated: bool, base: int, B: int, n: int, kind: Any, objective: Any, scale: Real, aimed: Any,
    old: Rows, new: Rows, work: Rows, now: Rows, bar: Rows, bars: Any,
) -> None:  # fmt: skip
    """Step n backward, with what is observed at its end: (22) to (27)."""
    x, dt = work[STATE], load(now, DT)
    if not every(dt == load(bar, SCALE)):
        ratio = dt / load(bar, SCALE)  # row STATE is Λ/s, and s goes as 1/Δt
        for i in range(x.shape[0]):
            store(x, i, load(x, i) * ratio)
        store(bar, SCALE, dt)
    eps, H_bar, Ta_bar = dt - dt, dt - dt, dt - dt
    for k in range(kind.shape[0]):
        q = slope_at(kind, k, n + 1, base, objective, scale, aimed, new, work, now)
        more = look_back(kind[k], k, q, False, aimed, new, work, now)
        eps, H_bar, Ta_bar = eps + more[0], H_bar + more[1], Ta_bar + more[2]
    mu, Tb_bar = step_backward(insulated, old, new, work, now)
    T, SWdown = load(new, 0), load(now, SW)
    T2 = T * T
    emitted = splat(now.dtype.type(SIGMA)) * (T2 * T2)
    store(bar, EPS_SUM, load(bar, EPS_SUM) + (eps - mu * emitted))
    give(bars, ALPHA, base, B, n, -mu * SWdown, bar)
    give(bars, TURBULENT, base, B, n, H_bar - mu * (T - load(now, TA)), bar)
    give(bars, BOTTOM, base, B, n, Tb_bar, bar)
    give(bars, SW, base, B, n, fma(-load(now, ALPHA), mu, mu), bar)
    give(bars, LW, base, B, n, mu, bar)
    give(bars, TA, base, B, n, fma(mu, load(now, TURBULENT), Ta_bar), bar)


def give(bars: Any, each: int, base: int, B: int, n: int, x: Real, bar: Rows) -> None:
    """Hand out a gradient by a quantity of step n, or add it up where one number was given."""
    out = bars[PER_STEP_OUT + each]
    if out.shape[1] > 1:
        write(out, base, B, n, x)
    elif out.shape[1] == 1:
        store(bar, each, load(bar, each) + x)


def close(columns: Any, base: int, B: int, work: Rows, now: Rows, bar: Rows, bars: Any) -> None:
    """Hand out what was added up over the steps; (26) and (28)."""
    N = work.shape[1] - 1
    for each in range(DT):
        if bars[PER_STEP_OUT + each].shape[1] == 1:
            write(bars[PER_STEP_OUT + each], base, B, 0, load(bar, each))
    if bars[EPS_OUT].shape[1] > 0:
        write(bars[EPS_OUT], base, B, 0, load(bar, EPS_SUM))
    rows = work[LAM_BAR]
    for i in range(N):
        store(rows, i, load(rows, i) / fetch(columns[SPACING], base, i))
    hand_out(bars[LAM_OUT], base, B, rows, N)
    rows = work[C_BAR]
    for i in range(N + 1):
        store(rows, i, -load(rows, i) * volume(columns, base, i))
    hand_out(bars[C_OUT], base, B, rows, N + 1)
    rows = work[STATE]
    for i in range(N + 1):
        store(rows, i, load(rows, i) * load(work[CV], i) * load(now, RATE))
    hand_out(bars[T0_OUT], base, B, rows, N + 1)


def hand_out(out: Any, base: int, B: int, rows: Rows, count: int) -> None:
    """Write a gradient by node or interface, summed where one number was given."""
    if out.shape[1] > 1:
        for i in range(count):
            write(out, base, B, i, load(rows, i))
    elif out.shape[1] == 1:
        total = load(rows, 0)
        for i in range(1, count):
            total = total + load(rows, i)
        write(out, base, B, 0, total)
