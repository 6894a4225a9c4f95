"""The kernels for a GPU against the oracle: on a device, or in numba-cuda's simulator.

The simulator is chosen when numba is imported: `test_cuda_machine` runs this file in a process of
its own. Columns are small there and large on a device.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from importlib.util import find_spec

import numpy as np
import pytest

from lsm_verify import load_case
from lsm_verify.cases import Case
from lsm_verify.errors import InputError
from lsm_verify.grid import Grid
from lsm_verify.inputs import Inputs, Objective, probe_weights, ulp_copies
from lsm_verify.kernels import (
    cuda,
    cuda_gradient,
    cuda_kernels,
    cuda_looks,
    cuda_plan,
    cuda_steps,
)
from lsm_verify.kernels.columns import QUANTITIES, Columns
from lsm_verify.routes import ROUTES
from lsm_verify.routes.oracle import forward_product, trajectory
from lsm_verify.routes.route import Evaluation, Route
from lsm_verify.verify.agreement import FAIL_Z, PASS_Z, pair_z, value_z
from lsm_verify.verify.target import norm_of, sample
from tests.kernels.conftest import canonical, objective_of, public_gradient, sight_of

SIMULATED = os.environ.get("NUMBA_ENABLE_CUDASIM") == "1"


def at_hand() -> bool:
    if find_spec("numba_cuda") is None:
        return False
    from numba import cuda as numba_cuda

    return bool(numba_cuda.is_available())


pytestmark = [
    pytest.mark.cuda,
    pytest.mark.skipif(
        not at_hand(),
        reason="no CUDA device; run on a machine with one and the extra cuda "
        "(test_cuda_machine runs these tests in the simulator)",
    ),
]
EPSILON, SINGLE = float(np.finfo(np.float64).eps), float(np.finfo(np.float32).eps)
ROUNDINGS = 4
"""Roundings of a temperature per node and step in either model, as in tests/cross/test_forward."""


def layered(*, insulated: bool = False) -> Case:
    """Unequal layers and steps, every kind of observation; by day, so that all has signal."""
    case = replace(load_case("layered"), insulated=insulated)
    if not SIMULATED:
        return case
    case = case.window(5)
    start = {
        **case.start,
        "thermal_conductivity": 1.1,
        "volumetric_heat_capacity": 2.1e6,
        "initial_temperature": 289.0,
    }
    return replace(
        case,
        grid=Grid.stretched(1.5, 7, 1.5),
        forcing=replace(case.forcing, SWdown=np.linspace(50.0, 800.0, 5)),
        start=start,
        ranges={k: (0.98 * np.asarray(v), 1.02 * np.asarray(v)) for k, v in start.items()},
        truth=None,
    )


def inputs_of(kind: str, *, insulated: bool = False) -> Inputs:
    """All quantities free, those in space in the longer form."""
    case = layered(insulated=insulated)
    start = case.inputs()
    N, S = start.spacing.size, start.steps
    wave = 1 + 0.05 * np.cos(np.arange(max(N, S) + 1))
    given = {
        "thermal_conductivity": start.parameters["thermal_conductivity"] * wave[:N],
        "volumetric_heat_capacity": start.parameters["volumetric_heat_capacity"] * wave[: N + 1],
        "initial_temperature": start.parameters["initial_temperature"] * wave[: N + 1] ** 0.1,
        "albedo": 0.25 * wave[:S],
        "turbulent_transfer_coefficient": 22.0,
        "bottom_temperature": 288.0,
        "emissivity": 0.93,
        **{name: start.parameters[name] for name in ("SWdown", "LWdown", "Tair")},
    }
    if insulated:
        del given["bottom_temperature"]
    weights = probe_weights(start, 3) if kind == "probe" else None
    return case.inputs(given, objectives=(Objective(kind, weights),))


def forget() -> None:
    """Bind the kernels anew, after a change of their sources."""
    cuda_plan.compiled.cache_clear()
    cuda_plan._functions.cache_clear()


def numbers(array) -> np.ndarray:
    return array.copy_to_host()


def evaluate(batch: Sequence[Inputs], dtype=np.float64, **options) -> list[Evaluation]:
    J, bars, status = cuda.gradient(
        canonical(batch, dtype),
        batch[0].insulated,
        sight_of(batch, dtype),
        objective_of(batch, batch[0].objectives[0], dtype),
        **options,
    )
    assert not numbers(status).any()
    J, bars = numbers(J), {name: numbers(bar) for name, bar in bars.items()}
    return [[(float(J[b]), public_gradient(inputs, bars, b))] for b, inputs in enumerate(batch)]


ON_DEVICE = Route("cuda", "the kernels for a GPU", True, evaluate)


def apart(inputs: Inputs) -> float:
    """Largest difference of objective and gradient from the oracle's, in units of round-off."""
    ours, oracle = sample(ON_DEVICE, inputs, 1)[0], sample(ROUTES["adjoint"], inputs, 1)[0]
    scale = np.concatenate([np.ravel(inputs.scale(name)) for name in inputs.wrt])
    z = pair_z(ours, oracle, norm_of(oracle.gradient * scale), scale)
    return max(float(np.max(z)), value_z(ours, oracle))


