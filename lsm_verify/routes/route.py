"""What a route to a gradient is."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lsm_verify.inputs import Inputs

Gradient = dict[str, NDArray[np.float64]]
Evaluation = list[tuple[float, Gradient]]
"""One (value, gradient) per objective of the inputs."""

States = NDArray[np.float64]
AdjointStates = Callable[[Sequence[Inputs]], list[States]]
TangentStates = Callable[[Sequence[Inputs], Gradient], list[States]]


@dataclass(frozen=True)
class Route:
    """One way to the gradient.

    Attributes
    ----------
    name, description : str
        As in tables and ``--routes``.
    exact : bool
        Whether it is exact to round-off, so that it takes part in the primary gate.
    evaluate : callable
        From a batch of inputs to one `Evaluation` each.
    short : bool
        Whether it is so slow that only a short window is judged, and once: without copies.
    batched : bool
        Whether it evaluates all columns of a batch together, which must not let them mix.
    noise : float
        Its own error in units of |J / p|, where it is not measured on copies.
    default : bool
        Whether it runs without being named.
    model : str
        Which of `MODELS` it differentiates.
    adjoint_states : callable, optional
        From a batch of inputs to the sensitivity Λ (objectives, steps + 1, nodes) of every
        objective to every temperature, where the route works backward in time.
    tangent_states : callable, optional
        From a batch of inputs and a change of parameters to the change (steps + 1, nodes) of every
        temperature, where it works forward.
    """

    name: str
    description: str
    exact: bool
    evaluate: Callable[[Sequence[Inputs]], list[Evaluation]]
    short: bool = False
    batched: bool = False
    default: bool = True
    noise: float = 0.0
    model: str = "oracle"
    adjoint_states: AdjointStates | None = None
    tangent_states: TangentStates | None = None
