"""Clocks: the processor's own, and events on a GPU's stream."""

from __future__ import annotations

import time
from typing import Any


class EventClock:
    """Seconds on the device since the first reading.

    Every reading is an event on torch's current stream that is waited for. Differences of
    neighbouring events are added up in double precision: an event itself tells milliseconds in
    single precision, in which a long run would lose the microseconds.
    """

    def __init__(self) -> None:
        self.last: Any = None
        self.seconds = 0.0

    def __call__(self) -> float:
        """Read the clock."""
        import torch

        event = torch.cuda.Event(enable_timing=True)  # type: ignore[no-untyped-call]
        event.record()
        event.synchronize()
        if self.last is not None:
            self.seconds += self.last.elapsed_time(event) / 1e3
        self.last = event
        return self.seconds


_cuda = EventClock()


def cuda_clock() -> float:
    """Seconds on the GPU, for pytest-benchmark, which wants a function with a name."""
    return _cuda()


CLOCKS = {"cpu": time.perf_counter, "cuda": cuda_clock}


def wait(device: str) -> None:
    """Wait until the device has done all that it was asked for."""
    if device == "cuda":
        import torch

        torch.cuda.synchronize()


def cuda_name() -> str | None:
    """Name of the GPU, if torch finds one."""
    import torch

    return torch.cuda.get_device_name() if torch.cuda.is_available() else None
