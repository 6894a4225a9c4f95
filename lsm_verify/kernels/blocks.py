"""Forward runs of blocks of columns through all steps, and what every run shares.

A run takes the blocks ``first`` to ``last`` of a batch, LANES columns each, one after the other
through the same scratch arrays, which stay in the cache. Plain functions, bound by `cpu`.
"""

from __future__ import annotations

from typing import Any

from lsm_verify.kernels.lanes import LANES, Rows, every, lane, load, splat, store
from lsm_verify.kernels.looks import aim, look, misfit, total_weight
from lsm_verify.kernels.node import Real, finish
from lsm_verify.kernels.steps import INITIAL, STATE, TIME_STEP, begin, fetch, prepare, step_forward


def write(out: Any, base: int, B: int, n: int, x: Real) -> None:
    """Write the lanes of a block to their columns, the padding left out."""
    for each in range(min(LANES, B - base)):
        out[base + each, n] = lane(x, each)


def write_series(out: Any, base: int, B: int, k: int, n: int, x: Real) -> None:
    """Write a prediction to its columns."""
    for each in range(min(LANES, B - base)):
        out[base + each, k, n] = lane(x, each)


def write_state(out: Any, base: int, B: int, n: int, T: Rows) -> None:
    """Write a row of temperatures to its columns."""
    for each in range(min(LANES, B - base)):
        for i in range(T.shape[0]):
            out[base + each, n, i] = T[i, each]


def initial(columns: Any, base: int, T: Rows) -> None:
    """Fill T⁰."""
    for i in range(T.shape[0]):
        store(T, i, fetch(columns[INITIAL], base, i))


def note(status: Any, base: int, B: int, n: int, sound: Any) -> None:
    """Keep the first step without a root, counted from 1, of each column."""
    if every(sound):
        return
    for each in range(min(LANES, B - base)):
        if not lane(sound, each) and status[base + each] == 0:
            status[base + each] = n + 1


def look_at(
    n: int, base: int, B: int, kind: Any, objective: Any, aimed: Any, T: Rows,
    work: Rows, now: Rows, total: Real, y: Any,
) -> Real:  # fmt: skip
    """Predict what is observed of state n, write it where asked for, and add its misfit."""
    for k in range(kind.shape[0]):
        predicted = look(kind[k], k, n == 0, aimed, T, work, now)
        if y.shape[0] > 0:
            write_series(y, base, B, k, n, predicted)
        if objective[2].shape[0] > 0:
            total = total + misfit(objective, base, k, n, predicted)
    return total


def run_forward(
    columns: Any, insulated: bool, sight: Any, objective: Any, tolerance: Any,
    first: int, last: int, scratch: Any, out: Any,
) -> None:  # fmt: skip
    """Forward runs; outputs of size zero are not wanted, weights of size zero not scored."""
    work, now, share, where, even = scratch
    trajectory, y, J, status = out
    aimed = (where, even, share)
    B, S = status.shape[0], columns[TIME_STEP].shape[1]
    T = work[STATE]
    for block in range(first, last):
        base = block * LANES
        prepare(columns, base, work, now)
        aim(sight, base, where, even, share)
        initial(columns, base, T)
        total = splat(now.dtype.type(0.0))
        for n in range(S + 1):
            if n > 0:
                begin(columns, insulated, base, n - 1, work, now)
                note(status, base, B, n - 1, step_forward(T, T, work, now, tolerance))
            total = look_at(n, base, B, sight[0], objective, aimed, T, work, now, total, y)
            if trajectory.shape[0] > 0:
                write_state(trajectory, base, B, n, T)
        if J.shape[0] > 0:
            mass = total_weight(objective[2], base)
            write(
                J,
                base,
                B,
                0,
                finish(objective[0], total, mass, splat(objective[1].dtype.type(0.5))),
            )


def copy(source: Rows, target: Rows) -> None:
    """Copy a row of temperatures."""
    for i in range(source.shape[0]):
        store(target, i, load(source, i))
