"""Realistic columns drawn at random: the clean distribution on which limits are calibrated.

Unlike the strategies of `lsm_verify.strategies`, which seek the odd corners, these are columns that
someone would run: like the twin, like Phoenix, layered soil on a stretched grid, with steps of
minutes to hours, parameters in every form, and observations that the column itself has made.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lsm_verify.cases import Case
from lsm_verify.cases.case import Range
from lsm_verify.errors import NoSolutionError
from lsm_verify.forcing import Forcing
from lsm_verify.grid import Grid
from lsm_verify.inputs import Inputs
from lsm_verify.observations import Observations, Series
from lsm_verify.parameters import COMBINED, SEPARATE, Knots, Value
from lsm_verify.quantities import PARAMETERS
from lsm_verify.routes.oracle import predictions

Array = NDArray[np.float64]

DAY = 86400.0
INTERFACES = (10, 40)
STEPS = (10, 60)
THINNEST = 2e-3
"""First spacing of a stretched grid [m]: nobody measures soil in fractions of a millimetre."""

ERRORS = {
    "soil_temperature": 0.1,
    "soil_heat_flux": 5.0,
    "longwave_up": 5.0,
    "turbulent_flux": 10.0,
}
"""Standard error of each kind of observation [K or W m-2]."""

RANGES: dict[str, tuple[float, float]] = {
    "albedo": (0.05, 0.5),
    "heat_transfer_coefficient": (5.0, 20.0),
    "bowen_ratio": (0.5, 5.0),
    COMBINED: (6.0, 31.0),
    "thermal_conductivity": (0.2, 2.5),
    "volumetric_heat_capacity": (1.0e6, 3.5e6),
    "bottom_temperature": (283.0, 303.0),
    "initial_temperature": (283.0, 303.0),
    "emissivity": (0.85, 1.0),
}
"""Priors from which truth and start are drawn: dry sand to wet clay, rough to smooth."""


def draw_case(rng: np.random.Generator) -> Case:
    """Draw a case: column, forcing, a truth, and noisy observations of it with gaps.

    Parameters
    ----------
    rng : numpy.random.Generator
        Seeded by the caller; the same state gives the same case.

    Returns
    -------
    Case
        10 to 40 interfaces, 10 to 60 steps, one parameter to all of them free.

    Examples
    --------
    >>> case = draw_case(np.random.default_rng(0))
    >>> 10 <= case.forcing.steps <= 60, case.points()
    (True, ('start', 'truth'))
    """
    while True:
        try:
            return _draw_case(rng)
        except NoSolutionError:  # a cold night that the drawn parameters cannot balance
            continue


def draw_inputs(rng: np.random.Generator) -> Inputs:
    """Draw a case and return its start, as routes and checks take it."""
    return draw_case(rng).inputs()


def _draw_case(rng: np.random.Generator) -> Case:
    grid = _grid(rng)
    forcing = _forcing(rng)
    insulated = bool(rng.random() < 0.2)
    names = ["albedo", "thermal_conductivity", "volumetric_heat_capacity", "emissivity"]
    names += SEPARATE if rng.random() < 0.5 else [COMBINED]
    tied = not insulated and rng.random() < 0.5
    names += [] if insulated else ["bottom_temperature"]
    names += [] if tied else ["initial_temperature"]
    truth = {name: _value(rng, name, grid, forcing) for name in names}
    free = [name for name in names if rng.random() < 0.6] or [names[int(rng.integers(len(names)))]]
    fixed: dict[str, Value] = {name: truth[name] for name in names if name not in free}
    if tied:
        fixed["initial_temperature"] = None
    ranges: dict[str, Range] = {name: RANGES[name] for name in free}
    blank = Case(
        name="drawn",
        title="drawn by lsm_verify.verify.draws",
        grid=grid,
        forcing=forcing,
        observations=_sensors(rng, grid, forcing.steps),
        fixed=fixed,
        start={name: truth[name] for name in free},
        ranges=ranges,
        insulated=insulated,
    )
    exact = predictions(blank.inputs())
    start = blank.random_points(1, int(rng.integers(2**31)))[0]
    return Case(
        **{
            **{name: getattr(blank, name) for name in Case.__dataclass_fields__},
            "observations": _observe(rng, blank.observations, exact),
            "start": start,
            "truth": {name: truth[name] for name in free},
        }
    )


def _grid(rng: np.random.Generator) -> Grid:
    """Equal centimetres, equal spacings of some depth, or spacings that grow downward."""
    interfaces = int(rng.integers(INTERFACES[0], INTERFACES[1] + 1))
    kind = rng.integers(3)
    if kind == 0:
        return Grid(np.full(interfaces, 0.01))
    depth = float(np.exp(rng.uniform(np.log(0.3), np.log(3.0))))
    if kind == 1:
        return Grid.uniform(depth, interfaces)
    ratio = float(rng.uniform(1.02, 1.2))
    grid = Grid.stretched(depth, interfaces, ratio)
    while grid.spacing[0] < THINNEST:
        ratio = 1 + 0.9 * (ratio - 1)
        grid = Grid.stretched(depth, interfaces, ratio)
    return grid


def _forcing(rng: np.random.Generator) -> Forcing:
    """Sun, sky and air of a day or two, from any hour, with clouds; steps equal or not."""
    steps = int(np.exp(rng.uniform(np.log(STEPS[0]), np.log(STEPS[1] + 1))))
    lengths = np.array([300.0, 600.0, 900.0, 1200.0, 1800.0, 3600.0])
    if rng.random() < 0.5:
        time_step = np.full(steps, rng.choice([1800.0, 3600.0]))
    else:
        time_step = rng.choice(rng.choice(lengths, int(rng.integers(2, 5)), replace=False), steps)
    hour = 2 * np.pi * (rng.uniform(0.0, DAY) + np.cumsum(time_step)) / DAY
    cloud = np.clip(rng.uniform(-0.3, 0.5) + 0.3 * np.sin(rng.uniform(1, 4) * hour), 0.0, 0.9)
    warm = rng.uniform(283.0, 303.0)
    return Forcing(
        time_step=time_step,
        SWdown=rng.uniform(300.0, 1000.0) * np.maximum(0.0, -np.cos(hour)) * (1 - 0.8 * cloud),
        LWdown=rng.uniform(220.0, 360.0) + 20.0 * np.sin(hour - 2.3) + 60.0 * cloud,
        Tair=warm + rng.uniform(1.0, 9.0) * np.sin(hour - 2.3) + rng.normal(0.0, 0.3, steps),
    )


def _value(rng: np.random.Generator, name: str, grid: Grid, forcing: Forcing) -> Value:
    """One number, layers of soil, a smooth change in time, knots, or a profile of temperature."""
    low, high = RANGES[name]
    shapes = PARAMETERS[name].shapes
    if len(shapes) == 1 or rng.random() < 0.6:
        return float(rng.uniform(low, high))
    if "steps" in shapes:
        elapsed = forcing.elapsed
        if rng.random() < 0.3:
            times = np.linspace(0.0, elapsed[-1], int(rng.integers(2, 6)))
            return Knots(times, rng.uniform(low, high, times.size))
        phase = 2 * np.pi * (elapsed[1:] / DAY + rng.random())
        middle, swing = (low + high) / 2, (high - low) / 2
        return np.asarray(middle + 0.9 * swing * rng.random() * np.sin(phase))
    depth = grid.midpoints if "interfaces" in shapes else grid.nodes
    if name == "initial_temperature":
        decay = np.exp(-depth / rng.uniform(0.05, 0.3))
        return np.asarray(rng.uniform(low + 4, high - 4) + rng.uniform(-4, 4) * decay)
    borders = np.sort(rng.uniform(0.0, grid.depth, int(rng.integers(1, 4))))
    return np.asarray(rng.uniform(low, high, borders.size + 1)[np.searchsorted(borders, depth)])


def _sensors(rng: np.random.Generator, grid: Grid, steps: int) -> Observations:
    """One to four series at shallow depths, each value an unknown yet."""
    kinds = ["soil_temperature"] + [k for k in ERRORS if rng.random() < 0.4]
    series = []
    for kind in kinds:
        depth = 0.0
        if kind == "soil_temperature":
            depth = min(float(rng.choice([0.0, 0.05, rng.uniform(0.0, 0.3)])), grid.depth)
        elif kind == "soil_heat_flux":
            low, high = grid.midpoints[[0, -1]]
            depth = float(np.clip(rng.uniform(0.0, 0.15), low, high))
        values = np.full(steps + 1, 290.0)
        values[0] = np.nan if kind == "turbulent_flux" else values[0]
        series.append(Series(kind, values, depth=depth, weights=1.0 / ERRORS[kind] ** 2))
    return Observations(tuple(series))


def _observe(rng: np.random.Generator, sensors: Observations, exact: Array) -> Observations:
    """Add the sensors' error to the truth and lose a fifth of some series."""
    series = []
    for sensor, row in zip(sensors.series, exact, strict=True):
        values = row + ERRORS[sensor.kind] * rng.standard_normal(row.size)
        if rng.random() < 0.5:
            values[rng.random(row.size) < 0.2] = np.nan
        values[0] = np.nan if sensor.kind == "turbulent_flux" else values[0]
        values[-1] = row[-1]
        weights = 1.0 / ERRORS[sensor.kind] ** 2
        series.append(Series(sensor.kind, values, depth=sensor.depth, weights=weights))
    return Observations(tuple(series))
