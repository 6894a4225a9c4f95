"""Which columns are calibrated together: regions of a map, chosen by memory and by storage."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from lsm_verify.errors import InputError
from lsm_verify.maps.job import Job
from lsm_verify.maps.workers import Workers
from lsm_verify.validation import whole

if TYPE_CHECKING:
    import xarray

MOST_COLUMNS = 2500
"""Columns of a region unless more are asked for: some tenths of a second to a second of one core,
which is what a killed run loses and a bar moves by. To read and write a region and to verify the
gradient in it takes 0.2 s however many they are."""

MOST_ON_DEVICE = 100_000
"""As `MOST_COLUMNS`, on a GPU: several rounds of the columns that run there side by side. Reckoned,
not measured."""

MEMORY_SHARE = 0.5
"""Share of the memory that is free which all workers together may take for regions."""

COPIES = 4
"""Times that what is read of a column lies in memory as float64 while it is calibrated: as read,
stacked, cleared of gaps, and weights."""

RESULTS = 6
"""P × P arrays of a column that are made of its normal equations."""


@dataclass(frozen=True)
class Plan:
    """Regions of a map: boxes of one shape, but for the last of every dimension.

    Attributes
    ----------
    space : tuple of str
        Dimensions of the columns.
    shape, chunk : tuple of int
        Of the map, and of a region.
    bytes_per_column : int
        Memory that a column takes while its region is calibrated, about.
    """

    space: tuple[str, ...]
    shape: tuple[int, ...]
    chunk: tuple[int, ...]
    bytes_per_column: int

    @property
    def grid(self) -> tuple[int, ...]:
        """Number of regions along every dimension."""
        return tuple(-(-n // c) for n, c in zip(self.shape, self.chunk, strict=True))

    @property
    def regions(self) -> int:
        """Number of regions."""
        return math.prod(self.grid)

    @property
    def columns(self) -> int:
        """Columns of a whole region."""
        return math.prod(self.chunk)

    @property
    def total(self) -> int:
        """Columns of the map."""
        return math.prod(self.shape)

    def box(self, number: int) -> tuple[slice, ...]:
        """Return where a region lies."""
        place = np.unravel_index(number, self.grid)
        return tuple(
            slice(int(i) * c, min((int(i) + 1) * c, n))
            for i, c, n in zip(place, self.chunk, self.shape, strict=True)
        )

    def numbers(self, number: int) -> Any:
        """Return the numbers in the map of a region's columns, in the region's shape."""
        axes = [np.arange(each.start, each.stop) for each in self.box(number)]
        return np.ravel_multi_index(np.meshgrid(*axes, indexing="ij"), self.shape)

    def __str__(self) -> str:
        size = self.columns * self.bytes_per_column / 1e6
        return (
            f"{self.regions:,} region{'s' * (self.regions > 1)} of up to "
            f"{' × '.join(map(str, self.chunk))} columns ({', '.join(self.space)}), about "
            f"{size:,.3g} MB each"
        )

    def name(self, number: int) -> str:
        """Return a region in words."""
        box = zip(self.space, self.box(number), strict=True)
        return f"region {number} ({', '.join(f'{d} {b.start} to {b.stop - 1}' for d, b in box)})"


def plan_of(dataset: xarray.Dataset, job: Job, *, columns: int | None, memory: int) -> Plan:
    """Choose regions.

    Parameters
    ----------
    columns : int, optional
        At most so many in a region. Default: `MOST_COLUMNS` or `MOST_ON_DEVICE`, more where the
        file is stored in larger pieces, which would be read several times.
    memory : int
        Bytes that a region may take.
    """
    each = bytes_per_column(dataset, job)
    room = memory // each
    if room < 1:
        raise InputError(
            f"a column takes {each / 1e6:.3g} MB and {memory / 1e6:.3g} MB may be taken; give "
            "--memory more."
        )
    stored = stored_chunk(dataset, job)
    usual = MOST_COLUMNS if job.settings.device == "cpu" else MOST_ON_DEVICE
    most = usual if columns is None else whole("chunk", columns, 1)
    if columns is None:
        most = max(most, math.prod(stored))
    shape = job.layout.shape
    return Plan(job.layout.space, shape, region_shape(shape, stored, min(most, room)), each)


def region_shape(shape: Sequence[int], stored: Sequence[int], most: int) -> tuple[int, ...]:
    """Return the largest box of stored pieces, the last dimension grown first, or a part of one."""
    if math.prod(stored) > most:  # a part: whole along the last dimensions as far as it goes
        box, left = [], most
        for n in reversed(stored):
            box.append(max(1, min(n, left)))
            left //= box[-1]
        return tuple(reversed(box))
    box, left = list(stored), most // math.prod(stored)
    for d in reversed(range(len(shape))):
        pieces = -(-shape[d] // stored[d])
        taken = max(1, min(pieces, left))
        taken = -(-pieces // -(-pieces // taken))  # regions of one size, the last hardly smaller
        box[d] = min(taken * stored[d], shape[d])
        left //= taken
    return tuple(box)


def stored_chunk(dataset: xarray.Dataset, job: Job) -> tuple[int, ...]:
    """Return the box of columns in which the file holds the largest of its variables; else 1."""
    space = job.layout.space
    largest = max(job.variables, key=lambda name: dataset[name].size)
    stored = dataset[largest].encoding.get("preferred_chunks") or {}
    return tuple(
        min(int(stored.get(d, 1)), n) for d, n in zip(space, job.layout.shape, strict=True)
    )


def bytes_per_column(dataset: xarray.Dataset, job: Job) -> int:
    """Return about how many bytes a column takes while its region is calibrated."""
    read = 0
    for name in job.variables:
        sizes = {str(d): n for d, n in dataset[name].sizes.items() if d not in job.layout.space}
        read += math.prod(sizes.values())
    states = job.layout.time_step.size + 1
    series = states * len(job.layout.observed)
    P = len(job.settings.unknowns)
    return int(8 * (COPIES * max(read, series) + RESULTS * P * P + 10 * P + 20))


def memory_per_worker(workers: Workers) -> int:
    """Return the bytes that a region may take: a share of what is free, or of a cluster's limit."""
    if workers.memory is not None:
        return int(MEMORY_SHARE * workers.memory)
    import psutil
    from distributed.system import MEMORY_LIMIT

    free = min(psutil.virtual_memory().available, int(MEMORY_LIMIT))
    return int(MEMORY_SHARE * free / workers.count)
