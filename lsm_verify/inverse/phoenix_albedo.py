"""The albedo of Phoenix from the tower, with its errors, and what they do to the estimates.

An estimate û(α) makes the slope of the misfit F vanish; by the implicit function theorem

    dû/dα = -(∂²F/∂u²)⁻¹ ∂²F/∂u∂α

The model reads shortwave radiation as (1-α)K↓ alone, with K↓ of the same tower. An error of the
upper sensor by a factor 1 + a and of the lower one by 1 + b changes what is absorbed, K↓ - K↑, by
(a - α b) K↓: to the model that is an albedo wrong by -a + α b.

References
----------
World Meteorological Organization (1996). Guide to Meteorological Instruments and Methods of
Observation, WMO-No. 8, part I, chapter 7: achievable uncertainty of pyranometers by class; with the
classes of ISO 9060:1990 in Kipp & Zonen, CM 11 instruction manual, appendix I. Campbell Scientific,
CNR4 instruction manual: "Expected accuracy for daily totals: ±10 %" of the sensors of such a
four-component net radiometer.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lsm_verify import datasets
from lsm_verify.cases import Case
from lsm_verify.cases.twin import PUBLISHED_RANGES
from lsm_verify.datasets.locate import TOWER_FILE
from lsm_verify.errors import InputError
from lsm_verify.inverse.misfit import Misfit
from lsm_verify.inverse.posterior import hessian
from lsm_verify.inverse.space import Space

Array = NDArray[np.float64]

DAYLIGHT = 1.0
"""Least downward shortwave radiation [W m-2] at which it is day."""

CALIBRATION = 0.10 / 1.96
"""Relative standard uncertainty of a pyranometer's daily totals: 10 % at 95 % confidence, of the
class "moderate quality" (ISO 9060 second class), in which the sensors of four-component net
radiometers are. The tower's instrument is not named with its data; of the better class, "good
quality", it would be half of this."""


@dataclass(frozen=True)
class Albedo:
    """Albedo from the tower: ΣSWup/ΣSWdown over daylight, hours with both.

    ``error`` is the spread of whole days' values over the root of their number, the random part;
    ``calibration`` what the calibration of two independent sensors adds, which all days share;
    ``total`` both. ``days`` (d,) are those values, ``hours`` how many hours there are.
    """

    value: float
    error: float
    calibration: float
    total: float
    days: Array
    hours: int


@dataclass(frozen=True)
class AlbedoEffect:
    """What errors of the albedo do to estimates.

    Attributes
    ----------
    slope : (P,) array
        Derivative of every estimate by the albedo, in the parameters' units.
    slope_error : (P,) array
        Its numerical error: that of the second derivatives.
    from_albedo : (P,) array
        Standard deviation of the estimates that the albedo's total error gives, forcing taken as
        it is.
    from_radiometers : (P,) array
        The same from the calibration of both sensors, in the albedo and in the forcing.
    """

    slope: Array
    slope_error: Array
    from_albedo: Array
    from_radiometers: Array


def tower_albedo(case: Case, data: Path | None = None) -> Albedo:
    """Derive the albedo anew from the tower's shortwave radiation in the case's window."""
    tower = datasets.find(TOWER_FILE, data)
    down, up = (
        datasets.read_series(
            tower, name, start=case.forcing.start, steps=case.forcing.steps, method="mean"
        )[1:]
        for name in ("SWdown", "SWup")
    )
    there = np.isfinite(up) & (down > DAYLIGHT)
    if not np.any(there):
        raise InputError("SWup has no daylight value in the window; choose another.")
    whole = down.size // 24
    ratios = []
    for day in range(whole):
        part = slice(24 * day, 24 * day + 24)
        kept = there[part]
        if np.any(kept):
            ratios.append(up[part][kept].sum() / down[part][kept].sum())
    days = np.array(ratios)
    value = float(up[there].sum() / down[there].sum())
    error = float(np.std(days, ddof=1) / np.sqrt(days.size))
    calibration = value * np.sqrt(2.0) * CALIBRATION
    return Albedo(
        value=value,
        error=error,
        calibration=float(calibration),
        total=float(np.hypot(error, calibration)),
        days=days,
        hours=int(np.count_nonzero(there)),
    )


def albedo_effect(case: Case, estimate: Array, albedo: Albedo) -> AlbedoEffect:
    """Return what errors of a case's fixed albedo do to least-squares estimates.

    Parameters
    ----------
    case : Case
        With one fixed albedo.
    estimate : (P,) array
        Of its free parameters, at the optimum, in their units.
    albedo : Albedo
        Whose errors.
    """
    slope, error = albedo_slope(case, estimate)
    both = CALIBRATION * np.hypot(1.0, float(np.asarray(case.fixed["albedo"])))
    return AlbedoEffect(slope, error, np.abs(slope) * albedo.total, np.abs(slope) * both)


def albedo_slope(case: Case, estimate: Array) -> tuple[Array, Array]:
    """Return the derivative (P,) of least-squares estimates by the albedo, and its error (P,).

    With the full second derivatives of the misfit, residuals' curvature included: differences of
    exact gradients, with their own error.
    """
    fixed: dict[str, Any] = dict(case.fixed)
    given = np.asarray(fixed.pop("albedo", None), dtype=np.float64)
    if given.ndim or np.isnan(given):
        raise InputError("the case must hold one albedo fixed; it is unknown or given per step.")
    value = float(given)
    free = replace(
        case,
        fixed=fixed,
        start={**case.start, "albedo": value},
        ranges={**case.ranges, "albedo": PUBLISHED_RANGES["albedo"]},
        truth=None,
        published=None,
    )
    space = Space.of(free)
    u = space.scaled(np.append(estimate, value))
    H, error = hessian(Misfit(free, space), u)
    step = -np.linalg.solve(H[:-1, :-1], H[:-1, -1])
    inverse = np.linalg.inv(H[:-1, :-1])
    # A change E of H, ‖E‖ ≤ error: -inverse (E_uα + E_uu step), row by row.
    wrong = np.linalg.norm(inverse, axis=1) * error * (1 + np.linalg.norm(step))
    ratio = space.slope(u)[:-1] / space.slope(u)[-1]
    return np.asarray(step * ratio), np.asarray(wrong * ratio)
