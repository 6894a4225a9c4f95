"""Least squares on a GPU against those on the CPU: on a device, or in numba-cuda's simulator.

The simulator is chosen when numba is imported: `test_cuda_machine` runs this file in a process of
its own.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from lsm_verify.errors import InputError
from lsm_verify.grid import Grid
from lsm_verify.inverse.city import city_case, draw_city
from lsm_verify.inverse.fields import calibrate_columns
from lsm_verify.inverse.priors import Normal
from lsm_verify.kernels import (
    chunks,
    cpu,
    cuda_arrays,
    cuda_levenberg,
    cuda_levenberg_run,
    cuda_looks,
    cuda_normal,
    cuda_steps,
    levenberg,
    marquardt,
)
from lsm_verify.kernels.columns import Objective
from tests.kernels.test_cpu_batches import batch, observed
from tests.kernels.test_cuda import SIMULATED, pytestmark  # noqa: F401
from tests.kernels.test_levenberg import (
    CLEAN,
    FORMS,
    WRONG,
    asked,
    coordinates,
    expected,
    parts,
    physical,
    put,
    same,
    worst,
)
from tools import map_gpu

ALIKE = 2e-6
"""Largest difference of estimates, in standard errors. A column stops where the undamped step is
below `marquardt.SETTLED`, 1e-7, which leaves at most 1e-6 for rates up to 0.9, on either device."""

ERROR = 0.05
"""Standard deviation of the noise [K]."""

STEPS, INTERFACES = 8, 4


# ------------------------------------------------------------------ normal equations


@pytest.mark.parametrize("form", FORMS)
def test_normal_equations_are_those_of_the_tangent(form):
    names, options = FORMS[form]
    problem = asked(names, 2, **options)
    fit = levenberg.minimise(*problem, iterations=0, device="cuda")
    assert set(fit.status) == {marquardt.EXHAUSTED}
    assert np.array_equal(fit.u, problem[-1])
    assert worst(fit, expected(*problem)) < CLEAN


ERRORS = [
    ("all", cuda_normal, "rate / at(columns[SPACING]", "-rate / at(columns[SPACING]"),
    ("all", cuda_normal, "rate * volume(columns", "-rate * volume(columns"),
    ("all", cuda_normal, "return rate * numbers[4]", "return -rate * numbers[4]"),
    ("all", cuda_normal, "b, below))", "b, -below))"),
    ("all", cuda_normal, "b, -stored))", "b, stored))"),
    ("all", cuda_normal, "load(row(rows, G), 0) * b)", "-load(row(rows, G), 0) * b)"),
    ("all", cuda_normal, "below, above, zero)", "above, below, zero)"),
    ("all", cuda_normal, "zero, zero, stored)", "stored, zero, zero)"),
    ("all", cuda_normal, "DG if what == LAM else NONE", "DG"),
    ("all", cuda_normal, "old, new = row(rows, EVEN + n % 2)", "old, new = row(rows, EVEN)"),
    ("all", cuda_normal, "w == zero", "w == w"),
    ("all", cuda_normal, "fma(wr, each, sums", "fma(-wr, each, sums"),
    ("all", cuda_normal, "weighted = w * each", "weighted = -w * each"),
    ("all", cuda_normal, "spot] = half * sums[VALUE, spot]", "spot] = sums[VALUE, spot]"),
    ("all", cuda_steps, "- H * dTa", "+ H * dTa"),
    ("all", cuda_looks, "emission_change(d_c4, fixed[1]", "emission_change(d_c4, fixed[0]"),
    ("all", chunks, "local[q][spot, i] = given[q][row, i]", "local[q][spot, i] = given[q][0, i]"),
    ("tied", cuda_normal, "(what == BOTTOM and tied != 0)", "False"),
    ("tied", chunks, "if tied and what[j] == TEMPERATURE:", "if False:"),
    ("insulated", cuda_normal, "what == INITIAL or (", "False or ("),
    ("separate", chunks, "*= -h / (beta * beta)", "*= h / (beta * beta)"),
    ("logarithmic", marquardt, "scale[j] / middle[j] * value", "scale[j]"),
]


def forget() -> None:
    """Bind the kernel anew, after a change of its sources."""
    cuda_levenberg_run.compiled.cache_clear()
    cuda_levenberg_run._functions.cache_clear()


@pytest.fixture
def plant(planter):
    """Put a changed source in the place of the kernel's for the length of one test."""

    def change(module, old, new):
        planter.plant(module, old, new, into=cuda_levenberg_run.MODULES)
        forget()

    yield change
    forget()


