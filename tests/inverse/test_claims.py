"""The paper's claims: verdicts follow from what was run, and change with it."""

from dataclasses import replace

import numpy as np
import pytest

from lsm_verify.inverse import claims, ensemble_claims, experiments
from lsm_verify.inverse.claim import QUALIFIED, REFUTED, SUPPORTED
from lsm_verify.inverse.valley import valley
from lsm_verify.parameters import COMBINED, SEPARATE


@pytest.fixture(scope="module")
def runs():
    return experiments.run("twin-one-depth"), experiments.run("twin")


@pytest.fixture(scope="module")
def biases(runs):
    return experiments.bias(runs[0].case, (151, 500))


def moved(experiment, which, **factors):
    """An experiment whose estimates by ``which`` are other ones."""
    found = getattr(experiment, which)
    estimate = found.estimate.copy()
    for name, factor in factors.items():
        estimate[:, found.space.places[name]] *= factor
    return replace(experiment, **{which: replace(found, estimate=estimate)})


def test_paper_is_repeated_within_its_own_figures(runs):
    one, two = runs
    means, spreads = experiments.against_published(two)
    assert means <= 0.3
    assert spreads <= 0.10
    means, spreads = experiments.against_published(one)
    assert means <= 0.5
    values = experiments.combined(one.adam)
    for name, (_, spread) in one.published.items():
        assert 0.6 <= values[name].std(ddof=1) / spread <= 1.2
    assert COMBINED in values


def test_one_depth_is_ill_conditioned_not_blind(runs, biases):
    found = claims.one_depth(*runs, biases)
    assert found.verdict == QUALIFIED
    assert found.numbers["largest_relative_error"] <= claims.REACHED
    assert found.numbers["condition_numbers"][0] > 10 * found.numbers["condition_numbers"][1]
    one, two = found.numbers["relative_deviation_of_conductivity"]
    # Bounds are in proportion to the error; the prototype had 4.4 / 22 / 44 and .11 / .55 / 1.1 %.
    np.testing.assert_allclose(list(one.values()), [0.044, 0.22, 0.44], rtol=0.02)
    np.testing.assert_allclose(list(two.values()), [0.0011, 0.0055, 0.011], rtol=0.02)
    assert "shrinks" in found.evidence


def test_verdicts_change_with_what_was_run(runs, biases):
    one, two = runs
    worse = moved(one, "exact", thermal_conductivity=1.1)
    assert claims.one_depth(worse, two, biases).verdict == SUPPORTED
    as_good = replace(one, identified=two.identified)
    assert claims.one_depth(as_good, two, biases).verdict == REFUTED
    grows = dict(zip(biases, reversed(list(biases.values())), strict=True))
    assert "does not shrink" in claims.one_depth(one, two, grows).evidence
    assert claims.two_depths(two).verdict == SUPPORTED
    assert claims.two_depths(moved(two, "exact", albedo=1.001)).verdict == REFUTED
    assert claims.two_depths(replace(two, identified=one.identified)).verdict == REFUTED


def test_h_and_beta_are_told_apart_by_nothing(runs):
    found = claims.coefficients(runs[1])
    assert found.verdict == SUPPORTED
    assert found.numbers["least_singular_value"] <= claims.NULL
    assert "only through h(1+1/β)" in found.evidence
    seen = runs[1].identified[0]
    values = seen.singular_values.copy()
    values[-1] = 1e-3 * values[0]
    told = replace(runs[1], identified=(replace(seen, singular_values=values, directions=()),))
    assert claims.coefficients(told).verdict == REFUTED


def test_an_unknown_that_is_not_identifiable_is_no_success(runs):
    two = runs[1]
    blind = np.zeros((1, two.exact.space.size))
    blind[0, two.exact.space.places["thermal_conductivity"]] = 1.0
    hidden = tuple(
        replace(found, blind=np.vstack([found.blind, blind])) for found in two.identified
    )
    found = claims.two_depths(replace(two, identified=hidden))
    assert found.verdict == REFUTED
    assert "thermal_conductivity: not identifiable" in found.evidence


def test_a_paper_that_is_not_repeated_is_a_qualification(runs):
    found = claims.two_depths(moved(runs[1], "adam", thermal_conductivity=3.0))
    assert found.verdict == QUALIFIED
    assert "does not repeat" in found.evidence


def test_another_stencil_refutes_the_physics(runs, monkeypatch):
    monkeypatch.setattr(claims, "_stencil_difference", lambda: 5.0)
    assert claims.physics(runs[1]).verdict == REFUTED


def test_gradient_of_another_route_is_held_against_the_adjoint():
    assert claims.no_adjoint(("adjoint", "autograd")).verdict == SUPPORTED


@pytest.fixture(scope="module")
def valleys(runs):
    return [valley(run) for run in runs]


def test_spread_of_starts_is_distance_left_along_a_valley(valleys):
    found = ensemble_claims.spread(valleys)
    assert found.verdict == REFUTED
    assert "by least squares they all end in one point" in found.evidence
    twin = found.numbers["twin"]
    assert twin["share_along_the_worst_direction"] > 0.9
    along = twin["spread_along_directions"]
    assert np.argmax(np.array(along["adam"]) / along["starts"]) == 4
    assert max(along["least_squares"]) < 1e-8
    assert twin["correlation_over_starts"] - twin["correlation_of_noisy_records"] > 0.3
    one = found.numbers["twin-one-depth"]
    assert one["correlation_of_noisy_records"] > one["correlation_over_starts"]


def test_a_spread_that_least_squares_leave_is_the_data_s(valleys):
    """Ends of least squares as far apart as Adam's: then no minimiser has left them."""
    wide = [replace(v, exact=v.adam) for v in valleys]
    assert ensemble_claims.spread(wide).verdict == SUPPORTED
    assert ensemble_claims.spread([valleys[0], wide[1]]).verdict == QUALIFIED


def test_rows_of_a_valley_have_h_and_beta_as_one(runs, valleys):
    two, found = runs[1], valleys[1]
    assert found.told.space.names[1] == COMBINED
    h, beta = (two.adam.start[:, two.adam.space.places[name]][:, 0] for name in SEPARATE)
    np.testing.assert_allclose(found.starts[:, 1], h * (1 + 1 / beta), rtol=1e-15)
    V = found.directions
    np.testing.assert_allclose(V @ V.T, np.eye(5), atol=1e-12)
    # Along its directions the information is diagonal.
    J = found.told.jacobian @ V.T
    np.testing.assert_allclose(1 / np.linalg.norm(J, axis=0), found.deviations, rtol=1e-9)
