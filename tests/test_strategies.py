"""What the public strategies draw, what they shrink to, and what a failure leaves behind."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from itertools import pairwise
from random import Random

import numpy as np
import pytest
from hypothesis import Phase, assume, find, given, settings
from hypothesis import strategies as st
from hypothesis.errors import HypothesisException

from lsm_verify.cases import Case
from lsm_verify.cases.serial import case_to_json, read_case
from lsm_verify.counterexamples import case_of
from lsm_verify.errors import InputError
from lsm_verify.grid import Grid
from lsm_verify.inputs import Inputs
from lsm_verify.parameters import Knots
from lsm_verify.quantities import FORCING, PARAMETERS
from lsm_verify.strategies import (
    SPANS,
    cases,
    columns,
    forcings,
    grids,
    keeping_counterexamples,
    observations,
    parameters,
    saving,
)

SEARCH = settings(max_examples=3000, database=None, phases=(Phase.generate,))
SHRINK = settings(max_examples=500, database=None, phases=(Phase.generate, Phase.shrink))
SMALL = {"max_interfaces": 6, "max_steps": 4}
CONTRAST = 1e4 * (1 - 1e-12)


# ------------------------------------------------------------------ what is drawn


@given(case=cases())
def test_every_case_is_complete(case):
    assert isinstance(case.inputs(), Inputs)
    assert 2 <= case.grid.spacing.size <= 40
    assert 1 <= case.forcing.steps <= 6
    assert set(case.free).isdisjoint(case.fixed)
    assert any(np.any(s.weights > 0) for s in case.observations.series)


@given(inputs=columns())
def test_columns_are_differentiated_by_everything(inputs):
    assert set(inputs.wrt) == set(inputs.parameters)
    assert set(FORCING) <= set(inputs.wrt)


@given(inputs=columns(max_interfaces=3, max_steps=2, insulated=st.just(True), knots=False))
def test_options_hold(inputs):
    assert inputs.spacing.size <= 3
    assert inputs.steps <= 2
    assert inputs.insulated
    assert not inputs.knots


def contrast(values):
    return np.max(values) / np.min(values)


DRAWN = {
    "thin layers": (grids(), lambda g: g.spacing.min() == 1e-3),
    "thick layers": (grids(), lambda g: g.spacing.max() == 0.5),
    "seconds": (forcings(), lambda f: f.time_step.min() <= 2.0),
    "days": (forcings(), lambda f: f.time_step.max() > 86400.0),
    "steps that change": (forcings(), lambda f: contrast(f.time_step) > 100),
    "a night": (forcings(3), lambda f: f.SWdown[0] > 0 and f.SWdown[1] == 0),
    "knots": (cases(), lambda c: any(isinstance(v, Knots) for v in c.start.values())),
    "a value per step": (cases(), lambda c: np.shape(c.start.get("albedo")) == (3,)),
    "a value per node": (
        cases(),
        lambda c: np.size(c.start.get("volumetric_heat_capacity")) == c.sizes["nodes"] > 3,
    ),
    "contrast of conductivity": (
        columns(),
        lambda i: contrast(i.parameters["thermal_conductivity"]) > CONTRAST,
    ),
    "contrast of heat capacity": (
        columns(),
        lambda i: contrast(i.parameters["volumetric_heat_capacity"]) > CONTRAST,
    ),
    "an insulated bottom": (cases(), lambda c: c.insulated),
    "a prescribed bottom": (cases(), lambda c: not c.insulated),
    "a tied start": (columns(), lambda i: "initial_temperature" not in i.parameters),
    "h and beta": (columns(), lambda i: "bowen_ratio" in i.parameters),
    "no emission": (columns(), lambda i: i.parameters["emissivity"] == 0),
    "every kind": (
        cases(),
        lambda c: len({s.kind for s in c.observations.series}) == 4,
    ),
    "a gap": (
        cases(),
        lambda c: any(w[0] > 0 and not w[-1] for w in [s.weights for s in c.observations.series]),
    ),
}


@pytest.mark.parametrize("what", DRAWN)
def test_it_is_drawn(what):
    strategy, condition = DRAWN[what]
    assert condition(find(strategy, condition, settings=SEARCH))


def test_without_duration_there_are_no_knots():
    grid = Grid.uniform(1.0, 3)

    @settings(database=None)
    @given(values=parameters(grid, 2))
    def check(values):
        assert not any(isinstance(v, Knots) for v in values.values())

    check()


# ------------------------------------------------------------------ what it shrinks to


def typical(name):
    return SPANS[name].typical


def test_the_simplest_case_is_small_round_and_constant():
    case = find(cases(), lambda case: True, settings=SHRINK, random=Random(0))
    assert case.sizes == {"steps": 1, "nodes": 3, "interfaces": 2}
    assert set(case.grid.spacing) == {typical("spacing")}
    assert case.forcing.time_step.tolist() == [3600.0]
    assert [getattr(case.forcing, n)[0] for n in FORCING] == [typical(n) for n in FORCING]
    assert len(case.free) == 1
    for name, value in {**case.fixed, **case.start}.items():
        assert value == typical(name)
    (series,) = case.observations.series
    assert series.kind == "soil_temperature"
    assert series.values.tolist() == [290.0, 290.0]


@pytest.mark.parametrize("step", [0, 2])
def test_what_matters_stays_and_the_rest_is_simple(step):
    """A failure at night in one step: that step is dark, the others and all else are typical."""

    def dark(case):
        return case.forcing.steps > step and not case.forcing.SWdown[step]

    case = find(cases(**SMALL), dark, settings=SHRINK, random=Random(0))
    assert case.forcing.steps == step + 1
    assert case.sizes["interfaces"] == 2
    assert set(case.forcing.Tair) == {290.0}


def test_numbers_have_few_digits():
    @settings(database=None)
    @given(inputs=columns())
    def check(inputs):
        for name, value in inputs.parameters.items():
            for number in np.ravel(value):
                assert float(f"{number:.3g}") == number, name

    check()


def test_spans_lie_within_the_bounds_of_the_quantities():
    for name, span in SPANS.items():
        low, middle, high = span.at(np.array([-512, 0, 512]))
        assert (low, middle, high) == (span.low, span.typical, span.high)
        if name in PARAMETERS:
            assert PARAMETERS[name].lower <= low < high <= PARAMETERS[name].upper
    assert all(a < b for a, b in pairwise(SPANS["spacing"].at(np.arange(-512, 513, 64))))


# ------------------------------------------------------------------ counterexamples


@pytest.fixture
def failing(tmp_path):
    """Run a property that fails for more than two steps or for a dark first one."""

    def run(wrong):
        @settings(SHRINK, derandomize=True)
        @given(case=cases(**SMALL))
        @keeping_counterexamples(tmp_path / "kept")
        def test(case):
            wrong(case)

        with pytest.raises((Exception, pytest.fail.Exception)) as caught:
            test()
        return caught.value, sorted((tmp_path / "kept").glob("*"))

    return run


def test_the_shrunk_counterexample_is_saved(failing):
    tried = []

    def wrong(case):
        tried.append(case)
        assert case.forcing.steps <= 2

    error, (file,) = failing(wrong)
    assert file.name.startswith("counterexample-")
    assert f"lsm-verify check --replay {file}" in error.__notes__[0]
    assert len([c for c in tried if c.forcing.steps > 2]) > 2
    kept = read_case(file)
    assert kept.sizes == {"steps": 3, "nodes": 3, "interfaces": 2}
    assert case_to_json(kept) == case_to_json(tried[-1])


def test_two_failures_leave_two_files(failing):
    def wrong(case):
        if case.forcing.steps > 2:
            raise ValueError("long")
        if case.grid.spacing.size > 4:
            raise ZeroDivisionError("deep")

    error, files = failing(wrong)
    assert isinstance(error, ExceptionGroup)
    found = sorted((read_case(f).forcing.steps, read_case(f).grid.spacing.size) for f in files)
    assert found == [(1, 5), (3, 2)]


def test_pytest_fail_counts_as_a_failure(failing):
    _, files = failing(lambda case: pytest.fail("no good"))
    assert len(files) == 1


@pytest.mark.parametrize("stop", [lambda: assume(False), lambda: pytest.skip("not today")])
def test_what_is_no_failure_leaves_nothing(tmp_path, stop):
    case = find(cases(), lambda case: True, settings=SEARCH)
    stopped = (HypothesisException, pytest.skip.Exception)
    with pytest.raises(stopped), saving(case, tmp_path / "kept"):
        stop()
    assert not (tmp_path / "kept").exists()


def test_a_folder_that_cannot_be_made_hides_no_failure(tmp_path):
    case = find(cases(), lambda case: True, settings=SEARCH)
    (tmp_path / "file").write_text("", encoding="utf-8")
    with pytest.raises(ZeroDivisionError) as caught, saving(case, tmp_path / "file"):
        raise ZeroDivisionError
    assert "could not be saved" in caught.value.__notes__[0]


def test_a_test_without_a_case_is_refused():
    @keeping_counterexamples()
    def test_nothing(number):
        pass

    with pytest.raises(InputError, match="test_nothing is given no Case"):
        test_nothing(3)


@given(inputs=columns())
def test_inputs_become_a_case_with_the_same_numbers(inputs):
    case = case_of(inputs)
    assert isinstance(case, Case)
    again = case.inputs(wrt=case.free)
    assert again.wrt == inputs.wrt
    assert again.insulated == inputs.insulated
    for name, value in inputs.parameters.items():
        assert np.array_equal(again.parameters[name], value)
    assert {n: t.tolist() for n, t in again.knots.items()} == {
        n: t.tolist() for n, t in inputs.knots.items()
    }


def test_inputs_without_observations_become_a_case():
    inputs = find(columns(), lambda inputs: True, settings=SEARCH)
    case = case_of(replace(inputs, series=(), wrt=()))
    assert case.free == ("emissivity",)
    assert len(case.observations.series) == 1


# ------------------------------------------------------------------ without hypothesis


def run(code):
    return subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        capture_output=True,
        text=True,
        check=False,
    )


def test_without_hypothesis_the_remedy_is_told():
    done = run(
        "import sys; sys.modules['hypothesis'] = None\n"
        "try:\n    import lsm_verify.strategies\n"
        "except ImportError as error:\n    print(error)"
    )
    assert "pip install lsm-verify[testing]" in done.stdout, done.stderr


def test_nothing_else_loads_hypothesis():
    done = run(
        "import sys, lsm_verify.verify.run, lsm_verify.cli, lsm_verify.cases.serial\n"
        "import lsm_verify.counterexamples\n"
        "print('hypothesis' in sys.modules)"
    )
    assert done.stdout.split() == ["False"], done.stderr


@given(data=st.data())
def test_observations_fit_their_grid(data):
    grid = data.draw(grids())
    data.draw(observations(grid, 3)).check(grid, 3)
