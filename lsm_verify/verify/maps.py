"""Maps of states over time and depth, and of the difference of two routes' states."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from lsm_verify.inputs import Inputs
from lsm_verify.quantities import OBSERVABLES
from lsm_verify.routes import MODELS
from lsm_verify.routes.route import Route
from lsm_verify.verify.evidence import MOST_NODES, MOST_STEPS, StateMap, edges, reduced, rounded
from lsm_verify.verify.result import Location
from lsm_verify.verify.terms import EPSILON, LIMIT

HAND = "adjoint"
"""The route whose adjoint states are shown."""

COMPANION = "fused"
"""The route that they are held against: another implementation, and the cheapest to ask."""

LONGEST = 1000
"""Steps up to which states are compared where nothing is wrong: `COMPANION` is asked by as many
runs as there are steps (`lsm_verify.routes.fused`), 0.04 s for the 100 steps of the twin."""

Array = NDArray[np.float64]


def of_start(
    inputs: Inputs, routes: Sequence[Route], *, point: str, compared: bool
) -> list[StateMap]:
    """Map the hand adjoint's states of the misfit, and their difference from another route's.

    Parameters
    ----------
    routes : sequence of Route
        Those that take part in the run.
    compared : bool
        Whether to compare as well.
    """
    known = {route.name: route for route in routes}
    if HAND not in known:
        return []
    alone = replace(inputs, objectives=inputs.objectives[:1])
    found = [_map(alone, "adjoint", (known[HAND],), point)]
    if compared and COMPANION in known and inputs.steps <= LONGEST:
        found.append(_map(alone, "adjoint", (known[HAND], known[COMPANION]), point))
    return found


def of_disagreement(
    inputs: Inputs, a: Route, b: Route, index: int, location: Location | None, *, point: str
) -> list[StateMap]:
    """Map the difference of all states that two routes share, with the first divergence."""
    alone = replace(inputs, objectives=(inputs.objectives[index],))
    found = []
    marked = location is not None
    if a.model != b.model:
        states = [_states(alone, "temperature", route) for route in (a, b)]
        here = marked and _differ(*states)
        found.append((_map(alone, "temperature", (a, b), point), here))
        marked = marked and not here  # the adjoints of different temperatures are no evidence
    if a.adjoint_states is not None and b.adjoint_states is not None:
        found.append((_map(alone, "adjoint", (a, b), point), marked))
    if a.tangent_states is not None and b.tangent_states is not None:
        found.append((_map(alone, "tangent", (a, b), point), marked))
    return [
        replace(m, step=location.step, node=location.node, sentence=location.sentence)
        if here and location is not None
        else m
        for m, here in found
    ]


def _differ(a: Array, b: Array) -> bool:
    """Whether temperatures differ by more than round-off: the limit that locates an error."""
    with np.errstate(invalid="ignore"):
        return not bool(np.max(np.abs(a - b)) <= LIMIT * EPSILON * np.max(np.abs(a)))


def of_states(
    states: Sequence[Array], routes: tuple[str, ...], location: Location | None, *, point: str
) -> list[StateMap]:
    """Map the first route's states (steps + 1, nodes) of a problem, and the difference of two."""
    shown: list[tuple[Array, tuple[str, ...], Location | None]] = [(states[0], routes[:1], None)]
    if len(states) > 1:
        shown.append((states[0] - states[1], routes[:2], location))
    return [
        _reduced(
            StateMap(
                kind="adjoint",
                point=point,
                objective="J",
                routes=names,
                unit="",
                states=(),
                nodes=(),
                depths=(),
                values=(),
                step=where.step if where else None,
                node=where.node if where else None,
                sentence=where.sentence if where else "",
            ),
            values,
        )
        for values, names, where in shown
    ]


def _map(inputs: Inputs, kind: str, routes: tuple[Route, ...], point: str) -> StateMap:
    values = [_states(inputs, kind, route) for route in routes]
    faces = np.concatenate([[0], np.cumsum(inputs.spacing) - inputs.spacing / 2])
    faces = np.append(faces, inputs.spacing.sum())
    nodes = edges(inputs.spacing.size + 1, MOST_NODES)
    empty = StateMap(
        kind=kind,
        point=point,
        objective=inputs.objectives[0].label if kind == "adjoint" else "",
        routes=tuple(route.name for route in routes),
        unit=_unit(inputs) if kind == "adjoint" else "K",
        states=(),
        nodes=(),
        depths=tuple(rounded(faces[nodes])),
        values=(),
    )
    with np.errstate(invalid="ignore"):
        return _reduced(empty, values[0] - values[1] if len(values) > 1 else values[0])


def _states(inputs: Inputs, kind: str, route: Route) -> Array:
    if kind == "temperature":
        return np.asarray(MODELS[route.model]([inputs])[0][0])
    if kind == "tangent":
        assert route.tangent_states is not None
        change = {name: np.asarray(inputs.scale(name)) for name in inputs.wrt}
        return route.tangent_states([inputs], change)[0]
    assert route.adjoint_states is not None
    return np.asarray(route.adjoint_states([inputs])[0][0])


def _reduced(empty: StateMap, values: Array) -> StateMap:
    small = reduced(values, MOST_STEPS, MOST_NODES)
    return replace(
        empty,
        states=tuple(edges(values.shape[0], MOST_STEPS).tolist()),
        nodes=tuple(edges(values.shape[1], MOST_NODES).tolist()),
        values=tuple(tuple(rounded(row)) for row in small),
    )


def _unit(inputs: Inputs) -> str:
    """Return the unit of the objective per kelvin; none where series have several."""
    units = {OBSERVABLES[series.kind].unit for series in inputs.series}
    if len(units) != 1 or inputs.objectives[0].kind == "probe":
        return ""
    unit = units.pop()
    return "K" if unit == "K" else f"({unit})2 K-1"
