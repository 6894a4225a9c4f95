"""The catalogue of mutants, by name."""

from __future__ import annotations

from lsm_verify.mutants import (
    in_adjoint,
    in_chain_rule,
    in_data_path,
    in_objective,
    in_second_order,
    in_tangent,
    in_torch,
)
from lsm_verify.mutants.mutant import SMALL_TWIN, Mutant, Site

PARTS: tuple[tuple[Mutant, ...], ...] = (
    in_adjoint.MUTANTS,
    in_tangent.MUTANTS,
    in_torch.MUTANTS,
    in_objective.MUTANTS,
    in_chain_rule.MUTANTS,
    in_data_path.MUTANTS,
    in_second_order.MUTANTS,
)

MUTANTS: dict[str, Mutant] = {mutant.name: mutant for part in PARTS for mutant in part}
"""Every mutant by its name."""


def neighbours() -> dict[Site, tuple[str, ...]]:
    """Return every site with the names of the mutants there.

    Mutants at one site share their equivalent neighbour, so it runs once for all of them.
    """
    found: dict[Site, tuple[str, ...]] = {}
    for name, mutant in MUTANTS.items():
        found[mutant.site] = (*found.get(mutant.site, ()), name)
    return found


def thorough() -> frozenset[str]:
    """Names of the mutants on which every check runs: one of each part, and those in need.

    The checks that ``verify(…, fast=True)`` leaves out take four times as long as all others.
    """
    first: dict[str, str] = {}
    for name, mutant in MUTANTS.items():
        if mutant.workload == SMALL_TWIN:
            first.setdefault(mutant.part, name)
    return frozenset(first.values()) | {name for name, m in MUTANTS.items() if m.full}
