"""The fused model: what it takes, that it agrees with the oracle, what it says of bad columns."""

from __future__ import annotations

from dataclasses import fields, replace

import numpy as np
import pytest
import torch
from hypothesis import given

from lsm_verify import Knots, gradient, load_case
from lsm_verify.errors import InputError, NoSolutionError
from lsm_verify.inputs import Inputs, Objective
from lsm_verify.kernels.columns import QUANTITIES
from lsm_verify.models import fused
from lsm_verify.models.column import Columns, expand, leaves
from lsm_verify.models.fused import arrays
from lsm_verify.routes.oracle import predictions, trajectory
from tests.strategies import columns as drawn

EPSILON = float(np.finfo(np.float64).eps)
SINGLE = float(np.finfo(np.float32).eps)

ROUNDINGS = 4
"""Roundings of a temperature per node and step in either model, see cross/test_forward."""

AGREEMENT = 1e-10
"""|Δg_j| s_j of exact routes in units of ‖g∘s‖, as in cross/test_gradients."""


def unit(inputs: Inputs, epsilon: float = EPSILON) -> float:
    return 2 * ROUNDINGS * (inputs.spacing.size + 1) * inputs.steps * epsilon


def evaluated(batch, **options):
    """Values and gradients by the public parameters of a batch."""
    leaf = leaves(batch, compact=True, **options)
    dtype = str(next(iter(leaf.parameters.values())).dtype).removeprefix("torch.")
    J = fused.score(
        expand(leaf),
        fused.sight_of(batch, dtype=dtype),
        fused.objective_of(batch, batch[0].objectives[0], dtype=dtype),
    )
    found = torch.autograd.grad(J.sum(), [leaf.parameters[n] for n in batch[0].wrt])
    return J.detach().numpy(), dict(zip(batch[0].wrt, (g.numpy() for g in found), strict=True))


def apart(found, wanted, inputs) -> float:
    """Largest difference of two gradients, by parameters in their own size, over the norm."""

    def vector(slope):
        sizes = {n: np.abs(inputs.parameters[n]) for n in inputs.wrt}
        return np.concatenate([np.ravel(slope[n] * sizes[n]) for n in inputs.wrt])

    difference = vector(found) - vector(wanted)
    return float(np.max(np.abs(difference)) / np.linalg.norm(vector(wanted)))


# ------------------------------------------------------------------ against the oracle


@given(inputs=drawn())
def test_temperatures_and_predictions_are_those_of_the_oracle(inputs):
    with torch.no_grad():
        columns = expand(leaves([inputs], compact=True))
        T = fused.simulate(columns)[0].numpy()
        y = fused.predict(columns, fused.sight_of([inputs]))[0].numpy()
    reference = trajectory(inputs)
    assert np.max(np.abs(T - reference) / reference) <= unit(inputs)
    size = np.max(np.abs(reference)) * np.max(inputs.parameters["thermal_conductivity"])
    for series, found, wanted in zip(inputs.series, y, predictions(inputs), strict=True):
        if series.kind == "soil_temperature":
            assert np.max(np.abs(found - wanted) / wanted) <= unit(inputs)
        elif series.kind == "soil_heat_flux":
            assert np.max(np.abs(found - wanted)) <= 2 * size / np.min(inputs.spacing) * unit(
                inputs
            )
        else:
            assert np.max(np.abs(found - wanted)) <= 1e3 * np.max(reference) * unit(inputs)


