"""A case's misfit at one point: what identifiability, profiles and posteriors begin with."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lsm_verify.cases import Case
from lsm_verify.errors import InputError, unknown
from lsm_verify.inverse.evaluate import Compose
from lsm_verify.inverse.misfit import Misfit
from lsm_verify.inverse.priors import Prior
from lsm_verify.inverse.space import Space, Unknown
from lsm_verify.parameters import COMBINED, SEPARATE

Array = NDArray[np.float64]

COMBINED_RANGE = (6.0, 31.0)
"""Of h(1+1/β) [W m-2 K-1]: what the published starts of Phoenix span, see `cases.phoenix`."""

Unknowns = Iterable[str] | Sequence[Unknown] | None


def misfit_at(
    case: Case,
    parameters: Mapping[str, Any] | str,
    unknowns: Unknowns = None,
    *,
    observation_error: Any,
    priors: Sequence[Prior] = (),
    compose: Compose | None = None,
    threads: int | None = None,
) -> tuple[Misfit, Array]:
    """Return the misfit of a case by its unknowns, and a point in scaled coordinates (P,).

    Parameters
    ----------
    parameters : mapping, or the name of a point of the case
        A value for every unknown. Free parameters of the case that are not unknown may be given
        too; they are held there.

    Raises
    ------
    InputError
        If a name or value is wrong, an unknown has no value or one outside of its bounds.
    """
    space = _space(case, unknowns, compose)
    given = dict(case.point(parameters) if isinstance(parameters, str) else parameters)
    held = {name: value for name, value in given.items() if name not in space.names}
    for name in held:
        if name not in case.start:
            raise unknown("parameter", name, {*space.names, *case.start})
    if held:
        case = replace(case, start={**case.start, **held})
    row = space.flatten(given)
    outside = np.flatnonzero((row < space.least) | (row > space.most))
    if outside.size:
        k = int(outside[0])
        raise InputError(
            f"{space.labels[k]}={row[k]:g}; give {space.least[k]:g} to {space.most[k]:g}."
        )
    misfit = Misfit(
        case,
        space,
        compose=compose,
        threads=threads,
        observation_error=observation_error,
        priors=priors,
    )
    return misfit, space.scaled(row)


def _space(case: Case, unknowns: Unknowns, compose: Compose | None) -> Space:
    given: list[Any] | None = None if unknowns is None else list(unknowns)
    if given and all(isinstance(each, Unknown) for each in given):
        return Space(given)
    if compose is not None and given is None:
        raise InputError("compose needs unknowns: give a list of Unknown, or names.")
    return Space.of(case, given)


def combined(case: Case, limits: tuple[float, float] = COMBINED_RANGE) -> Case:
    """Return the case with h(1+1/β) free in place of h and β, which it alone enters as.

    Parameters
    ----------
    limits : (float, float)
        Its range [W m-2 K-1]; the default is that of the Phoenix case.

    Raises
    ------
    InputError
        If h and β are not both free.
    """
    if not set(SEPARATE) <= set(case.start):
        raise InputError(
            f"case {case.name} has free parameters {', '.join(case.free)}; h and β must be free."
        )

    def joined(values: Mapping[str, Any]) -> dict[str, Any]:
        h, beta = (values[name] for name in SEPARATE)
        rest = {name: value for name, value in values.items() if name not in SEPARATE}
        return {COMBINED: h * (1 + 1 / beta), **rest}

    ranges = {name: pair for name, pair in case.ranges.items() if name not in SEPARATE}
    return replace(
        case,
        start=joined(case.start),
        ranges={COMBINED: limits, **ranges},
        truth=None if case.truth is None else joined(case.truth),
        published=None if case.published is None else joined(case.published),
    )
