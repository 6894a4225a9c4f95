"""All experiments of the paper and all its claims: `reproduce`."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from pathlib import Path

from lsm_verify.cases import load_case
from lsm_verify.errors import InputError
from lsm_verify.inverse import (
    blas,
    claims,
    ensemble_claims,
    experiments,
    field_claims,
    recovered,
)
from lsm_verify.inverse.claim import NOT_JUDGED, Claim
from lsm_verify.inverse.experiments import Experiment, Tell
from lsm_verify.inverse.phoenix_study import study
from lsm_verify.inverse.recovered import Recovery
from lsm_verify.inverse.valley import Valley, valley

STAGES = 10
"""Messages of a run with the Phoenix data, beside those of Adam's lengths: two of each of the three
cases, three of further claims, one of the study."""

ON_PHOENIX = (
    ("Phoenix", "At Phoenix λ, C and h(1+1/β) are reliably estimated."),
    ("predictions", "The calibrated model predicts longwave, soil heat flux and turbulent flux."),
)


@dataclass(frozen=True)
class Reproduction:
    """What was run and what it says of the claims.

    ``valleys`` are the ensembles of starts beside what the observations say, ``recoveries`` the
    twins whose parameters vary in time; ``notes`` tell what a reader of the numbers must know;
    ``sources`` are the data files used, name to SHA-256.
    """

    experiments: tuple[Experiment, ...]
    valleys: tuple[Valley, ...]
    recoveries: tuple[Recovery, ...]
    claims: tuple[Claim, ...]
    notes: tuple[str, ...]
    sources: dict[str, str]


@blas.one_thread()
def reproduce(
    *,
    data: str | Path | None = None,
    quick: bool = False,
    tell: Tell = lambda message: None,
) -> Reproduction:
    """Run the paper's experiments and judge its claims.

    Parameters
    ----------
    data : path, optional
        Folder of the Phoenix data, see `lsm_verify.load_case`. Where they are missing, what needs
        them is not judged.
    quick : bool
        Leave out the runs of Adam that take minutes.
    tell : callable
        Called with what is being done.
    """
    counts = experiments.ITERATIONS[:2] if quick else experiments.ITERATIONS
    tell = _counted(tell, STAGES + len(counts))
    one, two = (experiments.run(name, tell) for name in experiments.CASES)
    biases = experiments.bias(one.case, counts, tell)
    found = [
        claims.one_depth(one, two, biases),
        claims.two_depths(two),
        claims.coefficients(two),
        claims.physics(two),
    ]
    tell("twin: gradient through the published solver")
    found.append(claims.no_adjoint())
    tell("twin: albedo per step from noisy records")
    found.append(field_claims.in_time_by_gradients())
    tell("twin: parameters per step from noisy records")
    in_time = recovered.recoveries()
    try:
        case = load_case("phoenix", data=data)
    except InputError as error:
        found += [Claim(name, text, NOT_JUDGED, str(error)) for name, text in ON_PHOENIX]
        return _reproduction((one, two), in_time, found)
    third = experiments.run_case(case, tell)
    tell("phoenix: intervals, predictions, days held out")
    seen = study(None if data is None else Path(data))
    found += [field_claims.estimates(seen), field_claims.predictions(seen)]
    return _reproduction((one, two, third), in_time, found)


def _counted(tell: Tell, stages: int) -> Tell:
    """Say of every message which one it is."""
    numbers = itertools.count(1)
    return lambda message: tell(f"{message} ({next(numbers)} of {stages})")


def _reproduction(
    runs: tuple[Experiment, ...], in_time: tuple[Recovery, ...], found: list[Claim]
) -> Reproduction:
    valleys = tuple(valley(run) for run in runs)
    found.append(ensemble_claims.spread(valleys))
    notes = [f"{run.case.name}: {run.case.title}" for run in runs]
    notes += [note for run in runs for note in run.case.notes]
    sources = {name: digest for run in runs for name, digest in run.case.sources.items()}
    return Reproduction(runs, valleys, in_time, tuple(found), tuple(notes), sources)
