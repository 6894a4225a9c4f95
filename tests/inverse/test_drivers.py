from dataclasses import replace

import numpy as np
import pytest

import lsm_verify as lv
from lsm_verify import InputError, load_case
from lsm_verify.inverse.attainable import bound
from lsm_verify.inverse.calibrate import calibrate
from lsm_verify.inverse.drivers import linear
from lsm_verify.inverse.evaluate import Evaluator
from lsm_verify.inverse.misfit import Misfit
from lsm_verify.inverse.recovery import synthetic
from lsm_verify.inverse.space import Space
from lsm_verify.inverse.twins import NOISE, WIND_OFFSET, WIND_SLOPE, in_time, wind_speed
from lsm_verify.inverse.varying import combined, varying
from lsm_verify.parameters import COMBINED

SIGMAS = 4.0
"""Standard deviations that an estimate may be off: once in 16,000 records; these are seeded."""

RANGES = {"offset": (0.0, 30.0), "slope": (0.0, 8.0)}


@pytest.fixture(scope="module")
def record():
    truth = {COMBINED: WIND_OFFSET + WIND_SLOPE * wind_speed()}
    observed = synthetic(in_time(truth), noise=NOISE, seed=0).observations
    return replace(combined(load_case("twin")), observations=observed)


def message(function, *arguments, **options):
    with pytest.raises(InputError) as caught:
        function(*arguments, **options)
    return str(caught.value)


def test_offset_and_slope_are_recovered_with_all_others(record):
    unknowns, compose = linear(record, COMBINED, wind_speed(), **RANGES)
    found = calibrate(record, unknowns, compose=compose, observation_error=NOISE)
    at = found.parameters()
    misfit = Misfit(record, found.space, compose=compose, observation_error=NOISE)
    known = bound(misfit, at)
    assert np.all(known.identifiable)
    truth = {**record.truth, "offset": WIND_OFFSET, "slope": WIND_SLOPE}
    off = [at[name] - truth[name] for name in found.space.names]
    assert np.all(np.abs(off) < SIGMAS * known.deviation)
    # else the test says nothing: b is known to about 1 %
    assert known.deviation[1] < 0.03 * WIND_SLOPE


def test_the_composed_gradient_is_verified(record):
    unknowns, compose = linear(record, COMBINED, wind_speed(), **RANGES)
    space = Space(unknowns)
    ask = Evaluator(record, space, compose=compose).score
    problem = lv.Problem(
        lambda u: float(ask(u[None])[0][0]),
        np.zeros(space.size),
        gradients={"composed": lambda u: ask(u[None])[1][0]},
        scales=np.ones(space.size),
    )
    assert lv.verify(problem, fast=True).verdict == lv.Verdict.PASS


def test_a_slope_of_zero_is_a_constant(record):
    unknowns, compose = linear(record, COMBINED, wind_speed(), **RANGES)
    plain, driven = Space.of(record), Space(unknowns)
    rest = {k: v for k, v in record.truth.items() if k != COMBINED}
    y = [
        Evaluator(record, space, compose=how).predict(space.scaled(space.flatten(at))[None])
        for space, how, at in (
            (plain, None, {**rest, COMBINED: 20.0}),
            (driven, compose, {**rest, "offset": 20.0, "slope": 0.0}),
        )
    ]
    # the same parameters but for roundings of scaling them and back; temperatures of 300 K
    assert np.max(np.abs(y[0] - y[1])) < 1e-12 * 300


class TestRefused:
    def test_a_constant_driver(self, record):
        assert message(linear, record, COMBINED, np.full(100, 2.0), **RANGES) == (
            "driver=2 is constant; offset and slope cannot be told apart."
        )

    def test_another_length(self, record):
        assert "100 are wanted" in message(linear, record, COMBINED, np.arange(99.0), **RANGES)

    def test_what_does_not_vary(self, record):
        assert "able to vary in time" in message(
            linear, record, "thermal_conductivity", wind_speed(), **RANGES
        )

    def test_knots_beside_it(self, record):
        case = varying(record, "albedo", form=[0.0, 360e3])
        assert "albedo is given by knots" in message(linear, case, COMBINED, wind_speed(), **RANGES)
