"""Least squares of many columns on a GPU: each thread takes a column to its end, then the next.

What is decided for a column is decided by `marquardt`, on the thread as on the CPU; what a thread
takes in and hands out by `chunks`, as a lane does there. Plain functions, bound by
`cuda_levenberg_run`.
"""

from __future__ import annotations

from typing import Any

from lsm_verify.kernels.chunks import admit, report, settle
from lsm_verify.kernels.cuda_normal import normal_equations
from lsm_verify.kernels.cuda_steps import SPACING
from lsm_verify.kernels.marquardt import COLUMN, LEVELS, MASKED, RUNNING, SPOTS, advance
from lsm_verify.kernels.normal import SLOPES

cuda: Any = None
"""Given by the binding: numba-cuda, or its simulator."""

SQUARES = 3
"""Matrices of P × P numbers of a thread: Jᵀ W J where it is, its factors, and that of the trial."""

VECTORS = 7
"""Vectors of P numbers of a thread, in the order in which `run_marquardt` cuts them."""

PAIR = 2
"""Numbers of a known pair of h and β."""


def shelf_size(P: int) -> int:
    """Numbers of a thread beside rows, sums and matrices."""
    return LEVELS + PAIR + VECTORS * P


def sums_size(P: int) -> int:
    """Rows of the sums of `normal`, and one for the pace of each unknown."""
    return SLOPES + P + P * (P + 1) // 2 + P


def run_marquardt(problem: Any, given: Any, sizes: Any, asked: Any, memory: Any, out: Any) -> None:
    """Minimise the columns named in ``order``; row i of the results is of the i-th of them.

    The next column is the one that ``counter`` points at: threads whose columns end soon take more
    of them. The result of a column does not depend on which thread it falls to.
    """
    local = problem[0]
    threads, most, tied = sizes
    unknowns, moved, pairs, priors, box, start, own, order, counter = asked
    scratch, shelf, squares, sums, counts = memory
    spot = cuda.grid(1)
    if spot >= threads:
        return
    P, end = moved.shape[0], LEVELS + PAIR
    levels, known = shelf[:, :LEVELS], shelf[:, LEVELS:end]
    heres, trials = shelf[:, end : end + P], shelf[:, end + P : end + 2 * P]
    slopes, widests = shelf[:, end + 2 * P : end + 3 * P], shelf[:, end + 3 * P : end + 4 * P]
    step, fresh_slope = (
        shelf[spot, end + 4 * P : end + 5 * P],
        shelf[spot, end + 5 * P : end + 6 * P],
    )
    dy = shelf[spot, end + 6 * P :]
    matrices, room, fresh = squares[:, 0], squares[spot, 1], squares[spot, 2]
    tally, held = counts[:, :SPOTS], counts[spot, SPOTS:]
    totals, pace = sums[: sums.shape[0] - P], sums[sums.shape[0] - P :]
    rows = (scratch, given[SPACING].shape[1] + 1, threads, spot)
    place = cuda.atomic.add(counter, 0, 1)
    stands = MASKED  # nobody is at hand yet
    while place < order.shape[0]:
        if stands != RUNNING:
            admit(
                order[place], spot, start, tally, levels, trials, widests, pairs, known, given,
                local, own,
            )  # fmt: skip
        settle(spot, trials, unknowns, known, tied, local, pace)
        column = tally[spot, COLUMN]
        normal_equations(problem, spot, column, tied, moved, pace, rows, dy, totals)
        stands = advance(
            spot, most, unknowns, priors, box, totals, tally, levels, heres, trials, slopes,
            matrices, widests, held, step, room, fresh_slope, fresh,
        )  # fmt: skip
        if stands != RUNNING:
            report(place, spot, stands, tally, levels, heres, slopes, matrices, out)
            place = cuda.atomic.add(counter, 0, 1)
