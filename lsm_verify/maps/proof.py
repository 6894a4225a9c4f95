"""Verifies the gradient that columns were calibrated with, on a sample of them.

The kernels' Jᵀ W r at the estimate is held against the oracle's adjoint and complex step, by the
same statistic as the primary gate (`lsm_verify.verify.agreement`). At an optimum the misfit has no
gradient: the observed values are moved there by noise, so that the gradient is that of random
weights on all that is observed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lsm_verify.inputs import Inputs, Objective
from lsm_verify.inverse.field_columns import assembled, coordinates
from lsm_verify.inverse.field_problem import field_problem
from lsm_verify.inverse.space import Space
from lsm_verify.kernels import levenberg
from lsm_verify.maps.columns import Given
from lsm_verify.maps.job import Job
from lsm_verify.observations import Series
from lsm_verify.quantities import OBSERVABLES
from lsm_verify.routes import ROUTES
from lsm_verify.routes.route import Evaluation, Route
from lsm_verify.verify.agreement import compare
from lsm_verify.verify.case_run import EVIDENCE
from lsm_verify.verify.result import Verdict
from lsm_verify.verify.target import of_inputs, sample

Array = NDArray[np.float64]

NOT_SAMPLED, VERIFIED, WRONG, INCONCLUSIVE = range(4)
"""Codes of ``gradient_verified``."""

CODES = {Verdict.PASS: VERIFIED, Verdict.FAIL: WRONG}

KERNELS = "levenberg"
"""Name of the kernels among the routes."""

BESIDE = 4
"""Columns to each side that are run beside one that is verified: more than a register holds."""

MOVED = {"K": 10.0, "W m-2": 100.0}
"""Standard deviation of the noise by which observed values are moved. Far beyond what an optimum
leaves of Jᵀ W r; and large beside the rounding of a prediction (6e-14 K), which with residuals of
0.5 K hid errors of 1e-10 of the gradient in a quarter of the columns."""


@dataclass(frozen=True)
class Proof:
    """What was found of one column.

    Attributes
    ----------
    column : int
        In the block.
    code : int
        `VERIFIED`, `WRONG` or `INCONCLUSIVE`.
    max_z : float
        Largest difference of two routes, in units of their round-off.
    message : str
        Of the check; names the parameters where routes disagree.
    """

    column: int
    code: int
    max_z: float
    message: str


def chosen(numbers: NDArray[np.int64], fit: NDArray[np.bool_], count: int, seed: int) -> list[int]:
    """Draw columns of a block among those that are fit.

    Parameters
    ----------
    numbers : (B,) int array
        The columns' numbers in the map; the first makes every block's draw another.
    fit : (B,) array of bool
        Those that have an estimate.
    """
    draws = np.random.default_rng([seed, int(numbers[0])]).random(fit.size)
    places = np.flatnonzero(fit)
    return sorted(int(places[k]) for k in np.argsort(draws[places], kind="stable")[:count])


def verify_columns(
    job: Job, space: Space, given: Given, estimate: Array, columns: Sequence[int],
    numbers: NDArray[np.int64],
) -> list[Proof]:  # fmt: skip
    """Verify the gradient of some columns of a block at their estimates (B, P).

    What is verified is what the kernels give of a column among its neighbours, assembled as it was
    for the calibration; its round-off is measured on copies of the column alone.
    """
    if not columns:
        return []
    estimate = np.clip(estimate, space.least, space.most)  # a bound is met to rounding alone
    window = np.unique(np.concatenate([np.arange(b - BESIDE, b + BESIDE + 1) for b in columns]))
    window = window[(window >= 0) & (window < len(estimate))]
    moved = {
        int(b): displaced(
            given.observations[b], job, np.random.default_rng([job.settings.seed, numbers[b], 1])
        )
        for b in window
    }
    observed = np.stack(list(moved.values()))
    try:
        answers = _among_neighbours(job, space, given, estimate, window, observed)
    except Exception as error:
        return [_no_verdict(b, error) for b in columns]
    return [_verify(job, space, given, estimate, b, moved[b], answers[b]) for b in columns]


def _verify(
    job: Job, space: Space, given: Given, estimate: Array, b: int, observed: Array,
    answer: tuple[float, Array],
) -> Proof:  # fmt: skip
    """Hold the kernels' answer for a column against the oracle."""
    seed = job.settings.seed
    try:
        here = dict(zip(space.names, estimate[b], strict=True))
        inputs = inputs_of(job, given, here, b, observed)
        routes = (kernels(space, job.settings.device), *(ROUTES[name] for name in EVIDENCE))
        samples = {r.name: sample(r, inputs, seed)[0] for r in routes}
        samples[KERNELS] = replace(samples[KERNELS], value=answer[0], gradient=answer[1])
        target = of_inputs(inputs)
        result = compare(target, samples, point="estimate", objective="J", seed=seed).result
    except Exception as error:
        return _no_verdict(b, error)
    about = result.message
    if result.reason is not None:
        about += f" ({result.reason})"
    if result.parameters:
        about += f": {', '.join(result.parameters)}"
    return Proof(b, CODES.get(result.verdict, INCONCLUSIVE), result.value, about)