END = float(load_case("layered").window(8).forcing.elapsed[-1])
WAVE = 1 + 0.02 * np.cos(np.arange(60))
FORMS = {
    "one number each": {"albedo": 0.3, "heat_transfer_coefficient": 14.0, "bowen_ratio": 1.2,
                        "thermal_conductivity": 1.1, "volumetric_heat_capacity": 2e6},
    "per step": {"albedo": 0.3 * WAVE[:8], "heat_transfer_coefficient": 14.0,
                 "bowen_ratio": 1.2 * WAVE[:8], "bottom_temperature": 288.0 * WAVE[:8]},
    "per node and interface": {"thermal_conductivity": 1.1 * WAVE[:40],
                               "volumetric_heat_capacity": 2e6 * WAVE[:41],
                               "initial_temperature": 289.0 * WAVE[:41]},
    "knots": {"albedo": Knots(np.array([0.1, 0.5, 0.9]) * END, [0.2, 0.3, 0.25]),
              "turbulent_transfer_coefficient": Knots(np.array([0.2, 0.8]) * END, [20.0, 30.0])},
    "tied": {"bottom_temperature": 288.0, "initial_temperature": None, "emissivity": 0.93},
    "tied, per step": {"bottom_temperature": 288.0 * WAVE[:8], "initial_temperature": None},
    "forcing": {"SWdown": np.linspace(0.0, 700.0, 8), "LWdown": 300.0 * WAVE[:8],
                "Tair": 290.0 * WAVE[:8]},
}  # fmt: skip


@pytest.fixture(scope="module")
def day():
    case = load_case("layered").window(8)
    return replace(case, forcing=replace(case.forcing, SWdown=np.linspace(50.0, 800.0, 8)))


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("insulated", [False, True])
def test_every_form_has_the_gradient_of_the_adjoint(day, form, insulated):
    if insulated and form.startswith("tied"):
        pytest.skip("an insulated column has no bottom temperature to tie to")
    case = replace(day, insulated=insulated)
    inputs = case.inputs(FORMS[form])
    value, wanted = gradient(case, FORMS[form], route="adjoint")
    J, found = evaluated([inputs])
    assert J[0] == pytest.approx(value, rel=unit(inputs))
    assert {n: g.shape[1:] for n, g in found.items()} == {n: wanted[n].shape for n in inputs.wrt}
    assert apart({n: g[0] for n, g in found.items()}, wanted, inputs) <= AGREEMENT


@pytest.mark.parametrize("name", ["twin", "layered"])
@pytest.mark.parametrize("kind", ["mean-square", "half-sum-of-squares", "probe"])
def test_every_objective_has_the_gradient_of_the_adjoint(name, kind):
    case = load_case(name)
    seen = np.array([s.weights * np.ones(s.values.size) > 0 for s in case.inputs().series])
    weights = np.cos(np.arange(seen.size)).reshape(seen.shape) * seen
    objective = Objective(kind, weights if kind == "probe" else None)
    inputs = case.inputs(objectives=(objective,))
    value, wanted = gradient(case, objective=objective, route="adjoint")
    J, found = evaluated([inputs])
    assert J[0] == pytest.approx(value, rel=1e-9 if kind == "probe" else unit(inputs))
    assert apart({n: g[0] for n, g in found.items()}, wanted, inputs) <= AGREEMENT


def test_a_form_that_is_spread_wrongly_is_seen(day, planter):
    from lsm_verify.models import column

    planter.plant(
        column, "Tb[:, :1].expand(B, nodes) if", "(0.999 * Tb[:, :1]).expand(B, nodes) if"
    )
    inputs = day.inputs(FORMS["tied"])
    _, wanted = gradient(day, FORMS["tied"], route="adjoint")
    batch = column.leaves([inputs], compact=True)
    J = fused.score(
        column.expand(batch), fused.sight_of([inputs]), fused.objective_of([inputs], Objective())
    )
    found = torch.autograd.grad(J.sum(), [batch.parameters[n] for n in inputs.wrt])
    found = {n: g[0].numpy() for n, g in zip(inputs.wrt, found, strict=True)}
    assert apart(found, wanted, inputs) > AGREEMENT


# ------------------------------------------------------------------ batches


@pytest.fixture(scope="module")
def batch(day):
    return [
        day.inputs({"albedo": a, "thermal_conductivity": 1.1, "Tair": 290.0 * WAVE[:8]})
        for a in (0.1, 0.3, 0.2)
    ]


def test_a_batch_gives_what_its_columns_give_alone(batch):
    J, found = evaluated(batch)
    for b, inputs in enumerate(batch):
        alone, slope = evaluated([inputs])
        assert J[b] == alone[0]
        for name in inputs.wrt:
            assert np.array_equal(found[name][b], slope[name][0])


