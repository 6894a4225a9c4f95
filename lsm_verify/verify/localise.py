"""Where two exact routes part: the first step and node, and the term of the scheme that is wrong.

In this order, each stage against `lsm_verify.verify.residuals`, a third statement of the scheme,
and against round-off measured on copies moved by an ulp: temperatures forward in time, predictions,
objective, adjoint states backward in time, tangent states forward, and at last what makes a
gradient of them. The route that does not satisfy the scheme is the guilty one.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from lsm_verify.inputs import Inputs, Objective, probe_weights, ulp_copies
from lsm_verify.routes import MODELS
from lsm_verify.routes.route import Route
from lsm_verify.verify.accumulation import COPIES, difference, in_backward_mode, in_forward_mode
from lsm_verify.verify.divergence import bisect, first_divergence
from lsm_verify.verify.residuals import canonical
from lsm_verify.verify.result import Location
from lsm_verify.verify.sensitivity import observe, score
from lsm_verify.verify.states import in_adjoint, in_tangent, in_temperatures
from lsm_verify.verify.terms import EPSILON, LIMIT

__all__ = ["bisect", "first_divergence", "localise"]


def localise(inputs: Inputs, a: Route, b: Route, *, seed: int) -> Location | None:
    """Name the first step and node where two routes part, the term, and the guilty route.

    Parameters
    ----------
    inputs : Inputs
        The point at which they disagree, with its objectives.
    a, b : Route
        Two exact routes. Those without states are judged by their gradient alone.
    seed : int
        Seed of probes, copies and experiments.

    Returns
    -------
    Location or None
        Of several errors the first met: forward in time for temperatures and tangents, backward
        for adjoints. For an observation the step is the index of the state. ``None`` if both
        routes satisfy the scheme to round-off.

    Notes
    -----
    Cost: some twenty runs of each route, a hundred where it is hard to say which term is wrong. The
    kernels' states cost as many runs as there are steps (`lsm_verify.routes.fused`).
    """
    probe = Objective("probe", probe_weights(inputs, seed, everywhere=True))
    probed = replace(inputs, objectives=(probe,))
    pair = (a, b)
    models = {r.model: r.name if a.model != b.model else "" for r in pair}
    for model, name in models.items():
        found = in_temperatures(probed, model, name, seed)
        found = found or _predictions(probed, model, name, seed)
        if found is not None:
            return found
    everything = replace(inputs, objectives=(*inputs.objectives, probe))
    for route in pair:
        found = _objective(everything, route, seed)
        if found is not None:
            return found
    for route in pair:
        found = in_adjoint(probed, route, seed) or in_tangent(probed, route, seed)
        if found is not None:
            return found
    for route in pair:
        if difference(route, everything, seed, sure=True).wrong.any():
            return _gradient(probed, route, seed)
    return None


def _predictions(inputs: Inputs, model: str, name: str, seed: int) -> Location | None:
    """Locate the first state at which predictions are not those of the temperatures, (12)-(15)."""
    copies = [inputs, *ulp_copies(inputs, COPIES, np.random.default_rng(seed))]
    runs = MODELS[model](copies)
    known = [observe(i, canonical(i), T)[0] for i, (T, _) in zip(copies, runs, strict=True)]
    error = np.stack([y - k for (_, y), k in zip(runs, known, strict=True)]).astype(np.float64)
    y = np.asarray(runs[0][1])
    spread = error[1:].std(axis=0, ddof=1) + EPSILON * np.abs(y)
    where = first_divergence(error[0].T, np.zeros_like(y.T), spread.T, backward=False)
    if where is None:
        return None
    label = inputs.series[where[1]].label
    name = name or f"model {model}"
    sentence = f"state {where[0]}, observation of {label}: {name} predicts it wrongly"
    return Location(where[0], None, "observation", name, sentence, series=label)


def _objective(inputs: Inputs, route: Route, seed: int) -> Location | None:
    """Compare the objectives of predictions that are right."""
    inputs = replace(inputs, wrt=("emissivity",))  # as few derivatives as a route will return
    copies = [inputs, *ulp_copies(inputs, COPIES, np.random.default_rng(seed))]
    asked = route.evaluate(copies[:1] if route.short else copies)
    runs = MODELS[route.model](copies)
    for k, objective in enumerate(inputs.objectives):
        known = [score(i, objective, y)[0] for i, (_, y) in zip(copies, runs, strict=True)]
        found = np.array([answer[k][0] for answer in asked])
        error = found - known[: found.size]
        size = max(abs(found[0]), float(np.std(known, ddof=1)))
        # Of a route without copies the round-off of the temperatures is known, not its own.
        noise = error[1:] if found.size > 1 else np.array(known[1:])
        spread = EPSILON * size + float(noise.std(ddof=1))
        if not abs(error[0]) <= LIMIT * spread:
            sentence = (
                f"objective ({objective.kind}): {route.name} scores right predictions wrongly"
            )
            return Location(None, None, "objective", route.name, sentence)
    return None


def _gradient(inputs: Inputs, route: Route, seed: int) -> Location:
    """Locate what makes a wrong gradient of right states."""
    mode = in_forward_mode if route.adjoint_states is None else in_backward_mode
    found = mode(route, inputs, seed)
    if found is not None:
        return found
    # On probes all is well: what is left is the slope of the user's objective.
    sentence = f"objective: {route.name} differentiates it wrongly"
    return Location(None, None, "objective", route.name, sentence)
