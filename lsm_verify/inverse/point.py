"""A case's misfit at one point: what identifiability, profiles and posteriors begin with."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Required, TypedDict

import numpy as np
from numpy.typing import NDArray

from lsm_verify.cases import Case
from lsm_verify.errors import InputError, unknown
from lsm_verify.inverse.evaluate import Compose
from lsm_verify.inverse.misfit import Misfit
from lsm_verify.inverse.priors import Prior
from lsm_verify.inverse.space import Space
from lsm_verify.inverse.unknowns import Unknown

Array = NDArray[np.float64]

Unknowns = Iterable[str] | Sequence[Unknown] | None


class Setting(TypedDict, total=False):
    """What a misfit is made of beside a case, its unknowns and a point.

    Attributes
    ----------
    observation_error : float or one per series
        Standard deviation of the observations, in their units, independent of each other.
    priors : sequence of Normal or Smooth
        See `lsm_verify.inverse.priors`.
    compose : callable, optional
        From the unknowns to parameters of the model, see `lsm_verify.inverse.calibrate`.
    threads : int, optional
        Of the kernels.
    """

    observation_error: Required[Any]
    priors: Sequence[Prior]
    compose: Compose | None
    threads: int | None


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
    observation_error, priors, compose, threads
        See `Setting`.

    Raises
    ------
    InputError
        If a name or value is wrong, an unknown has no value or one outside of its bounds.
    """
    space = Space.asked_for(case, unknowns, composed=compose is not None)
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