def _no_verdict(b: int, error: Exception) -> Proof:
    """Return what an error says of a column: nothing; its estimate is none the worse for it."""
    about = " ".join(f"{type(error).__name__}: {error}".split())
    return Proof(b, INCONCLUSIVE, float("nan"), about)


def _among_neighbours(
    job: Job, space: Space, given: Given, estimate: Array, window: NDArray[np.intp], observed: Array
) -> dict[int, tuple[float, Array]]:
    """Return the kernels' value and gradient of columns that are run side by side."""
    s = job.settings
    problem = field_problem(
        job.case,
        observed,
        job.error,
        s.unknowns,
        fields={name: array[window] for name, array in given.fields.items()},
        start={name: estimate[window, j : j + 1] for j, name in enumerate(space.names)},
        logarithmic=s.logarithmic,
        mask=given.mask[window],
        strict=False,
    )
    fit = levenberg.minimise(
        problem.batch.columns,
        job.case.insulated,
        problem.batch.sight,
        problem.batch.objective(problem.values, problem.weights),
        coordinates(space, problem.batch.tied),
        problem.scaled_start(),
        pair=problem.batch.pair,
        mask=problem.left_out,
        iterations=0,
        threads=1,
        device=s.device,
    )
    slopes = fit.gradient / space.slope(fit.u)
    return {int(b): (float(fit.value[k]), slopes[k]) for k, b in enumerate(window)}


def inputs_of(
    job: Job, given: Given, estimate: Mapping[str, Any], b: int, observed: Array
) -> Inputs:
    """Return a column at its estimate, with observations (series, steps + 1) and their weights."""
    known = {n: a[b, 0] if a.shape[1] == 1 else a[b] for n, a in given.fields.items()}
    inputs = job.case.inputs(
        {**known, **estimate},
        objectives=(Objective("half-sum-of-squares"),),
        wrt=tuple(estimate),
    )
    series = inputs.series
    errors = np.broadcast_to(job.error, len(series))
    own = [
        Series(s.kind, values, s.depth, 1.0 / error**2)
        for s, values, error in zip(series, observed, errors, strict=True)
    ]
    return replace(inputs, series=tuple(own))


def displaced(observed: Array, job: Job, rng: np.random.Generator) -> Array:
    """Return the observations (series, steps + 1) of a column moved by noise."""
    moved = observed.copy()
    for k, s in enumerate(job.case.observations.series):
        moved[k] += MOVED[OBSERVABLES[s.kind].unit] * rng.standard_normal(observed.shape[1])
    return moved


def kernels(space: Space, device: str = "cpu") -> Route:
    """Return the gradient that columns are calibrated with as a route."""
    return Route(
        KERNELS,
        "tangents of all unknowns beside the state: Jᵀ W r of the kernels that calibrate columns",
        exact=True,
        evaluate=lambda batch: [_evaluate(space, inputs, device) for inputs in batch],
    )


def _evaluate(space: Space, inputs: Inputs, device: str = "cpu") -> Evaluation:
    """Value and gradient of a column, by what assembles and runs columns for a calibration."""
    own = {n: np.atleast_1d(inputs.expanded(n))[None] for n in inputs.parameters}
    batch = assembled(inputs, space.names, own, np.zeros(1, bool))
    series = inputs.series
    weights = np.stack([np.broadcast_to(s.weights, s.values.shape) for s in series])[None]
    fit = levenberg.minimise(
        batch.columns,
        inputs.insulated,
        batch.sight,
        batch.objective(np.stack([s.values for s in series])[None], weights),
        coordinates(space, batch.tied),
        space.scaled(np.array([[float(inputs.parameters[name]) for name in space.names]])),
        pair=batch.pair,
        iterations=0,
        threads=1,
        device=device,
    )
    slopes = (fit.gradient / space.slope(fit.u))[0]
    gradient = {name: np.asarray(slope) for name, slope in zip(space.names, slopes, strict=True)}
    return [(float(fit.value[0]), gradient)]
