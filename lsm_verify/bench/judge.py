"""Verdicts on what a comparison measured.

The statistics and their reasons: :mod:`lsm_verify.bench.statistics`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from lsm_verify.bench import bencher, machine, record, statistics
from lsm_verify.bench.finding import Comparison, Finding, Verdict
from lsm_verify.bench.record import Record
from lsm_verify.bench.session import Block, Design

STEP = 6
"""Blocks added at a time: every order of three sides once."""

STORED_PARTS = 5
"""Parts of the rounds of a stored result that comes from a single process."""


def judge_blocks(
    blocks: Sequence[Block], base: str, commit: dict[str, Any], design: Design
) -> Comparison:
    """Judge blocks of the candidate, the base and the base again.

    Parameters
    ----------
    commit : dict
        ``commit_info`` of the candidate, for the measurements to be written.
    """
    candidates = [block["candidate"] for block in blocks]
    names, differing = _common(candidates, [block["base"] for block in blocks])
    for block in blocks:
        machine.refuse_other_machine(block["candidate"], block["base"])
        machine.refuse_other_devices(block["candidate"], block["base"], names)
    found = []
    for name in names:
        ours, theirs, again = _logarithms(blocks, name, ("candidate", "base", "base again"))
        values = statistics.differences(ours, theirs, again)
        both = np.concatenate([theirs, again])
        found.append(
            _Evidence(
                name,
                _seconds(both),
                _seconds(ours),
                statistics.paired_shift(values),
                statistics.paired_interval(values, len(ours)),
                statistics.aligned_p_value(ours, theirs, again),
                statistics.noise_floor(theirs, again, _rng(design)),
            )
        )
    return Comparison(
        base=base,
        candidate=_title(commit),
        design=design,
        blocks=len(blocks),
        findings=_judge(found, design),
        **differing,
        **_measurements(candidates, commit),
    )


def judge_stored(
    blocks: Sequence[Block], stored: Record, commit: dict[str, Any], design: Design
) -> Comparison:
    """Judge blocks of the candidate, run twice, against a stored result."""
    sides = ("candidate", "candidate again")
    candidates = [block[side] for block in blocks for side in sides]
    names, differing = _common(candidates, [stored])
    notes = ["a stored result was measured in another session, in circumstances unknown here"]
    for each in candidates:
        machine.refuse_other_machine(each, stored)
        machine.refuse_other_devices(each, stored, names)
    if candidates:
        notes += machine.changed_surroundings(stored, candidates[0])
    found = []
    for name in names:
        rounds = [each.rounds(name) for each in candidates]
        ours, theirs = _alike(rounds, stored.processes(name))
        rng = _rng(design)
        found.append(
            _Evidence(
                name,
                _seconds(theirs),
                _seconds(ours),
                statistics.two_sample_shift(ours, theirs),
                statistics.two_sample_interval(ours, theirs, rng),
                statistics.two_sample_p_value(*_alike(rounds, _parts(stored.processes(name)))),
                statistics.stored_floor(ours, theirs, rng),
            )
        )
    return Comparison(
        base=f"{stored.source} ({str(stored.commit.get('id'))[:10]})",
        candidate=_title(commit),
        design=design,
        blocks=len(blocks),
        findings=_judge(found, design),
        notes=tuple(notes),
        **differing,
        **_measurements(candidates, commit),
    )


@dataclass(frozen=True)
class _Evidence:
    """What was measured of one benchmark, in logarithms, before any correction."""

    name: str
    base_time: float
    candidate_time: float
    shift: float
    interval: tuple[float, float]
    p_value: float
    floor: float


def _judge(found: Sequence[_Evidence], design: Design) -> tuple[Finding, ...]:
    corrected = statistics.holm([each.p_value for each in found])
    least = np.log1p(design.minimum_effect)
    findings = []
    for each, p_value in zip(found, corrected, strict=True):
        real = (
            p_value < design.significance
            and abs(each.shift) >= least
            and abs(each.shift) > each.floor
        )
        verdict: Verdict = "unchanged" if not real else "slower" if each.shift > 0 else "faster"
        low, high = np.exp(each.interval)
        findings.append(
            Finding(
                benchmark=each.name,
                base_time=each.base_time,
                candidate_time=each.candidate_time,
                ratio=float(np.exp(each.shift)),
                interval=(float(low), float(high)),
                p_value=p_value,
                floor=float(np.expm1(each.floor)),
                verdict=verdict,
            )
        )
    return tuple(findings)


def blocks_wanted(blocks: Sequence[Block], design: Design) -> int:
    """Return how many blocks are wanted: what significance takes, and a floor below the effect."""
    names, _ = _common(
        [block["base"] for block in blocks], [block["base again"] for block in blocks]
    )
    if not names:
        return 0
    least = np.log1p(design.minimum_effect)
    for name in names:
        base, again = _logarithms(blocks, name, ("base", "base again"))
        if statistics.noise_floor(base, again, _rng(design)) > least:
            return len(blocks) + STEP
    return statistics.smallest_blocks(design.significance, len(names))


def _common(ours: Sequence[Record], theirs: Sequence[Record]) -> tuple[list[str], dict[str, Any]]:
    """Return the benchmarks that every process has, and those that only one side has."""
    if not ours or not theirs:
        return [], {}
    left, right = (_in_all(records) for records in (ours, theirs))
    redefined = {
        name
        for name in left & right
        if ours[0].benchmarks[name].get("params") != theirs[0].benchmarks[name].get("params")
    }
    names = [name for name in ours[0].benchmarks if name in (left & right) - redefined]
    return names, {
        "added": tuple(sorted(left - right)),
        "removed": tuple(sorted(right - left)),
        "redefined": tuple(sorted(redefined)),
    }


def _in_all(records: Sequence[Record]) -> set[str]:
    return set.intersection(*(set(each.benchmarks) for each in records))


def _logarithms(
    blocks: Sequence[Block], name: str, sides: Sequence[str]
) -> list[statistics.Floats]:
    """Logarithms of the fastest rounds, (blocks,) for each side."""
    count = min(len(block[side].rounds(name)) for block in blocks for side in sides)
    return [_minima([block[side].rounds(name) for block in blocks], count) for side in sides]


def _minima(processes: Sequence[Sequence[float]], count: int) -> statistics.Floats:
    return np.log([statistics.block_minimum(rounds, count) for rounds in processes])


def _alike(
    ours: Sequence[Sequence[float]], theirs: Sequence[Sequence[float]]
) -> tuple[statistics.Floats, statistics.Floats]:
    """Logarithms of the fastest of equally many rounds, one for each process or part."""
    count = min(map(len, [*ours, *theirs]))
    return _minima(ours, count), _minima(theirs, count)


def _parts(processes: Sequence[Sequence[float]]) -> Sequence[Sequence[float]]:
    """Split a single process, which no test could tell from chance, into parts in time.

    They share its luck, so significance says little then; the noise floor, which is that of single
    processes, decides.
    """
    if len(processes) > 1:
        return processes
    (rounds,) = processes
    parts = min(STORED_PARTS, len(rounds))
    length = len(rounds) // parts
    return [rounds[index * length : (index + 1) * length] for index in range(parts)]


def _measurements(candidates: Sequence[Record], commit: dict[str, Any]) -> dict[str, Any]:
    if not candidates:
        return {}
    return {
        "measured": record.pool(candidates, commit),
        "metrics": bencher.metrics(candidates),
    }


def _seconds(logarithms: statistics.Floats) -> float:
    return float(np.exp(np.median(logarithms)))


def _title(commit: dict[str, Any]) -> str:
    changed = " with changes" if commit.get("dirty") else ""
    return f"working tree ({str(commit.get('id'))[:10]}{changed})"


def _rng(design: Design) -> np.random.Generator:
    return np.random.default_rng(design.seed)
