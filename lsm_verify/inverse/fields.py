"""Estimate fields of parameters: the same unknowns in every column of a batch, column by column."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lsm_verify.cases import Case
from lsm_verify.errors import InputError, unknown
from lsm_verify.inverse.field_columns import Batch, batch_of, coordinates
from lsm_verify.inverse.field_result import FieldEstimate
from lsm_verify.inverse.information import information
from lsm_verify.inverse.priors import Normal
from lsm_verify.inverse.space import Space
from lsm_verify.inverse.unknowns import Bounds
from lsm_verify.quantities import OBSERVABLES, PARAMETERS
from lsm_verify.validation import as_array, finite, whole, within

Array = NDArray[np.float64]


def calibrate_columns(
    case: Case,
    observations: Any,
    observation_error: Any,
    unknowns: Iterable[str] | None = None,
    *,
    fields: Mapping[str, Any] | None = None,
    start: Mapping[str, Any] | None = None,
    bounds: Bounds | None = None,
    logarithmic: Iterable[str] = (),
    priors: Sequence[Normal] = (),
    mask: Any = None,
    iterations: int | None = None,
    threads: int | None = None,
    device: str = "cpu",
) -> FieldEstimate:
    """Estimate parameters of many columns by Levenberg-Marquardt, each column by itself.

    Parameters
    ----------
    case : Case
        What all columns share: grid, steps, kinds and depths of the observations with their
        weights, and every parameter that is neither unknown nor given as a field.
    observations : (B, series, steps + 1) array_like
        Observed values; not-a-number where one is missing.
    observation_error : float or one per series
        Standard deviation of the observations, in their units, independent of each other.
    unknowns : names, optional
        Free parameters of the case, one number each; default: all.
    fields : mapping, optional
        Parameters and forcing that are known, (B, 1) or (B, n), columns first.
    start : mapping, optional
        Values () or (B, 1) to start from; default: the case's start.
    bounds : mapping, optional
        Pairs of least and most, each () or (B, 1), within what is physical, which is the default.
    logarithmic : names, optional
        As of `lsm_verify.calibrate`.
    priors : sequence of Normal
        Means and deviations () or (B, 1).
    mask : (B,) array of bool, optional
        Columns to leave out. Those in which a number other than an observation is not finite are
        left out too, and those without any observation.
    iterations : int, optional
        At most so many for each column.
    threads : int, optional
        Of the kernels on the CPU; the result does not depend on it.
    device : str
        ``cpu`` or ``cuda``; results differ by round-off, far below a standard error.

    Raises
    ------
    InputError
        If a name is unknown, a shape does not fit, a value lies outside of its bounds, or the
        device is not there.

    Notes
    -----
    A column's result is the same to the last bit whatever columns are beside it. Nothing is filled
    in: estimates and errors of an unknown that a column's observations do not see are
    not-a-number.
    """
    from lsm_verify.kernels import levenberg, marquardt

    levenberg.check_device(device)
    own = {n: pair for n, pair in (bounds or {}).items() if any(np.ndim(end) for end in pair)}
    shared = {name: pair for name, pair in (bounds or {}).items() if name not in own}
    space = Space.of(case, unknowns, bounds=shared, logarithmic=logarithmic)
    for each in space.unknowns:
        if each.shape:
            raise InputError(
                f"{each.name} has shape {each.shape}; fields are of unknowns of one number each."
            )
    values, weights = _observed(case, observations, observation_error)
    B = len(values)
    batch = batch_of(case, space.names, dict(fields or {}), B)
    begin = _start(case, space, dict(start or {}), B)
    mean, deviation = _priors(space, priors, B)
    least, most = _bounds(space, own, B)
    counts = np.broadcast_to(np.count_nonzero(weights, axis=(1, 2)), (B,))
    left_out = _mask(mask, B) | batch.broken
    for rows in (begin, mean, deviation, least, most):
        left_out |= _broken(rows)
    observed = left_out | (counts > 0)
    left_out = left_out | ~observed
    _check_observed(case, values, weights, left_out)
    _check(space, batch, (begin, least, most, deviation), left_out)
    fit = levenberg.minimise(
        batch.columns,
        case.insulated,
        batch.sight,
        batch.objective(values, weights),
        coordinates(space, batch.tied),
        _scaled(space, begin),
        bounds=space.ends(least, most),
        priors=(mean, deviation),
        pair=batch.pair,
        mask=left_out,
        iterations=levenberg.ITERATIONS
        if iterations is None
        else whole("iterations", iterations, 1),
        threads=threads,
        device=device,
    )
    known = information(fit.normal, counts + np.sum(np.isfinite(deviation), axis=1))
    slope = space.slope(fit.u)
    estimate = space.physical(fit.u)
    r = np.where(np.isinf(deviation), 0.0, (estimate - mean) / deviation)
    there = np.isfinite(fit.value)
    status = np.where(there & ~known.seen.all(axis=1), marquardt.NOT_IDENTIFIABLE, fit.status)
    status = np.where(observed, status, marquardt.NOT_OBSERVED)
    return FieldEstimate(
        space=space,
        estimate=np.where(known.seen, estimate, np.nan),
        standard_error=known.deviation * slope,
        correlation=known.correlation,
        chi_square=2 * fit.value - np.sum(r * r, axis=1),
        count=np.where(left_out, 0, counts),
        smallest=known.smallest,
        status=status,
        least=least,
        most=most,
        iterations=fit.iterations,
    )


# ------------------------------------------------------------------ inside


def _observed(case: Case, observations: Any, error: Any) -> tuple[Array, Array]:
    """Values (B, K, S + 1), finite, and weights of the same shape or with a leading 1."""
    series = case.observations.series
    values = as_array("observations", observations)
    wanted = (len(series), case.forcing.steps + 1)
    if values.ndim != 3 or values.shape[1:] != wanted or not len(values):
        raise InputError(
            f"observations have shape {values.shape}; give (columns, {wanted[0]}, {wanted[1]})."
        )
    sigma = finite("observation_error", as_array("observation_error", error))
    if sigma.shape not in ((), (len(series),)) or np.any(sigma <= 0):
        raise InputError(
            f"observation_error={error!r} must be above 0: one number, or {len(series)}, one per "
            "series."
        )
    own = np.stack([np.broadcast_to(s.weights, s.values.shape) for s in series])
    weights = (own / np.broadcast_to(sigma, (len(series),))[:, None] ** 2)[None]
    missing = ~np.isfinite(values)
    if missing.any():
        values = np.where(missing, 0.0, values)
        weights = np.where(missing, 0.0, weights)
    return values, weights


def _start(case: Case, space: Space, given: dict[str, Any], B: int) -> Array:
    """Parameters (1 or B, P) to start from."""
    for name in given:
        if name not in space.names:
            raise unknown("parameter of the start", name, space.names)
    return _rows([given.get(n, case.start[n]) for n in space.names], "start", space.names, B)


def _bounds(space: Space, given: Mapping[str, Any], B: int) -> tuple[Array, Array]:
    """Least and most (1 or B, P)."""
    ends = (dict(zip(space.names, end, strict=True)) for end in (space.least, space.most))
    least, most = ends
    for name, pair in given.items():
        if name not in space.names:
            raise unknown("parameter among the unknowns", name, space.names)
        if len(pair) != 2:
            raise InputError(f"bounds of {name} must be a pair, least and most.")
        least[name], most[name] = pair
    return (
        _rows(list(least.values()), "lower bound", space.names, B),
        _rows(list(most.values()), "upper bound", space.names, B),
    )


def _priors(space: Space, priors: Sequence[Normal], B: int) -> tuple[Array, Array]:
    """Means and deviations (1 or B, P), infinite without a prior."""
    means: dict[str, Any] = dict.fromkeys(space.names, 0.0)
    deviations: dict[str, Any] = dict.fromkeys(space.names, np.inf)
    for prior in priors:
        if not isinstance(prior, Normal):
            raise InputError(f"{type(prior).__name__} is no prior of a column; give Normal.")
        if prior.name not in means:
            raise unknown("parameter of a prior", prior.name, space.names)
        means[prior.name], deviations[prior.name] = prior.mean, prior.deviation
    return (
        _rows(list(means.values()), "mean of the prior", space.names, B),
        _rows(list(deviations.values()), "deviation of the prior", space.names, B),
    )


def _rows(values: Sequence[Any], what: str, names: Sequence[str], B: int) -> Array:
    """Stack numbers () and columns (B, 1) side by side, (1 or B, P)."""
    found = [as_array(f"{what} of {n}", v) for n, v in zip(names, values, strict=True)]
    for name, array in zip(names, found, strict=True):
        if array.shape not in ((), (B, 1)):
            raise InputError(
                f"{what} of {name} has shape {array.shape}; give one number, or ({B}, 1)."
            )
    rows = 1 if all(array.shape == () for array in found) else B
    return np.concatenate([np.broadcast_to(array, (rows, 1)) for array in found], axis=1)


def _mask(mask: Any, B: int) -> NDArray[np.bool_]:
    found = np.zeros(B, bool) if mask is None else np.asarray(mask)
    if found.shape != (B,) or found.dtype != bool:
        raise InputError(
            f"mask has shape {found.shape} of {found.dtype}; give ({B},) of bool, true where a "
            "column is left out."
        )
    return found


def _broken(rows: Array) -> NDArray[np.bool_]:
    """Which rows hold not-a-number."""
    return np.asarray(np.any(np.isnan(rows), axis=1))


def _check_observed(case: Case, values: Array, weights: Array, left_out: NDArray[np.bool_]) -> None:
    """Refuse implausible values in columns that are not left out; missing ones are 0 here."""
    counts = (weights > 0) & ~left_out[:, None, None]
    for k, series in enumerate(case.observations.series):
        within(OBSERVABLES[series.kind], np.where(counts[:, k], values[:, k], np.nan))


def _check(
    space: Space, batch: Batch, given: tuple[Array, ...], left_out: NDArray[np.bool_]
) -> None:
    """Refuse values outside of their bounds in columns that are not left out."""
    for name, array in batch.fields.items():
        within(PARAMETERS[name], array[~left_out])
    kept = np.stack([np.broadcast_to(rows, (len(left_out), space.size)) for rows in given])
    start, least, most, deviation = kept[:, ~left_out]
    for j, label in enumerate(space.labels):
        wide = (least[:, j] >= space.least[j]) & (most[:, j] <= space.most[j])
        wrong = ~(wide & (least[:, j] < most[:, j]))
        if wrong.any():
            low, high = least[wrong, j][0], most[wrong, j][0]
            raise InputError(
                f"bounds of {label} are {low:g} and {high:g}; give lower < upper within "
                f"{space.least[j]:g} to {space.most[j]:g}."
            )
        outside = (start[:, j] < least[:, j]) | (start[:, j] > most[:, j])
        if outside.any():
            low, high = least[outside, j][0], most[outside, j][0]
            raise InputError(
                f"start of {label} is {start[outside, j][0]:g}; give {low:g} to {high:g}."
            )
        if np.any(deviation[:, j] <= 0):
            raise InputError(
                f"deviation of the prior of {label} is {deviation[:, j].min():g}; give more than 0."
            )


def _scaled(space: Space, rows: Array) -> Array:
    """Scaled coordinates; not-a-number stays what it is."""
    safe = np.where(np.isnan(rows), space.middle, rows)
    return np.where(np.isnan(rows), np.nan, space.scaled(safe))
