"""Makes a map of a file, region by region, and says what became of every one."""

from __future__ import annotations

import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lsm_verify.errors import InputError
from lsm_verify.maps import plan as plan_
from lsm_verify.maps import proof, result, source, store
from lsm_verify.maps.block import calibrate_block
from lsm_verify.maps.job import Job, Settings, job_of
from lsm_verify.maps.plan import Plan
from lsm_verify.maps.workers import Workers

PASSED, WRONG, DATA, NOTHING, INTERNAL, INTERRUPTED = 0, 1, 2, 3, 4, 130
"""Exit codes, see `lsm_verify.cli`."""


@dataclass(frozen=True)
class Work:
    """All that a worker needs for a region: paths, and what is asked for."""

    source: str
    target: str
    job: Job
    plan: Plan
    period: tuple[str, str] | None = None
    resume: bool = False


@dataclass(frozen=True)
class Outcome:
    """What became of a region.

    Attributes
    ----------
    region, columns : int
    status : dict
        Columns by the code of their status.
    verified : dict
        Columns by the code of ``gradient_verified``, those that were not sampled left out.
    max_z : float
    wrong : tuple of str
        Sampled columns whose gradient is not verified, with what the check says.
    kept : bool
        Whether it was done by an earlier run.
    error : str
        Empty, or why there is no result.
    trace : str
        Where an error came from that is none of the data.
    """

    region: int
    columns: int
    status: dict[int, int] = field(default_factory=dict)
    verified: dict[int, int] = field(default_factory=dict)
    max_z: float = 0.0
    wrong: tuple[str, ...] = ()
    kept: bool = False
    error: str = ""
    trace: str = ""


def run_region(work: Work, number: int) -> Outcome:
    """Calibrate and write one region, unless that was done; errors become part of the outcome."""
    plan, job = work.plan, work.job
    columns = int(np.prod([b.stop - b.start for b in plan.box(number)]))
    target = store.Store(work.target, job, plan)
    try:
        values = target.read(number) if work.resume else None
        if values is not None:
            return _told(number, columns, values, (), kept=True)
        dataset = _region(work, number)
        numbers = plan.numbers(number)
        block = calibrate_block(dataset, job, numbers)
        target.write(number, block.values)
    except (InputError, OSError) as error:
        return Outcome(number, columns, error=" ".join(str(error).split()))
    except Exception as error:
        text = " ".join(f"{type(error).__name__}: {error}".split())
        return Outcome(number, columns, error=text, trace=traceback.format_exc())
    wrong = tuple(
        f"column {numbers.ravel()[p.column]}: {result.PROVED[p.code]}, {p.message}"
        for p in block.proofs
        if p.code != proof.VERIFIED
    )
    return _told(number, columns, block.values, wrong)


def _region(work: Work, number: int) -> Any:
    """Read what a region needs."""
    box = dict(zip(work.plan.space, work.plan.box(number), strict=True))
    dataset = source.opened(work.source, work.period)[list(work.job.variables)].isel(box)
    try:
        return dataset.load()
    except Exception as error:
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise InputError(f"cannot be read ({reason.rstrip('.')}); get the file again.") from None


def _told(
    number: int, columns: int, values: dict[str, NDArray[Any]], wrong: tuple[str, ...], *,
    kept: bool = False,
) -> Outcome:  # fmt: skip
    verified = Counter(values["gradient_verified"].ravel().tolist())
    del verified[proof.NOT_SAMPLED]
    z = values["max_z"][np.isfinite(values["max_z"])]
    return Outcome(
        number, columns, dict(Counter(values["status"].ravel().tolist())), dict(verified),
        float(np.max(z, initial=0.0)), wrong, kept,
    )  # fmt: skip


# ------------------------------------------------------------------ all regions


@dataclass(frozen=True)
class Mapped:
    """What became of a map.

    Attributes
    ----------
    work : Work
    outcomes : tuple of Outcome
        Of the regions that were done or failed, in their order.
    seconds : float
        Wall-clock time from the first region to the last.
    workers : str
        What did it, in words.
    interrupted : bool
    """

    work: Work
    outcomes: tuple[Outcome, ...]
    seconds: float
    workers: str
    interrupted: bool = False

    @property
    def failed(self) -> tuple[Outcome, ...]:
        """Regions without a result."""
        return tuple(each for each in self.outcomes if each.error)

    def count(self, what: str) -> Counter[int]:
        """Columns of all regions by the codes of their ``status`` or of being ``verified``."""
        total: Counter[int] = Counter()
        for each in self.outcomes:
            total.update(getattr(each, what))
        return total

    @property
    def wrong(self) -> tuple[str, ...]:
        """Sampled columns whose gradient is not verified."""
        return tuple(text for each in self.outcomes for text in each.wrong)

    @property
    def max_z(self) -> float:
        """Largest difference of two routes over all columns that were sampled."""
        return max((each.max_z for each in self.outcomes), default=0.0)

    @property
    def exit_code(self) -> int:
        """The most serious of what there is: a wrong gradient, an error of ours, of the data."""
        from lsm_verify.kernels import marquardt

        if self.interrupted:
            return INTERRUPTED
        verified = self.count("verified")
        if verified[proof.WRONG]:
            return WRONG
        if self.failed:
            return INTERNAL if any(each.trace for each in self.failed) else DATA
        if not self.count("status")[marquardt.CONVERGED]:
            return NOTHING
        asked = self.work.job.settings.verify > 0
        return NOTHING if asked and not verified[proof.VERIFIED] else PASSED


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
    if there:
        plan = store.go_on(target, dataset, job)
    else:
        room = plan_.memory_per_worker(workers.count) if memory is None else memory
        plan = plan_.plan_of(dataset, job, columns=columns, memory=room)
        store.create(target, dataset, job, plan)
    work = Work(str(given.resolve()), str(target.resolve()), job, plan, period, resume=there)
    planned(plan)
    began, found, interrupted = time.monotonic(), [], False
    try:
        for outcome in workers.map(run_region, work, range(plan.regions), _lost):
            found.append(outcome)
            announce(outcome)
    except KeyboardInterrupt:
        interrupted = True
    outcomes = tuple(sorted(found, key=lambda each: each.region))
    mapped = Mapped(work, outcomes, time.monotonic() - began, str(workers), interrupted)
    if not interrupted:
        failed = [{"region": e.region, "error": e.error} for e in mapped.failed]
        store.Store(work.target, job, plan).note(failed)
    return mapped


def _lost(work: Work, number: int, reason: str) -> Outcome:
    """Outcome of a region that took its worker with it, again and again."""
    box: Iterable[slice] = work.plan.box(number)
    columns = int(np.prod([b.stop - b.start for b in box]))
    return Outcome(number, columns, error=f"its worker died {reason}", trace=reason)
