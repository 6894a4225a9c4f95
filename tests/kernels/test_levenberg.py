"""Least squares of columns side by side: their normal equations, and what must not matter."""

from __future__ import annotations

import numpy as np
import pytest

from lsm_verify.errors import InputError
from lsm_verify.kernels import (
    along,
    chunks,
    cpu,
    levenberg,
    levenberg_run,
    looks,
    marquardt,
    node,
    normal,
)
from lsm_verify.kernels.binding import bind
from lsm_verify.kernels.columns import Columns, Objective
from tests.kernels.test_cpu_batches import batch, observed, row

CANONICAL = ("lam", "C", "albedo", "H", "Tb", "SWdown", "LWdown", "Tair", "T0", "emissivity")
SEPARATE = ("lam", "h", "beta")

MIDDLE = {
    "lam": 1.0, "C": 2e6, "albedo": 0.25, "H": 20.0, "Tb": 290.0, "SWdown": 400.0,
    "LWdown": 320.0, "Tair": 290.0, "T0": 290.0, "emissivity": 0.95, "h": 12.0, "beta": 1.5,
}  # fmt: skip
SCALE = {
    "lam": 0.3, "C": 3e5, "albedo": 0.08, "H": 5.0, "Tb": 3.0, "SWdown": 50.0,
    "LWdown": 20.0, "Tair": 3.0, "T0": 3.0, "emissivity": 0.02, "h": 3.0, "beta": 0.4,
}  # fmt: skip


def coordinates(names, *, logarithmic=(), tied=False):
    return levenberg.Coordinates(
        tuple(names),
        np.array([MIDDLE.get(name, 1.0) for name in names]),
        np.array([SCALE.get(name, 1.0) for name in names]),
        np.array([name in logarithmic for name in names]),
        tied,
    )


def physical(unknowns, u):
    """Parameters and their slopes by coordinates, by the formula of `inverse.space`."""
    ratio = np.where(unknowns.logarithmic, unknowns.scale / unknowns.middle, 0.0)
    curved = unknowns.middle * np.exp(ratio * u)
    p = np.where(unknowns.logarithmic, curved, unknowns.middle + unknowns.scale * u)
    return p, np.where(unknowns.logarithmic, ratio * curved, unknowns.scale)


def put(columns, unknowns, p):
    """Columns with parameters (B, P) in them."""
    found = {name: p[:, j, None].copy() for j, name in enumerate(unknowns.names)}
    if "h" in found:
        found["H"] = found.pop("h") * (1 + 1 / found.pop("beta"))
    if unknowns.tied and "Tb" in found:
        found["T0"] = found["Tb"]
    return columns._replace(**found)


def expected(columns, insulated, sight, objective, unknowns, u):
    """F, its gradient and Jᵀ W J by the tangent of one direction, which the oracle has checked."""
    p, slope = physical(unknowns, u)
    here = put(columns, unknowns, p)
    J = []
    for j, name in enumerate(unknowns.names):
        change = {n: np.zeros_like(a) for n, a in here._asdict().items()}
        change |= {"spacing": here.spacing, "time_step": here.time_step}
        rate = slope[:, j, None]
        if name in ("h", "beta"):
            h, beta = (p[:, unknowns.names.index(n), None] for n in ("h", "beta"))
            change["H"] = rate * (1 + 1 / beta if name == "h" else -h / beta**2)
        else:
            change[name] = rate.copy()
        if unknowns.tied and name == "Tb":
            change["T0"] = rate.copy()
        y, dy, status = cpu.tangent(here, Columns(**change), insulated, sight)
        assert not status.any()
        J.append(dy)
    w = objective.weights
    r = y - objective.values
    F = 0.5 * np.sum(w * r * r, axis=(1, 2))
    g = np.stack([np.sum(w * r * dy, axis=(1, 2)) for dy in J], 1)
    A = np.stack([[np.sum(w * a * b, axis=(1, 2)) for a in J] for b in J])
    return F, g, np.moveaxis(A, 2, 0)


def worst(fit, wanted):
    """Largest difference, relative to the sizes that an element of a Gram matrix can have."""
    F, g, A = wanted
    size = np.sqrt(np.diagonal(A, axis1=1, axis2=2))
    return max(
        np.max(np.abs(fit.value - F) / F),
        np.max(np.abs(fit.gradient - g) / (size * np.sqrt(2 * F)[:, None])),
        np.max(np.abs(fit.normal - A) / (size[:, :, None] * size[:, None, :])),
    )


