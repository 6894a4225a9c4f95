"""Every route to the gradient on every case: what the issue says must be shown."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from lsm_verify import Knots, gradient, load_case, verify
from lsm_verify.cases import Case
from lsm_verify.grid import Grid
from lsm_verify.inputs import Inputs, Objective
from lsm_verify.routes import ROUTES
from lsm_verify.verify.result import Report, Verdict
from lsm_verify.verify.target import flatten, scales

AGREEMENT = 1e-10
"""|Δg_j| s_j of any exact route against complex step, in units of ‖g∘s‖."""

DIFFERENCE, WEIGHTY_DIFFERENCE, WEIGHTY = 1e-8, 1e-6, 1e-3
"""U_j s_j of finite differences in units of ‖g∘s‖; relative U_j wherever |g_j s_j| ≥ 1e-3 ‖g∘s‖."""

ENERGY = 2e-10
"""Mean |residual| per step [W m-2]: the storage terms, some 5e4 W m-2, carry 1e-11 each."""

EXACT = ("adjoint", "tangent", "autograd", "fused", "complex-step")

CASES = (
    "twin",
    "twin-one-depth",
    pytest.param("layered", marks=pytest.mark.slow),
    pytest.param("phoenix", marks=pytest.mark.phoenix),
)


@pytest.fixture(scope="module", params=CASES)
def report(request: pytest.FixtureRequest) -> Report:
    """One full run of the main job per case, shared by the tests below."""
    name = request.param
    data = request.getfixturevalue("data_dir") if name == "phoenix" else None
    return verify(load_case(name, data=data), points=1)


WINDOW = "first 5 steps"


def rows(report: Report, *, window: bool = False):
    """Components at every point with signal, or those of the short window."""
    return [
        (p, row)
        for p in report.points
        for row in p.rows
        if (p.point == WINDOW) is window and (p.point, p.objective) != ("truth", "J")
    ]


def test_the_main_job_passes(report):
    assert report.verdict is Verdict.PASS
    assert report.exit_code == 0
    left = [c for c in report.checks if c.verdict is not Verdict.PASS and not c.covered]
    assert left == []


def test_it_looks_at_the_start_random_points_and_both_objectives(report):
    points = {p.point for p in report.points}
    assert {"start", "random 1", WINDOW} <= points
    assert points & {"truth", "published"}
    for point in points:
        assert {p.objective for p in report.points if p.point == point} == {"J", "probe"}


def test_exact_routes_agree_with_complex_step_in_every_component(report):
    for point, row in rows(report):
        assert set(EXACT) <= set(row.gradients)
        exact = row.gradients["complex-step"]
        for route in EXACT:
            assert abs(row.gradients[route] - exact) * row.scale <= AGREEMENT * point.norm


def test_finite_differences_confirm_as_far_as_promised(report):
    for point, row in rows(report):
        u = row.finite_difference_uncertainty
        assert u * row.scale <= DIFFERENCE * point.norm
        for route in EXACT:
            assert (
                abs(row.gradients[route] - row.finite_difference)
                <= u + AGREEMENT * point.norm / row.scale
            )
        if row.share >= WEIGHTY:
            assert u <= WEIGHTY_DIFFERENCE * abs(row.gradients["complex-step"])


def test_multiprecision_confirms_a_short_window(report):
    for point, row in rows(report, window=True):
        truth = row.gradients["multiprecision"]
        for route in EXACT:
            assert abs(row.gradients[route] - truth) * row.scale <= AGREEMENT * point.norm
    window = [c for c in report.checks if c.point == WINDOW]
    assert {c.objective for c in window} == {"J", "probe"}
    assert all("multiprecision" in c.subject and c.verdict is Verdict.PASS for c in window)
    assert all(c.bound <= AGREEMENT for c in window)


def test_the_misfit_has_no_signal_at_the_truth_and_the_probe_has(report):
    at_truth = {
        c.objective: c for c in report.checks if c.point == "truth" and c.check == "agreement"
    }
    if not at_truth:
        pytest.skip("the case has no truth: its observations are real")
    assert at_truth["J"].verdict is Verdict.INCONCLUSIVE
    assert at_truth["J"].covered
    assert at_truth["probe"].verdict is Verdict.PASS


def test_energy_closes(report):
    energy = [c for c in report.checks if c.check == "energy closure"]
    assert {c.subject for c in energy} == {"oracle", "torch", "fused"}
    for check in energy:
        assert float(check.message.partition("|residual| ")[2].split()[0]) <= ENERGY


# ------------------------------------------------------------------ every form of every parameter


def small(steps: int = 8) -> Case:
    """The layered case with ten interfaces, by day: every kind of observation, variable steps."""
    case = load_case("layered").window(steps)
    day = replace(case.forcing, SWdown=np.linspace(50.0, 800.0, steps))
    grid = Grid.stretched(1.5, 10, 1.5)
    values = {
        "thermal_conductivity": 1.1,
        "volumetric_heat_capacity": 2.1e6,
        "initial_temperature": 289.0,
    }
    start = {**case.start, **values}
    ranges = {k: (0.98 * np.asarray(v), 1.02 * np.asarray(v)) for k, v in start.items()}
    return replace(case, grid=grid, forcing=day, start=start, ranges=ranges, truth=None)


STEPS, NODES = 8, 11
END = float(small().forcing.elapsed[-1])
STEP_WISE = (
    "albedo",
    "turbulent_transfer_coefficient",
    "heat_transfer_coefficient",
    "bowen_ratio",
    "bottom_temperature",
)
TYPICAL = {
    "albedo": 0.25,
    "heat_transfer_coefficient": 14.0,
    "bowen_ratio": 1.2,
    "turbulent_transfer_coefficient": 22.0,
    "thermal_conductivity": 0.9,
    "volumetric_heat_capacity": 1.9e6,
    "bottom_temperature": 288.0,
    "initial_temperature": 290.0,
    "emissivity": 0.93,
}
WAVE = 1 + 0.02 * np.cos(np.arange(20))

FORMS = {
    "numbers": {k: v for k, v in TYPICAL.items() if k != "turbulent_transfer_coefficient"},
    "combined": {
        k: v for k, v in TYPICAL.items() if k not in ("heat_transfer_coefficient", "bowen_ratio")
    },
    "tied": {"bottom_temperature": 288.0, "initial_temperature": None},
    "tied, per step": {"bottom_temperature": 288.0 * WAVE[:STEPS], "initial_temperature": None},
    "per step": {
        k: TYPICAL[k] * WAVE[:STEPS] for k in STEP_WISE if k != "turbulent_transfer_coefficient"
    },
    "per node and interface": {
        "thermal_conductivity": 0.9 * WAVE[: NODES - 1],
        "volumetric_heat_capacity": 1.9e6 * WAVE[:NODES],
        "initial_temperature": 290.0 * WAVE[:NODES],
    },
    "knots": {
        k: Knots(np.array([0.1, 0.45, 0.9]) * END, TYPICAL[k] * np.array([1.0, 1.1, 0.95]))
        for k in STEP_WISE
        if k not in ("heat_transfer_coefficient", "bowen_ratio")
    },
    "knots of h and β": {
        k: Knots(np.array([0.2, 0.8]) * END, TYPICAL[k] * np.array([1.0, 1.3]))
        for k in ("heat_transfer_coefficient", "bowen_ratio")
    },
    "forcing": {
        "SWdown": np.linspace(100.0, 700.0, STEPS),
        "LWdown": np.linspace(300.0, 340.0, STEPS),
        "Tair": np.linspace(288.0, 296.0, STEPS),
    },
}


def size_of(value) -> np.ndarray:
    return np.abs(np.asarray(value.values if isinstance(value, Knots) else value))


def vector(values, given) -> np.ndarray:
    kept = {k: v for k, v in given.items() if v is not None}
    return np.concatenate([np.ravel(values[k] * size_of(v)) for k, v in kept.items()])


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("insulated", [False, True])
@pytest.mark.parametrize("kind", ["mean-square", "half-sum-of-squares"])
def test_every_form_of_every_parameter(form, insulated, kind):
    given = FORMS[form]
    if insulated and form.startswith("tied"):
        pytest.skip("an insulated column has no bottom temperature to tie to")
    case = replace(small(), insulated=insulated)
    found = {r: gradient(case, given, route=r, objective=Objective(kind)) for r in EXACT}
    value, exact = found["complex-step"]
    truth = vector(exact, given)
    for name, (v, g) in found.items():
        assert v == pytest.approx(value, rel=1e-12), name
        for key, x in given.items():
            if x is not None:
                assert g[key].shape == size_of(x).shape
        assert np.max(np.abs(vector(g, given) - truth)) <= AGREEMENT * np.linalg.norm(truth), name
    moved = [
        k
        for k, v in given.items()
        if v is not None and not (insulated and k == "bottom_temperature")
    ]
    assert all(np.any(exact[k] != 0) for k in moved)


def test_insulated_column_ignores_its_bottom_temperature_in_every_route():
    case = replace(small(), insulated=True)
    for route in EXACT:
        slope = gradient(case, {"bottom_temperature": 288.0, "albedo": 0.2}, route=route)[1]
        assert slope["bottom_temperature"] == 0


# ------------------------------------------------------------------ batches, probe


def test_a_batch_gives_what_its_columns_give_alone():
    case = small()
    batch = {
        "albedo": np.array([[0.1], [0.3], [0.2]]),
        "emissivity": 0.9,
        "thermal_conductivity": WAVE[:10] * np.array([[1.0], [2.0], [0.5]]),
    }
    for route in ("autograd", "adjoint", "fused"):
        values, slopes = gradient(case, batch, route=route)
        for b in range(3):
            alone = {
                "albedo": batch["albedo"][b, 0],
                "emissivity": 0.9,
                "thermal_conductivity": batch["thermal_conductivity"][b],
            }
            value, slope = gradient(case, alone, route=route)
            assert values[b] == pytest.approx(value, rel=1e-12)
            norm = np.linalg.norm(vector(slope, alone))
            here = {k: np.reshape(v[b], slope[k].shape) for k, v in slopes.items()}
            assert np.max(np.abs(vector(here, alone) - vector(slope, alone))) <= AGREEMENT * norm


def test_several_objectives_share_one_run():
    inputs = small().inputs()
    rng = np.random.default_rng(3)
    probe = Objective(
        "probe",
        rng.standard_normal((5, STEPS + 1)) * np.array([s.weights > 0 for s in inputs.series]),
    )
    objectives = (Objective(), probe, Objective("half-sum-of-squares"))
    for route in EXACT:
        together = ROUTES[route].evaluate([replace(inputs, objectives=objectives)])[0]
        for objective, (value, slope) in zip(objectives, together, strict=True):
            alone = ROUTES[route].evaluate([replace(inputs, objectives=(objective,))])[0][0]
            assert value == pytest.approx(alone[0], rel=1e-13)
            g, t = scaled(inputs, slope), scaled(inputs, alone[1])
            assert np.max(np.abs(g - t)) <= AGREEMENT * np.linalg.norm(t)


def scaled(inputs: Inputs, slope) -> np.ndarray:
    return flatten(inputs, slope) * scales(inputs)


def with_observed(inputs: Inputs, change) -> Inputs:
    """Copy with other observed values, the weights as they are."""
    changed = []
    for s in inputs.series:
        values = np.where(s.weights > 0, s.values, 300.0)
        changed.append(replace(s, values=change(values, s.weights > 0), weights=s.weights))
    return replace(inputs, series=tuple(changed))


@pytest.mark.parametrize("route", EXACT)
def test_a_missing_value_counts_nothing(route):
    """What stands in a gap has no influence on value and gradient; what is observed has."""
    inputs = small().inputs()
    plain, gaps, seen = (
        ROUTES[route].evaluate([with_observed(inputs, change)])[0][0]
        for change in (lambda v, w: v, lambda v, w: v + 50.0 * ~w, lambda v, w: v + 0.5 * w)
    )
    assert gaps[0] == plain[0]
    assert np.array_equal(flatten(inputs, gaps[1]), flatten(inputs, plain[1]))
    assert seen[0] != plain[0]
    assert not np.array_equal(flatten(inputs, seen[1]), flatten(inputs, plain[1]))


class _Outside(torch.autograd.Function):
    """A caller's own function, in whose forward run torch builds no graph."""

    @staticmethod
    def forward(ctx, x, take, kept):
        kept.append(take())
        return x.clone()

    @staticmethod
    def backward(ctx, slope):
        return slope, None, None


def without_graph(take):
    with torch.no_grad():
        return take()


def inferring(take):
    with torch.inference_mode():
        return take()


def within_a_function(take):
    kept = []
    _Outside.apply(torch.ones(1, requires_grad=True), take, kept)
    return kept[0]


@pytest.mark.parametrize("where", [without_graph, inferring, within_a_function])
@pytest.mark.parametrize("route", EXACT)
def test_a_gradient_is_the_same_where_the_caller_builds_no_graph(where, route):
    case = load_case("twin").window(3)
    value, wanted = gradient(case, route=route)
    same, found = where(lambda: gradient(case, route=route))
    assert same == value
    assert any(np.any(g != 0) for g in wanted.values())
    for name, g in wanted.items():
        np.testing.assert_array_equal(found[name], g)
