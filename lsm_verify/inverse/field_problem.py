"""What is asked of every column, checked: what all share refused, what is a column's own marked."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lsm_verify.cases import Case
from lsm_verify.errors import InputError
from lsm_verify.inverse import field_given as given_
from lsm_verify.inverse.field_columns import Batch, batch_of
from lsm_verify.inverse.priors import Normal
from lsm_verify.inverse.space import Space
from lsm_verify.inverse.unknowns import Bounds
from lsm_verify.quantities import OBSERVABLES, PARAMETERS, Quantity
from lsm_verify.validation import outside, within

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
    values, weights = given_.observed(case, observations, observation_error)
    B = len(values)
    batch = batch_of(case, space.names, dict(fields or {}), B)
    begin = given_.start_rows(case, space, dict(start or {}), B)
    mean, deviation = given_.priors_rows(space, priors, B)
    least, most = given_.bounds_rows(space, own, B)
    left_out = given_.masked(mask, B) | batch.broken
    for rows in (begin, mean, deviation, least, most):
        left_out |= given_.broken(rows)
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
