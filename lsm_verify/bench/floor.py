"""The least time that the arithmetic and the memory traffic of a run take on a machine.

Operations are counted by running the kernels' own per-node arithmetic on numbers that count. A
fused multiply-add, an addition, a multiplication and a division each count as one operation of the
multiply-add units, though a division takes many times as long. Bytes are those that must pass
between the processor and its memory, every array once: inputs, results, and on a GPU the
trajectory, which is written by the forward run and read by the adjoint. On a CPU blocks of columns
are meant to stay in the cache between the two, so that their trajectory costs no traffic.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any, NamedTuple

import numpy as np

from lsm_verify.bench.workloads import Workload
from lsm_verify.cases.twin import DEPTHS
from lsm_verify.kernels import node
from lsm_verify.kernels.binding import bind

NEWTON_STEPS = 3
"""The least that was seen to reach round-off from the old temperature."""

DESCENT_ITERATIONS = 150


class Counted:
    """A number that counts the operations done with it and its like."""

    operations = 0

    def _count(self, *_: Any) -> Counted:
        Counted.operations += 1
        return self

    __add__ = __radd__ = __sub__ = __rsub__ = __mul__ = __rmul__ = _count
    __truediv__ = __rtruediv__ = _count

    def __neg__(self) -> Counted:
        """Count nothing: a sign is folded into the operation that takes the number."""
        return self


def count(function: Callable[..., Any], arguments: int) -> int:
    """Operations of one call of a function of so many numbers."""
    x = Counted()
    Counted.operations = 0
    function(*[x] * arguments)
    return Counted.operations


@dataclass(frozen=True)
class Work:
    """Operations of one column: ``node`` per inner node and step, ``step`` per step."""

    node: int
    step: int

    def __add__(self, other: Work) -> Work:
        return Work(self.node + other.node, self.step + other.step)

    def total(self, nodes: int, steps: int) -> int:
        """Operations of a whole run."""
        return steps * (nodes * self.node + self.step)


@cache
def operations(mode: str) -> Work:
    """Operations of a mode, counted on `lsm_verify.kernels.node`.

    The elimination is done once for all steps and not counted, nor is what only some columns
    need: interpolation between nodes, and quantities that vary.
    """
    n = bind([node], {"fma": lambda x, y, z: Counted._count(x)})
    series = len(DEPTHS)
    forward = Work(
        node=count(n.rise, 4) + count(n.sink, 3),
        step=count(n.balance, 9) + NEWTON_STEPS * (count(n.newton, 5) + 1),
    )
    misfit = Work(0, 2 * series)  # a difference, a multiply-add
    if mode == "simulate":
        return forward
    if mode == "score":
        return forward + misfit
    if mode == "tangent":
        along = Work(
            node=count(n.rise_tangent, 8) + count(n.conduction_change, 3) + 2 + count(n.sink, 3),
            step=count(n.surface_slope, 3) + count(n.forced_change, 5) + 6,
        )
        return forward + along
    backward = Work(
        node=count(n.rise, 4)
        + count(n.sink, 3)
        + count(n.conductivity_term, 5)
        + count(n.capacity_term, 4),
        # The seed of every series, μ_0, and the sums of ∂J/∂α, ∂J/∂H and ∂J/∂T_b.
        step=series + count(n.surface_adjoint, 7) + 2 + 2 + count(n.bottom_adjoint, 4),
    )
    again = Work(0, 0) if mode != "checkpointed" else forward
    return forward + misfit + backward + again


def traffic(work: Workload, mode: str, dtype: str, device: str) -> int:
    """Bytes between processor and memory."""
    size = np.dtype(dtype).itemsize
    states = work.batch * (work.steps + 1) * (work.nodes + 1)
    numbers = 6 * work.batch + work.steps + work.values.size
    if mode in ("score", "gradient", "checkpointed", "descent"):
        numbers += work.batch * (1 if mode == "score" else 7)
    if mode == "tangent":
        numbers += 6 * work.batch + 2 * work.batch * len(DEPTHS) * (work.steps + 1)
    if mode == "simulate":
        numbers += states
    if mode in ("gradient", "descent") and device == "cuda":
        numbers += 2 * states
    return size * numbers * (DESCENT_ITERATIONS if mode == "descent" else 1)


class Rates(NamedTuple):
    """What the machine does per second."""

    operations: float
    bytes: float


class Floor(NamedTuple):
    """Counts of one run and the least time that they take."""

    operations: int
    bytes: int
    seconds: float
    bound: str  #: "arithmetic" or "memory"


def floor(work: Workload, mode: str, dtype: str, device: str, rates: Rates) -> Floor:
    """Return the floor of a run: the longer of its arithmetic and its traffic."""
    runs = DESCENT_ITERATIONS if mode == "descent" else 1
    done = runs * work.batch * operations(mode).total(work.nodes, work.steps)
    moved = traffic(work, mode, dtype, device)
    arithmetic, memory = done / rates.operations, moved / rates.bytes
    bound = "arithmetic" if arithmetic >= memory else "memory"
    return Floor(done, moved, max(arithmetic, memory), bound)
