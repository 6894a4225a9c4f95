"""What first derivatives by the fused kernels are made of; none of it can be differentiated.

Kernels give numbers that torch cannot look into. So whatever is made of them takes all columns as
arguments: a transform that asks for more meets one that it tracks and a function that raises, not
numbers that look like constants.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import torch
from torch import Tensor
from torch.autograd import forward_ad

from lsm_verify.errors import InputError
from lsm_verify.kernels.columns import GRID, QUANTITIES, Objective
from lsm_verify.models.fused import arrays
from lsm_verify.models.fused.task import Folded, Task

NO_SECOND = (
    "the fused model has first derivatives only; for a second one take the model in torch "
    'operations, model="direct" (lsm_verify.models.direct).'
)
NO_GRID = (
    "the fused model is not differentiable by grid spacing and time step; take the model in torch "
    'operations, model="direct" (lsm_verify.models.direct).'
)


F = TypeVar("F", bound=Callable[..., Any])


def signed(function: F) -> F:
    """Keep the signature of a forward function, which torch works out anew at every call."""
    function.__signature__ = inspect.signature(function)  # type: ignore[attr-defined]
    return function


def apply(function: Any, *arguments: Any) -> Any:
    """Apply a function for torch.autograd."""
    return function.apply(*arguments)


def differentiated_forward() -> bool:
    """Whether forward mode is on; where torch does not tell, it may be."""
    return getattr(forward_ad, "_current_level", 0) >= 0


def scaled(
    slope: Tensor, bars: Sequence[Any], values: Sequence[Tensor], more: Sequence[Tensor] = ()
) -> Any:
    """Gradients by some values, from those of every column and ∂/∂J (B,)."""
    if torch.is_grad_enabled() or differentiated_forward():
        return apply(_Scale, len(bars), slope, *map(arrays.given, bars), *values, *more)
    if bars and not isinstance(bars[0], Tensor):
        try:
            factor = slope.numpy()[:, None]  # for a few numbers faster than torch
        except RuntimeError:  # a batch of backward runs
            bars = [arrays.given(bar) for bar in bars]
        else:
            pairs = zip(bars, values, strict=True)
            return [_gathered_here(factor * bar, value) for bar, value in pairs]
    return _Scale.forward(len(bars), slope, *bars, *values)


def _gathered_here(bar: Any, value: Tensor) -> Tensor:
    return torch.from_numpy(bar.sum(0, keepdims=True) if len(value) == 1 < len(bar) else bar)


def gradients(task: Task, cotangent: Tensor | None, tensors: Sequence[Tensor]) -> Any:
    """Gradients that the task wants, a row per column: of J, or of ⟨cotangent, predictions⟩."""
    return apply(_Gradient, task, cotangent, *tensors)


def changes(
    task: Task, tensors: Sequence[Tensor], tangents: Sequence[Tensor | None]
) -> tuple[Tensor, Tensor]:
    """Predictions of columns and how they change along tangents of the columns."""
    if any(t is not None for t in tangents[:GRID]):
        raise InputError(NO_GRID)
    pairs = zip(tensors, tangents, strict=True)
    dense = (torch.zeros_like(x) if t is None else t for x, t in pairs)
    y, dy = apply(_Tangent, task, *tensors, *dense)
    return y, dy


def of(name: str, tensors: Sequence[Tensor]) -> Tensor:
    """Find a quantity among the columns' tensors."""
    return tensors[GRID + QUANTITIES.index(name)]


def gathered(bar: Tensor, value: Tensor) -> Tensor:
    """Gradient (..., B, n) summed over the columns if they share the value (..., 1, n)."""
    return bar.sum(-2, keepdim=True) if value.shape[-2] == 1 < bar.shape[-2] else bar


class FirstOnly(torch.autograd.Function):
    """What a first derivative is made of: it takes all columns, so that asking for more raises."""

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Any) -> None:
        """Keep nothing."""

    @staticmethod
    def backward(ctx: Any, *grads: Tensor | None) -> Any:
        """Refuse reverse mode."""
        raise InputError(NO_SECOND)

    @staticmethod
    def jvp(ctx: Any, *tangents: Tensor | None) -> Any:
        """Refuse forward mode."""
        raise InputError(NO_SECOND)


class _Scale(FirstOnly):
    """(count, ∂/∂J, so many gradients of every column, the values, more columns) to gradients."""

    @staticmethod
    @signed
    def forward(count: int, slope: Tensor, *more: Tensor) -> tuple[Tensor, ...]:
        each = slope[..., None]
        pairs = zip(more[:count], more[count : 2 * count], strict=True)
        return tuple(gathered(each * bar, value) for bar, value in pairs)

    @staticmethod
    def vmap(info: Any, in_dims: tuple[Any, ...], count: int, *tensors: Tensor) -> tuple[Any, Any]:
        dims = in_dims[1:]
        first = [
            x if dim is None else x.movedim(dim, 0) for x, dim in zip(tensors, dims, strict=True)
        ]
        batched = [dims[0] is not None or dim is not None for dim in dims[1 : 1 + count]]
        return apply(_Scale, count, *first), tuple(0 if each else None for each in batched)


class _Gradient(FirstOnly):
    """(task, cotangent of the predictions if not of J, columns) to gradients of every column."""

    @staticmethod
    @signed
    def forward(task: Task, cotangent: Tensor | None, *tensors: Tensor) -> tuple[Tensor, ...]:
        run, columns = arrays.taken(tensors)
        objective = task.objective
        if cotangent is not None:
            weights = arrays.taken_alone(cotangent)
            objective = Objective("probe", weights, weights)
        asked = (columns, task.insulated, task.sight, objective, task.wanted)
        _, bars, _ = run.gradient(*asked, **task.options)
        return tuple(arrays.given(bars[name]) for name in task.wanted)

    @staticmethod
    def vmap(
        info: Any, in_dims: tuple[Any, ...], task: Task, *tensors: Tensor | None
    ) -> tuple[Any, int]:
        folded = Folded(info.batch_size, in_dims[1:], tensors, task)
        found = apply(_Gradient, folded.task, *folded.tensors)
        return tuple(folded.apart(a) for a in found), 0


class _Tangent(FirstOnly):
    """(task, columns, their changes) to predictions and their changes."""

    @staticmethod
    @signed
    def forward(task: Task, *tensors: Tensor) -> tuple[Tensor, Tensor]:
        half = len(tensors) // 2
        run, columns = arrays.taken(tensors[:half])
        _, change = arrays.taken(tensors[half:])
        y, dy, _ = run.tangent(columns, change, task.insulated, task.sight, **task.options)
        return arrays.given(y), arrays.given(dy)

    @staticmethod
    def vmap(info: Any, in_dims: tuple[Any, ...], task: Task, *tensors: Tensor) -> tuple[Any, int]:
        folded = Folded(info.batch_size, in_dims[1:], tensors, task)
        found = apply(_Tangent, folded.task, *folded.tensors)
        return tuple(folded.apart(a) for a in found), 0
