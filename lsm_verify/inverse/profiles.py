"""Initial profiles: observed, or spun up from earlier forcing, instead of T⁰ = T_b."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lsm_verify.cases import Case
from lsm_verify.errors import InputError
from lsm_verify.forcing import Forcing
from lsm_verify.observations import Observations, Series
from lsm_verify.parameters import Parameters
from lsm_verify.quantities import FORCING
from lsm_verify.validation import finite, increasing, vector

Array = NDArray[np.float64]


def with_profile(case: Case, profile: Array) -> Case:
    """Return the case with an initial temperature per node (nodes,) [K], not tied to T_b."""
    given = vector("initial profile", profile, case.sizes["nodes"])
    return replace(case, fixed={**case.fixed, "initial_temperature": given})


def observed_profile(case: Case, depths: Any, temperatures: Any, bottom: float) -> Array:
    """Interpolate sensors linearly to the nodes; constant above the first, to T_b at the bottom.

    Parameters
    ----------
    case : Case
        Whose grid.
    depths : (k,) array_like
        Of the sensors [m], increasing, above the bottom.
    temperatures : (k,) array_like
        [K] at the initial state.
    bottom : float
        Temperature at the bottom [K].

    Returns
    -------
    (nodes,) array
    """
    z = increasing("depths", vector("depths", depths))
    T = finite("temperatures", vector("temperatures", temperatures, z.size))
    if z[-1] >= case.grid.depth:
        raise InputError(
            f"depths[-1]={z[-1]:g} m must lie above the bottom, {case.grid.depth:g} m; leave the "
            "deepest sensor out."
        )
    return np.asarray(np.interp(case.grid.nodes, [*z, case.grid.depth], [*T, float(bottom)]))


def spun_up_profile(case: Case, parameters: Parameters, before: Forcing) -> Array:
    """Run the model over the forcing before the case, from T_b everywhere; return its last state.

    Parameters
    ----------
    case : Case
        Whose grid and fixed parameters.
    parameters : mapping
        Values of the free parameters, none of them per step.
    before : Forcing
        Ends where the case begins.

    Returns
    -------
    (nodes,) array
        [K].
    """
    from lsm_verify.models.simulation import simulate

    _meets(case, before)
    unseen = Series("soil_temperature", np.full(before.steps + 1, 300.0), depth=0.0)
    fixed = {k: v for k, v in case.fixed.items() if k != "initial_temperature"}
    earlier = replace(
        case, forcing=before, observations=Observations((unseen,)), fixed=fixed, notes=()
    )
    return np.array(simulate(earlier, parameters)["SoilTemp"].values[-1])


def spinning_up(case: Case, before: Forcing) -> Case:
    """Return the case with the forcing before it in front, where nothing is observed.

    The column starts from T_b everywhere at the beginning of ``before``. So the profile with which
    the case itself begins follows from the parameters, and estimates, Jacobians and intervals
    have its dependence on them, by the same tangent as all else.

    Parameters
    ----------
    case : Case
        Its initial temperature is dropped; none of its parameters is per step.
    before : Forcing
        Ends where the case begins; a column of depth d forgets its start as exp(-π² λ t/(C d²)).

    Raises
    ------
    InputError
        If ``before`` ends elsewhere.
    """
    _meets(case, before)
    parts = {
        name: np.concatenate([getattr(before, name), getattr(case.forcing, name)])
        for name in ("time_step", *FORCING)
    }
    unseen = np.full(before.steps, np.nan)
    series = tuple(
        Series(
            s.kind,
            np.concatenate([unseen, np.where(np.asarray(s.weights) > 0, s.values, np.nan)]),
            depth=s.depth,
            weights=np.concatenate([np.zeros(before.steps), _weights(s)]),
        )
        for s in case.observations.series
    )
    return replace(
        case,
        forcing=Forcing(**parts, start=before.start),
        observations=Observations(series),
        fixed={k: v for k, v in case.fixed.items() if k != "initial_temperature"},
    )


def _weights(series: Series) -> Array:
    return np.broadcast_to(np.asarray(series.weights, dtype=np.float64), series.values.shape)


def _meets(case: Case, before: Forcing) -> None:
    """Refuse forcing that does not end where the case begins."""
    if before.start is not None and case.forcing.start is not None:
        length = np.timedelta64(round(float(before.elapsed[-1])), "s")
        if before.start + length != case.forcing.start:
            raise InputError(
                f"forcing of the spin-up ends at {before.start + length}; it must end where the "
                f"case begins, {case.forcing.start}."
            )
