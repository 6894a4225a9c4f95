"""reports/maps.md: rendered from its numbers, of which a part is computed again."""

import json
from pathlib import Path

import numpy as np
import pytest

from lsm_verify.inverse.city import city_case, draw_city
from lsm_verify.inverse.fields import calibrate_columns
from tools.map_city import ERROR, FORMS, SEED, SIDE, coverage
from tools.maps_page import page

REPORTS = Path(__file__).parents[2] / "reports"

SHOWN = 1e-3
"""Means and deviations of 10,000 columns move with the platform's rounding far less than that; a
column may cross the end of its interval."""


@pytest.fixture(scope="module")
def numbers():
    return [
        json.loads((REPORTS / name).read_text(encoding="utf-8"))
        for name in ("map_city.json", "map_runs.json")
    ]


def test_the_page_is_rendered_from_its_numbers(numbers):
    assert page(*numbers) == (REPORTS / "maps.md").read_text(encoding="utf-8")


def test_another_number_is_another_page(numbers):
    city, runs = json.loads(json.dumps(numbers))
    runs["killed"][0]["same_bytes_after_resume"] = False
    assert "**no**" in page(city, runs)


@pytest.mark.slow
@pytest.mark.parametrize("form", FORMS)
def test_what_intervals_cover_is_computed_again(numbers, form):
    case, held = city_case(), FORMS[form]
    truth, observations = draw_city(case, SIDE**2, ERROR, held=held, seed=SEED)
    found = calibrate_columns(case, observations, ERROR, list(truth))
    told = numbers[0][form]["100 x 100"]
    assert told["iterations_mean"] == pytest.approx(float(found.iterations.mean()), abs=SHOWN)
    for name, again in coverage(found, truth).items():
        for key, value in again.items():
            assert told["unknowns"][name][key] == pytest.approx(value, abs=SHOWN, rel=SHOWN), key
        assert 0.94 <= told["unknowns"][name]["coverage_95"] <= 0.96


def test_what_the_issue_asks_is_what_was_measured(numbers):
    """Bytes, verdicts and distances; times stand in the numbers and are no test."""
    city, runs = numbers
    same = [runs["one thread"], runs["processes"], runs["LocalCluster of 2 workers"]]
    same += [runs["processes"]["one_killed"], runs["LocalCluster of 2 workers"]["a_worker_killed"]]
    assert all(each["same_bytes"] for each in same)
    assert len(runs["killed"]) == 5
    assert all(each["same_bytes_after_resume"] for each in runs["killed"])
    assert all(each["ended_by"] == "SIGKILL" for each in runs["killed"])
    for form in FORMS:
        peers = city[form]["peers"]
        assert peers["largest distance of the optima, SciPy finished"] < 1e-6
    assert np.isfinite(runs["316 x 316"]["max_z"])
    assert runs["316 x 316"]["gradient_verified"]["wrong"] == 0
