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
from lsm_verify.inverse.field_problem import field_problem
from lsm_verify.inverse.priors import Normal
from lsm_verify.inverse.space import Space
from lsm_verify.maps.layout import PLACEHOLDER, TIME, Layout, check_variable, layout_of
from lsm_verify.observations import Observations, Series
from lsm_verify.parameters import COMBINED, SEPARATE
from lsm_verify.quantities import FORCING, PARAMETERS
from lsm_verify.validation import as_array, whole

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
    def named(self) -> dict[str, tuple[str, str | None]]:
        """Variables that options name: what each is for, and whose values it holds."""
        found: dict[str, tuple[str, str | None]] = {}
        for name, value in self.start.items():
            found |= {value: (f"the start of {name}", name)} if isinstance(value, str) else {}
        for what, given in (("a bound", self.bounds), ("the prior", self.priors)):
            for name, pair in given.items():
                found |= {v: (f"{what} of {name}", name) for v in pair if isinstance(v, str)}
        return found | ({self.mask: ("the mask", None)} if self.mask is not None else {})


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
    _check(s)
    layout = layout_of(dataset, list(s.named), s.observe)
    for name, (use, parameter) in s.named.items():
        check_variable(dataset, name, layout.space, use, parameter)
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
    asked: Any = s.observation_error
    asked = asked(case.observations.series) if callable(asked) else asked
    sigma = as_array("observation_error", asked)
    error = float(sigma) if sigma.ndim == 0 else tuple(sigma.ravel().tolist())
    job = Job(layout, replace(s, observation_error=error), case, fields)
    _try(job)
    return job


def _check(s: Settings) -> None:
    """Refuse settings that are wrong whatever the dataset."""
    whole("verify", s.verify, 0)
    whole("seed", s.seed, 0)
    if s.iterations is not None:
        whole("iterations", s.iterations, 1)
    if not isinstance(s.grid, Grid):
        raise InputError(f"grid={s.grid!r} is no Grid; give Grid.uniform(1.0, 100), say.")
    if not s.unknowns:
        raise InputError("there is nothing to estimate; name at least one unknown.")
    for k, name in enumerate(s.unknowns):
        if name not in RANGES:
            raise unknown("parameter to estimate", name, RANGES)
        if name in s.unknowns[:k]:
            raise InputError(f"{name} is named twice among the unknowns; name it once.")
    pairs: Any = (("range", s.ranges), ("bounds", s.bounds), ("prior", s.priors))
    for what, given in pairs:
        for name, pair in given.items():
            if not isinstance(pair, tuple | list) or len(pair) != 2:
                raise InputError(f"{what} of {name}, {pair!r}, must be a pair of numbers.")


def _try(job: Job) -> None:
    """Refuse numbers that all columns share and with which none can be calibrated.

    They are tried on one column; what each column has of its own stands at something harmless.
    """
    s, series = job.settings, job.case.observations.series
    space = Space.of(job.case, s.unknowns)
    physical: Any = dict(zip(space.names, zip(space.least, space.most, strict=True), strict=True))
    bounds: Any = {
        name: tuple(
            own if isinstance(given, str) else given
            for given, own in zip(pair, physical[name], strict=True)
        )
        for name, pair in s.bounds.items()
    }
    start: Any = dict(s.start)
    for name in [n for n, value in s.start.items() if isinstance(value, str)]:
        middle: Any = job.case.start[name]
        start[name] = float(np.clip(middle, *bounds.get(name, physical[name])))
    priors = [
        Normal(name, mean, 1.0 if isinstance(deviation, str) else deviation)
        for name, (mean, deviation) in s.priors.items()
        if not isinstance(mean, str)
    ]
    field_problem(
        job.case,
        np.stack([np.where(each.weights > 0, each.values, np.nan) for each in series])[None],
        job.error,
        s.unknowns,
        start=start,
        bounds=bounds,
        logarithmic=s.logarithmic,
        priors=priors,
    )


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
