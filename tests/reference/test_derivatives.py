"""Tangent and adjoint against complex step, and against each other, on every form of input."""

from __future__ import annotations

import zlib
from dataclasses import replace

import numpy as np
import pytest

from lsm_reference import adjoint, evaluate, parameters, tangent
from lsm_reference.evaluate import (
    adjoint_gradient,
    complex_step_gradient,
    components,
    forward_product,
    simulate,
    tangent_gradient,
    transposed_product,
)

ROUND_OFF = 1e-12
"""Difference of exact gradients in units of ‖g∘s‖: 5 steps of 7 nodes leave about 1e-14 [measured:
2e-14 at most]; every error planted below exceeds it by more than 1e6."""

OBJECTIVES = ("mean-square", "half-sum-of-squares", "probe")


def flat(problem, gradient):
    """Gradient scaled by the size of the parameters, as one vector."""
    return np.concatenate(
        [
            np.ravel(gradient[k] * np.abs(problem.parameters[k]))
            for k in problem.wrt
            if np.size(gradient[k])
        ]
    )


def distance(problem, route, reference):
    """Largest difference of two routes, in units of the norm, over all objectives."""
    pairs = zip(route(problem), reference(problem), strict=True)
    worst = 0.0
    for (value, gradient), (expected, truth) in pairs:
        assert value == pytest.approx(expected, rel=ROUND_OFF)
        assert {k: np.shape(v) for k, v in gradient.items()} == {
            k: np.shape(v) for k, v in problem.parameters.items()
        }
        g, t = flat(problem, gradient), flat(problem, truth)
        worst = max(worst, np.max(np.abs(g - t)) / np.linalg.norm(t))
    return worst


def test_tangent_is_the_complex_step(build, variant):
    assert (
        distance(build(variant, objectives=OBJECTIVES), tangent_gradient, complex_step_gradient)
        <= ROUND_OFF
    )


def test_adjoint_is_the_complex_step(build, variant):
    assert (
        distance(build(variant, objectives=OBJECTIVES), adjoint_gradient, complex_step_gradient)
        <= ROUND_OFF
    )


def matrices(problem):
    """Jacobian of the predictions, scaled, column by column (tangent) and row by row (adjoint)."""
    names = list(components(problem))
    sizes = [abs(float(np.asarray(problem.parameters[n])[i])) or 1.0 for n, i in names]
    forward = []
    for (name, index), size in zip(names, sizes, strict=True):
        unit = np.zeros(np.shape(problem.parameters[name]))
        unit[index] = size
        forward.append(forward_product(problem, {name: unit}).ravel())
    shape = simulate(problem).y.shape
    backward = []
    for cell in np.ndindex(shape):
        cotangent = np.zeros(shape)
        cotangent[cell] = 1.0
        gradient = transposed_product(problem, cotangent)
        backward.append(
            [np.asarray(gradient[n])[i] * s for (n, i), s in zip(names, sizes, strict=True)]
        )
    return np.array(forward).T, np.array(backward)


def test_adjoint_is_the_transpose_of_the_tangent(build, variant):
    forward, backward = matrices(build(variant))
    assert np.max(np.abs(forward - backward)) <= ROUND_OFF * np.linalg.norm(forward)


@pytest.mark.parametrize(
    "module, old, new, names",
    [
        (
            adjoint,
            "column.H[n] + 4 * column.eps",
            "column.H[n] + 2 * column.eps",
            {"albedo", "Tair"},
        ),
        (
            adjoint,
            "bar.Tb[n] += total[N] + g[N - 1] * mu[N - 1]",
            "bar.Tb[n] += total[N]",
            {"bottom_temperature"},
        ),
        (adjoint, "bar.Tb[n] += total[N] + g[N - 1] * mu[N - 1]", "pass", {"bottom_temperature"}),
        (
            adjoint,
            "bar.H[n - 1] += (x - column.Ta[n - 1]) * q",
            "pass",
            {"turbulent_transfer_coefficient"},
        ),
        (
            adjoint,
            "bar.T0[i] += states[0, i]",
            "bar.T0[i] += states[1, i]",
            {"initial_temperature"},
        ),
        (adjoint, "bar.eps[0] += SIGMA * x * x * x * x * q", "pass", {"emissivity"}),
        (adjoint, "total, 0.0, column.insulated", "total, 0.0, True", {"thermal_conductivity"}),
        (tangent, "ds[i] * (new[i] - old[i])", "ds[i] * new[i]", {"volumetric_heat_capacity"}),
        (tangent, "(1 - column.alpha[n]) * d.SW[n]", "column.alpha[n] * d.SW[n]", {"SWdown"}),
        (
            tangent,
            "d.Tb[n], column.insulated",
            "d.Tb[n - 1], column.insulated",
            {"bottom_temperature"},
        ),
    ],
)
def test_complex_step_and_transpose_see_a_wrong_linearisation(
    build, planter, module, old, new, names
):
    problem = build(objectives=("probe",))
    planter.plant_in_oracle(module, old, new)
    route = adjoint_gradient if module is adjoint else tangent_gradient
    (_, gradient), (_, truth) = route(problem)[0], complex_step_gradient(problem)[0]
    norm = np.linalg.norm(flat(problem, truth))
    for name in names:
        size = np.abs(problem.parameters[name])
        assert np.max(np.abs(gradient[name] - truth[name]) * size) > 1e6 * ROUND_OFF * norm
    forward, backward = matrices(problem)
    assert np.max(np.abs(forward - backward)) > 1e6 * ROUND_OFF * np.linalg.norm(forward)


