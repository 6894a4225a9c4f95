"""Makes a map of a file, region by region, and says what became of every one."""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lsm_verify.errors import InputError
from lsm_verify.files import alone
from lsm_verify.maps import plan as plan_
from lsm_verify.maps import source, store
from lsm_verify.maps.block import calibrate_block
from lsm_verify.maps.job import Job, Settings, job_of
from lsm_verify.maps.mapped import Mapped
from lsm_verify.maps.outcome import Outcome, outcome_of
from lsm_verify.maps.plan import Plan
from lsm_verify.maps.workers import Workers


@dataclass(frozen=True)
class Work:
    """All that a worker needs for a region: paths, and what is asked for."""

    source: str
    target: str
    job: Job
    plan: Plan
    period: tuple[str, str] | None = None
    resume: bool = False


def run_region(work: Work, number: int) -> Outcome:
    """Calibrate and write one region, unless that was done; errors become part of the outcome."""
    plan, job = work.plan, work.job
    numbers = plan.numbers(number)
    target = store.Store(work.target, job, plan)
    try:
        dataset = _region(work, number)
        given = source.digest(dataset)
        values = target.read(number, given) if work.resume else None
        if values is not None:
            return outcome_of(number, values, numbers, job)
        block = calibrate_block(dataset, job, numbers)
        target.write(number, block.values, given)
    except (InputError, OSError) as error:
        return Outcome(number, numbers.size, error=" ".join(str(error).split()))
    except Exception as error:
        text = " ".join(f"{type(error).__name__}: {error}".split())
        return Outcome(number, numbers.size, error=text, trace=traceback.format_exc())
    return outcome_of(number, block.values, numbers, job, block)


def _region(work: Work, number: int) -> Any:
    """Read what a region needs."""
    box = dict(zip(work.plan.space, work.plan.box(number), strict=True))
    dataset = source.opened(work.source, work.period)[list(work.job.variables)].isel(box)
    try:
        return dataset.load()
    except Exception as error:
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise InputError(f"cannot be read ({reason.rstrip('.')}); get the file again.") from None


Announce = Callable[[Outcome], None]


def make_map(
    given: Path,
    target: Path,
    settings: Settings,
    workers: Workers,
    *,
    columns: int | None = None,
    memory: int | None = None,
    period: tuple[str, str] | None = None,
    resume: bool = False,
    planned: Callable[[Plan], None] = lambda plan: None,
    announce: Announce = lambda outcome: None,
) -> Mapped:
    """Calibrate every column of a file into a Zarr store.

    Parameters
    ----------
    given, target : Path
        netCDF file or Zarr store to read, Zarr store to write.
    settings : Settings
        What is asked for.
    workers : Workers
        Who does it.
    columns, memory : int, optional
        Most columns of a region, and bytes that it may take.
    period : pair of str, optional
        First and last time that are read.
    resume : bool
        Whether to go on with a store that is there.
    planned, announce : callable
        Told of the plan, and of every region that is done or failed.

    Raises
    ------
    InputError
        If the file cannot be read or does not hold what is needed, or the store cannot be written.
    """
    source.check_source(given)
    there = store.check_new(target, resume)
    dataset = source.opened(str(given.resolve()), period)
    job = job_of(dataset, settings)
    room = memory

    def planned_anew() -> Plan:
        free = plan_.memory_per_worker(workers) if room is None else room
        return plan_.plan_of(dataset, job, columns=columns, memory=free)

    if not there:
        store.create(target, dataset, job, planned_anew())
    with alone(target, wait=False):
        plan = store.go_on(target, dataset, job)
        if there and (columns, memory) != (None, None) and planned_anew().chunk != plan.chunk:
            raise InputError(
                f"{target} was begun in regions of {' × '.join(map(str, plan.chunk))} columns; "
                "leave --chunk and --memory out, or give what was given then."
            )
        work = Work(str(given.resolve()), str(target.resolve()), job, plan, period, resume=there)
        planned(plan)
        return _make(work, workers, announce)


def _make(work: Work, workers: Workers, announce: Announce) -> Mapped:
    """Do all regions, and keep in the store which of them failed."""
    plan, job = work.plan, work.job
    target = store.Store(work.target, job, plan)
    began, found, interrupted, trouble = time.monotonic(), [], False, ""
    try:
        for outcome in workers.map(run_region, work, range(plan.regions), _lost):
            found.append(outcome)
            announce(outcome)
    except KeyboardInterrupt:
        interrupted = True
    seconds = time.monotonic() - began
    if interrupted:  # what was running then has ended meanwhile
        known = {each.region for each in found}
        for number in (n for n in target.done() if n not in known):
            values = target.read(number, None)
            if values is not None:
                found.append(outcome_of(number, values, plan.numbers(number), job))
    outcomes = tuple(sorted(found, key=lambda each: each.region))
    failed = [{"region": e.region, "error": e.error} for e in outcomes if e.error]
    if not interrupted:
        try:
            target.note(failed)
        except (OSError, ValueError) as error:
            trouble = f"which regions failed could not be kept in {work.target}: {error}"
    return Mapped(
        work.source, work.target, job, plan, outcomes, seconds, str(workers), interrupted, trouble
    )


def _lost(work: Work, number: int, reason: str) -> Outcome:
    """Outcome of a region that no worker brought to an end."""
    return Outcome(number, work.plan.numbers(number).size, error=reason, trace=reason)
