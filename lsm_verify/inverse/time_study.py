"""Parameters of the twin that vary in time: how well they are recovered, and how smooth to be.

The smoothness is chosen on some records, `CHOOSING`, and every error is that of other records,
`SCORED`: no record is scored with a prior that it chose itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lsm_verify.cases import Case, load_case
from lsm_verify.cases.twin import DEPTHS
from lsm_verify.errors import unknown
from lsm_verify.inverse import twins
from lsm_verify.inverse.attainable import bound
from lsm_verify.inverse.change import Change, locate_change
from lsm_verify.inverse.misfit import Misfit
from lsm_verify.inverse.plain import numbers
from lsm_verify.inverse.priors import Prior, Smooth
from lsm_verify.inverse.recovery import synthetic
from lsm_verify.inverse.smoothness import Smoothness, choose_smoothness
from lsm_verify.inverse.space import Space
from lsm_verify.inverse.twins import NOISE, Experiment, experiment, in_time
from lsm_verify.inverse.varying import combined
from lsm_verify.parameters import COMBINED

Array = NDArray[np.float64]

CHOOSING = range(3)
"""Seeds of the records from which a smoothness is chosen."""

SCORED = range(3, 23)
"""Seeds of the records whose errors are told."""

NEAR = 1e-3
"""To what the logarithm of the best smoothness is sought: the error is flat there."""


@dataclass(frozen=True)
class Setting:
    """An unknown per step of the twin: its truth, what is observed, which steps are scored.

    ``grid`` (n,): standard deviations of hourly differences that are tried, up to the width of the
    ranges.
    """

    name: str
    truth: Array
    where: NDArray[np.bool_]
    depths: tuple[float, ...]
    grid: Array

    def case(self, *, known: bool) -> Case:
        """Return the twin that observes the truth without errors, all others ``known`` or not."""
        return in_time({self.name: self.truth}, depths=self.depths, known=known)


SETTINGS = ("albedo, 0 and 0.05 m", "albedo, 0.05 and 0.15 m", "h(1+1/β), 0 and 0.05 m")


def setting(key: str) -> Setting:
    """Return one of `SETTINGS`."""
    if key not in SETTINGS:
        raise unknown("setting", key, SETTINGS)
    if key.startswith("albedo"):
        depths = DEPTHS if key == SETTINGS[0] else (0.05, 0.15)
        grid = np.geomspace(0.002, 0.2, 9)
        return Setting("albedo", twins.diurnal_albedo(), twins.daylight(), depths, grid)
    every = np.full(twins.daylight().shape, True)
    return Setting(COMBINED, twins.step_change(), every, DEPTHS, np.geomspace(0.05, 20.0, 9))


@dataclass(frozen=True)
class Recovery:
    """Errors of an unknown per step over the scored records; numbers as JSON has them.

    ``rmse``, ``standard_error``, ``spread``: of `twins.Experiment`, in the unknown's unit.
    ``bound``, ``bayesian_bound``, ``expected``: its limits; None where there is none. ``estimate``
    and ``deviation`` (steps,): of the first record, None where not identifiable.
    """

    priors: tuple[str, ...]
    records: int
    steps: int
    not_identifiable: int
    rmse: float
    standard_error: float
    spread: float
    bound: float | None
    bayesian_bound: float | None
    expected: float | None
    rmse_of_records: tuple[float, ...]
    estimate: tuple[float | None, ...] = field(repr=False)
    deviation: tuple[float | None, ...] = field(repr=False)


def recover(
    at: Setting, *, known: bool, priors: Sequence[Prior] = (), seeds: Sequence[int] = SCORED
) -> Recovery:
    """Recover an unknown per step from noisy records, all others ``known`` or estimated."""
    found: Experiment = experiment(
        at.case(known=known), at.name, seeds=seeds, where=at.where, priors=priors
    )
    first = found.runs[0]
    alone, posterior, expected = numbers(found.limits)
    return Recovery(
        priors=tuple(repr(prior) for prior in priors),
        records=len(found.runs),
        steps=int(np.count_nonzero(found.where)),
        not_identifiable=int(np.count_nonzero(~first.identifiable)),
        rmse=found.rmse,
        standard_error=found.standard_error,
        spread=found.spread,
        bound=alone,
        bayesian_bound=posterior,
        expected=expected,
        rmse_of_records=tuple(np.sqrt(found.squares).tolist()),
        estimate=tuple(numbers(first.estimate)),
        deviation=tuple(numbers(first.deviation)),
    )


ROWS = {
    f"others {'known' if known else 'estimated'}, {'with' if smooth else 'no'} prior": (
        known,
        smooth,
    )
    for known in (True, False)
    for smooth in (False, True)
}
"""What is known beside the observations: all other parameters? how smooth the unknown is?"""

UNIDENTIFIABLE = (SETTINGS[2], "others estimated, no prior")
"""Setting and row in which the unknown is not identifiable: see `null_directions`."""


def row(key: str, name: str, prior: Prior, seeds: Sequence[int] = SCORED) -> Recovery:
    """Return one of `ROWS` of one of `SETTINGS`; ``prior`` is used where the row has one."""
    known, smooth = ROWS[name]
    return recover(setting(key), known=known, priors=[prior] if smooth else [], seeds=seeds)


@dataclass(frozen=True)
class Choice:
    """A smoothness chosen on the record of one seed, all others estimated, and its error on others.

    Attributes
    ----------
    seed : int
        Of the record that chose.
    deviations, log_evidence, expected : tuple of float
        The grid; on it the logarithm of the evidence (the largest is 0), and the error to expect
        over records of this truth, √(bias² + variance) to first order.
    choice, interval, at_edge, corner
        As of `Smoothness`.
    best, least : float
        The deviation with the least expected error, and that error.
    expected_at_choice : float
        The expected error at the choice itself.
    rmse, standard_error : float
        At the choice, over the scored records.
    """

    seed: int
    deviations: tuple[float, ...]
    log_evidence: tuple[float, ...]
    expected: tuple[float, ...]
    choice: float
    interval: tuple[float, float]
    at_edge: bool
    corner: float
    best: float
    least: float
    expected_at_choice: float
    rmse: float
    standard_error: float


def choose(at: Setting, seed: int) -> Smoothness:
    """Choose the smoothness on the record of one seed, all other parameters estimated."""
    record = synthetic(at.case(known=False), noise=NOISE, seed=seed)
    return choose_smoothness(record, at.name, observation_error=NOISE, deviations=at.grid)


def expected_error(at: Setting, deviation: float) -> float:
    """Root mean square error to expect at the truth with a smoothness, to first order."""
    case = at.case(known=False)
    prior = Smooth(at.name, deviation)
    misfit = Misfit(case, Space.of(case), observation_error=NOISE, priors=[prior])
    known = bound(misfit, case.truth or {})
    square = (known.bias**2 + known.spread**2)[misfit.space.places[at.name]]
    return float(np.sqrt(np.mean(square[at.where])))


def least_expected(at: Setting) -> tuple[float, float]:
    """Return the deviation with the least expected error, within the grid, and that error."""
    from scipy.optimize import minimize_scalar

    found = minimize_scalar(
        lambda x: expected_error(at, float(np.exp(x))),
        bounds=tuple(np.log(at.grid[[0, -1]])),
        method="bounded",
        options={"xatol": NEAR},
    )
    return float(np.exp(found.x)), float(found.fun)


def judged_choice(at: Setting, seed: int, seeds: Sequence[int] = SCORED) -> Choice:
    """Choose on one record, and tell the error of that choice on others."""
    found = choose(at, seed)
    best, least = least_expected(at)
    elsewhere = recover(at, known=False, priors=[found.prior], seeds=seeds)
    return Choice(
        seed=seed,
        deviations=tuple(found.deviations.tolist()),
        log_evidence=tuple((found.log_evidence - found.log_evidence.max()).tolist()),
        expected=tuple(expected_error(at, s) for s in found.deviations),
        choice=found.choice,
        interval=found.interval,
        at_edge=found.at_edge,
        corner=found.corner,
        best=best,
        least=least,
        expected_at_choice=expected_error(at, found.choice),
        rmse=elsewhere.rmse,
        standard_error=elsewhere.standard_error,
    )


def null_directions(case: Case) -> dict[str, Any]:
    """Say what of a case's unknowns its observations cannot see at the truth, without priors."""
    misfit = Misfit(case, Space.of(case), observation_error=NOISE)
    J = misfit.residuals(misfit.space.scaled(misfit.space.flatten(case.truth or {})))[1]
    s = np.linalg.svd(J, compute_uv=False)
    known = bound(misfit, case.truth or {})
    return {
        "unknowns": len(s),
        "null_directions": int(np.sum(s <= np.finfo(float).eps * max(J.shape) * s[0])),
        "smallest_singular_values": (s[-3:] / s[0]).tolist(),
        "identifiable": [x for x, yes in zip(known.labels, known.identifiable, strict=True) if yes],
    }


def locate(seed: int, steps: Any = None) -> Change:
    """Locate the step of h(1+1/β) in one record, all others estimated; ``steps`` are tried."""
    made = setting(SETTINGS[2]).case(known=False)
    record = synthetic(made, noise=NOISE, seed=seed).observations
    twin = replace(combined(load_case("twin")), observations=record)
    return locate_change(twin, COMBINED, observation_error=NOISE, steps=steps)