IN_THE_SIMULATOR = pytest.mark.skipif(
    not SIMULATED, reason="in the simulator alone: each would be compiled"
)


@IN_THE_SIMULATOR
@pytest.mark.parametrize("form, module, old, new", ERRORS, ids=lambda x: getattr(x, "__name__", x))
def test_a_planted_error_is_seen(plant, form, module, old, new):
    names, options = FORMS[form]
    problem = asked(names, 2, **options)
    wanted = expected(*problem)
    plant(module, old, new)
    assert worst(levenberg.minimise(*problem, iterations=0, device="cuda"), wanted) > WRONG


# ------------------------------------------------------------------ the same fit as on the CPU


def recoverable(B, names, *, seed=5, **options):
    """Columns that differ in all their numbers, and noisy observations of drawn truths."""
    columns = batch(B, seed=seed, steps=STEPS, interfaces=INTERFACES)
    sight, objective = observed(B, steps=STEPS, interfaces=INTERFACES)
    unknowns = coordinates(names, **options)
    rng = np.random.default_rng(seed)
    p, _ = physical(unknowns, rng.uniform(-1, 1, (B, len(names))))
    if "h" in names or "beta" in names:
        pair = {"h": np.full(B, 12.0), "beta": np.full(B, 1.5)} | dict(zip(names, p.T, strict=True))
        truth = columns._replace(H=(pair["h"] * (1 + 1 / pair["beta"]))[:, None])
    else:
        truth = put(columns, unknowns, p)
    y, status = cpu.predict(truth, False, sight)
    assert not status.any()
    values = y + ERROR * rng.standard_normal(y.shape)
    scored = Objective("half-sum-of-squares", values, objective.weights / ERROR**2)
    return columns, False, sight, scored, unknowns, np.zeros((1, len(names)))


def both(problem, **options):
    """Fit on the CPU and on the device, which must agree; return what the CPU found."""
    ours = levenberg.minimise(*problem, **options)
    theirs = levenberg.minimise(*problem, **options, device="cuda")
    np.testing.assert_array_equal(theirs.status, ours.status)
    np.testing.assert_array_equal(theirs.iterations, ours.iterations)
    there = np.isfinite(ours.value)
    for name in ("u", "value", "gradient", "normal"):
        found = getattr(theirs, name).reshape(len(there), -1)
        assert np.array_equal(np.isfinite(found), np.repeat(there[:, None], found.shape[1], 1))
    apart = (theirs.u - ours.u)[there]
    length = np.sqrt(np.einsum("bj,bjk,bk->b", apart, ours.normal[there], apart))
    assert np.all(length <= ALIKE)
    # F near its least changes by half the square of a step in standard errors, and with the
    # rounding of predictions.
    F, (_, values, weights) = ours.value[there], problem[3]
    power = marquardt.ROUNDING * np.sqrt(np.sum(weights * values**2, axis=(1, 2)))[there]
    limit = ALIKE**2 + power * (np.sqrt(2 * F) + power)
    assert np.all(np.abs(theirs.value[there] - F) <= limit)
    return ours


NAMES = ("albedo", "H", "lam")
PLAIN = {"names": NAMES}

FITS = {
    "plain": PLAIN,
    "logarithmic": {**PLAIN, "logarithmic": ("H", "lam")},
    "tied": {"names": ("Tb", "lam"), "tied": True},
    "h": {"names": ("albedo", "h"), "pair": np.array([[np.nan, 1.5]])},
    "beta": {"names": ("beta",), "pair": np.array([[12.0, np.nan]])},
    "h and beta": {
        "names": ("h", "beta"),
        "priors": (np.array([[12.0, 1.5]]), np.full((1, 2), 0.3)),
    },
    "priors": {
        **PLAIN,
        "priors": (
            np.array([[0.25, 20.0, 1.0], [0.2, 18.0, 1.1], [0.3, 22.0, 0.9]]),
            np.array([[np.inf, 0.5, 0.1]]),
        ),
    },
    "bounds": {
        **PLAIN,
        "bounds": (np.full((1, 3), -0.2), np.array([[0.1] * 3, [0.3] * 3, [0.2] * 3])),
    },
    "out of iterations": {**PLAIN, "iterations": 2},
}


