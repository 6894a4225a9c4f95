"""A synthetic city as a dataset: known fields of parameters, noisy observations of every column."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from lsm_verify.inverse.city import city_case, draw_city
from lsm_verify.validation import whole

if TYPE_CHECKING:
    import xarray

START = np.datetime64("2012-05-01T00:00:00", "ns")
"""A date, which the twin does not have."""

CELL = 10.0
"""Distance of neighbouring columns [m]."""


def synthetic_city(
    rows: int, columns: int, error: float = 0.05, *, held: tuple[str, ...] = (), seed: int = 0
) -> xarray.Dataset:
    """Draw a city: a dataset that `lsm_verify.calibrate_map` and ``lsm-verify map`` take.

    Parameters
    ----------
    rows, columns : int
        Its shape.
    error : float
        Standard deviation of the noise on the observations [K].
    held : tuple of str
        Parameters that keep the middle of their range, and do not vary.
    seed : int
        Of the draws.

    Returns
    -------
    xarray.Dataset
        ``SoilTemp`` (time, depth, y, x) at 0 and 0.05 m, 101 hourly states; the forcing of the
        twin (time), not-a-number at the first time, where no step ends; what made the observations
        as ``true_`` and the name (y, x); the known ``emissivity``, and what is held, as scalars.

    Examples
    --------
    >>> dict(synthetic_city(2, 3).sizes)
    {'time': 101, 'depth': 2, 'y': 2, 'x': 3}
    """
    import xarray

    whole("rows", rows, 1)
    whole("columns", columns, 1)
    case = city_case()
    truth, observations = draw_city(case, rows * columns, error, held=held, seed=seed)
    states = observations.reshape(rows, columns, *observations.shape[1:])
    forcing = {
        name: ("time", np.concatenate([[np.nan], getattr(case.forcing, name)]))
        for name in ("SWdown", "LWdown", "Tair")
    }
    known = {"emissivity": case.fixed["emissivity"]} | {name: case.start[name] for name in held}
    elapsed = np.round(case.forcing.elapsed * 1e9).astype("timedelta64[ns]")
    return xarray.Dataset(
        {
            "SoilTemp": (("time", "depth", "y", "x"), np.moveaxis(states, (3, 2), (0, 1))),
            **forcing,
            **{name: ((), float(value)) for name, value in known.items()},  # type: ignore[arg-type]
            **{f"true_{n}": (("y", "x"), v.reshape(rows, columns)) for n, v in truth.items()},
        },
        coords={
            "time": START + elapsed,
            "depth": [s.depth for s in case.observations.series],
            "y": CELL * np.arange(rows),
            "x": CELL * np.arange(columns),
        },
    )
