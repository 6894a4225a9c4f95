"""Initial profiles: observed, or spun up from earlier forcing, instead of T⁰ = T_b."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lsm_verify.cases import Case
from lsm_verify.errors import InputError
from lsm_verify.forcing import Forcing
from lsm_verify.inverse.calibrate import calibrate
from lsm_verify.inverse.result import Calibration
from lsm_verify.observations import Observations, Series
from lsm_verify.parameters import Parameters
from lsm_verify.validation import finite, increasing, vector

Array = NDArray[np.float64]

SETTLED = 1e-3
"""Change of a spun-up profile [K] at which estimation and spin-up have settled: a thirtieth of what
a digitised value is uncertain by."""

ROUNDS = 40
"""Of estimation and spin-up, at most."""


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

    if before.start is not None and case.forcing.start is not None:
        length = np.timedelta64(round(float(before.elapsed[-1])), "s")
        if before.start + length != case.forcing.start:
            raise InputError(
                f"forcing of the spin-up ends at {before.start + length}; it must end where the "
                f"case begins, {case.forcing.start}."
            )
    unseen = Series("soil_temperature", np.full(before.steps + 1, 300.0), depth=0.0)
    fixed = {k: v for k, v in case.fixed.items() if k != "initial_temperature"}
    earlier = replace(
        case, forcing=before, observations=Observations((unseen,)), fixed=fixed, notes=()
    )
    return np.array(simulate(earlier, parameters)["SoilTemp"].values[-1])


def calibrate_spun_up(case: Case, before: Forcing, **options: Any) -> tuple[Calibration, Case, int]:
    """Estimate parameters and spin up the initial profile with them, in turn, until it settles.

    Parameters
    ----------
    case : Case
        Its initial temperature is replaced.
    before : Forcing
        Ends where the case begins; a column of depth d forgets its start as exp(-π² λ t/(C d²)).
    options
        Of `calibrate`.

    Returns
    -------
    calibration, the case with the profile, number of rounds

    Raises
    ------
    InputError
        If it does not settle.
    """
    found = calibrate(case, **options)
    profile = spun_up_profile(case, found.parameters(), before)
    for k in range(ROUNDS):
        tried = with_profile(case, profile)
        found = calibrate(tried, starts=found.parameters(), **options)
        last, profile = profile, spun_up_profile(case, found.parameters(), before)
        if np.abs(profile - last).max() < SETTLED:
            return found, tried, k + 1
    raise InputError(
        f"the spun-up profile still moves by {np.abs(profile - last).max():.2g} K after {ROUNDS} "
        "rounds; give more forcing before the case."
    )
