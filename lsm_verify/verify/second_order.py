"""What the Hessian check is asked for a case, and for any problem that claims products."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np
from numpy.typing import NDArray

from lsm_verify.inputs import Inputs
from lsm_verify.routes import ROUTES
from lsm_verify.routes.in_torch import torch_hessian_products
from lsm_verify.routes.oracle import hessian_products
from lsm_verify.verify import hessian
from lsm_verify.verify.gradient_differences import differences
from lsm_verify.verify.problem import Problem
from lsm_verify.verify.result import CheckResult, Reason, Verdict
from lsm_verify.verify.target import Target, flatten, of_inputs, unflatten

DIRECTIONS = 4
"""Random directions: each costs a double backward and 80 gradients of the adjoint."""

Array = NDArray[np.float64]


def of_case(inputs: Inputs, *, point: str, seed: int) -> list[CheckResult]:
    """Check the Hessian products of double backward and of the hand-derived second order."""
    target = of_inputs(inputs, [ROUTES["adjoint"]])
    directions = _directions(target, seed)
    changes = [unflatten(inputs, target.scale * v) for v in directions]
    answers = {
        "tangent over adjoint": hessian_products(inputs, changes),
        "double backward": torch_hessian_products(inputs, changes),
    }
    results: list[CheckResult] = []
    slopes = _slopes(target, "adjoint")
    for index, objective in enumerate(target.objectives):
        claims = {
            route: np.stack([target.scale * flatten(inputs, found[index]) for found in each])
            for route, each in answers.items()
        }
        results += hessian.confirm(
            claims,
            differences(slopes[index], directions, target.unit / target.scale),
            point=point,
            objective=objective,
            seed=seed,
            names=[name for name, _ in target.labels],
        )
    return results


def of_problem(
    problem: Problem, target: Target, route: str, *, point: str, seed: int, tolerance: float
) -> list[CheckResult]:
    """Check the Hessian products that a problem claims against differences of its gradient."""
    if target.dtype == "float32":
        return [_too_coarse(problem, target, point)]

    def product(name: str) -> Callable[[Array], Array]:
        what, function = f"Hessian product {name!r}", problem.hessian_products[name]

        def multiply(v: Array) -> Array:
            answer = problem.call(what, function, target.x, problem.form(target.scale * v))
            return np.asarray(target.scale * problem.vector(what, answer, target.x))

        return multiply

    return list(
        hessian.hessian(
            {name: product(name) for name in problem.hessian_products},
            _slopes(target, route)[0],
            _directions(target, seed),
            point=point,
            objective=target.objectives[0],
            seed=seed,
            names=[name for name, _ in target.labels],
            tolerance=tolerance,
        )
    )


def _too_coarse(problem: Problem, target: Target, point: str) -> CheckResult:
    """Say that differences of a single-precision gradient show nothing of its second order."""
    return CheckResult(
        check="hessian",
        point=point,
        objective=target.objectives[0],
        subject=", ".join(problem.hessian_products),
        verdict=Verdict.INCONCLUSIVE,
        primary=False,
        statistic="products judged",
        value=0.0,
        pass_limit=0.0,
        fail_limit=0.0,
        reason=Reason.DTYPE,
        dtype=target.dtype,
        message="second derivatives are not judged in single precision; give float64",
    )


def _directions(target: Target, seed: int) -> Array:
    rng = np.random.default_rng([seed, 3])
    return rng.standard_normal((DIRECTIONS, target.x.size))


def _slopes(target: Target, route: str) -> list[Callable[[Array], Array]]:
    """Return every objective's scaled gradient at an offset in units of the scales.

    They share their runs of the route, which returns the gradients of all objectives at once.
    """
    known: dict[bytes, Array] = {}

    def slope(offset: Array, index: int) -> Array:
        key = offset.tobytes()
        if key not in known:
            point = target.x + target.scale * offset
            known[key] = target.scale * target.gradients(route, point[None])[:, 0]
        return np.asarray(known[key][index])

    return [partial(slope, index=index) for index in range(len(target.objectives))]
