"""The fused kernels as functions for torch.autograd: what every transform does with them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from lsm_verify.errors import InputError
from lsm_verify.kernels.columns import GRID, QUANTITIES, Objective
from lsm_verify.models.fused import arrays
from lsm_verify.models.fused.derivatives import (
    NO_GRID,
    FirstOnly,
    apply,
    changes,
    differentiated_forward,
    gathered,
    gradients,
    of,
    scaled,
    signed,
)
from lsm_verify.models.fused.task import Folded, Task

NO_STATES = (
    "the fused model's temperatures are not differentiable; predict what is observed of them, or "
    'take the model in torch operations, model="direct" (lsm_verify.models.direct).'
)


def score(task: Task, tensors: tuple[Tensor, ...]) -> Any:
    """J and status, at once with the gradients by whatever requires one."""
    wanted = _wanting(tensors)
    if _transformed():
        return apply(_Score, replace(task, wanted=wanted), *tensors)[:2]
    if torch.is_grad_enabled() and any(x.requires_grad for x in tensors[:GRID]):
        raise InputError(NO_GRID)
    if not wanted:
        return tuple(map(arrays.given, _scored(task, (), tensors)))
    return apply(_ScoreAlone, task, wanted, tensors, *(of(name, tensors) for name in wanted))


def _wanting(tensors: Sequence[Tensor]) -> tuple[str, ...]:
    """Names of the quantities by which a gradient will be asked for, as far as can be seen."""
    if not torch.is_grad_enabled():
        return ()
    return tuple(n for n, x in zip(QUANTITIES, tensors[GRID:], strict=True) if x.requires_grad)


def _scored(task: Task, wanted: tuple[str, ...], tensors: Sequence[Tensor]) -> list[Any]:
    """J, status and the gradients that are wanted, a row per column; arrays of the kernels."""
    run, columns = arrays.taken(tensors)
    asked = (columns, task.insulated, task.sight, task.objective)
    bars: dict[str, Any] = {}
    if wanted:
        J, bars, status = run.gradient(*asked, wanted, **task.options)
    else:
        J, status = run.score(*asked, **task.options)
    task.accept(status)
    return [J, status, *(bars[name] for name in wanted)]


def predict(task: Task, tensors: tuple[Tensor, ...]) -> Any:
    """Predictions and status."""
    return apply(_Predict, task, *tensors)


def simulate(task: Task, tensors: tuple[Tensor, ...]) -> Any:
    """Temperatures."""
    return apply(_Simulate, task, *tensors)


def _transformed() -> bool:
    """Whether forward mode or a transform of torch.func is on, or may be."""
    active = getattr(torch._C, "_are_functorch_transforms_active", None)
    return active is None or active() or differentiated_forward()


class _ScoreAlone(torch.autograd.Function):
    """(task, names, columns, those of these names) to J and status.

    `_Score` for when no transform is on, which is most of the time: torch need not know then of
    gradients that only this function reads, nor of columns that are constants.
    """

    @staticmethod
    def forward(
        ctx: Any,
        task: Task,
        wanted: tuple[str, ...],
        columns: tuple[Tensor, ...],
        *tensors: Tensor,
    ) -> tuple[Tensor, Tensor]:
        found, status, *ctx.bars = _scored(task, wanted, columns)
        J, status = arrays.given(found), arrays.given(status)
        ctx.mark_non_differentiable(status)
        ctx.set_materialize_grads(False)
        ctx.save_for_backward(*tensors)
        return J, status

    @staticmethod
    def backward(ctx: Any, *grads: Tensor | None) -> tuple[Tensor | None, ...]:
        tensors = ctx.saved_tensors
        if grads[0] is None:
            return (None,) * (3 + len(tensors))
        return None, None, None, *scaled(grads[0], ctx.bars, tensors)


class _Score(torch.autograd.Function):
    """(task, columns) to J, status and the gradients that are wanted, a row per column."""

    @staticmethod
    @signed
    def forward(task: Task, *tensors: Tensor) -> tuple[Tensor, ...]:
        return tuple(map(arrays.given, _scored(task, task.wanted, tensors)))

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, ...]) -> None:
        task, *tensors = inputs
        ctx.mark_non_differentiable(*output[1:])
        ctx.set_materialize_grads(False)
        ctx.task = task
        ctx.save_for_backward(*tensors, *output[2:])
        ctx.save_for_forward(*tensors)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor | None) -> tuple[Tensor | None, ...]:
        names, tensors, bars = _needed(ctx)
        if grads[0] is None:
            return (None,) * (1 + len(tensors))
        known = dict(zip(ctx.task.wanted, bars, strict=True))
        # Wanted by a transform that the forward run was hidden from.
        missing = tuple(name for name in names if name not in known)
        if missing:
            task = replace(ctx.task, wanted=missing)
            known |= zip(missing, gradients(task, None, tensors), strict=True)
        values = [of(name, tensors) for name in names]
        found = scaled(grads[0], [known[name] for name in names], values, tensors)
        return _placed(names, found)

    @staticmethod
    def jvp(ctx: Any, *tangents: Tensor | None) -> tuple[Tensor | None, ...]:
        objective = ctx.task.objective
        y, dy = changes(ctx.task, ctx.saved_tensors, tangents[1:])
        return _slope(objective, y, dy), *[None] * (1 + len(ctx.task.wanted))

    @staticmethod
    def vmap(info: Any, in_dims: tuple[Any, ...], task: Task, *tensors: Tensor) -> tuple[Any, int]:
        folded = Folded(info.batch_size, in_dims[1:], tensors, task)
        hidden = tuple(name for name in _wanting(folded.tensors) if name not in task.wanted)
        below = replace(folded.task, wanted=task.wanted + hidden)
        found = apply(_Score, below, *folded.tensors)[: 2 + len(task.wanted)]
        return tuple(folded.apart(a) for a in found), 0


class _Predict(torch.autograd.Function):
    """(task, columns) to predictions and status."""

    @staticmethod
    @signed
    def forward(task: Task, *tensors: Tensor) -> tuple[Tensor, Tensor]:
        run, columns = arrays.taken(tensors)
        y, status = run.predict(columns, task.insulated, task.sight, **task.options)
        task.accept(status)
        return arrays.given(y), arrays.given(status)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, Tensor]) -> None:
        task, *tensors = inputs
        ctx.mark_non_differentiable(output[1])
        ctx.set_materialize_grads(False)
        ctx.task = task
        ctx.save_for_backward(*tensors)
        ctx.save_for_forward(*tensors)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor | None) -> tuple[Tensor | None, ...]:
        names, tensors, _ = _needed(ctx)
        if grads[0] is None:
            return (None,) * (1 + len(tensors))
        bars = gradients(replace(ctx.task, wanted=names), grads[0], tensors)
        by_name = zip(names, bars, strict=True)
        return _placed(names, [gathered(bar, of(name, tensors)) for name, bar in by_name])

    @staticmethod
    def jvp(ctx: Any, *tangents: Tensor | None) -> tuple[Tensor | None, None]:
        return changes(ctx.task, ctx.saved_tensors, tangents[1:])[1], None

    @staticmethod
    def vmap(info: Any, in_dims: tuple[Any, ...], task: Task, *tensors: Tensor) -> tuple[Any, int]:
        folded = Folded(info.batch_size, in_dims[1:], tensors, task)
        found = apply(_Predict, folded.task, *folded.tensors)
        return tuple(folded.apart(a) for a in found), 0


class _Simulate(FirstOnly):
    """(task, columns) to temperatures."""

    @staticmethod
    @signed
    def forward(task: Task, *tensors: Tensor) -> Tensor:
        run, columns = arrays.taken(tensors)
        T, status = run.simulate(columns, task.insulated, **task.options)
        task.accept(status)
        return arrays.given(T)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor | None) -> Any:
        raise InputError(NO_STATES)

    @staticmethod
    def jvp(ctx: Any, *tangents: Tensor | None) -> Any:
        raise InputError(NO_STATES)

    @staticmethod
    def vmap(info: Any, in_dims: tuple[Any, ...], task: Task, *tensors: Tensor) -> tuple[Any, int]:
        folded = Folded(info.batch_size, in_dims[1:], tensors, task)
        return folded.apart(apply(_Simulate, folded.task, *folded.tensors)), 0


def _needed(ctx: Any) -> tuple[tuple[str, ...], tuple[Tensor, ...], tuple[Tensor, ...]]:
    """Names to differentiate by; the columns' tensors; what else was saved."""
    count = GRID + len(QUANTITIES)
    _, *needs = ctx.needs_input_grad
    if any(needs[:GRID]):
        raise InputError(NO_GRID)
    names = tuple(n for n, need in zip(QUANTITIES, needs[GRID:], strict=True) if need)
    saved = ctx.saved_tensors
    return names, saved[:count], saved[count:]


def _placed(names: tuple[str, ...], found: Any) -> tuple[Tensor | None, ...]:
    """Gradients by the arguments (task, columns) of a function."""
    by_name = dict(zip(names, found, strict=True))
    return (*[None] * (1 + GRID), *(by_name.get(name) for name in QUANTITIES))


def _slope(objective: Objective, y: Tensor, dy: Tensor) -> Tensor:
    """Change of the objective (B,) with the predictions, equation (22)."""
    values, weights = (arrays.given(a) for a in objective[1:])
    if objective.kind == "probe":
        return (weights * dy).sum(dim=(1, 2))
    total = (weights * (y - values) * dy).sum(dim=(1, 2))
    return 2 * total / weights.sum(dim=(1, 2)) if objective.kind == "mean-square" else total
