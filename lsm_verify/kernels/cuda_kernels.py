"""Runs of columns through all steps on a GPU: forward, and along a change.

A kernel gives each thread a column, and the next one when it is done, so that the scratch memory
is that of the threads and not of the batch. Plain functions, bound by `cuda_plan`.

``problem`` is (columns, insulated, sight, objective, numbers) with the numbers 0, 1, ½, 4, σ,
Newton's tolerance and not-a-number in the columns' type, which literals do not have.
"""

from __future__ import annotations

from typing import Any

from lsm_verify.kernels.cuda_looks import (
    look,
    look_along,
    misfit,
    total_weight,
)
from lsm_verify.kernels.cuda_steps import (
    CV,
    DCV,
    DG,
    EMISSIVITY,
    FORWARD_ROWS,
    MOVED,
    OLD,
    SPACING,
    TANGENT_ROWS,
    TIME_STEP,
    G,
    Row,
    acting,
    at,
    copy,
    eliminate,
    initial,
    load,
    prepare,
    row,
    step_along,
    step_forward,
)
from lsm_verify.kernels.node import Real, finish

cuda: Any = None
"""Given by the binding: numba-cuda, or its simulator."""
REAL: Any = None
"""Given by the binding: the type of the numbers."""
SHARED = False
"""Given by the binding: whether the row that is swept lies in the block's shared memory."""


def swept_row(rows: Any, r: int) -> Row:
    """Row that is swept: T, or Λ/s on the way back."""
    if SHARED:
        return cuda.shared.array(0, REAL), cuda.threadIdx.x, cuda.blockDim.x
    return row(rows, r)


def emitting(columns: Any, b: int, numbers: Any) -> tuple[Real, Real]:
    """Return εσ and 4 εσ of a column."""
    c4 = at(columns[EMISSIVITY], b, 0) * numbers[4]
    return c4, numbers[3] * c4


def begin(problem: Any, b: int, n: int, rows: Any, solid: Any, keep_w: int) -> Any:
    """Return Δt, s_0, s_0 + g_0 m_1 of step n; eliminate if Δt is another than before."""
    columns, insulated, _, _, numbers = problem
    dt = at(columns[TIME_STEP], b, n)
    if dt == solid[0]:
        return solid
    return eliminate(insulated, rows, dt, keep_w, numbers)


def see(
    problem: Any, b: int, n: int, K: int, T: Row, rows: Any, fixed: Any, now: Any, total: Real,
    wants: Any, y: Any,
) -> Real:  # fmt: skip
    """Predict what is observed of state n, write it where asked for, and add its misfit."""
    _, _, sight, objective, numbers = problem
    want_y, want_J = wants
    for k in range(K):
        predicted = look(sight, b, k, n, T, rows, fixed, now, numbers[0])
        if want_y != 0:
            y[b, k, n] = predicted
        if want_J != 0:
            total = total + misfit(objective, b, k, n, predicted)
    return total


def void_series(y: Any, b: int, nan: Real) -> None:
    """Set the predictions of a column without a root to not-a-number."""
    for k in range(y.shape[1]):
        for n in range(y.shape[2]):
            y[b, k, n] = nan


# ------------------------------------------------------------------ forward


def run_forward(problem: Any, sizes: Any, wants: Any, scratch: Any, out: Any) -> None:
    """Forward runs; ``wants`` says whether trajectory, predictions and score are."""
    columns, insulated, _, objective, numbers = problem
    B, threads, K, _ = sizes
    trajectory, y, J, status = out
    thread = cuda.grid(1)
    if thread >= threads:
        return
    nodes, S = columns[SPACING].shape[1] + 1, columns[TIME_STEP].shape[1]
    zero, half, nan = numbers[0], numbers[2], numbers[6]
    rows = (scratch, nodes, threads, thread)
    T = swept_row(rows, FORWARD_ROWS)
    for b in range(thread, B, threads):
        prepare(columns, b, row(rows, G), row(rows, CV), half)
        fixed = emitting(columns, b, numbers)
        initial(columns, b, T, nodes)
        now = acting(columns, insulated, b, 0, zero)
        solid = (zero, zero, zero)
        total, failed = zero, 0
        for n in range(S + 1):
            if n > 0:
                solid = begin(problem, b, n - 1, rows, solid, 0)
                now = acting(columns, insulated, b, n - 1, zero)
                found = step_forward(rows, T, T, solid, fixed, now, numbers)
                if not found and failed == 0:
                    failed = n
            total = see(problem, b, n, K, T, rows, fixed, now, total, wants[1:], y)
            if wants[0] != 0:
                for i in range(nodes):
                    trajectory[b, n, i] = load(T, i)
        status[b] = failed
        if wants[2] != 0:
            J[b] = nan
            if failed == 0:
                mass = total_weight(objective[2], b, zero)
                J[b] = finish(objective[0], total, mass, half)
        if wants[1] != 0 and failed != 0:
            void_series(y, b, nan)


# ------------------------------------------------------------------ along a change


def run_tangent(problem: Any, sizes: Any, change: Any, scratch: Any, out: Any) -> None:
    """Predictions and their change along a ``change`` of the columns, side by side in time."""
    columns, insulated, sight, _, numbers = problem
    B, threads, K, _ = sizes
    y, dy, status = out
    thread = cuda.grid(1)
    if thread >= threads:
        return
    nodes, S = columns[SPACING].shape[1] + 1, columns[TIME_STEP].shape[1]
    zero, half, nan = numbers[0], numbers[2], numbers[6]
    rows = (scratch, nodes, threads, thread)
    T = swept_row(rows, TANGENT_ROWS)
    for b in range(thread, B, threads):
        prepare(columns, b, row(rows, G), row(rows, CV), half)
        prepare(change, b, row(rows, DG), row(rows, DCV), half)
        fixed, d_fixed = emitting(columns, b, numbers), emitting(change, b, numbers)
        initial(columns, b, T, nodes)
        dT, dg = row(rows, MOVED), row(rows, DG)
        initial(change, b, dT, nodes)
        now = acting(columns, insulated, b, 0, zero)
        d_now = acting(change, insulated, b, 0, zero)
        solid, failed = (zero, zero, zero), 0
        for n in range(S + 1):
            if n > 0:
                solid = begin(problem, b, n - 1, rows, solid, 1)
                now = acting(columns, insulated, b, n - 1, zero)
                d_now = acting(change, insulated, b, n - 1, zero)
                copy(T, row(rows, OLD), nodes)
                found = step_forward(rows, T, T, solid, fixed, now, numbers)
                if not found and failed == 0:
                    failed = n
                step_along(rows, T, solid, fixed, now, d_now, d_fixed[0])
            for k in range(K):
                y[b, k, n] = look(sight, b, k, n, T, rows, fixed, now, zero)
                dy[b, k, n] = look_along(
                    sight, b, k, n, T, rows, fixed, now, dT, dg, d_fixed[0], d_now, zero
                )
        status[b] = failed
        if failed != 0:
            void_series(y, b, nan)
            void_series(dy, b, nan)
