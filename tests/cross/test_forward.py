"""The torch model against the oracle: temperatures and all kinds of observation."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, target

from lsm_verify import load_case
from lsm_verify.errors import NoSolutionError
from lsm_verify.inputs import Inputs
from lsm_verify.models import column, observe
from lsm_verify.observations import Series
from lsm_verify.routes import MODELS
from lsm_verify.routes.in_torch import torch_run
from lsm_verify.routes.oracle import predictions, trajectory
from tests.running import torch_trajectory
from tests.strategies import columns

EPSILON = float(np.finfo(np.float64).eps)

ROUNDINGS = 4
"""Roundings of a temperature per node and step in either model; neither amplifies them (the soil's
matrix has an inverse without a negative entry, the surface balance rises with T_0')."""

SINGLE = float(np.finfo(np.float32).eps)


def unit(inputs: Inputs, epsilon: float = EPSILON) -> float:
    """Relative round-off that two runs may differ by."""
    return 2 * ROUNDINGS * (inputs.spacing.size + 1) * inputs.steps * epsilon


def sizes(inputs: Inputs, T: np.ndarray) -> np.ndarray:
    """Magnitude (series,) of what each prediction is a difference of."""
    hottest = float(np.max(T))
    p = inputs.parameters
    if "turbulent_transfer_coefficient" in p:
        H = float(np.max(p["turbulent_transfer_coefficient"]))
    else:
        h, beta = (inputs.expanded(n) for n in ("heat_transfer_coefficient", "bowen_ratio"))
        H = float(np.max(h * (1 + 1 / beta)))
    g = float(np.max(p["thermal_conductivity"] / inputs.spacing))
    known = {
        "soil_temperature": hottest,
        "soil_heat_flux": 2 * g * hottest,
        "longwave_up": 4 * 500.0 * (hottest / 300.0) ** 4,
        "turbulent_flux": 2 * H * hottest,
    }
    return np.array([known[s.kind] for s in inputs.series])


def differences(inputs: Inputs, dtype: str = "float64", epsilon: float = EPSILON):
    """Largest difference of temperatures and of predictions, in units of their round-off."""
    T, y = torch_run([inputs], dtype=dtype)[0]
    reference = trajectory(inputs)
    of_T = np.max(np.abs(T - reference) / reference) / unit(inputs, epsilon)
    size = sizes(inputs, reference)[:, None]
    of_y = np.max(np.abs(y - predictions(inputs)) / np.maximum(size, 1e-300)) / unit(
        inputs, epsilon
    )
    return float(of_T), float(of_y)


@given(inputs=columns())
def test_temperatures_and_predictions_are_those_of_the_oracle(inputs):
    of_T, of_y = differences(inputs)
    target(of_T)
    assert of_T <= 1
    assert of_y <= 1


@pytest.mark.parametrize("case", ["twin", "twin-one-depth", "layered"])
def test_cases(case):
    inputs = load_case(case).inputs()
    assert max(differences(inputs)) <= 1


@pytest.mark.parametrize(
    "module, old, new",
    [
        (observe, "columns.emissivity[:, None] * STEFAN_BOLTZMANN", "STEFAN_BOLTZMANN"),
        (observe, "return g * (T[..., :-1] - T[..., 1:])", "return g * (T[..., 1:] - T[..., :-1])"),
        (observe, "T[:, 1:, 0] - columns.Tair", "T[:, :-1, 0] - columns.Tair"),
        (observe, "(points[upper + 1] - points[upper])", "(z[upper + 1] - z[upper])"),
        (observe, "row[upper : upper + 2] = 1.0 - share, share", "row[upper] = 1.0"),
        (column, "Tb[:, :1].expand(B, nodes) if tied", "Tb[:, -1:].expand(B, nodes) if tied"),
    ],
)
def test_a_wrong_observation_or_start_is_seen(planter, module, old, new):
    inputs = load_case("layered").window(6).inputs({"initial_temperature": None}, wrt=("albedo",))
    inputs = inputs.with_values({"bottom_temperature": np.linspace(285.0, 290.0, 6)})
    assert max(differences(inputs)) <= 1
    planter.plant(module, old, new)
    assert max(differences_planted(inputs)) > 100


def differences_planted(inputs: Inputs) -> tuple[float, float]:
    """`differences` with functions looked up in their modules, where errors are planted."""
    from lsm_verify.models import direct

    with torch.no_grad():
        columns_ = column.expand(column.leaves([inputs]))
        T = direct.simulate(columns_)
        y = observe.predict(columns_, [inputs], T)[0].numpy()
    reference = trajectory(inputs)
    size = sizes(inputs, reference)[:, None]
    return (
        float(np.max(np.abs(T[0].numpy() - reference) / reference) / unit(inputs)),
        float(np.max(np.abs(y - predictions(inputs)) / size) / unit(inputs)),
    )


def test_single_precision_is_allowed_and_as_good_as_its_digits():
    inputs = load_case("layered").inputs()
    T, y = torch_run([inputs], dtype="float32")[0]
    assert T.dtype == y.dtype == np.float32
    of_T, of_y = differences(inputs, "float32", SINGLE)
    assert of_T <= 1
    assert of_y <= 1
    # It is single precision: double precision's limit is out of its reach.
    assert differences(inputs, "float32")[0] > 1


def test_both_name_the_same_step_without_solution():
    inputs = load_case("twin").window(6).inputs()
    sun = np.zeros(6)
    sun[4] = -1e7
    dark = inputs.with_values({"SWdown": sun})
    for run in (torch_trajectory, trajectory):
        with pytest.raises(NoSolutionError) as caught:
            run(dark)
        assert caught.value.step == 4
    with pytest.raises(NoSolutionError) as caught:
        torch_run([inputs, dark, inputs])
    assert (caught.value.step, caught.value.column) == (4, 1)


def test_two_interfaces_are_enough():
    inputs = Inputs(
        spacing=np.array([0.1, 0.2]),
        time_step=np.array([3600.0]),
        parameters={
            k: np.asarray(v)
            for k, v in {
                "albedo": 0.2,
                "turbulent_transfer_coefficient": 20.0,
                "thermal_conductivity": 1.0,
                "volumetric_heat_capacity": 2e6,
                "bottom_temperature": 290.0,
                "emissivity": 0.95,
                "SWdown": [500.0],
                "LWdown": [300.0],
                "Tair": [295.0],
            }.items()
        },
        series=(Series("soil_heat_flux", np.zeros(2), depth=0.2),),
        wrt=("albedo",),
    )
    assert max(differences(inputs)) <= 1
    sealed = replace(inputs.with_values({"initial_temperature": np.asarray(290.0)}), insulated=True)
    assert max(differences(sealed)) <= 1


@pytest.mark.parametrize("model", ["torch", "fused"])
def test_where_nothing_is_observed_there_are_no_predictions(model):
    inputs = replace(load_case("twin").window(2).inputs(), series=())
    T, y = MODELS[model]([inputs])[0]
    assert T.shape == (3, inputs.spacing.size + 1)
    assert y.shape == (0, 3)
