"""What all tests share: hypothesis profiles, the data folder, planted errors."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest
from hypothesis import settings

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
