"""What is asked of every column of a map, in a form that can be sent to a worker."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from lsm_verify.cases import Case
from lsm_verify.cases.twin import PUBLISHED_RANGES
from lsm_verify.errors import InputError, unknown
from lsm_verify.forcing import Forcing
from lsm_verify.grid import Grid
from lsm_verify.inverse.city import TRANSFER
from lsm_verify.maps.layout import PLACEHOLDER, TIME, Layout, check_variable, layout_of
from lsm_verify.observations import Observations, Series
from lsm_verify.parameters import COMBINED, SEPARATE
from lsm_verify.quantities import FORCING, PARAMETERS
from lsm_verify.validation import whole

if TYPE_CHECKING:
    import xarray

RANGES: dict[str, tuple[float, float]] = {
    **PUBLISHED_RANGES,  # type: ignore[dict-item]
    COMBINED: TRANSFER,
    "initial_temperature": PUBLISHED_RANGES["bottom_temperature"],  # type: ignore[dict-item]
    "emissivity": (0.85, 1.0),
}
"""Ranges of unknowns unless others are given: those of the paper's starts, and for the emissivity
those of natural surfaces and of building materials other than bare metal. Estimation starts in
their middle and may leave them; bounds are what is physical."""

DRIVEN = {"SWdown": 0.0, "LWdown": 300.0, "Tair": 290.0}
"""Forcing of the case that all columns share, where each brings its own."""

Number = float | str
"""A number, or the name of a variable that holds one for every column."""


def default_grid() -> Grid:
    """1 m in 100 intervals, the paper's."""
    return Grid.uniform(1.0, 100)


@dataclass(frozen=True)
class Settings:
    """What a user asks for; see `lsm_verify.calibrate_map`.

    The observation error may be a function of the series; `job_of` puts what it gives in its place.
    """

    observation_error: float | Sequence[float] | Callable[[tuple[Series, ...]], Any]
    unknowns: tuple[str, ...]
    grid: Grid = field(default_factory=default_grid)
    fixed: Mapping[str, float] = field(default_factory=dict)
    start: Mapping[str, Number] = field(default_factory=dict)
    ranges: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    bounds: Mapping[str, tuple[Number, Number]] = field(default_factory=dict)
    priors: Mapping[str, tuple[Number, Number]] = field(default_factory=dict)
    logarithmic: tuple[str, ...] = ()
    insulated: bool = False
    observe: Mapping[str, float | None] = field(default_factory=dict)
    mask: str | None = None
    iterations: int | None = None
    verify: int = 1
    seed: int = 0
    device: str = "cpu"

    @property
    def named(self) -> dict[str, str]:
        """Variables that options name, one number a column each, and what they are for."""
        found = {v: f"the start of {k}" for k, v in self.start.items() if isinstance(v, str)}
        for what, given in (("a bound", self.bounds), ("the prior", self.priors)):
            found |= {
                v: f"{what} of {k}" for k, pair in given.items() for v in pair if isinstance(v, str)
            }
        return found | ({self.mask: "the mask"} if self.mask is not None else {})


@dataclass(frozen=True)
class Job:
    """A layout, what is asked of it, and the case that all columns share.

    Attributes
    ----------
    layout : Layout
    settings : Settings
    case : Case
        Its observed values, and forcing and parameters that each column brings, are placeholders.
    fields : tuple of str
        Parameters and forcing that differ from column to column.
    """

    layout: Layout
    settings: Settings
    case: Case
    fields: tuple[str, ...]

    @property
    def error(self) -> Any:
        """Standard deviation of the observations, of all or one per series."""
        return self.settings.observation_error

    @property
    def variables(self) -> tuple[str, ...]:
        """All of the dataset that a column reads."""
        observed = [each.variable for each in self.layout.observed]
        return tuple(dict.fromkeys([*self.fields, *observed, *self.settings.named]))


