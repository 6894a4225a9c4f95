"""Run the benchmarks and write the result."""

from __future__ import annotations

import json
import os
import sys
import tempfile
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from lsm_verify import files
from lsm_verify.bench.rows import Row
from lsm_verify.errors import InputError

PASSED, WRONG, NOTHING, INTERNAL = 0, 1, 3, 4

ARGUMENTS = (
    "--quiet",
    "--benchmark-only",
    "--benchmark-quiet",
    "--benchmark-disable-gc",
    "--import-mode=importlib",
    "--tb=short",
    "-p",
    "pytest_benchmark.plugin",
    "-p",
    "no:cacheprovider",
)

SETTINGS = """[pytest]
filterwarnings =
    default
    ignore::pytest_benchmark.logger.PytestBenchmarkWarning
"""


@dataclass(frozen=True)
class Result:
    """What a run measured.

    ``document`` is pytest-benchmark's file with a part of our own, ``lsm_verify``; ``None`` if
    nothing was timed.
    """

    document: dict[str, Any] | None
    not_measured: dict[str, str]
    refused: dict[str, str]
    failed: dict[str, str]

    @property
    def exit_code(self) -> int:
        """Return 0; 1 if a result was wrong; 3 if nothing was timed; 4 if a row broke down."""
        if self.refused:
            return WRONG
        if self.failed:
            return INTERNAL
        return PASSED if self.document is not None else NOTHING


def run(
    rows: Sequence[Row],
    output: Path | None = None,
    *,
    quick: bool = False,
    first_calls: bool = False,
    announce: Callable[[str], None] = lambda message: None,
) -> Result:
    """Time rows and write the result under a temporary name, then move it.

    What was measured before an interrupt is written, too. ``quick`` gives each row less time;
    ``first_calls`` also measures what compiling costs; ``announce`` is called before each row.

    Raises
    ------
    InputError
        If pytest-benchmark is not installed, or the file cannot be written.
    """
    if find_spec("pytest_benchmark") is None:
        raise InputError(
            "bench run needs pytest-benchmark; install the extra: "
            "pip install 'lsm-verify[testing]'."
        )
    if output is not None:
        files.check_writable(output)
    import pytest
    from pytest_benchmark.logger import PytestBenchmarkWarning

    from lsm_verify.bench import notes, suite

    plan = _Plan(rows, suite.QUICK_SECONDS if quick else suite.FULL_SECONDS, announce)
    with tempfile.TemporaryDirectory(prefix="lsm-verify-") as folder:
        target, settings = Path(folder) / "result.json", Path(folder) / "pytest.ini"
        settings.write_text(SETTINGS)
        words = [*ARGUMENTS, "-c", str(settings), "--rootdir", folder]
        words += [f"--benchmark-json={target}", f"--benchmark-storage=file://{folder}/kept"]
        with _own_settings(), redirect_stdout(sys.stderr), warnings.catch_warnings():
            # Rows that were skipped or broke down are told in the result.
            warnings.simplefilter("ignore", PytestBenchmarkWarning)
            code = pytest.main([*words, str(Path(suite.__file__))], plugins=[plan, notes])
        text = target.read_text(encoding="utf-8") if target.exists() else None
    document = None if text is None else json.loads(text)
    if document is not None and not document["benchmarks"]:
        document = None
    if code == pytest.ExitCode.INTERRUPTED:
        if output is None or document is None:
            raise KeyboardInterrupt
        document["lsm_verify"]["interrupted"] = True
        _write(output, document)
        done = len(document["benchmarks"])
        raise KeyboardInterrupt(
            f"interrupted; {done} of {len(rows)} rows were measured: {output} has them."
        )
    if code not in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED):
        raise RuntimeError(f"pytest ended with {code!r} before all rows were run")
    if document is not None and first_calls:
        from lsm_verify.bench import start

        if output is not None:
            _write(output, document)  # an interrupt from here on loses the first calls alone
        announce("first calls, each in a fresh process")
        document["lsm_verify"]["start"] = start.first_calls()
    if output is not None and document is not None:
        _write(output, document)
    return Result(document, plan.notes.not_measured, plan.notes.refused, plan.notes.failed)


def _write(output: Path, document: dict[str, Any]) -> None:
    files.write_text(output, json.dumps(document, indent=1) + "\n")


class _Plan:
    """A pytest plugin that tells the suite which rows to run, for how long."""

    def __init__(
        self, rows: Sequence[Row], seconds: float, announce: Callable[[str], None]
    ) -> None:
        from lsm_verify.bench.notes import Notes

        self.rows, self.seconds, self.notes = rows, seconds, Notes()
        self.announce, self.begun = announce, 0

    def pytest_runtest_logstart(self, nodeid: str) -> None:
        self.begun += 1
        row = nodeid.partition("[")[2].rstrip("]")
        self.announce(f"row {self.begun} of {len(self.rows)}: {row or nodeid}")

    def pytest_configure(self, config: Any) -> None:
        from lsm_verify.bench.notes import NOTES, ROWS, SECONDS

        config.stash[ROWS], config.stash[SECONDS] = self.rows, self.seconds
        config.stash[NOTES] = self.notes


@contextmanager
def _own_settings() -> Iterator[None]:
    """Keep the user's pytest settings and plugins out: they would change what is timed."""
    ours = {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    # In a process of pytest-xdist pytest-benchmark would time nothing.
    names = (*ours, "PYTEST_ADDOPTS", "PYTEST_PLUGINS", "PYTEST_XDIST_WORKER")
    before = {name: os.environ.pop(name, None) for name in names}
    os.environ |= ours
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name, None)
            if value is not None:
                os.environ[name] = value
