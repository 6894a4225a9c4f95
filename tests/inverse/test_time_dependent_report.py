"""The committed report of parameters that vary in time: its page, and a row of every table anew."""

import json
from copy import deepcopy
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest

from lsm_verify import InputError, load_case
from lsm_verify.cases.phoenix import START
from lsm_verify.datasets import find
from lsm_verify.datasets.locate import TOWER_FILE
from lsm_verify.datasets.wind import read_wind_speed
from lsm_verify.inverse import phoenix_wind
from lsm_verify.inverse.attainable import bound
from lsm_verify.inverse.misfit import Misfit
from lsm_verify.inverse.priors import Smooth
from lsm_verify.inverse.space import Space
from lsm_verify.inverse.time_study import (
    NEAR,
    SETTINGS,
    judged_choice,
    locate,
    null_directions,
    row,
    setting,
)
from lsm_verify.inverse.twins import CHANGE, NOISE
from lsm_verify.inverse.wind_twin import follow_wind
from tools.time_dependent_figure import draw
from tools.time_dependent_page import other_winds, page

REPORTS = Path(__file__).parents[2] / "reports"

RMSE, RATIO = 0.010, 1.2
"""What the recovery of α from 0 and 0.05 m must reach."""

BOUNDS = 1e-6
"""Relative difference of a bound from that in the file: sixteen digits less those of the condition
number of the information, below 1e8."""

ESTIMATES = 1e-4
"""The same of an error or a misfit at an optimum: a minimiser stops where F is flat to round-off,
within √(1e-16 × condition number) of a standard deviation of the optimum, whatever the machine."""

CHOICES = 1e-3
"""Of a chosen smoothness: two spacings of the points among which its logarithm is sought, two steps
of the grid over 2,000 points (0.6e-3)."""

CURVATURE = 0.02
"""Of standard errors with an estimated noise: its search stops within 0.4 % of them (derived at
RE_ESTIMATED in test_intervals), with the room that test_phoenix_study gives them. An estimate in
the metric of that noise moves by the same share of its standard error."""

EVIDENCE = 104 * ESTIMATES
"""Of a logarithm of the evidence: each of 104 singular values of the Hessian's root may move by
ESTIMATES; F itself, flat at an optimum, moves by squares of that."""

CRITERION = 2e-3
"""Of -2 log REML: R, half of it, is known to 5e-4 where its search stops (`reml.FLAT`)."""

SLOPES = 1e-3
"""Relative difference of a slope: a ten-thousandth of a standard deviation (ESTIMATES), which is
0.2 of the slope and up to several times it of wrong winds."""


