"""Gradients of columns on a GPU: forward, then backward from kept states.

As `cuda_kernels`. The states of one segment of steps are kept at a time (``kept``), and of the
others the first one (``marks``), from which they are run again. ``wants`` says by which quantities
to differentiate, in the order of `lsm_verify.kernels.columns.QUANTITIES`.
"""

from __future__ import annotations

from typing import Any

from lsm_verify.kernels.cuda_kernels import begin, emitting, see, swept_row, void_series
from lsm_verify.kernels.cuda_looks import look, look_back, slope, total_weight
from lsm_verify.kernels.cuda_steps import (
    C_BAR,
    CV,
    GRADIENT_ROWS,
    LAM_BAR,
    SAVED,
    SPACING,
    TIME_STEP,
    G,
    Row,
    acting,
    at,
    copy,
    fma,
    initial,
    load,
    prepare,
    row,
    step_backward,
    step_forward,
    store,
    volume,
)
from lsm_verify.kernels.node import Real, finish

cuda: Any = None
"""Given by the binding: numba-cuda, or its simulator."""


def void(array: Any, want: int, b: int, nan: Real) -> None:
    """Set a gradient of a column without a root to not-a-number."""
    if want != 0:
        for i in range(array.shape[1]):
            array[b, i] = nan


def void_all(bars: Any, wants: Any, b: int, nan: Real) -> None:
    """Set all gradients of such a column; a loop over a tuple would put it into memory."""
    void(bars[0], wants[0], b, nan)
    void(bars[1], wants[1], b, nan)
    void(bars[2], wants[2], b, nan)
    void(bars[3], wants[3], b, nan)
    void(bars[4], wants[4], b, nan)
    void(bars[5], wants[5], b, nan)
    void(bars[6], wants[6], b, nan)
    void(bars[7], wants[7], b, nan)
    void(bars[8], wants[8], b, nan)
    void(bars[9], wants[9], b, nan)


def kept_row(states: Any, n: int, rows: Any) -> Row:
    """Row of the thread's n-th state that is kept."""
    _, nodes, threads, thread = rows
    return states, n * nodes * threads + thread, threads


def rerun(
    problem: Any, b: int, first: int, last: int, rows: Any, T: Row, kept: Any, solid: Any,
    fixed: Any,
) -> Any:  # fmt: skip
    """Run steps ``first`` to ``last`` again, keep their states, and return what Δt entails."""
    columns, insulated, _, _, numbers = problem
    for n in range(first, last):
        solid = begin(problem, b, n, rows, solid, 0)
        now = acting(columns, insulated, b, n, numbers[0])
        step_forward(rows, T, kept_row(kept, n - first + 1, rows), solid, fixed, now, numbers)
    return solid


def give(out: Any, want: int, b: int, n: int, x: Real, total: Real) -> Real:
    """Hand out a gradient by a quantity of step n, where each step has its own; add it up."""
    if want != 0 and out.shape[1] > 1:
        out[b, n] = x
    return total + x


def back(
    problem: Any, b: int, n: int, K: int, mass: Real, rows: Any, x: Row, old: Row, new: Row,
    solid: Any, fixed: Any, wants: Any, bars: Any, sums: Any,
) -> tuple[Real, ...]:  # fmt: skip
    """Step n backward, with what is observed at its end: (22) to (27); return the sums."""
    columns, insulated, sight, objective, numbers = problem
    zero, one, sigma = numbers[0], numbers[1], numbers[4]
    now = acting(columns, insulated, b, n, zero)
    alpha, H, _, SWdown, _, Ta = now
    eps, H_bar, Ta_bar = zero, zero, zero
    for k in range(K):
        y = look(sight, b, k, n + 1, new, rows, fixed, now, zero)
        q = slope(objective, b, k, n + 1, y, mass)
        more = look_back(sight, b, k, n + 1, q, x, new, rows, solid[0], fixed, now, numbers)
        eps, H_bar, Ta_bar = eps + more[0], H_bar + more[1], Ta_bar + more[2]
    mu, Tb_bar = step_backward(rows, x, old, new, solid, fixed, H, wants, one)
    T = load(new, 0)
    T2 = T * T
    return (
        give(bars[2], wants[2], b, n, -mu * SWdown, sums[0]),
        give(bars[3], wants[3], b, n, H_bar - mu * (T - Ta), sums[1]),
        give(bars[4], wants[4], b, n, Tb_bar if insulated == 0 else zero, sums[2]),
        give(bars[5], wants[5], b, n, fma(-alpha, mu, mu), sums[3]),
        give(bars[6], wants[6], b, n, mu, sums[4]),
        give(bars[7], wants[7], b, n, fma(mu, H, Ta_bar), sums[5]),
        sums[6] + (eps - mu * (sigma * (T2 * T2))),
    )


def hand_out(out: Any, want: int, b: int, values: Row, count: int) -> None:
    """Write a gradient by node or interface, summed where one number was given."""
    if want == 0:
        return
    if out.shape[1] > 1:
        for i in range(count):
            out[b, i] = load(values, i)
    else:
        total = load(values, 0)
        for i in range(1, count):
            total = total + load(values, i)
        out[b, 0] = total


def write_sum(out: Any, want: int, b: int, total: Real) -> None:
    """Write a sum over the steps, where one number was given."""
    if want != 0 and out.shape[1] == 1:
        out[b, 0] = total


