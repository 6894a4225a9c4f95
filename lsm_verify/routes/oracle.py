"""What is asked of the oracle. The only product module that imports it, when it is asked."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from importlib import import_module
from threading import Lock
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from lsm_verify.errors import NoSolutionError
from lsm_verify.inputs import Inputs
from lsm_verify.routes.route import Evaluation, Gradient, States

if TYPE_CHECKING:
    from lsm_reference.problem import Problem


_PARALLEL = Lock()
"""Numba's default threading layer ends the process where two threads run parallel code at once."""


def to_problem(inputs: Inputs) -> Problem:
    """Hand the inputs to the oracle, in its own terms."""
    from lsm_reference import problem as oracle

    return oracle.Problem(
        spacing=inputs.spacing,
        time_step=inputs.time_step,
        parameters=inputs.parameters,
        series=tuple(
            oracle.Series(s.kind, s.depth, s.values, np.broadcast_to(s.weights, s.values.shape))
            for s in inputs.series
        ),
        insulated=inputs.insulated,
        objectives=tuple(oracle.Objective(o.kind, o.weights) for o in inputs.objectives),
        knots=inputs.knots,
        wrt=inputs.wrt,
    )


def evaluator(
    function: str, module: str = "evaluate"
) -> Callable[[Sequence[Inputs]], list[Evaluation]]:
    """Return what evaluates a route by a function of the oracle, column by column."""

    def evaluate(batch: Sequence[Inputs]) -> list[Evaluation]:
        return _ask(batch, function, module)

    return evaluate


def _ask(batch: Sequence[Inputs], function: str, module: str = "evaluate", *more: Any) -> list[Any]:
    """Call a function of the oracle on every column of a batch."""
    from lsm_reference.problem import RootNotFound

    oracle = import_module(f"lsm_reference.{module}")
    results = []
    for index, inputs in enumerate(batch):
        try:
            results.append(getattr(oracle, function)(to_problem(inputs), *more))
        except RootNotFound as error:
            raise NoSolutionError(error.step, index if len(batch) > 1 else None) from None
    return results


def adjoint_states(batch: Sequence[Inputs]) -> list[States]:
    """Λ (objectives, steps + 1, nodes) of every column, by the oracle's adjoint."""
    return [np.stack(found) for found in _ask(batch, "adjoint_states")]


def tangent_states(batch: Sequence[Inputs], change: Gradient) -> list[States]:
    """Change (steps + 1, nodes) of every column's temperatures, by the oracle's tangent."""
    return _ask(batch, "tangent_states", "evaluate", change)


def complex_step_states(batch: Sequence[Inputs], change: Gradient) -> list[States]:
    """Change (steps + 1, nodes) of every column's temperatures, by the oracle's complex step."""
    return _ask(batch, "complex_step_states", "evaluate", change)


def run(batch: Sequence[Inputs]) -> list[tuple[Any, Any]]:
    """Temperatures (steps + 1, nodes) and predictions (series, steps + 1) of the oracle."""
    return [(found.T, found.y) for found in _ask(batch, "simulate")]


def trajectory(inputs: Inputs) -> NDArray[np.float64]:
    """Return the oracle's temperatures (steps + 1, nodes) [K]."""
    return np.asarray(run([inputs])[0][0])


def predictions(inputs: Inputs) -> NDArray[np.float64]:
    """Return the oracle's predicted observations (series, steps + 1)."""
    return np.asarray(run([inputs])[0][1])


def scores_at(
    inputs: Inputs, points: Sequence[Gradient], *, threads: int | None = None
) -> NDArray[np.float64]:
    """Return the oracle's objectives (objectives, K) at K sets of changed parameters.

    Not-a-number marks a point at which the model has no solution. ``threads``: at most so many.
    """
    import numba

    from lsm_reference.finite_difference import scores_at as oracle

    problem = to_problem(inputs)
    before = numba.get_num_threads()
    with _PARALLEL:
        numba.set_num_threads(min(threads or before, before))
        try:
            return oracle(problem, [{**problem.parameters, **p} for p in points])
        finally:
            numba.set_num_threads(before)


def ladders(
    inputs: Inputs, directions: Sequence[Gradient], largest: float, ratio: float, pairs: int
) -> list[tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]]:
    """Return the oracle's raw ladders: steps (pairs,), objectives at p ± h (objectives, pairs)."""
    from lsm_reference.finite_difference import ladders as oracle

    with _PARALLEL:
        rungs = oracle(to_problem(inputs), directions, largest, ratio, pairs)
    return [(rung.steps, rung.plus, rung.minus) for rung in rungs]


def forward_product(inputs: Inputs, change: Gradient) -> NDArray[np.float64]:
    """Return the tangent-linear change (series, steps + 1) of the predictions."""
    from lsm_reference.evaluate import forward_product as oracle

    return oracle(to_problem(inputs), change)


def transposed_product(inputs: Inputs, cotangent: NDArray[np.float64]) -> Gradient:
    """Return the adjoint's gradient of ⟨cotangent, predictions⟩ by the parameters in ``wrt``."""
    from lsm_reference.evaluate import transposed_product as oracle

    gradient = oracle(to_problem(inputs), cotangent)
    return {name: np.asarray(gradient[name]) for name in inputs.wrt}


def hessian_products(inputs: Inputs, changes: Sequence[Gradient]) -> list[list[Gradient]]:
    """Return the Hessian of every objective times every change, by the oracle's second order.

    Changes hold some or all of the names in ``wrt``; results have all, one list per change.
    """
    return [_ask([inputs], "hessian_product", "evaluate", change)[0] for change in changes]


def step_terms(inputs: Inputs, rng: np.random.Generator) -> Iterator[tuple[States, States]]:
    """Yield, step by step, the terms of ⟨Ax, y⟩ and of ⟨x, Aᵀy⟩ of that step's tangent A.

    x are random changes of the old state (of 1 K) and of every quantity of the step (of its own
    size), y random weights of the new state; products are in extended precision.
    """
    from lsm_reference.evaluate import promote, step_products
    from lsm_reference.parameters import expand
    from lsm_reference.problem import Column

    problem = to_problem(inputs)
    column = promote(expand(problem, problem.parameters))
    fields = [f for f in Column._fields if f not in ("dz", "dt", "insulated")]
    drawn: dict[str, Any] = {}
    for name in fields:
        value = np.asarray(getattr(column, name))
        size = np.where(value != 0, np.abs(value), 1.0)
        drawn[name] = (size * rng.standard_normal(value.shape))[()]
    change = column._replace(**drawn)
    shape = (inputs.steps, inputs.spacing.size + 1)
    x, y = rng.standard_normal(shape), rng.standard_normal(shape)
    long = np.longdouble
    for n, (after, pulled, bar) in enumerate(step_products(problem, change, x, y)):
        left = after.astype(long) * y[n]
        right = [x[n].astype(long) * pulled]
        right += [np.ravel(drawn[f]).astype(long) * np.ravel(getattr(bar, f)) for f in fields]
        yield left, np.concatenate(right)
