"""How the Phoenix estimates move with what was held fixed, in units of their standard errors."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lsm_verify.cases import Case
from lsm_verify.inverse.calibrate import calibrate
from lsm_verify.inverse.phoenix_albedo import tower_albedo
from lsm_verify.inverse.phoenix_variants import (
    before_window,
    calibrate_from_sensors,
    deeper,
    finer,
    half_hourly,
    later,
    sampled,
)
from lsm_verify.inverse.profiles import spinning_up
from lsm_verify.inverse.result import Calibration

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Shift:
    """Estimates with one thing changed.

    Attributes
    ----------
    change : str
        What was changed, in words.
    estimate : (P,) array
        In the parameters' units.
    shift : (P,) array
        Estimate minus baseline, in the same.
    in_errors : (P,) array
        Shift over the baseline's standard error that respects correlated residuals.
    in_naive_errors : (P,) array
        Shift over that of white noise.
    rmse : float
        Root mean square misfit of both depths [K].
    tied : bool
        Whether the column starts from T_b. Where it does not, T_b is another quantity than the
        baseline's: the temperature at the bottom alone, not also that of the start.
    """

    change: str
    estimate: Array
    shift: Array
    in_errors: Array
    in_naive_errors: Array
    rmse: float
    tied: bool


def sensitivity(
    case: Case, errors: Array, naive_errors: Array, data: Path | None = None
) -> tuple[Shift, ...]:
    """Calibrate with one thing changed at a time.

    Parameters
    ----------
    case : Case
        Phoenix.
    errors, naive_errors : (P,) array
        Standard errors of the baseline's estimates, in their units.
    data : Path, optional
        Folder of the data.

    Returns
    -------
    tuple of Shift
        The baseline first.
    """
    base = calibrate(case)
    albedo = tower_albedo(case, data)

    def fixed(**values: float) -> Callable[[], Calibration]:
        return lambda: calibrate(replace(case, fixed={**case.fixed, **values}))

    trials: dict[str, Callable[[], Calibration]] = {
        "none": lambda: base,
        "forcing: sample on the hour": lambda: calibrate(sampled(case, data)),
        "emissivity 0.92": fixed(emissivity=0.92),
        "emissivity 0.98": fixed(emissivity=0.98),
        f"albedo {albedo.value:.4f} (tower)": fixed(albedo=albedo.value),
        f"albedo {albedo.value - albedo.total:.4f} (tower - 1 standard error)": fixed(
            albedo=albedo.value - albedo.total
        ),
        f"albedo {albedo.value + albedo.total:.4f} (tower + 1 standard error)": fixed(
            albedo=albedo.value + albedo.total
        ),
        "albedo 0.152": fixed(albedo=0.152),
        "albedo 0.192": fixed(albedo=0.192),
        "initial profile: sensors": lambda: calibrate_from_sensors(case, data)[0],
        "initial profile: spun up 13 days": lambda: calibrate(
            spinning_up(case, before_window(data))
        ),
        "window: first 75 h": lambda: calibrate(case.window(75)),
        "window: first 102 h": lambda: calibrate(case.window(102)),
        "window: without the first 24 h": lambda: calibrate(later(case, 24)),
        "window: without the first 48 h": lambda: calibrate(later(case, 48)),
        "depth 0.5 m": lambda: calibrate(deeper(case, 0.5, 0.01)),
        "depth 2 m": lambda: calibrate(deeper(case, 2.0, 0.01)),
        "spacing 0.005 m": lambda: calibrate(deeper(case, 1.0, 0.005)),
        "step 1800 s, half-hourly forcing": lambda: calibrate(half_hourly(case, data)),
        "step 1800 s, same forcing": lambda: calibrate(finer(case, 2)),
        "step 600 s, same forcing": lambda: calibrate(finer(case, 6)),
    }
    rows = []
    for change, run in trials.items():
        found = run()
        estimate = found.estimate[found.best]
        shift = estimate - base.estimate[base.best]
        rows.append(
            Shift(
                change=change,
                estimate=estimate,
                shift=shift,
                in_errors=shift / errors,
                in_naive_errors=shift / naive_errors,
                rmse=float(found.rmse[found.best]),
                tied=not change.startswith("initial profile"),
            )
        )
    return tuple(rows)
