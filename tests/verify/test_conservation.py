from dataclasses import replace

import numpy as np
import pytest

from lsm_verify import Reason, Verdict, load_case
from lsm_verify.routes.oracle import trajectory
from lsm_verify.verify.conservation import EPSILON, LIMIT, budget, closure, limit


@pytest.fixture(scope="module")
def twin_inputs():
    return load_case("twin").window(20).inputs()


@pytest.fixture(scope="module")
def layered_inputs():
    case = load_case("layered").window(12)
    return case.inputs(case.point("truth"))


@pytest.fixture(scope="module", params=["twin", "layered", "insulated"])
def inputs(request, twin_inputs, layered_inputs):
    if request.param == "twin":
        return twin_inputs
    insulated = request.param == "insulated"
    return replace(layered_inputs, insulated=insulated)


def judged(inputs, T):
    return closure(inputs, T, point="start", subject="oracle")


def test_closes(inputs):
    result = judged(inputs, trajectory(inputs))
    assert result.verdict is Verdict.PASS
    assert result.reason is None
    assert 0 < result.value <= LIMIT
    assert not result.primary
    assert result.message.startswith("model oracle: mean |residual| ")
    assert "W m-2 per step" in result.message


@pytest.mark.parametrize("node", [0, 1, 17, -2])
def test_a_temperature_that_is_off_is_seen_where_it_is(inputs, node):
    T = trajectory(inputs).copy()
    T[6, node] += 1e-6
    result = judged(inputs, T)
    assert result.verdict is Verdict.FAIL
    assert result.reason is Reason.NOT_CONSERVED
    assert result.message.endswith(("at step 5", "at step 6"))


@pytest.mark.parametrize(
    "name",
    ["albedo", "thermal_conductivity", "volumetric_heat_capacity", "emissivity", "SWdown",
     "LWdown", "Tair"],
)  # fmt: skip
def test_every_term_is_in_it(inputs, name):
    """A run of other parameters does not close the budget of these."""
    T = trajectory(inputs)
    changed = inputs.with_values({name: inputs.parameters[name] * (1 + 1e-6)})
    if name == "thermal_conductivity" and inputs.insulated:
        # Only the bottom's flux knows it: nothing passes an insulated bottom.
        assert judged(changed, T).verdict is Verdict.PASS
    else:
        assert judged(changed, T).verdict is Verdict.FAIL


def test_both_forms_of_the_turbulent_coefficient_are_in_it(twin_inputs, layered_inputs):
    for inputs, names in (
        (twin_inputs, ("heat_transfer_coefficient", "bowen_ratio")),
        (layered_inputs, ("turbulent_transfer_coefficient",)),
    ):
        T = trajectory(inputs)
        for name in names:
            changed = inputs.with_values({name: inputs.parameters[name] * 1.001})
            assert judged(changed, T).verdict is Verdict.FAIL


def test_time_steps_are_in_it(layered_inputs):
    T = trajectory(layered_inputs)
    steps = layered_inputs.time_step
    wrong = replace(layered_inputs, time_step=np.full_like(steps, steps.mean()))
    assert judged(wrong, T).verdict is Verdict.FAIL


def test_not_a_number_is_no_pass(twin_inputs):
    T = trajectory(twin_inputs).copy()
    T[3, 4] = np.nan
    assert judged(twin_inputs, T).verdict is not Verdict.PASS


def test_budget(twin_inputs):
    """A column at 300 K throughout stores nothing: the residual is the net surface flux."""
    p = twin_inputs.parameters
    T = np.full((21, 101), 300.0)
    found = budget(twin_inputs, T)
    H = float(p["heat_transfer_coefficient"] * (1 + 1 / p["bowen_ratio"]))
    net = (
        (1 - p["albedo"]) * p["SWdown"]
        + p["LWdown"]
        - p["emissivity"] * 5.67e-8 * 300.0**4
        - H * (300.0 - p["Tair"])
    )
    np.testing.assert_allclose(found.residual, net, rtol=1e-12)
    assert found.total == pytest.approx(float(net.sum() * 3600.0), rel=1e-12)
    assert np.all(found.size > 1e5)  # the heat content counts, not its change
    assert found.total_size == pytest.approx(float(found.size.sum() * 3600.0))


def test_the_run_closes_as_a_whole(inputs):
    found = budget(inputs, trajectory(inputs))
    assert found.total == pytest.approx(float((found.residual * inputs.time_step).sum()))
    assert abs(found.total) <= LIMIT * EPSILON * found.total_size


@pytest.mark.parametrize("interfaces, allowed", [(2, 8.0), (80, 8.0), (100, 10.0), (800, 80.0)])
def test_the_limit_grows_with_the_nodes_whose_rounding_adds_up(inputs, interfaces, allowed):
    assert limit(replace(inputs, spacing=np.full(interfaces, 0.01))) == allowed
