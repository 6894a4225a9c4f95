"""How torch is run: on how many threads, and with a graph."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch


@contextmanager
def torch_threads(count: int) -> Iterator[None]:
    """Keep torch to some threads; one is best where only a few columns are run.

    Their matrices are too small to be worth sharing: two threads were measured to take up to 25
    times as long where other work ran beside them.
    """
    threads = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


@contextmanager
def building_graphs(threads: int) -> Iterator[None]:
    """Let torch build graphs, even where the caller has switched that off.

    It is off inside the forward function of a caller's own ``torch.autograd.Function``: a gradient
    taken there would be zero.
    """
    with torch_threads(threads), torch.inference_mode(False), torch.enable_grad():
        yield
