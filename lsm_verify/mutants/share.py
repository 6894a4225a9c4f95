"""How often an error in one step's emission is seen, over drawn columns."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from lsm_verify.inputs import Inputs, Objective, probe_weights
from lsm_verify.mutants.limits import planted_world
from lsm_verify.quantities import FORCING, PARAMETERS

EXACT = ("adjoint", "tangent", "autograd")
"""Routes that are compared; the gate has one more, which can only raise the largest z."""


@dataclass(frozen=True)
class Share:
    """In how many drawn configurations an error was seen.

    Attributes
    ----------
    part : str
        Where the error is: adjoint, tangent or torch.
    size : float
        Its relative size, in the emission term of one drawn step.
    count : int
        Configurations drawn.
    agreement, steps : int
        How many the agreement gate failed on the probe objective, and the dot product per step.
    missed_by_agreement, missed_by_steps : tuple of int
        Indices of the draws that they did not fail.
    """

    part: str
    size: float
    count: int
    agreement: int
    steps: int
    missed_by_agreement: tuple[int, ...]
    missed_by_steps: tuple[int, ...]


def share_seen(
    draw: Callable[[np.random.Generator], Inputs],
    count: int,
    *,
    part: str = "adjoint",
    size: float = 1e-8,
    seed: int = 0,
) -> Share:
    """Plant an error in one step of drawn columns and count how often the checks fail.

    Parameters
    ----------
    draw : callable
        From a generator to the inputs of a column with observations.
    count : int
        How many are drawn; draw k has the generator ``default_rng([seed, k])``.
    part : str
        Which of `lsm_verify.mutants.limits.PROBES` carries the error.
    size : float
        Relative error of the emission term; 0 asks for false alarms.
    seed : int
        Seed of all draws.
    """
    missed: dict[str, list[int]] = {"agreement": [], "steps": []}
    world, planted = planted_world(part)
    with world:
        target, agreement, dot_product = (
            world.module(f"lsm_verify.verify.{name}")
            for name in ("target", "agreement", "dot_product")
        )
        routes = [world.module("lsm_verify.routes").get_route(name) for name in EXACT]
        for k in range(count):
            rng = np.random.default_rng([seed, k])
            inputs = per_step(draw(rng), seed + k)
            planted.size, planted.step = size, int(rng.integers(inputs.steps))
            samples = {r.name: target.sample(r, inputs, seed + k)[0] for r in routes}
            judged = agreement.compare(
                target.of_inputs(inputs, routes), samples, point="", objective="probe", seed=seed
            )
            if judged.result.verdict.value != "FAIL":
                missed["agreement"].append(k)
            products = dot_product.step_products(inputs, point="", seed=seed + k)
            if products.verdict.value != "FAIL":
                missed["steps"].append(k)
    return Share(
        part=part,
        size=size,
        count=count,
        agreement=count - len(missed["agreement"]),
        steps=count - len(missed["steps"]),
        missed_by_agreement=tuple(missed["agreement"]),
        missed_by_steps=tuple(missed["steps"]),
    )


def per_step(inputs: Inputs, seed: int) -> Inputs:
    """Give every parameter in its longest form, ask for all, and score by the probe objective."""
    sizes = {
        "scalar": (),
        "steps": (inputs.steps,),
        "interfaces": inputs.spacing.shape,
        "nodes": (inputs.spacing.size + 1,),
    }
    values = {}
    for name in inputs.parameters:
        value = inputs.expanded(name)
        shape = sizes[next((s for s in PARAMETERS[name].shapes if s != "scalar"), "scalar")]
        values[name] = np.array(np.broadcast_to(value, shape))
    probe = Objective("probe", probe_weights(inputs, seed))
    return replace(
        inputs,
        parameters=values,
        knots={},
        wrt=tuple(name for name in values if name not in FORCING),
        objectives=(probe,),
    )
