"""Who is timed: the kernels, and what else computes the same objective and gradient.

A peer is a module with `Peer` objects. It prepares a call, which is checked and then timed; all
that a user would do once (compile, load, place on the device, choose an elimination) belongs to
the preparation, all that depends on the parameters to the call.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any, NamedTuple

from numpy.typing import NDArray

from lsm_verify.bench.workloads import Workload
from lsm_verify.errors import unknown

Array = NDArray[Any]

MODES = ("score", "gradient", "checkpointed", "tangent", "simulate", "descent")
"""The objective alone; with its gradient by the six parameters; the same from checkpoints, no
trajectory kept; predictions and their change along a direction; all temperatures; 150 iterations of
Adam."""


class Outcome(NamedTuple):
    """What a call computed, for the check before it is timed; ``None``: not asked for."""

    value: Array | None = None  #: (batch,)
    gradient: Array | None = None  #: (batch, 6) in the order of `workloads.NAMES`
    tangent: Array | None = None  #: (batch, 2, steps + 1) [K]
    trajectory: Array | None = None  #: (batch, steps + 1, nodes + 1) [K]


@dataclass(frozen=True)
class Setting:
    """How a row is run."""

    mode: str = "gradient"
    dtype: str = "float64"
    threads: int = 1
    device: str = "cpu"


@dataclass(frozen=True)
class Prepared:
    """A call to be timed.

    ``run`` does the work once and returns whatever it returns; ``outcome`` reads that. On a GPU
    ``run`` need not wait for the device. ``info`` is stored with the row, once it has run.
    """

    run: Callable[[], Any]
    outcome: Callable[[Any], Outcome]
    info: Callable[[], dict[str, Any]] = dict
    close: Callable[[], None] = lambda: None


@dataclass(frozen=True)
class Peer:
    """One way to compute the same.

    Attributes
    ----------
    name, description : str
        As in rows and tables.
    tolerance : mapping
        Largest relative error against the oracle, per dtype, above which a row is refused.
    modes, devices : tuple of str
        What it covers.
    missing : callable
        Why it cannot be run here so and what to install, or ``None``.
    prepare : callable
        From a workload and a setting to the call.
    rounds : int, optional
        So many rounds and no more, for what takes minutes.
    threaded : bool
        Whether it can be told how many threads to use; else it takes all.
    fits : callable
        Whether a workload is within its means (memory, compile time).
    """

    name: str
    description: str
    tolerance: dict[str, float]
    modes: tuple[str, ...]
    prepare: Callable[[Workload, Setting], Prepared]
    missing: Callable[[Setting], str | None] = lambda setting: None
    devices: tuple[str, ...] = ("cpu",)
    rounds: int | None = None
    threaded: bool = True
    fits: Callable[[Workload], bool] = field(default=lambda workload: True)


EXACT = {"float64": 1e-9, "float32": 2e-2}
"""Errors allowed to a direct solve, relative to the objective and to the gradient's norm in the
parameters' scales. They guard against a wrong answer, not against round-off, for which the ±1-ulp
rule of the kernels' own tests is far sharper. Measured: up to 3e-12 on the twin and 9e-12 with
10,000 nodes in float64, both sides' round-off together; up to 4e-3 on the twin in float32, whose
temperatures carry 1e-3 K of error against misfits of some 1 K."""

_MODULES = ("kernel", "c", "jax_scan", "torch_eager", "torch_compiled", "published")


def peers() -> dict[str, Peer]:
    """Return all peers by name; loads none of the libraries that they need."""
    found: dict[str, Peer] = {}
    for module in _MODULES:
        for peer in import_module(f"{__name__}.{module}").PEERS:
            found[peer.name] = peer
    return found


def get_peer(name: str) -> Peer:
    """Return a peer by name."""
    known = peers()
    if name not in known:
        raise unknown("peer", name, known)
    return known[name]
