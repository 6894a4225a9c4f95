"""Exactness of the model itself: solutions known on paper, and how fast the model nears them.

Backward Euler on control volumes is of first order in Δt and of second in Δz. Two exact solutions
of the heat equation show both orders, to both sides; a third, linear in time, has no
truncation error and is met to round-off, whatever the grid and the steps. An error that vanishes
with Δt, forcing taken one step early say, keeps the orders and shows only there.

References
----------
Carslaw, H. S., Jaeger, J. C. (1959). Conduction of Heat in Solids, 2nd ed., section 2.7.
Roache, P. J. (1994). Perspective: a method for uniform reporting of grid refinement studies.
J. Fluids Eng. 116(3), 405-413. doi:10.1115/1.2910291.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lsm_verify.inputs import Inputs
from lsm_verify.routes import MODELS
from lsm_verify.verify.exact import Solution, drifting, half_space, manufactured, sample
from lsm_verify.verify.result import CheckResult, Reason, Verdict, judge

Array = NDArray[np.float64]
Model = Callable[[Sequence[Inputs]], list[tuple[Any, Any]]]

IN_TIME, IN_DEPTH = 1.0, 2.0
"""Orders of the scheme."""

WIDTH = 0.1
"""Orders pass within this, to both sides; measured, they are off by 0.045 at most."""

SAFETY = 1.25
"""Roache's factor for three grids."""

STEPS = (16, 32, 64)
NODES = (8, 16, 32)
"""Refinements by two, in time and in depth."""

FINE_NODES = 16
"""Interfaces, and twice as many, where Δt is refined."""

FIRST_STEPS = 8
"""Steps, and twice as many, on the coarsest grid where Δz is refined."""

EXACT_LIMIT = 32.0
"""Round-off allowed where the solution is met exactly, in ε max|T|; measured, 4 at most."""

EPSILON = float(np.finfo(np.float64).eps)


@dataclass(frozen=True)
class Order:
    """Observed order of convergence from three refinements by two.

    ``observed`` comes from the errors against the exact solution, ``self_observed`` from the three
    runs alone (Roache); ``index`` is the grid convergence index of the finest run [K], an estimate
    of its ``error`` [K] that does not know the solution.
    """

    formal: float
    observed: float
    self_observed: float
    index: float
    error: float

    @property
    def off(self) -> float:
        """Largest distance of an observed order from the formal one."""
        found = np.abs(np.array([self.observed, self.self_observed]) - self.formal)
        return float(np.max(np.where(np.isnan(found), np.inf, found)))


def order(errors: Sequence[Array], formal: float) -> Order:
    """Observe the order from fields of errors [K] at common points, coarse to fine."""
    sizes = [_size(e) for e in errors]
    changes = [_size(a - b) for a, b in pairwise(errors)]
    with np.errstate(divide="ignore", invalid="ignore"):
        observed = np.log2(sizes[-2]) - np.log2(sizes[-1])
        self_observed = np.log2(changes[-2]) - np.log2(changes[-1])
        index = SAFETY * changes[-1] / (2**self_observed - 1)
    return Order(formal, float(observed), float(self_observed), float(index), sizes[-1])


def _size(field: Array) -> float:
    return float(np.sqrt(np.mean(field**2)))


def errors_in_time(model: Model, solution: Solution) -> list[Array]:
    """Errors at falling Δt; their part by Δz is extrapolated away.

    The two parts are separated because refined together one order could hide behind the other:
    on two grids E = a(Δt) + b Δz² + O(Δz⁴), and (4 E(Δz/2) - E(Δz)) / 3 leaves a(Δt).
    """
    result = []
    for steps in STEPS:
        coarse, fine = (
            error(model, solution, nodes, steps, FINE_NODES, STEPS[0])
            for nodes in (FINE_NODES, 2 * FINE_NODES)
        )
        result.append((4 * fine - coarse) / 3)
    return result


