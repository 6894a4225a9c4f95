"""A benchmark result in the file format of pytest-benchmark, which other tools read too.

Read by Bencher's ``python_pytest`` adapter: ``machine_info``, ``commit_info``, and of every
benchmark ``fullname`` and ``stats`` ``mean``, ``stddev``, ``median``, ``iqr``. Read by
github-action-benchmark's ``pytest`` tool: ``fullname`` and ``stats`` ``ops``, ``stddev``,
``mean``, ``rounds``. All fields of pytest-benchmark are written, so that both find theirs.
"""

from __future__ import annotations

import importlib
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from lsm_verify import files
from lsm_verify.errors import InputError

RUNS = "rounds_per_process"
"""In ``extra_info``: how many of the rounds each fresh process gave, in order."""


@dataclass(frozen=True)
class Record:
    """One result file.

    Attributes
    ----------
    source : str
        Where it comes from, for messages.
    content : dict
        The file as it stands.
    benchmarks : dict
        Full name to the benchmark's part of the file.
    """

    source: str
    content: Mapping[str, Any]
    benchmarks: Mapping[str, Mapping[str, Any]]

    def rounds(self, name: str) -> list[float]:
        """Return the times of a benchmark's rounds in order [s]."""
        return list(self.benchmarks[name]["stats"]["data"])

    def processes(self, name: str) -> list[list[float]]:
        """Return the rounds of each fresh process; one process unless the file says otherwise."""
        rounds = self.rounds(name)
        counts = self.extra(name).get(RUNS) or [len(rounds)]
        ends = [sum(counts[: index + 1]) for index in range(len(counts))]
        if ends[-1] != len(rounds):
            raise InputError(
                f"{self.source}: {name} has {len(rounds)} rounds, its {RUNS} add up to "
                f"{ends[-1]}; write the file anew."
            )
        return [rounds[end - count : end] for end, count in zip(ends, counts, strict=True)]

    def extra(self, name: str) -> Mapping[str, Any]:
        """Return what a benchmark says beside its times."""
        return self.benchmarks[name].get("extra_info") or {}

    @property
    def time(self) -> datetime:
        """When it was measured (UTC where the file names no zone)."""
        moment = datetime.fromisoformat(self.content["datetime"])
        return moment if moment.tzinfo else moment.replace(tzinfo=UTC)

    @property
    def commit(self) -> Mapping[str, Any]:
        """What it was measured of."""
        return self.content.get("commit_info") or {}


def read(path: Path) -> Record:
    """Read a result file.

    Raises
    ------
    InputError
        If the file cannot be read or is no result of pytest-benchmark with its rounds.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror}; name a result file.") from None
    except ValueError as error:
        raise InputError(f"{path} is not JSON ({error}); name a benchmark result.") from None
    return parse(content, str(path))


def parse(content: Any, source: str) -> Record:
    """Check a result's shape and name its benchmarks."""
    wanted = "a result of lsm-verify bench run or pytest --benchmark-json is wanted"
    if not isinstance(content, dict) or not isinstance(content.get("benchmarks"), list):
        raise InputError(f"{source} has no list of benchmarks; {wanted}.")
    try:
        datetime.fromisoformat(content.get("datetime", ""))
    except (TypeError, ValueError):
        raise InputError(f"{source} has no valid datetime; {wanted}.") from None
    found: dict[str, Mapping[str, Any]] = {}
    for index, entry in enumerate(content["benchmarks"]):
        name = entry.get("fullname") if isinstance(entry, dict) else None
        if not isinstance(name, str):
            raise InputError(f"{source}: benchmark {index} has no fullname; {wanted}.")
        if name in found:
            raise InputError(f"{source} holds {name} twice; {wanted}.")
        _check_rounds(entry, f"{source}: {name}")
        found[name] = entry
    return Record(source, content, found)


def _check_rounds(entry: Mapping[str, Any], where: str) -> None:
    data = (entry.get("stats") or {}).get("data")
    if not isinstance(data, list) or not data:
        raise InputError(
            f"{where} has no rounds (stats.data); write it with --benchmark-json, or save it with "
            "--benchmark-save-data."
        )
    for value in data:
        if not isinstance(value, int | float) or not math.isfinite(value) or value <= 0:
            raise InputError(f"{where} has a round of {value!r} s; positive times are wanted.")


def pool(records: Sequence[Record], commit: Mapping[str, Any]) -> dict[str, Any]:
    """Join the processes of one side to one file: all rounds, statistics computed anew."""
    statistics = _statistics()
    first = records[0]
    benchmarks = []
    for name, entry in first.benchmarks.items():
        having = [record for record in records if name in record.benchmarks]
        stats = statistics()
        for record in having:
            for seconds in record.rounds(name):
                stats.update(seconds)
        counts = [len(record.rounds(name)) for record in having]
        benchmarks.append(
            {
                **entry,
                "extra_info": {**first.extra(name), RUNS: counts},
                "stats": {
                    **stats.as_dict(),
                    "data": list(stats.data),
                    "iterations": entry["stats"].get("iterations", 1),
                },
            }
        )
    return {
        **first.content,
        "commit_info": dict(commit),
        "benchmarks": benchmarks,
        "datetime": datetime.now(UTC).isoformat(),
    }


def write(path: Path, content: Mapping[str, Any]) -> None:
    """Write a file as JSON, all of it or nothing."""
    files.write_text(path, text_of(content))


def text_of(content: Mapping[str, Any]) -> str:
    """Return JSON that every parser reads: what is not finite becomes null."""
    return json.dumps(_finite(content), indent=1, allow_nan=False) + "\n"


def _finite(content: Any) -> Any:
    if isinstance(content, Mapping):
        return {key: _finite(value) for key, value in content.items()}
    if isinstance(content, list | tuple):
        return [_finite(value) for value in content]
    return None if isinstance(content, float) and not math.isfinite(content) else content


def _statistics() -> Any:
    """pytest-benchmark's own statistics, so that the fields mean what they mean there."""
    try:
        return importlib.import_module("pytest_benchmark.stats").Stats
    except ImportError:
        raise InputError(
            "pytest-benchmark is not installed; pip install 'lsm-verify[testing]'."
        ) from None
