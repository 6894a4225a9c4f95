"""Source trees side by side: what is in them, and that nothing of them remains."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from lsm_verify.bench import worktree
from lsm_verify.errors import InputError
from tests.bench import trees


@pytest.fixture
def temporary(tmp_path, monkeypatch):
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(folder))
    return folder


@pytest.fixture
def repository(tmp_path):
    return trees.make(tmp_path / "toy")


def test_candidate_is_the_working_tree_and_base_the_commit(repository, temporary):
    base = trees.git(repository, "rev-parse", "HEAD").strip()
    (repository / "cost.txt").write_text("2e-3")
    (repository / "new.py").write_text("untracked = True")
    (repository / "big.log").write_text("ignored")
    (repository / "constraints.txt").unlink()
    before = trees.git(repository, "status", "--porcelain")
    with worktree.candidate_and_base(repository, base) as (candidate, first, second):
        assert (candidate.root / "cost.txt").read_text() == "2e-3"
        assert (candidate.root / "new.py").exists()
        assert not (candidate.root / "big.log").exists()
        assert not (candidate.root / "constraints.txt").exists()
        for side in (first, second):
            assert (side.root / "cost.txt").read_text() == "1e-3"
            assert (side.root / "constraints.txt").exists()
            assert not (side.root / "new.py").exists()
        roots = [side.root for side in (candidate, first, second)]
        assert len({len(str(root)) for root in roots}) == 1
        (repository / "cost.txt").write_text("9e-3")  # edited while it is measured
        assert (candidate.root / "cost.txt").read_text() == "2e-3"
        (repository / "cost.txt").write_text("2e-3")
    assert trees.git(repository, "status", "--porcelain") == before
    assert trees.worktrees(repository) == [str(repository)]
    assert trees.leftovers(temporary) == []


def test_every_side_has_its_own_source_and_cache(repository, temporary, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", "/elsewhere")
    monkeypatch.setenv("GIT_DIR", "/wrong/.git")
    with worktree.candidate_twice(repository) as sides:
        environments = [side.environment() for side in sides]
        for side, environment in zip(sides, environments, strict=True):
            first, second, third = environment["PYTHONPATH"].split(os.pathsep)
            assert (first, second) == (str(side.root), str(side.root / "reference"))
            assert third == "/elsewhere"
            assert "GIT_DIR" not in environment
        assert len({environment["NUMBA_CACHE_DIR"] for environment in environments}) == 2
        assert all(Path(each["NUMBA_CACHE_DIR"]).is_dir() for each in environments)


def _raise(error):
    raise error


@pytest.mark.parametrize(
    "end, raised",
    [
        (lambda: _raise(InputError("a benchmark fails")), InputError),
        (lambda: _raise(KeyboardInterrupt), KeyboardInterrupt),
        (lambda: os.kill(os.getpid(), signal.SIGINT), KeyboardInterrupt),
        (lambda: os.kill(os.getpid(), signal.SIGTERM), KeyboardInterrupt),
    ],
    ids=["error", "interrupt", "SIGINT", "SIGTERM"],
)
def test_nothing_remains_after_an_end_in_the_middle(repository, temporary, end, raised, request):
    # A shell that starts a job in the background has it ignore SIGINT.
    interrupt = signal.signal(signal.SIGINT, signal.default_int_handler)
    request.addfinalizer(lambda: signal.signal(signal.SIGINT, interrupt))
    handler = signal.getsignal(signal.SIGTERM)

    def measure():
        with worktree.candidate_and_base(repository, "HEAD") as sides:
            assert len(trees.worktrees(repository)) == 3
            (sides[1].root / "written.txt").write_text("a worktree with changes")
            end()

    with pytest.raises(raised):
        measure()
    assert trees.worktrees(repository) == [str(repository)]
    assert trees.leftovers(temporary) == []
    assert signal.getsignal(signal.SIGTERM) == handler


def test_nothing_remains_if_a_worktree_cannot_be_made(repository, temporary, monkeypatch):
    real = worktree.git
    calls = []

    def failing(root, *words):
        if words[:2] == ("worktree", "add"):
            calls.append(words)
            if len(calls) == 2:
                real(root, *words)
                raise InputError("disk full")
        return real(root, *words)

    monkeypatch.setattr(worktree, "git", failing)
    with (
        pytest.raises(InputError, match="disk full"),
        worktree.candidate_and_base(repository, "HEAD"),
    ):
        pytest.fail("the block must not be entered")
    assert trees.worktrees(repository) == [str(repository)]
    assert trees.leftovers(temporary) == []


def test_other_worktrees_of_the_user_stay(repository, temporary, tmp_path):
    mine = tmp_path / "mine"
    trees.git(repository, "worktree", "add", "-q", "--detach", str(mine))
    with worktree.candidate_and_base(repository, "HEAD"):
        pass
    assert trees.worktrees(repository) == [str(repository), str(mine)]


def test_refs(repository):
    first = trees.git(repository, "rev-parse", "HEAD").strip()
    trees.git(repository, "tag", "-a", "-m", "tag", "v1")
    assert worktree.commit_of(repository, "v1") == first  # the commit, not the tag's object
    assert worktree.commit_of(repository, first[:8]) == first
    for wrong in ("nope", "--all", "HEAD:toy.py", ""):
        with pytest.raises(InputError, match="neither a result file nor a commit"):
            worktree.commit_of(repository, wrong)


def test_folder_without_repository_is_refused(tmp_path, monkeypatch):
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    with pytest.raises(InputError, match="not in a git repository"):
        worktree.repository_of(tmp_path)


def test_missing_git_is_named(repository, monkeypatch):
    monkeypatch.setenv("PATH", "")
    with pytest.raises(InputError, match="git is not installed"):
        worktree.git(repository, "status")


def test_commit_info_has_pytest_benchmarks_fields(repository):
    info = worktree.commit_info(repository)
    assert set(info) == {"id", "time", "author_time", "dirty", "project", "branch"}
    assert (info["dirty"], info["project"], info["branch"]) == (False, "toy", "main")
    (repository / "cost.txt").write_text("3")
    trees.git(repository, "checkout", "-q", "--detach")
    info = worktree.commit_info(repository)
    assert (info["dirty"], info["branch"]) == (True, "(detached head)")


@pytest.mark.parametrize(
    "file, text, said",
    [
        ("pyproject.toml", trees.PYPROJECT.replace("numpy>=2", "numpy>=2.1"), r"numpy>=2\.?1?"),
        ("pyproject.toml", trees.PYPROJECT.replace("3.11", "3.12"), "python >=3.1"),
        (
            "pyproject.toml",
            trees.PYPROJECT + '[project.optional-dependencies]\ncuda = ["numba-cuda"]\n',
            r"numba-cuda \[cuda\]",
        ),
        ("pyproject.toml", "[project", "is no TOML"),
        ("constraints.txt", "numpy==2.4.7\n", "numpy==2.4"),
    ],
)
def test_other_dependencies_are_refused(repository, tmp_path, file, text, said):
    other = trees.make(tmp_path / "other")
    (repository / file).write_text(text)
    with pytest.raises(InputError, match=said):
        worktree.refuse_other_dependencies(repository, other)


def test_other_text_with_the_same_dependencies_passes(repository, tmp_path):
    other = trees.make(tmp_path / "other")
    (repository / "pyproject.toml").write_text("# a comment\n" + trees.PYPROJECT)
    (repository / "constraints.txt").write_text("# another comment\nnumpy==2.4.6\n")
    worktree.refuse_other_dependencies(repository, other)
    for file in ("pyproject.toml", "constraints.txt"):
        (repository / file).unlink()
        (other / file).unlink()
    worktree.refuse_other_dependencies(repository, other)
