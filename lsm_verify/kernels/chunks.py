"""Least squares of columns side by side in lanes, each at an iteration of its own.

A lane whose column has come to its end takes the next one, so that no lane waits for a slow
neighbour. Nothing is allocated here.
"""

from __future__ import annotations

from typing import Any

from lsm_verify.kernels.lanes import LANES, Rows
from lsm_verify.kernels.marquardt import (
    COLUMN,
    DAMPING,
    FIRST_DAMPING,
    GROW,
    GROWTH,
    MISFIT,
    NO_SOLUTION,
    RUNNING,
    RUNS,
    advance,
    parameter,
)
from lsm_verify.kernels.normal import normal_equations
from lsm_verify.kernels.steps import ALBEDO, INITIAL

HEAT, BOWEN = 12, 13
"""Unknowns that are no canonical quantity: h and β of H = h (1 + 1/β)."""

TRANSFER, TEMPERATURE = ALBEDO + 1, ALBEDO + 2
"""Places of H and T_b in `lsm_verify.kernels.columns.Columns`."""

NOBODY = -1
"""Number of the column of an idle lane."""

SUMS = 6
"""Place of the sums beside the state, see `lsm_verify.kernels.normal.normal_equations`."""


def settle(
    spot: int, trial: Any, unknowns: Any, known: Any, tied: bool, local: Any, pace: Rows
) -> None:
    """Write the parameters at a lane's trial into its columns, and their rates by coordinates.

    A coordinate u is of the parameter c + s u, or where logarithmic of c exp(s u/c).
    """
    what, middle, scale, logarithmic = unknowns
    h, beta = known[spot, 0], known[spot, 1]
    paired = False
    for j in range(what.shape[0]):
        value, rate = parameter(j, trial[spot, j], middle, scale, logarithmic)
        pace[j, spot] = rate
        if what[j] == HEAT:
            h, paired = value, True
        elif what[j] == BOWEN:
            beta, paired = value, True
        else:
            local[what[j]][spot, 0] = value
            if tied and what[j] == TEMPERATURE:
                local[INITIAL][spot, 0] = value
    if paired:
        local[TRANSFER][spot, 0] = h * (1.0 + 1.0 / beta)
        for j in range(what.shape[0]):
            if what[j] == HEAT:
                pace[j, spot] *= 1.0 + 1.0 / beta
            elif what[j] == BOWEN:
                pace[j, spot] *= -h / (beta * beta)


def admit(
    column: int, spot: int, start: Any, tally: Any, levels: Any, trials: Any, widests: Any,
    pairs: Any, known: Any, given: Any, local: Any, own: Any,
) -> None:  # fmt: skip
    """Give a lane the numbers of a column; arrays that all columns share stay where they are."""
    tally[spot, COLUMN], tally[spot, RUNS] = column, 0
    levels[spot, DAMPING], levels[spot, GROWTH] = FIRST_DAMPING, GROW
    for j in range(trials.shape[1]):
        trials[spot, j] = start[min(column, start.shape[0] - 1), j]
        widests[spot, j] = 0.0
    for j in range(2):
        known[spot, j] = pairs[min(column, pairs.shape[0] - 1), j]
    for q in range(own.shape[0]):
        if own[q] != 0:
            row = min(column, given[q].shape[0] - 1)
            for i in range(given[q].shape[1]):
                local[q][spot, i] = given[q][row, i]


def show(column: int, spot: int, sight: Any, near: Any, seen: Any, shown: Any) -> None:
    """Give a lane what is observed of a column, where columns have observations of their own."""
    for k in range(sight[0].shape[0]):
        if sight[1].shape[0] > 1:
            near[1][spot, k] = sight[1][column, k]
        if sight[2].shape[0] > 1:
            near[2][spot, k] = sight[2][column, k]
        for which in range(2):
            if seen[which].shape[0] > 1:
                for n in range(seen[which].shape[2]):
                    shown[which][spot, k, n] = seen[which][column, k, n]


def report(
    place: int, spot: int, stands: int, tally: Any, levels: Any, heres: Any, slopes: Any,
    matrices: Any, out: Any,
) -> None:  # fmt: skip
    """Write where a lane's column has ended; of one without a solution that alone."""
    u, F, A, g, status, runs = out
    status[place], runs[place] = stands, tally[spot, RUNS]
    if stands != NO_SOLUTION:
        F[place] = levels[spot, MISFIT]
        for j in range(heres.shape[1]):
            u[place, j], g[place, j] = heres[spot, j], slopes[spot, j]
            for k in range(heres.shape[1]):
                A[place, j, k] = matrices[spot, j, k]


def run_levenberg(
    given: Any, insulated: bool, tied: bool, sight: Any, seen: Any, tolerance: Any,
    unknowns: Any, moved: Any, pairs: Any, priors: Any, box: Any, start: Any, order: Any,
    most: int, chunk: int, first: int, last: int, local: Any, own: Any, near: Any, shown: Any,
    known: Any, pace: Rows, scratch: Any, beside: Any, fit: Any, out: Any,
) -> None:  # fmt: skip
    """Minimise the columns named in ``order``, chunk by chunk."""
    tally, levels, heres, trials, slopes, matrices, widests = fit[:7]
    held, step, room, fresh_slope, fresh = fit[7:]
    sums = beside[SUMS]
    for number in range(first, last):
        following, end = number * chunk, min((number + 1) * chunk, order.shape[0])
        waiting = end - following
        for spot in range(LANES):
            column = order[min(following, end - 1)]
            admit(
                column, spot, start, tally, levels, trials, widests, pairs, known, given, local, own
            )
            show(column, spot, sight, near, seen, shown)
            settle(spot, trials, unknowns, known, tied, local, pace)
            if following == end:
                tally[spot, COLUMN] = NOBODY
            else:
                following += 1
        while waiting > 0:
            normal_equations(
                local, insulated, tied, near, shown, tolerance, moved, pace, scratch, beside
            )
            for spot in range(LANES):
                column = tally[spot, COLUMN]
                if column == NOBODY:
                    continue
                stands = advance(
                    spot, most, unknowns, priors, box, sums, tally, levels, heres, trials,
                    slopes, matrices, widests, held, step, room, fresh_slope, fresh,
                )  # fmt: skip
                if stands != RUNNING:
                    report(column, spot, stands, tally, levels, heres, slopes, matrices, out)
                    waiting -= 1
                    tally[spot, COLUMN] = NOBODY
                    if following < end:
                        column = order[following]
                        admit(
                            column, spot, start, tally, levels, trials, widests,
                            pairs, known, given, local, own,
                        )  # fmt: skip
                        show(column, spot, sight, near, seen, shown)
                        following += 1
                if tally[spot, COLUMN] != NOBODY:
                    settle(spot, trials, unknowns, known, tied, local, pace)
