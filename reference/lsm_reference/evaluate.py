"""Runs of the oracle: trajectory, predictions, products with the Jacobian, gradients.

Every gradient function returns one ``(value, {name: gradient})`` per objective of the problem,
for the names in ``problem.wrt``, in the shapes in which the parameters were given.
"""

from __future__ import annotations

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from lsm_reference import namespace
from lsm_reference.parameters import (
    Values,
    expand,
    expand_tangent,
    look,
    pull_back,
    pull_back_tangent,
)
from lsm_reference.problem import OBJECTIVE_KINDS, Column, Objective, Problem, RootNotFound, Sight

NEWTON_TOLERANCE = 8 * np.finfo(np.float64).eps
"""Relative step at which Newton stops: the residual's round-off moves the root by about 3 ε."""

COMPLEX_STEP = 1e-40
"""Relative complex step; its square is below the smallest relative change of a double."""

SMALLEST_SIZE = 1e-100
"""Parameters smaller than this are moved by an absolute step."""

Gradients = list[tuple[float, dict[str, NDArray[np.float64]]]]


class Run(NamedTuple):
    """A forward run: canonical column, sight, trajectory (S + 1, N + 1), predictions (M, S + 1)."""

    column: Column
    sight: Sight
    T: Any
    y: Any


def simulate(
    problem: Problem,
    values: Values | None = None,
    *,
    functions: SimpleNamespace | None = None,
    tolerance: Any = NEWTON_TOLERANCE,
) -> Run:
    """Run the model forward; raises `RootNotFound` with the step where it cannot go on."""
    functions = functions or namespace.compiled()
    values = problem.parameters if values is None else values
    column = promote(expand(problem, values))
    sight = look(problem)
    S, N = problem.time_step.size, problem.spacing.size
    T = np.empty((S + 1, N + 1), dtype=column.T0.dtype)
    status = functions.run(column, tolerance, T)
    if status >= 0:
        raise RootNotFound(int(status))
    y = np.empty((sight.kind.size, S + 1), dtype=T.dtype)
    functions.predict(column, sight, T, y)
    return Run(column, sight, T, y)


def promote(column: Column) -> Column:
    """Copy the column with one number type for all that is differentiated.

    Copies are contiguous and writable, which Numba counts as part of a type: so one version is
    compiled for real and one for complex numbers.
    """
    fields = [f for f in Column._fields if f not in ("dz", "dt", "insulated")]
    dtype = np.result_type(*(np.asarray(getattr(column, f)).dtype for f in fields), np.float64)
    arrays = {f: np.array(getattr(column, f), dtype=dtype) for f in fields}
    arrays["eps"] = arrays["eps"].reshape(-1)[0]
    return column._replace(dz=np.array(column.dz), dt=np.array(column.dt), **arrays)


def aim(sight: Sight, objective: Objective) -> tuple[Sight, int]:
    """Return the sight with the objective's own weights, and the objective's code."""
    kind = OBJECTIVE_KINDS[objective.kind]
    if objective.weights is None:
        return sight, kind
    return sight._replace(weights=np.array(objective.weights)), kind


def components(problem: Problem) -> Iterator[tuple[str, tuple[int, ...]]]:
    """Name and index of every number to differentiate by."""
    for name in problem.wrt:
        for index in np.ndindex(np.shape(problem.parameters[name])):
            yield name, index


def shifted(values: Values, name: str, index: tuple[int, ...], step: Any) -> dict[str, Any]:
    """Copy of ``values`` with one number moved by ``step``."""
    moved = np.array(values[name], dtype=np.result_type(np.asarray(values[name]), np.asarray(step)))
    moved[index] = moved[index] + step
    return {**values, name: moved}


def forward_product(problem: Problem, change: Values) -> NDArray[np.float64]:
    """Tangent-linear model: change (M, S + 1) of the predictions along ``change``.

    Parameters missing from ``change`` stay as they are.
    """
    base = simulate(problem)
    return _forward_product(problem, base, change)


def _forward_product(problem: Problem, base: Run, change: Values) -> NDArray[np.float64]:
    d = column_change(problem, change)
    dT, dy = np.empty_like(base.T), np.empty_like(base.y)
    functions = namespace.compiled()
    functions.tangent_run(base.column, d, base.T, dT)
    functions.tangent_predict(base.column, d, base.sight, base.T, dT, dy)
    return dy