def test_what_is_shared_stays_shared_and_one_number_stays_one(batch):
    inputs = replace(batch[0], wrt=("albedo", "Tair"))
    leaf = leaves([replace(b, wrt=inputs.wrt) for b in batch], compact=True)
    shapes = {f.name: tuple(getattr(expand(leaf), f.name).shape) for f in fields(Columns)[:-1]}
    assert shapes == {
        "spacing": (1, 40), "time_step": (1, 8), "lam": (3, 1), "C": (1, 41), "albedo": (3, 1),
        "H": (1, 8), "Tb": (1, 8), "T0": (1, 41), "emissivity": (3,), "SWdown": (1, 8),
        "LWdown": (1, 8), "Tair": (3, 8),
    }  # fmt: skip
    taken = {name: a.shape for name, a in fused.columns_of(batch)._asdict().items()}
    assert taken == {**shapes, "emissivity": (3, 1)}


def test_full_columns_have_the_gradient_of_compact_ones(batch):
    """What was one number has a gradient per step or node, and these add up to its own."""
    sight, objective = fused.sight_of(batch), fused.objective_of(batch, Objective())
    compact, written = (expand(leaves(batch, compact=c)) for c in (True, False))
    names = ("lam", "C", "albedo", "T0", "Tb", "H")
    slopes = []
    for columns in (compact, written):
        tensors = {n: getattr(columns, n).detach().requires_grad_() for n in names}
        J = fused.score(replace(columns, **tensors), sight, objective)
        slopes.append((J, torch.autograd.grad(J.sum(), list(tensors.values()))))
    (J, few), (K, many) = slopes
    assert torch.equal(J, K)
    for a, b in zip(few, many, strict=True):
        assert tuple(b.shape[:1]) == (3,)
        total = b.sum_to_size(a.shape) if a.shape != b.shape else b
        size = b.abs().sum_to_size(a.shape) if a.shape != b.shape else b.abs()
        assert torch.all((total - a).abs() <= unit(batch[0]) * size)


@pytest.mark.parametrize("what", ["transposed", "strided"])
def test_layout_in_memory_does_not_matter(batch, what):
    sight, objective = fused.sight_of(batch), fused.objective_of(batch, Objective())
    columns = expand(leaves([replace(b, wrt=()) for b in batch]))

    def other(x):
        if what == "transposed":
            return x.T.contiguous().T
        return x.repeat_interleave(2, dim=-1)[..., ::2]

    moved = replace(
        columns, **{n: other(getattr(columns, n)) for n in QUANTITIES if n != "emissivity"}
    )
    assert torch.equal(fused.score(columns, sight, objective), fused.score(moved, sight, objective))


def test_only_what_requires_a_gradient_has_one(small):
    columns = replace(small.base, lam=small.base.lam.clone().requires_grad_())
    J = fused.score(columns, fused.sight_of([small.inputs]), small.objective)
    J.sum().backward()
    assert columns.lam.grad is not None
    assert columns.C.grad is None
    with torch.no_grad():
        assert not fused.score(
            columns, fused.sight_of([small.inputs]), small.objective
        ).requires_grad


def test_threads_change_no_bit(batch):
    several = batch * 10
    columns = expand(leaves(several, compact=True))
    sight, objective = fused.sight_of(several), fused.objective_of(several, Objective())
    found = [fused.score(columns, sight, objective, threads=n) for n in (1, 2)]
    assert torch.equal(*found)


def test_single_precision(day):
    inputs = day.inputs({"albedo": 0.3, "thermal_conductivity": 1.1})
    with torch.no_grad():
        T = fused.simulate(expand(leaves([inputs], dtype=torch.float32, compact=True)))
    assert T.dtype == torch.float32
    error = np.max(np.abs(T[0].double().numpy() - trajectory(inputs))) / 300
    assert EPSILON < error <= unit(inputs, SINGLE)
    J, found = evaluated([inputs], dtype=torch.float32)
    _, wanted = evaluated([inputs])
    assert J.dtype == np.float32
    assert (
        0
        < apart({n: g[0] for n, g in found.items()}, {n: g[0] for n, g in wanted.items()}, inputs)
        <= unit(inputs, SINGLE)
    )


