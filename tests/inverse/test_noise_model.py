"""The noise model and its restricted likelihood, against independent formulas."""

from __future__ import annotations

import numpy as np
import pytest

from lsm_verify.errors import InputError
from lsm_verify.inverse.noise import DAY, Noise, NoiseModel
from lsm_verify.inverse.reml import (
    Linear,
    covariance,
    derivatives,
    expected_information,
    fit_noise,
    restricted_likelihood,
)

BOTH = ("quasi-periodic", "exponential")
STEP = 1e-5
QUOTIENT = 1e-7
"""Of a central difference with STEP: truncation STEP² times third derivatives of some hundreds,
and round-off 1e-13 × 100 / STEP, relative to gradients of order 10."""

EXACT = 1e-9
"""Two routes to one determinant: condition numbers up to 1e5 times the spacing of numbers, 1e-11,
with room for sums over a hundred rows."""


def model(components=BOTH, n=48, unit=(0.9, 0.5), **rest):
    return NoiseModel(np.arange(float(n)), np.array(unit), components, **rest)


def drawn(form, seed=3, missing=()):
    """Return a linear model with a trend, a daily cycle and correlated errors."""
    rng = np.random.default_rng(seed)
    S, n = form.series, form.times.size
    seen = np.ones((S, n), bool)
    for place in missing:
        seen[place] = False
    one = np.stack([np.ones(n), form.times / n, np.sin(2 * np.pi * form.times / DAY)], axis=1)
    X = np.concatenate([one * rng.normal(1.0, 0.3, 3) for _ in range(S)])[seen.ravel()]
    e = Noise(form, form.start).draw(1, seed)[0][seen]
    return Linear(X @ rng.normal(size=3) + e, X, seen)


class TestModel:
    def test_covariance_is_that_of_its_formula(self):
        form = model(("quasi-periodic",), n=30)
        theta = form.start
        L = np.array([[0.8, 0.0], [0.3, 0.8]]) * form.unit[:, None]
        lag = 7.0
        k = np.exp(-lag / 29.0 - 2 * np.sin(np.pi * lag / 24) ** 2)  # start: 48 h, cut to 29 h
        V = form.covariance(theta)
        assert V[3, 30 + 10] == pytest.approx((L @ L.T)[0, 1] * k, rel=1e-14)
        assert V[3, 3] == pytest.approx((L @ L.T)[0, 0] + 1e-3 * 0.81, rel=1e-14)
        assert np.array_equal(V, V.T)

    def test_derivatives_are_those_of_the_covariance(self):
        form = model(n=12)
        theta = form.start
        for i, (between, along) in enumerate(form.derivatives(theta)):
            away = STEP * np.eye(theta.size)[i]
            quotient = (form.covariance(theta + away) - form.covariance(theta - away)) / (2 * STEP)
            assert np.kron(between, along) == pytest.approx(quotient, abs=QUOTIENT)

    def test_a_daily_pattern_fades_by_its_coherence_alone(self):
        form = model(("quasi-periodic",), n=151)
        theta = form.start
        theta[-2:] = np.log(1e-6)
        noise = Noise(form, theta)
        faded = np.exp(-24 / 150)  # the search starts at the length of the record
        assert np.diag(noise.correlation(24.0)) == pytest.approx([faded] * 2, rel=1e-5)

    def test_draws_have_the_covariance_and_do_not_depend_on_their_number(self):
        noise = Noise(model(n=4), model(n=4).start)
        sets = 20_000
        e = noise.draw(sets, seed=5)
        V = noise.covariance
        # The variance of a sample covariance is (V_ij² + V_ii V_jj) / sets; 5 of its roots.
        spread = np.sqrt((V**2 + np.outer(np.diag(V), np.diag(V))) / sets)
        flat = e.reshape(sets, -1)
        assert np.all(np.abs(flat.T @ flat / sets - V) < 5 * spread)
        assert noise.draw(7, seed=5) == pytest.approx(e[:7], rel=1e-13, abs=1e-13)

    @pytest.mark.parametrize(
        "change, text",
        [
            ({"components": ("white",)}, "unknown component of the noise 'white'"),
            ({"components": ()}, "must be a tuple of one or more"),
            ({"components": "exponential"}, "must be a tuple of one or more"),
            ({"unit": (0.9, 0.0)}, "an exact fit leaves no noise to estimate"),
            ({"coherence": 0.5}, "must exceed the time step"),
        ],
    )
    def test_refuses(self, change, text):
        with pytest.raises(InputError, match=text.replace("(", r"\(")):
            model(**change)

    def test_refuses_parameters_outside_of_their_range(self):
        form = model()
        with pytest.raises(InputError, match=r"coherence/h\)=9 must lie in"):
            Noise(form, np.where(np.arange(form.start.size) == 3, 9.0, form.start))