@pytest.mark.parametrize("form", FITS)
def test_the_fit_is_that_of_the_cpu(form):
    options = dict(FITS[form])
    shape = {
        name: options.pop(name) for name in ("names", "logarithmic", "tied") if name in options
    }
    ours = both(recoverable(3, **shape), **options)
    if form == "out of iterations":
        assert set(ours.status) == {marquardt.EXHAUSTED}
    else:
        assert set(ours.status) == {marquardt.CONVERGED}
    if form == "bounds":
        low, high = options["bounds"]
        held = (ours.u == low) | (ours.u == high)
        assert held.any()
        assert not held.all()


def test_gaps_are_left_out():
    """One sensor out for a time in one column, another for good in the next, values not finite."""
    columns, insulated, sight, objective, *rest = recoverable(3, NAMES)
    weights = objective.weights.copy()
    weights[0, 0, 2:6] = 0.0
    weights[1, 1] = 0.0
    holed = Objective(objective.kind, np.where(weights == 0, 1e9, objective.values), weights)
    ours = both((columns, insulated, sight, holed, *rest))
    assert set(ours.status) == {marquardt.CONVERGED}


def test_odd_columns_end_as_on_the_cpu_and_leave_the_others_alone():
    problem = recoverable(5, NAMES)
    clean = levenberg.minimise(*problem, device="cuda")
    LWdown, Tair = problem[0].LWdown.copy(), problem[0].Tair.copy()
    LWdown[1] -= 1e6  # no positive root
    Tair[2, 5] = np.nan
    mask = np.array([False, False, False, True, False])
    odd = (problem[0]._replace(LWdown=LWdown, Tair=Tair), *problem[1:])
    ours = both(odd, mask=mask)
    assert ours.status.tolist() == [
        marquardt.CONVERGED, marquardt.NO_SOLUTION, marquardt.NO_SOLUTION, marquardt.MASKED,
        marquardt.CONVERGED,
    ]  # fmt: skip
    theirs = levenberg.minimise(*odd, mask=mask, device="cuda")
    assert same(parts(theirs, [0, 4]), parts(clean, [0, 4]))
    nobody = levenberg.minimise(*problem, mask=np.ones(5, bool), device="cuda")
    assert set(nobody.status) == {marquardt.MASKED}


@IN_THE_SIMULATOR
def test_an_uphill_direction_stalls(plant):
    plant(cuda_normal, "fma(wr, each, sums", "fma(-wr, each, sums")
    fit = levenberg.minimise(*recoverable(1, NAMES), device="cuda")
    assert fit.status.tolist() == [marquardt.STALLED]


# ------------------------------------------------------------------ what must not matter


@pytest.mark.parametrize("shared", [(), ("SWdown", "spacing", "T0", "C")])
def test_threads_neighbours_and_pieces_do_not_matter(monkeypatch, shared):
    problem = recoverable(7, NAMES)
    columns = problem[0]._replace(**{n: getattr(problem[0], n)[:1].copy() for n in shared})
    problem = (columns, *problem[1:])
    whole = levenberg.minimise(*problem, device="cuda")
    assert set(whole.status) == {marquardt.CONVERGED}
    for at_once in (1, 2, 4):
        assert same(
            parts(levenberg.minimise(*problem, device="cuda", at_once=at_once)), parts(whole)
        )
    sizes = []
    launch = cuda_levenberg_run._launch

    def noted(p, order, piece, own, *rest):
        sizes.append((piece[1] - piece[0], own[0][1].shape[0]))
        return launch(p, order, piece, own, *rest)

    monkeypatch.setattr(cuda_levenberg_run, "_launch", noted)
    mask = np.array([False, True, True, False, False, True, False])
    kept = np.flatnonzero(~mask)
    for free in (3e3, 3e4):
        monkeypatch.setattr(cuda_arrays.Home, "free_bytes", lambda self, free=free: free)
        found = levenberg.minimise(*problem, mask=mask, device="cuda")
        assert same(parts(found, kept), parts(whole, kept))
    assert min(sizes)[0] < 7  # in several pieces
    assert min(threads for _, threads in sizes) < kept.size  # of which threads took several columns


