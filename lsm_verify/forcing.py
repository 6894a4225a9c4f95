"""Meteorological forcing: one value per time step."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lsm_verify.errors import InputError
from lsm_verify.quantities import FORCING, PARAMETERS
from lsm_verify.validation import positive, vector, within


@dataclass(frozen=True)
class Forcing:
    """Forcing that acts during each step, and the steps themselves.

    Parameters
    ----------
    time_step : (steps,) array_like
        Length of each step [s], positive; need not be constant.
    SWdown, LWdown : (steps,) array_like
        Downward short- and longwave radiation [W m-2], positive down.
    Tair : (steps,) array_like
        Air temperature [K].
    start : numpy.datetime64, optional
        Time of the initial state, UTC.

    Raises
    ------
    InputError
        If lengths differ, or a value is not finite or out of bounds (°C instead of K, say).
    """

    time_step: NDArray[np.float64]
    SWdown: NDArray[np.float64]
    LWdown: NDArray[np.float64]
    Tair: NDArray[np.float64]
    start: np.datetime64 | None = None

    def __post_init__(self) -> None:
        steps = positive("time_step", vector("time_step", self.time_step))
        object.__setattr__(self, "time_step", steps)
        for name in FORCING:
            values = within(PARAMETERS[name], vector(name, getattr(self, name), steps.size))
            object.__setattr__(self, name, values)
        if self.start is not None:
            try:
                object.__setattr__(self, "start", np.datetime64(self.start))
            except (TypeError, ValueError):
                raise InputError(
                    f"start={self.start!r} must be a time, numpy.datetime64('2012-05-01T07:00')."
                ) from None
        for name in ("time_step", *FORCING):
            getattr(self, name).setflags(write=False)

    @property
    def steps(self) -> int:
        """Number of time steps."""
        return int(self.time_step.size)

    @property
    def elapsed(self) -> NDArray[np.float64]:
        """Time of every state since the start (steps + 1,) [s]."""
        return np.concatenate([[0.0], np.cumsum(self.time_step)])

    def window(self, steps: int) -> Forcing:
        """Return the first ``steps`` steps."""
        parts = {name: getattr(self, name)[:steps] for name in ("time_step", *FORCING)}
        return Forcing(**parts, start=self.start)
