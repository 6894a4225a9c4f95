"""What became of a map."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from lsm_verify.maps import proof
from lsm_verify.maps.job import Job
from lsm_verify.maps.outcome import Outcome, Tally, joined
from lsm_verify.maps.plan import Plan

PASSED, WRONG, DATA, NOTHING, INTERNAL, INTERRUPTED = 0, 1, 2, 3, 4, 130
"""Exit codes, see `lsm_verify.cli`."""


@dataclass(frozen=True)
class Mapped:
    """What became of a map.

    Attributes
    ----------
    source, target : str
        File and store.
    job, plan : Job, Plan
        What was asked for, and its regions.
    outcomes : tuple of Outcome
        Of the regions that were done or failed, in their order.
    seconds : float
        Wall-clock time from the first region to the last.
    workers : str
        What did it, in words.
    interrupted : bool
    trouble : str
        What went wrong beside the regions; empty if nothing did.
    """

    source: str
    target: str
    job: Job
    plan: Plan
    outcomes: tuple[Outcome, ...]
    seconds: float
    workers: str
    interrupted: bool = False
    trouble: str = ""

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

    def tally(self, name: str) -> Tally:
        """Tally of a variable over all regions."""
        return joined(each.tallies[name] for each in self.outcomes if name in each.tallies)

    @property
    def wrong(self) -> tuple[str, ...]:
        """Sampled columns whose gradient is not verified."""
        return tuple(text for each in self.outcomes for text in each.wrong)

    @property
    def odd(self) -> tuple[str, ...]:
        """The first implausible column of every region that has one, and why."""
        return tuple(each.odd for each in self.outcomes if each.odd)

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
        if self.failed or self.trouble:
            return INTERNAL if any(each.trace for each in self.failed) else DATA
        if not self.count("status")[marquardt.CONVERGED]:
            return NOTHING
        proved = verified[proof.VERIFIED] and not verified[proof.INCONCLUSIVE]
        return PASSED if proved or not self.job.settings.verify else NOTHING