# ------------------------------------------------------------------ columns without a solution

FROZEN = {
    "volumetric_heat_capacity": 1e-3,
    "thermal_conductivity": 1e-9,
    "turbulent_transfer_coefficient": 0.0,
    "SWdown": np.array([0.0, 0.0, -50.0, 0.0]),
    "LWdown": np.array([300.0, 300.0, 0.0, 300.0]),
}
"""Hardly any soil, and a third step in which the surface only loses energy."""


@pytest.fixture(scope="module")
def frozen():
    case = load_case("twin").window(4)
    sound = {**FROZEN, "LWdown": np.full(4, 300.0)}
    return [case.inputs(sound), case.inputs(FROZEN), case.inputs(sound)]


def run(batch, what, **options):
    columns = expand(leaves(batch, compact=True))
    if what == "simulate":
        return fused.simulate(
            replace(columns, **{n: getattr(columns, n).detach() for n in QUANTITIES})
        )
    if what == "predict":
        return fused.predict(columns, fused.sight_of(batch), **options)
    return fused.score(
        columns, fused.sight_of(batch), fused.objective_of(batch, Objective()), **options
    )


@pytest.mark.parametrize("what", ["simulate", "predict", "score"])
def test_a_column_without_solution_raises(frozen, what):
    with pytest.raises(NoSolutionError) as caught:
        run(frozen, what)
    assert (caught.value.step, caught.value.column) == (2, 1)
    with pytest.raises(NoSolutionError) as caught:
        run(frozen[1:2], what)
    assert (caught.value.step, caught.value.column) == (2, None)


@pytest.mark.parametrize("what", ["predict", "score"])
def test_or_has_a_status_and_spoils_no_other(frozen, what):
    found, status = run(frozen, what, with_status=True)
    assert status.tolist() == [0, 3, 0]
    assert torch.isnan(found[1]).all()
    assert torch.equal(found[0], run(frozen[:1], what)[0])
    leaf = leaves(frozen, compact=True)
    sight = fused.sight_of(frozen)
    J, status = fused.score(
        expand(leaf), sight, fused.objective_of(frozen, Objective()), with_status=True
    )
    (slope,) = torch.autograd.grad(
        J[status == 0].sum(), leaf.parameters["volumetric_heat_capacity"]
    )
    assert torch.isfinite(slope[[0, 2]]).all()
    assert torch.isnan(slope[1])


# ------------------------------------------------------------------ refusals


def refused(small, **changes) -> str:
    columns = replace(small.base, **changes)
    with pytest.raises(InputError) as caught:
        fused.score(columns, fused.sight_of([small.inputs]), small.objective)
    return str(caught.value)


def test_devices_and_types(small):
    lam = small.base.lam
    assert refused(small, lam=lam.to("meta")) == "lam is on meta, spacing on cpu; move all to one."
    everywhere = {
        f.name: getattr(small.base, f.name).to("meta")
        for f in fields(Columns)
        if f.name != "insulated"
    }
    assert refused(small, **everywhere).startswith(
        "the fused model runs on cpu and cuda, not on meta"
    )
    assert refused(small, lam=lam.bfloat16()) == (
        "lam is of type torch.bfloat16; give float64 or float32."
    )
    assert refused(small, lam=lam.float()) == "lam is of type float32; give float64."
    assert "lam has shape" in refused(small, lam=lam[:, :2])


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA GPU here")
def test_no_kernels_for_a_device():
    assert arrays.has_kernels("cpu")
    assert not arrays.has_kernels("cuda")
    assert not arrays.has_kernels("meta")
    with pytest.raises(InputError, match='Or take model="direct"'):
        arrays._kernels("cuda")


def test_observed_values_are_constants(small):
    """Tensors would make torch believe that it can differentiate by them."""
    values = torch.as_tensor(small.objective.values).requires_grad_()
    with pytest.raises(InputError, match="values of the objective"):
        fused.score(
            small.base, fused.sight_of([small.inputs]), small.objective._replace(values=values)
        )
