"""Wind speed of a flux tower, as means over the steps of a run."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lsm_verify.datasets.urban_plumber import read_series
from lsm_verify.errors import InputError


def read_wind_speed(
    path: Path | str,
    *,
    start: object,
    steps: int,
    time_step: float = 3600,
    interval: float = 1800,
    gaps: bool = False,
) -> NDArray[np.float64]:
    """Read the wind speed that acts during each step.

    Parameters
    ----------
    path : Path or str
        netCDF file with ``Wind_N``, ``Wind_E`` [m s-1] and their ``_qc`` flags.
    start, steps, time_step
        As in `lsm_verify.datasets.read_forcing`.
    interval : float
        Between samples [s]; a step holds a whole number of them.
    gaps : bool
        Whether steps with a missing sample are returned as not-a-number, not refused.

    Returns
    -------
    (steps,) array
        Mean over the step's samples of √(N² + E²) [m s-1], the speed of each sample's mean wind.
        Gusts and turns within a sample are not in it.

    Raises
    ------
    InputError
        As `lsm_verify.datasets.read_series`; if a sample is missing, unless ``gaps``.
    """
    share = time_step / interval
    if share < 1 or share != int(share):
        raise InputError(
            f"time_step={time_step:g} s must be a multiple of interval={interval:g} s."
        )
    parts = [
        read_series(path, name, start=start, steps=steps * int(share), time_step=interval)[1:]
        for name in ("Wind_N", "Wind_E")
    ]
    speed = np.hypot(*parts)
    if not gaps and np.any(np.isnan(speed)):
        i = int(np.argmax(np.isnan(speed)))
        raise InputError(f"{path}: wind of sample {i} of the window is missing; choose another.")
    return np.asarray(speed.reshape(steps, int(share)).mean(axis=1))
