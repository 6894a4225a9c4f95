"""Other inputs at which a wrong term shows itself: drawn at random, or with a term taken out."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from lsm_verify.inputs import Inputs


def drawn(inputs: Inputs, count: int, rng: np.random.Generator, *, steady: bool) -> list[Inputs]:
    """Draw copies with other parameters and forcing, scaled at random (temperatures moved by 2 K).

    ``steady`` leaves what storage and conductance are made of as it is.
    """
    result = []
    for _ in range(count):
        values = {}
        for name, value in inputs.parameters.items():
            if name.endswith("temperature") or name == "Tair":
                values[name] = value + rng.uniform(-2, 2, value.shape)
            elif name in ("albedo", "emissivity"):
                values[name] = value * rng.uniform(0.5, 1, value.shape)
            elif name in ("thermal_conductivity", "volumetric_heat_capacity"):
                factor = np.exp(rng.uniform(-0.7, 0.7, value.shape))
                values[name] = value if steady else value * factor
            elif name != "bowen_ratio":
                values[name] = value * np.exp(rng.uniform(-0.7, 0.7, value.shape))
        factor = rng.choice([0.5, 1.0, 2.0], inputs.steps)
        step = inputs.time_step if steady else inputs.time_step * factor
        result.append(replace(inputs, time_step=step).with_values(values))
    return result


def knocked_out(inputs: Inputs, node: int) -> Iterator[tuple[str, str, Inputs]]:
    """Yield copies in which one term is absent, or the same at all steps: term, words, inputs."""
    p = inputs.parameters
    absent = "is wrong in it, not by a constant factor"
    yield "emission", absent, inputs.with_values({"emissivity": 0 * p["emissivity"]})
    H = "turbulent_transfer_coefficient"
    H = H if H in p else "heat_transfer_coefficient"
    yield "turbulent", absent, inputs.with_values({H: 0 * p[H]})
    yield "shortwave", absent, inputs.with_values({"SWdown": 0 * p["SWdown"]})
    yield "longwave", absent, inputs.with_values({"LWdown": 0 * p["LWdown"]})
    for term, i in (("conduction down", node), ("conduction up", node - 1)):
        if 0 <= i < inputs.spacing.size:
            lam = np.array(np.broadcast_to(p["thermal_conductivity"], inputs.spacing.shape))
            lam[i] *= 1e-9
            yield term, absent, inputs.with_values({"thermal_conductivity": lam})
    elsewhere = "takes {} of another step"
    step = np.full(inputs.steps, inputs.time_step.mean())
    yield "storage", elsewhere.format("Δt"), replace(inputs, time_step=step)
    for name, term, symbol in (
        ("SWdown", "shortwave", "K↓"),
        ("albedo", "shortwave", "α"),
        ("LWdown", "longwave", "L↓"),
        ("Tair", "turbulent", "T_a"),
        (H, "turbulent", "h(1+1/β)"),
        ("bottom_temperature", "bottom", "T_b"),
    ):
        if name in p and p[name].ndim and name not in inputs.knots:
            same = np.full(p[name].shape, p[name].mean())
            yield term, elsewhere.format(symbol), inputs.with_values({name: same})
