"""What an installation has, and what it lacks: with data, caches and a self-check the whole.

Nothing here raises for a part that is missing or broken: that is what is to be told.
"""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from lsm_verify.errors import InputError
from lsm_verify.installation import Finding, Status, gpu, libraries, threads, versions
from lsm_verify.installation import told as told_

SCHEMA_VERSION = 1


@dataclass(frozen=True)
class Diagnosis:
    """All findings; ``verdict`` is that of the self-check, empty if it did not run."""

    findings: tuple[Finding, ...]
    verdict: str
    seconds: float
    schema_version: int = SCHEMA_VERSION

    @property
    def exit_code(self) -> int:
        """0 all well; 1 self-check failed; 2 something is wrong; 3 nothing could be concluded."""
        statuses = {each.status for each in self.findings}
        if self.verdict == "FAIL":
            return 1
        if Status.WRONG in statuses:
            return 2
        return 3 if Status.OPEN in statuses else 0

    def to_json(self) -> dict[str, Any]:
        """Return everything as plain JSON types."""
        return {**asdict(self), "exit_code": self.exit_code}


def diagnose(
    *,
    data: Path | None = None,
    self_check: bool = True,
    announce: Callable[[str], None] = lambda message: None,
) -> Diagnosis:
    """Look at every part of an installation.

    Parameters
    ----------
    data : Path, optional
        Folder of the data files, see `lsm_verify.datasets.locate.data_directory`.
    self_check : bool
        Whether ``check twin --fast`` is run, with its canaries.
    announce : callable
        Called with what is looked at.
    """
    begin = time.perf_counter()
    parts: list[tuple[str, Callable[[], Iterator[Finding]]]] = [
        ("versions", versions),
        ("libraries", libraries),
        ("threads", threads),
        ("GPU", gpu),
        ("data", lambda: data_files(data)),
        ("caches", caches),
    ]
    found: list[Finding] = []
    for k, (name, look) in enumerate(parts):
        announce(f"{name} ({k + 1} of {len(parts) + self_check})")
        found += look()
    verdict = ""
    if self_check:
        announce(f"self-check ({len(parts) + 1} of {len(parts) + 1})")
        verdict, finding = check_itself()
        found.append(finding)
    return Diagnosis(tuple(found), verdict, time.perf_counter() - begin)


def data_files(data: Path | None) -> Iterator[Finding]:
    """Look for the files of the phoenix case, and sum the one whose checksum is known."""
    from lsm_verify.datasets import locate

    try:
        tower = locate.find(locate.TOWER_FILE, data)
        digest = locate.sha256(tower)
    except (InputError, OSError) as error:
        yield Finding(
            "data", "tower forcing", Status.ABSENT, _short(error), "lsm-verify data fetch"
        )
    else:
        right = digest == locate.TOWER_SHA256
        told = f"{tower}, sha256 {digest[:12]}… {'right' if right else 'is not that of version 1'}"
        remedy = "" if right else "remove it, then lsm-verify data fetch"
        yield Finding("data", "tower forcing", Status.OK if right else Status.WRONG, told, remedy)
    try:
        soil = locate.find_soil(data)
        told = f"{soil}, sha256 {locate.sha256(soil)[:12]}…"
    except (InputError, OSError) as error:
        remedy = "lsm-verify data fetch --soil-file FILE"
        yield Finding("data", "soil temperature", Status.ABSENT, _short(error), remedy)
    else:
        kind = "digitised" if soil.name == locate.DIGITISED_FILE else "original"
        yield Finding("data", "soil temperature", Status.OK, f"{kind}: {told}")


def _short(error: Exception) -> str:
    """Leave out the remedy of an error: it stands in a column of its own."""
    return str(error).partition(";")[0]


def caches() -> Iterator[Finding]:
    """Say whether compiled code can be kept, and how much is."""
    from lsm_verify.datasets.locate import cache_directory

    named = os.environ.get("NUMBA_CACHE_DIR")
    root = Path(__file__).parent
    oracle = find_spec("lsm_reference")  # its place alone: what it holds is not wanted here
    beside = [Path(str(oracle.origin)).parent] if oracle else []
    folders = [Path(named)] if named else [root, *beside]
    where = folders[0]
    size, count = 0, 0
    for folder in folders:
        for pattern in ("*.nbi", "*.nbc"):
            for file in folder.rglob(pattern):
                size, count = size + file.stat().st_size, count + 1
    told = f"{where}: {count} files, {size / 1e6:.1f} MB"
    why = _unwritable(where)
    remedy = "set NUMBA_CACHE_DIR to a folder that can be written; else every run compiles anew"
    status = Status.OK if why is None else Status.ABSENT
    yield Finding(
        "caches", "compiled code", status, told + (f"; {why}" if why else ""), remedy if why else ""
    )
    kept = cache_directory()
    size = sum(f.stat().st_size for f in kept.rglob("*") if f.is_file()) if kept.is_dir() else 0
    yield Finding("caches", "fetched data", Status.OK, f"{kept}: {size / 1e6:.1f} MB")


def _unwritable(folder: Path) -> str | None:
    """Try to make a file."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            return None
    except OSError as error:
        return f"cannot be written ({error.strerror})"


def check_itself() -> tuple[str, Finding]:
    """Prove the twin's gradient by the fast gate, canaries and all."""
    try:
        from lsm_verify.cases import load_case
        from lsm_verify.verify.run import verify

        begin = time.perf_counter()
        report = verify(load_case("twin"), fast=True)
        seconds = time.perf_counter() - begin
    except Exception as error:
        return "", Finding(
            "self-check", "check twin --fast", Status.WRONG, f"raised {told_(error)}"
        )
    canaries = [c for c in report.checks if c.check == "canaries"]
    told = (
        f"{report.verdict}: {len(report.checks)} checks in {seconds:.1f} s; "
        f"{canaries[0].message if canaries else 'no canary was fed'}"
    )
    status = {0: Status.OK, 1: Status.WRONG}.get(report.exit_code, Status.OPEN)
    remedy = "" if status is Status.OK else "lsm-verify check twin --verbose"
    return report.verdict.value, Finding("self-check", "check twin --fast", status, told, remedy)
