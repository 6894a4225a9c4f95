"""Profile likelihoods: the others are fitted again, and ends are where χ² says."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import chi2

from lsm_verify import InputError, load_case
from lsm_verify.cases.phoenix import RANGES
from lsm_verify.inverse.point import misfit_at
from lsm_verify.inverse.profile import profile
from lsm_verify.inverse.varying import combined
from lsm_verify.parameters import COMBINED

NOISE = 0.01

PARABOLA = 5e-3
"""Ends beside ± 1.96 Gauss-Newton deviations: curvature moves them in proportion to the noise, by
0.4 % at 0.05 K."""

RE_FITTED = 1e-4
"""Slope of the objective by the others, per deviation: the objective is then within 1e-8 of its
least, which is 1.92 at the ends."""

END = 1e-4
"""Objective at the ends: they are found to 1e-6 of a deviation, at a slope of 1.96 for each."""


@pytest.fixture(scope="module")
def case():
    return combined(load_case("twin").window(40), RANGES[COMBINED])


@pytest.fixture(scope="module")
def found(case):
    return profile(case, "thermal_conductivity", "truth", observation_error=NOISE, points=2)


def test_an_exact_record_has_a_parabola_about_the_truth(found):
    assert found.estimate == pytest.approx(0.8, rel=1e-9)
    assert found.identifiable
    assert np.all(found.converged)
    reach = np.sqrt(chi2.ppf(0.95, 1)) * found.deviation
    assert found.upper - 0.8 == pytest.approx(reach, rel=PARABOLA)
    assert 0.8 - found.lower == pytest.approx(reach, rel=PARABOLA)


def test_ends_are_at_the_quantile(found):
    for end in (found.lower, found.upper):
        nearest = int(np.argmin(np.abs(found.values - end)))
        assert found.objective[nearest] == pytest.approx(chi2.ppf(0.95, 1) / 2, abs=END)


def test_the_others_are_fitted_again(case, found):
    misfit, _ = misfit_at(case, "truth", observation_error=NOISE)
    k = misfit.space.names.index("thermal_conductivity")
    assert len(found.others) >= 5
    for row, rise in zip(found.others, found.objective, strict=True):
        u = misfit.space.scaled(row)
        value, slope = misfit.value(u[None])
        assert value[0] == pytest.approx(rise, abs=1e-9)
        length = np.linalg.norm(misfit.residuals(u)[1], axis=0)
        assert np.max(np.delete(np.abs(slope[0]) / length, k)) <= RE_FITTED


def test_values_that_are_given(case):
    found = profile(
        case, "albedo", "truth", observation_error=NOISE, values=[0.199, 0.2005], level=0.68
    )
    assert {0.199, 0.2005} <= {round(v, 12) for v in found.values}
    assert found.level == 0.68
    assert found.upper - 0.2 == pytest.approx(found.deviation * 0.9945, rel=2 * PARABOLA)


def test_what_is_not_identifiable_has_no_interval():
    found = profile(
        load_case("twin").window(20),
        "bowen_ratio",
        "truth",
        ["heat_transfer_coefficient", "bowen_ratio"],
        observation_error=NOISE,
        points=2,
    )
    assert found.deviation == np.inf
    assert not found.identifiable
    assert (found.lower, found.upper) == (-np.inf, np.inf)
    assert np.max(found.objective) <= END
    assert str(found) == "bowen_ratio: not identifiable at 95 %: interval open to open"


def test_one_unknown_alone(case):
    found = profile(case, "albedo", "truth", ["albedo"], observation_error=NOISE, points=2)
    assert found.upper - 0.2 == pytest.approx(1.96 * found.deviation, rel=PARABOLA)


@pytest.mark.parametrize(
    "name, options, message",
    [
        ("colour", {}, "unknown coordinate 'colour'"),
        ("albedo", {"level": 1.0}, "level=1.0 must lie between 0 and 1."),
        ("albedo", {"values": [1.5]}, "albedo cannot be held at 1.5; give 0 to 1."),
        ("albedo", {"points": 0}, "points=0 must be a whole number, at least 1."),
    ],
)
def test_wrong_use(case, name, options, message):
    with pytest.raises(InputError) as caught:
        profile(case, name, "truth", observation_error=NOISE, **options)
    assert message in str(caught.value)
