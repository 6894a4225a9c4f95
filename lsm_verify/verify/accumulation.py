"""Where two gradients part although their states agree: what is summed up, and the chain rule.

The route is asked for the gradient in simpler and simpler forms of the parameters: as given,
expanded to values per step, node and interface, with h(1+1/β) for h and β, with T⁰ free of T_b.
Each is held against `lsm_verify.verify.sensitivity`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from lsm_verify.inputs import Inputs, Objective, probe_weights, ulp_copies
from lsm_verify.quantities import PARAMETERS
from lsm_verify.routes import MODELS
from lsm_verify.routes.route import Evaluation, Route
from lsm_verify.verify import sensitivity
from lsm_verify.verify.divergence import Array, bisect
from lsm_verify.verify.residuals import canonical
from lsm_verify.verify.result import Location
from lsm_verify.verify.target import flatten, labels, scales
from lsm_verify.verify.terms import EPSILON, LIMIT, factor_words, proportional, variants

COPIES = 6
"""Copies moved by an ulp; the spread of six is known to 30 %, which a limit of 128 forgives."""

PROBES = 2
"""Objectives that must agree on a factor before it is named."""

WRONG = "has it wrongly"

TERMS = {
    "albedo": "shortwave",
    "SWdown": "shortwave",
    "LWdown": "longwave",
    "emissivity": "emission",
    "turbulent_transfer_coefficient": "turbulent",
    "heat_transfer_coefficient": "turbulent",
    "bowen_ratio": "turbulent",
    "Tair": "turbulent",
    "bottom_temperature": "bottom",
    "thermal_conductivity": "conduction down",
    "volumetric_heat_capacity": "storage",
    "initial_temperature": "initial state",
}
"""The term in which a parameter stands."""


def forms(inputs: Inputs) -> Iterator[tuple[str, Inputs]]:
    """Yield the inputs in forms of which each adds one thing to the one before."""
    combined = "bowen_ratio" in inputs.parameters
    tied = "initial_temperature" not in inputs.parameters
    yield "canonical", expanded(inputs, combined=combined, untied=tied)
    if tied:
        yield "tied", expanded(inputs, combined=combined, untied=False)
    if combined:
        yield "h and β", expanded(inputs, combined=False, untied=False)
    yield "as given", inputs


def expanded(inputs: Inputs, *, combined: bool = True, untied: bool = True) -> Inputs:
    """Give every parameter by its values per step, node or interface."""
    counts = {
        "steps": inputs.steps,
        "nodes": int(inputs.spacing.size) + 1,
        "interfaces": int(inputs.spacing.size),
    }
    values = {}
    for name in inputs.parameters:
        forms_ = [counts[shape] for shape in PARAMETERS[name].shapes if shape != "scalar"]
        value = inputs.expanded(name)
        values[name] = np.array(np.broadcast_to(value, forms_[0])) if forms_ else value
    wrt = list(inputs.wrt)
    if combined and "bowen_ratio" in values:
        h, beta = values.pop("heat_transfer_coefficient"), values.pop("bowen_ratio")
        values["turbulent_transfer_coefficient"] = h * (1 + 1 / beta)
        wrt = [n for n in wrt if n not in ("heat_transfer_coefficient", "bowen_ratio")]
        if len(wrt) < len(inputs.wrt):
            wrt.append("turbulent_transfer_coefficient")
    if untied and "initial_temperature" not in values:
        start = values["bottom_temperature"][0]
        values["initial_temperature"] = np.full(counts["nodes"], start)
        if "bottom_temperature" in wrt:
            wrt.append("initial_temperature")
    return replace(inputs, parameters=values, knots={}, scales={}, wrt=tuple(wrt))


@dataclass(frozen=True)
class Difference:
    """A route's gradient against the independent one (objectives, n), and their round-off."""

    error: Array
    reference: Array
    unit: Array

    @property
    def wrong(self) -> NDArray[np.bool_]:
        """Components beyond round-off."""
        return np.asarray(~(np.abs(self.error) <= LIMIT * self.unit))


