"""Seeded random directions in parameter space, scaled so that every parameter counts."""

from __future__ import annotations

import numpy as np

from lsm_verify.inputs import Inputs


def scaled_directions(inputs: Inputs, count: int, *, seed: int) -> list[dict[str, np.ndarray]]:
    """Draw directions v = s ξ with signed Gaussian ξ and the parameters' scales s.

    Unscaled directions over an albedo and a heat capacity of 2e6 hide a wrong derivative by the
    capacity altogether.
    """
    rng = np.random.default_rng(seed)
    return [
        {
            name: inputs.scale(name) * rng.standard_normal(inputs.parameters[name].shape)
            for name in inputs.wrt
        }
        for _ in range(count)
    ]
