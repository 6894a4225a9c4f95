"""Run ``lsm-verify map`` on a synthetic city: times, memory, schedulers, workers and runs killed.

``python tools/map_runs.py [FILE]`` writes reports/map_runs.json. Every run is a process of its own,
as a user starts it; what a store holds is compared file by file.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import psutil

from lsm_verify.files import write_text
from lsm_verify.maps.synthetic import synthetic_city

UNKNOWNS = (
    "albedo,thermal_conductivity,volumetric_heat_capacity,bottom_temperature,"
    "turbulent_transfer_coefficient"
)
SIDE, LARGE = 100, 316
ERROR, SEED = 0.05, 0
KILLS = 5
SMALL = 400
"""Columns of a region where runs are killed, so that there are many regions."""

PATIENCE = 600


def draw(side: int, path: Path) -> None:
    """Write a city."""
    synthetic_city(side, side, ERROR, seed=SEED).to_netcdf(path, engine="h5netcdf")


def command(given: Path, out: Path, *more: str) -> list[str]:
    """Return the command line of a map."""
    program = [sys.executable, "-c", "from lsm_verify.cli import main; main()"]
    asked = ["--unknowns", UNKNOWNS, "--observation-error", str(ERROR)]
    return [*program, "map", str(given), str(out), *asked, *more]


def finish(given: Path, out: Path, *more: str) -> dict[str, Any]:
    """Run a map to its end; wall-clock, processor seconds, largest resident memory, the result.

    The largest memory of a process is at least that of the one that started it: ours stays small.
    """
    told = out.with_suffix(".json")
    began = time.perf_counter()
    child = subprocess.Popen(
        command(given, out, "--json", str(told), *more), stdout=subprocess.DEVNULL
    )
    _, status, used = os.wait4(child.pid, 0)
    wall = time.perf_counter() - began
    code = child.returncode = os.waitstatus_to_exitcode(status)
    if code != 0:
        raise SystemExit(f"lsm-verify map ended with {code}")
    found = json.loads(told.read_text())
    return {
        "wall_s": round(wall, 2),
        "regions_s": round(found["seconds"], 2),
        "cpu_s": round(used.ru_utime + used.ru_stime, 2),
        "peak_memory_MB": round(used.ru_maxrss / 1024, 1),
        "regions": found["regions"],
        "status": found["status"],
        "gradient_verified": found["gradient_verified"],
        "max_z": round(found["max_z"], 2),
    }


def digest(store: Path) -> str:
    """Return a digest of all files of a store, names and bytes."""
    total = hashlib.sha256()
    for path in sorted(p for p in store.rglob("*") if p.is_file()):
        total.update(f"{path.relative_to(store)} {path.stat().st_size} ".encode())
        total.update(path.read_bytes())
    return total.hexdigest()


def sealed(store: Path) -> int:
    """Return how many regions of a store are done."""
    return len(list(store.glob("region_seal/c/*")))


@contextmanager
def begun(
    given: Path, out: Path, *more: str, regions: int = 1
) -> Iterator[subprocess.Popen[bytes]]:
    """Begin a map; wait until it has finished so many regions."""
    child = subprocess.Popen(
        command(given, out, "--chunk", str(SMALL), *more),
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
    )  # fmt: skip
    try:
        until = time.monotonic() + PATIENCE
        while sealed(out) < regions and child.poll() is None and time.monotonic() < until:
            time.sleep(0.01)
        yield child
    finally:
        child.kill()
        child.wait()


def killed(given: Path, folder: Path, whole: str, regions: int) -> list[dict[str, Any]]:
    """Kill runs at random moments, go on with each, and compare with the undisturbed one."""
    rng, told = random.Random(SEED), []
    for number in range(KILLS):
        out = folder / f"killed{number}.zarr"
        how = ("--scheduler", ("threads", "processes")[number % 2])
        with begun(given, out, "--resume", *how, regions=rng.randint(1, regions - 5)) as child:
            time.sleep(rng.uniform(0, 0.1))
            workers = psutil.Process(child.pid).children(recursive=True)
            child.kill()
            ended = child.wait()
            psutil.wait_procs(workers, timeout=PATIENCE)  # who end when they see that it is gone
        done = sealed(out)
        finish(given, out, "--chunk", str(SMALL), "--resume")
        told.append({
            "scheduler": how[1],
            "ended_by": signal.Signals(-ended).name if ended < 0 else ended,
            "regions_done_when_killed": done,
            "same_bytes_after_resume": digest(out) == whole,
        })  # fmt: skip
    return told


def a_process_killed(given: Path, out: Path, whole: str) -> dict[str, Any]:
    """Kill one of two processes of a run."""
    with begun(given, out, "--scheduler", "processes", "--workers", "2") as child:
        pool = psutil.Process(child.pid).children(recursive=True)
        victim = next(p for p in pool if "spawn_main" in " ".join(p.cmdline()))
        done = sealed(out)
        victim.kill()
        code = child.wait(PATIENCE)
    return {"regions_done_when_killed": done, "exit_code": code,
            "same_bytes": digest(out) == whole}  # fmt: skip


def on_a_cluster(given: Path, folder: Path, whole: str) -> dict[str, Any]:
    """Run on a local cluster of two workers, and again with one of them killed in mid-run."""
    from distributed import LocalCluster

    with LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster:
        address = cluster.scheduler_address
        small = ("--chunk", str(SMALL))
        calm = finish(given, folder / "calm.zarr", *small, "--scheduler", address)
        out = folder / "worker.zarr"
        with begun(given, out, "--scheduler", address) as child:
            done = sealed(out)
            nanny = next(iter(cluster.workers.values()))
            psutil.Process(nanny.pid).kill()
            code = child.wait(PATIENCE)
    return {
        "same_bytes": digest(folder / "calm.zarr") == whole,
        "run": calm,
        "a_worker_killed": {
            "regions_done_when_killed": done, "exit_code": code,
            "same_bytes": digest(out) == whole,
        },
    }  # fmt: skip


def main() -> None:
    """Measure, and write the file that is named."""
    path = Path(sys.argv[1] if len(sys.argv) > 1 else "reports/map_runs.json")
    told: dict[str, Any] = {
        "how": (
            "lsm-verify map of a synthetic city: twin, 100 nodes, 100 steps of an hour, observed "
            "at 0 and 0.05 m with noise of 0.05 K, five unknowns, one column of every region "
            "verified; wall_s from the start of the process to its end, regions_s of the regions"
        ),
        "seed": SEED,
        "machine": {"processor": platform.machine(), "cores": os.cpu_count()},
        "load_at_start": [round(x, 2) for x in os.getloadavg()],
    }
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        city, large = folder / "city.nc", folder / "large.nc"
        with get_context("spawn").Pool(1) as pool:  # memory of its own: see `finish`
            pool.starmap(draw, [(SIDE, city), (LARGE, large)])
        told["input_MB"] = {p.stem: round(p.stat().st_size / 1e6, 1) for p in (city, large)}
        finish(city, folder / "first.zarr")  # compiled
        told["100 x 100"] = finish(city, folder / "small.zarr")
        told["316 x 316"] = finish(large, folder / "large.zarr")
        told["seconds of regions per column, 316 x 316 over 100 x 100"] = round(
            told["316 x 316"]["regions_s"] / LARGE**2 / (told["100 x 100"]["regions_s"] / SIDE**2),
            3,
        )
        small = ("--chunk", str(SMALL))
        whole = finish(city, folder / "whole.zarr", *small)
        same = digest(folder / "whole.zarr")
        told["regions of 400"] = whole
        finish(city, folder / "one.zarr", *small, "--workers", "1")
        processes = finish(city, folder / "processes.zarr", *small, "--scheduler", "processes")
        told["one thread"] = {"same_bytes": digest(folder / "one.zarr") == same}
        told["processes"] = {
            "same_bytes": digest(folder / "processes.zarr") == same,
            "run": processes,
            "one_killed": a_process_killed(city, folder / "process.zarr", same),
        }
        told["LocalCluster of 2 workers"] = on_a_cluster(city, folder, same)
        told["killed"] = killed(city, folder, same, whole["regions"])
    told["load_at_end"] = [round(x, 2) for x in os.getloadavg()]
    write_text(path, json.dumps(told, indent=2) + "\n")
    print(json.dumps(told, indent=2))


if __name__ == "__main__":
    main()
