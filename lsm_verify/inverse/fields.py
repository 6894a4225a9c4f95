"""Estimate fields of parameters: the same unknowns in every column of a batch, column by column."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from lsm_verify.cases import Case
from lsm_verify.inverse.field_columns import coordinates
from lsm_verify.inverse.field_problem import field_problem
from lsm_verify.inverse.field_result import FieldEstimate
from lsm_verify.inverse.information import information
from lsm_verify.inverse.priors import Normal
from lsm_verify.inverse.unknowns import Bounds
from lsm_verify.validation import whole


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
    strict: bool = True,
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
    strict : bool
        Whether a column with a value out of its bounds is refused, or left out and marked.
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
    p = field_problem(
        case, observations, observation_error, unknowns, fields=fields, start=start, bounds=bounds,
        logarithmic=logarithmic, priors=priors, mask=mask, strict=strict,
    )  # fmt: skip
    space, batch, mean, deviation = p.space, p.batch, p.mean, p.deviation
    fit = levenberg.minimise(
        batch.columns,
        case.insulated,
        batch.sight,
        batch.objective(p.values, p.weights),
        coordinates(space, batch.tied),
        p.scaled_start(),
        bounds=space.ends(p.least, p.most),
        priors=(mean, deviation),
        pair=batch.pair,
        mask=p.left_out,
        iterations=levenberg.ITERATIONS
        if iterations is None
        else whole("iterations", iterations, 1),
        threads=threads,
        device=device,
    )
    known = information(fit.normal, p.counts + np.sum(np.isfinite(deviation), axis=1))
    slope = space.slope(fit.u)
    estimate = space.physical(fit.u)
    r = np.where(np.isinf(deviation), 0.0, (estimate - mean) / deviation)
    there = np.isfinite(fit.value)
    status = np.where(there & ~known.seen.all(axis=1), marquardt.NOT_IDENTIFIABLE, fit.status)
    status = np.where(p.unobserved, marquardt.NOT_OBSERVED, status)
    status = np.where(p.odd, marquardt.IMPLAUSIBLE, status)
    return FieldEstimate(
        space=space,
        estimate=np.where(known.seen, estimate, np.nan),
        standard_error=known.deviation * slope,
        correlation=known.correlation,
        chi_square=2 * fit.value - np.sum(r * r, axis=1),
        count=np.where(p.left_out, 0, p.counts),
        smallest=known.smallest,
        status=status,
        least=p.least,
        most=p.most,
        first_odd=p.first_odd,
        iterations=fit.iterations,
    )
