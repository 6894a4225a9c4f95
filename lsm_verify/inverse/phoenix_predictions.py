"""What the calibrated Phoenix column predicts beside its targets, against the tower.

Fluxes are compared as means over the step, as the forcing is; temperatures as samples at its end.
The tower file holds no ground heat flux: it is compared with the balance that is left of the
tower's radiation and turbulent fluxes, which holds their closure error too and says so.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lsm_verify import datasets
from lsm_verify.cases import Case
from lsm_verify.datasets.locate import TOWER_FILE
from lsm_verify.errors import InputError
from lsm_verify.forcing import Forcing
from lsm_verify.inverse.evaluate import Evaluator
from lsm_verify.inverse.profiles import spinning_up
from lsm_verify.inverse.space import Space
from lsm_verify.observations import Observations, Series
from lsm_verify.quantities import STEFAN_BOLTZMANN

Array = NDArray[np.float64]

NEAR_SURFACE = 0.02
"""Depth of the tower file's soil temperature, and of its heat flux plates [m]."""

DAY = 24
"""States a day, of hourly steps."""


@dataclass(frozen=True)
class Score:
    """A prediction against the tower.

    Attributes
    ----------
    quantity, unit : str
        What, and in which unit.
    against : str
        What of the tower.
    count : int
        Values compared.
    mean : float
        Of the tower's values.
    bias, rmse : float
        Of predicted minus observed.
    bias_error : float
        Standard error of the bias: the spread of whole days' means over the root of their number.
    correlation : float
        Of predicted with observed.
    parameters : float
        Root mean square of the prediction's standard deviation that comes from the parameters',
        to first order; not-a-number where no covariance was given.
    bias_parameters : float
        Standard deviation of the bias that comes from them: that of the mean, not of single values.
    """

    quantity: str
    unit: str
    against: str
    count: int
    mean: float
    bias: float
    rmse: float
    bias_error: float
    correlation: float
    parameters: float
    bias_parameters: float


def tower_series(
    tower: Path, names: tuple[str, ...], *, start: object, steps: int
) -> dict[str, Array]:
    """Tower observations at the states (steps + 1,): means of the step, SoilTemp as a sample."""
    return {
        name: datasets.read_series(
            tower,
            name,
            start=start,
            steps=steps,
            method="sample" if name == "SoilTemp" else "mean",
        )
        for name in names
    }


def predicted(case: Case, space: Space, u: Array) -> tuple[dict[str, Array], dict[str, Array]]:
    """Predicted series (steps + 1,) at scaled coordinates, and their Jacobians (steps + 1, P)."""
    n = case.forcing.steps + 1
    blank = np.zeros(n)
    blank[0] = np.nan
    seen = {
        "LWup": Series("longwave_up", np.zeros(n)),
        "G": Series("soil_heat_flux", np.zeros(n), depth=NEAR_SURFACE),
        "Qturb": Series("turbulent_flux", blank),
        "SoilTemp": Series("soil_temperature", np.full(n, 300.0), depth=NEAR_SURFACE),
        "AvgSurfT": Series("soil_temperature", np.full(n, 300.0), depth=0.0),
    }
    watched = replace(case, observations=Observations(tuple(seen.values())))
    y, dy = Evaluator(watched, space).jacobian(np.asarray(u)[None])
    y[0, :, 0] = np.where([name == "Qturb" for name in seen], np.nan, y[0, :, 0])
    return dict(zip(seen, y[0], strict=True)), dict(zip(seen, dy[0], strict=True))


