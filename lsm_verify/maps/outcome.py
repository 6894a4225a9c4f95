"""What became of the regions of a map, in numbers small enough to be kept of all of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lsm_verify.maps import proof, result
from lsm_verify.maps.block import Block
from lsm_verify.maps.job import Job


@dataclass(frozen=True)
class Tally:
    """Least, largest, sum and number of the finite among some values."""

    least: float = np.inf
    largest: float = -np.inf
    total: float = 0.0
    count: int = 0

    @property
    def mean(self) -> float:
        """Mean; not-a-number of nothing."""
        return self.total / self.count if self.count else float("nan")


def tally(values: NDArray[Any]) -> Tally:
    """Return the tally of an array."""
    there = values[np.isfinite(values)]
    if not there.size:
        return Tally()
    return Tally(float(there.min()), float(there.max()), float(there.sum()), there.size)


def joined(tallies: Iterable[Tally]) -> Tally:
    """Return the tally of all values together."""
    found = list(tallies)
    return Tally(
        min((each.least for each in found), default=np.inf),
        max((each.largest for each in found), default=-np.inf),
        sum(each.total for each in found),
        sum(each.count for each in found),
    )


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
    tallies : dict
        Of estimates and standard errors, by variable.
    wrong : tuple of str
        Sampled columns whose gradient is not verified, with what is known of it.
    odd : str
        The first column that is implausible, and why; empty if there is none.
    kept : bool
        Whether it was done by an earlier run.
    error : str
        Empty, or why there is no result.
    trace : str
        Where an error came from that is none of the data.
    """

    region: int
    columns: int
    status: Mapping[int, int] = field(default_factory=dict)
    verified: Mapping[int, int] = field(default_factory=dict)
    max_z: float = 0.0
    tallies: Mapping[str, Tally] = field(default_factory=dict)
    wrong: tuple[str, ...] = ()
    odd: str = ""
    kept: bool = False
    error: str = ""
    trace: str = ""


def outcome_of(
    region: int,
    values: Mapping[str, NDArray[Any]],
    numbers: NDArray[np.int64],
    job: Job,
    block: Block | None = None,
) -> Outcome:
    """Return the outcome of a region that is done.

    Parameters
    ----------
    values : mapping
        Of all variables.
    numbers : int array
        The columns' numbers in the map.
    block : Block, optional
        What was found; without it the region was done by an earlier run.
    """
    codes, z = values["gradient_verified"].ravel(), values["max_z"].ravel()
    messages = {each.column: each.message for each in (block.proofs if block else ())}
    wrong = tuple(
        f"{job.layout.place(int(numbers.ravel()[b]))}: {result.PROVED[codes[b]]}, "
        f"{messages.get(b, f'max z {z[b]:.3g}')}"
        for b in np.flatnonzero((codes != proof.NOT_SAMPLED) & (codes != proof.VERIFIED)).tolist()
    )
    verified = Counter(codes.tolist())
    del verified[proof.NOT_SAMPLED]
    names = [n for name in job.settings.unknowns for n in (name, result.error_name(name))]
    return Outcome(
        region,
        codes.size,
        dict(Counter(values["status"].ravel().tolist())),
        dict(verified),
        float(np.max(z[~np.isnan(z)], initial=0.0)),
        {name: tally(values[name]) for name in names},
        wrong,
        odd=block.odd if block else "",
        kept=block is None,
    )
