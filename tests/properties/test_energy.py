"""Energy closes to round-off: each step and over the run, on any column, in both models."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, target
from hypothesis import strategies as st

from lsm_reference import forward, namespace
from lsm_reference.evaluate import simulate
from lsm_verify.inputs import Inputs
from lsm_verify.models import direct
from lsm_verify.observations import Series
from lsm_verify.routes.oracle import to_problem
from lsm_verify.strategies import columns, keeping_counterexamples
from lsm_verify.verify.conservation import EPSILON, LIMIT, budget, closure
from lsm_verify.verify.result import Reason, Verdict
from tests.running import torch_trajectory


@given(inputs=columns())
@keeping_counterexamples()
def test_energy_closes_each_step_and_over_the_run(model, inputs):
    T = model(inputs)
    found = budget(inputs, T)
    worst = np.max(np.abs(found.residual) / (EPSILON * found.size))
    target(float(worst), label="largest residual of a step")
    assert worst <= LIMIT
    assert abs(found.total) <= LIMIT * EPSILON * found.total_size
    assert closure(inputs, T, point="drawn", subject="model").verdict is Verdict.PASS


@given(inputs=columns(max_interfaces=8), data=st.data())
@keeping_counterexamples()
def test_a_temperature_off_by_little_breaks_the_budget(inputs, data):
    """What the limit can see: one node that stores heat, off by what moves 100 limits of energy."""
    T = np.array(simulate(to_problem(inputs)).T)
    step = data.draw(st.integers(1, inputs.steps))
    found = budget(inputs, T)
    dz, dt = inputs.spacing, inputs.time_step[step - 1]
    stored = np.ravel(inputs.parameters["volumetric_heat_capacity"])[0] * dz[0] / 2 / dt
    T[step, 0] += 100 * LIMIT * EPSILON * found.size[step - 1] / stored
    result = closure(inputs, T, point="drawn", subject="broken")
    assert result.verdict is Verdict.FAIL
    assert result.reason is Reason.NOT_CONSERVED


def busy() -> Inputs:
    """A column in which every term of the budget counts."""
    S, N = 4, 6
    return Inputs(
        spacing=np.array([0.01, 0.02, 0.05, 0.1, 0.2, 0.1]),
        time_step=np.array([600.0, 3600.0, 1800.0, 60.0]),
        parameters={
            "albedo": np.linspace(0.1, 0.4, S),
            "turbulent_transfer_coefficient": np.linspace(10.0, 30.0, S),
            "thermal_conductivity": np.linspace(0.3, 2.0, N),
            "volumetric_heat_capacity": np.linspace(1e6, 3e6, N + 1),
            "bottom_temperature": np.linspace(285.0, 290.0, S),
            "initial_temperature": np.linspace(300.0, 280.0, N + 1),
            "emissivity": np.array(0.9),
            "SWdown": np.array([100.0, 500.0, 900.0, 0.0]),
            "LWdown": np.linspace(250.0, 400.0, S),
            "Tair": np.linspace(280.0, 300.0, S),
        },
        series=(),
    )


ORACLE_ERRORS = {
    "half the surface volume": ("s[0] = C[0] * (dz[0] / 2) / dt", "s[0] = C[0] * dz[0] / dt"),
    "emission": ("c4 = column.eps * SIGMA", "c4 = 1.000000001 * column.eps * SIGMA"),
    "conduction upward": ("k = g[i] * m[i + 1]", "k = g[i - 1] * m[i + 1]"),
    "time step of another step": (
        "storage(dz, C, column.dt[n], s)",
        "storage(dz, C, column.dt[n - 1], s)",
    ),
    "albedo of another step": ("(1 - column.alpha[n])", "(1 - column.alpha[n - 1])"),
    "air temperature of another step": ("* column.Ta[n]\n", "* column.Ta[n - 1]\n"),
}


@pytest.mark.parametrize("what", ORACLE_ERRORS)
@pytest.mark.parametrize("insulated", [False, True])
def test_a_wrong_coefficient_in_the_oracle_breaks_the_budget(mutate, what, insulated):
    inputs = replace(busy(), insulated=insulated)
    wrong = namespace.bind(lambda f: f, (*namespace.MODULES, mutate(forward, *ORACLE_ERRORS[what])))
    problem = replace(to_problem(inputs), series=to_problem(observed(inputs)).series)
    right, broken = (simulate(problem, functions=f).T for f in (namespace.plain(), wrong))
    assert closure(inputs, right, point="", subject="").verdict is Verdict.PASS
    assert closure(inputs, broken, point="", subject="").verdict is Verdict.FAIL


TORCH_ERRORS = {
    "half the surface volume": ("half[:, :1],", "columns.spacing[:, :1],"),
    "emission": (
        "c4 = columns.emissivity * STEFAN_BOLTZMANN",
        "c4 = columns.emissivity * 5.6700001e-8",
    ),
    "pivot": ("k = c[i] * held / pivot", "k = c[i - 1] * held / pivot"),
    "time step of another step": ("soil = soils[d]", "soil = soils[which[n - 1]]"),
    "shortwave of another step": ("load + absorbed[:, n]", "load + absorbed[:, n - 1]"),
    "air temperature of another step": ("H * columns.Tair[:, n]", "H * columns.Tair[:, n - 1]"),
}


@pytest.mark.parametrize("what", TORCH_ERRORS)
@pytest.mark.parametrize("insulated", [False, True])
def test_a_wrong_coefficient_in_torch_breaks_the_budget(planter, what, insulated):
    inputs = replace(busy(), insulated=insulated)
    assert closure(inputs, torch_trajectory(inputs), point="", subject="").verdict is Verdict.PASS
    planter.plant(direct, *TORCH_ERRORS[what])
    assert closure(inputs, torch_trajectory(inputs), point="", subject="").verdict is Verdict.FAIL


def observed(inputs: Inputs) -> Inputs:
    return replace(inputs, series=(Series("longwave_up", np.full(inputs.steps + 1, 400.0)),))
