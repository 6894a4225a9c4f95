"""Exact solutions: both models meet them, and a model that does not converge to them fails."""

from __future__ import annotations

from dataclasses import dataclass
from types import ModuleType

import numpy as np
import pytest

from lsm_reference import forward
from lsm_verify.models import direct
from lsm_verify.quantities import STEFAN_BOLTZMANN
from lsm_verify.routes import MODELS
from lsm_verify.verify import convergence as check
from lsm_verify.verify.exact import (
    CONDUCTIVITY,
    DIFFUSIVITY,
    drifting,
    half_space,
    manufactured,
    sample,
)
from lsm_verify.verify.result import CheckResult, Reason, Verdict

WAVE, HALF, PRESCRIBED, INSULATED = (
    "manufactured forcing",
    "half-space under constant air",
    "drifting column, prescribed bottom",
    "drifting column, insulated bottom",
)
EVERY = {WAVE, HALF, PRESCRIBED, INSULATED}


def by_point(model: str) -> dict[str, CheckResult]:
    results = check.convergence(model)
    assert len(results) == len(EVERY)
    return {r.point: r for r in results}


@pytest.mark.parametrize("model", MODELS)
def test_the_models_have_the_orders_of_the_scheme(model):
    results = by_point(model)
    assert set(results) == EVERY
    for result in results.values():
        assert result.verdict is Verdict.PASS, result
        assert result.reason is None
        assert result.subject == model
        assert not result.primary
    assert 0 < results[WAVE].value < check.WIDTH / 2
    assert "order 1.00 in Δt, 2.00 in Δz" in results[WAVE].message
    assert results[PRESCRIBED].value < check.EXACT_LIMIT / 4


@dataclass(frozen=True)
class Error:
    """A planted error, the solutions on which it must fail and those that cannot see it."""

    module: ModuleType
    old: str
    new: str
    fails: set[str]

    def plant(self, planter) -> str:
        if self.module is forward:
            planter.plant_in_oracle(self.module, self.old, self.new)
            return "oracle"
        planter.plant(self.module, self.old, self.new)
        return "torch"


# Forcing that is late, and steps that are swapped, vanish with Δt: orders cannot show them.
ERRORS = {
    "oracle: whole control volume at the surface": Error(
        forward, "C[0] * (dz[0] / 2) / dt", "C[0] * dz[0] / dt", EVERY
    ),
    "oracle: control volumes of one side": Error(
        forward, "((dz[i - 1] + dz[i]) / 2)", "dz[i]", EVERY
    ),
    "oracle: emission with the third power": Error(
        forward, "c4 * x3 * x - rhs", "c4 * x3 - rhs", EVERY - {HALF}
    ),
    "oracle: emissivity dropped": Error(forward, "c4 = column.eps * SIGMA", "c4 = SIGMA", EVERY),
    "oracle: reflected instead of absorbed": Error(
        forward, "(1 - column.alpha[n]) * column.SW[n]", "column.SW[n]", EVERY - {HALF}
    ),
    "oracle: conductance of the neighbour": Error(
        forward, "D = s[i] + g[i - 1] + k", "D = s[i] + g[i] + k", EVERY
    ),
    "oracle: shortwave of the step before": Error(
        forward,
        "column.SW[n] + column.LW[n]",
        "column.SW[n - 1] + column.LW[n]",
        {PRESCRIBED, INSULATED},
    ),
    "oracle: air of the step before": Error(
        forward,
        "absorbed + column.H[n] * column.Ta[n]",
        "absorbed + column.H[n] * column.Ta[n - 1]",
        {PRESCRIBED, INSULATED},
    ),
    "oracle: bottom of the step before": Error(
        forward, "r, column.Tb[n], column", "r, column.Tb[n - 1], column", {PRESCRIBED}
    ),
    "oracle: another step's length": Error(
        forward,
        "storage(dz, C, column.dt[n], s)",
        "storage(dz, C, column.dt[n - 1], s)",
        {PRESCRIBED, INSULATED},
    ),
    "oracle: whole control volume at an insulated bottom": Error(
        forward, "s[N] = C[N] * (dz[N - 1] / 2) / dt", "s[N] = C[N] * dz[N - 1] / dt", {INSULATED}
    ),
    "torch: whole control volume at the surface": Error(
        direct, "torch.cat([half[:, :1]", "torch.cat([2 * half[:, :1]", EVERY
    ),
    "torch: emission with the third power": Error(
        direct,
        "x = x - (c1 * x + c4 * x3 * x - load)",
        "x = x - (c1 * x + c4 * x3 - load)",
        EVERY - {HALF},
    ),
    "torch: emissivity dropped": Error(
        direct,
        "c4 = columns.emissivity * STEFAN",
        "c4 = torch.ones_like(columns.emissivity) * STEFAN",
        EVERY,
    ),
    "torch: response of the surface": Error(
        direct,
        "response = inverse[..., 0] * g[:, None, :1]",
        "response = inverse[..., 0] * g[:, None, 1:2]",
        EVERY,
    ),
    "torch: forcing of the step before": Error(
        direct, "absorbed[:, n]", "absorbed[:, n - 1]", {PRESCRIBED, INSULATED}
    ),
    "torch: bottom of the step before": Error(
        direct,
        "bottom = g[:, -1] * columns.Tb[:, n]",
        "bottom = g[:, -1] * columns.Tb[:, n - 1]",
        {PRESCRIBED},
    ),
    "torch: another step's length": Error(
        direct, "soil = soils[d]", "soil = soils[which[n - 1]]", {PRESCRIBED, INSULATED}
    ),
}


