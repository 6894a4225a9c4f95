"""Two states of the source side by side: worktrees of a commit, and a copy of the working tree.

The working tree is copied before it is measured: nothing that is edited meanwhile is measured,
and all sides lie in folders with names of equal length (the size of the environment moves the
stack, and with it the speed).
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import tempfile
import threading
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any

from lsm_verify.errors import InputError

HOOK_VARIABLES = ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_PREFIX", "GIT_COMMON_DIR")
"""What git sets in its hooks; it would name another repository than the one asked for."""


@dataclass(frozen=True)
class Checkout:
    """One side of a comparison: a source tree and the place of its compiled kernels."""

    label: str
    root: Path
    cache: Path

    def environment(self) -> dict[str, str]:
        """Return the environment of its processes: its own source first, its own cache."""
        paths = [str(self.root), str(self.root / "reference")]
        inherited = os.environ.get("PYTHONPATH")
        return {
            **_without_git(os.environ),
            "PYTHONPATH": os.pathsep.join([*paths, *([inherited] if inherited else [])]),
            "NUMBA_CACHE_DIR": str(self.cache),
        }


@contextlib.contextmanager
def candidate_and_base(repository: Path, commit: str) -> Iterator[tuple[Checkout, ...]]:
    """Give a copy of the working tree and two worktrees of a commit; remove them at the end.

    The base is there twice, compiled twice, so that the base against itself differs in all that
    the candidate against the base differs in, but for the code.
    """
    with _folder() as folder:
        made: list[Path] = []
        try:
            candidate = _checkout(folder, 0, "candidate")
            copy_tree(repository, candidate.root)
            sides = [candidate]
            for index, label in enumerate(("base", "base again"), start=1):
                side = _checkout(folder, index, label)
                made.append(side.root)
                git(repository, "worktree", "add", "--detach", str(side.root), commit)
                sides.append(side)
            yield tuple(sides)
        finally:
            with _undisturbed():
                for path in made:
                    _remove(repository, path)


@contextlib.contextmanager
def candidate_twice(repository: Path) -> Iterator[tuple[Checkout, ...]]:
    """Give two copies of the working tree; remove them at the end."""
    with _folder() as folder:
        sides = [_checkout(folder, 0, "candidate"), _checkout(folder, 1, "candidate again")]
        for side in sides:
            copy_tree(repository, side.root)
        yield tuple(sides)


def copy_tree(repository: Path, target: Path) -> None:
    """Copy what git tracks or would track: no ignored files, no history."""
    listed = git(repository, "ls-files", "-z", "--cached", "--others", "--exclude-standard")
    for name in sorted(set(filter(None, listed.split("\0")))):
        source = repository / name
        if not os.path.lexists(source) or (source.is_dir() and not source.is_symlink()):
            continue  # deleted in the working tree; a submodule
        (target / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(source, target / name, follow_symlinks=False)


def repository_of(folder: Path) -> Path:
    """Return the root of the repository that holds a folder."""
    try:
        return Path(git(folder, "rev-parse", "--show-toplevel").strip())
    except InputError:
        raise InputError(
            f"{folder} is not in a git repository; run bench compare in the project's source."
        ) from None


def commit_of(repository: Path, ref: str) -> str:
    """Return the full name of the commit that a ref stands for."""
    try:
        return git(
            repository, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{ref}^{{commit}}"
        ).strip()
    except InputError:
        raise InputError(
            f"{ref!r} is neither a result file nor a commit of {repository}; give a branch, tag, "
            "commit or FILE.json."
        ) from None


def commit_info(repository: Path) -> dict[str, Any]:
    """Return the fields of pytest-benchmark's ``commit_info`` for the working tree."""
    show = git(repository, "show", "-s", "--format=%H%n%cI%n%aI", "HEAD").split()
    branch = git(repository, "rev-parse", "--abbrev-ref", "HEAD").strip()
    return {
        "id": show[0],
        "time": show[1],
        "author_time": show[2],
        "dirty": bool(git(repository, "status", "--porcelain").strip()),
        "project": repository.name,
        "branch": "(detached head)" if branch == "HEAD" else branch,
    }


def refuse_other_dependencies(candidate: Path, base: Path) -> None:
    """Refuse trees that ask for different packages, for both run in one environment.

    Raises
    ------
    InputError
        Naming the first requirement that only one of them has.
    """
    for file, requirements in (("pyproject.toml", _requirements), ("constraints.txt", _pins)):
        ours, theirs = requirements(candidate / file), requirements(base / file)
        unlike = sorted(ours ^ theirs)
        if unlike:
            side = "the working tree" if unlike[0] in ours else "the base"
            raise InputError(
                f"{file} differs: only {side} has {unlike[0]!r}; both sides run in one "
                "environment, so compare commits with the same dependencies, or stored results."
            )


def _requirements(path: Path) -> set[str]:
    if not path.exists():
        return set()
    try:
        project = tomllib.loads(path.read_text(encoding="utf-8")).get("project", {})
    except tomllib.TOMLDecodeError as error:
        raise InputError(f"{path} is no TOML: {error}.") from None
    found = {f"python {project.get('requires-python', '')}", *project.get("dependencies", [])}
    for extra, packages in project.get("optional-dependencies", {}).items():
        found |= {f"{package} [{extra}]" for package in packages}
    return found


def _pins(path: Path) -> set[str]:
    if not path.exists():
        return set()
    lines = (line.partition("#")[0].strip() for line in path.read_text("utf-8").splitlines())
    return {line for line in lines if line}


def git(repository: Path, *arguments: str) -> str:
    """Run git and return what it prints.

    Raises
    ------
    InputError
        If git is missing or refuses.
    """
    try:
        done = subprocess.run(
            ["git", "-C", str(repository), *arguments],
            env=_without_git(os.environ),
            capture_output=True,
            text=True,
            check=False,
        )
    except FileNotFoundError:
        raise InputError("git is not installed; compare with a stored result instead.") from None
    if done.returncode != 0:
        why = " ".join(done.stderr.split()) or f"exit code {done.returncode}"
        raise InputError(f"git {arguments[0]} failed in {repository}: {why}")
    return done.stdout


def _without_git(environment: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in environment.items() if name not in HOOK_VARIABLES}


def _checkout(folder: Path, index: int, label: str) -> Checkout:
    root, cache = folder / f"tree{index}", folder / f"cache{index}"
    root.mkdir()
    cache.mkdir()
    return Checkout(label, root, cache)


def _remove(repository: Path, path: Path) -> None:
    """Remove a worktree, also one that git had not finished to make (locked, or not known)."""
    with contextlib.suppress(InputError):
        git(repository, "worktree", "remove", "--force", "--force", str(path))
    shutil.rmtree(path, ignore_errors=True)


@contextlib.contextmanager
def _folder() -> Iterator[Path]:
    """Give a temporary folder; SIGTERM ends the block as Ctrl-C does, and the folder with it."""

    def stop(signal_number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    main = threading.current_thread() is threading.main_thread()
    before = signal.signal(signal.SIGTERM, stop) if main else None
    folder = Path(tempfile.mkdtemp(prefix="lsm-verify-bench-")).resolve()
    try:
        yield folder
    finally:
        with _undisturbed():
            shutil.rmtree(folder, ignore_errors=True)
        if main:
            signal.signal(signal.SIGTERM, before)


@contextlib.contextmanager
def _undisturbed() -> Iterator[None]:
    """Let no signal stop the cleaning up; git inherits that."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {each: signal.signal(each, signal.SIG_IGN) for each in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)
