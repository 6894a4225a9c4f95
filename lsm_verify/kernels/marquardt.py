"""Levenberg-Marquardt with bounds and priors: what is decided for one column, on its own numbers.

Plain functions of numbers and small arrays, bound by `cpu`; `lsm_verify.kernels.chunks` calls them
lane by lane.

The damped step is that of Marquardt with Moré's scaling (the largest curvature seen of each
coordinate). Bounds: coordinates on a bound to which the gradient pushes them are held (the active
set of Bertsekas 1982), the others are solved for; those that the step would carry beyond a bound
are put on it, and the rest is solved for anew (the projected step of Kanzow, Yamashita and
Fukushima 2004, with the subproblem's active set in place of the plain projection).

References
----------
D. W. Marquardt (1963), J. SIAM 11, 431-441, doi:10.1137/0111030. J. J. Moré (1978), Lecture Notes
in Mathematics 630, 105-116, doi:10.1007/BFb0067700. D. P. Bertsekas (1982), SIAM J. Control Optim.
20, 221-246, doi:10.1137/0320018. C. Kanzow, N. Yamashita, M. Fukushima (2004), J. Comput. Appl.
Math. 172, 375-397, doi:10.1016/j.cam.2004.02.013. W. W. Hager, H. Zhang (2005), SIAM J. Optim. 16,
170-192, doi:10.1137/030601880.
"""

from __future__ import annotations

from math import exp, sqrt
from typing import Any

from lsm_verify.kernels.lanes import Rows
from lsm_verify.kernels.normal import POWER, SLOPES, VALUE

CONVERGED, STALLED, NO_SOLUTION, EXHAUSTED, NOT_IDENTIFIABLE = range(5)
MASKED, NOT_OBSERVED, IMPLAUSIBLE = range(5, 8)
"""Where a column ends."""

RUNNING = -1

MISFIT, DAMPING, GROWTH, PREDICTED, NOISE, LEVELS = range(6)
"""Of one column: F where it is, the damping and its next growth, the decrease that the linear model
promises of the trial, and the rounding of F."""

COLUMN, RUNS, SPOTS = range(3)
"""Of one lane: its column's number in the batch, and how often that was run."""

FIRST_DAMPING, LEAST_DAMPING, MOST_DAMPING = 1e-3, 1e-12, 1e12
"""Relative to the scaling. The least is the rounding of normal equations of some thousand
observations (M ε); beyond the most a step changes no digit."""

GROW, SHRINK = 4.0, 0.03
"""Damping is raised by 4, 8, 16, … where the misfit has not come down, and lowered where it has as
the linear model said. Efficiency alone hangs on them."""

LEAST_GAIN, POOR_GAIN, GOOD_GAIN = 1e-4, 0.25, 0.75
"""Share of the promised decrease from which a step is taken, damping raised, and lowered (Moré)."""

ROUNDING = 16 * 2.0**-52
"""Relative error of predictions: some tens of ε after hundreds of steps."""

SETTLED = 1e-7
"""A column has converged where the undamped step is this long in units of the joint standard error,
√(gᵀ A⁻¹ g). With the rate ρ at which Gauss-Newton steps shrink, what is left is at most 1/(1 - ρ)
of it: 1e-6 for ρ up to 0.9."""


def parameter(j: int, u: Any, middle: Any, scale: Any, logarithmic: Any) -> Any:
    """Parameter j at a coordinate, and its derivative by it."""
    if logarithmic[j] == 0:
        return middle[j] + scale[j] * u, scale[j]
    value = middle[j] * exp(scale[j] / middle[j] * u)
    return value, scale[j] / middle[j] * value


