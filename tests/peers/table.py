"""Every tool's answer to every problem."""

from __future__ import annotations

import platform
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from importlib import metadata

from tests.peers.problem import Group, Problem
from tests.peers.tool import Outcome, Tool
from tests.peers.tools import OURS, PEERS

SEEDS = 20
"""How often a tool that draws at random is asked."""

RIGHT = {
    Group.ERROR: Outcome.REJECTED,
    Group.CORRECT: Outcome.ACCEPTED,
    Group.NEITHER: Outcome.UNDECIDED,
}


class Standing(StrEnum):
    """What an answer is worth."""

    RIGHT = "right"
    WRONG = "wrong"
    OPEN = "refused with a reason, where there is an answer"
    UNUSABLE = "cannot be asked"


@dataclass(frozen=True)
class Cell:
    """A tool's answers to one problem, counted over the seeds."""

    accepted: int
    rejected: int
    undecided: int

    @property
    def runs(self) -> int:
        """How often the tool was asked; 0 where it cannot be used."""
        return self.accepted + self.rejected + self.undecided

    def right(self, group: Group) -> int:
        """How many answers were right."""
        counts = {
            Outcome.ACCEPTED: self.accepted,
            Outcome.REJECTED: self.rejected,
            Outcome.UNDECIDED: self.undecided,
        }
        return counts[RIGHT[group]]

    def standing(self, group: Group) -> Standing:
        """What the tool is worth here: right if most of its answers are."""
        if not self.runs:
            return Standing.UNUSABLE
        if 2 * self.right(group) > self.runs:
            return Standing.RIGHT
        return Standing.OPEN if 2 * self.undecided > self.runs else Standing.WRONG


@dataclass(frozen=True)
class Row:
    """A problem and what every tool said; ``error`` is the claimed gradient's, in ‖g∘s‖."""

    name: str
    title: str
    group: Group
    error: float
    cells: dict[str, Cell]


@dataclass(frozen=True)
class Table:
    """All rows, and the versions that they were measured with."""

    rows: tuple[Row, ...]
    versions: dict[str, str]

    def of(self, group: Group) -> tuple[Row, ...]:
        """Rows of a group."""
        return tuple(row for row in self.rows if row.group is group)

    def count(self, tool: str, group: Group, standing: Standing) -> int:
        """On how many problems of a group a tool stands so."""
        return sum(row.cells[tool].standing(group) is standing for row in self.of(group))


def ask(tool: Tool, problem: Problem) -> Cell:
    """Put one problem to one tool, with several seeds where it draws at random."""
    answers = [tool.judge(problem, seed) for seed in range(SEEDS if tool.random else 1)]
    return Cell(
        accepted=answers.count(Outcome.ACCEPTED),
        rejected=answers.count(Outcome.REJECTED),
        undecided=answers.count(Outcome.UNDECIDED),
    )


def measure(
    problems: Sequence[Problem],
    tools: Sequence[Tool] = (OURS, *PEERS),
    announce: Callable[[str], None] = lambda text: None,
) -> Table:
    """Ask every tool everything; about a minute on one core."""
    rows = []
    for problem in problems:
        announce(problem.title)
        cells = {tool.name: ask(tool, problem) for tool in tools}
        rows.append(Row(problem.name, problem.title, problem.group, problem.error(), cells))
    versions = {tool.package: tool.version for tool in sorted(tools, key=lambda t: t.package)}
    versions |= {"numpy": metadata.version("numpy"), "python": platform.python_version()}
    return Table(tuple(rows), versions)