CLEAN, WRONG = 1e-11, 1e-6
"""As of the tangent in `test_cpu_planted`: round-off is 1e-13, and errors stand far above."""


def asked(names, B=11, *, insulated=False, seed=3, **options):
    """Columns, what is observed, coordinates and a point."""
    columns = batch(B, insulated=insulated, seed=seed)
    sight, objective = observed(B, kind="half-sum-of-squares", seed=seed + 1)
    u = np.random.default_rng(seed + 2).uniform(-1, 1, (B, len(names)))
    return columns, insulated, sight, objective, coordinates(names, **options), u


FORMS = {
    "all": (CANONICAL, {}),
    "separate": (SEPARATE, {}),
    "logarithmic": (CANONICAL, {"logarithmic": ("lam", "C", "H")}),
    "tied": (("Tb", "lam", "albedo"), {"tied": True}),
    "insulated": (("lam", "C", "H", "T0"), {"insulated": True}),
}


@pytest.mark.parametrize("form", FORMS)
def test_normal_equations_are_those_of_the_tangent(form):
    names, options = FORMS[form]
    problem = asked(names, **options)
    fit = levenberg.minimise(*problem, iterations=0)
    assert set(fit.status) == {marquardt.EXHAUSTED}
    assert np.array_equal(fit.u, problem[-1])
    assert worst(fit, expected(*problem)) < CLEAN


def test_priors_are_added():
    names = ("lam", "H", "Tb")
    problem = asked(names, logarithmic=("H",))
    mean, deviation = np.array([[0.9, 22.0, 289.0]]), np.array([[0.2, np.inf, 0.5]])
    bare = levenberg.minimise(*problem, iterations=0)
    fit = levenberg.minimise(*problem, iterations=0, priors=(mean, deviation))
    p, slope = physical(problem[4], problem[5])
    r = (p - mean) / deviation
    np.testing.assert_allclose(fit.value - bare.value, 0.5 * np.sum(r * r, 1), rtol=1e-9)
    np.testing.assert_allclose(fit.gradient, bare.gradient + r / deviation * slope, rtol=1e-9)
    more = np.zeros_like(bare.normal)
    more[:, range(3), range(3)] = (slope / deviation) ** 2
    np.testing.assert_allclose(fit.normal, bare.normal + more, rtol=1e-9)


# ------------------------------------------------------------------ planted errors


@pytest.fixture
def plain(monkeypatch):
    """Put the uncompiled kernels, one module of them changed, in the place of compiled ones."""

    def plant(*changed):
        bound = bind([*cpu.MODULES, *changed], {})
        monkeypatch.setattr(cpu, "compiled", lambda count: bound)

    return plant


ERRORS = [
    ("all", normal, "dg[j], i, rate / fetch", "dg[j], i, -rate / fetch"),
    ("all", normal, "rate * volume(columns, 0, i)", "-rate * volume(columns, 0, i)"),
    ("all", normal, "rate * splat(pace.dtype.type(SIGMA))", "-rate"),
    ("all", normal, "b, below))", "b, -below))"),
    ("all", normal, "b, -stored))", "b, stored))"),
    ("all", normal, "load(work[G], 0) * b)", "-load(work[G], 0) * b)"),
    ("all", normal, "below, above, zero)", "above, below, zero)"),
    ("all", normal, "zero, zero, stored)", "stored, zero, zero)"),
    ("all", normal, "fma(wr, each, load", "fma(-wr, each, load"),
    ("all", normal, "weighted = w * each", "weighted = -w * each"),
    ("all", normal, "splat(now.dtype.type(0.5)) * load", "load"),
    ("all", node, "dg * (T - T_above)", "dg * (T_above - T)"),
    ("all", along, "- H * load(d, TA)", "+ H * load(d, TA)"),
    ("all", looks, "load(d, C4), load(now, FOUR_C4)", "load(d, C4), load(now, C4)"),
    ("tied", normal, "if row == BOTTOM and tied:", "if False:"),
    ("tied", chunks, "if tied and what[j] == TEMPERATURE:", "if False:"),
    (
        "insulated",
        normal,
        "            start = rate\n        elif",
        "            pass\n        elif",
    ),
    ("separate", chunks, "*= -h / (beta * beta)", "*= h / (beta * beta)"),
    ("separate", chunks, "pace[j, spot] *= 1.0 + 1.0 / beta", "pass"),
    ("logarithmic", marquardt, "scale[j] / middle[j] * value", "scale[j]"),
]


