"""The oracle's forward run against the discrete equations themselves and a dense solve."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from lsm_reference import forward, namespace
from lsm_reference.constants import STEFAN_BOLTZMANN
from lsm_reference.evaluate import simulate
from lsm_reference.problem import RootNotFound

EPSILON = float(np.finfo(np.float64).eps)

RESIDUAL_LIMIT = 4.0
"""Residual of one equation in units of ε Σ|terms|: T carries a few roundings, 2 here."""

DENSE_LIMIT = 16.0
"""Distance from the dense solution in units of ε T: two roundings per node in each direction of a
column of 7 nodes; the system, an M-matrix with row sums of one sign, does not amplify them."""

NEWTON_LIMIT = 8.0
"""Distance of a derivative from its closed form, in units of ε: its formula has six operations."""


def equations(column, n, old, new):
    """Residual and sum of magnitudes of every equation of DESIGN section 2, in long double."""
    lam, C, dz = (np.asarray(x, dtype=np.longdouble) for x in (column.lam, column.C, column.dz))
    old, new = np.asarray(old, dtype=np.longdouble), np.asarray(new, dtype=np.longdouble)
    N = dz.size
    V = np.concatenate([[dz[0] / 2], (dz[:-1] + dz[1:]) / 2, [dz[-1] / 2]])
    storing = C * V / np.longdouble(column.dt[n])
    g = lam / dz
    emission = np.longdouble(column.eps) * STEFAN_BOLTZMANN * new[0] ** 4
    radiation = (1 - np.longdouble(column.alpha[n])) * column.SW[n] + column.LW[n]
    H = np.longdouble(column.H[n])
    residual, size = np.zeros(N + 1, np.longdouble), np.zeros(N + 1, np.longdouble)
    for i in range(N + 1):
        terms = [storing[i] * new[i], -storing[i] * old[i]]
        if i < N:
            terms += [-g[i] * new[i + 1], g[i] * new[i]]
        if i > 0:
            terms += [g[i - 1] * new[i], -g[i - 1] * new[i - 1]]
        if i == 0:
            terms += [-radiation, emission, H * new[0], -H * np.longdouble(column.Ta[n])]
        if i == N and not column.insulated:
            terms = [new[N], -np.longdouble(column.Tb[n])]
        residual[i], size[i] = sum(terms), sum(abs(t) for t in terms)
    return residual, size


def dense_step(column, n, old):
    """Newton on all N + 1 equations at once with a dense Jacobian; residuals in long double."""
    N = column.dz.size
    new = np.asarray(old, dtype=np.longdouble).copy()
    V = np.concatenate(
        [[column.dz[0] / 2], (column.dz[:-1] + column.dz[1:]) / 2, [column.dz[-1] / 2]]
    )
    g = column.lam / column.dz
    A = np.diag(column.C * V / column.dt[n])
    for i in range(N):
        A[i : i + 2, i : i + 2] += g[i] * np.array([[1, -1], [-1, 1]])
    A[0, 0] += column.H[n]
    if not column.insulated:
        A[N] = np.eye(N + 1)[N]
    for _ in range(12):
        jacobian = A.copy()
        jacobian[0, 0] += 4 * column.eps * STEFAN_BOLTZMANN * float(new[0]) ** 3
        residual, _ = equations(column, n, old, new)
        new -= np.linalg.solve(jacobian, residual.astype(float))
    return new


def worst_residual(run):
    worst = 0.0
    for n in range(run.column.dt.size):
        residual, size = equations(run.column, n, run.T[n], run.T[n + 1])
        worst = max(worst, float(np.max(np.abs(residual) / (EPSILON * size))))
    return worst


def worst_distance(run):
    return max(
        float(
            np.max(
                np.abs(dense_step(run.column, n, run.T[n]) - run.T[n + 1])
                / (EPSILON * run.T[n + 1])
            )
        )
        for n in range(run.column.dt.size)
    )


def test_every_discrete_equation_holds(build, variant):
    assert worst_residual(simulate(build(variant))) <= RESIDUAL_LIMIT


def test_residual_sees_a_temperature_off_by_a_few_roundings(build):
    run = simulate(build())
    run.T[3, 2] *= 1 + 20 * EPSILON
    assert worst_residual(run) > RESIDUAL_LIMIT


def test_dense_solve_finds_the_same_temperatures(build, variant):
    assert worst_distance(simulate(build(variant))) <= DENSE_LIMIT


@pytest.mark.parametrize(
    "old, new",
    [
        ("(dz[i - 1] + dz[i]) / 2", "dz[i]"),
        ("s[N] = C[N] * (dz[N - 1] / 2) / dt", "s[N] = C[N] * dz[N - 1] / dt"),
        ("c4 = column.eps * SIGMA", "c4 = SIGMA"),
        ("rhs = r[0] + g[0] * b[1]", "rhs = r[0] + g[1] * b[1]"),
        ("storage(dz, C, column.dt[n], s)", "storage(dz, C, column.dt[n - 1], s)"),
        ("+ column.H[n] * column.Ta[n]", "+ column.H[n] * column.Ta[n - 1]"),
    ],
)
def test_dense_solve_and_residual_see_a_wrong_forward(build, mutate, old, new):
    # `bind` takes a name from the last module that holds it, so the mutant comes last.
    wrong = namespace.bind(lambda f: f, (*namespace.MODULES, mutate(forward, old, new)))
    run = simulate(build("insulated"), functions=wrong)
    assert worst_residual(run) > RESIDUAL_LIMIT
    assert worst_distance(run) > DENSE_LIMIT


def test_initial_state_is_the_initial_temperature(build):
    problem = build()
    assert np.array_equal(simulate(problem).T[0], problem.parameters["initial_temperature"])


def test_tied_initial_temperature_is_that_of_the_bottom_in_the_first_step(build):
    problem = build("tied")
    assert np.all(simulate(problem).T[0] == problem.parameters["bottom_temperature"][0])


def test_insulated_bottom_does_not_read_the_bottom_temperature(build):
    warm = simulate(build("insulated", bottom_temperature=320.0)).T
    assert np.array_equal(warm, simulate(build("insulated-no-bottom")).T)


def test_predictions_are_what_they_are_called(build):
    problem = build()
    column, _, T, y = simulate(problem)
    z = np.concatenate([[0.0], np.cumsum(problem.spacing)])
    middle = (z[:-1] + z[1:]) / 2
    flux = column.lam * (T[:, :-1] - T[:, 1:]) / column.dz
    expected = [
        [np.interp(0.05, z, row) for row in T],
        T[:, 0],
        [np.interp(0.04, middle, row) for row in flux],
        0.93 * STEFAN_BOLTZMANN * T[:, 0] ** 4,
        np.r_[0.0, column.H * (T[1:, 0] - column.Ta)],
    ]
    # Interpolation weights and products carry a handful of roundings of the largest term.
    np.testing.assert_allclose(y, expected, rtol=32 * EPSILON, atol=32 * EPSILON * 300)


def test_deepest_node_and_interface_can_be_observed(build):
    problem = build()
    bottom = problem.spacing.sum()
    last = bottom - problem.spacing[-1] / 2
    soil, _, flux, *rest = problem.series
    run = simulate(
        replace(problem, series=(replace(soil, depth=bottom), replace(flux, depth=last), *rest))
    )
    column, T = run.column, run.T
    np.testing.assert_allclose(run.y[0], T[:, -1], rtol=4 * EPSILON)
    np.testing.assert_allclose(
        run.y[1], column.lam[-1] * (T[:, -2] - T[:, -1]) / column.dz[-1], rtol=1e-11
    )


@pytest.mark.parametrize("step", [0, 3])
@pytest.mark.parametrize("functions", ["compiled", "plain"])
def test_no_positive_root_names_the_step(build, step, functions):
    sun = np.zeros(5)
    sun[step] = -1e9
    with pytest.raises(RootNotFound, match=f"step {step}") as caught:
        simulate(build(SWdown=sun), functions=getattr(namespace, functions)())
    assert caught.value.step == step


def test_negative_transfer_coefficient_has_no_root(build):
    H = np.full(5, 20.0)
    H[2] = -1e7
    with pytest.raises(RootNotFound) as caught:
        simulate(build(turbulent_transfer_coefficient=H))
    assert caught.value.step == 2


@pytest.mark.parametrize("name", ["SWdown", "albedo", "Tair"])
def test_not_a_number_is_never_passed_on(build, name):
    values = np.array(build().parameters[name])
    values[1] = np.nan
    with pytest.raises(RootNotFound) as caught:
        simulate(build(**{name: values}))
    assert caught.value.step == 1


def test_newton_that_does_not_settle_names_the_step(build):
    with pytest.raises(RootNotFound) as caught:
        simulate(build(), tolerance=-1.0)
    assert caught.value.step == 0


def imaginary_error(surface_root):
    """Relative error of the imaginary part of Newton's root under a complex step of the load."""
    c1, c4, load, step, worst = 40.0, 0.95 * STEFAN_BOLTZMANN, 12000.0, 1e-30, 0.0
    for guess in (100.0, 250.0, 285.0, 400.0):
        x, found = surface_root(c1, c4, load * (1 + 1j * step), complex(guess), 8 * EPSILON)
        assert found
        slope = load / (c1 + 4 * c4 * x.real**3)
        worst = max(worst, abs(x.imag / step - slope) / slope)
    return worst


@pytest.mark.parametrize("functions", ["compiled", "plain"])
def test_imaginary_part_of_the_root_has_converged(functions):
    assert imaginary_error(getattr(namespace, functions)().surface_root) <= NEWTON_LIMIT * EPSILON


def test_imaginary_part_needs_one_more_iteration_than_the_real_part(mutate):
    hasty = mutate(forward, "        if settled:\n            return x, True\n", "")
    hasty = mutate(
        hasty,
        "settled = abs(dx.real) <= tolerance * abs(x.real)",
        "settled = abs(dx.real) <= 1e-5 * abs(x.real)\n"
        "        if settled:\n            return x, True",
    )
    assert imaginary_error(hasty.surface_root) > NEWTON_LIMIT * EPSILON
