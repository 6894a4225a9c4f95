"""The CPU kernels against the oracle, by the rule of the primary gate: differences in units of the
spread that inputs moved by an ulp cause."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given

from lsm_reference import evaluate as oracle
from lsm_verify.inputs import ulp_copies
from lsm_verify.kernels import cpu
from lsm_verify.kernels.columns import QUANTITIES, Columns
from lsm_verify.routes.oracle import to_problem
from lsm_verify.verify.agreement import PASS_Z
from lsm_verify.verify.draws import draw_case
from tests.kernels.conftest import (
    canonical,
    changes_of,
    everything,
    fields,
    objective_of,
    sight_of,
    worst_z,
)
from tests.strategies import cases

EPSILON = np.finfo(np.float64).eps
SEEDS = range(12)
COPIES = 8


def drawn(seed):
    return everything(draw_case(np.random.default_rng(seed)).inputs())


def moved(inputs):
    """The inputs and copies moved by an ulp."""
    return [inputs, *ulp_copies(inputs, COPIES, np.random.default_rng(3))]


def apart(mine, theirs):
    """Largest difference of two (1 + copies, ...) results in units of their joint spread."""
    spread = np.hypot(mine[1:].std(axis=0, ddof=1), theirs[1:].std(axis=0, ddof=1))
    size = np.maximum(np.abs(mine[0]), np.abs(theirs[0]))
    unit = spread + EPSILON * size + EPSILON * np.sqrt(np.mean(theirs[0] ** 2))
    difference = np.abs(mine[0] - theirs[0])
    return float(np.max(np.where(difference == 0, 0.0, difference / unit)))


@pytest.mark.parametrize("seed", SEEDS)
def test_scores_and_gradients_agree(seed):
    assert worst_z(drawn(seed)) <= PASS_Z


@given(case=cases(max_interfaces=6, max_steps=4))
def test_scores_and_gradients_agree_in_odd_corners(case):
    assert worst_z(everything(case.inputs())) <= PASS_Z


@pytest.mark.parametrize("seed", SEEDS[:6])
def test_trajectories_and_predictions_agree(seed):
    batch = moved(drawn(seed))
    runs = [oracle.simulate(to_problem(inputs)) for inputs in batch]
    columns, sight = canonical(batch), sight_of(batch)
    T, status = cpu.simulate(columns, batch[0].insulated)
    assert not status.any()
    assert apart(T, np.stack([run.T for run in runs])) <= PASS_Z
    y, status = cpu.predict(columns, batch[0].insulated, sight)
    assert not status.any()
    for k in range(y.shape[1]):
        assert apart(y[:, k], np.stack([run.y[k] for run in runs])) <= PASS_Z


@pytest.mark.parametrize("seed", SEEDS[:6])
def test_the_score_alone_is_that_of_the_gradient(seed):
    batch = moved(drawn(seed))
    columns, sight = canonical(batch), sight_of(batch)
    for which in batch[0].objectives:
        objective = objective_of(batch, which)
        J, _ = cpu.score(columns, batch[0].insulated, sight, objective)
        again, _, _, y = cpu.gradient(
            columns, batch[0].insulated, sight, objective, ("lam",), return_predictions=True
        )
        assert np.array_equal(J, again)
        assert np.array_equal(y, cpu.predict(columns, batch[0].insulated, sight)[0])


@pytest.mark.parametrize("seed", SEEDS[:6])
def test_tangents_agree(seed):
    batch = moved(drawn(seed))
    rng = np.random.default_rng(seed)
    change = {n: v * rng.standard_normal(np.shape(v)) for n, v in batch[0].parameters.items()}
    d, theirs = changes_of(batch, change)
    y, dy, status = cpu.tangent(canonical(batch), d, batch[0].insulated, sight_of(batch))
    assert not status.any()
    assert np.array_equal(y, cpu.predict(canonical(batch), batch[0].insulated, sight_of(batch))[0])
    for k in range(dy.shape[1]):
        assert apart(dy[:, k], theirs[:, k]) <= PASS_Z


@pytest.mark.parametrize("seed", SEEDS[:6])
def test_tangent_and_gradient_are_transposed(seed):
    """⟨w, δy⟩ = ⟨gradient of ⟨w, y⟩, δ⟩, both summed with the spread of their terms."""
    inputs = drawn(seed)
    columns, sight = canonical([inputs]), sight_of([inputs])
    rng = np.random.default_rng(seed)
    d = Columns(*(a * rng.standard_normal(a.shape) for a in columns))
    if inputs.insulated:
        d = d._replace(Tb=np.zeros_like(columns.Tb))
    objective = objective_of([inputs], inputs.objectives[-1])
    _, dy, _ = cpu.tangent(columns, d, inputs.insulated, sight)
    _, bars, _ = cpu.gradient(columns, inputs.insulated, sight, objective)
    left = objective.weights * dy
    right = np.concatenate([(bars[name] * getattr(d, name)).ravel() for name in QUANTITIES])
    # Round-off grows with the recurrences' condition, seen above to stay below 1e4 ε.
    size = np.abs(left).sum() + np.abs(right).sum()
    assert abs(left.sum() - right.sum()) <= 1e4 * EPSILON * size


# ------------------------------------------------------------------ single precision


def single_copies(arrays, rng):
    """Float32 arrays (1, n) as a batch of copies, all but the first moved by an ulp of float32."""
    result = []
    for array in arrays:
        rows = np.repeat(array.astype(np.float32), 1 + COPIES, axis=0)
        toward = np.where(rng.random(rows[1:].shape) < 0.5, -np.inf, np.inf).astype(np.float32)
        rows[1:] = np.where(rows[1:] == 0, rows[1:], np.nextafter(rows[1:], toward))
        result.append(rows)
    return result


@pytest.mark.parametrize("seed", SEEDS)
def test_single_precision_is_double_precision_rounded(seed):
    """The same numbers in both: differences in units of what an ulp of float32 in inputs does."""
    inputs = drawn(seed)
    rng = np.random.default_rng(seed)
    equal = canonical([inputs])
    columns = Columns(*single_copies(equal, rng))
    if np.ptp(inputs.time_step) == 0:
        columns = columns._replace(time_step=np.repeat(columns.time_step[:, :1], inputs.steps, 1))
    sight = sight_of([inputs])
    single_sight = sight._replace(fraction=sight.fraction.astype(np.float32))
    double_sight = sight._replace(fraction=single_sight.fraction.astype(np.float64))
    double = Columns(*(a.astype(np.float64) for a in columns))
    for which in inputs.objectives:
        single_objective = objective_of([inputs], which, np.float32)
        double_objective = single_objective._replace(
            values=single_objective.values.astype(np.float64),
            weights=single_objective.weights.astype(np.float64),
        )
        low = cpu.gradient(columns, inputs.insulated, single_sight, single_objective)
        high = cpu.gradient(double, inputs.insulated, double_sight, double_objective)
        assert low[0].dtype == np.float32
        pairs = [(low[0][:, None], high[0][:, None])]
        scale = [np.ones(1)]
        for name in QUANTITIES:
            pairs.append((low[1][name], high[1][name]))
            scale.append(np.abs(getattr(equal, name))[0])
        assert low[1]["lam"].dtype == np.float32
        norm = np.sqrt(
            sum(np.nansum((h[0] * s) ** 2) for (_, h), s in zip(pairs[1:], scale[1:], strict=True))
        )
        for (a, b), s in zip(pairs, scale, strict=True):
            assert single_z(a.astype(np.float64), b, norm, s) <= PASS_Z


def single_z(a, b, norm, scale):
    eps = float(np.finfo(np.float32).eps)
    spread = np.hypot(a[1:].std(axis=0, ddof=1), b[1:].std(axis=0, ddof=1))
    unit = spread + eps * np.maximum(np.abs(a[0]), np.abs(b[0]))
    with np.errstate(divide="ignore", invalid="ignore"):
        unit = unit + np.where(scale > 0, eps * norm / scale, 0.0)
        difference = np.abs(a[0] - b[0])
        return float(np.max(np.where(difference == 0, 0.0, difference / unit)))


# ------------------------------------------------------------------ forms


def test_every_form_is_drawn_above():
    """One number and many, prescribed and insulated bottom, gaps, all kinds, unequal steps."""
    inputs = [drawn(seed) for seed in SEEDS]
    forms = {(name, fields(i)[name].size > 1) for i in inputs for name in fields(i)}
    for name in ("lam", "C", "albedo", "H", "Tb", "T0"):
        assert (name, True) in forms
        assert (name, False) in forms
    assert {i.insulated for i in inputs} == {True, False}
    assert {s.kind for i in inputs for s in i.series} == {
        "soil_temperature", "soil_heat_flux", "longwave_up", "turbulent_flux",
    }  # fmt: skip
    assert any(np.any(s.weights == 0) for i in inputs for s in i.series)
    assert {bool(np.ptp(i.time_step)) for i in inputs} == {True, False}


@pytest.mark.parametrize("insulated", [False, True])
def test_two_interfaces_and_one_step_are_enough(insulated):
    inputs = drawn(0)
    small = replace(
        inputs.window(1),
        spacing=np.array([0.1, 0.2]),
        insulated=insulated,
        wrt=(),
        series=tuple(replace(s, depth=min(s.depth, 0.1)) for s in inputs.window(1).series),
        parameters={
            name: np.asarray(np.mean(v)) if name not in ("SWdown", "LWdown", "Tair") else v[:1]
            for name, v in inputs.parameters.items()
        },
        knots={},
    )
    assert worst_z(everything(small)) <= PASS_Z


def test_the_codes_are_those_of_the_inputs():
    """The kernels keep words of their own, as they import nothing above them."""
    from lsm_verify.inputs import OBJECTIVES
    from lsm_verify.kernels.columns import OBJECTIVE_KINDS, OBSERVATION_KINDS
    from lsm_verify.quantities import OBSERVABLES

    assert set(OBJECTIVE_KINDS) == set(OBJECTIVES)
    assert set(OBSERVATION_KINDS) == set(OBSERVABLES)
