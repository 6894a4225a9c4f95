"""What a result was made with."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from lsm_verify.version import __version__

PACKAGE = Path(__file__).resolve().parents[1]

CHECKSUM = "sha256 of "
"""Before the name of a data file, in what is noted of it."""

PATIENCE = 5.0
"""Seconds after which git is not waited for: a result is not lost for want of a commit's name."""

UNKNOWN = "unknown"


def provenance(sources: Mapping[str, str]) -> dict[str, str]:
    """Return versions, machine, commits and the checksums of data files (name to SHA-256).

    ``commit`` is that of lsm-verify's own source, where it runs from a checkout; another
    repository in whose folder it was started is named beside it.
    """
    found = {
        "lsm-verify": __version__,
        "commit": commit_of(PACKAGE),
        "python": platform.python_version(),
        "platform": f"{platform.system()} {platform.machine()}",
        "cpu": f"{_cpu()}, {os.cpu_count() or UNKNOWN} processors",
        "gpu": _gpu(),
    }
    here = commit_of(Path.cwd(), tracked=False)
    if here not in (found["commit"], UNKNOWN):
        found["commit of the working directory"] = here
    for name in ("numpy", "scipy", "torch", "numba", "mpmath"):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = UNKNOWN
    found["date"] = datetime.now(UTC).isoformat(timespec="seconds")
    found |= {CHECKSUM + name: digest for name, digest in sources.items()}
    return found


@cache
def commit_of(folder: Path, *, tracked: bool = True) -> str:
    """Return a folder's git commit, with ``-dirty`` if files were changed; or "unknown".

    ``tracked``: whether git must hold the folder's files, as it does those of a checkout and not
    those of an environment that happens to lie in another project's.
    """
    if tracked and not _git(folder, "ls-files", "--", "__init__.py"):
        return UNKNOWN
    return _git(folder, "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*") or UNKNOWN


def _git(folder: Path, *words: str) -> str:
    """Return what git prints; nothing where there is no git or no repository."""
    try:
        done = subprocess.run(
            ["git", "-C", str(folder), *words],
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""


@cache
def _cpu() -> str:
    """Return the processor's name; Linux alone tells it without a further program."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or UNKNOWN


def _gpu() -> str:
    """Return the name of the CUDA device, where torch is loaded and sees one."""
    torch = sys.modules.get("torch")
    if torch is None:
        return "not asked for"
    return str(torch.cuda.get_device_name(0)) if torch.cuda.is_available() else "none"


def data_of(noted: Mapping[str, str]) -> dict[str, str]:
    """Return the data files in a provenance: name to SHA-256."""
    return {
        name.removeprefix(CHECKSUM): digest
        for name, digest in noted.items()
        if name.startswith(CHECKSUM)
    }
