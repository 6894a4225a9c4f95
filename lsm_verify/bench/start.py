"""What the first call of a process costs: compiling the kernels, and finding them compiled."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile

PROGRAM = """
import time
start = time.perf_counter()
import lsm_verify
imported = time.perf_counter() - start
from lsm_verify.bench.peers import Setting, get_peer
from lsm_verify.bench.workloads import Workload
run = get_peer("kernel").prepare(Workload({batch}), Setting("gradient")).run
start = time.perf_counter()
run()
print(imported, time.perf_counter() - start)
"""

BATCHES = (1, 64)
"""One column and blocks of columns are compiled apart."""


def first_calls() -> dict[str, float]:
    """Seconds of the import and of the first gradient, compiled anew and found in the cache."""
    found = {}
    for batch in BATCHES:
        with tempfile.TemporaryDirectory(prefix="lsm-verify-") as cache:
            for name in ("compiled", "cached"):
                imported, first = _measure(batch, cache)
                found[f"import, {name}"] = imported
                found[f"first gradient of {batch} columns, {name}"] = first
    return found


def _measure(batch: int, cache: str) -> tuple[float, float]:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM.format(batch=batch)],
        env={**os.environ, "NUMBA_CACHE_DIR": cache, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        check=True,
    )
    imported, first = map(float, done.stdout.split())
    return imported, first
