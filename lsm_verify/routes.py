"""The registry of routes to a gradient.

A route takes a batch of inputs and returns, for each, one value and gradient per objective. The
routes derive the gradient independently of each other. This is the only product module that
imports the oracle, and it does so when a route is taken.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from importlib import import_module
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from lsm_verify._callable import make_callable
from lsm_verify.cases import Case
from lsm_verify.errors import NoSolutionError, unknown
from lsm_verify.inputs import Inputs, Objective
from lsm_verify.parameters import Parameters, split_batch

if TYPE_CHECKING:
    from lsm_reference.problem import Problem

Gradient = dict[str, NDArray[np.float64]]
Evaluation = list[tuple[float, Gradient]]
"""One (value, gradient) per objective of the inputs."""

States = NDArray[np.float64]
AdjointStates = Callable[[Sequence[Inputs]], list[States]]
TangentStates = Callable[[Sequence[Inputs], Gradient], list[States]]


@dataclass(frozen=True)
class Route:
    """One way to the gradient.

    Attributes
    ----------
    name, description : str
        As in tables and ``--routes``.
    exact : bool
        Whether it is exact to round-off, so that it takes part in the primary gate.
    evaluate : callable
        From a batch of inputs to one `Evaluation` each.
    short : bool
        Whether it is so slow that only a short window is judged, and once: without copies.
    noise : float
        Its own error in units of |J / p|, where it is not measured on copies.
    default : bool
        Whether it runs without being named.
    model : str
        Which of `MODELS` it differentiates.
    adjoint_states : callable, optional
        From a batch of inputs to the sensitivity Λ (objectives, steps + 1, nodes) of every
        objective to every temperature, where the route works backward in time.
    tangent_states : callable, optional
        From a batch of inputs and a change of parameters to the change (steps + 1, nodes) of every
        temperature, where it works forward.
    """

    name: str
    description: str
    exact: bool
    evaluate: Callable[[Sequence[Inputs]], list[Evaluation]]
    short: bool = False
    default: bool = True
    noise: float = 0.0
    model: str = "oracle"
    adjoint_states: AdjointStates | None = None
    tangent_states: TangentStates | None = None


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


def _from_oracle(
    function: str, module: str = "evaluate"
) -> Callable[[Sequence[Inputs]], list[Evaluation]]:
    """Return a route that calls a function of the oracle, column by column."""

    def evaluate(batch: Sequence[Inputs]) -> list[Evaluation]:
        return _ask_oracle(batch, function, module)

    return evaluate


def _ask_oracle(
    batch: Sequence[Inputs], function: str, module: str = "evaluate", *more: Any
) -> list[Any]:
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


def _adjoint_states(batch: Sequence[Inputs]) -> list[States]:
    return [np.stack(found) for found in _ask_oracle(batch, "adjoint_states")]


def _tangent_states(batch: Sequence[Inputs], change: Gradient) -> list[States]:
    return _ask_oracle(batch, "tangent_states", "evaluate", change)


def tangent_states(inputs: Inputs, change: Gradient) -> States:
    """Return the tangent-linear change (steps + 1, nodes) of the temperatures."""
    return _tangent_states([inputs], change)[0]


def _complex_step_states(batch: Sequence[Inputs], change: Gradient) -> list[States]:
    return _ask_oracle(batch, "complex_step_states", "evaluate", change)


def autograd(
    batch: Sequence[Inputs], *, dtype: str = "float64", threads: int = 1
) -> list[Evaluation]:
    """Evaluate the autograd route, in another precision or on several threads if asked."""
    from lsm_verify.models import direct

    return _by_autograd(batch, direct.simulate, dtype=dtype, threads=threads)


def published(tolerance: float) -> Route:
    """Return the route of the paper, at a Jacobi tolerance [K]."""

    def evaluate(batch: Sequence[Inputs]) -> list[Evaluation]:
        from lsm_verify.models import published as model

        model.check_tolerance(tolerance)
        for inputs in batch:
            model.check_applicable(inputs)
        return _by_autograd(batch, lambda columns: model.simulate(columns, tolerance)[0])

    return Route(
        "autograd-published",
        "the paper's convolution and Jacobi iteration, unrolled by autograd",
        exact=False,
        evaluate=evaluate,
        default=False,
    )


def _by_autograd(
    batch: Sequence[Inputs],
    simulate: Callable[..., Any],
    *,
    dtype: str = "float64",
    threads: int = 1,
) -> list[Evaluation]:
    from lsm_verify.models.threads import torch_threads

    with torch_threads(threads):
        return _differentiate(batch, simulate, dtype)


def _differentiate(
    batch: Sequence[Inputs], simulate: Callable[..., Any], dtype: str
) -> list[Evaluation]:
    import torch

    from lsm_verify.models.column import expand, leaves
    from lsm_verify.models.observe import predict, score

    leaf = leaves(batch, dtype=getattr(torch, dtype))
    wrt = batch[0].wrt
    columns = expand(leaf)
    y = predict(columns, batch, simulate(columns))
    results: list[Evaluation] = [[] for _ in batch]
    for index, objective in enumerate(batch[0].objectives):
        values = score(batch, objective, y)
        inputs = [leaf.parameters[name] for name in wrt]
        # Cut from all its parameters a model has no graph: its gradient is zero, not an error.
        gradients: Sequence[Any] = [torch.zeros_like(p) for p in inputs]
        if values.requires_grad:
            gradients = torch.autograd.grad(
                values.sum(),
                inputs,
                retain_graph=index + 1 < len(batch[0].objectives),
                materialize_grads=True,
            )
        for b, evaluation in enumerate(results):
            gradient = {n: g[b].numpy(force=True) for n, g in zip(wrt, gradients, strict=True)}
            evaluation.append((float(values[b].detach()), gradient))
    return results


def _autograd_states(batch: Sequence[Inputs]) -> list[States]:
    """Λ of every column, by asking autograd for the gradient by every state of the run."""
    import torch

    from lsm_verify.models import direct
    from lsm_verify.models.column import expand, leaves
    from lsm_verify.models.observe import predict, score
    from lsm_verify.models.threads import torch_threads

    with torch_threads(1):
        # The initial state is asked by, too: it is made a leaf of the graph.
        columns = expand(leaves(batch))
        columns = replace(columns, T0=columns.T0.detach().clone().requires_grad_())
        run = direct.states(columns)
        y = predict(columns, batch, torch.stack(run, dim=1))
        found = [
            torch.stack(
                torch.autograd.grad(
                    score(batch, objective, y).sum(),
                    run,
                    retain_graph=True,
                    materialize_grads=True,
                ),
                dim=1,
            ).numpy(force=True)
            for objective in batch[0].objectives
        ]
    return [np.stack([each[b] for each in found]) for b in range(len(batch))]


ROUTES: dict[str, Route] = {
    route.name: route
    for route in (
        Route(
            "adjoint",
            "discrete adjoint derived by hand (oracle)",
            exact=True,
            evaluate=_from_oracle("adjoint_gradient"),
            adjoint_states=_adjoint_states,
        ),
        Route(
            "tangent",
            "tangent-linear model derived by hand, forward order (oracle)",
            exact=True,
            evaluate=_from_oracle("tangent_gradient"),
            tangent_states=_tangent_states,
        ),
        Route(
            "autograd",
            "PyTorch through the coupled system, eliminated from the surface down",
            exact=True,
            evaluate=autograd,
            model="torch",
            adjoint_states=_autograd_states,
        ),
        Route(
            "complex-step",
            "the oracle's forward run on complex numbers: no subtraction",
            exact=True,
            evaluate=_from_oracle("complex_step_gradient"),
            tangent_states=_complex_step_states,
        ),
        Route(
            "multiprecision",
            "the oracle's forward run on 50-digit numbers, short window",
            exact=True,
            evaluate=_from_oracle("multiprecision_gradient", "multiprecision"),
            short=True,
            noise=1e-28,  # 50 digits divided by the relative step, and some to spare
        ),
        published(1e-4),
    )
}


def register(route: Route) -> Route:
    """Add a route that is built on others (finite differences, in `lsm_verify.verify`)."""
    ROUTES[route.name] = route
    return route


def _complete() -> None:
    """Load the routes that register themselves because they are built on others."""
    import_module("lsm_verify.verify")


def torch_run(batch: Sequence[Inputs], *, dtype: str = "float64") -> list[tuple[Any, Any]]:
    """Temperatures (steps + 1, nodes) and predictions (series, steps + 1) of the torch model."""
    import torch

    from lsm_verify.models import direct
    from lsm_verify.models.column import expand, leaves
    from lsm_verify.models.observe import predict
    from lsm_verify.models.threads import torch_threads

    with torch.no_grad(), torch_threads(1):
        columns = expand(leaves(batch, dtype=getattr(torch, dtype)))
        T = direct.simulate(columns)
        y = predict(columns, batch, T) if batch[0].series else T[:, :0]
    return [(T[b].numpy(), y[b].numpy()) for b in range(len(batch))]


def oracle_run(batch: Sequence[Inputs]) -> list[tuple[Any, Any]]:
    """Temperatures (steps + 1, nodes) and predictions (series, steps + 1) of the oracle."""
    return [(run.T, run.y) for run in _ask_oracle(batch, "simulate")]


MODELS: dict[str, Callable[[Sequence[Inputs]], list[tuple[Any, Any]]]] = {
    "oracle": oracle_run,
    "torch": torch_run,
}
"""The forward models: from a batch of inputs to temperatures and predictions of each."""


def trajectory(inputs: Inputs) -> NDArray[np.float64]:
    """Return the oracle's temperatures (steps + 1, nodes) [K]."""
    return np.asarray(oracle_run([inputs])[0][0])