@pytest.fixture(scope="module")
def report():
    return json.loads((REPORTS / "time_dependent.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def field(report, data_dir):
    """Case, wind and the fit of any sign, on the files of the report."""
    pytest.importorskip("h5py")
    case = load_case("phoenix", data=data_dir)
    if dict(case.sources) != report["phoenix"]["sources"]:
        pytest.skip("other data files than those of the report")
    wind = read_wind_speed(find(TOWER_FILE, data_dir), start=START, steps=150)
    return case, wind, phoenix_wind.fitted(case, wind, "any sign")


def close(found, kept, rel):
    """Compare what a result and the file hold, whatever its shape; words and counts exactly."""
    if isinstance(kept, dict):
        assert set(found) == set(kept)
        for name in kept:
            close(found[name], kept[name], rel)
    elif isinstance(kept, list):
        assert len(found) == len(kept)
        for a, b in zip(found, kept, strict=True):
            close(a, b, rel)
    elif isinstance(kept, float):
        assert found == pytest.approx(kept, rel=rel)
    else:
        assert found == kept


class TestPage:
    def test_is_that_of_its_numbers(self, report):
        assert page(report) == (REPORTS / "time_dependent.md").read_text(encoding="utf-8")

    def test_another_number_is_another_page(self, report):
        for path in (
            ("noise",),
            ("recovered", SETTINGS[1], "others estimated, with prior", "rmse"),
            ("choices", SETTINGS[2], 2, "rmse"),
            ("step", "located", 1, "before", 0),
            ("wind", "mean", 1),
            ("phoenix", "intervals", 4, "slope", "lower"),
            ("phoenix", "held_out", "any sign"),
        ):
            changed = deepcopy(report)
            at = changed
            for key in path[:-1]:
                at = at[key]
            at[path[-1]] += 0.01
            assert page(changed) != page(report), path

    def test_the_figure_is_drawn_from_the_numbers(self, report, tmp_path):
        draw(report, tmp_path / "figure.png")
        assert (tmp_path / "figure.png").read_bytes().startswith(b"\x89PNG")


class TestAsked:
    @pytest.mark.parametrize("others", ["others known", "others estimated"])
    def test_the_albedo_is_recovered(self, report, others):
        found = report["recovered"][SETTINGS[0]][f"{others}, no prior"]
        assert found["steps"] == 52
        assert found["not_identifiable"] == 48
        assert found["records"] >= 20
        assert found["rmse"] <= RMSE
        assert found["rmse"] <= RATIO * found["bound"]

    def test_no_record_is_scored_with_its_own_choice(self, report):
        assert not set(report["choosing"]) & set(report["scored"])
        for key, picks in report["choices"].items():
            assert [pick["seed"] for pick in picks] == report["choosing"]
            rows = report["recovered"][key]
            for name in ("others known, with prior", "others estimated, with prior"):
                assert rows[name]["priors"] == [repr(Smooth(setting(key).name, picks[0]["choice"]))]

    def test_the_choice_of_smoothness_is_near_the_best(self, report):
        for pick in [pick for picks in report["choices"].values() for pick in picks]:
            assert pick["best"] / 3 <= pick["choice"] <= 3 * pick["best"]
            assert not pick["at_edge"]
            assert pick["least"] <= pick["expected_at_choice"]
            assert pick["least"] <= min(pick["expected"])

    def test_the_step_change_is_located(self, report):
        truth = report["step"]["truth"]
        for found in report["step"]["located"]:
            assert found["step"] == truth["step"]
            for when in ("before", "after"):
                value, deviation = found[when]
                assert abs(value - truth[when]) < 4 * deviation


def test_a_setting_that_is_none():
    with pytest.raises(InputError, match="unknown setting"):
        setting("albedo")


class TestTwinAnew:
    @pytest.mark.parametrize("key", SETTINGS[:2])
    @pytest.mark.parametrize("known", [True, False])
    def test_bounds(self, report, key, known):
        at = setting(key)
        case = at.case(known=known)
        space = Space.of(case)
        found = bound(Misfit(case, space, observation_error=NOISE), case.truth)
        variance = found.deviation[space.places["albedo"]][at.where] ** 2
        name = f"others {'known' if known else 'estimated'}, no prior"
        told = report["recovered"][key][name]["bound"]
        assert np.sqrt(variance.mean()) == pytest.approx(told, rel=BOUNDS)

    @pytest.mark.parametrize(
        "key, name",
        [
            (SETTINGS[0], "others known, no prior"),
            (SETTINGS[2], "others known, with prior"),
        ],
    )
    def test_a_row_of_recovery(self, report, key, name):
        chosen = report["choices"][key][0]["choice"]
        found = row(key, name, Smooth(setting(key).name, chosen), report["scored"])
        close(asdict(found), report["recovered"][key][name], ESTIMATES)

    def test_a_row_of_choices(self, report):
        key = SETTINGS[1]
        kept = report["choices"][key][0]
        found = asdict(judged_choice(setting(key), kept["seed"], report["scored"]))
        coarse = {"choice": CHOICES, "interval": CHOICES, "best": 2 * NEAR}
        for name, tolerance in coarse.items():
            assert found[name] == pytest.approx(kept[name], rel=tolerance)
        # Errors grow no faster than the smoothness.
        for name in ("rmse", "standard_error", "expected_at_choice", "least"):
            assert found[name] == pytest.approx(kept[name], rel=CHOICES)
        assert found["expected"] == pytest.approx(kept["expected"], rel=ESTIMATES)
        assert found["log_evidence"] == pytest.approx(kept["log_evidence"], abs=EVIDENCE)
        assert [found[x] for x in ("corner", "at_edge")] == [kept[x] for x in ("corner", "at_edge")]

    def test_null_directions(self, report):
        found = null_directions(setting(SETTINGS[2]).case(known=False))
        kept = report["step"]["per step"]
        for name in ("unknowns", "null_directions", "identifiable"):
            assert found[name] == kept[name]
        assert found["null_directions"] == 2
        seen, *null = found["smallest_singular_values"]
        assert seen == pytest.approx(kept["smallest_singular_values"][0], rel=BOUNDS)
        assert max(null) < 202 * np.finfo(float).eps

    def test_the_step_of_record_0(self, report):
        """Among eleven of the 99 steps: the others are farther off in time and in F."""
        kept = report["step"]["located"][0]
        found = locate(kept["seed"], range(CHANGE - 5, CHANGE + 6))
        assert [found.step, list(found.likely)] == [kept["step"], kept["likely"]]
        for k, when in enumerate(("before", "after")):
            value, deviation = kept[when]
            assert getattr(found, when) == pytest.approx(value, abs=ESTIMATES * deviation)
            assert found.deviation[k] == pytest.approx(deviation, rel=ESTIMATES)

    def test_the_wind_of_the_twin(self, report):
        close(asdict(follow_wind(report["scored"])), report["wind"], ESTIMATES)


@pytest.mark.phoenix
class TestPhoenixAnew:
    @pytest.mark.parametrize("key", phoenix_wind.FORMS)
    def test_fits(self, report, field, key):
        case, wind, _ = field
        found = phoenix_wind.told(phoenix_wind.fitted(case, wind, key))
        kept = report["phoenix"]["fits"][key]
        assert found.rmse == pytest.approx(kept["rmse"], rel=ESTIMATES)
        assert list(found.at_bound) == kept["at_bound"]
        for name, value in kept["parameters"].items():
            if name not in found.at_bound:
                assert found.parameters[name] == pytest.approx(value, rel=SLOPES)

    def test_intervals(self, report, field):
        rows, agreement = phoenix_wind.slopes(*field)
        kept = report["phoenix"]["intervals"]
        assert len(rows) == len(kept)
        for found, said in zip(rows, kept, strict=True):
            assert found.estimator == said["estimator"]
            assert found.converged == said["converged"]
            assert found.coherence == pytest.approx(said["coherence"])
            assert found.criterion == pytest.approx(said["criterion"], abs=CRITERION)
            for name in ("offset", "slope"):
                x, y = getattr(found, name), said[name]
                assert x.value == pytest.approx(y["value"], abs=CURVATURE * y["deviation"])
                assert x.deviation == pytest.approx(y["deviation"], rel=CURVATURE)
                half = (y["upper"] - y["lower"]) / 2
                for end in ("lower", "upper"):
                    assert getattr(x, end) == pytest.approx(y[end], abs=2 * CURVATURE * half)
        # A ratio of variances; both move as the squared standard errors do.
        said = report["phoenix"]["agreement"]
        assert agreement.statistic == pytest.approx(said["statistic"], rel=2 * CURVATURE)

    def test_white_noise_promises_too_much(self, report):
        rows = {(t["estimator"], t["coherence"]): t for t in report["phoenix"]["intervals"]}
        white = rows.pop(("least squares", None))["slope"]["deviation"]
        first, *longer = [t for (name, _), t in rows.items() if name == "least squares"]
        assert first["slope"]["deviation"] > 1.5 * white
        for row_ in longer:
            assert row_["slope"]["deviation"] > first["slope"]["deviation"]
            assert row_["criterion"] < first["criterion"] - 10  # the record prefers it: not flat

    def test_a_fit_on_its_bound_has_no_interval(self, field):
        case, wind, _ = field
        with pytest.raises(InputError, match="the fit is on a bound"):
            phoenix_wind.slopes(case, wind, phoenix_wind.fitted(case, wind, "a, b ≥ 0"))

    def test_winds_of_other_times(self, report, field, data_dir):
        case, wind, right = field
        winds = phoenix_wind.winds_after(find(TOWER_FILE, data_dir), 150)
        kept = report["phoenix"]["others"]
        assert list(winds) == kept["shift"]
        assert kept["incomplete"] == phoenix_wind.SHIFTS - len(winds)
        assert np.array_equal(winds[24][:-24], wind[24:])
        assert np.array_equal(winds[1][:-1], wind[1:])
        # One row of the table wholly, and some of the other.
        some = [k for k in winds if k % 24 == 0] + list(winds)[1::80]
        found = phoenix_wind.fit_others(case, {k: winds[k] for k in some}, right)
        for k, rmse, slope in zip(found.shift, found.rmse, found.slope, strict=True):
            i = kept["shift"].index(k)
            assert rmse == pytest.approx(kept["rmse"][i], rel=ESTIMATES)
            assert slope == pytest.approx(kept["slope"][i], rel=SLOPES, abs=SLOPES)
        whole_days, others = other_winds(report)
        assert whole_days["count"] == sum(k % 24 == 0 for k in winds)
        assert whole_days["count"] + others["count"] == len(winds)

    def test_hours_held_out(self, report, field):
        case, wind, _ = field
        close(phoenix_wind.hold_out(case, wind), report["phoenix"]["held_out"], ESTIMATES)