def column_change(problem: Problem, change: Values) -> Column:
    """Change of the canonical column along a ``change`` of some public parameters."""
    zero = {name: np.zeros(np.shape(v)) for name, v in problem.parameters.items()}
    return promote(expand_tangent(problem, problem.parameters, {**zero, **change}))


def tangent_states(problem: Problem, change: Values) -> NDArray[np.float64]:
    """Tangent-linear change (S + 1, N + 1) of the temperatures along ``change``."""
    base = simulate(problem)
    dT = np.empty_like(base.T)
    namespace.compiled().tangent_run(base.column, column_change(problem, change), base.T, dT)
    return dT


def complex_step_states(problem: Problem, change: Values) -> NDArray[np.float64]:
    """Change (S + 1, N + 1) of the temperatures along ``change``, by one complex step."""
    values = {
        **problem.parameters,
        **{k: problem.parameters[k] + 1j * COMPLEX_STEP * np.asarray(v) for k, v in change.items()},
    }
    return np.asarray(simulate(problem, values).T.imag) / COMPLEX_STEP


def adjoint_states(problem: Problem) -> list[NDArray[np.float64]]:
    """Λ_i^n (S + 1, N + 1) of every objective: its sensitivity to every temperature, (22)."""
    base = simulate(problem)
    return [_transposed_product(problem, base, slope)[1] for slope in slopes(problem, base)]


def transposed_product(problem: Problem, cotangent: NDArray[np.float64]) -> dict[str, Any]:
    """Adjoint model: gradient of ⟨cotangent, y⟩ by every public parameter."""
    return _transposed_product(problem, simulate(problem), cotangent)[0]


def _transposed_product(
    problem: Problem, base: Run, cotangent: NDArray[np.float64]
) -> tuple[dict[str, Any], NDArray[np.float64]]:
    functions = namespace.compiled()
    bar = empty_bar(base.column)
    W, states = np.zeros_like(base.T), np.empty_like(base.T)
    functions.adjoint_predict(base.column, base.sight, base.T, cotangent, bar, W)
    functions.adjoint_run(base.column, base.T, W, bar, states)
    gradient = pull_back(problem, problem.parameters, bar._replace(eps=bar.eps[0]))
    return gradient, states


def empty_bar(column: Column) -> Column:
    """Zeros for the gradient by every canonical quantity, to be added to."""
    zeros = {
        f: np.zeros_like(np.atleast_1d(getattr(column, f)))
        for f in Column._fields
        if f != "insulated"
    }
    return Column(insulated=column.insulated, **zeros)


def step_products(
    problem: Problem, change: Column, before: Any, cotangent: Any
) -> Iterator[tuple[Any, Any, Column]]:
    """Yield, step by step, the tangent and the transposed product of that step alone.

    Along the ``change`` of the canonical column and of the old state (row n of ``before``) the new
    state changes by the first; the cotangent of the new state (row n of ``cotangent``) is pulled
    back to the old state, the second, and to the canonical column, the third.
    """
    base = simulate(problem)
    functions = namespace.compiled()
    for n in range(problem.time_step.size):
        after, pulled = np.empty_like(before[n]), np.empty_like(before[n])
        bar = empty_bar(base.column)
        new, old = base.T[n + 1], base.T[n]
        functions.tangent_step(base.column, change, n, new, old, before[n], after)
        functions.adjoint_step(base.column, n, new, old, cotangent[n], bar, pulled)
        yield after, pulled, bar


def scores(problem: Problem, run: Run, functions: SimpleNamespace) -> list[Any]:
    """Every objective's value of a run."""
    return [functions.score(*aim(run.sight, o), run.y) for o in problem.objectives]


def slopes(problem: Problem, base: Run) -> list[NDArray[np.float64]]:
    """∂J/∂y (M, S + 1) of every objective."""
    result = []
    for objective in problem.objectives:
        slope = np.empty_like(base.y)
        namespace.compiled().score_slope(*aim(base.sight, objective), base.y, slope)
        result.append(slope)
    return result


