"""Errors planted in the kernels' sources are seen by the comparison with the oracle, and located.

They run uncompiled, one column at a time, from the same sources.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from lsm_verify.kernels import along, backward, blocks, cpu, looks, node, steps
from lsm_verify.kernels.binding import bind
from lsm_verify.routes import MODELS, ROUTES, fused
from lsm_verify.routes.oracle import trajectory
from lsm_verify.routes.route import Route
from lsm_verify.verify.agreement import FAIL_Z, PASS_Z
from lsm_verify.verify.draws import draw_case
from lsm_verify.verify.localise import localise
from tests.kernels.conftest import (
    canonical,
    changes_of,
    evaluate,
    everything,
    objective_of,
    sight_of,
    worst_z,
)

PLAIN = Route(
    "plain", "uncompiled kernels", True, lambda batch: [r for i in batch for r in evaluate([i])]
)
STEPS = 3


def column(want):
    """A few steps of the first drawn column that has what an error needs."""
    for seed in range(400):
        inputs = draw_case(np.random.default_rng(seed)).inputs()
        short = everything(inputs.window(STEPS))
        kinds = {s.kind for s in short.series}
        varies = np.ptp(short.time_step) > 0
        seen = all(np.any(np.broadcast_to(s.weights, s.values.shape) > 0) for s in short.series)
        if seen and inputs.spacing.size <= 25 and want(short, kinds, varies):
            return short
    raise LookupError("no such column was drawn")


def anything(inputs, kinds, varies):
    return len(kinds) == 4 and varies and not inputs.insulated


def insulated(inputs, kinds, varies):
    return varies and inputs.insulated


def insulated_odd(inputs, kinds, varies):
    return insulated(inputs, kinds, varies) and inputs.spacing.size % 2 == 1


def odd(inputs, kinds, varies):
    return len(kinds) > 2 and varies and not inputs.insulated and inputs.spacing.size % 2 == 1


def even(inputs, kinds, varies):
    return anything(inputs, kinds, varies) and inputs.spacing.size % 2 == 0


@pytest.fixture
def plain(monkeypatch):
    """Put the uncompiled kernels, one module of them changed, in the place of compiled ones."""

    def plant(*changed):
        # Last, so that its functions win over those that other modules imported by name.
        bound = bind([*cpu.MODULES, *changed], {})
        monkeypatch.setattr(cpu, "compiled", lambda count: bound)

    return plant


@pytest.mark.parametrize("want", [anything, insulated, odd, even])
def test_uncompiled_they_pass(plain, want):
    plain()
    with np.errstate(divide="ignore"):  # the probe has no Σw to divide by
        assert worst_z(column(want), PLAIN) <= PASS_Z


OF_INSULATED = [
    (node, "return s * w, above * w, s * w, w", "return s * w, above * w, above * w, w"),
    (steps, "half * fetch(spacing, base, N - 1)", "fetch(spacing, base, N - 1)"),
]

OF_ODD = [
    (node, "return fma(a, x, b)\n", "return fma(b, x, a)\n"),
]

OF_EVEN = [
    (
        steps,
        "rise(load(p, 1), load(old, 1), load(q, 1), b)",
        "rise(load(q, 1), load(old, 1), load(p, 1), b)",
    ),
    (node, "return fma(q, b, p * x)", "return fma(p, b, q * x)"),
]

ERRORS = [
    *OF_INSULATED,
    *OF_ODD,
    *OF_EVEN,
    (node, "k = below * m", "k = below"),
    (node, "fma(q, b, u)", "fma(p, b, u)"),
    (node, "fma(q_next * q, b, fma(", "fma(q_next, b, fma("),
    (node, "fma(q_next, u, p_next * x_next)", "fma(q, u, p_next * x_next)"),
    (node, "fma(a_next * a, x, fma(", "fma(a * a, x, fma("),
    (node, "fma(a_next, b, b_next)", "b_next"),
    (node, "fma(-alpha, SW, SW)", "fma(alpha, SW, SW)"),
    (node, "fma(H, Ta, absorbed)", "absorbed"),
    (node, "fma(four_c4, x * x * x, c1)", "fma(four_c4, x * x, c1)"),
    (node, "fma(s, x, g * b) / surface", "fma(s, x, b) / surface"),
    (node, "fma(mu_above - mu, T - T_above, total)", "fma(mu - mu_above, T - T_above, total)"),
    (node, "fma(mu, T - old, total)", "fma(mu, T, total)"),
    (node, "fma(f, lower, fma(-f, upper, upper))", "upper"),
    (node, "g * (upper - lower)", "g * (lower - upper)"),
    (node, "c4 * (x * x * x * x)", "c4 * (x * x * x)"),
    (steps, "* volume(columns, base, i)\n", "* volume(columns, base, 0)\n"),
    (steps, "    if not every(dt == load(now, HELD)):\n", "    if n == 0:\n"),
    (steps, "store(now, each, fetch(columns[ALBEDO + each], base, n))", "pass"),
    (steps, "fma(load(work[G], 0), m, s)", "fma(load(work[G], 0), one, s)"),
    (looks, "k, 1, lower * dt * pick(unit, where, even, k, 1)", "k, 1, lower"),
    (looks, "upper * (pick(T, where, even, k, 0) - middle)", "upper"),
    (looks, "(lower - upper) * dt", "(lower + upper) * dt"),
    (looks, "(x3 * surface) * q, zero, zero", "(x3 * surface), zero, zero"),
    (looks, "return zero, (surface - load(now, TA)) * q, -H * q", "return zero, zero, -H * q"),
    (looks, "* q, -H * q", "* q, H * q"),
    (node, "return total / mass", "return total"),
    (looks, "        return q * scale\n", "        return q\n"),
    (backward, "store(x, i, load(x, i) * ratio)", "pass"),
    (backward, "fma(-load(now, ALPHA), mu, mu)", "mu"),
    (backward, "-mu * SWdown", "mu * SWdown"),
    (backward, "(eps - mu * emitted)", "eps"),
    (backward, "H_bar - mu * (T - load(now, TA))", "H_bar - mu * T"),
    (backward, "fma(mu, load(now, TURBULENT), Ta_bar)", "Ta_bar"),
    (backward, "load(bar, each) + x", "x"),
    (backward, "load(now, C0) + load(now, TURBULENT)", "load(now, C0)"),
    (backward, "load(now, FOUR_C4), load(new, 0)", "load(now, FOUR_C4), load(old, 0)"),
    (backward, "load(rows, i) / fetch(columns[SPACING], base, i)", "load(rows, i)"),
    (backward, "* load(work[CV], i) * load(now, RATE)", "* load(work[CV], i)"),
    (backward, "store(bar, EPS_SUM, load(bar, EPS_SUM) + eps)", "pass"),
    (backward, "look_back(sight[0][k], k, q, True", "look_back(sight[0][k], k, q - q, True"),
]  # fmt: skip


@pytest.mark.parametrize("module, old, new", ERRORS, ids=lambda x: getattr(x, "__name__", x))
def test_an_error_is_seen(plain, mutate, module, old, new):
    plain(mutate(module, old, new))
    wants = ((OF_INSULATED, insulated), (OF_ODD, odd), (OF_EVEN, even))
    want = next((want for of, want in wants if (module, old, new) in of), anything)
    with np.errstate(divide="ignore"):
        assert worst_z(column(want), PLAIN) > FAIL_Z


def test_the_last_of_an_odd_number_of_nodes_is_swept(plain, mutate):
    """Too deep for the sensors to show within a few steps."""
    inputs = column(insulated_odd)
    last = "store(new, N, sink(load(a, N), x, load(new, N)))"
    found = []
    for module in (steps, mutate(steps, last, "store(new, N, load(new, N))")):
        plain(module)
        found.append(cpu.simulate(canonical([inputs]), True)[0][0])
    np.testing.assert_allclose(found[0], trajectory(inputs), rtol=1e-13)
    assert np.max(np.abs(found[1] - found[0])[:, -1]) > 1.0


LOCATED = [
    (node, "fma(-alpha, SW, SW)", "fma(alpha, SW, SW)", "step 0, node 0, shortwave", "sign"),
    (node, "fma(H, Ta, absorbed)", "absorbed", "step 0, node 0, turbulent", "none of it"),
    (node, "g * (upper - lower)", "g * (lower - upper)", "observation of soil_heat_flux", ""),
    (node, "return total / mass", "return total", "objective (mean-square)", ""),
    (steps, "* volume(columns, base, i)\n", "* volume(columns, base, 0)\n", "node 1, storage", ""),
    (
        steps,
        "    if not every(dt == load(now, HELD)):\n",
        "    if n == 0:\n",
        "step 1, node 0, storage",
        "Δt of the step before",
    ),
    (looks, "* q, -H * q", "* q, H * q", "observation of turbulent_flux", "by Tair"),
    (looks, "        return q * scale\n", "        return q\n", "objective", ""),
    (backward, "-mu * SWdown", "mu * SWdown", "step 2, node 0, shortwave", "albedo"),
    (
        backward,
        "load(now, C0) + load(now, TURBULENT)",
        "load(now, C0)",
        "step 2, node 0, turbulent h(1+1/β)",
        "none of it",
    ),
    (
        backward,
        "load(now, FOUR_C4), load(new, 0)",
        "load(now, FOUR_C4), load(old, 0)",
        "step 2, node 0, emission 4εσT³",
        "T of the old state",
    ),
]


@pytest.mark.parametrize("module, old, new, where, what", LOCATED)
def test_an_error_is_located(plain, mutate, monkeypatch, module, old, new, where, what):
    """By route, step, node and term, though the kernels keep no sensitivities."""
    plain(mutate(module, old, new))
    monkeypatch.setattr(fused, "AT_ONCE", 1)
    monkeypatch.setitem(MODELS, "fused", lambda batch: [fused.run([i])[0] for i in batch])
    route = replace(ROUTES["fused"], evaluate=lambda batch: [fused.evaluate([i])[0] for i in batch])
    with np.errstate(divide="ignore"):
        found = localise(column(anything), route, ROUTES["adjoint"], seed=0)
    assert found.route == "fused"
    assert where in found.sentence
    assert what in found.sentence


def test_an_observed_bottom_is_its_temperature(plain, mutate):
    """A sensor at the prescribed bottom reads it, besides what conduction brings."""
    inputs = column(anything)
    deep = [replace(s, depth=float(inputs.spacing.sum())) for s in inputs.series[:1]]
    assert deep[0].kind == "soil_temperature"
    plain()
    low = replace(inputs, series=(*deep, *inputs.series[1:]))
    with np.errstate(divide="ignore"):
        assert worst_z(low, PLAIN) <= PASS_Z
        plain(mutate(node, "fma(s, x, g * mu)", "g * mu"))
        assert worst_z(low, PLAIN) > FAIL_Z


def test_an_insulated_bottom_has_no_temperature(plain, mutate):
    """Without the one line that says so, the bottom temperature would have a gradient."""
    inputs = column(insulated)
    assert "bottom_temperature" not in inputs.parameters
    columns = canonical([inputs])._replace(Tb=np.full((1, 1), 290.0))
    asked = (columns, True, sight_of([inputs]), objective_of([inputs], inputs.objectives[0]))
    plain()
    assert np.all(cpu.gradient(*asked)[1]["Tb"] == 0)
    plain(mutate(backward, "    if insulated:\n        return", "    if False:\n        return"))
    assert np.any(cpu.gradient(*asked)[1]["Tb"] != 0)


def test_a_status_forgotten_is_seen(plain, mutate):
    inputs = column(anything)
    columns = canonical([inputs])
    columns = columns._replace(LWdown=columns.LWdown - 1e6)
    plain()
    assert cpu.simulate(columns, False)[1].tolist() == [1]
    plain(mutate(blocks, "status[base + each] = n + 1", "pass"))
    assert cpu.simulate(columns, False)[1].tolist() == [0]


# ------------------------------------------------------------------ tangent

ALONG = [
    (node, "dg * (T - T_above)", "dg * (T_above - T)"),
    (node, "w * (below - above - stored)", "w * (below - above)"),
    (node, "fma(-d_alpha, SW, fma(-alpha, d_SW, d_SW))", "fma(-d_alpha, SW, d_SW)"),
    (node, "fma(dg, upper - lower, g * (d_upper - d_lower))", "g * (d_upper - d_lower)"),
    (node, "fma(d_c4, x, four_c4 * dx)", "fma(d_c4, x, dx)"),
    (node, "fma(dH, x - Ta, H * (dx - dTa))", "fma(dH, x - Ta, H * dx)"),
    (along, "refresh(change, insulated, base, n - 1, d)", "pass"),
    (along, "emitted = load(d, C4)", "emitted = load(now, C4)"),
    (along, "- H * load(d, TA)", "+ H * load(d, TA)"),
    (along, "load(dcv, 0) * rate * (x - load(old, 0))", "load(dcv, 0) * (x - load(old, 0))"),
    (along, "initial(change, base, dT)", "initial(columns, base, dT)"),
    (along, "b = load(d, BOTTOM)", "b = load(now, BOTTOM)"),
]


def tangent_error(inputs):
    """Relative difference of the tangent from the oracle's."""
    rng = np.random.default_rng(1)
    change = {n: v * rng.standard_normal(np.shape(v)) for n, v in inputs.parameters.items()}
    d, theirs = changes_of([inputs], change)
    _, dy, _ = cpu.tangent(canonical([inputs]), d, inputs.insulated, sight_of([inputs]))
    return np.max(np.abs(dy - theirs) / np.abs(theirs).max(axis=2, keepdims=True))


CLEAN, WRONG = 1e-11, 1e-6
"""Clean differences are round-off, 1e-13 here; an error worth the name is far above."""


@pytest.mark.parametrize("want", [anything, insulated])
def test_the_uncompiled_tangent_passes(plain, want):
    plain()
    assert tangent_error(column(want)) < CLEAN


@pytest.mark.parametrize("module, old, new", ALONG, ids=lambda x: getattr(x, "__name__", x))
def test_an_error_in_the_tangent_is_seen(plain, mutate, module, old, new):
    plain(mutate(module, old, new))
    assert tangent_error(column(anything)) > WRONG