def several(inputs: Inputs, count: int) -> list[Inputs]:
    """Columns that differ in all quantities."""
    rng = np.random.default_rng(5)
    return [
        each.with_values({k: v * (1 + 0.01 * rng.random()) for k, v in each.parameters.items()})
        for each in ulp_copies(inputs, count, rng)
    ]


def as_asked(batch: Sequence[Inputs]) -> tuple:
    """Arguments of the kernels."""
    objective = objective_of(batch, batch[0].objectives[0])
    return canonical(batch), batch[0].insulated, sight_of(batch), objective


# ------------------------------------------------------------------ against the oracle


@pytest.fixture(params=["shared", "global"])
def memory(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the row lies that is swept: long columns do not fit into the shared memory."""
    if request.param == "global":
        monkeypatch.setattr(cuda_plan, "SHARED_BYTES", 0)


@pytest.mark.usefixtures("memory")
@pytest.mark.parametrize("insulated", [False, True])
@pytest.mark.parametrize("kind", ["mean-square", "half-sum-of-squares", "probe"])
def test_gradient_is_the_oracles(kind, insulated):
    assert apart(inputs_of(kind, insulated=insulated)) <= PASS_Z


def test_gradient_by_single_numbers_is_the_oracles():
    inputs = layered().inputs(
        {
            "albedo": 0.25,
            "heat_transfer_coefficient": 14.0,
            "bowen_ratio": 1.2,
            "thermal_conductivity": 0.9,
            "volumetric_heat_capacity": 1.9e6,
            "bottom_temperature": 288.0,
            "initial_temperature": 290.0,
            "emissivity": 0.93,
        }
    )
    assert apart(inputs) <= PASS_Z


PLANTED = {
    "slope at the old temperature": (
        cuda_steps, "c0 + H, fixed[1], T)\n    mu", "c0 + H, fixed[1], load(old, 0))\n    mu",
    ),
    "capacity without the old state": (
        cuda_steps, "capacity_term(mu * rate, T, load(old, i)", "capacity_term(mu * rate, T, T",
    ),
    "elimination kept where Δt changes": (
        cuda_kernels, "if dt == solid[0]:", "if solid[0] > numbers[0]:",
    ),
    "Λ/s not scaled with Δt": (cuda_gradient, "solid[0] / scale)", "scale / scale)"),
    "weights of the neighbours swapped": (
        cuda_looks, "add(x, j, (q - lower) * dt", "add(x, j, lower * dt",
    ),
}  # fmt: skip


@pytest.mark.skipif(not SIMULATED, reason="in the simulator alone: each would be compiled")
@pytest.mark.parametrize("error", PLANTED)
def test_a_planted_error_is_seen(error, planter):
    module, old, new = PLANTED[error]
    planter.plant(module, old, new, into=(cuda_looks, cuda_kernels, cuda_gradient))
    forget()
    try:
        assert apart(inputs_of("mean-square")) > FAIL_Z
    finally:
        forget()


@pytest.mark.usefixtures("memory")
@pytest.mark.parametrize("insulated", [False, True])
def test_temperatures_and_predictions_are_the_oracles(insulated):
    inputs = inputs_of("mean-square", insulated=insulated)
    columns, _, sight, objective = as_asked([inputs])
    T, status = cuda.simulate(columns, insulated)
    limit = 2 * ROUNDINGS * (inputs.spacing.size + 1) * inputs.steps * EPSILON
    assert not numbers(status).any()
    np.testing.assert_allclose(numbers(T)[0], trajectory(inputs), rtol=limit, atol=0)
    # The predictions are held against the oracle's by J, and are the same from every kernel.
    y = numbers(cuda.predict(columns, insulated, sight)[0])
    J, _, _, again = cuda.gradient(
        columns, insulated, sight, objective, (), return_predictions=True
    )
    np.testing.assert_allclose(numbers(again), y, rtol=limit)
    np.testing.assert_allclose(
        numbers(cuda.score(columns, insulated, sight, objective)[0]), numbers(J), rtol=1e-9
    )


@pytest.mark.parametrize("insulated", [False, True])
def test_tangent_and_gradient_are_transposes_of_each_other(insulated):
    inputs = inputs_of("probe", insulated=insulated)
    columns, _, sight, probe = as_asked([inputs])
    _, bars, _ = cuda.gradient(columns, insulated, sight, probe)
    rng = np.random.default_rng(2)
    change = Columns(*(x * rng.uniform(-0.1, 0.1, x.shape) for x in columns))
    _, dy, status = cuda.tangent(columns, change, insulated, sight)
    terms = [numbers(bars[name])[0] * getattr(change, name)[0] for name in QUANTITIES]
    if insulated:
        assert not numbers(bars["Tb"]).any()
        terms = [term for name, term in zip(QUANTITIES, terms, strict=True) if name != "Tb"]
    forward = probe.weights[0] * numbers(dy)[0]
    # Terms cancel in the sums; each carries the roundings of its sweeps.
    size = np.sum(np.abs(forward)) + sum(np.sum(np.abs(term)) for term in terms)
    limit = 2 * ROUNDINGS * (inputs.spacing.size + 1) * inputs.steps * EPSILON * size
    assert not numbers(status).any()
    assert abs(np.sum(forward) - sum(np.sum(term) for term in terms)) <= limit


def test_tangent_is_the_oracles():
    inputs = layered().inputs()
    change = {name: 0.1 * np.asarray(inputs.parameters[name]) for name in inputs.wrt}
    columns, _, sight, _ = as_asked([inputs])
    step = canonical([inputs.with_values({n: 1.1 * inputs.parameters[n] for n in inputs.wrt})])
    both = Columns(*(b - a for a, b in zip(columns, step, strict=True)))
    _, dy, _ = cuda.tangent(columns, both, False, sight)
    expected = forward_product(inputs, change)
    size = np.max(np.abs(expected), axis=1, keepdims=True)
    limit = 2 * ROUNDINGS * (inputs.spacing.size + 1) * inputs.steps * EPSILON
    assert np.all(np.abs(numbers(dy)[0] - expected) <= limit * size)


# ------------------------------------------------------------------ the same for every company


def last_alone(columns, insulated, sight, objective) -> tuple:
    return cuda.gradient(
        Columns(*(x[-1:] for x in columns)),
        insulated,
        sight._replace(index=sight.index[-1:], fraction=sight.fraction[-1:]),
        objective._replace(values=objective.values[-1:], weights=objective.weights[-1:]),
    )


@pytest.mark.skipif(not SIMULATED, reason="in the simulator alone: it would be compiled")
def test_a_neighbours_input_would_be_seen(planter):
    asked = as_asked(several(inputs_of("mean-square"), 3))
    planter.plant(
        cuda_steps, "array[b if array.shape[0] > 1 else 0, i if", "array[0, i if",
        into=(cuda_looks, cuda_kernels, cuda_gradient),
    )  # fmt: skip
    forget()
    try:
        together = numbers(cuda.gradient(*asked)[0])
        assert together[-1] != numbers(last_alone(*asked)[0])[0]
    finally:
        forget()


def test_a_column_gives_the_same_bits_in_every_company():
    asked = as_asked(several(inputs_of("mean-square"), 3 if SIMULATED else 1000))
    results = [
        cuda.gradient(*asked, **how)
        for how in ({}, {"checkpoint": 1}, {"checkpoint": 2}, {"checkpoint": 3, "at_once": 2})
    ]
    for J, bars, _ in results[1:]:
        np.testing.assert_array_equal(numbers(J), numbers(results[0][0]))
        for name, bar in bars.items():
            np.testing.assert_array_equal(numbers(bar), numbers(results[0][1][name]))
    alone = last_alone(*asked)
    np.testing.assert_array_equal(numbers(alone[0]), numbers(results[0][0])[-1:])
    for name, bar in alone[1].items():
        np.testing.assert_array_equal(numbers(bar), numbers(results[0][1][name])[-1:])


def test_a_column_without_root_is_named_and_leaves_the_others_alone():
    columns, insulated, sight, objective = as_asked(several(inputs_of("half-sum-of-squares"), 3))
    sound = cuda.gradient(columns, insulated, sight, objective)
    dark = columns.SWdown.copy()
    dark[1, 2] = -1e7
    asked = (columns._replace(SWdown=dark), insulated, sight)
    J, bars, status, y = cuda.gradient(*asked, objective, return_predictions=True)
    np.testing.assert_array_equal(numbers(status), [0, 3, 0])
    for found, before in ((J, sound[0]), *((bars[name], sound[1][name]) for name in bars)):
        assert np.isnan(numbers(found)[1]).all()
        np.testing.assert_array_equal(numbers(found)[[0, 2]], numbers(before)[[0, 2]])
    assert np.isnan(numbers(y)[1]).all()
    assert np.isfinite(numbers(y)[[0, 2]]).all()
    T, of_T = cuda.simulate(*asked[:2])
    assert np.isfinite(numbers(T)[1, :3]).all()
    assert np.isnan(numbers(T)[1, 3:]).all()
    for status in (
        of_T,
        cuda.predict(*asked)[1],
        cuda.score(*asked, objective)[1],
        cuda.tangent(asked[0], asked[0], *asked[1:])[2],
    ):
        np.testing.assert_array_equal(numbers(status), [0, 3, 0])


def test_single_precision_is_as_good_as_its_digits():
    inputs = inputs_of("mean-square")
    double = sample(ON_DEVICE, inputs, 1)[0]
    single = replace(ON_DEVICE, evaluate=lambda batch: evaluate(batch, np.float32))
    # Moved by the ulps of double precision, copies are the same in single: the spread is 0 and
    # what is left is the rounding of the inputs and of the sweeps.
    found = sample(single, inputs, 1)[0]
    scale = np.concatenate([np.ravel(inputs.scale(name)) for name in inputs.wrt])
    weight = np.linalg.norm(double.gradient * scale)
    error = np.linalg.norm((found.gradient - double.gradient) * scale) / weight
    limit = 2 * ROUNDINGS * (inputs.spacing.size + 1) * inputs.steps
    assert error <= limit * SINGLE
    assert error > limit * EPSILON  # it is single precision


# ------------------------------------------------------------------ refusals


@pytest.mark.parametrize(
    "options, message",
    [
        ({"at_once": 0}, "at_once=0 must be at least 1 column."),
        ({"checkpoint": 0}, "checkpoint=0 must be at least 1 step."),
        ({"wanted": ["lamda"]}, "unknown quantity 'lamda'"),
    ],
)
def test_wrong_options_are_refused(options, message):
    with pytest.raises(InputError, match=message):
        cuda.gradient(*as_asked([inputs_of("mean-square")]), **options)


def test_wrong_arrays_are_refused():
    columns, insulated, sight, _ = as_asked([inputs_of("mean-square")])
    with pytest.raises(InputError, match="Tair is of type float32"):
        cuda.simulate(columns._replace(Tair=columns.Tair.astype(np.float32)), insulated)
    below = sight._replace(index=sight.index + 1000)
    with pytest.raises(InputError, match="outside of the column"):
        cuda.predict(columns, insulated, below)
