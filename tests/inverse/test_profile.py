"""Profile likelihoods: the others are fitted again, and ends are where χ² says."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import chi2

from lsm_verify import InputError, load_case
from lsm_verify.cases.phoenix import RANGES
from lsm_verify.inverse import profile as module
from lsm_verify.inverse.point import misfit_at
from lsm_verify.inverse.profile import profile
from lsm_verify.inverse.unknowns import Unknown
from lsm_verify.inverse.varying import combined
from lsm_verify.inverse.walk import BOUND, CROSSED, OPEN
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

ROUNDING = 1e-9
"""Of a bound that is scaled and back, (c + s u) near 0: ε c over it, c being 1e6 times as large."""


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
    assert (found.lower_end, found.upper_end) == (BOUND, OPEN)
    assert (found.lower, found.upper) == (pytest.approx(found.values[0], rel=ROUNDING), np.inf)
    assert np.max(found.objective) <= END
    assert str(found) == (
        "bowen_ratio: not identifiable at 95 %: interval "
        f"{found.lower:.6g} (its lower bound) to open"
    )


def test_an_interval_ends_at_a_bound_by_name(case):
    """At the truth, 0.2, the albedo is told to ± 0.16 by such observations."""
    error = 0.16 / profile(case, "albedo", "truth", ["albedo"], observation_error=1.0).deviation
    found = profile(case, "albedo", "truth", ["albedo"], observation_error=error, points=2)
    assert (found.lower_end, found.upper_end) == (BOUND, CROSSED)
    assert found.lower == 0.0
    assert found.values[0] == pytest.approx(0.0, abs=1e-12)
    assert found.objective[0] < chi2.ppf(0.95, 1) / 2
    assert found.identifiable
    assert "95 % interval 0 (its lower bound) to 0.5" in str(found)


def test_an_interval_from_bound_to_bound_is_no_estimate(case):
    found = profile(case, "albedo", "truth", ["albedo"], observation_error=1e4, points=2)
    assert (found.lower, found.upper) == (0.0, 1.0)
    assert not found.identifiable
    assert str(found) == (
        "albedo: not identifiable at 95 %: interval 0 (its lower bound) to 1 (its upper bound)"
    )


def test_an_estimate_on_a_bound(case):
    """The truth, 0.2, is outside of what is allowed."""
    unknown = Unknown("albedo", 0.05, 0.5, least=0.25, most=1.0)
    point = {**case.truth, "albedo": 0.3}
    found = profile(case, "albedo", point, [unknown], observation_error=10.0, points=2)
    assert found.estimate == pytest.approx(0.25, abs=1e-6)
    assert (found.lower, found.lower_end) == (0.25, BOUND)
    assert found.upper > 0.26


@pytest.fixture(scope="module")
def valley(case):
    """An albedo 0.2 + 2 σ (1 + ¾ x² - ½ x³): best at x = 2, a local optimum at x = 0.

    ½ χ² is 2 at 0, 3.1 on the hump at 1, which is 1.1 above and below the quantile: the walk from
    0 meets the better optimum beyond the range.
    """
    sigma = profile(case, "albedo", "truth", ["albedo"], observation_error=NOISE).deviation

    def compose(c):
        x = c["x"]
        return {"albedo": 0.2 + 2 * sigma * (1 + 0.75 * x**2 - 0.5 * x**3)}

    return {
        "parameters": {"x": 0.05, **{k: v for k, v in case.truth.items() if k != "albedo"}},
        "unknowns": [Unknown("x", -1.0, 1.0)],
        "compose": compose,
        "observation_error": NOISE,
    }


def test_a_better_optimum_that_the_search_for_the_ends_meets_is_taken(case, valley):
    found = profile(case, "x", **valley)
    assert found.estimate == pytest.approx(2.0, abs=1e-6)
    assert np.min(found.objective) >= -module.BETTER
    assert 1.0 < found.lower < 2.0 < found.upper < 3.0


def test_one_better_optimum_after_another_is_refused(case, valley, monkeypatch):
    monkeypatch.setattr(module, "RESTARTS", 0)
    with pytest.raises(InputError, match="found to be local optima; start from x="):
        profile(case, "x", **valley)


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