@pytest.mark.parametrize("form", FORMS)
def test_uncompiled_they_are_right(plain, form):
    names, options = FORMS[form]
    problem = asked(names, 1, **options)
    wanted = expected(*problem)
    plain()
    assert worst(levenberg.minimise(*problem, iterations=0), wanted) < CLEAN


@pytest.mark.parametrize("form, module, old, new", ERRORS, ids=lambda x: getattr(x, "__name__", x))
def test_a_planted_sign_is_seen(plain, mutate, form, module, old, new):
    names, options = FORMS[form]
    problem = asked(names, 1, **options)
    wanted = expected(*problem)
    plain(mutate(module, old, new))
    assert worst(levenberg.minimise(*problem, iterations=0), wanted) > WRONG


# ------------------------------------------------------------------ what must not matter


def recoverable(B, names=("albedo", "H", "lam", "C"), seed=5):
    """Columns that differ in all their numbers, and noisy temperatures of drawn truths."""
    columns = batch(B, seed=seed, steps=40)
    sight, objective = observed(B, steps=40)
    unknowns = coordinates(names)
    rng = np.random.default_rng(seed)
    p, _ = physical(unknowns, rng.uniform(-1, 1, (B, len(names))))
    y, status = cpu.predict(put(columns, unknowns, p), False, sight)
    assert not status.any()
    values = y + 0.05 * rng.standard_normal(y.shape)
    weights = objective.weights / 0.05**2
    scored = Objective("half-sum-of-squares", values, weights)
    return columns, False, sight, scored, unknowns, np.zeros((1, len(names)))


def parts(fit, order=slice(None)):
    return [getattr(fit, name)[order] for name in vars(fit)]


def same(a, b):
    return all(np.array_equal(x, y, equal_nan=True) for x, y in zip(a, b, strict=True))


def some(problem, order):
    columns, insulated, sight, objective, unknowns, start = problem
    return (
        Columns(*(a if len(a) == 1 else a[order] for a in columns)),
        insulated,
        sight._replace(index=sight.index[order], fraction=sight.fraction[order]),
        Objective(objective.kind, objective.values[order], objective.weights[order]),
        unknowns,
        start,
    )


def test_neighbours_lanes_chunks_and_threads_do_not_matter(monkeypatch):
    problem = recoverable(37)
    whole = levenberg.minimise(*problem, threads=1)
    assert set(whole.status) == {marquardt.CONVERGED}
    assert len(set(whole.iterations)) > 1  # lanes are refilled at different times
    order = np.random.default_rng(0).permutation(37)
    assert same(parts(levenberg.minimise(*some(problem, order))), parts(whole, order))
    for b in (0, 17):  # alone: one lane
        alone = levenberg.minimise(*some(problem, np.array([b])))
        assert same(parts(alone), parts(whole, slice(b, b + 1)))
    monkeypatch.setattr(levenberg_run, "CHUNK", 5)
    for threads in (1, 2, 3):
        assert same(parts(levenberg.minimise(*problem, threads=threads)), parts(whole))


def test_shared_arrays_are_as_good_as_copies():
    problem = recoverable(9)
    columns = problem[0]
    shared = columns._replace(**{n: getattr(columns, n)[:1] for n in ("SWdown", "spacing", "T0")})
    copies = Columns(*(np.repeat(a, 9, 0) if len(a) == 1 else a for a in shared))
    found = [levenberg.minimise(each, *problem[1:]) for each in (shared, copies)]
    assert same(*map(parts, found))


