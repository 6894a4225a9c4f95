"""The checks that any model gets at a point, in the order in which they build on each other."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

import numpy as np

from lsm_verify.verify import (
    agreement,
    canaries,
    curves,
    differences,
    finite_difference,
    kinks,
    taylor,
)
from lsm_verify.verify import evidence as evidence_
from lsm_verify.verify import lines as lines_
from lsm_verify.verify import points as points_
from lsm_verify.verify.result import CheckResult, Options, PointResult, Reason, Verdict
from lsm_verify.verify.target import Sample, Target, norm_of

Announce = Callable[[str], None]

MADE_UP_FOR = (Reason.NO_SIGNAL, Reason.NOISE)
"""Reasons for which the probe makes up: routes agree on a misfit whose gradient is next to zero."""

MOST_POINTS = 3
"""Points whose curves are kept."""

REFINED = 1000
"""Numbers up to which a wrong one is looked for by itself."""


@dataclass
class Run:
    """Collects the results of one run of `verify`; ``caught`` collects its canaries.

    ``taylor``, ``differences``, ``maps`` and ``energy`` collect what figures are drawn from.
    ``stages`` counts the longer pieces of work that `begin` announces.
    """

    options: Options
    announce: Announce
    warn: Announce
    checks: list[CheckResult] = field(default_factory=list)
    points: list[PointResult] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    seconds: dict[str, float] = field(default_factory=lambda: defaultdict(float))
    caught: dict[str, bool] = field(default_factory=dict)
    taylor: list[evidence_.TaylorCurve] = field(default_factory=list)
    differences: list[evidence_.DifferenceCurve] = field(default_factory=list)
    maps: list[evidence_.StateMap] = field(default_factory=list)
    energy: list[evidence_.EnergyCurve] = field(default_factory=list)
    stages: int = 0
    stage: int = 0

    def evidence(self) -> evidence_.Evidence:
        """Return what was collected for figures."""
        return evidence_.Evidence(
            tuple(self.taylor), tuple(self.differences), tuple(self.maps), tuple(self.energy)
        )

    def begin(self, message: str) -> None:
        """Announce the next of the stages that were counted beforehand."""
        self.stage += 1
        self.stages = max(self.stage, self.stages)
        self.announce(f"{message} ({self.stage} of {self.stages})")

    @contextmanager
    def timed(self, name: str) -> Iterator[None]:
        """Add the time of a block to an account."""
        begin = time.perf_counter()
        yield
        self.seconds[name] += time.perf_counter() - begin


@dataclass(frozen=True)
class Plan:
    """Which of the shared checks run at a point.

    ``differences``, ``taylor``: whether they run; ``most``: see `differences.estimate`;
    ``tolerance``: of differences and remainders; ``primary``: whether differences belong to the
    gate; ``canaries``: whether corrupted answers are fed; ``agreement``: see `agreement.compare`.
    """

    tolerance: float
    differences: bool = True
    taylor: bool = True
    most: int | None = None
    primary: bool = False
    canaries: bool = False
    agreement: float = agreement.TOLERANCE


@dataclass(frozen=True)
class Evidence:
    """What differences of the objective say at a point, where they were taken."""

    found: differences.Estimate | None
    lines: lines_.Lines | None


def examine(
    run: Run,
    target: Target,
    samples: Mapping[str, list[Sample]],
    plan: Plan,
    *,
    point: str,
    seed: int,
    rmse: Mapping[str, float] | None = None,
    more: Callable[[int], tuple[dict[str, Sample], list[list[Verdict]]]] | None = None,
) -> None:
    """Run the shared checks at one point, on every objective, and describe the point.

    ``more`` may add answers that are shown but judged elsewhere, with their verdicts.
    """
    agreements = agree(target, samples, point=point, seed=seed, tolerance=plan.agreement)
    found = None
    if plan.differences:
        with run.timed("finite-difference"):
            found = differences.estimate(target, most=plan.most, seed=seed)
        if plan.most is not None and target.x.size <= REFINED:
            with run.timed("finite-difference"):
                found = _refined(target, samples, plan, found, seed)
    lines = None
    if plan.taylor:
        with run.timed("taylor"):
            lines = lines_.along(target, seed)
    evidence = Evidence(found, lines)
    for index, agreed in enumerate(agreements):
        here = {name: s[index] for name, s in samples.items()}
        norm = agreed.norm if agreed else _norm(target, here)
        covered = agreed is not None and agreed.result.covered
        verdicts: list[list[Verdict]] = []
        if agreed is not None:
            run.checks.append(agreed.result)
        if not covered:
            verdicts += _by_differences(
                run, target, evidence, here, plan, index=index, norm=norm, point=point, seed=seed
            )
            _draw(run, target, evidence, here, plan, index=index, norm=norm, point=point)
        if plan.canaries and agreed is not None and agreed.result.verdict is Verdict.PASS:
            run.caught |= canaries.of_agreement(target, here, index, plan.agreement)
        shown, judged = more(index) if more else ({}, [])
        run.points.append(
            points_.describe(
                target,
                {**here, **shown},
                index=index,
                agreed=agreed,
                norm=norm,
                point=point,
                found=found,
                verdicts=[*verdicts, *judged],
                rmse=rmse if target.objectives[index] == "J" else None,
            )
        )


def _draw(
    run: Run,
    target: Target,
    evidence: Evidence,
    here: Mapping[str, Sample],
    plan: Plan,
    *,
    index: int,
    norm: float,
    point: str,
) -> None:
    """Keep curves of the first point, and of those at which a check failed."""
    failed = any(c.point == point and c.verdict is Verdict.FAIL for c in run.checks)
    known = {curve.point for curve in run.differences}
    if not norm > 0 or (known - {point} and not (failed and len(known) < MOST_POINTS)):
        return
    gradients = {name: s.gradient for name, s in here.items()}
    if evidence.found is not None:
        run.differences += curves.of_differences(
            evidence.found, index, gradients, norm, point=point, tolerance=plan.tolerance
        )
    if evidence.lines is not None:
        run.taylor += curves.of_remainders(
            target, evidence.lines, index, gradients, norm, point=point, tolerance=plan.tolerance
        )


def _refined(
    target: Target,
    samples: Mapping[str, list[Sample]],
    plan: Plan,
    found: differences.Estimate,
    seed: int,
) -> differences.Estimate:
    """Differentiate by every number where random directions show that some of them is wrong."""
    for index in range(len(target.objectives)):
        gradients = {name: s[index].gradient for name, s in samples.items()}
        norm = _norm(target, {name: s[index] for name, s in samples.items()})
        result, _ = finite_difference.confirm_all(
            found, index, gradients, norm, point="", objective="", tolerance=plan.tolerance
        )
        if result.verdict is Verdict.FAIL and np.any(found.along.component < 0):
            return differences.estimate(target, seed=seed)
    return found


def _by_differences(
    run: Run,
    target: Target,
    evidence: Evidence,
    here: Mapping[str, Sample],
    plan: Plan,
    *,
    index: int,
    norm: float,
    point: str,
    seed: int,
) -> list[list[Verdict]]:
    """Hold the claims against differences of the objective: slopes, kinks, remainders."""
    gradients = {name: s.gradient for name, s in here.items()}
    found, lines = evidence.found, evidence.lines
    verdicts: list[list[Verdict]] = []
    if found is not None:
        result, verdicts = finite_difference.confirm_all(
            found,
            index,
            gradients,
            norm,
            point=point,
            objective=target.objectives[index],
            primary=plan.primary,
            tolerance=plan.tolerance,
        )
        run.checks.append(result)
        if plan.canaries and result.verdict is Verdict.PASS:
            name = next(iter(here))
            run.caught |= canaries.of_differences(found, index, here[name], norm, plan.tolerance)
    if lines is not None:
        run.checks.append(
            kinks.judge(
                target, lines, index, gradients, norm, point=point, primary=plan.primary, seed=seed
            )
        )
        run.checks.append(
            taylor.taylor(
                target,
                lines,
                index,
                gradients,
                norm,
                point=point,
                seed=seed,
                tolerance=plan.tolerance,
                bias=found.bias(index) if found else 0.0,
            )
        )
    return verdicts


def agree(
    target: Target,
    samples: Mapping[str, list[Sample]],
    *,
    point: str,
    seed: int,
    tolerance: float = agreement.TOLERANCE,
) -> list[agreement.Agreement | None]:
    """Compare the exact routes on every objective; a probe that passes covers a flat misfit."""
    if len(samples) < 2:
        return [None] * len(target.objectives)
    agreements = [
        agreement.compare(
            target,
            {name: s[index] for name, s in samples.items()},
            point=point,
            objective=objective,
            seed=seed,
            tolerance=tolerance,
        )
        for index, objective in enumerate(target.objectives)
    ]
    if agreements[-1].result.verdict is Verdict.PASS:
        agreements = [
            replace(a, result=replace(a.result, covered=a.result.reason in MADE_UP_FOR))
            for a in agreements
        ]
    return list(agreements)


def _norm(target: Target, samples: Mapping[str, Sample]) -> float:
    """‖g∘s‖ of the only claim there is."""
    return max(norm_of(s.gradient * target.scale) for s in samples.values())
