"""Memory that a call takes beyond what is there before it."""

from __future__ import annotations

import ctypes
import gc
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

STATUS = Path("/proc/self/status")
CLEAR = Path("/proc/self/clear_refs")
RESET_PEAK = "5"
"""Written there, Linux forgets the highest resident size so far: see proc(5)."""


def peak(call: Callable[[], Any], device: str) -> int | None:
    """Bytes that a call takes at its height, results included; ``None`` where it cannot be told.

    On the CPU, growth of the resident memory (Linux): pages that a library holds on to from an
    earlier call do not count, so this is the least that it took, and Linux is behind by up to some
    0.3 MiB. On a GPU, torch's own count.
    """
    if device == "cuda":
        import torch

        torch.cuda.synchronize()
        allocated = torch.cuda.memory_allocated()
        torch.cuda.reset_peak_memory_stats()
        call()
        torch.cuda.synchronize()
        return int(torch.cuda.max_memory_allocated() - allocated)
    if not sys.platform.startswith("linux"):
        return None
    gc.collect()
    _give_back()
    before = _status("VmRSS")
    try:
        CLEAR.write_text(RESET_PEAK)
    except OSError:
        return None
    call()
    after = _status("VmHWM")
    return None if before is None or after is None else max(0, after - before)


def _status(field: str) -> int | None:
    for line in STATUS.read_text().splitlines():
        if line.startswith(f"{field}:"):
            return int(line.split()[1]) * 1024
    return None


def _give_back() -> None:
    """Let the C library return free pages to the system, so that taking them again shows."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)
