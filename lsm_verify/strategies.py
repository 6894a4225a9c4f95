"""Hypothesis strategies for columns of soil, and counterexamples that can be replayed.

Needs hypothesis: ``pip install lsm-verify[testing]``. What is drawn covers thin and thick layers,
steps from a second to days, contrasts of 1e4 in conductivity and heat capacity, nights, missing
observations, every form of a parameter, and both bottoms. It shrinks to two interfaces, one step,
constants and round numbers.

Examples
--------
A property of every column, and a counterexample that is kept if it does not hold:

>>> from hypothesis import given, settings
>>> from lsm_verify import simulate
>>> from lsm_verify.strategies import cases, keeping_counterexamples
>>> @settings(max_examples=5, database=None, deadline=None)
... @given(case=cases(max_interfaces=5, max_steps=3))
... @keeping_counterexamples()
... def test_temperatures_stay_positive(case):
...     assert simulate(case).SoilTemp.min() > 0
>>> test_temperatures_stay_positive()
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from lsm_verify.cases import Case
from lsm_verify.counterexamples import keeping_counterexamples, prior, saving
from lsm_verify.forcing import Forcing
from lsm_verify.grid import Grid
from lsm_verify.inputs import Inputs
from lsm_verify.observations import Observations, Series
from lsm_verify.parameters import COMBINED, SEPARATE, Knots, Value
from lsm_verify.quantities import FORCING, PARAMETERS

try:
    from hypothesis import strategies as st
except ImportError as error:
    raise ImportError(
        "lsm_verify.strategies needs hypothesis, which is not installed; "
        "run: pip install lsm-verify[testing]"
    ) from error

__all__ = [
    "cases",
    "columns",
    "forcings",
    "grids",
    "keeping_counterexamples",
    "observations",
    "parameters",
    "saving",
]

Array = NDArray[np.float64]

MAX_INTERFACES, MAX_STEPS = 40, 6

NOTCHES = 512
DIGITS = 3
"""Values lie on 1,025 notches and have 3 digits: numbers of 1e-300 would test how floats
underflow, not the model, and nobody reads 17 digits."""


class Span(NamedTuple):
    """Values that a number may take: what it shrinks to, and the ends."""

    low: float
    typical: float
    high: float
    logarithmic: bool = False

    def at(self, notch: NDArray[np.int64]) -> Array:
        """Values at notches: 0 is typical, -512 and 512 are the ends."""
        u = np.abs(notch) / NOTCHES
        end = np.where(notch < 0, self.low, self.high)
        if self.logarithmic:
            values = self.typical * (end / self.typical) ** u
        else:
            values = self.typical + (end - self.typical) * u
        rounded = [float(f"{v:.{DIGITS}g}") for v in np.ravel(values)]
        return np.array(rounded).reshape(values.shape)


SPANS = {
    "spacing": Span(1e-3, 0.1, 0.5, logarithmic=True),
    "time_step": Span(1.0, 3600.0, 3e5, logarithmic=True),
    "SWdown": Span(0.0, 500.0, 1200.0),
    "LWdown": Span(50.0, 300.0, 500.0),
    "Tair": Span(230.0, 290.0, 330.0),
    "albedo": Span(0.0, 0.2, 1.0),
    "heat_transfer_coefficient": Span(0.0, 10.0, 50.0),
    "bowen_ratio": Span(0.1, 1.0, 10.0, logarithmic=True),
    "turbulent_transfer_coefficient": Span(0.0, 20.0, 200.0),
    "thermal_conductivity": Span(1e-2, 1.0, 1e2, logarithmic=True),
    "volumetric_heat_capacity": Span(1e4, 1e6, 1e8, logarithmic=True),
    "bottom_temperature": Span(230.0, 290.0, 330.0),
    "initial_temperature": Span(230.0, 290.0, 330.0),
    "emissivity": Span(0.0, 0.9, 1.0),
}
"""Spacing [m], steps [s], forcing and parameters in the units of `lsm_verify.quantities`."""

OBSERVED = {
    "soil_temperature": Span(230.0, 290.0, 330.0),
    "soil_heat_flux": Span(-200.0, 50.0, 500.0),
    "longwave_up": Span(150.0, 400.0, 700.0),
    "turbulent_flux": Span(-200.0, 100.0, 1000.0),
}

notches = st.integers(-NOTCHES, NOTCHES)


def _several(most: int) -> st.SearchStrategy[list[int]]:
    return st.lists(notches, min_size=1, max_size=most)


@st.composite
def _profile(draw: st.DrawFn, count: int, span: Span) -> Array:
    """``count`` values: all equal, up to 4 in layers or in turn, or both ends in turn.

    Few choices make a profile: hypothesis shrinks an example in a time that grows with them.
    """
    form = draw(st.sampled_from(("constant", "layers", "in turn", "ends")))
    if form == "constant":
        return np.full(count, span.at(np.array(draw(notches))))
    if form == "ends":
        return np.resize(span.at(np.array([NOTCHES, -NOTCHES])), count)
    values = span.at(np.array(draw(_several(min(4, count)))))
    if form == "in turn":
        return np.resize(values, count)
    borders = sorted(draw(st.integers(1, count)) for _ in values[1:])
    return values[np.searchsorted(borders, np.arange(count), side="right")]


@st.composite
def _some(draw: st.DrawFn, count: int) -> NDArray[np.bool_]:
    """Mark some of ``count`` places, the simplest being none."""
    bits = draw(st.integers(0, 2**count - 1))
    return np.array([bool(bits >> k & 1) for k in range(count)])


@st.composite
def _knots(draw: st.DrawFn, duration: float, span: Span) -> Knots:
    """Up to 4 knots at eighths of the run, some of them past its end."""
    values = span.at(np.array(draw(_several(4))))
    first, apart = draw(st.integers(0, 8)), draw(st.integers(1, 4))
    return Knots((first + apart * np.arange(values.size)) * duration / 8, values)


@st.composite
def _value(draw: st.DrawFn, name: str, sizes: dict[str, int], duration: float | None) -> Value:
    """One parameter in any of its forms; one number is the simplest."""
    more = [shape for shape in PARAMETERS[name].shapes if shape != "scalar"]
    forms = ["one number", *more]
    if "steps" in more and duration is not None:
        forms.append("knots")
    form = draw(st.sampled_from(forms))
    if form == "one number":
        return float(SPANS[name].at(np.array(draw(notches))))
    if form == "knots" and duration is not None:
        return draw(_knots(duration, SPANS[name]))
    return draw(_profile(sizes[form], SPANS[name]))


# ------------------------------------------------------------------ public strategies


def grids(*, max_interfaces: int = MAX_INTERFACES) -> st.SearchStrategy[Grid]:
    """Draw grids of 2 to ``max_interfaces`` spacings of 1 mm to 0.5 m: equal, in layers, in turn.

    Examples
    --------
    >>> from hypothesis import find
    >>> find(grids(), lambda grid: grid.spacing.size == 3).nodes.size
    4
    """
    return st.integers(2, max_interfaces).flatmap(
        lambda count: _profile(count, SPANS["spacing"]).map(Grid)
    )


@st.composite
def forcings(draw: st.DrawFn, steps: int | None = None, *, max_steps: int = MAX_STEPS) -> Forcing:
    """Draw forcing over ``steps`` steps, or 1 to ``max_steps``; nights are steps without sun.

    Examples
    --------
    >>> from hypothesis import find
    >>> sunny = find(forcings(2), lambda forcing: forcing.SWdown[1] > 100)
    >>> sunny.steps, bool(sunny.SWdown[1] > 100)
    (2, True)
    """
    S = draw(st.integers(1, max_steps)) if steps is None else steps
    time_step, SWdown, LWdown, Tair = (
        draw(_profile(S, SPANS[name])) for name in ("time_step", *FORCING)
    )
    night = draw(_some(S))
    return Forcing(time_step, np.where(night, 0.0, SWdown), LWdown, Tair)


@st.composite
def parameters(
    draw: st.DrawFn,
    grid: Grid,
    steps: int,
    *,
    insulated: bool = False,
    duration: float | None = None,
    emissivity: st.SearchStrategy[float] | None = None,
) -> dict[str, Value]:
    """Draw a complete set of parameters by public name, each in any of its forms.

    Parameters
    ----------
    grid : Grid
        The column.
    steps : int
        Number of steps.
    insulated : bool
        Whether the bottom is insulated; then there is no ``bottom_temperature``.
    duration : float, optional
        Length of the run [s], for knots in time; without it there are none.
    emissivity : strategy, optional
        Instead of 0 to 1.

    Examples
    --------
    >>> from hypothesis import find
    >>> values = find(parameters(Grid.uniform(1.0, 5), 2), lambda values: "bowen_ratio" in values)
    >>> "heat_transfer_coefficient" in values, "turbulent_transfer_coefficient" in values
    (True, False)
    """
    interfaces = grid.spacing.size
    sizes = {"steps": steps, "nodes": interfaces + 1, "interfaces": interfaces}
    turbulent = draw(st.sampled_from(((COMBINED,), SEPARATE)))
    names = ["albedo", *turbulent, "thermal_conductivity", "volumetric_heat_capacity"]
    tied = False if insulated else draw(st.booleans())
    if not insulated:
        names.append("bottom_temperature")
    if not tied:
        names.append("initial_temperature")
    values: dict[str, Value] = {name: draw(_value(name, sizes, duration)) for name in names}
    if tied:
        values["initial_temperature"] = None
    any_emissivity = notches.map(lambda k: float(SPANS["emissivity"].at(np.array(k))))
    return values | {"emissivity": draw(any_emissivity if emissivity is None else emissivity)}


@st.composite
def observations(draw: st.DrawFn, grid: Grid, steps: int) -> Observations:
    """Draw 1 to 4 series of any kind, sensors anywhere, values missing; at least one is there."""
    kinds = draw(st.lists(st.sampled_from(list(OBSERVED)), min_size=1, max_size=4))
    series = [draw(_series(kind, grid, steps)) for kind in kinds]
    if not any(np.any(s.weights > 0) for s in series):
        last = np.append(np.full(steps, np.nan), OBSERVED[series[0].kind].typical)
        series[0] = Series(series[0].kind, last, depth=series[0].depth)
    return Observations(tuple(series))


@st.composite
def _series(draw: st.DrawFn, kind: str, grid: Grid, steps: int) -> Series:
    low, high = {
        "soil_temperature": (0.0, grid.nodes[-1]),
        "soil_heat_flux": (grid.midpoints[0], grid.midpoints[-1]),
    }.get(kind, (0.0, 0.0))
    eighth = draw(st.integers(0, 8))
    values = np.array(draw(_profile(steps + 1, OBSERVED[kind])))
    values[draw(_some(steps + 1))] = np.nan
    if kind == "turbulent_flux":
        values[0] = np.nan
    weights = draw(st.sampled_from((1.0, 0.25)))
    return Series(kind, values, depth=low + (high - low) * eighth / 8, weights=weights)


@st.composite
def cases(
    draw: st.DrawFn,
    *,
    max_interfaces: int = MAX_INTERFACES,
    max_steps: int = MAX_STEPS,
    insulated: st.SearchStrategy[bool] | None = None,
    emissivity: st.SearchStrategy[float] | None = None,
    knots: bool = True,
    all_free: bool = False,
) -> Case:
    """Draw whole cases: a column, its forcing, what is seen of it, what is free.

    Parameters
    ----------
    max_interfaces, max_steps : int
        Largest column and longest run.
    insulated, emissivity : strategy, optional
        Instead of either bottom, and of any emissivity.
    knots : bool
        Whether parameters may be given by knots in time.
    all_free : bool
        Whether every parameter is free, forcing too, instead of some parameters.

    Examples
    --------
    >>> from hypothesis import find
    >>> case = find(cases(), lambda case: "albedo" in case.free)
    >>> "albedo" in case.start, case.observations is not None
    (True, True)
    """
    grid = draw(grids(max_interfaces=max_interfaces))
    forcing = draw(forcings(max_steps=max_steps))
    sealed = draw(st.booleans() if insulated is None else insulated)
    values = draw(
        parameters(
            grid,
            forcing.steps,
            insulated=sealed,
            duration=float(forcing.elapsed[-1]) if knots else None,
            emissivity=emissivity,
        )
    )
    given = [name for name, value in values.items() if value is not None]
    if all_free:
        free = [*given, *FORCING]
        values |= {name: getattr(forcing, name) for name in FORCING}
    else:
        chosen = draw(st.sets(st.sampled_from(given), min_size=1))
        free = [name for name in given if name in chosen]
    return Case(
        name="drawn",
        title="drawn by lsm_verify.strategies",
        grid=grid,
        forcing=forcing,
        observations=draw(observations(grid, forcing.steps)),
        fixed={name: value for name, value in values.items() if name not in free},
        start={name: values[name] for name in free},
        ranges={name: prior(name, values[name]) for name in free},
        insulated=sealed,
    )


def columns(**options: Any) -> st.SearchStrategy[Inputs]:
    """Draw the inputs of a run, differentiated by everything, forcing too.

    Parameters
    ----------
    **options
        As for `cases`.

    Examples
    --------
    >>> from hypothesis import find
    >>> find(columns(), lambda inputs: inputs.steps == 2).parameters["Tair"].shape
    (2,)
    """
    return cases(all_free=True, **options).map(lambda case: case.inputs(wrt=case.free))
