"""Parameters in time for the figure: errors where they count, beside the bounds."""

import numpy as np
import pytest

from lsm_verify.inverse.recovered import recoveries
from lsm_verify.inverse.twins import daylight

SCATTER = 0.35
"""The RMSE of two records scatters by 1/√(2 · 2 · 52) = 7 % where errors are independent; in the
coefficient some ten hours bear most of it: 1/√(2 · 2 · 10) = 16 %. Twice that."""


@pytest.fixture(scope="module")
def found():
    return recoveries(range(2))


def test_errors_are_those_of_the_records(found):
    for each in found:
        squares = each.errors[each.experiment.where] ** 2
        assert np.sqrt(squares.mean()) == pytest.approx(each.experiment.rmse, rel=1e-12)
        assert np.all(np.isnan(each.errors[~each.experiment.where]))
        bound = np.sqrt(np.nanmean(each.bound**2))
        assert bound == pytest.approx(each.experiment.limits[0], rel=1e-12)
        assert each.experiment.rmse <= (1 + SCATTER) * bound


def test_nights_have_no_albedo(found):
    for each in found[:2]:
        assert np.array_equal(each.experiment.where, daylight())
    assert np.all(found[2].experiment.where)


def test_a_prior_helps_where_the_observations_are_deep(found):
    shallow, deep, _ = found
    assert not shallow.priors
    assert deep.priors
    assert np.nanmean(deep.bound) > 3 * np.nanmean(shallow.bound)
    expected = np.sqrt(np.nanmean(deep.expected**2))
    assert expected < 0.5 * deep.experiment.limits[0]
    assert deep.experiment.rmse < 0.5 * deep.experiment.limits[0]
    np.testing.assert_allclose(shallow.expected, shallow.bound, rtol=1e-6)