def adjoint_gradient(problem: Problem) -> Gradients:
    """Gradient by the discrete adjoint: one backward sweep per objective."""
    base = simulate(problem)
    values = scores(problem, base, namespace.compiled())
    result = []
    for value, slope in zip(values, slopes(problem, base), strict=True):
        gradient = _transposed_product(problem, base, slope)[0]
        result.append((float(value), {name: np.asarray(gradient[name]) for name in problem.wrt}))
    return result


def hessian_product(problem: Problem, change: Values) -> list[dict[str, NDArray[np.float64]]]:
    """Hessian of every objective times ``change``, by the second-order adjoint.

    Parameters missing from ``change`` stay as they are. One forward sweep in all and two backward
    ones per objective; the result has the names in ``wrt`` and the shapes of the parameters.
    """
    base, functions = simulate(problem), namespace.compiled()
    whole = {**{name: np.zeros(np.shape(v)) for name, v in problem.parameters.items()}, **change}
    d = column_change(problem, whole)
    dT, dy = np.empty_like(base.T), np.empty_like(base.y)
    functions.tangent_run(base.column, d, base.T, dT)
    functions.tangent_predict(base.column, d, base.sight, base.T, dT, dy)
    result = []
    for objective, slope in zip(problem.objectives, slopes(problem, base), strict=True):
        dslope = np.empty_like(dy)
        functions.score_slope_tangent(*aim(base.sight, objective), dy, dslope)
        product = _second_order_product(problem, base, whole, (d, dT), (slope, dslope))
        result.append({name: np.asarray(product[name]) for name in problem.wrt})
    return result


def _second_order_product(
    problem: Problem,
    base: Run,
    change: Values,
    tangent: tuple[Column, NDArray[np.float64]],
    cotangent: tuple[NDArray[np.float64], NDArray[np.float64]],
) -> dict[str, Any]:
    """Change of `_transposed_product` with the column, trajectory and cotangent, (33) to (39)."""
    functions = namespace.compiled()
    column, sight, T = base.column, base.sight, base.T
    (d, dT), (slope, dslope) = tangent, cotangent
    bar, dbar = empty_bar(column), empty_bar(column)
    W, dW = np.zeros_like(T), np.zeros_like(T)
    states, dstates = np.empty_like(T), np.empty_like(T)
    functions.adjoint_predict(column, sight, T, slope, bar, W)
    functions.adjoint_run(column, T, W, bar, states)
    functions.adjoint_predict_tangent(column, d, sight, T, dT, slope, dslope, dbar, dW)
    functions.adjoint_tangent_run(column, d, T, dT, states, dW, dbar, dstates)
    bar, dbar = bar._replace(eps=bar.eps[0]), dbar._replace(eps=dbar.eps[0])
    return pull_back_tangent(problem, problem.parameters, change, bar, dbar)


def tangent_gradient(problem: Problem) -> Gradients:
    """Gradient by the tangent-linear model: one forward sweep per component."""
    base = simulate(problem)
    values = scores(problem, base, namespace.compiled())
    bars = slopes(problem, base)
    gradients: list[dict[str, Any]] = [empty_gradient(problem) for _ in bars]
    for name, index in components(problem):
        unit = np.zeros(np.shape(problem.parameters[name]))
        unit[index] = 1.0
        dy = _forward_product(problem, base, {name: unit})
        for gradient, slope in zip(gradients, bars, strict=True):
            gradient[name][index] = np.sum(slope * dy)
    return [(float(v), g) for v, g in zip(values, gradients, strict=True)]


def complex_step_gradient(problem: Problem) -> Gradients:
    """Gradient by complex step: one complex run per component, exact to round-off."""
    functions = namespace.compiled()
    values = scores(problem, simulate(problem), functions)
    gradients = [empty_gradient(problem) for _ in values]
    for name, index in components(problem):
        size = abs(float(np.asarray(problem.parameters[name])[index]))
        step = COMPLEX_STEP * (size if size > SMALLEST_SIZE else 1.0)
        run = simulate(problem, shifted(problem.parameters, name, index, 1j * step))
        for gradient, value in zip(gradients, scores(problem, run, functions), strict=True):
            gradient[name][index] = value.imag / step
    return [(float(v), g) for v, g in zip(values, gradients, strict=True)]


def empty_gradient(problem: Problem) -> dict[str, Any]:
    """Arrays for the gradient by every name in ``wrt``, to be filled."""
    return {name: np.empty(np.shape(problem.parameters[name])) for name in problem.wrt}