def difference(route: Route, inputs: Inputs, seed: int, *, sure: bool = False) -> Difference:
    """Evaluate a route and the independent statement on the inputs and on copies.

    A route that works forward in time costs a run per component: unless it must be ``sure``, it is
    evaluated once, and the spread of the independent gradient stands for its own.
    """
    rng = np.random.default_rng(seed)
    copies = [inputs, *ulp_copies(inputs, COPIES, rng)]
    spreads = (sure or route.adjoint_states is not None) and not route.short
    asked = route.evaluate(copies if spreads else copies[:1])
    runs = MODELS[route.model](copies)
    known = [sensitivity.gradients(i, T) for i, (T, _) in zip(copies, runs, strict=True)]
    scale = scales(inputs)

    def stack(evaluations: Sequence[Evaluation]) -> Array:
        return np.array([[flatten(inputs, g) for _, g in each] for each in evaluations])

    g, g_known = stack(asked), stack(known)
    spread = g_known[1:].std(axis=0, ddof=1)
    if spreads:
        spread = np.hypot(spread, g[1:].std(axis=0, ddof=1))
    size = np.maximum(np.abs(g[0]), np.abs(g_known[0]))
    norm = np.linalg.norm(g_known[0] * scale, axis=1, keepdims=True)
    unit = spread + EPSILON * size + EPSILON * norm / scale
    return Difference(g[0] - g_known[0], g_known[0], unit)


def probes(
    inputs: Inputs, seed: int, *, series: int | None = None, last: int | None = None
) -> Inputs:
    """Return the inputs with several probes, of one series or of the states up to ``last``."""
    result = []
    for k in range(PROBES):
        weights = probe_weights(inputs, seed + k, everywhere=True)
        if series is not None:
            weights[np.arange(weights.shape[0]) != series] = 0
        if last is not None:
            weights[:, last + 1 :] = 0
        result.append(Objective("probe", weights))
    return replace(inputs, objectives=tuple(result))


def in_forward_mode(route: Route, inputs: Inputs, seed: int) -> Location | None:
    """Locate an error of a route whose states are right: only the predictions are left."""
    if not difference(route, probes(inputs, seed), seed).wrong.any():
        return None
    for k, series in enumerate(inputs.series):

        def differs(last: int, k: int = k) -> bool:
            seen = probes(inputs, seed, series=k, last=last - 1)
            return bool(difference(route, seen, seed).wrong.any())

        found = bisect(differs, inputs.steps + 1)
        if found is not None:
            return _observation(route, found - 1, series.label)
    return Location(None, None, "unknown", route.name, f"{route.name}: the gradient is wrong")


def _observation(route: Route, state: int, label: str, parameter: str = "") -> Location:
    by = f" by {parameter}" if parameter else ""
    return Location(
        state,
        None,
        "observation",
        route.name,
        f"state {state}, observation of {label}: {route.name} differentiates it wrongly{by}",
        parameter,
        label,
    )


def in_backward_mode(route: Route, inputs: Inputs, seed: int) -> Location | None:
    """Locate an error in what a route adds up from adjoint states that are right."""
    for form, each in forms(inputs):
        found = difference(route, probes(each, seed), seed)
        if not found.wrong.any():
            continue
        worst = int(np.argmax(np.max(np.abs(found.error) / found.unit, axis=0)))
        name = labels(each)[worst][0]
        if form == "canonical":
            return _summed(route, each, name, found, seed)
        if form == "tied":
            sentence = f"initial state tied to T_b: {route.name} {WRONG}"
            return Location(0, None, "initial state", route.name, sentence, name)
        symbol = PARAMETERS[name].symbol
        sentence = f"chain rule of {name} {symbol}: {route.name} {_how(each, name, found)}"
        return Location(None, None, "chain rule", route.name, sentence, name)
    return None


def _of(inputs: Inputs, name: str) -> NDArray[np.bool_]:
    """Which components belong to a parameter."""
    return np.array([owner == name for owner, _ in labels(inputs)])


