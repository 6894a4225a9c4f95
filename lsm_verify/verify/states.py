"""The first step and node at which the states of one route do not satisfy the scheme, and the term.

Temperatures forward in time, adjoint states backward, tangent states forward; each state is put
into its own step's equations, so that an error is seen where it is made.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from lsm_verify.errors import NoSolutionError
from lsm_verify.inputs import Inputs, Objective, ulp_copies
from lsm_verify.routes import MODELS
from lsm_verify.routes.route import Gradient, Route
from lsm_verify.verify.accumulation import COPIES, expanded
from lsm_verify.verify.divergence import Array, first_divergence
from lsm_verify.verify.experiments import drawn, knocked_out
from lsm_verify.verify.residuals import (
    Column,
    Rows,
    adjoint_rows,
    canonical,
    forward_rows,
    tangent_rows,
)
from lsm_verify.verify.result import Location
from lsm_verify.verify.sensitivity import observe, score, transposed_step
from lsm_verify.verify.terms import (
    EPSILON,
    LIMIT,
    SYMBOLS,
    Experiment,
    Finding,
    explain,
    guilty_node,
)

EXPERIMENTS = 4
"""Draws of other parameters, with and without other storage and conductance."""

VANISHED = 1e-4
"""What may be left of a residual whose term is taken out, relative to what it was."""

Solve = Callable[[Sequence[Inputs]], list[Experiment]]


def locate(
    solve: Solve, inputs: Inputs, seed: int, *, backward: bool, explained: bool = True
) -> tuple[int, Finding] | None:
    """Find the first step whose equations a route does not satisfy, and what is wrong there."""
    rng = np.random.default_rng(seed)
    rows = [e.plain() for e in solve([inputs, *ulp_copies(inputs, COPIES, rng)])]
    residual = np.stack([r.residual for r in rows]).astype(np.float64)
    floor = EPSILON * rows[0].size.astype(np.float64)
    with np.errstate(invalid="ignore"):
        unit = residual[1:].std(axis=0, ddof=1) + floor
    where = first_divergence(residual[0], np.zeros_like(floor), unit, backward=backward)
    if where is None:
        return None
    n = where[0]
    ratio = np.where(floor[n] > 0, unit[n] / np.where(floor[n] > 0, floor[n], 1), 1)
    node = guilty_node(residual[0, n], unit[n])
    unknown = Finding(node, "unknown", "does not satisfy the scheme")
    if not explained or not np.all(np.isfinite(ratio)):
        return n, unknown
    return n, _explained(solve, inputs, n, ratio, rng) or unknown


def _explained(
    solve: Solve, inputs: Inputs, n: int, ratio: Array, rng: np.random.Generator
) -> Finding | None:
    steady = [inputs, *drawn(inputs, EXPERIMENTS, rng, steady=True)]
    try:
        experiments = solve([*steady, *drawn(inputs, EXPERIMENTS, rng, steady=False)])
    except NoSolutionError:  # a wrong model may have none elsewhere: the term stays unknown
        return None
    found = explain(experiments, n, ratio, len(steady))
    if found is not None:
        return found
    base = experiments[0].plain()
    residual = base.residual[n]
    node = guilty_node(residual, EPSILON * base.size[n] * ratio)
    findings = []
    for term, how, other in knocked_out(inputs, node):
        try:
            rows = solve([other])[0].plain()
        except NoSolutionError:
            continue
        noise = LIMIT * EPSILON * rows.size[n, node] * ratio[node]
        if abs(rows.residual[n, node]) <= max(noise, VANISHED * abs(residual[node])):
            findings.append(Finding(node, term, how))
    return findings[0] if len({f.term for f in findings}) == 1 else None


def _location(route: str, n: int, found: Finding, *, forward: bool = False) -> Location:
    symbol = SYMBOLS.get(found.term, "")
    if found.term == "emission" and forward:
        symbol = "εσT⁴"
    where = " ".join(part for part in (found.term, symbol) if part)
    sentence = f"step {n}, node {found.node}, {where}: {route} {found.how}"
    return Location(n, found.node, found.term, route, sentence)


def _chained(solve: Solve, inputs: Inputs, seed: int, location: Location) -> Location:
    """Blame the chain rule if the error is gone with the parameters in canonical form."""
    if locate(solve, expanded(inputs), seed, backward=False, explained=False) is not None:
        return location
    named = f", {location.parameter}" if location.parameter else ""
    sentence = f"chain rule to the {location.term} term{named}: {location.sentence}"
    return replace(location, step=None, node=None, term="chain rule", sentence=sentence)


def in_temperatures(inputs: Inputs, model: str, name: str, seed: int) -> Location | None:
    """Locate the first step whose temperatures do not satisfy (3) to (6)."""

    def solve(batch: Sequence[Inputs]) -> list[Experiment]:
        def rows(T: Array) -> Callable[[Column, str], Rows]:
            return lambda c, stale: forward_rows(c, T, stale=stale)

        runs = MODELS[model](batch)
        return [Experiment(canonical(i), rows(T)) for i, (T, _) in zip(batch, runs, strict=True)]

    name = name or f"model {model}"
    start = MODELS[model]([inputs])[0][0][0]
    where = _initial(start, canonical(inputs).T0.astype(np.float64), name)
    if where is not None:
        return where
    found = locate(solve, inputs, seed, backward=False)
    if found is None:
        return None
    return _chained(solve, inputs, seed, _location(name, *found, forward=True))


def _initial(start: Array, wanted: Array, name: str) -> Location | None:
    where = first_divergence(start[None], wanted[None], np.zeros((1, start.size)), backward=False)
    if where is None:
        return None
    sentence = f"initial state, node {where[1]}: {name} does not start from it"
    return Location(0, where[1], "initial state", name, sentence)


def in_adjoint(inputs: Inputs, route: Route, seed: int) -> Location | None:
    """Locate the first step, backward in time, whose adjoint states do not satisfy (23)."""
    if route.adjoint_states is None:
        return None
    states = route.adjoint_states

    def solve(batch: Sequence[Inputs]) -> list[Experiment]:
        def rows(T: Array, total: Array, W: Array) -> Callable[[Column, str], Rows]:
            return lambda c, stale: adjoint_rows(c, T, total, W, stale=stale)

        def stored(
            c: Column, T: Array, total: Array, W: Array
        ) -> Callable[[int], tuple[Array, Array]]:
            return lambda n: (total[n] - W[n], c.storage[n] * transposed_step(c, T, total, n))

        runs = MODELS[route.model](batch)
        result = []
        for each, (T, _), total in zip(batch, runs, states(batch), strict=True):
            column = canonical(each)
            W = _direct(each, column, T)
            result.append(Experiment(column, rows(T, total[0], W), stored(column, T, total[0], W)))
        return result

    last = _seen(inputs, route, inputs.steps)
    if last is not None:
        return last
    found = locate(solve, inputs, seed, backward=True)
    if found is None:
        return None
    return _seen(inputs, route, found[0]) or _location(route.name, *found)


def _direct(inputs: Inputs, column: Column, T: Array) -> Array:
    """W of the first objective: what of Λ is observed directly."""
    y, slopes = observe(inputs, column, T)
    slope = score(inputs, inputs.objectives[0], y)[1]
    return np.asarray((slope[..., None] * slopes).sum(axis=0))


def _seen(inputs: Inputs, route: Route, n: int) -> Location | None:
    """Locate an error in the sensitivity of what is observed at state n to that state, (27)."""
    weights = inputs.objectives[0].weights
    assert weights is not None
    assert route.adjoint_states is not None
    T = np.asarray(MODELS[route.model]([inputs])[0][0])
    for k, series in enumerate(inputs.series):
        alone = np.zeros_like(weights)
        alone[k, n] = weights[k, n]
        each = replace(inputs, objectives=(Objective("probe", alone),))
        W = _direct(each, canonical(each), T)[n].astype(np.float64)
        found = route.adjoint_states([each])[0][0, n]
        # Depth and grid are sums of spacings: their weights round by ε N.
        size = EPSILON * W.size * np.max(np.abs(W), initial=0)
        where = first_divergence(found[None], W[None], np.full((1, W.size), size), backward=True)
        if where is not None:
            sentence = (
                f"state {n}, node {where[1]}, observation of {series.label}: "
                f"{route.name} differentiates it wrongly"
            )
            return Location(n, where[1], "observation", route.name, sentence, series=series.label)
    return None


def in_tangent(inputs: Inputs, route: Route, seed: int) -> Location | None:
    """Locate the first step whose tangent states do not satisfy (17) to (19)."""
    if route.tangent_states is None:
        return None
    states = route.tangent_states

    def solve_for(names: Sequence[str]) -> Solve:
        def solve(batch: Sequence[Inputs]) -> list[Experiment]:
            change = _change(batch[0], names, seed)

            def rows(d: Column, T: Array, dT: Array) -> Callable[[Column, str], Rows]:
                return lambda c, stale: tangent_rows(c, d, T, dT, stale=stale)

            runs = MODELS[route.model](batch)
            found = zip(batch, runs, states(batch, change), strict=True)
            return [
                Experiment(canonical(i), rows(canonical(i, change), T, dT))
                for i, (T, _), dT in found
            ]

        return solve

    for names in (inputs.wrt, *((name,) for name in inputs.wrt)):
        change = _change(inputs, names, seed)
        start = canonical(inputs, change).T0.astype(np.float64)
        where = _initial(states([inputs], change)[0][0], start, route.name)
        if where is not None:
            return replace(where, parameter="bottom_temperature")
        solve = solve_for(names)
        found = locate(solve, inputs, seed, backward=False)
        if found is None:
            continue
        alone = [
            name
            for name in inputs.wrt
            if locate(solve_for((name,)), inputs, seed, backward=False, explained=False)
        ]
        location = replace(
            _location(route.name, *found), parameter=alone[0] if len(alone) == 1 else ""
        )
        return _chained(solve_for(()), inputs, seed, location)
    return None


def _change(inputs: Inputs, names: Sequence[str], seed: int) -> Gradient:
    """Draw a scaled change of the parameters in ``names``; of all in ``wrt`` if there are none."""
    rng = np.random.default_rng(seed)
    names = names or inputs.wrt
    return {
        name: inputs.scale(name) * rng.standard_normal(inputs.parameters[name].shape)
        for name in names
    }