def damped_step(
    matrix: Any, slope: Any, widest: Any, damping: float, held: Any, step: Any, room: Any
) -> bool:
    """Solve (A + μ D) δ = -g for the coordinates that are not held, by Cholesky's factors.

    ``step`` holds δ of the held ones. False where a pivot is not above zero.
    """
    count = step.shape[0]
    for i in range(count):
        if held[i] != 0:
            continue
        right = -slope[i]
        for j in range(count):
            if held[j] != 0:
                right -= matrix[max(i, j), min(i, j)] * step[j]
        for j in range(i + 1):
            if held[j] != 0:
                continue
            x = matrix[i, j]
            if i == j:
                x += damping * widest[i]
            for k in range(j):
                if held[k] == 0:
                    x -= room[i, k] * room[j, k]
            if i > j:
                room[i, j] = x / room[j, j]
                right -= room[i, j] * step[j]
            elif x > 0.0:
                room[i, i] = sqrt(x)
            else:
                return False
        step[i] = right / room[i, i]
    for i in range(count - 1, -1, -1):
        if held[i] != 0:
            continue
        x = step[i]
        for k in range(i + 1, count):
            if held[k] == 0:
                x -= room[k, i] * step[k]
        step[i] = x / room[i, i]
    return True


def promised(matrix: Any, slope: Any, step: Any) -> Any:
    """Decrease of F by a step in the linear model, -gᵀδ - ½ δᵀA δ."""
    total = 0.0
    for i in range(step.shape[0]):
        row = 0.5 * matrix[i, i] * step[i]
        for j in range(i):
            row += matrix[i, j] * step[j]
        total -= (slope[i] + row) * step[i]
    return total


def hold(here: Any, low: Any, high: Any, slope: Any, held: Any, step: Any) -> None:
    """Hold what lies on a bound and is pushed against it."""
    for j in range(step.shape[0]):
        out = (here[j] <= low[j] and slope[j] > 0.0) or (here[j] >= high[j] and slope[j] < 0.0)
        held[j] = 1 if out else 0
        step[j] = 0.0


def decrement(
    here: Any, low: Any, high: Any, matrix: Any, slope: Any, widest: Any,
    held: Any, step: Any, room: Any,
) -> Any:  # fmt: skip
    """Length √(gᵀ A⁻¹ g) of the undamped step in standard errors, bounds that act held."""
    hold(here, low, high, slope, held, step)
    if not damped_step(matrix, slope, widest, LEAST_DAMPING, held, step, room):
        return 1.0 / SETTLED
    total = 0.0
    for j in range(step.shape[0]):
        total -= slope[j] * step[j]
    return sqrt(max(total, 0.0))


def propose(
    here: Any, low: Any, high: Any, matrix: Any, slope: Any, widest: Any, level: Any,
    held: Any, step: Any, room: Any, trial: Any,
) -> bool:  # fmt: skip
    """Set the next trial of a column; False where no damping leads down."""
    count = step.shape[0]
    while level[DAMPING] <= MOST_DAMPING:
        hold(here, low, high, slope, held, step)
        solved = damped_step(matrix, slope, widest, level[DAMPING], held, step, room)
        beyond = True
        while solved and beyond:  # at most once for every coordinate
            beyond = False
            for j in range(count):
                if held[j] == 0 and not low[j] <= here[j] + step[j] <= high[j]:
                    step[j] = (low[j] if step[j] < 0.0 else high[j]) - here[j]
                    held[j] = 2
                    beyond = True
            if beyond:
                solved = damped_step(matrix, slope, widest, level[DAMPING], held, step, room)
        if solved:
            level[PREDICTED] = promised(matrix, slope, step)
            if level[PREDICTED] > 0.0:
                for j in range(count):
                    # Rounding of u + δ must not leave the box.
                    trial[j] = min(max(here[j] + step[j], low[j]), high[j])
                return True
        level[DAMPING] *= level[GROWTH]
        level[GROWTH] *= 2.0
    return False


