"""Claims of the paper and what is found of them: statement, evidence, verdict."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

Verdict = Literal["supported", "supported with qualification", "not supported", "not judged"]

SUPPORTED: Verdict = "supported"
QUALIFIED: Verdict = "supported with qualification"
REFUTED: Verdict = "not supported"
NOT_JUDGED: Verdict = "not judged"


@dataclass(frozen=True)
class Claim:
    """One claim of the paper.

    Attributes
    ----------
    name : str
        Short name.
    statement : str
        What the paper says, in our words.
    verdict : str
        ``supported``, ``supported with qualification``, ``not supported``; ``not judged`` where
        the data for it are missing.
    evidence : str
        What was found, with its numbers.
    numbers : dict
        The same numbers as they came out.
    command : str
        What gives them.
    """

    name: str
    statement: str
    verdict: Verdict
    evidence: str
    numbers: dict[str, Any] = field(default_factory=dict)
    command: str = "lsm-verify reproduce"
