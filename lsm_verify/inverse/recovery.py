"""What was found of an unknown that varies in time, and records to find it from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lsm_verify.cases import Case
from lsm_verify.errors import InputError, unknown
from lsm_verify.inverse.attainable import bound
from lsm_verify.inverse.calibrate import calibrate
from lsm_verify.inverse.misfit import Misfit
from lsm_verify.inverse.priors import Prior
from lsm_verify.inverse.result import Calibration
from lsm_verify.inverse.space import Space
from lsm_verify.observations import Observations, Series
from lsm_verify.parameters import Knots
from lsm_verify.validation import as_array, finite, whole

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class InTime:
    """An unknown that varies in time, as it was found.

    Attributes
    ----------
    name : str
        The unknown.
    times : (n,) array
        Ends of the steps, or times of the knots [s since the start].
    identifiable : (n,) array of bool
        Where the observations say something of it and it is pinned, see `Attainable`.
    estimate : (n,) array
        In the parameter's unit; not-a-number where it is not identifiable.
    deviation : (n,) array
        Its standard deviation at the estimate, with the priors; not-a-number likewise.
    with_prior : (n,) array or None
        The estimate everywhere, if priors of this unknown fill what is not identifiable.
    calibration : Calibration
        Where it is from.
    """

    name: str
    times: Array
    identifiable: Mask
    estimate: Array
    deviation: Array
    with_prior: Array | None
    calibration: Calibration

    def rmse(self, truth: Any, where: Any = True) -> float:
        """Root mean square error where identifiable and ``where``, in the parameter's unit.

        Raises
        ------
        InputError
            If nothing is identifiable there.
        """
        taken = self.identifiable & np.asarray(where, dtype=bool)
        if not np.any(taken):
            raise InputError(f"{self.name} is not identifiable there; an error has no meaning.")
        true = truth.values if isinstance(truth, Knots) else as_array("truth", truth)
        return float(np.sqrt(np.mean((self.estimate - true)[taken] ** 2)))


def estimate_in_time(
    case: Case,
    name: str,
    *,
    observation_error: Any,
    priors: Sequence[Prior] = (),
    **options: Any,
) -> InTime:
    """Calibrate a case and return an unknown that varies in time, masked where it is not seen.

    Parameters
    ----------
    case : Case
        With the unknown per step or by knots, see `varying.varying`.
    name : str
        The unknown.
    observation_error : float or (series,) array_like
        Standard deviation of the observations, in their units.
    priors : sequence of Prior
        `Smooth`, say.
    **options
        Of `calibrate`.

    Raises
    ------
    InputError
        If the unknown does not vary in time; as `calibrate`.
    """
    start = case.start.get(name)
    if start is None:
        raise unknown(f"free parameter of case {case.name}", name, case.free)
    if not isinstance(start, Knots) and np.shape(start) != (case.forcing.steps,):
        raise InputError(f"{name} does not vary in time in case {case.name}; see `varying`.")
    options = {"examine": False, **options}
    found = calibrate(case, observation_error=observation_error, priors=priors, **options)
    if not found.reached:
        raise InputError(f"no estimate of {name} was reached: {found.status[0]}.")
    misfit = Misfit(case, found.space, observation_error=observation_error, priors=priors)
    known = bound(misfit, found.parameters())
    place = found.space.places[name]
    values = found.estimate[found.best][place]
    seen = known.identifiable[place]
    times = start.times if isinstance(start, Knots) else np.cumsum(case.forcing.time_step)
    filled = any(prior.name == name for prior in priors)
    return InTime(
        name=name,
        times=times,
        identifiable=seen,
        estimate=np.where(seen, values, np.nan),
        deviation=np.where(seen, known.posterior[place], np.nan),
        with_prior=values if filled else None,
        calibration=found,
    )


def synthetic(
    case: Case, *, noise: float, seed: int, depths: Sequence[float] | None = None
) -> Case:
    """Return a case that observes its own truth, with independent normal errors.

    Parameters
    ----------
    case : Case
        With a truth of all its free parameters.
    noise : float
        Standard deviation of the errors, in the units of the observations.
    seed : int
        Of the errors.
    depths : sequence of float, optional
        Depths of soil temperature [m] that replace the case's series.

    Raises
    ------
    InputError
        If the case has no truth, or the noise is negative.
    """
    if case.truth is None:
        raise InputError(f"case {case.name} has no truth; give one to make observations of.")
    size = float(finite("noise", as_array("noise", noise)))
    if size < 0:
        raise InputError(f"noise={noise} must not be negative.")
    if depths is not None:
        blank = np.full(case.forcing.steps + 1, 300.0)  # replaced below; any temperature does
        series = tuple(Series("soil_temperature", blank, depth=d) for d in depths)
        case = replace(case, observations=Observations(series))
    space = Space.of(case)
    predict = Misfit(case, space).evaluator.predict
    exact = predict(space.scaled(space.flatten(case.truth or {}))[None])[0]
    errors = np.random.default_rng(whole("seed", seed, 0)).standard_normal(exact.shape)
    made = tuple(
        replace(s, values=np.where(s.weights > 0, row, np.nan))
        for s, row in zip(case.observations.series, exact + size * errors, strict=True)
    )
    return replace(case, observations=Observations(made))
