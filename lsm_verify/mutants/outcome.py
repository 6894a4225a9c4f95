"""What a self-test found: one outcome per mutant and per neighbour, and what follows from them."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any

from lsm_verify.mutants.mutant import PROMISED

SCHEMA_VERSION = 1

LOCATED_SHARE = 0.95
"""Share of the mutants with a known place of which the right one must be named."""


@dataclass(frozen=True)
class MutantOutcome:
    """What the checks said of one planted error.

    Attributes
    ----------
    name, part, kind, module, workload : str
        From the catalogue.
    size : float or None
        Relative size of a small error.
    must_die : bool
        Whether it must be killed.
    verdict, exit_code
        Of the run; an error that stops the run has verdict ``STOPPED``.
    ran, killed_by : tuple of str
        Checks that ran, and those that failed, in their order.
    blamed : tuple of str
        Routes that checks named as guilty.
    guilty_right : bool or None
        Whether the guilty route was named, and no other; ``None`` where several routes carry the
        error, so that no vote can name it, or where the mutant survived.
    parameters : tuple of str
        Parameters that the failed agreement checks named.
    parameters_right : bool or None
        Whether all that must be named are, and no others where they must not; ``None`` where the
        mutant survived.
    value_right : bool or None
        Whether a wrong value of the objective was said to be wrong, and a right one not.
    location : str
        Where the checks say that it is; empty if they do not say.
    location_right : bool or None
        Whether that is where it is; ``None`` where the catalogue knows no place or the mutant
        survived.
    seconds : float
        Time of the run.
    """

    name: str
    part: str
    kind: str
    module: str
    workload: str
    size: float | None
    must_die: bool
    verdict: str
    exit_code: int
    ran: tuple[str, ...]
    killed_by: tuple[str, ...]
    blamed: tuple[str, ...]
    guilty_right: bool | None
    parameters: tuple[str, ...]
    parameters_right: bool | None
    value_right: bool | None
    location: str
    location_right: bool | None
    seconds: float

    @property
    def killed(self) -> bool:
        """Whether a check failed, so that the run ended with exit code 1."""
        return self.exit_code == 1

    @property
    def right(self) -> bool:
        """Whether it died if it must, and all that was said of route and parameters is right."""
        said = (self.guilty_right, self.parameters_right, self.value_right)
        return (self.killed or not self.must_die) and False not in said


@dataclass(frozen=True)
class NeighbourOutcome:
    """What the checks said of the same value in other arithmetic.

    ``mutants`` are those that stand at this place; ``ran`` the checks that ran, ``failed`` those
    that failed although nothing is wrong.
    """

    module: str
    within: str
    new: str
    workload: str
    mutants: tuple[str, ...]
    ran: tuple[str, ...]
    verdict: str
    exit_code: int
    failed: tuple[str, ...]
    seconds: float

    @property
    def passed(self) -> bool:
        """Whether the run passed and no check failed."""
        return self.exit_code == 0 and not self.failed


@dataclass(frozen=True)
class Limit:
    """Smallest relative error of the emission term, in one step, that a check saw.

    ``size`` is ``None`` where the check saw none of the sizes tried.
    """

    part: str
    check: str
    dtype: str
    size: float | None


@dataclass(frozen=True)
class SelfTest:
    """The kill matrix, the survivors and the limits of detection."""

    mutants: tuple[MutantOutcome, ...]
    neighbours: tuple[NeighbourOutcome, ...]
    limits: tuple[Limit, ...]
    sizes: tuple[float, ...]
    seed: int
    seconds: float
    schema_version: int = SCHEMA_VERSION

    @property
    def checks(self) -> tuple[str, ...]:
        """Names of the checks that killed a mutant, the deadliest first."""
        count: dict[str, int] = {}
        for outcome in self.mutants:
            for check in outcome.killed_by:
                count[check] = count.get(check, 0) + 1
        return tuple(sorted(count, key=lambda check: (-count[check], check)))

    @property
    def matrix(self) -> dict[str, dict[str, bool | None]]:
        """Mutant to check to whether that check killed it; ``None`` where it did not run."""
        return {
            m.name: {c: c in m.killed_by if c in m.ran else None for c in self.checks}
            for m in self.mutants
        }

    @property
    def survivors(self) -> tuple[str, ...]:
        """Mutants that no check saw, below the promised size too."""
        return tuple(m.name for m in self.mutants if not m.killed)

    @property
    def missed(self) -> tuple[str, ...]:
        """Mutants that should have died and did not."""
        return tuple(m.name for m in self.mutants if m.must_die and not m.killed)

    @property
    def misjudged(self) -> tuple[str, ...]:
        """Mutants of which a wrong route, wrong parameters or a wrong value were named."""
        return tuple(m.name for m in self.mutants if m.killed and not m.right)

    @property
    def false_alarms(self) -> tuple[NeighbourOutcome, ...]:
        """Neighbours that did not pass."""
        return tuple(n for n in self.neighbours if not n.passed)

    @property
    def located(self) -> tuple[int, int]:
        """How many mutants were located rightly, and of how many the place is known."""
        known = [m.location_right for m in self.mutants if m.location_right is not None]
        return sum(known), len(known)

    @property
    def passed(self) -> bool:
        """Whether the checker can be trusted as far as it promises."""
        right, known = self.located
        return (
            not self.missed
            and not self.misjudged
            and not self.false_alarms
            and right >= LOCATED_SHARE * known
        )

    @property
    def exit_code(self) -> int:
        """0 if it can, 1 if not, 3 if nothing ran."""
        if not self.mutants and not self.neighbours:
            return 3
        return 0 if self.passed else 1

    def to_json(self) -> dict[str, Any]:
        """Return everything as plain JSON types, with what follows from it."""
        right, known = self.located
        whole: dict[str, Any] = {
            **asdict(self),
            "promised": PROMISED,
            "passed": self.passed,
            "exit_code": self.exit_code,
            "checks": list(self.checks),
            "survivors": list(self.survivors),
            "missed": list(self.missed),
            "misjudged": list(self.misjudged),
            "located": {"right": right, "known": known},
        }
        return _plain(whole)  # type: ignore[no-any-return]


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(v) for key, v in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(v) for v in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
