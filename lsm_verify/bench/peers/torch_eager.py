"""PyTorch without compilation: the package's direct model, differentiated by autograd.

On a GPU nothing but the call's last wait reaches the host: Newton's iteration asks whether all
columns have settled, which is part of this model's cost there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from lsm_verify.bench.peers import EXACT, Outcome, Peer, Prepared, Setting
from lsm_verify.bench.workloads import (
    AIR_TEMPERATURE,
    EMISSIVITY,
    LONGWAVE_DOWN,
    TIME_STEP,
    Workload,
)

if TYPE_CHECKING:
    from torch import Tensor

    from lsm_verify.models.column import Columns

TENSORS_KEPT = 40
"""(columns, nodes) arrays of a step that autograd keeps, measured: graph and copies included."""

MEMORY = 4e9
"""Bytes that a row of this peer may take."""


def fits(work: Workload) -> bool:
    """Whether the graph of all steps and the inverse fit into memory and a reasonable time."""
    kept = 8 * work.batch * work.nodes * (TENSORS_KEPT * work.steps + 6 * work.nodes)
    return kept < MEMORY and work.steps <= 10_000


def missing(setting: Setting) -> str | None:
    """Say why torch cannot run on the device."""
    import torch

    if setting.device == "cuda" and not torch.cuda.is_available():
        return "torch finds no CUDA GPU"
    return None


def theta_of(work: Workload, setting: Setting) -> Tensor:
    """Return the parameters (batch, 6) as a leaf."""
    import torch

    dtype = getattr(torch, setting.dtype)
    leaf = torch.tensor(work.theta, dtype=dtype, device=setting.device)
    return leaf.requires_grad_(setting.mode == "gradient")


class Constants(NamedTuple):
    """What does not depend on the parameters, placed on the device once."""

    spacing: Tensor  #: (B, N) [m]
    time_step: Tensor  #: (B, S) [s]
    emissivity: Tensor  #: (B,)
    SWdown: Tensor  #: (B, S) [W m-2]
    LWdown: Tensor  #: (B, S) [W m-2]
    Tair: Tensor  #: (B, S) [K]
    observed: Tensor  #: (2, S + 1) [K]


def constants(work: Workload, setting: Setting) -> Constants:
    """Place grid, forcing and observations on the device."""
    import torch

    def place(value: Any, *shape: int) -> Tensor:
        tensor = torch.tensor(value, dtype=getattr(torch, setting.dtype), device=setting.device)
        return tensor.expand(shape)

    B, N, S = work.batch, work.nodes, work.steps
    return Constants(
        spacing=place(work.spacing, B, N),
        time_step=place(TIME_STEP, B, S),
        emissivity=place(EMISSIVITY, B),
        SWdown=place(work.SWdown, B, S),
        LWdown=place(LONGWAVE_DOWN, B, S),
        Tair=place(AIR_TEMPERATURE, B, S),
        observed=place(work.values, *work.values.shape),
    )


def columns(fixed: Constants, theta: Tensor) -> Columns:
    """Return canonical columns in torch operations."""
    from lsm_verify.models.column import Columns

    (B, N), S = fixed.spacing.shape, fixed.time_step.shape[1]
    albedo, h, beta, lam, C, Tb = theta.unbind(1)

    def spread(value: Tensor, count: int) -> Tensor:
        return value[:, None].expand(B, count)

    return Columns(
        lam=spread(lam, N),
        C=spread(C, N + 1),
        albedo=spread(albedo, S),
        H=spread(h * (1 + 1 / beta), S),
        Tb=spread(Tb, S),
        T0=spread(Tb, N + 1),
        insulated=False,
        **{name: x for name, x in fixed._asdict().items() if name != "observed"},
    )


def misfit(work: Workload, fixed: Constants, T: Tensor) -> Tensor:
    """Mean square misfit (batch,) of temperatures (batch, steps + 1, nodes + 1)."""
    import torch

    index, fraction = work.reading
    y = [
        T[:, :, i] if f == 0 else (1 - f) * T[:, :, i] + f * T[:, :, i + 1]
        for i, f in zip(index, fraction, strict=True)
    ]
    return ((torch.stack(y, dim=1) - fixed.observed) ** 2).mean(dim=(1, 2))


def read(found: Any) -> Outcome:
    """Bring tensors (value, gradient or None) to the host."""
    value, gradient = found
    slope = None if gradient is None else gradient.numpy(force=True)
    return Outcome(value.numpy(force=True), slope)


def differentiated(value: Tensor, theta: Tensor) -> tuple[Tensor, Tensor | None]:
    """Return the value and, where ``theta`` asks for one, its gradient."""
    import torch

    if not theta.requires_grad:
        return value, None
    return value.detach(), torch.autograd.grad(value.sum(), theta)[0]


def _prepare(work: Workload, setting: Setting) -> Prepared:
    from lsm_verify.models import direct
    from lsm_verify.models.threads import torch_threads

    theta, fixed = theta_of(work, setting), constants(work, setting)

    def run() -> tuple[Tensor, Tensor | None]:
        with torch_threads(setting.threads):
            T = direct.simulate(columns(fixed, theta))
            return differentiated(misfit(work, fixed, T), theta)

    return Prepared(run, read)


PEERS = (
    Peer(
        "torch-eager",
        "PyTorch without compilation: the direct model and autograd",
        EXACT,
        ("score", "gradient"),
        _prepare,
        missing=missing,
        devices=("cpu", "cuda"),
        fits=fits,
    ),
)
