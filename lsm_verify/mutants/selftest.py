"""Run the catalogue: every mutant must die for the right reason, every neighbour live."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

from lsm_verify.errors import InputError, NoSolutionError, unknown
from lsm_verify.mutants.catalogue import MUTANTS, neighbours, thorough
from lsm_verify.mutants.limits import LIMIT_SIZES, limits
from lsm_verify.mutants.mutant import Mutant, Place, Site
from lsm_verify.mutants.outcome import MutantOutcome, NeighbourOutcome, SelfTest
from lsm_verify.mutants.world import Change, World

WORKLOADS = "lsm_verify.mutants.workloads"

VALUE = "the objective's value differs"
"""Words of the agreement check for a wrong value."""

STOPPED = "STOPPED"

Announce = Callable[[str], None]


def selftest(
    names: Sequence[str] | None = None,
    *,
    seed: int = 0,
    full: bool = False,
    with_limits: bool = True,
    announce: Announce = lambda message: None,
) -> SelfTest:
    """Run mutants, their neighbours and the search for the limits of detection.

    Parameters
    ----------
    names : sequence of str, optional
        Mutants to run, or beginnings of their names (``adjoint``); default: all.
    seed : int
        Seed of the draws of every run.
    full : bool
        Whether every check runs on every mutant and neighbour; otherwise on one mutant of each
        part, on those made for them, and on one neighbour of each module, and on all others those
        of ``verify(…, fast=True)``.
    with_limits : bool
        Whether the smallest error is searched that every check sees.
    announce : callable
        Called with a line of text before each run.

    Returns
    -------
    SelfTest
        Outcomes, kill matrix, survivors and limits.

    Raises
    ------
    InputError
        If a name fits no mutant.
    """
    begin = time.perf_counter()
    chosen = choose(names)
    every = frozenset(chosen) if full else thorough()
    outcomes = []
    for index, name in enumerate(chosen):
        announce(f"mutant {index + 1} of {len(chosen)}: {name}")
        outcomes.append(judge_mutant(MUTANTS[name], seed=seed, full=name in every))
    near = {
        site: [name for name in theirs if name in chosen] for site, theirs in neighbours().items()
    }
    near = {site: theirs for site, theirs in near.items() if theirs}
    lived = []
    modules: set[str] = set()
    for index, (site, theirs) in enumerate(near.items()):
        announce(f"neighbour {index + 1} of {len(near)}: {site.within} of {site.module}")
        first = site.module not in modules
        modules.add(site.module)
        lived.append(judge_neighbour(site, theirs, seed=seed, full=full or first))
    return SelfTest(
        mutants=tuple(outcomes),
        neighbours=tuple(lived),
        limits=limits(seed=seed, announce=announce) if with_limits else (),
        sizes=LIMIT_SIZES if with_limits else (),
        seed=seed,
        seconds=time.perf_counter() - begin,
    )


def choose(names: Sequence[str] | None) -> tuple[str, ...]:
    """Return the mutants that names, or beginnings of names, stand for; all if none is given."""
    if names is None:
        return tuple(MUTANTS)
    if isinstance(names, str):
        raise InputError(f"names={names!r} must be a list of names, not one; give [{names!r}].")
    for name in names:
        if not any(each.startswith(name) for each in MUTANTS):
            beginnings = dict.fromkeys(each.partition(":")[0] for each in MUTANTS)
            raise unknown("mutant", name, [*beginnings, *MUTANTS])
    return tuple(each for each in MUTANTS if each.startswith(tuple(names)))


@contextmanager
def running(change: Change, workload: str, *, seed: int, full: bool) -> Iterator[Callable[[], Any]]:
    """Make a world with one change; yields a function that verifies the case there."""
    with World(change) as world:

        def verify() -> Any:
            case = world.module(WORKLOADS).WORKLOADS[workload]()
            run = world.module("lsm_verify.verify.run")
            return run.verify(case, points=0, seed=seed, fast=not full)

        yield verify


def judge_mutant(mutant: Mutant, *, seed: int = 0, full: bool = False) -> MutantOutcome:
    """Plant one error and compare what the checks say with what is known of it."""
    begin = time.perf_counter()
    report = None
    # A wrong model may well overflow on its way; that is not what is asked here.
    with (
        running(mutant.change, mutant.workload, seed=seed, full=full or mutant.full) as verify,
        np.errstate(all="ignore"),
    ):
        try:
            report = verify()
        except NoSolutionError:
            verdict, exit_code = STOPPED, 2
    if report is not None:
        verdict, exit_code = report.verdict.value, report.exit_code
    checks = () if report is None else report.checks
    failed = [c for c in checks if c.verdict.value == "FAIL"]
    gate = [c for c in failed if c.check == "agreement"]
    blamed = tuple(dict.fromkeys(c.odd_one_out for c in gate if c.odd_one_out))
    parameters = tuple(dict.fromkeys(name for c in gate for name in c.parameters))
    said, where = _location(failed, mutant.place)
    lone = len(mutant.culprits) == 1
    return MutantOutcome(
        name=mutant.name,
        part=mutant.part.value,
        kind=mutant.kind.value,
        module=mutant.site.module,
        workload=mutant.workload,
        size=mutant.size,
        must_die=mutant.must_die,
        verdict=verdict,
        exit_code=exit_code,
        ran=tuple(dict.fromkeys(c.check for c in checks)),
        killed_by=tuple(dict.fromkeys(c.check for c in failed)),
        blamed=blamed,
        guilty_right=set(blamed) == mutant.culprits if gate and lone else None,
        parameters=parameters,
        parameters_right=_named(mutant, parameters) if gate else None,
        value_right=_value(mutant, gate),
        location=said,
        location_right=where if failed else None,
        seconds=time.perf_counter() - begin,
    )


def judge_neighbour(
    site: Site, mutants: Sequence[str], *, seed: int = 0, full: bool = False
) -> NeighbourOutcome:
    """Put other arithmetic in the place of errors; nothing may fail.

    It runs on the case of the first of the mutants there, which has the term concerned.
    """
    begin = time.perf_counter()
    change, workload = site.neighbour, MUTANTS[mutants[0]].workload
    with running(change, workload, seed=seed, full=full) as verify:
        report = verify()
    return NeighbourOutcome(
        module=change.module,
        within=change.rewrite.within,
        new=change.rewrite.new,
        workload=workload,
        mutants=tuple(mutants),
        ran=tuple(dict.fromkeys(c.check for c in report.checks)),
        verdict=report.verdict.value,
        exit_code=report.exit_code,
        failed=tuple(dict.fromkeys(c.check for c in report.checks if c.verdict.value == "FAIL")),
        seconds=time.perf_counter() - begin,
    )


def _named(mutant: Mutant, parameters: Sequence[str]) -> bool:
    if mutant.only:
        return set(parameters) == mutant.named
    return mutant.named <= set(parameters)


def _value(mutant: Mutant, gate: Sequence[Any]) -> bool | None:
    if not gate or mutant.value is None:
        return None
    return any(VALUE in c.message for c in gate) == mutant.value


def _location(failed: Sequence[Any], place: Place | None) -> tuple[str, bool | None]:
    """Say what the failed checks say of the place, and whether that is right.

    The probe objective has signal everywhere, so what was found there counts first.
    """
    found = [c for c in failed if getattr(c, "location", None) is not None]
    found.sort(key=lambda c: c.objective != "probe")
    if not found:
        return "", None if place is None else False
    location = found[0].location
    if place is None:
        return location.sentence, None
    right = (
        place.step in (None, location.step)
        and place.node in (None, location.node)
        and (not place.terms or location.term in place.terms)
    )
    return location.sentence, right
