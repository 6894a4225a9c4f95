"""The committed figures of parameters that vary in time, a part of them computed anew."""

import json
from pathlib import Path

import numpy as np
import pytest

from lsm_verify import load_case
from lsm_verify.cases.phoenix import START
from lsm_verify.datasets import find
from lsm_verify.datasets.locate import TOWER_FILE
from lsm_verify.datasets.wind import read_wind_speed
from lsm_verify.inverse.calibrate import calibrate
from lsm_verify.inverse.drivers import linear
from lsm_verify.inverse.misfit import Misfit
from lsm_verify.inverse.recovery import bound, estimate_in_time, synthetic
from lsm_verify.inverse.space import Space
from lsm_verify.inverse.twins import NOISE, daylight, diurnal_albedo, in_time
from lsm_verify.parameters import COMBINED

FILE = Path(__file__).parents[2] / "reports" / "time_dependent.json"

RMSE, RATIO = 0.010, 1.2
"""What the recovery of α from 0 and 0.05 m must reach."""

BOUNDS = 1e-6
"""Relative difference of a bound from that in the file: sixteen digits less those of the condition
number of the information, below 1e8."""

ESTIMATES = 1e-4
"""The same of an error or a misfit at an optimum: a minimiser stops where F is flat to round-off,
within √(1e-16 × condition number) of a standard deviation of the optimum, whatever the machine."""

DEPTHS = {"0 and 0.05 m": (0.0, 0.05), "0.05 and 0.15 m": (0.05, 0.15)}


@pytest.fixture(scope="module")
def report():
    return json.loads(FILE.read_text(encoding="utf-8"))


@pytest.mark.parametrize("others", ["others known", "others estimated"])
def test_the_albedo_is_recovered_as_asked(report, others):
    found = report["albedo"]["0 and 0.05 m"][f"{others}, no prior"]
    assert found["steps"] == 52
    assert found["not_identifiable"] == 48
    assert found["records"] >= 20
    assert found["rmse"] <= RMSE
    assert found["rmse"] <= RATIO * found["bound"]


@pytest.mark.parametrize("place", DEPTHS)
@pytest.mark.parametrize("others", ["others known", "others estimated"])
def test_bounds(report, place, others):
    truth, known = diurnal_albedo(), others == "others known"
    case = in_time({"albedo": truth}, depths=DEPTHS[place], known=known)
    space = Space.of(case)
    found = bound(Misfit(case, space, observation_error=NOISE), case.truth)
    variance = found.deviation[space.places["albedo"]][daylight()] ** 2
    told = report["albedo"][place][f"{others}, no prior"]["bound"]
    assert np.sqrt(variance.mean()) == pytest.approx(told, rel=BOUNDS)


def test_the_error_of_one_record(report):
    case = in_time({"albedo": diurnal_albedo()}, known=True)
    record = synthetic(case, noise=NOISE, seed=0)
    found = estimate_in_time(record, "albedo", observation_error=NOISE)
    told = report["albedo"]["0 and 0.05 m"]["others known, no prior"]["rmse_of_records"][0]
    assert found.rmse(diurnal_albedo(), daylight()) == pytest.approx(told, rel=ESTIMATES)


def test_the_choice_of_smoothness_is_near_the_best(report):
    places = [here["smoothness"] for here in report["albedo"].values()]
    for pick in [
        pick for picks in (*places, report["coefficient"]["smoothness"]) for pick in picks
    ]:
        assert pick["best"] / 3 <= pick["choice"] <= 3 * pick["best"]
        assert not pick["at_edge"]


def test_the_step_change_is_located(report):
    truth = report["coefficient"]["truth"]
    for found in report["coefficient"]["located"]:
        assert found["step"] == truth["step"]
        for when in ("before", "after"):
            value, deviation = found[when]
            assert abs(value - truth[when]) < 4 * deviation


@pytest.mark.phoenix
def test_phoenix_with_the_wind(report, data_dir):
    pytest.importorskip("h5py")
    case = load_case("phoenix", data=data_dir)
    if dict(case.sources) != report["phoenix"]["sources"]:
        pytest.skip("other data files than those of the report")
    assert calibrate(case).rmse[0] == pytest.approx(
        report["phoenix"]["constant"]["rmse"], rel=ESTIMATES
    )
    wind = read_wind_speed(find(TOWER_FILE, data_dir), start=START, steps=150)
    unknowns, compose = linear(
        case, COMBINED, wind, offset=(0.0, 30.0), slope=(0.0, 8.0), signed=True
    )
    found = calibrate(case, unknowns, compose=compose)
    told = report["phoenix"]["any sign"]
    assert found.rmse[0] == pytest.approx(told["rmse"], rel=ESTIMATES)
    assert found.parameters()["slope"] == pytest.approx(told["parameters"]["slope"], rel=1e-3)