def close(
    problem: Any, b: int, rows: Any, x: Row, dt: Real, wants: Any, bars: Any, sums: Any
) -> None:
    """Hand out what was added up over the steps; (26) and (28)."""
    columns, numbers = problem[0], problem[4]
    N = rows[1] - 1
    lam_bar, C_bar, cv = row(rows, LAM_BAR), row(rows, C_BAR), row(rows, CV)
    for i in range(N):
        store(lam_bar, i, load(lam_bar, i) / at(columns[SPACING], b, i))
    for i in range(N + 1):
        store(C_bar, i, -load(C_bar, i) * volume(columns, b, i, numbers[2]))
        store(x, i, load(x, i) * load(cv, i) / dt)
    hand_out(bars[0], wants[0], b, lam_bar, N)
    hand_out(bars[1], wants[1], b, C_bar, N + 1)
    hand_out(bars[8], wants[8], b, x, N + 1)
    write_sum(bars[2], wants[2], b, sums[0])
    write_sum(bars[3], wants[3], b, sums[1])
    write_sum(bars[4], wants[4], b, sums[2])
    write_sum(bars[5], wants[5], b, sums[3])
    write_sum(bars[6], wants[6], b, sums[4])
    write_sum(bars[7], wants[7], b, sums[5])
    write_sum(bars[9], wants[9], b, sums[6])


def forward_pass(
    problem: Any, b: int, K: int, length: int, rows: Any, T: Row, segments: Any, fixed: Any,
    want_y: int, y: Any,
) -> tuple[Any, Real, int]:  # fmt: skip
    """Run to the end; keep the first state of every segment and all states of the last one."""
    columns, insulated, _, _, numbers = problem
    kept, marks = segments
    zero, nodes, S = numbers[0], rows[1], columns[TIME_STEP].shape[1]
    wants = (want_y, 1)
    start = (S - 1) // length * length
    initial(columns, b, T, nodes)
    solid = (zero, zero, zero)
    now = acting(columns, insulated, b, 0, zero)
    total, failed = zero, 0
    for n in range(S):
        total = see(problem, b, n, K, T, rows, fixed, now, total, wants, y)
        target = T
        if n >= start:
            target = kept_row(kept, n - start + 1, rows)
        if n == start:
            copy(T, kept_row(kept, 0, rows), nodes)
        elif n % length == 0:
            copy(T, kept_row(marks, n // length, rows), nodes)
        solid = begin(problem, b, n, rows, solid, 0)
        now = acting(columns, insulated, b, n, zero)
        if not step_forward(rows, T, target, solid, fixed, now, numbers) and failed == 0:
            failed = n + 1
    total = see(problem, b, S, K, T, rows, fixed, now, total, wants, y)
    return solid, total, failed


def run_gradient(
    problem: Any, sizes: Any, wants: Any, want_y: int, scratch: Any, segments: Any, out: Any,
    bars: Any,
) -> None:  # fmt: skip
    """Forward and back; ``wants`` says by which quantities."""
    columns, insulated, sight, objective, numbers = problem
    B, threads, K, length = sizes
    kept, marks = segments
    y, J, status = out
    thread = cuda.grid(1)
    if thread >= threads:
        return
    nodes, S = columns[SPACING].shape[1] + 1, columns[TIME_STEP].shape[1]
    zero, half, nan = numbers[0], numbers[2], numbers[6]
    rows = (scratch, nodes, threads, thread)
    x, saved = swept_row(rows, GRADIENT_ROWS), row(rows, SAVED)
    for b in range(thread, B, threads):
        prepare(columns, b, row(rows, G), row(rows, CV), half)
        fixed = emitting(columns, b, numbers)
        mass = total_weight(objective[2], b, zero)
        solid, total, failed = forward_pass(
            problem, b, K, length, rows, x, segments, fixed, want_y, y
        )
        status[b] = failed
        if failed != 0:
            J[b] = nan
            if want_y != 0:
                void_series(y, b, nan)
            void_all(bars, wants, b, nan)
            continue
        J[b] = finish(objective[0], total, mass, half)
        for i in range(nodes):
            store(x, i, zero)
            store(row(rows, LAM_BAR), i, zero)
            store(row(rows, C_BAR), i, zero)
        sums = (zero, zero, zero, zero, zero, zero, zero)
        start, end = (S - 1) // length * length, S
        scale = solid[0]
        while start >= 0:
            if end < S:
                # The row that is swept serves the run forward, then Λ/s comes back to it.
                copy(x, saved, nodes)
                copy(kept_row(marks, start // length, rows), x, nodes)
                copy(x, kept_row(kept, 0, rows), nodes)
                solid = rerun(problem, b, start, end, rows, x, kept, solid, fixed)
                copy(saved, x, nodes)
            for n in range(end - 1, start - 1, -1):
                solid = begin(problem, b, n, rows, solid, 0)
                if solid[0] != scale:
                    # x is Λ/s, and s goes as 1/Δt.
                    for i in range(nodes):
                        store(x, i, load(x, i) * (solid[0] / scale))
                    scale = solid[0]
                old, new = kept_row(kept, n - start, rows), kept_row(kept, n - start + 1, rows)
                sums = back(
                    problem, b, n, K, mass, rows, x, old, new, solid, fixed, wants, bars, sums
                )
            end = start
            start -= length
        now = acting(columns, insulated, b, 0, zero)
        first = kept_row(kept, 0, rows)
        eps = sums[6]
        for k in range(K):
            predicted = look(sight, b, k, 0, first, rows, fixed, now, zero)
            q = slope(objective, b, k, 0, predicted, mass)
            eps = eps + look_back(
                sight, b, k, 0, q, x, first, rows, scale, fixed, now, numbers
            )[0]  # fmt: skip
        sums = (sums[0], sums[1], sums[2], sums[3], sums[4], sums[5], eps)
        close(problem, b, rows, x, scale, wants, bars, sums)
