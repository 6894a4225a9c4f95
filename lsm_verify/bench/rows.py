"""Which rows a run has: peers x workloads x settings, in full or the quick ones."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

from lsm_verify.bench.peers import Peer, Setting, get_peer
from lsm_verify.bench.workloads import Workload
from lsm_verify.errors import InputError

BATCHES = (1, 64, 1024)
"""Columns at which all are compared."""

GROWTH_BATCHES = (64, 128, 256, 640, 1280, 2560, 6400)
GROWTH_STEPS = (876, 1752, 4380, 8760, 17_520, 43_800, 87_600)
GROWTH_NODES = (100, 215, 464, 1000, 2154, 4642, 10_000)
"""Two decades each, in seven sizes, for the growth exponents."""

NODES_BATCH = 8
"""Columns of the growth with the nodes."""

STARTS = 50
"""Columns of the descent: the paper's number of starts."""

LARGEST = 100_000


@dataclass(frozen=True)
class Row:
    """One thing to time."""

    peer: str
    workload: Workload
    setting: Setting

    @property
    def name(self) -> str:
        """Name in results; the same for the same thing in every run."""
        s = self.setting
        return f"{s.mode}-{self.peer}-{self.workload.name}-{s.dtype}-{s.device}-t{s.threads}"

    @property
    def about(self) -> Peer:
        """The peer that is run."""
        return get_peer(self.peer)


def cores() -> int:
    """Processors that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _rows(
    peer: str,
    modes: Iterable[str],
    works: Iterable[Workload],
    *,
    threads: Iterable[int] = (1,),
    dtype: str = "float64",
    device: str = "cpu",
) -> Iterator[Row]:
    many = tuple(dict.fromkeys(threads))
    for work in works:
        for mode in modes:
            for count in many:
                yield Row(peer, work, Setting(mode, dtype, count, device))


def _batches(*sizes: int) -> list[Workload]:
    return [Workload(batch) for batch in sizes]


def growth_rows() -> Iterator[Row]:
    """Yield the rows from which growth exponents are taken; no trajectory is kept.

    The gradient of most use keeps it while it is small: its time then has a step where the sizes
    pass that limit, which is no growth.
    """
    modes = ("score", "checkpointed")
    yield from _rows("kernel", modes, _batches(*GROWTH_BATCHES))
    yield from _rows("kernel", modes, [Workload(1, steps) for steps in GROWTH_STEPS])
    yield from _rows("kernel", modes, [Workload(NODES_BATCH, 100, n) for n in GROWTH_NODES])


def _cpu_rows() -> Iterator[Row]:
    both = (1, cores())
    modes = ("score", "gradient", "tangent")
    yield from _rows("kernel", modes, _batches(1, 8))
    yield from _rows("kernel", modes, _batches(64, 1024, LARGEST), threads=both)
    yield from _rows("kernel", ("simulate",), _batches(*BATCHES))
    yield from _rows("kernel", modes, [Workload(NODES_BATCH, 100, n) for n in (10, 1000)])
    yield from _rows("kernel", modes, _batches(*BATCHES), dtype="float32")
    yield from _rows("kernel", ("descent",), _batches(STARTS), threads=both)
    yield from _rows("kernel", ("gradient",), [Workload(1, 8760), Workload(1, 87_600)])
    yield from _rows("fused", ("gradient",), _batches(*BATCHES))
    yield from _rows("function", ("gradient",), _batches(*BATCHES))
    yield from _rows("c", ("score", "simulate"), _batches(*BATCHES))
    yield from _rows("c", ("score", "simulate"), _batches(1024), threads=both)
    yield from _rows("c", ("score",), _batches(*BATCHES), dtype="float32")
    for variant in ("tridiagonal", "dense", "elimination"):
        yield from _rows(f"jax-{variant}", modes, _batches(*BATCHES), threads=(cores(),))
    for peer in ("torch-eager", "torch-compile"):
        yield from _rows(peer, ("score", "gradient"), _batches(1, 64))
    yield from growth_rows()
    yield from _rows("published", ("gradient",), _batches(1))
    yield from _rows("published-batched", ("gradient",), _batches(16))
    yield from _rows("published-1e-12", ("gradient",), _batches(1))


def _cuda_rows() -> Iterator[Row]:
    modes = ("score", "gradient", "tangent")
    yield from _rows("kernel", modes, _batches(1, 64, 1024, 10_000, LARGEST), device="cuda")
    yield from _rows("kernel", modes[:2], _batches(LARGEST), device="cuda", dtype="float32")
    long = [Workload(1024, 8760), Workload(1024, 100, 1000), Workload(1, 8760)]
    yield from _rows("kernel", modes[:2], long, device="cuda")
    yield from _rows("fused", ("gradient",), _batches(1024, LARGEST), device="cuda")
    yield from _rows("function", ("gradient",), _batches(1024, LARGEST), device="cuda")
    yield from _rows("torch-eager", modes[:2], _batches(64, 1024), device="cuda")
    yield from _rows("torch-compile", ("gradient",), _batches(64), device="cuda")
    yield from _rows("published-batched", ("gradient",), _batches(64), device="cuda")


def _quick_rows(device: str) -> Iterator[Row]:
    """Yield a minute's worth: the kernels alone, at the sizes that people use."""
    modes = ("score", "gradient", "tangent")
    if device == "cuda":
        yield from _rows("kernel", modes, _batches(1024), device=device)
        yield from _rows("fused", ("gradient",), _batches(1024), device=device)
        return
    yield from _rows("kernel", modes, _batches(1, 64))
    yield from _rows("kernel", ("gradient",), _batches(64), dtype="float32")
    yield from _rows("kernel", ("gradient",), _batches(1024), threads=(cores(),))
    yield from _rows("kernel", ("gradient",), [Workload(1, 8760)])
    yield from _rows("fused", ("gradient",), _batches(64))


def rows(*, quick: bool = False, device: str = "cpu", select: Sequence[str] = ()) -> list[Row]:
    """Return the rows of a run.

    Parameters
    ----------
    quick : bool
        A minute's worth instead of all.
    device : str
        ``cpu`` or ``cuda``.
    select : sequence of str
        Patterns (``gradient-jax-*``) or parts of names; a row is taken if any of them fits.

    Raises
    ------
    InputError
        If the device is unknown, or nothing fits.
    """
    if device not in ("cpu", "cuda"):
        raise InputError(f"device={device!r} is unknown; give cpu or cuda.")
    wanted = _quick_rows(device) if quick else _cpu_rows() if device == "cpu" else _cuda_rows()
    found = dict.fromkeys(row for row in wanted if row.about.fits(row.workload))
    # Peers of one workload stand together, so that little time lies between what is compared.
    ordered = sorted(
        found, key=lambda row: (row.workload.nodes, row.workload.steps, row.workload.batch)
    )
    taken = [row for row in ordered if not select or any(_fits(row.name, p) for p in select)]
    if not taken:
        raise InputError(
            f"--select {', '.join(select)} fits none of {len(ordered)} rows, such as "
            f"{ordered[0].name}; give a part of a name or a pattern with *."
        )
    return taken


def _fits(name: str, pattern: str) -> bool:
    return fnmatchcase(name, pattern) if any(c in pattern for c in "*?[") else pattern in name
