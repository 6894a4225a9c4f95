"""h(1+1/β) of the twin that follows a synthetic wind: offset and slope, recovered."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from lsm_verify.cases import load_case
from lsm_verify.inverse import twins
from lsm_verify.inverse.attainable import bound
from lsm_verify.inverse.calibrate import calibrate
from lsm_verify.inverse.drivers import linear
from lsm_verify.inverse.misfit import Misfit
from lsm_verify.inverse.recovery import synthetic
from lsm_verify.inverse.time_study import SCORED
from lsm_verify.inverse.twins import NOISE, in_time
from lsm_verify.inverse.varying import combined
from lsm_verify.parameters import COMBINED

OFFSET, SLOPE = (0.0, 30.0), (0.0, 8.0)
"""Ranges of a [W m⁻² K⁻¹] and b [that per m s⁻¹]: they scale the search and bound nothing."""


@dataclass(frozen=True)
class Driven:
    """Offset and slope of h(1+1/β) = a + b U of the twin: W m⁻² K⁻¹, and that per m s⁻¹.

    Pairs (offset, slope): ``truth``; ``mean``, ``spread`` and ``standard_error`` of the mean over
    the records; ``deviation``, the mean of what each record's Jacobian predicts. ``wind``: least,
    mean and largest [m s⁻¹].
    """

    truth: tuple[float, ...]
    wind: tuple[float, ...]
    records: int
    mean: tuple[float, ...]
    spread: tuple[float, ...]
    standard_error: tuple[float, ...]
    deviation: tuple[float, ...]


def follow_wind(seeds: Sequence[int] = SCORED) -> Driven:
    """Recover offset and slope under a synthetic wind, all others estimated."""
    wind = twins.wind_speed()
    made = in_time({COMBINED: twins.WIND_OFFSET + twins.WIND_SLOPE * wind})
    estimates, deviations = [], []
    for seed in seeds:
        record = synthetic(made, noise=NOISE, seed=seed).observations
        case = replace(combined(load_case("twin")), observations=record)
        unknowns, compose = linear(case, COMBINED, wind, offset=OFFSET, slope=SLOPE)
        found = calibrate(case, unknowns, compose=compose, observation_error=NOISE, examine=False)
        misfit = Misfit(case, found.space, compose=compose, observation_error=NOISE)
        estimates.append(found.estimate[0][:2])
        deviations.append(bound(misfit, found.parameters()).deviation[:2])
    values = np.array(estimates)
    spread = values.std(axis=0, ddof=1)
    return Driven(
        truth=(twins.WIND_OFFSET, twins.WIND_SLOPE),
        wind=(float(wind.min()), float(wind.mean()), float(wind.max())),
        records=len(values),
        mean=tuple(values.mean(axis=0).tolist()),
        spread=tuple(spread.tolist()),
        standard_error=tuple((spread / len(values) ** 0.5).tolist()),
        deviation=tuple(np.mean(deviations, axis=0).tolist()),
    )