def predictions(inputs: Inputs) -> NDArray[np.float64]:
    """Return the oracle's predicted observations (series, steps + 1)."""
    return np.asarray(oracle_run([inputs])[0][1])


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
    return [_ask_oracle([inputs], "hessian_product", "evaluate", change)[0] for change in changes]


def torch_hessian_products(inputs: Inputs, changes: Sequence[Gradient]) -> list[list[Gradient]]:
    """Return, for every change, the Hessian of every objective times it, by double backward.

    Every change has a column of its own in one batch: the graph is built once. Names missing from
    a change stay as they are; the results have the names in ``wrt``.
    """
    import torch

    from lsm_verify.models import direct
    from lsm_verify.models.column import expand, leaves
    from lsm_verify.models.observe import predict, score
    from lsm_verify.models.threads import torch_threads

    batch = [inputs] * len(changes)
    along = {
        name: np.stack(
            [change.get(name, np.zeros(inputs.parameters[name].shape)) for change in changes]
        )
        for name in inputs.wrt
    }
    results: list[list[Gradient]] = [[] for _ in changes]
    with torch_threads(1):
        leaf = leaves(batch)
        p = [leaf.parameters[name] for name in inputs.wrt]
        columns = expand(leaf)
        y = predict(columns, batch, direct.simulate(columns))
        for index, objective in enumerate(inputs.objectives):
            value = score(batch, objective, y).sum()
            slopes = torch.autograd.grad(value, p, create_graph=True, materialize_grads=True)
            terms = zip(along.values(), slopes, strict=True)
            projected = torch.stack([(torch.as_tensor(v) * g).sum() for v, g in terms]).sum()
            if projected.requires_grad:
                more = index + 1 < len(inputs.objectives)
                rows = torch.autograd.grad(projected, p, retain_graph=more, materialize_grads=True)
            else:  # J is linear: its slope is a constant
                rows = tuple(torch.zeros_like(each) for each in p)
            for b, found in enumerate(results):
                found.append(
                    {n: row[b].numpy(force=True) for n, row in zip(inputs.wrt, rows, strict=True)}
                )
    return results


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


