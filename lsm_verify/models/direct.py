"""The coupled system in torch operations, by an elimination from the surface down.

The soil below the surface node is linear. Its matrix is eliminated from the first node below the
surface downward and inverted once for each distinct time step; what remains of a step is one
product with that inverse and one scalar quartic equation for the surface. The pivots are formed
without a subtraction (Grassmann, Taksar and Heyman 1985), so deep stretched grids keep their
digits where a dense LU factorisation loses them. The oracle eliminates from the bottom up and
forms no inverse: the two share no solve.

Differentiable twice; cost of one run: about 7 N + 25 S torch operations, memory (distinct time
steps) x N² per column.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from lsm_verify.errors import NoSolutionError
from lsm_verify.models.column import Columns
from lsm_verify.quantities import STEFAN_BOLTZMANN

MAX_NEWTON = 60
NEWTON_TOLERANCE = 8
"""Relative step, in units of the dtype's epsilon, at which Newton's iteration has settled."""


class Soil(NamedTuple):
    """The linear part of one step: T' = inverse (s T + bottom) + surface_response T_0'."""

    storage: Tensor  #: (B, N + 1) s_i = C_i V_i / Δt [W m-2 K-1]
    inverse: Tensor  #: (B, M, M) of the M nodes below the surface
    surface_response: Tensor  #: (B, M)
    conductance: Tensor  #: (B,) from the surface node into the soil: g_0 (1 - response_1)


def simulate(columns: Columns) -> Tensor:
    """Temperature (B, S + 1, N + 1) of every node at every state [K], index 0 at the surface.

    Raises
    ------
    NoSolutionError
        As `states`.
    """
    return torch.stack(states(columns), dim=1)


def states(columns: Columns) -> list[Tensor]:
    """Run the model: S + 1 states, each a node of torch's graph that can be differentiated by.

    Parameters
    ----------
    columns : Columns
        The batch.

    Returns
    -------
    list of (B, N + 1) Tensor
        [K], index 0 at the surface.

    Raises
    ------
    NoSolutionError
        If a surface balance has no positive root, with step and column.
    """
    which, soils = _soils(columns)
    g = columns.lam / columns.spacing
    T = columns.T0
    trajectory = [T]
    c4 = columns.emissivity * STEFAN_BOLTZMANN
    absorbed = (1 - columns.albedo) * columns.SWdown + columns.LWdown
    for n, d in enumerate(which):
        soil = soils[d]
        last = T.shape[1] if columns.insulated else T.shape[1] - 1
        rhs = soil.storage[:, 1:last] * T[:, 1:last]
        if not columns.insulated:
            bottom = g[:, -1] * columns.Tb[:, n]
            rhs = torch.cat([rhs[:, :-1], (rhs[:, -1] + bottom)[:, None]], dim=1)
        below = (soil.inverse @ rhs[..., None])[..., 0]
        H = columns.H[:, n]
        c1 = soil.storage[:, 0] + soil.conductance + H
        load = soil.storage[:, 0] * T[:, 0] + g[:, 0] * below[:, 0]
        load = load + absorbed[:, n] + H * columns.Tair[:, n]
        x = surface_root(c1, c4, load, T[:, 0], step=n)
        parts = [x[:, None], below + soil.surface_response * x[:, None]]
        if not columns.insulated:
            parts.append(columns.Tb[:, n, None])
        T = torch.cat(parts, dim=1)
        trajectory.append(T)
    return trajectory


def surface_root(c1: Tensor, c4: Tensor, load: Tensor, guess: Tensor, *, step: int) -> Tensor:
    """Positive root of c1 x + c4 x⁴ = load, equations (9) and (10).

    The iteration runs detached and each column stops by itself, so that no column's result
    depends on its neighbours. Two differentiable Newton steps at the root then carry the first
    and the second derivative: one alone gives an exact gradient and a wrong Hessian.
    """
    with torch.no_grad():
        x, found = _newton(c1, c4, load, guess)
        if not bool(found.all()):
            column = int((~found).nonzero()[0])
            raise NoSolutionError(step, column if found.numel() > 1 else None)
    for _ in range(2):
        x3 = x * x * x
        x = x - (c1 * x + c4 * x3 * x - load) / (c1 + 4 * c4 * x3)
    return x


def _newton(c1: Tensor, c4: Tensor, load: Tensor, x: Tensor) -> tuple[Tensor, Tensor]:
    tolerance = NEWTON_TOLERANCE * torch.finfo(x.dtype).eps
    moving = (load > 0) & (c1 > 0)
    solvable = moving
    for _ in range(MAX_NEWTON):
        x3 = x * x * x
        dx = (c1 * x + c4 * x3 * x - load) / (c1 + 4 * c4 * x3)
        x = torch.where(moving, x - dx, x)
        moving = moving & (dx.abs() > tolerance * x.abs())
        if not bool(moving.any()):
            break
    return x, solvable & ~moving


def _soils(columns: Columns) -> tuple[list[int], list[Soil]]:
    """Return the index of every step's soil, and the soils of the distinct time steps."""
    steps = columns.time_step.detach().cpu().numpy()
    _, first, which = np.unique(steps, axis=1, return_index=True, return_inverse=True)
    lengths = columns.time_step[:, torch.as_tensor(first, device=columns.time_step.device)]
    half = columns.spacing / 2
    volume = torch.cat([half[:, :1], half[:, 1:] + half[:, :-1], half[:, -1:]], dim=1)
    storage = (columns.C * volume)[:, None, :] / lengths[:, :, None]
    g = columns.lam / columns.spacing
    inverse = _inverse(storage, g, insulated=columns.insulated)
    response = inverse[..., 0] * g[:, None, :1]
    # Rows of the inverse sum up to one with the surface and the bottom: the response of the first
    # node falls short of one by what storage and bottom hold back.
    M = inverse.shape[-1]
    held = (inverse[:, :, 0, :] * storage[:, :, 1 : M + 1]).sum(-1)
    if not columns.insulated:
        held = held + inverse[:, :, 0, -1] * g[:, None, -1]
    parts = zip(
        storage.unbind(1),
        inverse.unbind(1),
        response.unbind(1),
        (g[:, None, 0] * held).unbind(1),
        strict=True,
    )
    return [int(d) for d in np.ravel(which)], [Soil(*p) for p in parts]