@pytest.mark.parametrize("what", ERRORS)
def test_a_planted_error_fails(planter, what):
    error = ERRORS[what]
    results = by_point(error.plant(planter))
    assert error.fails <= {p for p, r in results.items() if r.verdict is Verdict.FAIL}
    for point in error.fails:
        expected = Reason.ORDER if point in (WAVE, HALF) else Reason.MISMATCH
        assert results[point].reason is expected


@pytest.mark.parametrize(
    "module, old, new",
    [
        (forward, "C[0] * (dz[0] / 2) / dt", "C[0] * dz[0] / (2 * dt)"),
        (
            direct,
            "x = x - (c1 * x + c4 * x3 * x - load) /",
            "x = x - (x * (c1 + c4 * x3) - load) /",
        ),
    ],
)
def test_the_same_value_in_other_arithmetic_passes(planter, module, old, new):
    results = by_point(Error(module, old, new, set()).plant(planter))
    assert {r.verdict for r in results.values()} == {Verdict.PASS}


def test_convergence_to_something_else_is_told_from_a_wrong_order(planter):
    """The runs alone converge well; the index does not hold the error."""
    planter.plant_in_oracle(forward, "c4 = column.eps * SIGMA", "c4 = 0.99 * column.eps * SIGMA")
    found = check.order(check.errors_in_time(MODELS["oracle"], manufactured()), 1.0)
    assert abs(found.self_observed - 1) < check.WIDTH
    assert abs(found.observed - 1) > 0.5
    assert found.error > found.index


def fields(sizes):
    shape = np.random.default_rng(1).standard_normal((4, 5))
    return [size * shape for size in sizes]


@pytest.mark.parametrize(
    "sizes, off",
    [
        ((4.0, 2.0, 1.0), 0.0),  # the order of the scheme
        ((16.0, 4.0, 1.0), 1.0),  # too good is wrong as well
        ((1.0, 1.0, 1.0), np.inf),  # does not change
        ((1.0, 2.0, 4.0), 2.0),  # diverges
        ((0.0, 0.0, 0.0), np.inf),  # measures nothing
        ((np.nan, 1.0, 0.5), np.inf),
    ],
)
def test_orders_are_judged_to_both_sides(sizes, off):
    assert check.order(fields(sizes), 1.0).off == pytest.approx(off, abs=1e-12)