def test_states_are_sensitivities_to_the_temperatures_of_each_state(build):
    problem = build(objectives=("half-sum-of-squares",))
    base = simulate(problem)
    slope = evaluate.slopes(problem, base)[0]
    _, states = evaluate._transposed_product(problem, base, slope)
    per_step = set(problem.parameters) & {*parameters.PER_STEP}
    for n in range(problem.time_step.size):
        # The run that starts from state n and is scored on what comes from there on; the turbulent
        # flux of state n belongs to the step before, so it is left out on both sides.
        assert problem.series[-1].kind == "turbulent_flux"
        tail = tuple(
            replace(
                s,
                values=s.values[n:],
                weights=np.where(
                    (np.arange(s.values.size)[n:] == n) & (s.kind == "turbulent_flux"),
                    0,
                    s.weights[n:],
                ),
            )
            for s in problem.series
        )
        values = {k: (v[n:] if k in per_step else v) for k, v in problem.parameters.items()}
        rest = replace(
            problem,
            time_step=problem.time_step[n:],
            parameters=values | {"initial_temperature": base.T[n]},
            series=tail,
            wrt=("initial_temperature",),
        )
        expected = complex_step_gradient(rest)[0][1]["initial_temperature"]
        seen = states[n].copy()
        if n > 0:
            seen[0] -= base.column.H[n - 1] * slope[-1, n]
        np.testing.assert_allclose(
            seen, expected, rtol=0, atol=ROUND_OFF * np.linalg.norm(states[n])
        )


def test_tied_initial_temperature_counts_in_the_bottom_gradient(build):
    """With T⁰ fixed at the same numbers, what is missing is the gradient by T⁰."""
    tied = build("tied", objectives=("probe",))
    start = np.full(7, tied.parameters["bottom_temperature"][0])
    fixed = build(
        "full", objectives=("probe",), **(dict(tied.parameters) | {"initial_temperature": start})
    )
    with_start = adjoint_gradient(tied)[0][1]["bottom_temperature"]
    without = adjoint_gradient(fixed)[0][1]
    expected = without["bottom_temperature"].copy()
    expected[0] += without["initial_temperature"].sum()
    assert abs(without["initial_temperature"].sum()) > 1e-3
    np.testing.assert_allclose(with_start, expected, rtol=ROUND_OFF)


def test_insulated_bottom_has_no_bottom_gradient(build):
    gradient = adjoint_gradient(build("insulated", objectives=("probe",)))[0][1]
    assert np.all(gradient["bottom_temperature"] == 0)


def test_expansion_tangent_and_transpose_belong_together(build, variant):
    """⟨expand_tangent(x), bar⟩ = ⟨x, pull_back(bar)⟩; the tangent is expand's complex step."""
    problem = build(variant)
    rng = np.random.default_rng(zlib.crc32(variant.encode()))
    values = problem.parameters
    x = {k: np.abs(v) * rng.standard_normal(np.shape(v)) for k, v in values.items()}
    change = parameters.expand_tangent(problem, values, x)
    moved = parameters.expand(problem, {k: v + 1e-30j * x[k] for k, v in values.items()})
    fields = [f for f in change._fields if f not in ("dz", "dt", "insulated")]
    bar = change._replace(
        **{
            f: rng.standard_normal(np.shape(getattr(change, f)))
            / np.max(np.abs(getattr(moved, f)) + 1)
            for f in fields
        }
    )
    if "bottom_temperature" not in values:
        bar = bar._replace(Tb=np.zeros_like(change.Tb))
    for f in fields:
        np.testing.assert_allclose(
            getattr(change, f), np.imag(getattr(moved, f)) / 1e-30, rtol=1e-13, atol=1e-12
        )
    pulled = parameters.pull_back(problem, values, bar)
    left = sum(np.sum(getattr(change, f) * getattr(bar, f)) for f in fields)
    right = sum(np.sum(x[k] * pulled[k]) for k in values)
    size = sum(np.sum(np.abs(x[k] * pulled[k])) for k in values)
    assert abs(left - right) <= ROUND_OFF * size


@pytest.mark.parametrize(
    "old, new",
    [
        (
            'canonical["bowen_ratio"] = -h / beta**2 * bar.H',
            'canonical["bowen_ratio"] = h / beta**2 * bar.H',
        ),
        (
            "dH = (1 + 1 / beta) * dh - h / beta**2 * dbeta",
            "dH = (1 + 1 / beta) * dh - h / beta * dbeta",
        ),
        ("return hats(problem, name).T.dot(bar)", "return hats(problem, name).T.dot(bar) / 2"),
    ],
)
def test_wrong_chain_rule_of_the_parameters_is_seen(build, planter, old, new):
    problem = build("knots", objectives=("probe",))
    planter.plant(parameters, old, new, into=(evaluate,))
    forward, backward = matrices(problem)
    assert np.max(np.abs(forward - backward)) > 1e6 * ROUND_OFF * np.linalg.norm(forward)


def test_hats_interpolate_linearly_and_hold_the_ends(build):
    problem = build("knots")
    ends = np.cumsum(problem.time_step)
    for name, times in problem.knots.items():
        hats = parameters.hats(problem, name)
        np.testing.assert_allclose(hats.sum(axis=1), 1.0, rtol=1e-15)
        values = problem.parameters[name]
        np.testing.assert_allclose(hats @ values, np.interp(ends, times, values), rtol=1e-14)
