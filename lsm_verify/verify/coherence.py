"""Whether the parts of a stored report fit together: what types alone do not tell.

A run gives reports that do; a file that was cut or changed by hand may not, and would be found out
in the middle of a table or a figure.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from lsm_verify.errors import InputError
from lsm_verify.verify.evidence import EnergyCurve, Evidence, StateMap
from lsm_verify.verify.result import PointResult, Report

KINDS = ("adjoint", "tangent", "temperature")
"""Kinds of `StateMap`."""


def require(report: Report) -> None:
    """Refuse a report whose parts contradict each other.

    Raises
    ------
    InputError
        With the path of the field: a point without a value, a row that lacks the gradient or the
        difference of a route, a curve or a map whose lists are not of one length.
    """
    for i, point in enumerate(report.points):
        _point(point, f"points[{i}]")
    _evidence(report.evidence, "evidence")


def _point(point: PointResult, where: str) -> None:
    if not point.values:
        raise InputError(f"{where}.values is empty; the objective by one route or more is wanted.")
    for j, row in enumerate(point.rows):
        lacking = [route for route in point.values if route not in row.gradients]
        if lacking:
            raise InputError(
                f"{where}.rows[{j}].gradients lacks {', '.join(map(repr, lacking))}, of which "
                f"{where}.values has the objective."
            )


def _evidence(found: Evidence, where: str) -> None:
    for i, taylor in enumerate(found.taylor):
        here = f"{where}.taylor[{i}]"
        _same(here, "remainder", taylor.remainder, "steps", taylor.steps)
        if taylor.rate is not None and not taylor.window:
            raise InputError(f"{here}.window is empty; a rate is read from a window.")
    for i, curve in enumerate(found.differences):
        here = f"{where}.differences[{i}]"
        _same(here, "slopes", curve.slopes, "steps", curve.steps)
        if not curve.claimed:
            raise InputError(f"{here}.claimed is empty; a claimed derivative is wanted.")
    for i, each in enumerate(found.maps):
        _map(each, f"{where}.maps[{i}]")
    for i, energy in enumerate(found.energy):
        _energy(energy, f"{where}.energy[{i}]")


def _same(
    where: str, name: str, values: Sequence[object], other: str, wanted: Sequence[object]
) -> None:
    if not wanted:
        raise InputError(f"{where}.{other} is empty; a curve has points.")
    if len(values) != len(wanted):
        raise InputError(
            f"{where}.{name} has {len(values)} entries; {len(wanted)} are wanted, as many as "
            f"{other} has."
        )


def _map(found: StateMap, where: str) -> None:
    if found.kind not in KINDS:
        raise InputError(f"{where}.kind={found.kind!r} must be one of {', '.join(KINDS)}.")
    if len(found.routes) not in (1, 2):
        raise InputError(f"{where}.routes has {len(found.routes)} entries; 1 or 2 are wanted.")
    for name in ("states", "nodes"):
        _edges(where, name, getattr(found, name))
    if found.depths:
        _same(where, "depths", found.depths, "nodes", found.nodes)
    _blocks(where, "values", found.values, len(found.states) - 1)
    for k, row in enumerate(found.values):
        _blocks(where, f"values[{k}]", row, len(found.nodes) - 1)


def _energy(found: EnergyCurve, where: str) -> None:
    _edges(where, "steps", found.steps)
    _blocks(where, "ratio", found.ratio, len(found.steps) - 1)


def _edges(where: str, name: str, edges: Sequence[int]) -> None:
    if len(edges) < 2 or any(later <= before for before, later in pairwise(edges)):
        raise InputError(f"{where}.{name} must be two or more rising indices: edges of blocks.")


def _blocks(where: str, name: str, values: Sequence[object], wanted: int) -> None:
    if len(values) != wanted:
        raise InputError(
            f"{where}.{name} has {len(values)} entries; {wanted} are wanted, one between two edges."
        )
