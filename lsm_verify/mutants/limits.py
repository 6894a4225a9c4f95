"""The limit of detection: the smallest error in one step's emission that each check sees."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from lsm_verify.mutants import in_adjoint, in_tangent, in_torch
from lsm_verify.mutants.mutant import SMALL_TWIN, Site
from lsm_verify.mutants.outcome import Limit
from lsm_verify.mutants.world import Change, World

LIMIT_SIZES = tuple(10.0**-k for k in range(4, 15))
"""Relative sizes tried, from above."""

SLOW = 2
"""Checks that ``verify(…, fast=True)`` leaves out are tried at every second size."""

STEP = 11
"""Step of the small twin in which the error stands."""

PROBES: dict[str, tuple[Site, str]] = {
    "adjoint": (
        in_adjoint.EMISSION,
        f"(1 + PLANTED.size * (n == PLANTED.step)) * ({in_adjoint.EMISSION.old})",
    ),
    "tangent": (
        in_tangent.EMISSION,
        f"(1 + PLANTED.size * (n == PLANTED.step)) * ({in_tangent.EMISSION.old})",
    ),
    "torch": (
        in_torch.ROOT_CALL,
        "surface_root(c1, (1 + PLANTED.size * (n == PLANTED.step)) * c4, load, T[:, 0], step=n)",
    ),
}
"""Part to place and error, whose size and step are read from a name in the module."""


class Planted:
    """An error whose size and step are set while its world exists."""

    def __init__(self, size: float = 0.0, step: int = STEP) -> None:
        self.size = size
        self.step = step


def planted_world(part: str) -> tuple[World, Planted]:
    """Return a world with an error in the emission of one part, and the handle to its size."""
    site, new = PROBES[part]
    planted = Planted()
    change: Change = site.becomes(new)
    return World(change, names={change.module: {"PLANTED": planted}}), planted


def limits(
    *,
    seed: int = 0,
    workload: str = SMALL_TWIN,
    announce: Callable[[str], None] = lambda message: None,
) -> tuple[Limit, ...]:
    """Search for every part, check and number type the smallest size that the check fails on.

    Sizes fall by tens until no check sees anything. Which size a check saw is what counts: a check
    that misses 1e-6 by chance and sees 1e-7 has seen 1e-7.
    """
    found: list[Limit] = []
    for part in PROBES:
        smallest: dict[tuple[str, str], float | None] = {}
        world, planted = planted_world(part)
        with world:
            quick = {(c.check, c.dtype) for c in _checks(world, workload, seed, fast=True)}
            reached = False
            for index, size in enumerate(LIMIT_SIZES):
                announce(f"limit of detection: {part}, emission of one step by {size:g}")
                planted.size = size
                fast = reached or index % SLOW != 0
                checks = _checks(world, workload, seed, fast=fast)
                for check in checks:
                    smallest.setdefault((check.check, check.dtype), None)
                failed = {(c.check, c.dtype) for c in checks if c.verdict.value == "FAIL"}
                smallest |= dict.fromkeys(failed, size)
                if not failed:
                    break
                reached |= not fast and failed <= quick  # no slow check saw anything
        found += [Limit(part, check, dtype, size) for (check, dtype), size in smallest.items()]
    return tuple(found)


def _checks(world: World, workload: str, seed: int, *, fast: bool) -> tuple[Any, ...]:
    case = world.module("lsm_verify.mutants.workloads").WORKLOADS[workload]()
    report = world.module("lsm_verify.verify.run").verify(case, points=0, seed=seed, fast=fast)
    return tuple(report.checks)