def gather(
    spot: int, trial: Any, unknowns: Any, mean: Any, precision: Any, sums: Rows,
    fresh_slope: Any, fresh: Any,
) -> float:  # fmt: skip
    """Fill gradient and normal matrix at a lane's trial, priors included, and return F."""
    count = trial.shape[0]
    _, middle, scale, logarithmic = unknowns
    F = sums[VALUE, spot]
    row = SLOPES + count
    for j in range(count):
        value, rate = parameter(j, trial[j], middle, scale, logarithmic)
        r = (value - mean[j]) * precision[j]
        weighted = precision[j] * rate
        F += 0.5 * r * r
        fresh_slope[j] = sums[SLOPES + j, spot] + r * weighted
        for k in range(j + 1):
            fresh[j, k] = fresh[k, j] = sums[row, spot]
            row += 1
        fresh[j, j] += weighted * weighted
    return F  # type: ignore[no-any-return]


def taken(level: Any, F: Any, here: Any, trial: Any, slope: Any, fresh_slope: Any) -> bool:
    """Whether a trial is taken, by the gain over what was promised, and what becomes of damping.

    Where the promise is below the rounding of F, the decrease is -½ (g + g')ᵀ δ, the trapezoidal
    rule on the gradients at both ends (Hager and Zhang 2005), in which nothing cancels.
    """
    drop = level[MISFIT] - F
    if level[PREDICTED] <= level[NOISE]:
        drop = 0.0
        for j in range(here.shape[0]):
            drop -= 0.5 * (slope[j] + fresh_slope[j]) * (trial[j] - here[j])
    gain = drop / level[PREDICTED]
    if gain > GOOD_GAIN:
        level[DAMPING] = max(level[DAMPING] * SHRINK, LEAST_DAMPING)
    elif LEAST_GAIN < gain < POOR_GAIN:
        level[DAMPING] *= GROW
    return bool(gain > LEAST_GAIN)


def advance(
    spot: int, most: int, unknowns: Any, priors: Any, box: Any, sums: Rows,
    tally: Any, levels: Any, heres: Any, trials: Any, slopes: Any, matrices: Any, widests: Any,
    held: Any, step: Any, room: Any, fresh_slope: Any, fresh: Any,
) -> int:  # fmt: skip
    """Judge a lane's trial by its run, and choose the next one; return where the column stands."""
    level, here, trial, slope = levels[spot], heres[spot], trials[spot], slopes[spot]
    matrix, widest = matrices[spot], widests[spot]
    count = here.shape[0]
    column = tally[spot, COLUMN]
    low, high = box[0][min(column, box[0].shape[0] - 1)], box[1][min(column, box[1].shape[0] - 1)]
    mean, precision = priors
    F = gather(
        spot, trial, unknowns, mean[min(column, mean.shape[0] - 1)],
        precision[min(column, precision.shape[0] - 1)], sums, fresh_slope, fresh,
    )  # fmt: skip
    finite = F - F == 0.0
    tally[spot, RUNS] += 1
    if tally[spot, RUNS] == 1 and not finite:
        return NO_SOLUTION
    if tally[spot, RUNS] == 1 or (finite and taken(level, F, here, trial, slope, fresh_slope)):
        power = sqrt(sums[POWER, spot]) * ROUNDING
        level[MISFIT], level[GROWTH] = F, GROW
        level[NOISE] = power * (sqrt(2.0 * F) + power)
        for j in range(count):
            here[j], slope[j] = trial[j], fresh_slope[j]
            wide = max(widest[j], fresh[j, j])
            widest[j] = wide if wide > 0.0 else 1.0  # nothing moves: any scaling holds it
            for k in range(count):
                matrix[j, k] = fresh[j, k]
        length = decrement(here, low, high, matrix, slope, widest, held, step, room)
        if length <= max(SETTLED, power):
            return CONVERGED
    else:
        level[DAMPING] *= level[GROWTH]
        level[GROWTH] *= 2.0
    if tally[spot, RUNS] > most:
        return EXHAUSTED
    if propose(here, low, high, matrix, slope, widest, level, held, step, room, trial):
        return RUNNING
    return STALLED