def test_an_odd_column_does_not_disturb_its_neighbours():
    problem = recoverable(20)
    columns = problem[0]
    clean = levenberg.minimise(*problem)
    LWdown, Tair = columns.LWdown.copy(), columns.Tair.copy()
    LWdown[3] -= 1e6  # no positive root
    Tair[8, 5] = np.nan
    mask = np.zeros(20, bool)
    mask[12] = True
    odd = levenberg.minimise(columns._replace(LWdown=LWdown, Tair=Tair), *problem[1:], mask=mask)
    assert odd.status[[3, 8, 12]].tolist() == [
        marquardt.NO_SOLUTION, marquardt.NO_SOLUTION, marquardt.MASKED,
    ]  # fmt: skip
    assert np.isnan(odd.u[[3, 8, 12]]).all()
    assert odd.iterations[[3, 8, 12]].tolist() == [0, 0, 0]
    others = np.setdiff1d(np.arange(20), [3, 8, 12])
    assert same(parts(odd, others), parts(clean, others))


def test_a_trial_without_solution_is_stepped_back_from():
    """From where the first full step leads to no root, a shorter one is found."""
    columns, insulated, sight, objective, _, _ = recoverable(4)
    unknowns = levenberg.Coordinates(("LWdown",), np.array([300.0]), np.array([20.0]), np.zeros(1))
    y, _ = cpu.predict(columns._replace(LWdown=np.full((4, 1), 300.0)), insulated, sight)
    weights = objective.weights * np.array([1.0, 0.0, 0.0, 0.0])[:, None]  # temperatures alone
    exact = Objective(objective.kind, y, weights)
    problem = columns, insulated, sight, exact, unknowns, np.full((1, 1), 5e3)
    first = levenberg.minimise(*problem, iterations=0)
    full, _ = physical(unknowns, first.u - first.gradient / first.normal[:, :, 0])
    _, status = cpu.predict(columns._replace(LWdown=full), insulated, sight)
    assert status.all()  # emission is so steep that the full step asks for radiation below 0
    fit = levenberg.minimise(*problem)
    assert set(fit.status) == {marquardt.CONVERGED}
    np.testing.assert_allclose(fit.u, 0.0, atol=1e-6)


def test_iterations_run_out():
    fit = levenberg.minimise(*recoverable(5), iterations=1)
    assert set(fit.status) == {marquardt.EXHAUSTED}
    assert set(fit.iterations) == {1}


def test_an_uphill_direction_stalls(plain, mutate):
    problem = recoverable(1)
    plain(mutate(normal, "fma(wr, each, load", "fma(-wr, each, load"))
    assert levenberg.minimise(*problem).status.tolist() == [marquardt.STALLED]


def test_columns_of_a_batch_are_rows():
    """The helper of the other module takes rows as `some` does."""
    problem = recoverable(3)
    assert same(row(problem[0], 1), some(problem, np.array([1]))[0])


# ------------------------------------------------------------------ wrong input

WRONG_INPUT = [
    ({"names": ("lam", "lam")}, "named once"),
    ({"names": ()}, "at least one"),
    ({"names": ("spacing",)}, "spacing"),
    ({"names": ("H", "h", "beta")}, "H and h and beta"),
    ({"names": ("h",)}, "give the pair"),
    ({"names": ("T0",), "tied": True}, "tied to Tb"),
    ({"bounds": (np.ones((1, 1)), np.zeros((1, 1)))}, "lower <= upper"),
    ({"bounds": (np.zeros((1, 2)), np.ones((1, 2)))}, r"shape \(1, 2\)"),
    ({"priors": (np.zeros((1, 1)), np.zeros((1, 1)))}, "more than 0"),
    ({"mask": np.zeros(3, bool)}, "columns are 2"),
    ({"weight": -1.0}, "below 0"),
    ({"dtype": np.float32}, "give float64"),
]


@pytest.mark.parametrize("change, told", WRONG_INPUT, ids=[told for _, told in WRONG_INPUT])
def test_wrong_input_is_refused_at_the_door(change, told):
    options = dict(change)
    names = options.pop("names", ("lam",))
    unknowns = coordinates(names, tied=options.pop("tied", False))
    columns, (sight, objective) = batch(2), observed(2, kind="half-sum-of-squares")
    dtype = options.pop("dtype", np.float64)
    columns = Columns(*(a.astype(dtype) for a in columns))
    sight = sight._replace(fraction=sight.fraction.astype(dtype))
    weights = objective.weights * options.pop("weight", 1.0)
    objective = Objective(objective.kind, objective.values.astype(dtype), weights.astype(dtype))
    with pytest.raises(InputError, match=told):
        levenberg.minimise(
            columns, False, sight, objective, unknowns, np.zeros((1, len(names))), **options
        )
