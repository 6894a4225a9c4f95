"""The fused kernels as functions of tensors that PyTorch can differentiate.

`score` and `predict` take canonical columns (`lsm_verify.models.column`), best in compact form, and
are differentiable by all of them but the grid and the steps. Where a gradient will be asked for,
`score` computes it together with the value, in one sweep per block of columns; going backward then
only scales it. Forward mode runs the tangent-linear kernel, ``vmap`` makes one batch of all.

First derivatives only: a second one, in whatever order of modes, raises and names the model in
torch operations, ``direct``, which has them. So does tracing, which would record numbers instead of
operations.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import cache
from typing import Any, Literal, overload

import torch
from torch import Tensor

from lsm_verify.errors import InputError
from lsm_verify.kernels.columns import Objective, Sight
from lsm_verify.models.column import Columns
from lsm_verify.models.fused import functions
from lsm_verify.models.fused.arrays import TRACED, canonical
from lsm_verify.models.fused.columns import columns_of, objective_of, sight_of
from lsm_verify.models.fused.task import Task

__all__ = ["columns_of", "objective_of", "predict", "score", "sight_of", "simulate"]


@overload
def score(
    columns: Columns,
    sight: Sight,
    objective: Objective,
    *,
    with_status: Literal[False] = ...,
    threads: int | None = ...,
) -> Tensor: ...
@overload
def score(
    columns: Columns,
    sight: Sight,
    objective: Objective,
    *,
    with_status: Literal[True],
    threads: int | None = ...,
) -> tuple[Tensor, Tensor]: ...
def score(
    columns: Columns,
    sight: Sight,
    objective: Objective,
    *,
    with_status: bool = False,
    threads: int | None = None,
) -> Tensor | tuple[Tensor, Tensor]:
    """Score every column of a batch, equation (16).

    Parameters
    ----------
    columns : Columns
        Full or compact; float64 or float32.
    sight, objective : Sight, Objective
        What is observed and how it is scored, see `lsm_verify.models.fused.columns`: constants,
        NumPy arrays on the CPU and tensors on a GPU.
    with_status : bool
        Whether to return the status too, instead of raising where a column has no solution.
    threads : int, optional
        Threads of the CPU; default: all that Numba is given.

    Returns
    -------
    J : (B,) Tensor
    status : (B,) Tensor
        0, or 1 + the first step without solution; value and gradient of that column are
        not-a-number. Only if asked for.

    Raises
    ------
    NoSolutionError
        If a surface balance has no positive root, with step and column; not with ``with_status``.
    InputError
        If tensors do not fit each other, lie on a device without kernels or are being traced;
        where a second derivative is taken, or one by grid or steps.
    """
    task = Task(columns.insulated, sight, objective, tolerant=with_status, threads=threads)
    J, status = _run(functions.score, task, columns)
    return (J, status) if with_status else J


@overload
def predict(
    columns: Columns,
    sight: Sight,
    *,
    with_status: Literal[False] = ...,
    threads: int | None = ...,
) -> Tensor: ...
@overload
def predict(
    columns: Columns, sight: Sight, *, with_status: Literal[True], threads: int | None = ...
) -> tuple[Tensor, Tensor]: ...
def predict(
    columns: Columns, sight: Sight, *, with_status: bool = False, threads: int | None = None
) -> Tensor | tuple[Tensor, Tensor]:
    """Predict the observations (B, series, S + 1), equations (12) to (15).

    Every way back through them is a run of the gradient kernel: for the objectives that it knows,
    `score` is faster. Parameters and errors as there.
    """
    task = Task(columns.insulated, sight, tolerant=with_status, threads=threads)
    y, status = _run(functions.predict, task, columns)
    return (y, status) if with_status else y


def simulate(columns: Columns, *, threads: int | None = None) -> Tensor:
    """Temperature (B, S + 1, N + 1) [K] of every node at every state; not differentiable.

    Errors as of `score`.
    """
    task = Task(columns.insulated, threads=threads)
    T: Tensor = _run(functions.simulate, task, columns)
    return T


def _run(function: Callable[..., Any], task: Task, columns: Columns) -> Any:
    """Call a function of columns, beside what torch.compile compiles."""
    if torch.compiler.is_compiling():
        # The compiler meets this and leaves the call to the interpreter, which comes here anew.
        raise InputError(TRACED)
    if task.threads is not None and columns.spacing.is_cuda:
        raise InputError(f"threads={task.threads} are of the CPU; leave them out on a GPU.")
    if "torch._dynamo" in sys.modules:
        function = _uncompiled(function)
    return function(task, canonical(columns))


@cache
def _uncompiled(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return a function that torch.compile does not look into: it would compile the kernels."""
    compiler: Any = torch.compiler
    disabled: Callable[..., Any] = compiler.disable(function)
    return disabled