def predictions(
    case: Case,
    space: Space,
    u: Array,
    *,
    covariance: Array | None = None,
    before: Forcing | None = None,
    data: Path | None = None,
) -> tuple[Score, ...]:
    """Score longwave, soil heat flux, turbulent flux and near-surface temperature.

    Parameters
    ----------
    case : Case
        Phoenix, of hourly steps, or a variant of it.
    space, u
        The unknowns and their values in scaled coordinates (P,).
    covariance : (P, P) array, optional
        Of u.
    before : Forcing, optional
        Of a spin-up: the initial profile follows from the parameters then, and so does what their
        uncertainty gives the predictions.
    data : Path, optional
        Folder of the tower file.
    """
    tower = datasets.find(TOWER_FILE, data)
    start, steps = hourly(case)
    seen = tower_series(
        tower,
        ("SWdown", "SWup", "LWdown", "LWup", "Qh", "Qle", "SoilTemp"),
        start=start,
        steps=steps,
    )
    run = case if before is None else spinning_up(case, before)
    y, dy = ({k: x[-steps - 1 :] for k, x in part.items()} for part in predicted(run, space, u))
    emissivity = float(np.asarray(case.fixed["emissivity"]))
    albedo = np.asarray(case.fixed["albedo"])
    reflected = (1 - emissivity) * seen["LWdown"]
    available = (1 - albedo) * seen["SWdown"] + seen["LWdown"]
    balance = available - seen["LWup"] - seen["Qh"] - seen["Qle"]

    def brightness(up: Array) -> Array:
        return (up / (emissivity * STEFAN_BOLTZMANN)) ** 0.25

    rows: list[tuple[str, str, str, Array, Array, Array]] = [
        ("outgoing longwave, emitted alone", "W m-2", "LWup", y["LWup"], seen["LWup"], dy["LWup"]),
        (
            "outgoing longwave with the reflected (1-ε)LWdown",
            "W m-2",
            "LWup",
            y["LWup"] + reflected,
            seen["LWup"],
            dy["LWup"],
        ),
        (
            "surface temperature, emitted alone",
            "K",
            "(LWup/εσ)^¼",
            y["AvgSurfT"],
            brightness(seen["LWup"]),
            dy["AvgSurfT"],
        ),
        (
            "surface temperature with the reflected (1-ε)LWdown",
            "K",
            "((LWup-(1-ε)LWdown)/εσ)^¼",
            y["AvgSurfT"],
            brightness(seen["LWup"] - reflected),
            dy["AvgSurfT"],
        ),
        (
            "turbulent flux",
            "W m-2",
            "Qh + Qle",
            y["Qturb"],
            seen["Qh"] + seen["Qle"],
            dy["Qturb"],
        ),
        (
            "ground heat flux at the surface",
            "W m-2",
            "(1-α)SWdown + LWdown - LWup - Qh - Qle",
            available - y["LWup"] - y["Qturb"],
            balance,
            -dy["LWup"] - dy["Qturb"],
        ),
        (
            f"ground heat flux at {NEAR_SURFACE:g} m",
            "W m-2",
            "the same, at the surface: without storage above",
            y["G"],
            balance,
            dy["G"],
        ),
        (
            f"soil temperature at {NEAR_SURFACE:g} m",
            "K",
            "SoilTemp",
            y["SoilTemp"],
            seen["SoilTemp"],
            dy["SoilTemp"],
        ),
    ]
    return tuple(_score(*row, covariance) for row in rows)


def _score(
    quantity: str,
    unit: str,
    against: str,
    y: Array,
    observed: Array,
    dy: Array,
    covariance: Array | None,
) -> Score:
    """Compare from the first step on: the initial state is given, not predicted."""
    error = (y - observed)[1:]
    there = np.isfinite(error)
    if np.count_nonzero(there) < 2:
        raise InputError(f"{against} has no values in the window; choose another.")
    e = error[there]
    days = daily_means(error)
    spread = of_mean = np.nan
    if covariance is not None:
        part = dy[1:][there]
        mean = part.mean(axis=0)
        of_mean = float(np.sqrt(mean @ covariance @ mean))
        spread = float(np.sqrt(np.mean(np.einsum("tp,pq,tq->t", part, covariance, part))))
    return Score(
        quantity=quantity,
        unit=unit,
        against=against,
        count=int(e.size),
        mean=float(observed[1:][there].mean()),
        bias=float(e.mean()),
        rmse=float(np.sqrt(np.mean(e**2))),
        bias_error=float(np.std(days, ddof=1) / np.sqrt(days.size)),
        correlation=float(np.corrcoef(y[1:][there], observed[1:][there])[0, 1]),
        parameters=spread,
        bias_parameters=of_mean,
    )


def daily_means(values: Array) -> Array:
    """Means of whole days (days,) of hourly values, gaps left out."""
    days = values.size // DAY
    return np.asarray(np.nanmean(values[: days * DAY].reshape(days, DAY), axis=1))


def hourly(case: Case) -> tuple[Any, int]:
    """Return start and number of steps; refuse a case that the tower cannot be compared with."""
    if case.forcing.start is None or np.any(case.forcing.time_step != 3600):
        raise InputError(
            "the tower is compared at hourly steps from a known time; give such a case."
        )
    return case.forcing.start, case.forcing.steps
