"""Values, gradients and Jacobians in scaled coordinates, held against routes and differences."""

from dataclasses import replace

import numpy as np
import pytest

from lsm_verify.cases import load_case
from lsm_verify.errors import InputError
from lsm_verify.inverse.evaluate import Evaluator
from lsm_verify.inverse.space import Space
from lsm_verify.inverse.unknowns import Unknown
from lsm_verify.parameters import Knots
from lsm_verify.routes import gradient
from lsm_verify.routes.oracle import forward_product, predictions

ROUND_OFF = 1e-10
"""Of gradients of one case by two routes, relative to the largest scaled component: the gate's own
bounds stand in tests/cross; here a wrong factor or index is looked for."""


def short(name="twin", steps=20):
    return load_case(name).window(steps)


def points(space, count=3, seed=0):
    return np.random.default_rng(seed).uniform(-1.2, 1.2, (count, space.size))


@pytest.fixture(scope="module")
def layered():
    return load_case("layered")


@pytest.mark.parametrize("logarithmic", [(), ("thermal_conductivity",)])
@pytest.mark.parametrize("route", ["fused", "adjoint", "tangent", "autograd"])
def test_score_is_the_route_by_the_chain_rule(route, logarithmic):
    case = short()
    space = Space.of(case, logarithmic=logarithmic)
    u = points(space)
    J, slope = Evaluator(case, space, route=route).score(u)
    for b, row in enumerate(space.physical(u)):
        value, by_name = gradient(case, space.named(row), route="adjoint")
        wanted = np.concatenate([np.ravel(by_name[n]) for n in space.names]) * space.slope(u[b])
        assert J[b] == pytest.approx(value, rel=ROUND_OFF)
        np.testing.assert_allclose(slope[b], wanted, atol=ROUND_OFF * np.abs(wanted).max())


def test_arrays_have_their_gradient(layered):
    space = Space.of(layered)
    assert any(u.shape for u in space.unknowns)
    u = points(space, 2) / 4
    J, slope = Evaluator(layered, space).score(u)
    oracle = Evaluator(layered, space, route="adjoint")
    value, wanted = oracle.score(u)
    np.testing.assert_allclose(J, value, rtol=ROUND_OFF)
    np.testing.assert_allclose(slope, wanted, atol=ROUND_OFF * np.abs(wanted).max())


def test_jacobian_is_the_oracles_tangent():
    case = short()
    space = Space.of(case, logarithmic=["bowen_ratio"])
    u = points(space, 2)
    y, J = Evaluator(case, space).jacobian(u)
    for b, row in enumerate(space.physical(u)):
        inputs = case.inputs(space.named(row), wrt=space.names)
        np.testing.assert_allclose(y[b], predictions(inputs), rtol=ROUND_OFF)
        for k in range(space.size):
            change = np.eye(space.size)[k] * space.slope(u[b])
            along = {n: np.asarray(x) for n, x in space.named(change).items()}
            wanted = forward_product(inputs, along)
            np.testing.assert_allclose(J[b, ..., k], wanted, atol=ROUND_OFF * np.abs(wanted).max())


def test_jacobian_and_score_belong_together(layered):
    space = Space.of(layered)
    evaluator = Evaluator(layered, space)
    u = points(space, 1) / 4
    y, J = evaluator.jacobian(u)
    np.testing.assert_allclose(y, evaluator.predict(u), rtol=1e-13)
    values, weights = evaluator.observed
    wanted = np.einsum("ks,ksp->p", 2 * weights * (y[0] - values), J[0]) / weights.sum()
    slope = evaluator.score(u)[1][0]
    np.testing.assert_allclose(slope, wanted, atol=ROUND_OFF * np.abs(wanted).max())


def test_a_users_function_of_unknowns_is_differentiated_through():
    case = short()
    wind = np.linspace(1.0, 5.0, case.forcing.steps)
    unknowns = [Unknown("a", 5.0, 15.0), Unknown("b", 1.0, 4.0)]

    def compose(c):
        import torch

        speed = torch.as_tensor(wind)
        return {"turbulent_transfer_coefficient": c["a"][:, None] + c["b"][:, None] * speed}

    space = Space(unknowns)
    for route in ("fused", "adjoint"):
        evaluator = Evaluator(case, space, route=route, compose=compose)
        u = points(space, 2)
        J, slope = evaluator.score(u)
        for b, (a, c) in enumerate(space.physical(u)):
            value, g = gradient(case, {"turbulent_transfer_coefficient": a + c * wind})
            bar = g["turbulent_transfer_coefficient"]
            wanted = np.array([bar.sum(), bar @ wind]) * space.scale
            assert J[b] == pytest.approx(value, rel=ROUND_OFF)
            np.testing.assert_allclose(slope[b], wanted, atol=ROUND_OFF * np.abs(wanted).max())
    _, Jacobian = evaluator.jacobian(u)
    h = 1e-4
    for k in range(2):
        ends = [evaluator.predict(u + sign * h * np.eye(2)[k]) for sign in (1, -1)]
        difference = (ends[0] - ends[1]) / (2 * h)
        # Truncation h² of a smooth function of size one kelvin, round-off ε · 300 K / h.
        np.testing.assert_allclose(Jacobian[..., k], difference, atol=1e-6)
    assert np.abs(Jacobian).max() > 0.1


@pytest.mark.parametrize("route", ["fused", "adjoint"])
def test_a_point_without_solution_is_not_a_number_and_leaves_the_others_alone(route):
    case = short()
    space = Space.of(case, ["heat_transfer_coefficient"])
    evaluator = Evaluator(case, space, route=route)
    u = space.scaled(np.array([[10.0], [-4000.0], [12.0]]))
    J, slope = evaluator.score(u)
    assert np.isnan(J).tolist() == [False, True, False]
    assert np.isnan(slope[:, 0]).tolist() == [False, True, False]
    alone, _ = evaluator.score(u[[0, 2]])
    np.testing.assert_array_equal(J[[0, 2]], alone)
    assert np.isnan(evaluator.predict(u)[1]).all()


def test_wrong_functions_of_unknowns_are_refused():
    case = short()
    space = Space([Unknown("a", 0.0, 1.0)])
    with pytest.raises(InputError, match="which is no parameter"):
        Evaluator(case, space, compose=lambda c: {"albdo": c["a"]})
    with pytest.raises(InputError, match="unknown route"):
        Evaluator(case, Space.of(case), route="x")
    knots = Unknown("albedo", 0.1, 0.3, shape=(2,), times=np.array([0.0, 1e5]))
    with pytest.raises(InputError, match="interpolate in that function"):
        Evaluator(case, Space([knots]), compose=lambda c: {"albedo": c["albedo"][:, 0]})


def test_knots_of_a_case_are_interpolated():
    case = short()
    times = np.array([0.0, 36_000.0, 72_000.0])
    start = {**case.start, "albedo": Knots(times, [0.2, 0.3, 0.25])}
    case = replace(case, start=start, truth=None)
    space = Space.of(case, ["albedo"])
    J, slope = Evaluator(case, space).score(space.scaled(np.array([[0.2, 0.3, 0.25]])))
    value, wanted = gradient(case, {"albedo": Knots(times, [0.2, 0.3, 0.25])}, route="adjoint")
    assert J[0] == pytest.approx(value, rel=ROUND_OFF)
    np.testing.assert_allclose(slope[0], wanted["albedo"] * space.scale, rtol=1e-8)
