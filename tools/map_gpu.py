"""Calibrate a million columns of a synthetic city on a GPU: how long, what is covered, how alike.

``PYTHONPATH=.:reference python tools/map_gpu.py [FILE]`` writes reports/benchmarks/map_gpu.json. It
needs numpy, numba, numba-cuda and torch, and an NVIDIA GPU: where there is none it says so in a
line, writes nothing and exits with 2. ``--tune`` also times other numbers of registers and of
columns at once, each of which is compiled.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from lsm_verify.cases import Case  # noqa: E402
from lsm_verify.errors import InputError  # noqa: E402
from lsm_verify.files import check_writable, write_text  # noqa: E402
from lsm_verify.inverse import blas  # noqa: E402
from lsm_verify.inverse.city import city_case, draw_city  # noqa: E402
from lsm_verify.inverse.field_result import FieldEstimate  # noqa: E402
from lsm_verify.inverse.fields import calibrate_columns  # noqa: E402
from lsm_verify.kernels import cuda_levenberg_run, marquardt  # noqa: E402
from lsm_verify.kernels.cuda_arrays import numba_cuda  # noqa: E402
from tools.map_city import ERROR, FORMS, SEED, coverage  # noqa: E402

COLUMNS, SAMPLE, ROUNDS = 1_000_000, 2000, 3

ALIKE = 2 * marquardt.SETTLED / (1 - 0.9)
"""How far apart estimates may be, in standard errors: either device stops at most `SETTLED`/(1 - ρ)
from the optimum, for rates ρ up to 0.9."""

WARM = 4096
"""Columns of the first call, which compiles."""

TUNED = (96, 128, 168, 255)
"""Registers of a thread that ``--tune`` tries, with all and with half of the columns that they
leave room for."""

MISUSE = 2
"""Exit code without a GPU."""


def gpu() -> dict[str, Any]:
    """Tell what the GPU is, and with what it is driven.

    Raises
    ------
    InputError
        If there is none, or numba-cuda's simulator stands for one.
    """
    cuda = numba_cuda()
    if getattr(import_module("numba").config, "ENABLE_CUDASIM", 0):
        raise InputError("numba-cuda's simulator is on, which is no GPU; unset its variable.")
    device = cuda.get_current_device()
    name = device.name
    driver = import_module("numba.cuda.cudadrv.driver").driver
    return {
        "device": name.decode() if isinstance(name, bytes) else name,
        "compute_capability": list(device.compute_capability),
        "multiprocessors": device.MULTIPROCESSOR_COUNT,
        "memory_GiB": round(cuda.current_context().get_memory_info().total / 2**30, 1),
        "driver": driver_version(),
        "cuda_of_the_driver": ".".join(map(str, driver.get_version())),
    }


def driver_version() -> str | None:
    """Version of the driver as nvidia-smi has it, if it is there."""
    asked = ["nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader"]
    try:
        told = subprocess.run(asked, capture_output=True, text=True, check=True, timeout=60)
    except (OSError, subprocess.SubprocessError):
        return None
    return told.stdout.split("\n")[0].strip() or None


def versions() -> dict[str, str | None]:
    """Versions of what takes part."""
    found: dict[str, str | None] = {"python": sys.version.split()[0]}
    for name in ("numpy", "numba", "numba-cuda", "torch"):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = None
    return found


class _Unlimited:
    """Stands for threadpoolctl where SciPy or it is not installed."""

    def limit(self, **_: Any) -> AbstractContextManager[None]:
        return nullcontext()


def algebra() -> str:
    """Tell on how many threads matrices are taken apart; without SciPy no limit can be set."""
    if find_spec("scipy") and find_spec("threadpoolctl"):
        return "one thread"
    blas._controller = _Unlimited
    return "as many threads as NumPy takes: no SciPy or threadpoolctl here"


# ------------------------------------------------------------------ measured


def timed(call: Callable[[], Any]) -> tuple[Any, float]:
    """Return what a call gives, with wall-clock seconds."""
    start = time.perf_counter()
    found = call()
    return found, time.perf_counter() - start


def measure(
    case: Case, columns: int, held: tuple[str, ...], *, sample: int = SAMPLE, rounds: int = ROUNDS
) -> dict[str, Any]:
    """Calibrate columns several times on the GPU; times, coverage, and agreement with the CPU."""
    (truth, values), drawn = timed(lambda: draw_city(case, columns, ERROR, held=held, seed=SEED))
    names = list(truth)
    kernel: list[float] = []
    run = cuda_levenberg_run.run

    def noted(*asked: Any) -> Any:
        found, seconds = timed(lambda: run(*asked))
        kernel.append(seconds)
        return found

    cuda_levenberg_run.run = noted
    try:
        _, first = timed(
            lambda: calibrate_columns(case, values[:WARM], ERROR, names, device="cuda")
        )
        results = [
            timed(lambda: calibrate_columns(case, values, ERROR, names, device="cuda"))
            for _ in range(rounds)
        ]
    finally:
        cuda_levenberg_run.run = run
    found = results[0][0]
    walls = [seconds for _, seconds in results]
    return {
        "columns": columns,
        "steps": case.forcing.steps,
        "nodes": case.grid.nodes.size,
        "unknowns_fitted": len(names),
        "rounds": rounds,
        "wall_s": [round(seconds, 3) for seconds in walls],
        "of_which_on_the_gpu_with_copies_s": [round(seconds, 3) for seconds in kernel[1:]],
        "first_call_of_few_columns_with_compilation_s": round(first, 3),
        "drawing_on_the_cpu_s": round(drawn, 3),
        "columns_per_s": round(columns / float(np.median(walls))),
        "rounds_are_bitwise_equal": all(equal(found, other) for other, _ in results[1:]),
        "iterations_mean": round(float(found.iterations.mean()), 3),
        "iterations_most": int(found.iterations.max()),
        "status": {word: found.words.count(word) for word in sorted(set(found.words))},
        "unknowns": coverage(found, truth),
        "beside_the_cpu": beside(case, values, names, found, sample),
        "peak_memory_of_the_host_GB": round(
            resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e9, 2
        ),
    }


def equal(a: FieldEstimate, b: FieldEstimate) -> bool:
    """Whether two calibrations have the same bits."""
    names = ("estimate", "standard_error", "chi_square", "status", "iterations")
    pairs = ((getattr(a, name), getattr(b, name)) for name in names)
    return all(np.array_equal(x, y, equal_nan=x.dtype.kind == "f") for x, y in pairs)


def beside(
    case: Case, values: Any, names: list[str], found: FieldEstimate, sample: int
) -> dict[str, Any]:
    """Calibrate a sample of the columns, drawn from the seed, on the CPU too."""
    rng = np.random.default_rng(SEED + 1)
    which = np.sort(rng.choice(len(values), min(sample, len(values)), replace=False))
    theirs = calibrate_columns(case, values[which], ERROR, names)
    apart = np.abs(found.estimate[which] - theirs.estimate) / theirs.standard_error
    ratio = found.standard_error[which] / theirs.standard_error
    return {
        "columns": len(which),
        "largest_distance_in_standard_errors": float(f"{np.max(apart):.2g}"),
        "limit": float(f"{ALIKE:.2g}"),
        "within_the_limit": bool(np.all(apart <= ALIKE)),
        "largest_relative_difference_of_standard_errors": float(f"{np.max(abs(ratio - 1)):.2g}"),
        "same_status": int(np.sum(found.status[which] == theirs.status)),
        "same_iterations": int(np.sum(found.iterations[which] == theirs.iterations)),
    }


def tune(case: Case, columns: int) -> list[dict[str, Any]]:
    """Time other numbers of registers, and of columns at once."""
    truth, values = draw_city(case, columns, ERROR, seed=SEED)
    told = []
    kept = cuda_levenberg_run.REGISTERS, cuda_levenberg_run.THREADS_PER_MULTIPROCESSOR
    for registers in TUNED:
        for share in (1, 2):
            threads = 65536 // registers // (32 * share) * 32
            set_up(registers, threads)
            fits = [
                timed(lambda: calibrate_columns(case, values, ERROR, list(truth), device="cuda"))[1]
                for _ in range(ROUNDS)
            ]
            told.append(
                {
                    "registers": registers,
                    "columns_at_once_per_multiprocessor": threads,
                    "columns": columns,
                    "wall_s_least_after_the_first": round(min(fits[1:]), 3),
                }
            )
            print(json.dumps(told[-1]), flush=True)
    set_up(*kept)
    return told


def set_up(registers: int, threads: int) -> None:
    """Have the kernel compiled for so many registers, and run so many columns at once."""
    cuda_levenberg_run.REGISTERS = registers
    cuda_levenberg_run.THREADS_PER_MULTIPROCESSOR = threads
    cuda_levenberg_run.compiled.cache_clear()
    cuda_levenberg_run._functions.cache_clear()


def main() -> int:
    """Measure, and write the file that is named."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("file", nargs="?", default="reports/benchmarks/map_gpu.json", type=Path)
    parser.add_argument("--columns", type=int, default=COLUMNS)
    parser.add_argument("--tune", action="store_true")
    asked = parser.parse_args()
    try:
        device = gpu()
        check_writable(asked.file)
    except InputError as error:
        print(f"map_gpu: {error}", file=sys.stderr)
        return MISUSE
    told: dict[str, Any] = {
        "how": (
            "twin, 100 steps of an hour, observed at 0 and 0.05 m with noise of 0.05 K; fields "
            "uniform in their ranges, all columns from the middle of the ranges; wall-clock times "
            "of calibrate_columns after compilation, from NumPy arrays to NumPy arrays: copies, "
            "errors and singular values included"
        ),
        "asked": "1,000,000 columns of 100 steps in under 60 s",
        "seed": SEED,
        **device,
        "versions": versions(),
        "cores": os.cpu_count(),
        "matrices": algebra(),
        "registers": cuda_levenberg_run.REGISTERS,
        "columns_at_once_per_multiprocessor": cuda_levenberg_run.THREADS_PER_MULTIPROCESSOR,
    }
    case = city_case()
    for form, held in FORMS.items():
        told[form] = measure(case, asked.columns, held)
        print(form, json.dumps(told[form], indent=2), flush=True)
        write_text(asked.file, json.dumps(told, indent=2) + "\n")
    if asked.tune:
        told["tuning"] = tune(case, max(1, asked.columns // 8))
        write_text(asked.file, json.dumps(told, indent=2) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
