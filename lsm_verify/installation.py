"""What is installed: versions against their bounds, what can be loaded, threads, GPU.

Nothing here raises for a part that is missing or broken: that is what is to be told.
"""

from __future__ import annotations

import os
import platform
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from importlib import import_module
from importlib.metadata import PackageNotFoundError, metadata, requires, version
from typing import Any

from lsm_verify.version import __version__

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
    words = f"{platform.python_version()} (wanted {bounds})"
    yield Finding("versions", "python", status, words, "" if right else "use another interpreter")
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
    words = f"{there} (wanted {wanted.specifier})"
    if wanted.specifier.contains(there, prereleases=True):
        return Finding(part, wanted.name, Status.OK, words)
    return Finding(part, wanted.name, Status.WRONG, words, install)


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
        return f"cannot be imported: {told(error)}"
    return None


def told(error: BaseException) -> str:
    """Name an exception in one short line."""
    return " ".join(f"{type(error).__name__}: {error}".split())[:200]


def threads() -> Iterator[Finding]:
    """Count processors, and the threads of numba, torch and BLAS."""
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    yield Finding("threads", "processors", Status.OK, f"{usable} usable of {os.cpu_count()}")
    for name, count in (("numba", "get_num_threads"), ("torch", "get_num_threads")):
        try:
            words = str(getattr(import_module(name), count)())
        except Exception as error:
            yield Finding("threads", name, Status.ABSENT, f"not known: {told(error)}")
        else:
            yield Finding("threads", name, Status.OK, words)
    named = [f"{name}={os.environ[name]}" for name in BLAS_VARIABLES if name in os.environ]
    yield Finding("threads", "BLAS", Status.OK, f"{_blas()}; {', '.join(named) or 'its default'}")


def _blas() -> str:
    """Which BLAS NumPy is linked to."""
    try:
        shown = import_module("numpy").show_config(mode="dicts")
        blas = shown["Build Dependencies"]["blas"]
        return f"{blas['name']} {blas.get('version', '')}".strip()
    except Exception as error:
        return f"not known ({told(error)})"


def gpu() -> Iterator[Finding]:
    """Ask torch and numba for a GPU, and why there is none."""
    for name, ask in (("torch.cuda", _torch_gpu), ("numba-cuda", _numba_gpu)):
        try:
            there, words = ask()
        except Exception as error:
            there, words = False, told(error)
        status = Status.OK if there else Status.ABSENT
        yield Finding("GPU", name, status, words, "" if there else "the kernels run on the CPU")


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
