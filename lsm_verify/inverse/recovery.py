"""How well an unknown that varies in time can be known, and what was found of it.

References
----------
Kay, S. M. (1993). Fundamentals of Statistical Signal Processing: Estimation Theory, chapter 3.
Van Trees, H. L. (1968). Detection, Estimation, and Modulation Theory, part I, section 2.4.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lsm_verify.cases import Case
from lsm_verify.errors import InputError, unknown
from lsm_verify.inverse.calibrate import calibrate
from lsm_verify.inverse.misfit import Misfit
from lsm_verify.inverse.priors import Prior
from lsm_verify.inverse.result import Calibration
from lsm_verify.inverse.space import Space
from lsm_verify.observations import Observations, Series
from lsm_verify.parameters import Knots, Parameters
from lsm_verify.validation import as_array, finite, whole

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]

NULL = 1e-8
"""Share of a coordinate in directions without information that is taken for none: the square root
of the spacing of numbers. Round-off leaves about 1e-15; of parameters that cannot be told apart
each has a share of some tenths."""


@dataclass(frozen=True)
class Bound:
    """What the observations, or they and the priors, let be known at a point.

    Attributes
    ----------
    labels : tuple of str
        One for every unknown (P).
    seen : (P,) array of bool
        Whether the observations respond to an unknown: were all others known, they alone would pin
        it more narrowly than its range does (standard deviation below that of the range).
    identifiable : (P,) array of bool
        Whether it is seen and, all others being estimated with it, observations and priors
        together pin it more narrowly than its range does.
    deviation : (P,) array
        Cramér-Rao bound of unbiased estimates from the observations alone, all unknowns estimated,
        in the parameters' units; not-a-number where the range says more, or nothing says anything.
    posterior : (P,) array
        Standard deviation with the priors, which is the Bayesian bound of the linear problem;
        not-a-number where not identifiable. Without priors equal to ``deviation``.
    bias : (P,) array
        What the priors pull an estimate by if the point is the truth, to first order; the expected
        error there is ``hypot(bias, spread)``. Not-a-number where not identifiable.
    spread : (P,) array
        Standard deviation of the estimate with the priors over records of the same truth.
    """

    labels: tuple[str, ...]
    seen: Mask
    identifiable: Mask
    deviation: Array
    posterior: Array
    bias: Array
    spread: Array


def bound(misfit: Misfit, parameters: Parameters) -> Bound:
    """Return how well unknowns can be known at a point, from the tangent's Jacobian.

    Parameters
    ----------
    misfit : Misfit
        Case, unknowns, standard deviation of the observations, and priors.
    parameters : mapping
        The point; the truth of a twin, or an estimate.

    Raises
    ------
    InputError
        If an unknown has no value, or the model no solution there.

    Notes
    -----
    Known unknowns are those that are fixed in the case: see `varying.free_only`.
    """
    space = misfit.space
    u = space.scaled(space.flatten(parameters))
    r, J = misfit.residuals(u)
    if not np.all(np.isfinite(J)):
        raise InputError("the model has no solution at this point; give another.")
    rows = len(r) - misfit.prior_right.size
    slope = space.slope(u)
    seen = np.linalg.norm(J[:rows], axis=0) > 1.0
    alone, pinned_alone = _root(J[:rows])
    root, pinned = _root(J)
    identifiable = seen & pinned
    H_inverse = root @ root.T
    values = {
        "posterior": np.linalg.norm(root, axis=1),
        "bias": -H_inverse @ J[rows:].T @ r[rows:],
        "spread": np.linalg.norm(H_inverse @ J[:rows].T, axis=1),
    }
    return Bound(
        labels=space.labels,
        seen=seen,
        identifiable=identifiable,
        deviation=np.where(seen & pinned_alone, np.linalg.norm(alone, axis=1) * slope, np.nan),
        **{k: np.where(identifiable, x * slope, np.nan) for k, x in values.items()},
    )


def _root(J: Array) -> tuple[Array, Mask]:
    """Return a root (P, r) of the pseudo-inverse of JᵀJ, in units of the ranges' deviations.

    With it: which coordinates are pinned more narrowly than by their range. Singular values below
    ``eps max(R, P)`` of the largest are round-off.
    """
    _, s, Vt = np.linalg.svd(J, full_matrices=False)
    kept = s > np.finfo(float).eps * max(J.shape) * s[0]
    V = Vt[kept].T
    root, null = V / s[kept], 1.0 - np.sum(V**2, axis=1)
    return root, (null <= NULL) & (np.linalg.norm(root, axis=1) < 1.0)


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
        Where the observations say something of it and it is pinned, see `Bound`.
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
