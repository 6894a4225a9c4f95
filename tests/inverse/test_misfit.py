"""The objective: residuals, gradient and priors belong together."""

import numpy as np
import pytest

from lsm_verify.cases import load_case
from lsm_verify.errors import InputError
from lsm_verify.inverse.misfit import Misfit
from lsm_verify.inverse.priors import Normal, Smooth, stack
from lsm_verify.inverse.space import Space
from lsm_verify.inverse.unknowns import Unknown
from lsm_verify.routes import gradient

PRIORS = [Normal("albedo", 0.25, 0.05), Normal("bottom_temperature", 294.0, 2.0)]


@pytest.fixture(scope="module")
def case():
    return load_case("twin").window(20)


@pytest.mark.parametrize("priors", [[], PRIORS], ids=["plain", "priors"])
@pytest.mark.parametrize("error", [1.0, 0.05, [0.05, 0.2]])
def test_value_gradient_and_residuals_agree(case, priors, error):
    space = Space.of(case, logarithmic=["thermal_conductivity"])
    misfit = Misfit(case, space, observation_error=error, priors=priors)
    u = np.random.default_rng(3).uniform(-1, 1, (2, space.size))
    F, slope = misfit.value(u)
    for b in range(2):
        r, J = misfit.residuals(u[b])
        assert r.shape == (misfit.count + len(priors),)
        assert F[b] == pytest.approx(0.5 * r @ r, rel=1e-12)
        np.testing.assert_allclose(slope[b], J.T @ r, atol=1e-10 * np.abs(slope[b]).max())


def test_prior_is_its_density(case):
    space = Space.of(case)
    u = np.zeros((1, space.size))
    plain = Misfit(case, space).value(u)[0]
    with_priors = Misfit(case, space, priors=PRIORS).value(u)[0]
    start = space.named(space.physical(u)[0])
    wanted = 0.5 * (
        ((start["albedo"] - 0.25) / 0.05) ** 2 + ((start["bottom_temperature"] - 294.0) / 2.0) ** 2
    )
    assert with_priors - plain == pytest.approx(wanted, rel=1e-9)


def test_mean_square_is_the_papers_whatever_the_error(case):
    space = Space.of(case)
    value, _ = gradient(case, space.named(space.middle))
    for error in (1.0, 0.1, [0.1, 3.0]):
        found = Misfit(case, space, observation_error=error).mean_square(np.zeros((1, space.size)))
        assert found[0] == pytest.approx(value, rel=1e-12)


def test_smoothness_rows_are_differences():
    space = Space([Unknown("x", 0.0, 1.0), Unknown("y", np.zeros(5), np.ones(5), shape=(5,))])
    p = np.array([7.0, 1.0, 2.0, 6.0, 5.0, 9.0])
    for order, wanted in ((1, [1, 4, -1, 4]), (2, [3, -5, 5])):
        matrix, right = stack([Smooth("y", 2.0, order)], space)
        np.testing.assert_allclose(matrix @ p - right, np.array(wanted) / 2.0)


@pytest.mark.parametrize(
    "prior, message",
    [
        (Normal("albdo", 0, 1), "Did you mean 'albedo'"),
        (Normal("albedo", 0, 0), "give more than 0"),
        (Normal("albedo", [0, 1], 1), "has 2 values; give 1 or 1"),
        (Smooth("albedo", 1.0), "takes 2 or more"),
        (Smooth("albedo", 1.0, 3), "give 1 or 2"),
        (Smooth("albedo", -1.0), "takes 2 or more"),
    ],
)
def test_wrong_priors_are_refused(case, prior, message):
    with pytest.raises(InputError, match=message):
        stack([prior], Space.of(case))


@pytest.mark.parametrize("error", [0.0, -1.0, [1.0], [1.0, np.inf], "x"])
def test_wrong_observation_error_is_refused(case, error):
    with pytest.raises(InputError, match="observation_error"):
        Misfit(case, Space.of(case), observation_error=error)
