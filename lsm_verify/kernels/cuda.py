"""Kernels for a GPU: the entry points of `cpu`, on device arrays; they need the extra ``cuda``.

Arguments may be numpy arrays, which are copied, and torch tensors or anything else with
``__cuda_array_interface__``, which are read where they lie, whatever their strides. Results are on
the device: torch tensors if any was given, numba-cuda's arrays otherwise. Their columns lie side
by side in memory, so that neighbouring threads write neighbouring numbers; shapes are those of
`cpu`. A call returns when its kernel is launched, on torch's current stream or the default one;
only the sight is read before, to check it on the host.

Each thread has one column at a time. As many run at once as the device holds, and take the next
ones when they are done: the trajectories of these alone are in memory. Where even they take more
than a share of what is free, states are kept at checkpoints and run again from there.

What is copied, launched and kept is decided here and in `cuda_plan`; the kernels are
`cuda_kernels`. They are compiled in the first call and cached on disk.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np

from lsm_verify.errors import InputError
from lsm_verify.kernels.columns import (
    OBJECTIVE_KINDS,
    QUANTITIES,
    Columns,
    Objective,
    Sight,
    Size,
    check_gradient,
    size,
)
from lsm_verify.kernels.cuda_arrays import Array, Home, home, on_host, outline
from lsm_verify.kernels.cuda_plan import Plan, compiled, launch, plan
from lsm_verify.quantities import STEFAN_BOLTZMANN


def simulate(
    columns: Columns, insulated: bool, *, at_once: int | None = None
) -> tuple[Array, Array]:
    """Run a batch forward: T (B, S + 1, N + 1) and status (B,), see `cpu.simulate`."""
    with _begin(columns, insulated, None, None, at_once) as run:
        B, N, S, _ = run.shape
        T = run.empty((B, S + 1, N + 1))
        return T, run.forward(T, None, None)


def predict(
    columns: Columns, insulated: bool, sight: Sight, *, at_once: int | None = None
) -> tuple[Array, Array]:
    """Predict the observations (B, K, S + 1) of a batch, see `cpu.predict`."""
    with _begin(columns, insulated, sight, None, at_once) as run:
        y = run.series()
        return y, run.forward(None, y, None)


def score(
    columns: Columns,
    insulated: bool,
    sight: Sight,
    objective: Objective,
    *,
    at_once: int | None = None,
) -> tuple[Array, Array]:
    """Score a batch (B,) by a forward run, see `cpu.score`."""
    with _begin(columns, insulated, sight, objective, at_once) as run:
        J = run.empty((run.shape.batch,))
        return J, run.forward(None, None, J)


def gradient(
    columns: Columns,
    insulated: bool,
    sight: Sight,
    objective: Objective,
    wanted: Iterable[str] = QUANTITIES,
    *,
    checkpoint: int | None = None,
    return_predictions: bool = False,
    at_once: int | None = None,
) -> tuple[Any, ...]:
    """Score a batch and differentiate it, see `cpu.gradient`.

    Parameters
    ----------
    checkpoint : int, optional
        Steps whose states are kept at a time. By default all, where the trajectories of the
        columns that run at once fit into the memory, else about √S.
    at_once : int, optional
        Columns that run at the same time; by default as many as the device holds.
    """
    names = check_gradient(wanted, checkpoint)
    with _begin(columns, insulated, sight, objective, at_once) as run:
        B = run.shape.batch
        results = {
            name: run.empty((B, getattr(columns, name).shape[1]))
            for name in QUANTITIES
            if name in names
        }
        y = run.series() if return_predictions else None
        J, status = run.empty((B,)), run.empty((B,), np.int64)
        how = run.plan("run_gradient", checkpoint)
        segments = tuple(run.take(run.empty((rows,))) for rows in (how.kept, how.marks))
        bars = tuple(run.take(results.get(name), 2) for name in QUANTITIES)
        wants = tuple(int(name in names) for name in QUANTITIES)
        run.launch(
            how, wants, int(return_predictions), run.scratch(how), segments,
            (run.take(y, 3), run.take(J), run.take(status)), bars,
        )  # fmt: skip
    return (J, results, status, y) if return_predictions else (J, results, status)


def tangent(
    columns: Columns, change: Columns, insulated: bool, sight: Sight, *, at_once: int | None = None
) -> tuple[Array, Array, Array]:
    """Predict the observations (B, K, S + 1) and how they change, see `cpu.tangent`."""
    change = change._replace(spacing=columns.spacing, time_step=columns.time_step)
    with _begin(columns, insulated, sight, None, at_once, change) as run:
        y, dy, status = run.series(), run.series(), run.empty((run.shape.batch,), np.int64)
        how = run.plan("run_tangent")
        out = (run.take(y), run.take(dy), run.take(status))
        run.launch(how, tuple(map(run.take, change)), run.scratch(how), out)
        return y, dy, status


# ------------------------------------------------------------------ inside


@dataclass(frozen=True)
class _Run:
    """What the entry points share: the problem on the device, and where its results go."""

    home: Home
    stream: Any
    columns: Columns
    insulated: bool
    sight: Sight | None
    objective: Objective | None
    shape: Size
    dtype: np.dtype[Any]
    at_once: int | None

    def empty(self, shape: tuple[int, ...], dtype: Any = None) -> Array:
        return self.home.empty(shape, self.dtype if dtype is None else dtype)

    def series(self) -> Array:
        return self.empty((self.shape.batch, self.shape.series, self.shape.steps + 1))

    def take(self, array: Array | None, ndim: int = 1) -> Array:
        """Return an array for a kernel; one of size 1 in the place of what is not wanted."""
        return self.home.take(self.empty((1,) * ndim) if array is None else array)

    def plan(self, kernel: str, checkpoint: int | None = None) -> Plan:
        return plan(kernel, self.shape, self.dtype, self.home, self.at_once, checkpoint)

    def scratch(self, how: Plan) -> Array:
        return self.take(self.empty((how.scratch,)))

    def problem(self) -> tuple[Any, ...]:
        epsilon = np.finfo(self.dtype).eps
        numbers = (0.0, 1.0, 0.5, 4.0, STEFAN_BOLTZMANN, np.sqrt(epsilon / 4), np.nan)
        take = self.home.take
        seen, scored = self.sight, self.objective
        dummy = self.empty((1, 1), np.int64)
        return (
            tuple(map(take, self.columns)),
            int(self.insulated),
            (take(self.empty((1,), np.int64)), take(dummy), self.take(None, 2))
            if seen is None
            else tuple(map(take, seen)),
            (0, self.take(None, 3), self.take(None, 3))
            if scored is None
            else (OBJECTIVE_KINDS[scored.kind], take(scored.values), take(scored.weights)),
            tuple(self.dtype.type(number) for number in numbers),
        )

    def forward(self, T: Array | None, y: Array | None, J: Array | None) -> Array:
        """Launch a forward run for the results that are not ``None``; return the status."""
        status = self.empty((self.shape.batch,), np.int64)
        how = self.plan("run_forward")
        wants = tuple(int(each is not None) for each in (T, y, J))
        out = (self.take(T, 3), self.take(y, 3), self.take(J), self.take(status))
        self.launch(how, wants, self.scratch(how), out)
        return status

    def launch(self, how: Plan, *arguments: Any) -> None:
        """Launch a kernel, which takes the problem and the sizes first."""
        kernel = compiled(how.kernel, self.dtype.name, how.shared_bytes > 0)
        sizes = (self.shape.batch, how.threads, self.shape.series, how.length)
        launch(
            kernel, how.threads, self.stream, how.shared_bytes, self.problem(), sizes, *arguments
        )


@contextmanager
def _begin(
    columns: Columns,
    insulated: bool,
    sight: Sight | None,
    objective: Objective | None,
    at_once: int | None,
    change: Columns | None = None,
) -> Iterator[_Run]:
    """Check what was given, and make its device current."""
    if at_once is not None and at_once < 1:
        raise InputError(f"at_once={at_once} must be at least 1 column.")
    if sight is not None:
        kind, index = on_host(sight.kind), on_host(sight.index)
        sight = Sight(kind, index, sight.fraction)
    shape = size(
        Columns(*map(outline, columns)),
        None if sight is None else sight._replace(fraction=outline(sight.fraction)),
        None
        if objective is None
        else Objective(objective.kind, outline(objective.values), outline(objective.weights)),
    )
    if change is not None:
        batch = size(Columns(*map(outline, change))).batch
        shape = shape._replace(batch=max(shape.batch, batch))
    given = (*columns, *(change or ()), *(sight or ()), *(objective or ())[1:])
    where = home(given)
    with where.current() as stream:
        dtype = outline(columns.spacing).dtype
        yield _Run(where, stream, columns, insulated, sight, objective, shape, dtype, at_once)
