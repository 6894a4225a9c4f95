"""Laplace's posterior, samples beside it, and the spread of fits to noisy records."""

from __future__ import annotations

import sys
from dataclasses import replace

import numpy as np
import pytest

from lsm_verify import InputError, load_case
from lsm_verify.cases.phoenix import RANGES, phoenix
from lsm_verify.inverse.montecarlo import monte_carlo
from lsm_verify.inverse.point import misfit_at
from lsm_verify.inverse.posterior import laplace
from lsm_verify.inverse.priors import Normal
from lsm_verify.inverse.samples import LONG_ENOUGH
from lsm_verify.inverse.sampling import sample
from lsm_verify.inverse.unknowns import Unknown
from lsm_verify.inverse.varying import combined
from lsm_verify.parameters import COMBINED

NOISE = 0.05
TWO = ["albedo", "thermal_conductivity"]

EXACT = 1e-6
"""Curvature where the fit is exact: residuals of 1e-12 K leave Gauss-Newton's; differences of the
gradient are good to 1e-8, see `posterior.STEP`."""

STEP = 0.1
SECOND_DIFFERENCE = 1e-3
"""Second differences of the objective at a tenth of a deviation: fourth derivatives over twelve
hundred; Gauss-Newton's must be further off than that."""

TWO_DIGITS = 0.04
"""Half a unit of the last digit of 0.14."""

ERRORS = 5.0
"""Monte Carlo errors within which a statistic must lie; seeds are fixed."""


@pytest.fixture(scope="module")
def case():
    return combined(load_case("twin").window(40), RANGES[COMBINED])


def emcee_or_skip():
    pytest.importorskip("emcee", reason='emcee is missing: pip install "lsm-verify[posterior]"')


def test_an_exact_record_has_gauss_newtons_curvature(case):
    found = laplace(case, "truth", observation_error=NOISE)
    assert found.estimate == pytest.approx(case_row(found, case), rel=1e-8)
    unit = np.sqrt(np.diag(found.gauss_newton))
    difference = (found.covariance - found.gauss_newton) / np.outer(unit, unit)
    assert np.max(np.abs(difference)) <= EXACT
    assert found.hessian_error <= EXACT
    assert found.at_bound == ()


def case_row(found, case):
    return found.space.flatten(case.truth)


def test_the_hessian_has_the_residuals_curvature(case):
    """Beside second differences of the objective, on a record that the model cannot fit."""
    series = tuple(
        replace(s, values=s.values + np.sin(np.arange(41.0) / 4)) for s in case.observations.series
    )
    wrong = replace(case, observations=replace(case.observations, series=series))
    found = laplace(wrong, "truth", observation_error=NOISE)
    misfit, _ = misfit_at(wrong, "truth", observation_error=NOISE)
    root = np.linalg.cholesky(found.covariance)
    naive = np.linalg.cholesky(found.gauss_newton)
    h = STEP
    for k in range(found.mean.size):
        step = h * root[:, k]
        value = misfit.value(np.stack([found.mean + step, found.mean, found.mean - step]))[0]
        assert (value[0] - 2 * value[1] + value[2]) / h**2 == pytest.approx(
            1, rel=SECOND_DIFFERENCE
        )
    assert np.max(np.abs(np.diag(naive) / np.diag(root) - 1)) > 10 * SECOND_DIFFERENCE


def test_draws_have_the_covariance(case):
    found = laplace(case, "truth", TWO, observation_error=NOISE)
    drawn = found.space.scaled(found.sample(4000, seed=1))
    unit = np.sqrt(np.diag(found.covariance))
    error = 1 / np.sqrt(4000)
    assert np.all(np.abs(np.mean(drawn, axis=0) - found.mean) <= ERRORS * error * unit)
    assert np.all(np.abs(np.corrcoef(drawn.T) - found.correlation) <= ERRORS * error)
    assert np.array_equal(found.sample(3, seed=1), found.sample(3, seed=1))


def test_what_is_not_identifiable_has_no_posterior_without_a_prior():
    twin = load_case("twin").window(20)
    names = ["heat_transfer_coefficient", "bowen_ratio"]
    with pytest.raises(InputError, match="heat_transfer_coefficient is not identifiable; give a"):
        laplace(twin, "truth", names, observation_error=NOISE)
    prior = Normal("bowen_ratio", 1.5, 0.1)
    found = laplace(twin, "truth", names, observation_error=NOISE, priors=[prior])
    assert found.deviation[1] == pytest.approx(0.1, rel=1e-2)


def test_samples_agree_with_laplace_where_the_model_is_nearly_linear(case):
    emcee_or_skip()
    options = {"observation_error": NOISE, "seed": 3, "walkers": 16, "steps": 800}
    found = sample(case, "truth", TWO, **options)
    tau = len(found.samples) / LONG_ENOUGH * np.ones(2)
    assert replace(found, autocorrelation=tau, autocorrelation_of_squares=tau).reliable
    (shift, shift_error), (ratio, ratio_error) = found.shift, found.ratio
    assert np.all(shift_error < 0.1)
    assert np.all(ratio_error < 0.1)
    assert np.all(np.abs(shift) <= ERRORS * shift_error)
    assert np.all(np.abs(ratio - 1) <= ERRORS * ratio_error)
    assert "effective samples" in found.text()
    short = {**options, "steps": 100}
    one, two = (sample(case, "truth", TWO, **short) for _ in range(2))
    assert np.array_equal(one.samples, two.samples)
    assert not one.reliable
    assert "too short: run more steps" in one.text()


