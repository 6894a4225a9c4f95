"""What an installation has, and what it lacks: versions, threads, GPU, data, caches, a self-check.

Nothing here raises for a part that is missing or broken: that is what is to be told.
"""

from __future__ import annotations

import os
import platform
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from enum import StrEnum
from importlib import import_module
from importlib.metadata import PackageNotFoundError, metadata, requires, version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from lsm_verify import __version__
from lsm_verify.errors import InputError

SCHEMA_VERSION = 1

PACKAGE = "lsm-verify"

IMPORTED = ("numpy", "scipy", "numba", "torch", "xarray", "h5netcdf", "matplotlib")
"""Libraries that are loaded to see whether they can be: they come with compiled parts."""

BLAS_VARIABLES = ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "OMP_NUM_THREADS")

REINSTALL = "pip install --force-reinstall"


class Status(StrEnum):
    """How a finding counts."""

    OK = "ok"
    ABSENT = "absent"
    WRONG = "wrong"
    OPEN = "open"


@dataclass(frozen=True)
class Finding:
    """One line: part of the installation, what was found, and what to do.

    ``status``: ``ok``; ``absent`` for what is optional and not there; ``wrong`` for what is needed
    and missing, broken or out of bounds; ``open`` for a self-check that could not conclude.
    """

    part: str
    name: str
    status: Status
    found: str
    remedy: str = ""


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


def versions() -> Iterator[Finding]:
    """Hold Python and all dependencies against the bounds of the package."""
    from packaging.requirements import Requirement
    from packaging.specifiers import SpecifierSet

    yield Finding("versions", PACKAGE, Status.OK, __version__)
    try:
        bounds, needed = metadata(PACKAGE)["Requires-Python"], requires(PACKAGE) or []
    except PackageNotFoundError:
        remedy = "pip install . in the source tree"
        yield Finding("versions", "python", Status.OK, platform.python_version())
        yield Finding("versions", "bounds", Status.ABSENT, "run without being installed", remedy)
        return
    right = SpecifierSet(bounds or "").contains(platform.python_version(), prereleases=True)
    status = Status.OK if right else Status.WRONG
    told = f"{platform.python_version()} (wanted {bounds})"
    yield Finding("versions", "python", status, told, "" if right else "use another interpreter")
    for line in needed:
        wanted = Requirement(line)
        extra = next((e for e in _extras() if _needs(wanted, e)), "")
        if (extra or wanted.marker is None or wanted.marker.evaluate()) and extra != "dev":
            yield _version(wanted, extra)


def _extras() -> list[str]:
    return metadata(PACKAGE).get_all("Provides-Extra") or []


def _needs(wanted: Any, extra: str) -> bool:
    """Whether a requirement belongs to an extra alone."""
    marker = wanted.marker
    return (
        marker is not None
        and marker.evaluate({"extra": extra})
        and not marker.evaluate({"extra": ""})
    )


def _version(wanted: Any, extra: str) -> Finding:
    install = f"pip install '{PACKAGE}[{extra}]'" if extra else f"pip install '{wanted}'"
    part = f"extra {extra}" if extra else "versions"
    try:
        there = version(wanted.name)
    except PackageNotFoundError:
        status = Status.ABSENT if extra else Status.WRONG
        return Finding(
            part, wanted.name, status, f"not installed (wanted {wanted.specifier})", install
        )
    told = f"{there} (wanted {wanted.specifier})"
    if wanted.specifier.contains(there, prereleases=True):
        return Finding(part, wanted.name, Status.OK, told)
    return Finding(part, wanted.name, Status.WRONG, told, install)


def libraries() -> Iterator[Finding]:
    """Load what has compiled parts; only what fails is a finding, of the rest one line."""
    loaded = []
    for name in IMPORTED:
        error = _error_of(name)
        if error is None:
            loaded.append(name)
        else:
            yield Finding("libraries", name, Status.WRONG, error, f"{REINSTALL} {name}")
    yield Finding("libraries", "can be loaded", Status.OK, ", ".join(loaded) or "none")


def _error_of(name: str) -> str | None:
    """Import a library; a broken one raises whatever it pleases."""
    try:
        import_module(name)
    except Exception as error:
        return f"cannot be imported: {_told(error)}"
    return None


def _told(error: BaseException) -> str:
    return " ".join(f"{type(error).__name__}: {error}".split())[:200]


def threads() -> Iterator[Finding]:
    """Count processors, and the threads of numba, torch and BLAS."""
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    yield Finding("threads", "processors", Status.OK, f"{usable} usable of {os.cpu_count()}")
    for name, count in (("numba", "get_num_threads"), ("torch", "get_num_threads")):
        try:
            told = str(getattr(import_module(name), count)())
        except Exception as error:
            yield Finding("threads", name, Status.ABSENT, f"not known: {_told(error)}")
        else:
            yield Finding("threads", name, Status.OK, told)
    named = [f"{name}={os.environ[name]}" for name in BLAS_VARIABLES if name in os.environ]
    yield Finding("threads", "BLAS", Status.OK, f"{_blas()}; {', '.join(named) or 'its default'}")


def _blas() -> str:
    """Which BLAS NumPy is linked to."""
    try:
        shown = import_module("numpy").show_config(mode="dicts")
        blas = shown["Build Dependencies"]["blas"]
        return f"{blas['name']} {blas.get('version', '')}".strip()
    except Exception as error:
        return f"not known ({_told(error)})"


def gpu() -> Iterator[Finding]:
    """Ask torch and numba for a GPU, and why there is none."""
    for name, ask in (("torch.cuda", _torch_gpu), ("numba-cuda", _numba_gpu)):
        try:
            there, told = ask()
        except Exception as error:
            there, told = False, _told(error)
        status = Status.OK if there else Status.ABSENT
        yield Finding("GPU", name, status, told, "" if there else "the kernels run on the CPU")


def _torch_gpu() -> tuple[bool, str]:
    import torch

    if torch.cuda.is_available():
        return True, f"{torch.cuda.get_device_name()}, CUDA {torch.version.cuda}"
    if torch.version.cuda is None:
        return False, f"torch {torch.__version__} is built without CUDA"
    return False, f"built for CUDA {torch.version.cuda}; no driver or no device"


def _numba_gpu() -> tuple[bool, str]:
    try:
        there = version("numba-cuda")
    except PackageNotFoundError:
        return False, f"not installed: pip install '{PACKAGE}[cuda]'"
    cuda = import_module("numba.cuda")
    if cuda.is_available():
        name = cuda.get_current_device().name
        return True, f"{name.decode() if isinstance(name, bytes) else name}, numba-cuda {there}"
    why = getattr(import_module("numba.cuda.cudadrv.driver").driver, "initialization_error", None)
    return False, " ".join(f"numba-cuda {there}: {why or 'no driver or no device'}".split())


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
            "self-check", "check twin --fast", Status.WRONG, f"raised {_told(error)}"
        )
    canaries = [c for c in report.checks if c.check == "canaries"]
    told = (
        f"{report.verdict}: {len(report.checks)} checks in {seconds:.1f} s; "
        f"{canaries[0].message if canaries else 'no canary was fed'}"
    )
    status = {0: Status.OK, 1: Status.WRONG}.get(report.exit_code, Status.OPEN)
    remedy = "" if status is Status.OK else "lsm-verify check twin --verbose"
    return report.verdict.value, Finding("self-check", "check twin --fast", status, told, remedy)
