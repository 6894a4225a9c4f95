"""What a run says beside its times: rows not measured or refused, versions, rates, the source."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import pytest

import lsm_verify
from lsm_verify.bench.check import WrongResultError
from lsm_verify.bench.rows import Row, cores

LIBRARIES = ("numpy", "numba", "llvmlite", "torch", "jax", "jaxlib", "numba-cuda", "scipy")


@dataclass
class Notes:
    """Collected while the rows run."""

    not_measured: dict[str, str] = field(default_factory=dict)
    refused: dict[str, str] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)
    rates: dict[str, float] = field(default_factory=dict)
    start: dict[str, float] = field(default_factory=dict)


NOTES = pytest.StashKey[Notes]()
ROWS = pytest.StashKey[Sequence[Row]]()
SECONDS = pytest.StashKey[float]()


def notes_of(config: pytest.Config) -> Notes:
    """Return the notes of a run."""
    return config.stash.setdefault(NOTES, Notes())


def versions() -> dict[str, str]:
    """Return the versions of what the rows are made with."""
    found = {"lsm-verify": lsm_verify.__version__}
    for name in LIBRARIES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def source() -> dict[str, Any]:
    """Return the commit of the package's own source; ``unknown`` where it is not under git."""
    folder = Path(lsm_verify.__file__).parent

    def git(*words: str) -> str | None:
        try:
            done = subprocess.run(
                ["git", "-C", str(folder), *words], capture_output=True, text=True, check=True
            )
        except (OSError, subprocess.CalledProcessError):
            return None
        return done.stdout.strip()

    known = {"project": "lsm-verify", "time": None, "author_time": None, "branch": "(unknown)"}
    if not git("ls-files", "--", "__init__.py"):
        return {**known, "id": "unknown", "dirty": False}
    return {
        **known,
        "id": git("rev-parse", "HEAD") or "unknown",
        "time": git("show", "-s", "--format=%cI"),
        "author_time": git("show", "-s", "--format=%aI"),
        "dirty": bool(git("status", "--porcelain", "--untracked-files=no")),
        "branch": git("rev-parse", "--abbrev-ref", "HEAD"),
    }


# ------------------------------------------------------------------ hooks


def pytest_benchmark_update_machine_info(config: Any, machine_info: dict[str, Any]) -> None:
    """Add versions, processors, compiler and GPU."""
    from lsm_verify.bench.devices import cuda_name
    from lsm_verify.bench.peers.c import compiler_version

    machine_info["versions"] = versions()
    machine_info["processors"] = cores()
    machine_info["compiler"] = compiler_version()
    machine_info["gpu"] = cuda_name()


@pytest.hookimpl(tryfirst=True)
def pytest_benchmark_generate_commit_info(config: Any) -> dict[str, Any]:
    """Name the commit of the package, wherever the command was given."""
    return source()


def pytest_benchmark_update_json(
    config: pytest.Config, benchmarks: Any, output_json: dict[str, Any]
) -> None:
    """Add what was not measured, and what the machine can do."""
    output_json["lsm_verify"] = vars(notes_of(config))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Any:
    """Keep why a row failed: a wrong result, or an error."""
    row = getattr(item, "callspec", None) and item.callspec.params.get("row")  # type: ignore[attr-defined]
    excinfo = call.excinfo
    if (
        isinstance(row, Row)
        and excinfo is not None
        and not excinfo.errisinstance(pytest.skip.Exception)
    ):
        notes = notes_of(item.config)
        wrong = excinfo.errisinstance(WrongResultError)
        kept = notes.refused if wrong else notes.failed
        first = str(excinfo.value).strip().splitlines() or [""]
        kept[row.name] = first[0] if wrong else f"{excinfo.typename}: {first[0]}"
    return (yield)