def errors_in_depth(model: Model, solution: Solution) -> list[Array]:
    """Errors at falling Δz; their part by Δt is extrapolated away, as in `errors_in_time`.

    What remains of Δt is O(Δt²); steps are shortened with Δz², so that it falls with Δz⁴.
    """
    result = []
    for level, nodes in enumerate(NODES):
        steps = FIRST_STEPS * 4**level
        long, short = (
            error(model, solution, nodes, count, NODES[0], FIRST_STEPS)
            for count in (steps, 2 * steps)
        )
        result.append(2 * short - long)
    return result


def error(
    model: Model, solution: Solution, nodes: int, steps: int, at_nodes: int, at_steps: int
) -> Array:
    """Run the model; difference (at_steps + 1, at_nodes + 1) from the solution [K]."""
    inputs, exact = sample(solution, nodes, steps)
    found = np.asarray(model([inputs])[0][0], dtype=np.float64)
    return np.asarray((found - exact)[:: steps // at_steps, :: nodes // at_nodes])


def orders(model: Model, solution: Solution, *, subject: str) -> CheckResult:
    """Test both orders of convergence to an exact solution.

    PASS iff every observed order, from the errors and from the runs alone, lies within 0.1 of the
    scheme's, and the grid convergence index holds the error of the finest run. Runs that converge
    to something else than the solution have the order of the runs alone, and fail by the other.
    """
    found = (
        order(errors_in_time(model, solution), IN_TIME),
        order(errors_in_depth(model, solution), IN_DEPTH),
    )
    off = max(o.off for o in found)
    held = all(o.error <= o.index for o in found)
    verdict = judge(off, WIDTH, WIDTH) if held else Verdict.FAIL
    time, depth = found
    return CheckResult(
        check="convergence order",
        point=solution.name,
        objective="",
        subject=subject,
        verdict=verdict,
        primary=False,
        statistic="max |order - scheme's|",
        value=off,
        pass_limit=WIDTH,
        fail_limit=WIDTH,
        reason=None if verdict is Verdict.PASS else Reason.ORDER,
        evaluations=2 * (len(STEPS) + len(NODES)),
        message=(
            f"order {time.observed:.2f} in Δt, {depth.observed:.2f} in Δz; grid convergence index "
            f"{time.index:.1e} and {depth.index:.1e} K, errors {time.error:.1e} and "
            f"{depth.error:.1e} K"
        ),
    )


def exactness(model: Model, *, insulated: bool, subject: str) -> CheckResult:
    """Test that a column which warms everywhere at one rate is met to round-off."""
    inputs, exact = drifting(insulated=insulated)
    found = np.asarray(model([inputs])[0][0], dtype=np.float64)
    off = float(np.max(np.abs(found - exact)) / np.max(np.abs(exact)))
    verdict = judge(off / EPSILON, EXACT_LIMIT, EXACT_LIMIT)
    if np.isnan(off):
        verdict = Verdict.FAIL
    bottom = "insulated" if insulated else "prescribed"
    return CheckResult(
        check="exact solution",
        point=f"drifting column, {bottom} bottom",
        objective="",
        subject=subject,
        verdict=verdict,
        primary=False,
        statistic="max |T - exact| / ε max T",
        value=off / EPSILON,
        pass_limit=EXACT_LIMIT,
        fail_limit=EXACT_LIMIT,
        bound=off,
        detectable=EXACT_LIMIT * EPSILON,
        reason=None if verdict is Verdict.PASS else Reason.MISMATCH,
        evaluations=1,
        message=f"{inputs.steps} uneven steps, {inputs.spacing.size} uneven layers",
    )


def convergence(model: str) -> tuple[CheckResult, ...]:
    """Test one of the forward models against every exact solution."""
    simulate = MODELS[model]
    return (
        *(orders(simulate, solution(), subject=model) for solution in (manufactured, half_space)),
        *(exactness(simulate, insulated=bottom, subject=model) for bottom in (False, True)),
    )
