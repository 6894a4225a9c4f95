from types import SimpleNamespace

import numpy as np
import pytest
from scipy.stats import multivariate_normal

from lsm_verify import InputError, load_case
from lsm_verify.inverse.priors import Normal, Smooth, stack
from lsm_verify.inverse.recovery import estimate_in_time, synthetic
from lsm_verify.inverse.smoothness import _at_optimum, _choose, _corner, choose_smoothness
from lsm_verify.inverse.space import Space
from lsm_verify.inverse.twins import NOISE, daylight, diurnal_albedo, in_time
from lsm_verify.inverse.unknowns import Unknown

FACTOR = 3.0
"""What the choice may be off from the value with the least true error: the error is flat there, and
95 % intervals of one record span a factor of two."""


@pytest.fixture(scope="module")
def deep():
    return in_time({"albedo": diurnal_albedo()}, depths=(0.05, 0.15), known=True)


@pytest.fixture(scope="module")
def chosen(deep):
    return choose_smoothness(
        synthetic(deep, noise=NOISE, seed=0),
        "albedo",
        observation_error=NOISE,
        deviations=np.geomspace(0.001, 0.3, 9),
        method="l-bfgs-b",
    )


def message(function, *arguments, **options):
    with pytest.raises(InputError) as caught:
        function(*arguments, **options)
    return str(caught.value)


class TestEvidence:
    def test_of_a_linear_problem_is_exact(self):
        """Against the density of the observations, all unknowns integrated out."""
        rng = np.random.default_rng(0)
        n, m = 6, 9
        space = Space([Unknown("x", np.asarray(-1.0), np.asarray(2.0), shape=(n,))])
        G, data = rng.standard_normal((m, n)), rng.standard_normal(m)
        logs, truths = [], []
        for s in (0.1, 0.4, 2.0):
            smooth = Smooth("x", s)
            L, right = stack([Normal("x", 0.3, 1.5), smooth], space)
            A, b = np.concatenate([G, L]), np.concatenate([data, right])
            best = np.linalg.lstsq(A, b, rcond=None)[0]
            misfit = SimpleNamespace(
                space=space,
                prior_right=right,
                residuals=lambda u, A=A, b=b: (A @ space.physical(u) - b, A * space.scale),
            )
            found = SimpleNamespace(estimate=best[None], best=0)
            logs.append(_at_optimum(misfit, found, smooth)[0])
            # The prior that the rows make, N(mean, S), and what it says of the observations.
            S = np.linalg.inv(L.T @ L)
            mean = S @ L.T @ right
            outside = 0.5 * float(right @ right - mean @ np.linalg.solve(S, mean))
            density = multivariate_normal(G @ mean, np.eye(m) + G @ S @ G.T).logpdf(data)
            truths.append(density - outside)
        assert np.diff(logs) == pytest.approx(np.diff(truths), abs=1e-9)  # logarithms of order 10

    def test_a_parabola_is_maximised_exactly(self):
        x = np.linspace(-3.0, 3.0, 13)
        best, (low, high), at_edge = _choose(x, -0.5 * ((x - 0.2) / 0.5) ** 2)
        assert np.log(best) == pytest.approx(0.2, abs=1e-3)  # 2,001 points over two of the grid
        assert not at_edge
        # ± 1.96 deviations
        assert np.log([low, high]) == pytest.approx([0.2 - 0.98, 0.2 + 0.98], abs=1e-3)

    def test_an_end_of_the_grid_is_said(self):
        x = np.linspace(0.0, 1.0, 5)
        best, _, at_edge = _choose(x, x)
        assert at_edge
        assert np.log(best) == pytest.approx(1.0)

    def test_the_corner_of_a_polyline(self):
        assert (
            _corner(np.array([0.0, 0.1, 0.2, 1.0, 2.0]), np.array([4.0, 2.0, 0.3, 0.2, 0.1])) == 2
        )


class TestTwin:
    def test_the_choice_is_near_the_least_true_error(self, deep, chosen):
        """Chosen on one record, scored on another."""
        record = synthetic(deep, noise=NOISE, seed=1)

        def error(prior):
            found = estimate_in_time(record, "albedo", observation_error=NOISE, priors=[prior])
            return found.rmse(diurnal_albedo(), daylight())

        errors = [error(Smooth("albedo", s)) for s in chosen.deviations]
        best = chosen.deviations[int(np.argmin(errors))]
        assert best / FACTOR < chosen.choice < best * FACTOR
        assert error(chosen.prior) < 1.5 * min(errors)

    def test_its_uncertainty_is_told(self, chosen):
        low, high = chosen.interval
        assert low < chosen.choice < high
        assert not chosen.at_edge
        assert chosen.prior == Smooth("albedo", chosen.choice)

    def test_the_curve_has_an_l(self, chosen):
        assert np.all(np.diff(chosen.misfit) < 0)
        assert np.all(np.diff(chosen.roughness) > 0)
        assert chosen.corner in chosen.deviations


class TestRefused:
    def test_too_few(self):
        case = in_time({"albedo": diurnal_albedo()}, known=True)
        assert message(
            choose_smoothness, case, "albedo", observation_error=NOISE, deviations=[0.1, 0.2]
        ) == ("2 deviations are given; give three or more to choose from.")

    def test_what_nothing_sees(self):
        """h and β apart: one direction is seen by neither observations nor priors."""
        from lsm_verify.inverse.varying import varying

        case = varying(load_case("twin"), "albedo")
        assert "the evidence is not defined" in message(
            choose_smoothness,
            case,
            "albedo",
            observation_error=NOISE,
            deviations=[0.01, 0.1, 1.0],
            method="l-bfgs-b",
            iterations=5,
        )
