"""Who calibrates regions: threads, processes, or the workers of a Dask cluster.

Regions are calls of one function that share nothing but files. A worker that dies takes its region
with it, which is then given to another; one that kills three workers is given up.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import (
    FIRST_COMPLETED,
    Executor,
    Future,
    ProcessPoolExecutor,
    ThreadPoolExecutor,
    wait,
)
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from threading import Thread
from typing import Any

from lsm_verify.errors import InputError
from lsm_verify.validation import whole

THREADS, PROCESSES = "threads", "processes"

WORDS = {THREADS: ("thread", "threads"), PROCESSES: ("process", "processes")}

TRIES = 3
"""Workers that a region may kill."""

PATIENCE = 30.0
"""How long a Dask scheduler may take to answer, and its first worker to come [s]."""

WATCH = 0.2
"""How often a process looks whether the one that began it is there [s]."""

Call = Callable[[Any, int], Any]
Lost = Callable[[Any, int, str], Any]


@dataclass(frozen=True)
class Workers:
    """Threads, processes or a Dask cluster.

    Parameters
    ----------
    scheduler : str
        ``threads``, ``processes``, or the address of a Dask scheduler, ``tcp://host:8786``.
    count : int
        How many; of a cluster, as many as it has.
    memory : int, optional
        Bytes that each of a cluster may take.
    """

    scheduler: str
    count: int
    memory: int | None = None

    def __str__(self) -> str:
        if self.scheduler in WORDS:
            return f"{self.count} {WORDS[self.scheduler][self.count > 1]}"
        return f"the workers at {self.scheduler}, {self.count} at once"

    def map(self, call: Call, work: Any, numbers: Sequence[int], lost: Lost) -> Iterator[Any]:
        """Yield ``call(work, number)`` for all numbers as they come, ``lost(…)`` of the others."""
        if self.scheduler == THREADS:
            yield from _in_threads(self.count, call, work, numbers)
        elif self.scheduler == PROCESSES:
            yield from _in_processes(self.count, call, work, numbers, lost)
        else:
            yield from _on_cluster(self.scheduler, call, work, numbers, lost)


def workers_of(scheduler: str, count: int | None) -> Workers:
    """Check who is asked for.

    Raises
    ------
    InputError
        If there is no such scheduler, or it does not answer.
    """
    if scheduler in (THREADS, PROCESSES):
        cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else None
        most = cores or os.cpu_count() or 1
        return Workers(scheduler, most if count is None else whole("workers", count, 1))
    if "://" not in scheduler:
        raise InputError(
            f"scheduler={scheduler!r} is not known; give threads, processes, or the address of a "
            "Dask scheduler, tcp://HOST:PORT."
        )
    if count is not None:
        raise InputError("--workers is for threads and processes: a cluster has as many as it has.")
    check_installed("distributed")
    with _client(scheduler) as client:
        try:
            client.wait_for_workers(1, timeout=PATIENCE)
        except TimeoutError:
            raise InputError(
                f"the Dask scheduler at {scheduler} has no workers; start some first."
            ) from None
        try:
            client.run(import_module, "lsm_verify.maps.run")
        except ImportError as error:
            raise InputError(
                f"a worker at {scheduler} cannot load the package ({error}); install it there."
            ) from None
        known = client.scheduler_info(n_workers=-1)["workers"].values()
        limits = [
            each["memory_limit"] // each["nthreads"] for each in known if each["memory_limit"]
        ]
        count = sum(each["nthreads"] for each in known)
    return Workers(scheduler, count, min(limits) if limits else None)


def check_installed(*libraries: str) -> None:
    """Refuse to begin without the libraries of the extra ``map``."""
    for library in libraries:
        if find_spec(library) is None:
            raise InputError(
                f"this needs {library}, which is not installed; pip install 'lsm-verify[map]'."
            )


# ------------------------------------------------------------------ inside


def _in_threads(count: int, call: Call, work: Any, numbers: Sequence[int]) -> Iterator[Any]:
    with ThreadPoolExecutor(count, thread_name_prefix="lsm-verify-map") as pool:
        yield from _as_they_come(pool, {pool.submit(call, work, n): n for n in numbers})


def _as_they_come(pool: Executor, futures: dict[Future[Any], int]) -> Iterator[Any]:
    """Yield results; if that is stopped, those that run end and others do not begin."""
    try:
        while futures:
            done, _ = wait(futures, return_when=FIRST_COMPLETED)
            for future in done:
                yield future.result()
                del futures[future]
    except BaseException:
        pool.shutdown(wait=True, cancel_futures=True)
        raise


def _in_processes(
    count: int, call: Call, work: Any, numbers: Sequence[int], lost: Lost
) -> Iterator[Any]:
    """Run calls in processes, begun anew where one dies: all that were running are suspect then."""
    from multiprocessing import get_context

    left, deaths = list(numbers), dict.fromkeys(numbers, 0)
    while left:
        alone = max(deaths[n] for n in left) > 0  # who kills its process is found out one by one
        workers = 1 if alone else count
        with ProcessPoolExecutor(
            workers, get_context("spawn"), initializer=_leave_with, initargs=(os.getpid(),)
        ) as pool:
            batch = [n for n in left if deaths[n]][:1] if alone else list(left)
            futures: dict[Future[Any], int] = {}
            try:
                for n in batch:
                    futures[pool.submit(call, work, n)] = n
                while futures:
                    done, _ = wait(futures, return_when=FIRST_COMPLETED)
                    for future in done:
                        found = future.result()
                        left.remove(futures.pop(future))
                        yield found
            except BrokenProcessPool:
                for n in _running(futures, batch, workers) or batch[:1]:
                    deaths[n] += 1
            except BaseException:
                pool.shutdown(wait=True, cancel_futures=True)
                raise
        for n in [n for n in left if deaths[n] >= TRIES]:
            left.remove(n)
            yield lost(work, n, f"its worker died {TRIES} times")


def _leave_with(parent: int) -> None:
    """Watch the process that began this one, and end when it has: nobody is left to tell."""

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(WATCH)
        os._exit(1)

    Thread(target=watch, daemon=True, name="lsm-verify-parent").start()


def _running(futures: dict[Future[Any], int], batch: Sequence[int], count: int) -> list[int]:
    """Return which calls may have been running when a process died: the first that are not done."""
    waiting = [n for n in batch if n in futures.values()]
    return waiting[: count + 1]


def _client(address: str) -> Any:
    from distributed import Client

    try:
        return Client(address, timeout=PATIENCE, set_as_default=False)
    except (OSError, ValueError) as error:
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise InputError(
            f"no Dask scheduler answers at {address} ({reason.rstrip('.')}); check the address."
        ) from None


def _on_cluster(
    address: str, call: Call, work: Any, numbers: Sequence[int], lost: Lost
) -> Iterator[Any]:
    from distributed import KilledWorker, as_completed

    with _client(address) as client:
        everywhere = client.scatter(work, broadcast=True, hash=False)
        futures = {client.submit(call, everywhere, n, pure=False): n for n in numbers}
        try:
            for future in as_completed(list(futures), loop=client.loop):
                n = futures.pop(future)
                if future.status == "finished":
                    yield future.result()
                else:
                    error = future.exception()
                    what = "its workers died" if isinstance(error, KilledWorker) else "not run"
                    yield lost(work, n, f"{what} ({' '.join(str(error).split())})")
                future.release()
        except BaseException:
            client.cancel(list(futures))
            raise
