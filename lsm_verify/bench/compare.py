"""Compare the speed of the working tree with a commit or a stored result."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from lsm_verify.bench import record, worktree
from lsm_verify.bench.finding import Comparison
from lsm_verify.bench.judge import blocks_wanted, judge_blocks, judge_stored
from lsm_verify.bench.record import Record
from lsm_verify.bench.session import Command, Design, Run, measure


def compare(
    base: str,
    *,
    folder: Path | None = None,
    run: Run | None = None,
    design: Design | None = None,
    announce: Callable[[str], None] = lambda message: None,
) -> Comparison:
    """Compare the working tree with a commit or a stored result.

    Parameters
    ----------
    base : str
        A branch, tag or commit, or the path of a result file (``.json``).
    folder : Path
        In the repository (default: the current folder).
    run : callable
        Measures one tree (default: :class:`~lsm_verify.bench.session.Command`).

    Raises
    ------
    InputError
        If base is neither, the machines or dependencies differ, or a benchmark fails.
    """
    repository = worktree.repository_of(folder or Path.cwd())
    run, design = run or Command(), design or Design()
    if base.endswith(".json"):
        return _with_stored(record.read(Path(base)), repository, run, design, announce)
    return _with_commit(base, repository, run, design, announce)


def _with_commit(
    ref: str, repository: Path, run: Run, design: Design, announce: Callable[[str], None]
) -> Comparison:
    commit = worktree.commit_of(repository, ref)
    described = worktree.commit_info(repository)
    with worktree.candidate_and_base(repository, commit) as sides:
        worktree.refuse_other_dependencies(sides[0].root, sides[1].root)
        for side in sides:
            if isinstance(run, Command):
                run.check(side)
        blocks = measure(sides, run, design, lambda done: blocks_wanted(done, design), announce)
    return judge_blocks(blocks, f"{ref} ({commit[:10]})", described, design)


def _with_stored(
    stored: Record, repository: Path, run: Run, design: Design, announce: Callable[[str], None]
) -> Comparison:
    described = worktree.commit_info(repository)
    with worktree.candidate_twice(repository) as sides:
        for side in sides:
            if isinstance(run, Command):
                run.check(side)
        blocks = measure(sides, run, design, lambda done: design.blocks, announce)
    return judge_stored(blocks, stored, described, design)