class TestRestrictedLikelihood:
    @pytest.mark.parametrize("missing", [(), ((0, 3), (1, 7), (1, 8))])
    def test_is_the_likelihood_of_error_contrasts(self, missing):
        """Harville (1974): with K an orthonormal basis of what X leaves, up to ½ log|XᵀX|."""
        from scipy.linalg import null_space

        form = model(n=20)
        linear = drawn(form, missing=missing)
        theta = form.start
        K = null_space(linear.design.T)
        V = K.T @ covariance(Noise(form, theta), linear) @ K
        z = K.T @ linear.response
        expected = 0.5 * (np.linalg.slogdet(V)[1] + z @ np.linalg.solve(V, z))
        expected += 0.5 * np.linalg.slogdet(linear.design.T @ linear.design)[1]
        assert restricted_likelihood(form, linear, theta)[0] == pytest.approx(expected, rel=EXACT)

    @pytest.mark.parametrize("missing", [(), ((0, 3), (1, 7), (1, 8))])
    def test_gradient_is_that_of_differences(self, missing):
        form = model(n=30)
        linear = drawn(form, missing=missing)
        theta = form.start
        slope = restricted_likelihood(form, linear, theta)[1]
        quotients = [
            (
                restricted_likelihood(form, linear, theta + away)[0]
                - restricted_likelihood(form, linear, theta - away)[0]
            )
            / (2 * STEP)
            for away in STEP * np.eye(theta.size)
        ]
        assert slope == pytest.approx(quotients, rel=0, abs=QUOTIENT * np.abs(slope).max())

    def test_does_not_depend_on_the_parameters_of_the_model(self):
        form = model(n=30)
        linear = drawn(form)
        moved = Linear(
            linear.response + linear.design @ np.array([5.0, -3.0, 2.0]), linear.design, linear.seen
        )
        values = [restricted_likelihood(form, x, form.start)[0] for x in (linear, moved)]
        assert values[0] == pytest.approx(values[1], rel=EXACT)

    def test_information_is_the_covariance_of_the_score(self):
        form = model(("quasi-periodic",), n=12)
        linear = drawn(form)
        theta = form.start
        sets = 600
        errors = Noise(form, theta).draw(sets, seed=8).reshape(sets, -1)
        scores = np.array(
            [
                restricted_likelihood(form, Linear(e, linear.design, linear.seen), theta)[1]
                for e in errors
            ]
        )
        expected = expected_information(form, linear, theta)
        got = np.diag(scores.T @ scores / sets)
        # A mean of squares: its relative spread is √(kurtosis/sets), kurtosis of a quadratic form
        # in normal variables below 15 - 1; 5 of those.
        assert got == pytest.approx(np.diag(expected), rel=5 * np.sqrt(14 / sets))

    def test_derivatives_keep_to_what_was_seen(self):
        form = model(n=10)
        linear = drawn(form, missing=((0, 3),))
        assert {D.shape for D in derivatives(form, linear, form.start)} == {(19, 19)}


class TestFit:
    def test_finds_the_noise_that_was_drawn(self):
        form = NoiseModel(np.arange(200.0), np.ones(2), ("exponential",))
        theta = np.array([0.7, 0.4, 0.5, np.log(8.0), np.log(1e-2), np.log(1e-2)])
        e = Noise(form, theta).draw(1, seed=2)[0]
        X = np.ones((400, 1))
        found = fit_noise(Linear(e.ravel(), X, np.ones((2, 200), bool)), form)
        spread = np.sqrt(np.diag(np.linalg.inv(found.information)))
        assert found.converged
        # Four standard errors by the expected information.
        assert np.all(np.abs(found.noise.theta - theta) < 4 * spread)
        assert found.noise.at_bound == ()

    def test_refuses_what_does_not_fit(self):
        form = model(n=20)
        with pytest.raises(InputError, match=r"observations have shape \(2, 10\)"):
            fit_noise(drawn(model(n=10)), form)

    def test_refuses_fewer_observations_than_unknowns(self):
        with pytest.raises(InputError, match="2 observations determine 2 of 3 unknowns"):
            Linear(np.zeros(2), np.eye(3)[:2], np.ones((1, 2), bool))

    def test_refuses_unknowns_that_cannot_be_told_apart(self):
        with pytest.raises(InputError, match="9 observations determine 1 of 2 unknowns"):
            Linear(np.zeros(9), np.ones((9, 2)), np.ones((1, 9), bool))