def job_of(dataset: xarray.Dataset, settings: Settings) -> Job:
    """Check what is asked for against a dataset; numbers that differ by column are not read.

    Raises
    ------
    InputError
        As `layout_of`; if a parameter is unknown and given, missing, or out of its bounds; if an
        option names what is not there.
    """
    s = settings
    whole("verify", s.verify, 0)
    whole("seed", s.seed, 0)
    if not s.unknowns:
        raise InputError("there is nothing to estimate; name at least one unknown.")
    for name in s.unknowns:
        if name not in RANGES:
            raise unknown("parameter to estimate", name, RANGES)
    layout = layout_of(dataset, list(s.named), s.observe)
    for name, use in s.named.items():
        check_variable(dataset, name, layout.space, use)
    for name in (*layout.parameters, *s.fixed):
        if name in s.unknowns:
            where = "fixed" if name in s.fixed else "a variable of the dataset"
            raise InputError(
                f"{name} is unknown and {where}; leave one out, or name the variable as its start."
            )
    space = set(layout.space)
    fields = tuple(n for n in layout.parameters if space & set(map(str, dataset[n].dims)))
    for name in layout.parameters:
        if name in s.fixed:
            raise InputError(f"{name} is fixed and a variable of the dataset; leave one out.")
    case = _case(dataset, s, layout, fields)
    for given, what in ((s.start, "start"), (s.bounds, "bound"), (s.priors, "prior")):
        for name in given:
            if name not in s.unknowns:
                raise unknown(f"parameter of a {what} among the unknowns", name, s.unknowns)
    error: Any = s.observation_error
    if callable(error):
        error = error(case.observations.series)
    if not isinstance(error, int | float):
        error = tuple(float(each) for each in error)
    return Job(layout, replace(s, observation_error=error), case, fields)


def _case(
    dataset: xarray.Dataset, settings: Settings, layout: Layout, fields: Sequence[str]
) -> Case:
    """Return what all columns share as a case."""
    s, steps = settings, layout.time_step.size
    shared = {name: _shared(dataset[name]) for name in layout.parameters if name not in fields}
    forcing = {name: shared.pop(name, np.full(steps, DRIVEN[name])) for name in FORCING}
    for name in FORCING:
        if name not in layout.parameters:
            raise InputError(
                f"the dataset lacks the forcing {name} [{PARAMETERS[name].unit}]; give it over "
                "time, of each column or of all."
            )
    ranges = {name: tuple(s.ranges.get(name, RANGES[name])) for name in s.unknowns}
    for name in s.ranges:
        if name not in s.unknowns:
            raise unknown("parameter of a range among the unknowns", name, s.unknowns)
    start = {
        name: float(value) if not isinstance(value := s.start.get(name, middle), str) else middle
        for name, middle in ((n, sum(pair) / 2) for n, pair in ranges.items())
    }
    own = {name: sum(RANGES[name]) / 2 for name in fields if name not in FORCING}
    known: dict[str, Any] = {**s.fixed, **shared, **own}
    both = [name for name in SEPARATE if name in known or name in start]
    if both and (COMBINED in known or COMBINED in start):
        raise InputError(
            f"{COMBINED} and {both[0]} are both given; give one form, h(1+1/β) or h and β."
        )
    return Case(
        name="map",
        title="columns of a map",
        grid=s.grid,
        forcing=Forcing(time_step=layout.time_step, **forcing),
        observations=Observations(tuple(_series(each, steps) for each in layout.observed)),
        fixed=known,
        start=start,
        ranges=ranges,  # type: ignore[arg-type]
        insulated=s.insulated,
    )


def _shared(variable: xarray.DataArray) -> Any:
    """Return what a variable holds for all columns; over time, of the steps that end there."""
    values = np.asarray(variable.values, dtype=np.float64)
    return values[1:] if TIME in variable.dims else values


def _series(observed: Any, steps: int) -> Series:
    values = np.full(steps + 1, PLACEHOLDER[observed.kind])
    if observed.kind == "turbulent_flux":
        values[0] = np.nan  # no step ends there
    return Series(observed.kind, values, depth=observed.depth)
