"""The paper's twin experiments run anew, by its own minimiser and by least squares."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lsm_verify.cases import Case, load_case
from lsm_verify.inverse.calibrate import calibrate
from lsm_verify.inverse.identifiability import Identifiability
from lsm_verify.inverse.identify import identify
from lsm_verify.inverse.result import Calibration
from lsm_verify.parameters import COMBINED, SEPARATE, combine

Array = NDArray[np.float64]

CASES = ("twin-one-depth", "twin")
NOISE = (0.01, 0.05, 0.1)
"""Observation errors [K] for which bounds are given."""

ITERATIONS = (151, 500, 2000, 8000)
"""Of Adam, for the bias of one depth."""

PUBLISHED: dict[str, dict[str, tuple[str, str]]] = {
    "twin-one-depth": {
        "albedo": ("0.189", "0.010"),
        COMBINED: ("23.6", "1.2"),
        "thermal_conductivity": ("1.53", "0.67"),
        "volumetric_heat_capacity": ("2.77e6", "0.32e6"),
        "bottom_temperature": ("293.05", "0.04"),
    },
    "twin": {
        "albedo": ("0.1988", "0.0026"),
        COMBINED: ("24.90", "0.22"),
        "thermal_conductivity": ("0.814", "0.032"),
        "volumetric_heat_capacity": ("2.238e6", "0.084e6"),
        "bottom_temperature": ("292.99", "0.013"),
    },
    "phoenix": {
        COMBINED: ("19.654", "0.097"),
        "thermal_conductivity": ("0.826", "0.040"),
        "volumetric_heat_capacity": ("2.447e6", "0.072e6"),
        "bottom_temperature": ("305.40", "0.043"),
    },
}
"""Means and spreads over the paper's 50 starts (Huang, Heaney and van Reeuwijk 2025), with the
digits that are known."""

Tell = Callable[[str], None]


@dataclass(frozen=True)
class Experiment:
    """One of the paper's experiments.

    Attributes
    ----------
    adam : Calibration
        The paper's minimiser and starts, with an exact gradient.
    exact : Calibration
        The same starts by least squares.
    identified : tuple of Identifiability
        At the truth, or at the estimate; one for each of `NOISE`.
    """

    case: Case
    adam: Calibration
    exact: Calibration
    identified: tuple[Identifiability, ...]

    @property
    def published(self) -> Mapping[str, tuple[float, float]]:
        """The paper's means and spreads over its starts, by name."""
        known = PUBLISHED.get(self.case.name, {})
        return {name: (float(mean), float(spread)) for name, (mean, spread) in known.items()}


def combined(found: Calibration) -> dict[str, Array]:
    """Estimates by name, (starts,) each, h and β as h(1+1/β)."""
    return _by_name(found, found.estimate)


def combined_rows(found: Calibration, rows: Array, names: Sequence[str]) -> Array:
    """Rows of starts or estimates (B, P) in the order of names, h and β as h(1+1/β)."""
    values = _by_name(found, rows)
    return np.stack([values[name] for name in names], axis=1)


def _by_name(found: Calibration, rows: Array) -> dict[str, Array]:
    """Columns of rows by name, of the starts that have an estimate."""
    ended = np.isfinite(found.value)
    columns = {name: rows[ended, place] for name, place in found.space.places.items()}
    values = {name: columns[name][:, 0] for name in columns if columns[name].shape[1] == 1}
    return _together(values)


def _together(values: dict[str, Any]) -> dict[str, Any]:
    """Put h(1+1/β) in the place of h and β."""
    if set(SEPARATE) <= set(values):
        values[COMBINED] = combine(*(values.pop(name) for name in SEPARATE))
    return values


def truth(case: Case) -> dict[str, float]:
    """Return the truth of a twin, h and β as h(1+1/β)."""
    values = {name: float(value) for name, value in (case.truth or {}).items()}  # type: ignore[arg-type]
    return _together(values)


def run(name: str, tell: Tell = lambda message: None) -> Experiment:
    """Run one of the twins, see `run_case`."""
    return run_case(load_case(name), tell)


def run_case(case: Case, tell: Tell = lambda message: None) -> Experiment:
    """Run Adam and least squares from the paper's 50 starts, and look at what they end in."""
    tell(f"{case.name}: Adam from 50 starts")
    adam = calibrate(case, starts="published", method="adam")
    tell(f"{case.name}: least squares from 50 starts")
    exact = calibrate(case, starts="published")
    point = "truth" if case.truth is not None else exact.parameters()
    identified = tuple(identify(case, point, observation_error=sigma) for sigma in NOISE)
    return Experiment(case, adam, exact, identified)


def bias(
    case: Case, counts: Sequence[int] = ITERATIONS, tell: Tell = lambda message: None
) -> dict[int, tuple[float, float]]:
    """Mean and spread of λ over the paper's starts by the number of Adam's iterations."""
    found = {}
    for count in counts:
        tell(f"{case.name}: {count} iterations of Adam from 50 starts")
        result = calibrate(
            case,
            starts="published",
            method="adam",
            iterations=count,
            stop_early=False,
            examine=False,
        )
        values = combined(result)["thermal_conductivity"]
        found[count] = float(values.mean()), float(values.std(ddof=1))
    return found


def half_digit(number: str) -> float:
    """Return half a unit of the last digit that is printed.

    Examples
    --------
    >>> half_digit("292.99"), half_digit("2.238e6")
    (0.005, 500.0)
    """
    return 0.5 * 10.0 ** int(Decimal(number).as_tuple().exponent)


def against_published(experiment: Experiment) -> tuple[float, float]:
    """Distance of Adam's means in published spreads, and of its spreads from them as a share.

    The largest of all parameters, beyond the rounding of the published figures.
    """
    values = combined(experiment.adam)
    means, spreads = [], []
    for name, (mean, spread) in PUBLISHED[experiment.case.name].items():
        size = float(spread)
        off = abs(values[name].mean() - float(mean)) - half_digit(mean)
        wide = abs(values[name].std(ddof=1) - size) - half_digit(spread)
        means.append(max(0.0, off) / size)
        spreads.append(max(0.0, wide) / size)
    return float(max(means)), float(max(spreads))


def worst_error(found: Calibration, case: Case) -> float:
    """Largest relative error of any parameter over all starts; infinite if one has no estimate."""
    if not np.all(np.isfinite(found.value)):
        return float(np.inf)
    wanted = truth(case)
    return max(float(np.max(np.abs(v / wanted[n] - 1))) for n, v in combined(found).items())
