"""The published method: a convolution stencil, Jacobi iteration, gradient by unrolling it.

Every sweep applies the kernel [1, 0, 1] to the last iterate; the surface takes the emission as
εσT³ (old) x T (new). A step ends when no temperature moves by ``tolerance`` or more between two
sweeps. Autograd then runs back through all sweeps. It is the method of the paper and is kept as
it was: at its tolerance of 1e-4 K the gradient runs, optimises, and is wrong.

References
----------
Huang, R., Heaney, C. E., van Reeuwijk, M. (2025). arXiv:2505.02979, section 2.
"""

from __future__ import annotations

import math
from dataclasses import fields, replace
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from lsm_verify.errors import InputError, NoSolutionError
from lsm_verify.inputs import Inputs
from lsm_verify.models.column import Columns
from lsm_verify.quantities import STEFAN_BOLTZMANN

DEFAULT_TOLERANCE = 1e-4
SMALLEST_TOLERANCE = 1e-12
"""Below this the sweeps' round-off, some 1e-13 K at 300 K, keeps the iteration from stopping."""

LARGEST_TOLERANCE = 1.0
"""Above this the first sweep already ends a step."""

MAX_SWEEPS = 20_000
"""Sweeps after which one step is given up."""

BYTES_PER_SWEEP = 32_000
"""Memory that autograd keeps for a sweep, measured on the twin: mostly graph, not numbers."""


class Cost(NamedTuple):
    """What a run with its gradient will take, roughly."""

    sweeps: int
    bytes: int


def check_tolerance(tolerance: float) -> None:
    """Refuse tolerances at which the iteration would not stop."""
    if not SMALLEST_TOLERANCE <= tolerance <= LARGEST_TOLERANCE:
        raise InputError(
            f"Jacobi tolerance {tolerance:g} K must lie in [{SMALLEST_TOLERANCE:g}, "
            f"{LARGEST_TOLERANCE:g}]: below, round-off keeps the iteration from stopping; above, "
            "it stops at once."
        )


def check_applicable(inputs: Inputs) -> None:
    """Refuse cases outside the published scheme: it knows one spacing, λ, C and Δt."""
    varying = [
        name
        for name, values in {"grid spacing": inputs.spacing, "time step": inputs.time_step}.items()
        if np.ptp(values) > 1e-9 * np.max(np.abs(values))
    ]
    varying += [
        f"{name} per node or interface"
        for name in ("thermal_conductivity", "volumetric_heat_capacity")
        if np.ndim(inputs.parameters[name]) > 0
    ]
    if inputs.insulated:
        varying.append("insulated bottom")
    if varying:
        raise InputError(
            f"the published method does not cover this case ({', '.join(varying)}): it knows one "
            "spacing, step, conductivity and heat capacity and a prescribed bottom; use another "
            "route or model."
        )


def estimate_cost(inputs: Inputs, tolerance: float) -> Cost:
    """Sweeps and memory of one run, from the spectral radius of the sweep.

    A step of the surface moves it by some 5 K; the sweep shrinks what is left by 2r/(1 + 2r).
    """
    lam, C = (
        float(np.mean(inputs.parameters[name]))
        for name in ("thermal_conductivity", "volumetric_heat_capacity")
    )
    r = lam / C * float(inputs.time_step[0]) / float(inputs.spacing[0]) ** 2
    rate = -math.log(2 * r / (1 + 2 * r))
    sweeps = int(inputs.steps * max(1.0, math.log(5.0 * rate / tolerance) / rate))
    return Cost(sweeps, sweeps * BYTES_PER_SWEEP)


def simulate(columns: Columns, tolerance: float = DEFAULT_TOLERANCE) -> tuple[Tensor, int]:
    """Temperature of every node at every state (B, S + 1, N + 1) [K], and the sweeps taken.

    Raises
    ------
    NoSolutionError
        If a step has not converged after `MAX_SWEEPS` sweeps.
    """
    runs, sweeps = [], 0
    for b in range(columns.T0.shape[0]):
        T, count = simulate_together(_only(columns, b), tolerance)
        runs.append(T)
        sweeps += count
    return torch.cat(runs), sweeps


def _only(columns: Columns, b: int) -> Columns:
    """One column of a batch."""
    whole = {f.name: getattr(columns, f.name) for f in fields(columns)}
    one: dict[str, Any] = {k: v[b : b + 1] for k, v in whole.items() if isinstance(v, Tensor)}
    return replace(columns, **one)


def simulate_together(columns: Columns, tolerance: float) -> tuple[Tensor, int]:
    """Run all columns in one convolution, as the paper does not do and a GPU needs.

    A step ends when no column moves by ``tolerance`` or more, so that columns are swept further
    than alone. Returns and raises as `simulate`.
    """
    check_tolerance(tolerance)
    dz, dt = columns.spacing[:, :1], columns.time_step[:, :1]
    lam, C = columns.lam[:, :1], columns.C[:, :1]
    r, s = lam / C * dt / dz**2, 2 * dt / (C * dz)
    kernel = torch.tensor([[[1.0, 0.0, 1.0]]], dtype=dz.dtype, device=dz.device)
    es = columns.emissivity[:, None] * STEFAN_BOLTZMANN
    T = columns.T0
    trajectory, sweeps = [T], 0
    for n in range(columns.time_step.shape[1]):
        H, bottom = columns.H[:, n : n + 1], columns.Tb[:, n : n + 1]
        load = (1 - columns.albedo[:, n]) * columns.SWdown[:, n] + columns.LWdown[:, n]
        load = T[:, :1] + s * (load[:, None] + H * columns.Tair[:, n : n + 1])
        iterate, moved = T, math.inf
        for _ in range(MAX_SWEEPS):
            neighbours = torch.nn.functional.conv1d(iterate[:, None], kernel)[:, 0]
            interior = (T[:, 1:-1] + r * neighbours) / (1 + 2 * r)
            emission = s * es * iterate[:, :1] ** 3
            top = (load + 2 * r * iterate[:, 1:2]) / (1 + 2 * r + s * H + emission)
            new = torch.cat([top, interior, bottom], dim=1)
            moved = float((new - iterate).detach().abs().max())
            iterate = new
            sweeps += 1
            if not moved >= tolerance:
                break
        if not moved < tolerance:
            raise NoSolutionError(n, why=NoSolutionError.NOT_CONVERGED)
        T = iterate
        trajectory.append(T)
    return torch.stack(trajectory, dim=1), sweeps
