"""What a gradient checker is to the table: a function from a problem to an outcome."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from importlib import metadata

import lsm_verify
from tests.peers.problem import Problem

REMEDY = 'pip install -c constraints.txt -e ".[testing,peers]"'


class Outcome(StrEnum):
    """What a tool said."""

    ACCEPTED = "accepted"
    REJECTED = "rejected"
    UNDECIDED = "undecided"
    UNUSABLE = "cannot be used"


@dataclass(frozen=True)
class Tool:
    """A gradient checker.

    Attributes
    ----------
    name, package : str
        As shown, and the distribution that it comes from.
    rule : str
        When it counts as having accepted.
    judge : callable
        From a problem and a seed to the outcome.
    random : bool
        Whether the outcome depends on the seed.
    """

    name: str
    package: str
    rule: str
    judge: Callable[[Problem, int], Outcome]
    random: bool = False

    @property
    def version(self) -> str:
        """Installed version, empty where it is missing; our own may run from the source tree."""
        if self.package == "lsm-verify":
            return lsm_verify.__version__
        try:
            return metadata.version(self.package)
        except metadata.PackageNotFoundError:
            return ""

    @property
    def missing(self) -> str:
        """Why it cannot run here and the remedy, or nothing."""
        return "" if self.version else f"{self.package} is not installed: {REMEDY}"
