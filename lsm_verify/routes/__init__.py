"""The registry of routes to a gradient, and of the forward models.

A route takes a batch of inputs and returns, for each, one value and gradient per objective. The
routes derive the gradient independently of each other.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from importlib import import_module
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lsm_verify._callable import make_callable
from lsm_verify.cases import Case
from lsm_verify.errors import unknown
from lsm_verify.inputs import Inputs, Objective
from lsm_verify.parameters import Parameters, split_batch
from lsm_verify.routes import fused, in_torch, oracle
from lsm_verify.routes.route import Gradient, Route

ROUTES: dict[str, Route] = {
    route.name: route
    for route in (
        Route(
            "adjoint",
            "discrete adjoint derived by hand (oracle)",
            exact=True,
            evaluate=oracle.evaluator("adjoint_gradient"),
            adjoint_states=oracle.adjoint_states,
        ),
        Route(
            "tangent",
            "tangent-linear model derived by hand, forward order (oracle)",
            exact=True,
            evaluate=oracle.evaluator("tangent_gradient"),
            tangent_states=oracle.tangent_states,
        ),
        Route(
            "autograd",
            "PyTorch through the coupled system, eliminated from the surface down",
            exact=True,
            evaluate=in_torch.autograd,
            batched=True,
            model="torch",
            adjoint_states=in_torch.autograd_states,
        ),
        Route(
            "fused",
            "batched kernels with the adjoint in the same sweep, behind torch.autograd",
            exact=True,
            evaluate=fused.evaluate,
            batched=True,
            model="fused",
            adjoint_states=fused.adjoint_states,
        ),
        Route(
            "complex-step",
            "the oracle's forward run on complex numbers: no subtraction",
            exact=True,
            evaluate=oracle.evaluator("complex_step_gradient"),
            tangent_states=oracle.complex_step_states,
        ),
        Route(
            "multiprecision",
            "the oracle's forward run on 50-digit numbers, short window",
            exact=True,
            evaluate=oracle.evaluator("multiprecision_gradient", "multiprecision"),
            short=True,
            noise=1e-28,  # 50 digits divided by the relative step, and some to spare
        ),
        in_torch.published(1e-4),
    )
}


def register(route: Route) -> Route:
    """Add a route that is built on others (finite differences, in `lsm_verify.verify`)."""
    ROUTES[route.name] = route
    return route


def _complete() -> None:
    """Load the routes that register themselves because they are built on others."""
    import_module("lsm_verify.verify")


MODELS: dict[str, Callable[[Sequence[Inputs]], list[tuple[Any, Any]]]] = {
    "oracle": oracle.run,
    "torch": in_torch.torch_run,
    "fused": fused.run,
}
"""The forward models: from a batch of inputs to temperatures and predictions of each."""


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
    return in_torch.published(jacobi_tolerance) if name == "autograd-published" else ROUTES[name]


def gradient(
    case: Case,
    parameters: Parameters | None = None,
    *,
    route: str = "fused",
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
        One of `routes`. Default: the kernels, for all columns of a batch at once.
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
