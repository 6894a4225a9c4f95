"""What kernels are asked beside the columns, and batches of batches for vmap."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from torch import Tensor

from lsm_verify.errors import NoSolutionError
from lsm_verify.kernels.columns import Objective, Sight


@dataclass(frozen=True, eq=False)
class Task:
    """What a kernel is asked beside the columns; all constants.

    ``wanted`` names the quantities whose gradient is computed together with the value.
    """

    insulated: bool
    sight: Sight | None = None
    objective: Objective | None = None
    wanted: tuple[str, ...] = ()
    tolerant: bool = False
    threads: int | None = None

    @property
    def options(self) -> dict[str, int]:
        """Options that only the kernels of some devices have."""
        return {} if self.threads is None else {"threads": self.threads}

    @property
    def batch(self) -> int:
        """Number of columns, or 1, that sight and objective are made for."""
        sight = () if self.sight is None else self.sight[1:]
        objective = () if self.objective is None else self.objective[1:]
        return max([len(array) for array in (*sight, *objective)], default=1)

    def times(self, count: int) -> Task:
        """Return the task for a batch that is ``count`` such batches on end."""
        if self.batch == 1:
            return self
        sight = self.sight and Sight(self.sight.kind, *(_tiled(a, count) for a in self.sight[1:]))
        objective = self.objective and Objective(
            self.objective.kind, *(_tiled(a, count) for a in self.objective[1:])
        )
        return replace(self, sight=sight, objective=objective)

    def accept(self, status: Any) -> None:
        """Raise if a column has no solution, unless the caller looks at the status."""
        failed = status.any() if isinstance(status, Tensor) else np.count_nonzero(status)
        if self.tolerant or not failed:
            return
        column = int((status != 0).nonzero()[0][0])
        step = int(status[column]) - 1
        raise NoSolutionError(step, column if len(status) > 1 else None)


class Folded:
    """V batches of B columns each as one of V B columns.

    ``task`` and ``tensors`` are what a kernel is asked; what all batches share stays shared where
    their columns share it, too.
    """

    def __init__(
        self,
        count: int,
        dims: Sequence[int | None],
        tensors: Sequence[Tensor | None],
        task: Task,
    ) -> None:
        self.count = count
        moved = [
            x if x is None or dim is None else x.movedim(dim, 0)
            for x, dim in zip(tensors, dims, strict=True)
        ]
        axes = [0 if dim is None else 1 for dim in dims]
        present = [(x, axis) for x, axis in zip(moved, axes, strict=True) if x is not None]
        self.batch = max(task.batch, *(x.shape[axis] for x, axis in present))
        self.task = task.times(count)
        # What is no tensor stays as it is.
        self.tensors: tuple[Any, ...] = tuple(
            None if x is None else self._together(x, batched=axis == 1)
            for x, axis in zip(moved, axes, strict=True)
        )

    def _together(self, x: Tensor, *, batched: bool) -> Tensor:
        if not batched:
            if x.shape[0] == 1:
                return x
            x = x.expand(self.count, *x.shape)
        x = x.expand(self.count, self.batch, *x.shape[2:])
        return x.reshape(self.count * self.batch, *x.shape[2:])

    def apart(self, found: Tensor) -> Tensor:
        """Return a result (V B, ...) as (V, B, ...)."""
        return found.reshape(self.count, self.batch, *found.shape[1:])


def _tiled(repeated: Any, count: int) -> Any:
    """Repeat an array (B, ...) so often, end to end; leave one that is shared, (1, ...)."""
    if len(repeated) == 1:
        return repeated
    ones = (1,) * (repeated.ndim - 1)
    if isinstance(repeated, Tensor):
        return repeated.repeat(count, *ones)
    return np.tile(repeated, (count, *ones))