def test_the_index_holds_the_error_at_the_right_order_and_not_beside_a_constant():
    right = check.order(fields((4.0, 2.0, 1.0)), 1.0)
    assert right.error < right.index == pytest.approx(check.SAFETY * right.error)
    beside = check.order([e + 50.0 for e in fields((4.0, 2.0, 1.0))], 1.0)
    assert abs(beside.self_observed - 1) < 1e-12
    assert beside.error > beside.index
    assert beside.off > 0.5


def test_a_model_of_too_high_an_order_fails():
    """Second order in time is not this scheme: someone measured something else."""

    def model(batch):
        exact, coarse = [], 1.0
        for inputs in batch:
            solution = manufactured()
            nodes, steps = inputs.spacing.size, inputs.steps
            T = sample(solution, nodes, steps)[1]
            wave = np.sin(np.arange(T.shape[0]) / steps * 3)[:, None]
            exact.append((T + wave * (coarse / steps**2 + coarse / nodes**2), None))
        return exact

    result = check.orders(model, manufactured(), subject="mine")
    assert (result.verdict, result.reason) == (Verdict.FAIL, Reason.ORDER)
    assert "order 2.00 in Δt" in result.message


@pytest.mark.parametrize("insulated", [False, True])
def test_a_model_that_returns_no_numbers_fails(insulated):
    def model(batch):
        return [(np.full((i.steps + 1, i.spacing.size + 1), np.nan), None) for i in batch]

    assert check.exactness(model, insulated=insulated, subject="mine").verdict is Verdict.FAIL
    assert check.orders(model, half_space(), subject="mine").verdict is Verdict.FAIL


# ---------------------------------------------------------------- the solutions themselves


@pytest.mark.parametrize("make", [manufactured, half_space])
def test_the_solution_solves_the_heat_equation_and_the_surface_balance(make):
    """Differences of 4th order, of steps at which truncation and round-off are below 1e-6."""
    solution = make()
    t = solution.start + np.linspace(0.1, 0.9, 7) * solution.duration
    z = np.linspace(0.02, solution.depth, 9)
    dt, dz = 60.0, 2e-3
    T = solution.temperature

    def first(f, h):
        return (8 * (f(h) - f(-h)) - (f(2 * h) - f(-2 * h))) / (12 * h)

    T_t = first(lambda h: T(t + h, z), dt)
    T_zz = (16 * (T(t, z + dz) + T(t, z - dz)) - T(t, z + 2 * dz) - T(t, z - 2 * dz)) / 12
    T_zz = (T_zz - 2.5 * T(t, z)) / dz**2
    assert np.max(np.abs(T_t - DIFFUSIVITY * T_zz)) < 1e-5 * np.max(np.abs(T_t))
    surface = np.zeros(1)
    gradient = first(lambda h: T(t, surface + h), dz)[:, 0]
    forcing, p = solution.forcing(t), solution.parameters
    T_0 = T(t, surface)[:, 0]
    net = (
        (1 - p["albedo"]) * forcing["SWdown"]
        + forcing["LWdown"]
        - p["emissivity"] * STEFAN_BOLTZMANN * T_0**4
        - p["turbulent_transfer_coefficient"] * (T_0 - forcing["Tair"])
    )
    conducted = -CONDUCTIVITY * gradient
    assert np.max(np.abs(conducted)) > 10
    assert np.max(np.abs(net - conducted)) < 1e-5 * np.max(np.abs(conducted))


def test_sunshine_and_temperatures_are_physical():
    cases = [sample(manufactured(), 32, 64), sample(half_space(), 32, 64)]
    cases += [drifting(insulated=bottom) for bottom in (False, True)]
    for inputs, exact in cases:
        sun = inputs.parameters["SWdown"]
        assert np.all(sun >= 0)
        assert np.all(sun <= 1400)
        assert np.all((exact > 250) & (exact < 330))


def test_a_run_starts_on_the_solution_and_has_its_bottom():
    inputs, exact = sample(manufactured(), 8, 5)
    np.testing.assert_array_equal(inputs.parameters["initial_temperature"], exact[0])
    np.testing.assert_array_equal(inputs.parameters["bottom_temperature"], exact[1:, -1])
    assert np.ptp(inputs.spacing) > 0
