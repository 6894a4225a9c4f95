"""Provenance names machine, versions and commits, and never stops a run for want of them."""

from __future__ import annotations

import subprocess
from datetime import UTC, datetime

import pytest

from lsm_verify import __version__
from lsm_verify.verify.provenance import PACKAGE, UNKNOWN, commit_of, provenance


@pytest.fixture
def repository(tmp_path):
    """A repository with one commit of one package file."""

    def git(*words):
        done = subprocess.run(
            ["git", "-c", "user.name=a", "-c", "user.email=a@example.org", *words],
            cwd=tmp_path, check=True, capture_output=True, text=True,
        )  # fmt: skip
        return done.stdout.strip()

    git("init", "--quiet")
    (tmp_path / "__init__.py").touch()
    git("add", "__init__.py")
    git("commit", "--quiet", "-m", "first")
    commit_of.cache_clear()
    yield tmp_path, git
    commit_of.cache_clear()


def test_versions_machine_and_checksums():
    found = provenance({"a.csv": "0123"})
    assert found["lsm-verify"] == __version__
    assert found["sha256 of a.csv"] == "0123"
    assert {"commit", "python", "platform", "cpu", "gpu", "torch", "numba", "scipy"} <= set(found)
    assert all(isinstance(value, str) and value for value in found.values())
    written = datetime.fromisoformat(found["date"])
    assert abs((datetime.now(UTC) - written).total_seconds()) < 60


def test_a_commit_is_named_and_changes_are_told(repository):
    folder, git = repository
    head = git("rev-parse", "HEAD")
    assert commit_of(folder) == head
    (folder / "__init__.py").write_text("x = 1\n", encoding="utf-8")
    commit_of.cache_clear()
    assert commit_of(folder) == f"{head}-dirty"


def test_an_environment_inside_another_repository_is_not_its_commit(repository):
    folder, _ = repository
    inside = folder / "venv" / "site-packages" / "lsm_verify"
    inside.mkdir(parents=True)
    (inside / "__init__.py").touch()
    assert commit_of(inside) == UNKNOWN
    assert commit_of(inside, tracked=False) != UNKNOWN


def test_without_git_the_commit_is_unknown(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    commit_of.cache_clear()
    assert commit_of(PACKAGE) == UNKNOWN
    assert provenance({})["commit"] == UNKNOWN
    commit_of.cache_clear()