@IN_THE_SIMULATOR
@pytest.mark.parametrize(
    "module, old, new",
    [
        (cuda_levenberg, "order[place],", "order[0],"),
        (
            chunks,
            "tally[spot, COLUMN], tally[spot, RUNS] = column, 0",
            "tally[spot, COLUMN] = column",
        ),
        (chunks, "widests[spot, j] = 0.0", "pass"),
    ],
)
def test_what_a_thread_keeps_of_its_last_column_is_seen(plant, module, old, new):
    problem = recoverable(4, NAMES)
    alone = levenberg.minimise(*problem, device="cuda", at_once=4)
    plant(module, old, new)
    assert not same(parts(levenberg.minimise(*problem, device="cuda", at_once=1)), parts(alone))


@IN_THE_SIMULATOR
def test_nothing_is_read_that_was_not_written(monkeypatch):
    """Working memory and results full of not-a-number and of columns that there are not."""
    problem = recoverable(4, ("Tb", "lam", "C"), tied=True)
    clean = levenberg.minimise(*problem, device="cuda", at_once=2)
    numba_cuda = cuda_levenberg_run.numba_cuda()
    make = numba_cuda.device_array

    def spoilt(*form, **options):
        array = make(*form, **options)
        array[...] = np.nan if array.dtype.kind == "f" else -(10**9)
        return array

    monkeypatch.setattr(numba_cuda, "device_array", spoilt)
    assert same(parts(levenberg.minimise(*problem, device="cuda", at_once=2)), parts(clean))


# ------------------------------------------------------------------ the doors


def small_city():
    return replace(city_case().window(6), grid=Grid.stretched(1.0, 5, 1.5))


def test_columns_of_a_city_are_calibrated_as_on_the_cpu():
    case = small_city()
    held = ("bottom_temperature", "volumetric_heat_capacity")
    truth, values = draw_city(case, 3, ERROR, held=held, seed=0)
    values[1, 0, 2] = np.nan
    values[2] = np.nan
    options = {"unknowns": list(truth), "priors": [Normal("thermal_conductivity", 0.65, 0.1)]}
    ours, theirs = (
        calibrate_columns(case, values, ERROR, **options, device=device)
        for device in ("cpu", "cuda")
    )
    assert ours.words == theirs.words
    assert ours.words[:2] == ("converged", "converged")
    assert np.array_equal(ours.iterations, theirs.iterations)
    for b in range(2):
        apart = np.abs(theirs.estimate[b] - ours.estimate[b]) / ours.standard_error[b]
        assert np.all(apart <= ALIKE)
    assert np.array_equal(np.isnan(theirs.estimate), np.isnan(ours.estimate))


def test_what_is_measured_on_a_gpu_holds_of_a_small_city():
    held = ("bottom_temperature", "volumetric_heat_capacity", "thermal_conductivity")
    told = map_gpu.measure(small_city(), 5, held, sample=3, rounds=2)
    assert told["status"] == {"converged": 5}
    assert told["rounds_are_bitwise_equal"]
    assert len(told["wall_s"]) == len(told["of_which_on_the_gpu_with_copies_s"]) == 2
    assert set(told["unknowns"]) == {"albedo", "turbulent_transfer_coefficient"}
    beside = told["beside_the_cpu"]
    assert (beside["columns"], beside["same_status"], beside["same_iterations"]) == (3, 3, 3)
    assert beside["within_the_limit"]
    assert map_gpu.ALIKE <= ALIKE * (1 + 1e-12)


@pytest.mark.parametrize(
    "options, told",
    [
        ({"device": "gpu"}, "unknown device 'gpu'"),
        ({"device": "cuda", "at_once": 0}, "at_once=0 must be at least 1 column."),
    ],
)
def test_wrong_options_are_refused(options, told):
    with pytest.raises(InputError, match=told):
        levenberg.minimise(*recoverable(1, NAMES), **options)
