"""Dense algebra of a calibration on one thread.

Its matrices are small (202 × 100 for an albedo per step of the twin): on an idle machine two
threads decompose them no faster than one, 2.5 against 2.3 ms, and beside other work they wait for
each other. Measured beside two busy processes on two cores, of 40 decompositions: 78 ms in the
median and 1.7 s at most by two threads, 12 and 30 ms by one. Sums are rounded alike on any number
of cores then, too.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any


@contextmanager
def one_thread() -> Iterator[None]:
    """Keep BLAS to one thread, as a context or a decorator; what was set before is set again.

    Notes
    -----
    The setting is that of the process: other Python threads have it, too, as long as it lasts. It
    takes some 20 µs.
    """
    with _controller().limit(limits=1, user_api="blas"):
        yield


@cache
def _controller() -> Any:
    """Find the libraries once, 2 ms; NumPy and SciPy bring one each."""
    import scipy.linalg  # noqa: F401 - loads its library
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController()
