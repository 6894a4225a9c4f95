"""Between tensors and kernels: which kernels a device has, and what they take and give."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from functools import cache
from types import ModuleType
from typing import Any

import numpy as np
import torch
from torch import Tensor

from lsm_verify.errors import InputError
from lsm_verify.kernels.columns import Columns
from lsm_verify.models import column

TYPES = (torch.float64, torch.float32)

NOT_PLAIN = (
    "the fused model takes plain tensors and those of torch.func; where others are made of them, "
    'as by vectorize=True, take torch.func or model="direct" (lsm_verify.models.direct)'
)
TRACED = (
    "the fused model cannot be traced, nor compiled with fullgraph=True: its kernels would leave "
    "numbers behind instead of operations; take the model in torch operations, "
    'model="direct" (lsm_verify.models.direct).'
)


def has_kernels(device: str) -> bool:
    """Whether a device can run the fused model with what is installed."""
    try:
        _kernels(torch.device(device).type)
    except InputError:
        return False
    return True


@cache
def _kernels(device: str) -> ModuleType:
    """Return the kernels for a type of device."""
    if device == "cpu":
        from lsm_verify.kernels import cpu

        return cpu
    if device != "cuda":
        raise InputError(
            f"the fused model runs on cpu and cuda, not on {device}; move the columns, or take "
            'model="direct".'
        )
    from lsm_verify.kernels import cuda
    from lsm_verify.kernels.cuda_arrays import numba_cuda

    try:
        numba_cuda()
    except InputError as error:
        raise InputError(f'{error} Or take model="direct".') from None
    return cuda


def canonical(columns: column.Columns) -> tuple[Tensor, ...]:
    """Tensors of the columns in the order of the kernels."""
    c = columns
    return (
        c.spacing, c.time_step, c.lam, c.C, c.albedo, c.H, c.Tb, c.SWdown, c.LWdown, c.Tair, c.T0,
        c.emissivity[:, None],
    )  # fmt: skip


def taken(tensors: Sequence[Tensor]) -> tuple[ModuleType, Columns]:
    """Return the kernels for these tensors, and the columns as they take them.

    Raises
    ------
    InputError
        If tensors lie on several devices, on one without kernels, or are being traced; where they
        are no plain tensors of float64 or float32.
    """
    _refuse_tracing()
    kind = tensors[0].device.type
    try:
        if kind == "cpu":
            found = [(x.detach() if x.requires_grad else x).numpy() for x in tensors]
        else:
            found = [array(x) for x in tensors]
    except (TypeError, RuntimeError) as error:  # no NumPy array can be made of one
        _diagnose(tensors)
        raise InputError(f"{NOT_PLAIN} ({error})") from None
    if kind != "cpu":
        _diagnose(tensors)
    return _kernels(kind), Columns(*found)


def taken_alone(tensor: Tensor) -> Any:
    """Return a tensor that goes with columns, as kernels take it."""
    try:
        return array(tensor)
    except (TypeError, RuntimeError) as error:
        raise InputError(f"{NOT_PLAIN} ({error})") from None


def array(tensor: Tensor) -> Any:
    """Return a tensor as kernels take it: contiguous, a NumPy array on the CPU."""
    plain = tensor.detach()
    if plain.is_cuda:
        return plain  # read there whatever its strides
    found = plain.numpy()
    return found if found.flags.c_contiguous else np.ascontiguousarray(found)


def _diagnose(tensors: Sequence[Tensor]) -> None:
    """Raise if tensors are of several devices, or of a type or device without kernels."""
    device = tensors[0].device
    _kernels(device.type)
    for name, tensor in zip(Columns._fields, tensors, strict=True):
        if tensor.device != device:
            raise InputError(
                f"{name} is on {tensor.device}, {Columns._fields[0]} on {device}; move all to one."
            )
        if tensor.dtype not in TYPES:
            raise InputError(f"{name} is of type {tensor.dtype}; give float64 or float32.")


def given(found: Any) -> Tensor:
    """Return an array from a kernel as a tensor, without a copy."""
    return torch.from_numpy(found) if isinstance(found, np.ndarray) else torch.as_tensor(found)


def _refuse_tracing() -> None:
    """Raise if operations are recorded: by torch.fx, torch.export, torch.func.linearize, jit."""
    tracer = sys.modules.get("torch.fx.experimental.proxy_tensor")
    recording = tracer is not None and tracer.get_proxy_mode() is not None
    if recording or torch.jit.is_tracing():  # type: ignore[no-untyped-call,attr-defined]
        raise InputError(TRACED)