def _how(inputs: Inputs, name: str, found: Difference, observed: Array | float = 0.0) -> str:
    """Say by what factor the wrong components are wrong, all or without what is ``observed``."""
    wrong = _of(inputs, name) & found.wrong.any(axis=0)
    for pattern in (found.reference, found.reference - observed):
        k = proportional(found.error[:, wrong], pattern[:, wrong], found.unit[:, wrong])
        if k is not None:
            return factor_words(1 + k)
    return WRONG


def _summed(route: Route, inputs: Inputs, name: str, found: Difference, seed: int) -> Location:
    """Locate a wrong sum over steps of the canonical parameter ``name``."""
    here = _of(inputs, name)
    observed = _observed(route, inputs, name, seed)
    if observed is not None:
        return observed
    T = MODELS[route.model]([inputs])[0][0]
    seen = sensitivity.gradients(probes(inputs, seed), T, observed_only=True)
    how = _how(inputs, name, found, np.stack([flatten(inputs, g) for _, g in seen]))
    symbol = PARAMETERS[name].symbol
    if route.model == "torch" and how == factor_words(0):
        sentence = f"chain rule of {name} {symbol}: {route.name} has no gradient by it (detached?)"
        return Location(None, None, "chain rule", route.name, sentence, name)
    term = TERMS[name]
    first = np.flatnonzero(found.wrong[:, here].any(axis=0))
    node: int | None = 0
    if "steps" in PARAMETERS[name].shapes:
        step: int | None = int(first[-1])  # backward in time, the first met
        node = int(inputs.spacing.size) if term == "bottom" else 0
    elif term == "initial state":
        step, node = 0, int(first[0])
    else:
        node = 0 if term == "emission" else int(first[0])
        step = inputs.steps - 1
        if how == WRONG:

            def differs(last: int) -> bool:
                truncated = difference(route, probes(inputs, seed, last=last), seed)
                return bool(truncated.wrong[:, here].any())

            entered = bisect(differs, inputs.steps)
            step = None if entered is None else entered - 1
    if how == WRONG:
        how = _elsewhere(route, inputs, name, seed) or how
        if how.startswith("takes"):
            step = inputs.steps - 1 if "steps" not in PARAMETERS[name].shapes else step
    sentence = f"step {step}, node {node}, {term}, gradient by {name} {symbol}: {route.name} {how}"
    return Location(step, node, term, route.name, sentence, name)


def _elsewhere(route: Route, inputs: Inputs, name: str, seed: int) -> str | None:
    """Say what the sum takes from another step or node, if that explains the gradient."""
    asked = probes(inputs, seed)
    here = _of(inputs, name)
    answer = np.stack([flatten(inputs, g)[here] for _, g in route.evaluate([asked])[0]])
    unit = difference(route, asked, seed).unit[:, here]
    T = MODELS[route.model]([inputs])[0][0]
    for _, how, column in variants(canonical(inputs)):
        known = sensitivity.gradients(asked, T, of=column)
        other = np.stack([flatten(inputs, g)[here] for _, g in known])
        if np.all(np.abs(answer - other) <= LIMIT * unit):
            return how
    return None


def _observed(route: Route, inputs: Inputs, name: str, seed: int) -> Location | None:
    """Locate an error in what an observation itself depends on, equation (27)."""
    here = _of(inputs, name)
    for k, series in enumerate(inputs.series):
        asked = probes(inputs, seed, series=k)
        found = difference(route, asked, seed)
        if not found.wrong[:, here].any():
            continue
        T = MODELS[route.model]([inputs])[0][0]
        direct = np.stack(
            [
                flatten(inputs, g)[here]
                for _, g in sensitivity.gradients(asked, T, observed_only=True)
            ]
        )
        if proportional(found.error[:, here], direct, found.unit[:, here]) is None:
            continue

        def differs(last: int, k: int = k) -> bool:
            seen = probes(inputs, seed, series=k, last=last - 1)
            return bool(difference(route, seen, seed).wrong[:, here].any())

        state = bisect(differs, inputs.steps + 1)
        return _observation(route, (state or 1) - 1, series.label, name)
    return None
