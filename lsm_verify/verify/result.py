"""What a check says: verdict, certified bound, what it could have seen, and why.

The dataclasses here are written to JSON as they stand; `report.schema.json` beside this module
describes them and a test keeps the two together.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from importlib import import_module
from pathlib import Path
from typing import Any

from lsm_verify.verify.evidence import Evidence

SCHEMA_VERSION = 3

READABLE = tuple(range(2, SCHEMA_VERSION + 1))
"""Schema versions that `Report.from_json` reads: what was added since has defaults."""


class Verdict(StrEnum):
    """Outcome of a check that compares a claim with evidence of known uncertainty."""

    PASS = "PASS"
    FAIL = "FAIL"
    INCONCLUSIVE = "INCONCLUSIVE"
    NONSMOOTH = "NONSMOOTH"


class Reason(StrEnum):
    """Why a check failed or could not conclude; the value is the sentence shown."""

    NOISE = "round-off noise is too large for the tolerance"
    OFFSET = "offset: the objective is large and its change small, so digits cancel"
    SHARE = "wrong beyond its uncertainty, but too small a share of ‖g∘s‖ to count; give scales"
    DTYPE = "dtype: single precision is too coarse for the tolerance"
    SOLVER = "solver truncation: the inner iteration stops too early; not a coding error"
    NO_SIGNAL = "no signal: the gradient here is below its own noise, so the check would pass blind"
    DISAGREEMENT = "routes disagree by more than their round-off"
    MISMATCH = "differs from the evidence by more than its uncertainty"
    NOT_CONSERVED = "the energy budget does not close to round-off"
    BORDERLINE = "between the limits for pass and fail"
    NOTHING = "nothing was compared"
    KINK = "the point sits on a kink: slopes to the left and to the right differ"
    RATE = "the remainder does not fall at the rate of a right derivative"
    ORDER = "the order of convergence is not the scheme's"
    NOT_REPEATABLE = "the same question got two answers"
    NOT_INDEPENDENT = "a column's result depends on its neighbours in the batch"
    BLIND = "checker blind: a check let a corrupted answer pass"


@dataclass(frozen=True)
class Location:
    """Where two routes part.

    Attributes
    ----------
    step, node : int or None
        Step n (0 is the first, from state n to n + 1) and node (0 at the surface).
    term : str
        Term of the scheme: storage, conduction up, conduction down, emission, turbulent,
        shortwave, longwave, bottom, observation, objective, chain rule, initial state or unknown.
    route : str
        The guilty route; empty if that is unknown.
    sentence : str
        All of it for people.
    parameter, series : str
        The parameter or the observed series concerned, where there is one.
    """

    step: int | None
    node: int | None
    term: str
    route: str
    sentence: str
    parameter: str = ""
    series: str = ""


@dataclass(frozen=True)
class CheckResult:
    """One check at one point.

    Attributes
    ----------
    check, point, objective, subject : str
        What was checked, where, on which objective, and whose gradient.
    verdict, reason
        Outcome and, unless PASS, why.
    primary : bool
        Whether the exit code depends on it when it is inconclusive.
    statistic, value, pass_limit, fail_limit
        The number that decides, its limits: PASS up to the first, FAIL beyond the second.
    bound : float or None
        Certified relative error: the largest that the claim can have, in units of ‖g∘s‖. Of a
        finished report it is finite: where no error can be excluded, none is certified.
    detectable : float or None
        Smallest relative error that the check could have told from noise.
    parameters : tuple of str
        Those affected, worst first, when the verdict is not PASS.
    odd_one_out : str or None
        The route that stands apart from all others.
    covered : bool
        Whether another check makes up for an inconclusive one (at the truth the misfit has no
        signal; the probe is judged there), so that it counts towards no exit code.
    evaluations, seed, dtype
        How many gradients or objectives were evaluated; the seed of the draw; number type.
    message : str
        One line for people.
    steps : tuple of float
        Step sizes used, in units of the scales: first and last of a ladder or window.
    location : Location or None
        Where routes part, if that was looked for.
    """

    check: str
    point: str
    objective: str
    subject: str
    verdict: Verdict
    primary: bool
    statistic: str
    value: float
    pass_limit: float
    fail_limit: float
    bound: float | None = None
    detectable: float | None = None
    reason: Reason | None = None
    parameters: tuple[str, ...] = ()
    odd_one_out: str | None = None
    covered: bool = False
    evaluations: int = 0
    seed: int | None = None
    dtype: str = "float64"
    message: str = ""
    steps: tuple[float, ...] = ()
    location: Location | None = None


@dataclass(frozen=True)
class GradientRow:
    """One number's gradient by every route, at one point and objective.

    ``share`` is |g s| / ‖g∘s‖; ``bound`` the certified error in units of ‖g∘s‖; ``agreement_z``
    the largest difference between two exact routes in units of their round-off, where there are
    two.
    """

    parameter: str
    component: tuple[int, ...]
    value: float
    scale: float
    unit: str
    gradients: dict[str, float]
    share: float
    agreement_z: float | None
    bound: float | None
    finite_difference: float | None
    finite_difference_uncertainty: float | None
    verdict: Verdict


@dataclass(frozen=True)
class PointResult:
    """Objective (``values``, by route) and gradients at one point; ``rmse`` by series and unit.

    ``value_z`` is the largest difference between two exact routes' objectives in units of their
    round-off, ``verdict`` that of the agreement of values and gradients; with a single route there
    is no such difference and the verdict is that of the worst row.
    """

    point: str
    objective: str
    values: dict[str, float]
    value_z: float | None
    verdict: Verdict
    norm: float
    rows: tuple[GradientRow, ...]
    rmse: dict[str, float] = field(default_factory=dict)

    @property
    def value(self) -> float:
        """The objective, by the first route."""
        return next(iter(self.values.values()))


@dataclass(frozen=True)
class Options:
    """What `verify` was asked; ``named``: routes were asked for by name."""

    routes: tuple[str, ...]
    named: bool
    points: int
    seed: int
    strict: bool
    fast: bool
    jacobi_tolerance: float
    tolerance: float


@dataclass(frozen=True)
class Report:
    """Everything that a run of `verify` found.

    ``replay`` holds what is needed to ask the same again: the case itself, or the name of the
    problem. ``command`` is the line of a shell that does so; of a run in Python it is empty.
    ``evidence`` holds what figures are drawn from.
    """

    case: str
    title: str
    verdict: Verdict
    exit_code: int
    options: Options
    checks: tuple[CheckResult, ...]
    points: tuple[PointResult, ...]
    seconds: dict[str, float]
    notes: tuple[str, ...]
    provenance: dict[str, str]
    replay: dict[str, Any] = field(default_factory=dict)
    command: str = ""
    evidence: Evidence = field(default_factory=Evidence)
    schema_version: int = SCHEMA_VERSION

    def to_json(self) -> dict[str, Any]:
        """Return the report as plain JSON types; numbers that JSON lacks become ``null``."""
        return _plain(asdict(self))  # type: ignore[no-any-return]

    @classmethod
    def from_json(cls, source: Mapping[str, Any] | str | Path) -> Report:
        """Return the report that `to_json` has written.

        Parameters
        ----------
        source : mapping, str or Path
            What `to_json` returned, or the path of a file of ``check --json``.

        Raises
        ------
        InputError
            If the file cannot be read, its version is unknown, or a field is missing, unknown or
            of another type.
        """
        stored = import_module("lsm_verify.verify.stored")
        if isinstance(source, Mapping):
            return stored.report(source)  # type: ignore[no-any-return]
        path = Path(source)
        return stored.report(stored.load(path), str(path))  # type: ignore[no-any-return]

    def to_junit(self) -> str:
        """Return the report as JUnit XML: a testcase per check and parameter.

        `lsm_verify.report.junit.render`, found when it is asked for: what renders a result stands
        above it in the order of imports.
        """
        return str(import_module("lsm_verify.report.junit").render(self))


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(v) for key, v in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(v) for v in value]
    if isinstance(value, StrEnum):
        return value.value
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def judge(value: float, pass_limit: float, fail_limit: float) -> Verdict:
    """PASS up to one limit, FAIL beyond the other; not-a-number is never PASS."""
    if value <= pass_limit:
        return Verdict.PASS
    return Verdict.FAIL if value > fail_limit else Verdict.INCONCLUSIVE


def overall(checks: tuple[CheckResult, ...], *, strict: bool) -> tuple[Verdict, int]:
    """Verdict and exit code of a run: FAIL is 1, a blind or empty primary gate is 3."""
    if any(c.verdict is Verdict.FAIL for c in checks):
        return Verdict.FAIL, 1
    gate = [c for c in checks if (c.primary or strict) and not c.covered]
    open_ = [c for c in gate if c.verdict is not Verdict.PASS]
    if open_ or not any(c.primary for c in gate):
        return (open_[0].verdict if open_ else Verdict.INCONCLUSIVE), 3
    return Verdict.PASS, 0