def _inverse(storage: Tensor, g: Tensor, *, insulated: bool) -> Tensor:
    """Inverse (B, D, M, M) of the soil below the surface node, from the surface down.

    Node i balances s_i + g_{i-1} + g_i against its neighbours. Eliminated from above, it sees the
    surface through the conductance k_{i-1} of everything over it in series with storage.
    """
    B, D, nodes = storage.shape
    M = nodes - 1 if insulated else nodes - 2
    s = storage.unbind(-1)
    c = [part[:, None] for part in g.unbind(-1)]
    unit = torch.eye(M, dtype=storage.dtype, device=storage.device).expand(B, D, M, M).unbind(2)
    k = c[0].expand(B, D)
    rows: list[Tensor] = []
    pivots: list[Tensor] = []
    for i in range(1, M + 1):
        held = s[i] + k
        pivot = held + c[i] if i < len(c) else held
        row = unit[i - 1]
        if rows:
            row = row + (c[i - 1] / pivots[-1])[..., None] * rows[-1]
        rows.append(row)
        pivots.append(pivot)
        if i < len(c):
            k = c[i] * held / pivot
    solution = [rows[-1] / pivots[-1][..., None]]
    for i in range(M - 1, 0, -1):
        row = (rows[i - 1] + c[i][..., None] * solution[-1]) / pivots[i - 1][..., None]
        solution.append(row)
    return torch.stack(solution[::-1], dim=2)
