"""The truth on a short window: the same forward source on mpmath numbers."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from lsm_reference import namespace
from lsm_reference.evaluate import (
    SMALLEST_SIZE,
    Gradients,
    components,
    empty_gradient,
    scores,
    shifted,
    simulate,
)
from lsm_reference.problem import Objective, Problem

DIGITS = 50
RELATIVE_STEP = 1e-16
"""Central differences of this relative step leave about 1e-32 of truncation and round-off."""


def multiprecision_gradient(problem: Problem, digits: int = DIGITS) -> Gradients:
    """Gradient by central differences in ``digits`` decimal digits, rounded to double at the end.

    Cost: two uncompiled runs per component, some 20 µs per node and step each.
    """
    import mpmath

    functions = namespace.plain()
    with mpmath.workdps(digits):
        exact = as_multiprecision(problem, mpmath.mpf)
        tolerance = mpmath.mpf(10) ** (5 - digits)

        def evaluate(values: Any) -> list[Any]:
            run = simulate(exact, values, functions=functions, tolerance=tolerance)
            return scores(exact, run, functions)

        values = evaluate(exact.parameters)
        gradients = [empty_gradient(problem) for _ in values]
        for name, index in components(problem):
            size = abs(float(np.asarray(problem.parameters[name])[index]))
            step = mpmath.mpf(RELATIVE_STEP * (size if size > SMALLEST_SIZE else 1.0))
            plus = evaluate(shifted(exact.parameters, name, index, step))
            minus = evaluate(shifted(exact.parameters, name, index, -step))
            for gradient, p, m in zip(gradients, plus, minus, strict=True):
                gradient[name][index] = float((p - m) / (2 * step))
        return [(float(v), g) for v, g in zip(values, gradients, strict=True)]


def as_multiprecision(problem: Problem, number: Any) -> Problem:
    """Copy of the problem in which every number is an mpmath number."""
    convert = np.frompyfunc(lambda x: number(float(x)), 1, 1)

    def array(x: Any) -> Any:
        return np.asarray(convert(np.asarray(x, dtype=np.float64)), dtype=object)

    return dataclasses.replace(
        problem,
        spacing=array(problem.spacing),
        time_step=array(problem.time_step),
        parameters={name: array(v) for name, v in problem.parameters.items()},
        knots={name: array(t) for name, t in problem.knots.items()},
        series=tuple(
            dataclasses.replace(
                s, depth=number(s.depth), values=array(s.values), weights=array(s.weights)
            )
            for s in problem.series
        ),
        objectives=tuple(
            Objective(o.kind, None if o.weights is None else array(o.weights))
            for o in problem.objectives
        ),
    )
