"""Counterexamples of property tests, saved so that the command line replays them.

`lsm_verify.strategies` offers `saving` and `keeping_counterexamples` as its own.
"""

from __future__ import annotations

import functools
import hashlib
import os
import sys
import unittest
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from lsm_verify.cases import Case
from lsm_verify.cases.case import Range
from lsm_verify.cases.serial import write_case
from lsm_verify.errors import InputError
from lsm_verify.forcing import Forcing
from lsm_verify.grid import Grid
from lsm_verify.inputs import Inputs
from lsm_verify.observations import Observations, Series
from lsm_verify.parameters import Knots, Value
from lsm_verify.quantities import FORCING, PARAMETERS

FOLDER = Path(".hypothesis") / "counterexamples"

POSITIVE = ("thermal_conductivity", "volumetric_heat_capacity", "bowen_ratio")
USUAL = {
    "albedo": (0.0, 1.0),
    "emissivity": (0.0, 1.0),
    "heat_transfer_coefficient": (0.0, 50.0),
    "turbulent_transfer_coefficient": (0.0, 200.0),
}
"""Priors of drawn cases where no factor about the value will do, for it may be zero."""

F = TypeVar("F", bound=Callable[..., Any])


@contextmanager
def saving(example: Case | Inputs, folder: str | Path = FOLDER) -> Iterator[None]:
    """Save an example whose test fails, for ``lsm-verify check --replay FILE``.

    The file's name, ``counterexample-<digest>.json``, is made of the test and the place where it
    failed, so that the smaller examples of the same failure replace the larger ones: the one left
    is the one that hypothesis shows. The message of the failure tells how to replay it.

    Parameters
    ----------
    example : Case or Inputs
        What the test was given.
    folder : path
        Where to save it; made if need be.

    Examples
    --------
    >>> import tempfile
    >>> from lsm_verify import load_case
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     try:
    ...         with saving(load_case("twin"), folder):
    ...             assert 1 > 2
    ...     except AssertionError as error:
    ...         print(error.__notes__[0].split(" --")[1].split()[0])
    replay
    """
    try:
        yield
    except BaseException as error:
        if _is_failure(error):
            error.add_note(_save(example, Path(folder), error))
        raise


def keeping_counterexamples(folder: str | Path = FOLDER) -> Callable[[F], F]:
    """Return a decorator, below ``@given``: `saving` of the first case or inputs of a test."""

    def decorate(test: F) -> F:
        @functools.wraps(test)
        def run(*args: Any, **kwargs: Any) -> Any:
            with saving(_first(test.__name__, (*args, *kwargs.values())), folder):
                return test(*args, **kwargs)

        return run  # type: ignore[return-value]

    return decorate


def _first(test: str, given: tuple[object, ...]) -> Case | Inputs:
    """First case or inputs among the arguments of a test, or in a tuple of theirs."""
    flat = [x for each in given for x in (each if isinstance(each, tuple) else (each,))]
    for one in flat:
        if isinstance(one, Case | Inputs):
            return one
    raise InputError(f"{test} is given no Case and no Inputs to save.")


def _is_failure(error: BaseException) -> bool:
    """Whether an exception is a failed test, not hypothesis's own, a skip or an interrupt."""
    hypothesis, pytest = sys.modules.get("hypothesis.errors"), sys.modules.get("pytest")
    if hypothesis is not None and isinstance(error, hypothesis.HypothesisException):
        return False
    if pytest is not None and isinstance(error, pytest.fail.Exception):
        return True
    return isinstance(error, Exception) and not isinstance(error, unittest.SkipTest)


def _save(example: Case | Inputs, folder: Path, error: BaseException) -> str:
    """Write the example; return what to tell."""
    frame = error.__traceback__
    while frame is not None and frame.tb_next is not None:
        frame = frame.tb_next
    place = () if frame is None else (frame.tb_frame.f_code.co_filename, frame.tb_lineno)
    what = (os.environ.get("PYTEST_CURRENT_TEST", ""), type(error).__name__, *place)
    digest = hashlib.sha256(repr(what).encode()).hexdigest()[:12]
    path = folder / f"counterexample-{digest}.json"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        write_case(example if isinstance(example, Case) else case_of(example), path)
    except (OSError, InputError) as problem:
        return f"the counterexample could not be saved: {problem}"
    return f"counterexample saved; replay it: lsm-verify check --replay {path}"


def case_of(inputs: Inputs) -> Case:
    """Make a case of inputs, for them to be saved: free is what they are differentiated by.

    Where nothing is observed, the last surface temperature is taken to be; ranges are made anew.
    """

    def given(name: str) -> Value:
        value = inputs.parameters[name]
        return Knots(inputs.knots[name], value) if name in inputs.knots else value

    values = {name: given(name) for name in inputs.parameters}
    free = inputs.wrt or ("emissivity",)
    fixed = {name: v for name, v in values.items() if name not in (*free, *FORCING)}
    if "initial_temperature" not in values:
        fixed["initial_temperature"] = None
    seen = tuple(
        Series(s.kind, np.where(s.weights > 0, s.values, np.nan), s.depth, s.weights)
        for s in inputs.series
        if np.any(s.weights > 0)
    )
    if not seen:
        seen = (Series("soil_temperature", np.append(np.full(inputs.steps, np.nan), 290.0)),)
    return Case(
        name="counterexample",
        title="saved by lsm_verify.strategies",
        grid=Grid(inputs.spacing),
        forcing=Forcing(
            inputs.time_step,
            SWdown=inputs.parameters["SWdown"],
            LWdown=inputs.parameters["LWdown"],
            Tair=inputs.parameters["Tair"],
        ),
        observations=Observations(seen),
        fixed=fixed,
        start={name: values[name] for name in free},
        ranges={name: prior(name, values[name]) for name in free},
        insulated=inputs.insulated,
    )


def prior(name: str, value: Value) -> Range:
    """Give a range about a value: a factor 2, 10 K, 50 W m-2, or what is usual for the name."""
    centre = np.asarray(value.values if isinstance(value, Knots) else value, dtype=np.float64)
    if name in POSITIVE:
        ends = np.sort(np.stack([centre / 2, centre * 2]), axis=0)
        return ends[0], ends[1]
    if name in USUAL:
        low, high = USUAL[name]
        return low, max(high, float(np.max(centre)))
    width = 10.0 if PARAMETERS[name].is_temperature else 50.0
    return (
        np.maximum(centre - width, PARAMETERS[name].lower),
        np.minimum(centre + width, PARAMETERS[name].upper),
    )