def test_samples_stay_within_bounds(case):
    emcee_or_skip()
    found = sample(case, "truth", ["albedo"], observation_error=20.0, seed=1, walkers=16, steps=200)
    assert np.min(found.flat) >= 0
    assert np.max(found.flat) <= 1
    assert found.laplace.deviation[0] > 0.1
    assert np.std(found.flat) > 0.05


BROAD = 0.3
"""Relative deviation of λ: the two priors' means differ by about that share of a deviation."""


@pytest.fixture(scope="module")
def broad(case):
    """λ as a logarithmic unknown, known to 30 %, and its likelihood on a grid."""
    unknown = Unknown("thermal_conductivity", 0.47, 0.8, least=1e-3, most=5.0, logarithmic=True)
    sharp = laplace(case, "truth", [unknown], observation_error=1.0)
    error = BROAD * 0.8 / sharp.deviation[0]
    misfit, _ = misfit_at(case, "truth", [unknown], observation_error=error)
    grid = np.linspace(1e-3, 5.0, 4001)[:, None]
    F = misfit.value(misfit.space.scaled(grid))[0]
    return [unknown], error, grid[:, 0], np.exp(F.min() - F)


@pytest.mark.parametrize("flat_in", ["parameter", "logarithm"])
def test_the_prior_of_a_logarithmic_unknown(case, broad, flat_in):
    """Beside quadrature over the likelihood in the parameter, times the prior's density there."""
    emcee_or_skip()
    unknowns, error, grid, likelihood = broad
    means = {}
    for each, density in (("parameter", likelihood), ("logarithm", likelihood / grid)):
        means[each] = np.sum(grid * density) / np.sum(density)
    found = sample(
        case,
        "truth",
        unknowns,
        observation_error=error,
        seed=4,
        walkers=16,
        steps=4000,
        flat_in=flat_in,
    )
    shift, shift_error = (x[0] for x in found.shift)
    wanted = (means[flat_in] - found.laplace.estimate[0]) / found.laplace.deviation[0]
    assert shift == pytest.approx(wanted, abs=ERRORS * shift_error)
    apart = (means["parameter"] - means["logarithm"]) / found.laplace.deviation[0]
    assert apart > 2 * ERRORS * shift_error
    said = "logarithm of thermal_conductivity" if flat_in == "logarithm" else "flat in the param"
    assert said in found.text()


def test_an_unknown_prior_is_refused(case):
    emcee_or_skip()
    with pytest.raises(InputError, match="unknown flat_in 'log'"):
        sample(case, "truth", TWO, observation_error=NOISE, seed=1, flat_in="log")


def test_emcee_is_missing(case, monkeypatch):
    monkeypatch.setitem(sys.modules, "emcee", None)
    with pytest.raises(InputError, match=r'pip install "lsm-verify\[posterior\]"'):
        sample(case, "truth", observation_error=NOISE, seed=1)


@pytest.mark.parametrize(
    "options, message",
    [({"walkers": 3}, "at least 4"), ({"walkers": 5}, "even"), ({"steps": 10}, "at least 100")],
)
def test_wrong_sampling(case, options, message):
    emcee_or_skip()
    with pytest.raises(InputError, match=message):
        sample(case, "truth", TWO, observation_error=NOISE, seed=1, **options)


@pytest.mark.phoenix
def test_phoenix(data_dir):
    """Published by others: least squares with one Gauss-Newton deviation (data/README)."""
    found = laplace(phoenix(data_dir), observation_error=0.856)
    by_name = dict(zip(found.space.names, found.estimate, strict=True))
    assert 17.5 <= by_name["turbulent_transfer_coefficient"] <= 18.8
    assert 0.70 <= by_name["thermal_conductivity"] <= 0.90
    assert 2.3e6 <= by_name["volumetric_heat_capacity"] <= 2.7e6
    assert 305.4 <= by_name["bottom_temperature"] <= 305.9
    naive = np.sqrt(np.diag(found.gauss_newton)) * found.space.scale
    known = [0.31, 0.077, 0.14e6, 0.18]
    assert naive == pytest.approx(known, rel=TWO_DIGITS)
    assert np.all(found.deviation < naive)


def test_noisy_records_have_the_spread_of_the_bound(case):
    options = {"observation_error": NOISE, "draws": 60}
    found = monte_carlo(case, "truth", TWO, seed=2, **options)
    assert np.all(found.converged)
    (ratio, error), (bias, bias_error) = found.spread, found.bias
    assert np.all(error < 0.15)
    assert np.all(np.abs(ratio - 1) <= ERRORS * error)
    assert np.all(np.abs(bias) <= ERRORS * bias_error)
    assert np.array_equal(found.at_bound, [0, 0])
    count = found.identifiability.count - 2  # degrees of freedom: 2F is χ²
    assert np.mean(2 * found.objective) == pytest.approx(
        count, abs=ERRORS * np.sqrt(2 * count / 60)
    )
    again = monte_carlo(case, "truth", TWO, seed=2, observation_error=NOISE, draws=2)
    assert np.array_equal(again.estimates, found.estimates[:2])


def test_no_spread_of_what_is_not_identifiable():
    with pytest.raises(InputError, match="is not identifiable; leave it out"):
        monte_carlo(load_case("twin").window(20), observation_error=NOISE, seed=1, draws=2)
