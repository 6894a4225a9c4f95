"""Time two rows of the kernels and nothing else: a second a process, for many comparisons.

As ``--command`` of ``lsm-verify bench compare``; see ``tools/compare_selftest.py``. Where ``bench
run`` first holds every row against the oracle, this only times.
"""

from __future__ import annotations

import json
import platform
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

from lsm_verify.bench.peers import Setting, get_peer
from lsm_verify.bench.workloads import Workload

ROWS = (("gradient", 64), ("gradient", 256))
"""Both run the one kernel that must then be compiled for every side of a comparison."""

ROUNDS, ROUND = 20, 5e-3  # s


def rounds(mode: str, batch: int) -> list[float]:
    """Return the seconds per call of every round."""
    run = get_peer("kernel").prepare(Workload(batch), Setting(mode)).run
    run()
    start = time.perf_counter()
    run()
    calls = max(1, round(ROUND / (time.perf_counter() - start)))
    found = []
    for _ in range(ROUNDS):
        start = time.perf_counter()
        for _ in range(calls):
            run()
        found.append((time.perf_counter() - start) / calls)
    return found


def processor() -> dict[str, object]:
    """Tell what identifies the processor, as far as Linux does; elsewhere its name."""
    found: dict[str, object] = {"arch": platform.machine(), "brand_raw": platform.processor()}
    path = Path("/proc/cpuinfo")
    if path.exists():
        lines = (line.split(":", 1) for line in path.read_text().splitlines() if ":" in line)
        said = {name.strip(): value.strip() for name, value in lines}
        found |= {
            "brand_raw": said.get("model name"),
            "family": said.get("cpu family"),
            "model": said.get("model"),
            "stepping": said.get("stepping"),
        }
    return found


def main() -> None:
    """Write pytest-benchmark's format to the file that is named."""
    benchmarks = [
        {
            "name": f"{mode}-B{batch}",
            "fullname": f"time_kernels::{mode}-B{batch}",
            "group": None,
            "params": None,
            "param": None,
            "extra_info": {},
            "options": {},
            "stats": {"data": rounds(mode, batch), "iterations": 1},
        }
        for mode, batch in ROWS
    ]
    document = {
        "machine_info": {
            "system": platform.system(),
            "machine": platform.machine(),
            "cpu": processor(),
        },
        "commit_info": {},
        "benchmarks": benchmarks,
        "datetime": datetime.now(UTC).isoformat(),
        "version": "5",
    }
    Path(sys.argv[1]).write_text(json.dumps(document))


if __name__ == "__main__":
    main()