def routes() -> dict[str, str]:
    """Return the names and descriptions of the routes to a gradient.

    Examples
    --------
    >>> list(routes())[:3]
    ['adjoint', 'tangent', 'autograd']
    """
    _complete()
    return {name: route.description for name, route in ROUTES.items()}


def get_route(name: str, *, jacobi_tolerance: float = 1e-4) -> Route:
    """Return a route by name."""
    _complete()
    if name not in ROUTES:
        raise unknown("route", name, ROUTES)
    return published(jacobi_tolerance) if name == "autograd-published" else ROUTES[name]


def gradient(
    case: Case,
    parameters: Parameters | None = None,
    *,
    route: str = "adjoint",
    objective: Objective | None = None,
) -> tuple[float | NDArray[np.float64], Gradient]:
    """Evaluate a case's objective and its gradient.

    Parameters
    ----------
    case : Case
        What is modelled and observed.
    parameters : mapping, optional
        Public names to values; missing names come from the case. Default: the case's start.
    route : str
        One of `routes`.
    objective : Objective, optional
        Default: weighted mean square misfit.

    Returns
    -------
    value : float or (columns,) array
        The objective, of every column if ``parameters`` make a batch (two-dimensional values).
    gradient : dict
        Names and shapes of ``parameters`` (default: of the case's free parameters); the gradient
        by a parameter given as `Knots` is by the values of its knots. In a batch, parameters
        common to all columns have one gradient per column, columns first.

    Raises
    ------
    InputError
        If a name or value is wrong, or the route does not cover the case.
    NoSolutionError
        If the surface balance has no positive root.

    Examples
    --------
    >>> from lsm_verify import load_case
    >>> value, slope = gradient(load_case("twin"), {"albedo": 0.3})
    >>> sorted(slope)
    ['albedo']
    """
    objectives = (objective or Objective(),)
    chosen = get_route(route)
    columns = split_batch(parameters or {})
    if not columns:
        return chosen.evaluate([case.inputs(parameters, objectives=objectives)])[0][0]
    batch = [case.inputs(values, objectives=objectives) for values in columns]
    results = [evaluation[0] for evaluation in chosen.evaluate(batch)]
    stacked = {name: np.stack([g[name] for _, g in results]) for name in batch[0].wrt}
    given: dict[str, Any] = dict(parameters or {})
    for name, value in given.items():
        if np.ndim(value) == 2 and np.shape(value)[1] == 1:
            stacked[name] = stacked[name].reshape(-1, 1)
    return np.array([value for value, _ in results]), stacked


make_callable(__name__, routes)
