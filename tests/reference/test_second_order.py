"""The second-order adjoint against complex steps and differences of the adjoint; its symmetry."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from lsm_reference import evaluate, namespace, parameters, second_order
from lsm_reference.evaluate import adjoint_gradient, hessian_product
from lsm_reference.parameters import pull_back

ROUND_OFF = 1e-12
"""Difference of exact products in units of their scaled norm: measured, 7e-16 at most; an error
planted below exceeds it by 1e6 or more."""

DIFFERENCES = 1e-9
"""Of differences of the gradient at steps of 1e-3 and half of it, extrapolated: 1e-3⁴ times a sixth
derivative, and ε/1e-3 of round-off; measured, 1e-11 at most."""

STEP = 1e-3
TINY = 1e-40
OBJECTIVES = ("mean-square", "half-sum-of-squares", "probe")


def direction(problem, seed=0):
    rng = np.random.default_rng(seed)
    return {k: np.abs(v) * rng.standard_normal(np.shape(v)) for k, v in problem.parameters.items()}


def flat(problem, product):
    parts = [np.ravel(product[k] * np.abs(problem.parameters[k])) for k in problem.wrt]
    return np.concatenate(parts)


def moved(problem, change, step):
    return {k: np.asarray(v) + step * change[k] for k, v in problem.parameters.items()}


def adjoint_on(problem, values):
    """Adjoint states and gradients at ``values``, in whatever number type these are."""
    functions = namespace.plain()
    base = evaluate.simulate(problem, values, functions=functions)
    result = []
    for objective in problem.objectives:
        slope = np.empty_like(base.y)
        functions.score_slope(*evaluate.aim(base.sight, objective), base.y, slope)
        bar = evaluate.empty_bar(base.column)
        W, states = np.zeros_like(base.T), np.empty_like(base.T)
        functions.adjoint_predict(base.column, base.sight, base.T, slope, bar, W)
        functions.adjoint_run(base.column, base.T, W, bar, states)
        result.append((states, pull_back(problem, values, bar._replace(eps=bar.eps[0]))))
    return result


def by_complex_step(problem, change):
    """Products with the Hessian by one complex step through the adjoint: no subtraction."""
    found = adjoint_on(problem, moved(problem, change, 1j * TINY))
    return [{k: np.imag(g[k]) / TINY for k in problem.wrt} for _, g in found]


def distance(problem, found, expected):
    """Largest difference over all objectives, in units of the norm."""
    worst = 0.0
    for a, b in zip(found, expected, strict=True):
        assert {k: np.shape(v) for k, v in a.items()} == {
            k: np.shape(problem.parameters[k]) for k in problem.wrt
        }
        p, q = flat(problem, a), flat(problem, b)
        worst = max(worst, np.max(np.abs(p - q)) / np.linalg.norm(q))
    return worst


def test_product_is_the_complex_step_of_the_adjoint(build, variant):
    problem = build(variant, objectives=OBJECTIVES)
    for seed in range(3):
        change = direction(problem, seed)
        expected = by_complex_step(problem, change)
        assert distance(problem, hessian_product(problem, change), expected) <= ROUND_OFF


def test_product_is_what_differences_of_the_gradient_tend_to(build, variant):
    problem = build(variant, objectives=OBJECTIVES)
    change = direction(problem)

    def differences(step):
        ends = []
        for sign in (1, -1):
            values = moved(problem, change, sign * step)
            there = replace(problem, parameters=values)
            ends.append(adjoint_gradient(there))
        return [
            {k: (p[k] - m[k]) / (2 * step) for k in problem.wrt}
            for (_, p), (_, m) in zip(*ends, strict=True)
        ]

    coarse, fine = differences(STEP), differences(STEP / 2)
    expected = [
        {k: (4 * f[k] - c[k]) / 3 for k in problem.wrt} for c, f in zip(coarse, fine, strict=True)
    ]
    assert distance(problem, hessian_product(problem, change), expected) <= DIFFERENCES


def test_hessian_is_symmetric(build, variant):
    problem = build(variant, objectives=OBJECTIVES)
    u, v = direction(problem, 1), direction(problem, 2)
    for Hu, Hv in zip(hessian_product(problem, u), hessian_product(problem, v), strict=True):
        left = [Hu[k] * v[k] for k in problem.wrt]
        right = [u[k] * Hv[k] for k in problem.wrt]
        size = sum(np.sum(np.abs(part)) for part in (*left, *right))
        assert abs(sum(map(np.sum, left)) - sum(map(np.sum, right))) <= ROUND_OFF * size


def test_change_of_the_adjoint_states(build, variant):
    """δΛ itself, step by step and node by node."""
    problem = build(variant, objectives=("half-sum-of-squares",))
    change = direction(problem)
    functions = namespace.compiled()
    base = evaluate.simulate(problem)
    d = evaluate.column_change(problem, change)
    dT, dy, dslope = np.empty_like(base.T), np.empty_like(base.y), np.empty_like(base.y)
    functions.tangent_run(base.column, d, base.T, dT)
    functions.tangent_predict(base.column, d, base.sight, base.T, dT, dy)
    functions.score_slope_tangent(*evaluate.aim(base.sight, problem.objectives[0]), dy, dslope)
    slope = evaluate.slopes(problem, base)[0]
    states = evaluate.adjoint_states(problem)[0]
    dbar, dW, dstates = evaluate.empty_bar(base.column), np.zeros_like(dT), np.empty_like(dT)
    functions.adjoint_predict_tangent(
        base.column, d, base.sight, base.T, dT, slope, dslope, dbar, dW
    )
    functions.adjoint_tangent_run(base.column, d, base.T, dT, states, dW, dbar, dstates)
    truth = np.imag(adjoint_on(problem, moved(problem, change, 1j * TINY))[0][0]) / TINY
    assert np.max(np.abs(dstates - truth)) <= ROUND_OFF * np.linalg.norm(truth)


def test_what_is_missing_from_the_change_stays(build):
    problem = build("separate", objectives=OBJECTIVES)
    change = {"bowen_ratio": np.abs(problem.parameters["bowen_ratio"]), "emissivity": 0.1}
    whole = {k: np.zeros(np.shape(v)) for k, v in problem.parameters.items()} | change
    found = hessian_product(problem, change)
    assert distance(problem, found, hessian_product(problem, whole)) == 0
    assert distance(problem, found, by_complex_step(problem, whole)) <= ROUND_OFF


def test_only_the_names_asked_for_are_returned(build):
    problem = build("full")
    part = replace(problem, wrt=("albedo",))
    change = direction(problem)
    (found,), (whole,) = hessian_product(part, change), hessian_product(problem, change)
    assert list(found) == ["albedo"]
    np.testing.assert_array_equal(found["albedo"], whole["albedo"])


ERRORS = {
    "slope of the mean square": ("2 * w * dy[k, n] / mass", "w * dy[k, n] / mass"),
    "slope of the sum of squares": ("= w * dy[k, n]\n", "= 2 * w * dy[k, n]\n"),
    "slope of the probe": ("dslope[k, n] = 0.0", "dslope[k, n] = 1e-3 * w"),
    "temperature, upper node": ("dW[n, j] += (1 - f) * dq", "dW[n, j] += dq"),
    "temperature, lower node": ("dW[n, j + 1] += f * dq", "pass"),
    "heat flux, change of λ": ("(d.lam[j] * q + column.lam[j] * dq)", "(column.lam[j] * dq)"),
    "heat flux, change of slope": ("(d.lam[j] * q + column.lam[j] * dq)", "(d.lam[j] * q)"),
    "heat flux, other side": ("dW[n, j + 1] -= pulled", "dW[n, j + 1] += pulled"),
    "heat flux, λ by temperature": ("((dT[n, j] - dT[n, j + 1]) * q + ", "("),
    "heat flux, λ by slope": (" + (T[n, j] - T[n, j + 1]) * dq) / column", ") / column"),
    "longwave, change of ε": (
        "x * x * (d.eps * x + 3 * column.eps * dx) * q",
        "x * x * (3 * column.eps * dx) * q",
    ),
    "longwave, curvature": (
        "x * x * (d.eps * x + 3 * column.eps * dx) * q",
        "x * x * (d.eps * x + 4 * column.eps * dx) * q",
    ),
    "longwave, change of slope": ("dW[n, 0] += 4 * column.eps * SIGMA * x * x * x * dq", "pass"),
    "longwave, ε by temperature": ("(4 * dx * q + x * dq)", "(x * dq)"),
    "longwave, ε by slope": ("(4 * dx * q + x * dq)", "(4 * dx * q)"),
    "turbulent, change of H": ("dW[n, 0] += d.H[n - 1] * q + ", "dW[n, 0] += "),
    "turbulent, change of slope": (
        "dW[n, 0] += d.H[n - 1] * q + column.H[n - 1] * dq",
        "dW[n, 0] += d.H[n - 1] * q",
    ),
    "turbulent, air temperature": ("(dx - d.Ta[n - 1]) * q", "dx * q"),
    "turbulent, H by slope": (" + (x - column.Ta[n - 1]) * dq", ""),
    "turbulent, step": ("dbar.Ta[n - 1] -= d.H[n - 1] * q +", "dbar.Ta[n - 1] -= d.H[n - 2] * q +"),
    "transposed surface slope": (
        "4 * column.eps * SIGMA * x * x * x\n",
        "2 * column.eps * SIGMA * x * x * x\n",
    ),
    "bottom of the transposed step": (
        "right, 0.0, column.insulated",
        "right, right[N], column.insulated",
    ),
    "storage": ("right[i] = dstates[n + 1, i] - ds[i] * mu[i]", "right[i] = dstates[n + 1, i]"),
    "conduction from below": (
        "right[i] += dg[i] * (mu[i + 1] - mu[i])",
        "right[i] -= dg[i] * (mu[i + 1] - mu[i])",
    ),
    "conduction to above": ("right[i] -= dg[i - 1] * (mu[i] - mu[i - 1])", "pass"),
    "turbulent coefficient": ("(d.H[n] + 4 * SIGMA", "(4 * SIGMA"),
    "emissivity": ("(d.eps * x + 3 * column.eps * dx)) * mu[0]", "(3 * column.eps * dx)) * mu[0]"),
    "curvature of the emission": (
        "(d.eps * x + 3 * column.eps * dx)) * mu[0]",
        "(d.eps * x)) * mu[0]",
    ),
    "albedo by μ": ("dmu[0] * column.SW[n] + mu[0] * d.SW[n]", "mu[0] * d.SW[n]"),
    "albedo by shortwave": ("dmu[0] * column.SW[n] + mu[0] * d.SW[n]", "dmu[0] * column.SW[n]"),
    "shortwave by albedo": (" - mu[0] * d.alpha[n]", ""),
    "shortwave by μ": ("dmu[0] * (1 - column.alpha[n]) -", "dmu[0] * column.alpha[n] -"),
    "longwave by μ": ("dbar.LW[n] += dmu[0]", "dbar.LW[n] -= dmu[0]"),
    "ε by temperature": ("(dmu[0] * x + 4 * mu[0] * dx)", "(dmu[0] * x + 3 * mu[0] * dx)"),
    "H by temperature": (" + mu[0] * (dx - d.Ta[n])", ""),
    "H by air temperature": ("mu[0] * (dx - d.Ta[n])", "mu[0] * dx"),
    "air temperature by H": (" + mu[0] * d.H[n]\n", "\n"),
    "λ by μ": ("(dmu[i] - dmu[i + 1]) * (new", "dmu[i] * (new"),
    "λ by temperature": ("(mu[i] - mu[i + 1]) * (dnew[i + 1] - dnew[i])", "0"),
    "C by μ": ("stored = dmu[i] * (new[i] - old[i]) +", "stored ="),
    "C by temperature": ("mu[i] * (dnew[i] - dold[i])", "mu[i] * dnew[i]"),
    "old state by C": ("dstates[n, i] += ds[i] * mu[i] +", "dstates[n, i] +="),
    "old state by μ": ("ds[i] * mu[i] + s[i] * dmu[i]", "ds[i] * mu[i]"),
    "bottom by Λ": ("+= dstates[n + 1, N] + dg", "+= dg"),
    "bottom by λ": (" + dg[N - 1] * mu[N - 1]", ""),
    "bottom by μ": (" + g[N - 1] * dmu[N - 1]", ""),
    "wrong state": ("g, states[n + 1], mu)", "g, states[n], mu)"),
    "stale step": ("storage(dz, d.C, column.dt[n], ds)", "storage(dz, d.C, column.dt[n - 1], ds)"),
    "initial state": ("dbar.T0[i] += dstates[0, i]", "dbar.T0[i] += dstates[1, i]"),
    "direct part of the states": ("dstates[n, i] = dW[n, i]", "dstates[n, i] = 0.0"),
}


@pytest.mark.parametrize("what", ERRORS)
def test_an_error_in_any_term_is_seen(build, planter, what):
    problem = build("full", objectives=OBJECTIVES)
    # The bottom node must be observed: else nothing depends on its Λ.
    low = replace(problem.series[0], depth=0.6)
    problem = replace(problem, series=(low, *problem.series[1:]))
    change = direction(problem)
    expected = by_complex_step(problem, change)
    planter.plant_in_oracle(second_order, *ERRORS[what])
    assert distance(problem, hessian_product(problem, change), expected) > 1e6 * ROUND_OFF


def test_an_insulated_bottom_taken_for_a_prescribed_one_is_seen(build, planter):
    problem = build("insulated", objectives=OBJECTIVES)
    change = direction(problem)
    expected = by_complex_step(problem, change)
    planter.plant_in_oracle(second_order, "right, 0.0, column.insulated", "right, 0.0, False")
    assert distance(problem, hessian_product(problem, change), expected) > 1e6 * ROUND_OFF


@pytest.mark.parametrize(
    "old, new",
    [
        ("-dbeta / beta**2 * bar.H", "dbeta / beta**2 * bar.H"),
        ("2 * h * dbeta / beta - dh", "h * dbeta / beta - dh"),
        ("2 * h * dbeta / beta - dh", "2 * h * dbeta / beta"),
        ("pull_back(problem, values, change_of_bar)", "pull_back(problem, values, bar)"),
    ],
)
@pytest.mark.parametrize("form", ["separate", "knots"])
def test_a_wrong_chain_rule_of_the_parameters_is_seen(build, planter, old, new, form):
    problem = build(form, objectives=OBJECTIVES)
    change = direction(problem)
    expected = by_complex_step(problem, change)
    planter.plant(parameters, old, new, into=(evaluate,))
    assert distance(problem, hessian_product(problem, change), expected) > 1e6 * ROUND_OFF


@pytest.mark.parametrize(
    "old, new",
    [
        (
            "4 * SIGMA * x * x * (d.eps * x + 3 * column.eps * dx)) * mu[0]",
            "SIGMA * (4 * d.eps * x**3 + 12 * column.eps * x**2 * dx)) * mu[0]",
        ),
        ("(1 - f) * dq\n", "dq - f * dq\n"),
        ("ds[i] * mu[i] + s[i] * dmu[i]", "s[i] * dmu[i] + mu[i] * ds[i]"),
    ],
)
def test_the_same_value_in_other_arithmetic_passes(build, planter, old, new):
    problem = build("full", objectives=OBJECTIVES)
    change = direction(problem)
    expected = by_complex_step(problem, change)
    planter.plant_in_oracle(second_order, old, new)
    assert distance(problem, hessian_product(problem, change), expected) <= ROUND_OFF
