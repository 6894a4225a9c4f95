"""What all tests share: hypothesis profiles, the data folder, planted errors."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest
from hypothesis import settings

from lsm_verify import cli
from tests.planting import Planter

# Other people's checkers need an extra and minutes of their own: `make peers` runs them.
collect_ignore = [] if os.environ.get("LSM_VERIFY_REQUIRE_PEERS") == "1" else ["peers"]

COMMON = {"deadline": None, "print_blob": True}
settings.register_profile("dev", max_examples=30, **COMMON)
settings.register_profile("ci", max_examples=60, derandomize=True, **COMMON)
settings.register_profile("nightly", max_examples=1000, **COMMON)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "dev"))


@pytest.fixture(scope="session")
def absent() -> Callable[[str], None]:
    """Skip for want of data; fail instead where LSM_VERIFY_REQUIRE_DATA=1 asks for it."""

    def stop(reason: str) -> None:
        if os.environ.get("LSM_VERIFY_REQUIRE_DATA") == "1":
            pytest.fail(reason)
        pytest.skip(reason)

    return stop


@pytest.fixture(scope="session")
def data_dir(absent: Callable[[str], None]) -> Path:
    """Folder of the third-party data."""
    given = os.environ.get("LSM_VERIFY_DATA")
    if not given or not Path(given).is_dir():
        absent(
            f"no data (LSM_VERIFY_DATA={given!r}): set LSM_VERIFY_DATA or run lsm-verify data fetch"
        )
    return Path(given or "")


@pytest.fixture(scope="session")
def published_dir(data_dir: Path, absent: Callable[[str], None]) -> Path:
    """Folder of the numbers of the paper's runs, which ``data fetch`` does not bring."""
    folder = data_dir / "published"
    if not folder.is_dir():
        absent(f"no published series in {data_dir}: put the paper's targets into {folder}")
    return folder


@pytest.fixture
def planter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Planter:
    """Plant errors in a module's source for the length of one test."""
    return Planter(tmp_path, monkeypatch)


@pytest.fixture
def mutate(planter: Planter) -> Callable[..., ModuleType]:
    """Copy a module with one place of its source replaced."""
    return planter.copy


# ---------------------------------------------------------------- the command line


@pytest.fixture
def run(capsys):
    """Run a command; return its exit code, output and errors."""

    def call(*arguments):
        code = cli.run([str(a) for a in arguments])
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return call


@pytest.fixture
def refused(run, tmp_path, monkeypatch):
    """Run a command that must be refused: exit code 2, one line of error, nothing else."""
    folder = tmp_path / "here"
    folder.mkdir()
    monkeypatch.chdir(folder)

    def call(*arguments):
        code, out, err = run(*arguments)
        assert code == 2, err
        assert out == ""
        assert err.startswith("lsm-verify: ")
        assert err.endswith("\n")
        assert err.count("\n") == 1
        assert "Traceback" not in err
        assert list(folder.iterdir()) == []
        return err.removeprefix("lsm-verify: ").rstrip("\n")

    return call


@pytest.fixture
def command():
    """Run the command line in an interpreter of its own."""

    def call(*arguments, before=""):
        return subprocess.run(
            [
                sys.executable,
                "-c",
                f"{before}\nfrom lsm_verify.cli import main; main()",
                *arguments,
            ],
            env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
            capture_output=True,
            text=True,
            check=False,
        )

    return call
