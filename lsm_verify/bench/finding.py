"""What a comparison found."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from lsm_verify.bench.session import Design

Verdict = Literal["slower", "faster", "unchanged"]


@dataclass(frozen=True)
class Finding:
    """One benchmark, candidate against base.

    Attributes
    ----------
    base_time, candidate_time : float
        Median over processes of the fastest round [s].
    ratio : float
        Hodges–Lehmann estimate of candidate over base.
    interval : tuple of float
        95 % interval of the ratio.
    p_value : float
        Of the Mann–Whitney test, corrected for the number of benchmarks.
    floor : float
        Change of the ratio that equal code shows in this session (0.02: 2 %).
    verdict : str
        slower or faster: significant, beyond the minimum effect and beyond the floor.
    """

    benchmark: str
    base_time: float
    candidate_time: float
    ratio: float
    interval: tuple[float, float]
    p_value: float
    floor: float
    verdict: Verdict


@dataclass(frozen=True)
class Comparison:
    """What a comparison found, and the measurements of the candidate."""

    base: str
    candidate: str
    design: Design
    blocks: int
    findings: tuple[Finding, ...]
    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    redefined: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    measured: dict[str, Any] = field(default_factory=dict)
    metrics: dict[str, Any] = field(default_factory=dict)

    @property
    def exit_code(self) -> int:
        """0; 1 if anything has become slower; 3 if nothing could be compared."""
        if not self.findings:
            return 3
        return int(any(finding.verdict == "slower" for finding in self.findings))

    def to_json(self) -> dict[str, Any]:
        """Return the verdicts and what they rest on; the timings are in ``measured``."""
        found = asdict(self)
        del found["measured"], found["metrics"]
        return {"format": "lsm-verify-bench-compare", "version": 1, **found}
