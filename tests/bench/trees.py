"""A small git repository whose benchmarks take what a file says: no clock is read."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

PROGRAM = """
import json, os, sys
cost = float(open("cost.txt").read())
name = os.environ.get("TOY_NAME", "toy.py::work")
rounds = [cost * (1 + 0.001 * k) for k in (3, 0, 1, 2, 5)]
json.dump(
    {
        "machine_info": {"system": "Linux", "machine": "x", "cpu": {"brand_raw": "Toy"}},
        "commit_info": {},
        "benchmarks": [
            {
                "name": "work", "fullname": name, "group": None, "params": None, "param": None,
                "extra_info": {"gradient_error": 1e-15}, "options": {},
                "stats": {"data": rounds, "iterations": 1},
            }
        ],
        "datetime": "2026-01-02T03:04:05+00:00",
        "version": "5.3.1",
    },
    open(sys.argv[1], "w"),
)
"""
COMMAND = ("{python}", "toy.py", "{output}")
LINE = "{python} toy.py {output}"
PYPROJECT = '[project]\nname = "toy"\nrequires-python = ">=3.11"\ndependencies = ["numpy>=2"]\n'


def git(root: Path, *words: str) -> str:
    """Run git with an author of its own."""
    done = subprocess.run(
        ["git", "-C", root, "-c", "user.name=t", "-c", "user.email=t@example.org", *words],
        check=True,
        capture_output=True,
        text=True,
    )
    return done.stdout


def make(root: Path) -> Path:
    """Make the repository with one commit on branch ``main``."""
    root.mkdir()
    (root / "toy.py").write_text(PROGRAM)
    (root / "cost.txt").write_text("1e-3")
    (root / "pyproject.toml").write_text(PYPROJECT)
    (root / "constraints.txt").write_text("numpy==2.4.6  # tested\n")
    (root / ".gitignore").write_text("*.log\n")
    git(root, "init", "-q", "-b", "main")
    commit(root)
    return root


def commit(root: Path) -> str:
    """Commit all that is there; return the commit's name."""
    git(root, "add", "-A")
    git(root, "commit", "-q", "-m", "state")
    return git(root, "rev-parse", "HEAD").strip()


def worktrees(root: Path) -> list[str]:
    """Return the folders that git knows as worktrees of the repository."""
    listed = git(root, "worktree", "list", "--porcelain").splitlines()
    return [line.split(" ", 1)[1] for line in listed if line.startswith("worktree ")]


def leftovers(temporary: Path) -> list[str]:
    """Return what comparisons have left in the folder of temporary files."""
    return sorted(path.name for path in temporary.glob("lsm-verify-*"))


PYTHON = sys.executable
