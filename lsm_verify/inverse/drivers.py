"""Parameters as functions of what drives them: torch functions in front of the model."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from lsm_verify.cases import Case
from lsm_verify.errors import InputError
from lsm_verify.inverse.evaluate import Compose
from lsm_verify.inverse.unknowns import Unknown, unknown_of
from lsm_verify.inverse.varying import IN_TIME
from lsm_verify.quantities import PARAMETERS
from lsm_verify.validation import vector

if TYPE_CHECKING:
    from torch import Tensor

Array = NDArray[np.float64]


def linear(
    case: Case,
    name: str,
    driver: Any,
    *,
    offset: tuple[float, float],
    slope: tuple[float, float],
    signed: bool = False,
) -> tuple[list[Unknown], Compose]:
    """Return unknowns and function of a parameter that is linear in a driver: p = a + b x.

    Parameters
    ----------
    case : Case
        Whose other free parameters stay unknown.
    name : str
        The parameter, which may vary in time: ``turbulent_transfer_coefficient``, say.
    driver : (steps,) array_like
        x, a value per step: wind speed [m s-1], say.
    offset, slope : pair of float
        Ranges of a, in the parameter's unit, and of b, in that per unit of the driver.
    signed : bool
        Whether a and b may be negative. If not, and no value of the driver is, then the parameter
        is not either.

    Returns
    -------
    unknowns : list of Unknown
        ``offset``, ``slope`` and the case's other free parameters.
    compose : callable
        For ``calibrate(case, unknowns, compose=compose)``.

    Raises
    ------
    InputError
        If the parameter cannot vary in time, or is not free in the case; if the driver is constant
        or of another length.
    """
    if name not in IN_TIME or name not in case.free:
        raise InputError(
            f"{name} must be free in case {case.name} and able to vary in time; free: "
            f"{', '.join(case.free)}."
        )
    x = vector("driver", driver, case.forcing.steps)
    if np.ptp(x) == 0:
        raise InputError(f"driver={x[0]:g} is constant; offset and slope cannot be told apart.")
    least = -np.inf if signed else 0.0
    unit = PARAMETERS[name].unit
    ours = [
        Unknown(coefficient, np.asarray(low), np.asarray(high), least=least, unit=its_unit)
        for coefficient, (low, high), its_unit in (
            ("offset", offset, unit),
            ("slope", slope, f"{unit} per unit of driver"),
        )
    ]
    others = [unknown_of(case, other, None, False) for other in case.free if other != name]
    for other in others:
        if other.times is not None:
            raise InputError(f"{other.name} is given by knots; give it per step or as a number.")

    def compose(given: dict[str, Tensor]) -> dict[str, Tensor]:
        import torch

        found = {k: v for k, v in given.items() if k not in ("offset", "slope")}
        along = torch.as_tensor(x)
        found[name] = given["offset"][:, None] + given["slope"][:, None] * along
        return found

    return [*ours, *others], compose
