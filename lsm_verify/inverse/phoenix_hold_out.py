"""Days after the Phoenix window, predicted from the real forcing with the window's parameters."""

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
from lsm_verify.inverse.phoenix_predictions import DAY, NEAR_SURFACE, hourly, tower_series
from lsm_verify.observations import Observations, Series

Array = NDArray[np.float64]

QUANTITIES = (
    "soil temperature at 0.02 m",
    "LWup, emitted alone",
    "LWup with the reflected (1-ε)LWdown",
)
"""What is held out."""

SHORT_GAP = 6
"""Longest gap of the forcing that is interpolated, in half-hours."""


@dataclass(frozen=True)
class HoldOut:
    """Days after the window, predicted from the real forcing with the window's parameters.

    ``days`` (d,) counted from the window's end. ``bias``, ``rmse`` (3, d) of predicted minus
    observed, ``QUANTITIES``: SoilTemp at 0.02 m [K], LWup emitted alone and with the reflected part
    (1-ε)LWdown [W m-2]. ``reference`` (3, d): RMSE of the window's mean daily cycle, taken as the
    prediction. ``growth``, ``growth_error`` (3,): slope of the daily bias per day and its standard
    error (independent days). ``drift``, ``drift_error``: trend [K/day] of T_b from
    the window's end that would best remove the error at 0.02 m, a diagnosis with the data in hand
    and no prediction; ``rmse_with_drift`` [K] what remains at 0.02 m over all days, beside
    ``rmse_without``.
    """

    days: Array
    bias: Array
    rmse: Array
    reference: Array
    growth: Array
    growth_error: Array
    drift: float
    drift_error: float
    rmse_with_drift: float
    rmse_without: float

    @property
    def better(self) -> NDArray[np.int64]:
        """Days on which the model beats the repeated daily cycle (3,)."""
        return np.asarray(np.count_nonzero(self.rmse < self.reference, axis=1))

    @property
    def drifts(self) -> NDArray[np.bool_]:
        """Whether the bias grows by more than two standard errors (3,)."""
        return np.abs(self.growth) > 2 * self.growth_error


def hold_out(
    case: Case, parameters: dict[str, Any], days: int, *, data: Path | None = None
) -> HoldOut:
    """Run on for ``days`` whole days beyond the window, which ends mid-day, and score each day."""
    from lsm_verify.models.simulation import simulate

    tower = datasets.find(TOWER_FILE, data)
    start, window = hourly(case)
    steps = window + DAY * days
    forcing = datasets.read_forcing(
        tower, start=start, steps=steps, interpolate_gaps=SHORT_GAP
    ).forcing
    seen = tower_series(tower, ("SoilTemp", "LWup", "LWdown"), start=start, steps=steps)
    unseen = Series("soil_temperature", np.full(steps + 1, 300.0), depth=0.0)
    longer = replace(case, forcing=forcing, observations=Observations((unseen,)))
    after = np.maximum(np.arange(steps) + 1 - window, 0) / DAY

    def run(trend: float) -> Array:
        bottom = float(parameters["bottom_temperature"]) + trend * after
        initial = case.fixed.get("initial_temperature", parameters["bottom_temperature"])
        given = {**parameters, "bottom_temperature": bottom, "initial_temperature": initial}
        output = simulate(longer, given)
        soil = output["SoilTemp"].interp(depth=NEAR_SURFACE).values
        emissivity = float(np.asarray(case.fixed["emissivity"]))
        up = output["LWup"].values
        return np.stack([soil, up, up + (1 - emissivity) * seen["LWdown"]])

    observed = np.stack([seen["SoilTemp"], seen["LWup"], seen["LWup"]])
    y = run(0.0)
    error = (y - observed)[:, window + 1 :].reshape(3, days, DAY)
    cycle = np.nanmean(observed[:, window % DAY + 1 : window + 1].reshape(3, -1, DAY), axis=1)
    lag = cycle[:, None] - observed[:, window + 1 :].reshape(3, days, DAY)
    bias = np.nanmean(error, axis=2)
    t = np.arange(1.0, days + 1)
    growth, growth_error = zip(*(_slope(t, row) for row in bias), strict=True)
    response = (run(1.0) - y)[0, window + 1 :]
    e = error[0].ravel()
    there = np.isfinite(e)
    trend = -float(response[there] @ e[there]) / float(response[there] @ response[there])
    left = e[there] + trend * response[there]
    # Errors of a day repeat: as many independent values as there are days.
    spread = np.sqrt(np.mean(left**2) / days / np.mean(response[there] ** 2))
    return HoldOut(
        days=t,
        bias=bias,
        rmse=np.sqrt(np.nanmean(error**2, axis=2)),
        reference=np.sqrt(np.nanmean(lag**2, axis=2)),
        growth=np.array(growth),
        growth_error=np.array(growth_error),
        drift=trend,
        drift_error=float(spread),
        rmse_with_drift=float(np.sqrt(np.mean(left**2))),
        rmse_without=float(np.sqrt(np.mean(e[there] ** 2))),
    )


def _slope(t: Array, values: Array) -> tuple[float, float]:
    """Slope of a straight line and its standard error; no error of fewer than three."""
    if t.size < 3:
        raise InputError(f"{t.size} days give no trend with an error; give 3 or more.")
    c = t - t.mean()
    slope = float(c @ values / (c @ c))
    left = values - values.mean() - slope * c
    return slope, float(np.sqrt(left @ left / (t.size - 2) / (c @ c)))
