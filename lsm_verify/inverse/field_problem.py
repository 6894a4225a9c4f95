"""What is asked of every column, checked: what all share refused, what is a column's own marked."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lsm_verify.cases import Case
from lsm_verify.errors import InputError, unknown
from lsm_verify.inverse.field_columns import Batch, batch_of
from lsm_verify.inverse.priors import Normal
from lsm_verify.inverse.space import Space
from lsm_verify.inverse.unknowns import Bounds
from lsm_verify.quantities import OBSERVABLES, PARAMETERS, Quantity
from lsm_verify.validation import as_array, finite, outside, within

Array = NDArray[np.float64]


@dataclass(frozen=True)
class FieldProblem:
    """B columns to be calibrated.

    Attributes
    ----------
    space : Space
    batch : Batch
        Columns for the kernels.
    values, weights : (B, series, steps + 1) array
        Observations, 0 where missing, and 1/σ² (or (1, …) if all share them).
    start, least, most, mean, deviation : (1 or B, P) array
        Of the parameters; infinite where there is no bound or prior.
    left_out : (B,) array of bool
        Columns that are not run, for any reason.
    unobserved, odd : (B,) array of bool
        Those of them without an observation, and with a value out of its bounds.
    first_odd : (int, str), optional
        The first of the odd ones and what is wrong with it.
    """

    space: Space
    batch: Batch
    values: Array
    weights: Array
    start: Array
    least: Array
    most: Array
    mean: Array
    deviation: Array
    left_out: NDArray[np.bool_]
    unobserved: NDArray[np.bool_]
    odd: NDArray[np.bool_]
    first_odd: tuple[int, str] | None

    @property
    def counts(self) -> NDArray[np.int64]:
        """Observations that count, (B,)."""
        found = np.count_nonzero(self.weights, axis=(1, 2))
        return np.broadcast_to(found, (len(self.values),))

    def scaled_start(self) -> Array:
        """Where to start, in scaled coordinates; not-a-number stays what it is."""
        nothing = np.isnan(self.start)
        safe = self.space.scaled(np.where(nothing, self.space.middle, self.start))
        return np.where(nothing, np.nan, safe)


def field_problem(
    case: Case,
    observations: Any,
    observation_error: Any,
    unknowns: Iterable[str] | None,
    *,
    fields: Mapping[str, Any] | None = None,
    start: Mapping[str, Any] | None = None,
    bounds: Bounds | None = None,
    logarithmic: Iterable[str] = (),
    priors: Sequence[Normal] = (),
    mask: Any = None,
    strict: bool = True,
) -> FieldProblem:
    """Check what is given, see `lsm_verify.inverse.fields.calibrate_columns`.

    Raises
    ------
    InputError
        If a name is unknown, a shape does not fit, or a value is out of its bounds: one that all
        columns share; where ``strict`` any.
    """
    given: Mapping[str, Any] = bounds or {}
    for name, pair in given.items():
        if not isinstance(pair, tuple | list) or len(pair) != 2:
            raise InputError(f"bounds of {name}, {pair!r}, must be a pair, least and most.")
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
    left_out = _mask(mask, B) | batch.broken
    for rows in (begin, mean, deviation, least, most):
        left_out |= _broken(rows)
    unobserved = ~left_out & ~np.any(weights > 0, axis=(1, 2))
    left_out = left_out | unobserved
    odd = _Odd(left_out, strict)
    for k, series in enumerate(case.observations.series):
        seen = np.where(weights[:, k] > 0, values[:, k], np.nan)
        odd.by_bounds(OBSERVABLES[series.kind], seen)
    for name, array in batch.fields.items():
        odd.by_bounds(PARAMETERS[name], array)
    odd.by_unknowns(space, begin, (least, most), (mean, deviation))
    if odd.found.any():  # so that nothing of theirs is in the way of others
        there = odd.found[:, None]
        least, most = np.where(there, space.least, least), np.where(there, space.most, most)
        deviation = np.where(there, np.inf, deviation)
    return FieldProblem(
        space, batch, values, weights, begin, least, most, mean, deviation,
        left_out | odd.found, unobserved, odd.found, odd.first,
    )  # fmt: skip


# ------------------------------------------------------------------ out of bounds


class _Odd:
    """Collects columns that hold a value out of its bounds; refuses one that all share."""

    def __init__(self, left_out: NDArray[np.bool_], strict: bool) -> None:
        self.left_out, self.strict = left_out, strict
        self.found = np.zeros_like(left_out)
        self.first: tuple[int, str] | None = None

    def add(self, wrong: NDArray[np.bool_], tell: Callable[[int], str]) -> None:
        """Add columns, (1 or B,); ``tell`` says of a row what is wrong with it."""
        if len(wrong) == 1 < len(self.left_out) and wrong[0] and not self.left_out.all():
            raise InputError(tell(0))
        wrong = np.broadcast_to(wrong, self.left_out.shape) & ~self.left_out
        if not wrong.any():
            return
        b = int(np.argmax(wrong))
        if self.strict:
            raise InputError(tell(b) if len(wrong) == 1 else f"column {b}: {tell(b)}")
        if self.first is None or b < self.first[0]:
            self.first = b, tell(b)
        self.found |= wrong

    def by_bounds(self, quantity: Quantity, array: Array) -> None:
        """Add columns in which a value (B, n) of a quantity lies outside of its bounds."""
        bad = outside(quantity, array)

        def tell(b: int) -> str:
            try:
                within(quantity, array[b][bad[b]][:1].reshape(()))
            except InputError as error:
                return str(error)
            raise AssertionError("a value is out of bounds and within them")

        self.add(np.asarray(bad.any(axis=1)), tell)

    def by_unknowns(
        self, space: Space, start: Array, ends: tuple[Array, Array], prior: tuple[Array, Array]
    ) -> None:
        """Add columns whose bounds, start or prior of an unknown is none."""
        (least, most), (mean, deviation) = ends, prior
        for j, label in enumerate(space.labels):
            low, high, here = least[:, j], most[:, j], start[:, j]

            def at(rows: Array, b: int) -> float:
                return float(rows[b if len(rows) > 1 else 0])

            wide = (low >= space.least[j]) & (high <= space.most[j]) & (low < high)
            self.add(
                ~wide,
                lambda b, low=low, high=high, j=j, label=label: (  # type: ignore[misc]
                    f"bounds of {label} are {at(low, b):g} and {at(high, b):g}; give lower < upper "
                    f"within {space.least[j]:g} to {space.most[j]:g}."
                ),
            )
            self.add(
                (here < low) | (here > high),
                lambda b, low=low, high=high, here=here, label=label: (  # type: ignore[misc]
                    f"start of {label} is {at(here, b):g}; give {at(low, b):g} to {at(high, b):g}."
                ),
            )
            self.add(
                deviation[:, j] <= 0,
                lambda b, j=j, label=label: (  # type: ignore[misc]
                    f"deviation of the prior of {label} is {at(deviation[:, j], b):g}; give more "
                    "than 0."
                ),
            )
            there = np.isfinite(deviation[:, j])
            self.by_bounds(PARAMETERS[label], np.where(there, mean[:, j], np.nan)[:, None])


# ------------------------------------------------------------------ what is given, as arrays


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
        least[name], most[name] = pair
    return (
        _rows(list(least.values()), "lower bound", space.names, B),
        _rows(list(most.values()), "upper bound", space.names, B),
    )


def _priors(space: Space, priors: Sequence[Normal], B: int) -> tuple[Array, Array]:
    """Means and deviations (1 or B, P), infinite without a prior."""
    means: dict[str, Any] = dict.fromkeys(space.names, 0.0)
    deviations: dict[str, Any] = dict.fromkeys(space.names, np.inf)
    for k, prior in enumerate(priors):
        if not isinstance(prior, Normal):
            raise InputError(f"{type(prior).__name__} is no prior of a column; give Normal.")
        if prior.name not in means:
            raise unknown("parameter of a prior", prior.name, space.names)
        if prior.name in [each.name for each in priors[:k]]:
            raise InputError(f"{prior.name} has two priors; give one.")
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
        if array.shape == () and np.isnan(array):
            raise InputError(f"{what} of {name} is not a number; give one.")
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
