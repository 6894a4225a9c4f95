"""From public parameters to a batch of canonical columns, in torch operations.

Batch dimension first. Equation numbers are those of ``reference/derivation.md``. Columns are full
for the models in torch operations, and compact for the fused kernels: there a leading 1 is shared
by the batch and a trailing 1 does not vary along steps, nodes or interfaces.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from lsm_verify.inputs import Inputs, same_pattern


@dataclass(frozen=True)
class Columns:
    """B columns with N interfaces and S steps; all tensors on one device, of one dtype.

    Compact ones have (B or 1, n or 1) where (B, n) is said; grid and steps are (B or 1, n).
    """

    spacing: Tensor  #: (B, N) [m]
    time_step: Tensor  #: (B, S) [s]
    lam: Tensor  #: (B, N) [W m-1 K-1]
    C: Tensor  #: (B, N + 1) [J m-3 K-1]
    albedo: Tensor  #: (B, S)
    H: Tensor  #: (B, S) turbulent transfer coefficient [W m-2 K-1]
    Tb: Tensor  #: (B, S) bottom temperature [K]; not read where the bottom is insulated
    T0: Tensor  #: (B, N + 1) initial temperature [K]
    emissivity: Tensor  #: (B,)
    SWdown: Tensor  #: (B, S) [W m-2], positive down
    LWdown: Tensor  #: (B, S) [W m-2], positive down
    Tair: Tensor  #: (B, S) [K]
    insulated: bool


@dataclass(frozen=True)
class Leaves:
    """The numbers of a batch as torch tensors, to be differentiated by.

    ``parameters`` maps public names to (B, ...) tensors; ``hats`` maps the names of parameters
    given by knots to interpolation weights (B, S, knots). Where ``compact``, arrays that all
    columns share and that are not differentiated by have a leading 1 instead.
    """

    spacing: Tensor
    time_step: Tensor
    parameters: dict[str, Tensor]
    hats: dict[str, Tensor]
    insulated: bool
    compact: bool = False


def leaves(
    batch: Sequence[Inputs],
    *,
    device: str = "cpu",
    dtype: torch.dtype = torch.float64,
    compact: bool = False,
) -> Leaves:
    """Stack a batch into tensors; those in ``wrt`` require a gradient."""
    same_pattern(batch)
    first = batch[0]

    def tensor(arrays: Sequence[np.ndarray]) -> Tensor:
        if compact and _shared(arrays):
            arrays = arrays[:1]
        return torch.as_tensor(np.stack(arrays), dtype=dtype, device=device)

    parameters = {}
    for name in first.parameters:
        values = tensor([b.parameters[name] for b in batch])
        if name in first.wrt:  # every column has a gradient of its own
            values = values.expand(len(batch), *values.shape[1:]).clone().requires_grad_()
        parameters[name] = values
    return Leaves(
        spacing=tensor([b.spacing for b in batch]),
        time_step=tensor([b.time_step for b in batch]),
        parameters=parameters,
        hats={name: tensor([_hats(b, name) for b in batch]) for name in first.knots},
        insulated=first.insulated,
        compact=compact,
    )


def _shared(arrays: Sequence[np.ndarray]) -> bool:
    """Whether arrays are all the same; single numbers are not worth sharing."""
    first = arrays[0]
    return first.ndim > 0 and all(a is first or np.array_equal(a, first) for a in arrays)


def _hats(inputs: Inputs, name: str) -> np.ndarray:
    """Weights (S, knots) of piecewise-linear interpolation at the end of every step."""
    times = inputs.knots[name]
    ends = np.cumsum(inputs.time_step)
    return np.stack([np.interp(ends, times, row) for row in np.eye(times.size)], axis=1)


def expand(leaf: Leaves) -> Columns:
    """Canonical columns, equation (29); compact if the leaves are: nothing is spread out then."""
    B, N = leaf.spacing.shape
    S, nodes = leaf.time_step.shape[1], N + 1
    if leaf.compact:
        B, N, nodes, S = -1, 1, 1, 1  # one number stays one, and -1 keeps what is shared shared
    given = leaf.parameters

    def spread(name: str, count: int) -> Tensor:
        value = given[name]
        if name in leaf.hats:
            return (leaf.hats[name] @ value[..., None])[..., 0]
        return value[:, None].expand(B, count) if value.ndim == 1 else value

    if "turbulent_transfer_coefficient" in given:
        H = spread("turbulent_transfer_coefficient", S)
    else:
        H = spread("heat_transfer_coefficient", S) * (1 + 1 / spread("bowen_ratio", S))
    prescribed = "bottom_temperature" in given
    Tb = spread("bottom_temperature", S) if prescribed else torch.zeros_like(H)
    tied = "initial_temperature" not in given
    return Columns(
        spacing=leaf.spacing,
        time_step=leaf.time_step,
        lam=spread("thermal_conductivity", N),
        C=spread("volumetric_heat_capacity", nodes),
        albedo=spread("albedo", S),
        H=H,
        Tb=Tb,
        T0=Tb[:, :1].expand(B, nodes) if tied else spread("initial_temperature", nodes),
        emissivity=given["emissivity"],
        SWdown=given["SWdown"],
        LWdown=given["LWdown"],
        Tair=given["Tair"],
        insulated=leaf.insulated,
    )
