"""The tangent-linear model of blocks of columns: predictions and their change, side by side."""

from __future__ import annotations

from typing import Any

from lsm_verify.kernels.blocks import copy, initial, note, write_series
from lsm_verify.kernels.lanes import LANES, Rows, load, store
from lsm_verify.kernels.looks import aim, look, look_along
from lsm_verify.kernels.node import (
    Real,
    conduction_change,
    fma,
    forced_change,
    rise_tangent,
    surface_slope,
)
from lsm_verify.kernels.steps import (
    ALPHA,
    BOTTOM,
    C0,
    C4,
    C_BAR,
    CV,
    FOUR_C4,
    LAM_BAR,
    LW,
    RATE,
    S0,
    STATE,
    SW,
    TA,
    TIME_STEP,
    TURBULENT,
    G,
    P,
    Q,
    W,
    begin,
    prepare,
    refresh,
    step_forward,
    sweep_down,
)


def step_along(
    old: Rows, new: Rows, dT: Rows, work: Rows, now: Rows, dg: Rows, dcv: Rows, d: Rows
) -> None:
    """Turn the change δT of the old state into that of the new one, (17) to (19)."""
    N = old.shape[0] - 1
    p, q, w = work[P], work[Q], work[W]
    rate = load(now, RATE)
    b = load(d, BOTTOM)
    below = rate - rate
    for i in range(N, 0, -1):
        T = load(new, i)
        above = conduction_change(load(dg, i - 1), load(new, i - 1), T)
        stored = load(dcv, i) * rate * (T - load(old, i))
        if i == N:
            b = b + fma(load(p, i), load(dT, i), load(w, i) * (below - above - stored))
        else:
            b = rise_tangent(
                load(p, i), load(dT, i), load(q, i), b, load(w, i), below, above, stored
            )
        store(dT, i, b)
        below = above
    x = load(new, 0)
    stored = load(dcv, 0) * rate * (x - load(old, 0))
    right = fma(load(now, S0), load(dT, 0), fma(load(work[G], 0), b, below - stored))
    surface_along(x, right, dT, work, now, d)


def surface_along(x: Real, right: Real, dT: Rows, work: Rows, now: Rows, d: Rows) -> None:
    """Change of the surface temperature x, (18), and downward from b in the rows of δT, (19).

    ``right`` is the change of s_0 T_0 + g_0 b_1, conducted and stored heat included.
    """
    H = load(now, TURBULENT)
    x2 = x * x
    forced = forced_change(
        load(now, ALPHA), load(d, ALPHA), load(now, SW), load(d, SW), load(d, LW)
    )
    emitted = load(d, C4) * (x2 * x2)
    turbulent = load(d, TURBULENT) * (x - load(now, TA)) - H * load(d, TA)
    dx = (right + forced - emitted - turbulent) / surface_slope(
        load(now, C0) + H, load(now, FOUR_C4), x
    )
    sweep_down(dT, work, dx)


def run_tangent(
    columns: Any, change: Any, insulated: bool, sight: Any, tolerance: Any,
    first: int, last: int, scratch: Any, more: Any, out: Any,
) -> None:  # fmt: skip
    """Predictions and their change along a ``change`` of the columns, side by side in time."""
    work, now, share, where, even = scratch
    changes, d = more
    y, dy, status = out
    aimed = (where, even, share)
    B, S = status.shape[0], columns[TIME_STEP].shape[1]
    old, dT = work[STATE], work[LAM_BAR]
    new = work[C_BAR]
    kind = sight[0]
    for block in range(first, last):
        base = block * LANES
        prepare(columns, base, work, now)
        prepare(change, base, changes, d)
        aim(sight, base, where, even, share)
        initial(columns, base, old)
        initial(change, base, dT)
        for n in range(S + 1):
            if n > 0:
                begin(columns, insulated, base, n - 1, work, now)
                refresh(change, insulated, base, n - 1, d)
                note(status, base, B, n - 1, step_forward(old, new, work, now, tolerance))
                step_along(old, new, dT, work, now, changes[G], changes[CV], d)
                copy(new, old)
            for k in range(kind.shape[0]):
                first_state = n == 0
                write_series(y, base, B, k, n, look(kind[k], k, first_state, aimed, old, work, now))
                moved = look_along(
                    kind[k], k, first_state, aimed, (old, dT), work, now, (changes[G], d)
                )
                write_series(dy, base, B, k, n, moved)
