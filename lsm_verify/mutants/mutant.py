"""What a mutant is: a place, what it becomes, and what the checks must say of it."""

from __future__ import annotations

from collections.abc import Callable, Set
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from lsm_verify.mutants.rewrite import Rewrite
from lsm_verify.mutants.world import Change


class Part(StrEnum):
    """Which part of the derivation is wrong."""

    ADJOINT = "adjoint"
    TANGENT = "tangent"
    TORCH = "torch"
    OBJECTIVE = "objective"
    CHAIN_RULE = "chain rule"
    DATA_PATH = "data path"
    SECOND_ORDER = "second order"


class Kind(StrEnum):
    """What kind of mistake it is."""

    SIGN = "sign"
    FACTOR = "wrong factor"
    DROPPED = "dropped term"
    TIME_STEP = "Δt of another step"
    STALE = "stale linearisation"
    STEP = "off by one step"
    NODE = "off by one node"
    UNTRANSPOSED = "untransposed coefficient"
    BOUNDARY = "dropped boundary contribution"
    DETACHED = "detached parameter"
    SINGLE = "single precision on the way"
    CHAIN = "wrong chain rule"
    CELL = "one cell"
    LATE = "late observation"
    FORCING = "shifted forcing"
    WEIGHTS = "wrong weights"
    NORM = "wrong normalisation"
    UNIT = "wrong unit"
    COLUMN = "wrong column of data"
    LEAK = "leak between columns"
    NOISE = "not repeatable"


SURFACE = frozenset({"albedo", "heat_transfer_coefficient", "bowen_ratio"})
SOIL = frozenset({"thermal_conductivity", "volumetric_heat_capacity", "bottom_temperature"})
ALL = SURFACE | SOIL
"""Free parameters of the small twin."""

ORACLE = frozenset({"adjoint", "tangent", "complex-step"})
"""Routes through the oracle that the gate compares."""

TORCH = frozenset({"autograd", "fused"})
"""Routes of the gate that begin with the tensors of `lsm_verify.models.column`."""

SMALL_TWIN, SHORT_LAYERED, SEALED_KNOTS = "small-twin", "short-layered", "sealed-knots"
"""Names of the workloads."""

SIZES = (1e-4, 1e-6, 1e-8, 1e-10)
"""Relative sizes of the errors in one cell."""

LAST = {SMALL_TWIN: 19, SHORT_LAYERED: 11}
"""Last step of a workload: backward in time, the first at which the states of routes can part."""

CELL = {SMALL_TWIN: 11, SHORT_LAYERED: 7}
"""Step in which one cell is wrong; by day."""

CELL_SIZES = tuple((size, SMALL_TWIN if size >= 1e-6 else SHORT_LAYERED) for size in SIZES)
"""Errors in one cell: relative size and workload. Numbers per step dilute the small ones less."""


@dataclass(frozen=True)
class Site:
    """A place in a module, and the same value in other arithmetic.

    Parameters
    ----------
    module : str
        Public name.
    within : str
        Function or method in which the place stands.
    old : str
        The expression or statement that stands there.
    same : str
        What has the same value, up to round-off: the equivalent neighbour of every mutant here.
    """

    module: str
    within: str
    old: str
    same: str

    def becomes(self, new: str) -> Change:
        """Return the change of this place to ``new``."""
        return Change(self.module, Rewrite(self.old, new, self.within))

    @property
    def neighbour(self) -> Change:
        """The change that changes no value."""
        return self.becomes(self.same)


@dataclass(frozen=True)
class Place:
    """Where a localisation must find the error; ``None`` where it need not say.

    ``terms``: what it may be called, any of them.
    """

    step: int | None
    node: int | None
    terms: tuple[str, ...]


@dataclass(frozen=True)
class Mutant:
    """One planted error.

    Parameters
    ----------
    name : str
        Part and what is wrong, in words; unique.
    part, kind : Part, Kind
        Where and what.
    site : Site
        The place.
    new : str
        What stands there instead.
    culprits : frozenset of str
        The gate's routes that carry the error. One alone must be named; of several the gate can
        but say which routes stand against which.
    named : frozenset of str
        Parameters that must be named as affected.
    only : bool
        Whether no others may be.
    workload : str
        Case on which it runs.
    value : bool, optional
        Whether the objective itself is wrong, not its gradient alone; ``None`` where its error is
        near what can be seen.
    size : float, optional
        Relative size, where the error is a small one; of the order of one if ``None``.
    place : Place, optional
        Where the error is, if the states of the routes tell.
    full : bool
        Whether it is made for the checks that ``verify(…, fast=True)`` leaves out.
    """

    name: str
    part: Part
    kind: Kind
    site: Site
    new: str
    culprits: frozenset[str]
    named: frozenset[str] = frozenset()
    only: bool = False
    workload: str = SMALL_TWIN
    value: bool | None = False
    size: float | None = None
    place: Place | None = None
    full: bool = False

    @property
    def change(self) -> Change:
        """The error as a change of a module."""
        return self.site.becomes(self.new)

    @property
    def must_die(self) -> bool:
        """Whether a checker must see it: all but cells below the promised size."""
        return self.size is None or self.size >= PROMISED


PROMISED = 1e-6
"""Relative size from which every mutant must be killed in double precision."""


def planting(part: Part, *culprits: str, **usual: Any) -> Callable[..., Mutant]:
    """Return what makes the mutants of a part: ``wrong(name, kind, site, new, named, …)``.

    ``culprits`` carry the error unless a mutant names others; ``usual`` are further fields of
    `Mutant` that most mutants of the part share.
    """

    def wrong(
        name: str,
        kind: Kind,
        site: Site,
        new: str,
        named: Set[str] = frozenset(),
        carriers: Set[str] = frozenset(culprits),
        **more: Any,
    ) -> Mutant:
        return Mutant(
            f"{part}: {name}",
            part,
            kind,
            site,
            new,
            frozenset(carriers),
            frozenset(named),
            **{**usual, **more},
        )

    return wrong


def cell(expression: str, where: str, size: float) -> str:
    """Return the expression, too large by a relative ``size`` where a condition holds."""
    return f"(1 + {size!r} * ({where})) * ({expression})"
