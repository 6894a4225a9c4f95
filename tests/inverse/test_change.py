from dataclasses import replace

import pytest

from lsm_verify import InputError, load_case
from lsm_verify.inverse.change import locate_change
from lsm_verify.inverse.recovery import synthetic
from lsm_verify.inverse.twins import AFTER, BEFORE, CHANGE, NOISE, in_time, step_change
from lsm_verify.inverse.varying import combined, varying
from lsm_verify.parameters import COMBINED

SIGMAS = 4.0
"""Standard deviations that an estimate may be off: once in 16,000 records; these are seeded."""


@pytest.fixture(scope="module")
def record():
    observed = synthetic(in_time({COMBINED: step_change()}), noise=NOISE, seed=0).observations
    return replace(combined(load_case("twin")), observations=observed)


def message(function, *arguments, **options):
    with pytest.raises(InputError) as caught:
        function(*arguments, **options)
    return str(caught.value)


def test_the_step_and_both_values_are_found(record):
    found = locate_change(
        record, COMBINED, observation_error=NOISE, steps=range(CHANGE - 2, CHANGE + 3)
    )
    assert found.step == CHANGE
    assert found.likely == (CHANGE,)
    assert abs(found.before - BEFORE) < SIGMAS * found.deviation[0]
    assert abs(found.after - AFTER) < SIGMAS * found.deviation[1]
    assert max(found.deviation) < 0.1  # W m-2 K-1: 0.042 and 0.030, else the test says nothing


def test_without_a_change_none_is_sure():
    """Where the truth is constant, every step will do and the two values agree."""
    twin = combined(load_case("twin"))
    record = synthetic(twin, noise=NOISE, seed=0)
    found = locate_change(record, COMBINED, observation_error=NOISE, steps=(20, 40, 60, 80))
    off = abs(found.after - found.before)
    assert off < SIGMAS * (found.deviation[0] ** 2 + found.deviation[1] ** 2) ** 0.5
    assert len(found.likely) > 1


def test_a_parameter_that_varies_already(record):
    assert "must be free and one number" in message(
        locate_change, varying(record, COMBINED), COMBINED, observation_error=NOISE
    )


def test_a_step_that_is_none(record):
    assert message(locate_change, record, COMBINED, observation_error=NOISE, steps=[0]) == (
        "steps of the change must lie in 1..99."
    )
