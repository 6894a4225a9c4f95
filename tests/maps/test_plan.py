"""Regions: every column in just one, no more than asked for, aligned with what is stored."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lsm_verify.errors import InputError
from lsm_verify.maps import plan as plan_
from lsm_verify.maps.job import Settings, job_of
from lsm_verify.maps.plan import Plan, region_shape
from lsm_verify.maps.synthetic import synthetic_city
from lsm_verify.maps.workers import Workers
from tests.maps.conftest import ERROR, HELD, UNKNOWNS

shapes = st.lists(st.integers(1, 40), min_size=1, max_size=3)


@given(shapes, st.data())
def test_regions_cover_every_column_once(shape, data):
    stored = [data.draw(st.integers(1, n)) for n in shape]
    most = data.draw(st.integers(1, 2000))
    chunk = region_shape(shape, stored, most)
    assert all(1 <= c <= n for c, n in zip(chunk, shape, strict=True))
    assert math.prod(chunk) <= max(most, 1)
    if math.prod(stored) <= most:  # a stored piece is read once
        assert all(c % s == 0 or c == n for c, s, n in zip(chunk, stored, shape, strict=True))
    plan = Plan(tuple("abc"[: len(shape)]), tuple(shape), chunk, 8)
    seen = np.zeros(shape, int)
    numbers = []
    for region in range(plan.regions):
        seen[plan.box(region)] += 1
        assert plan.numbers(region).shape == seen[plan.box(region)].shape
        numbers.extend(plan.numbers(region).ravel().tolist())
    assert np.all(seen == 1)
    assert sorted(numbers) == list(range(math.prod(shape)))
    assert plan.total == math.prod(shape)


def test_the_last_dimension_grows_first_and_regions_are_even():
    assert region_shape((100, 100), (1, 1), 2500) == (25, 100)
    assert region_shape((100, 100), (1, 1), 4000) == (34, 100)  # not 40, 40, 20
    assert region_shape((100, 100), (1, 1), 60) == (1, 50)
    assert region_shape((100, 100), (50, 50), 5000) == (50, 100)
    assert region_shape((100, 100), (50, 50), 1000) == (20, 50)  # a part of a piece


@pytest.fixture(scope="module")
def job(city):
    return job_of(city, Settings(ERROR, UNKNOWNS))


def test_memory_bounds_a_region_and_storage_may_enlarge_it(city, job, monkeypatch):
    each = plan_.bytes_per_column(city, job)
    # Two series of 101 states, and what is made of them.
    assert 2 * 101 * 8 < each < 40 * 2 * 101 * 8
    small = plan_.plan_of(city, job, columns=None, memory=10 * each)
    assert small.columns <= 10
    assert plan_.plan_of(city, job, columns=None, memory=10**9).chunk == (6, 8)
    assert plan_.plan_of(city, job, columns=5, memory=10**9).columns <= 5
    with pytest.raises(InputError, match="--memory"):
        plan_.plan_of(city, job, columns=None, memory=each - 1)
    stored = city.copy()
    stored.SoilTemp.encoding["preferred_chunks"] = {"time": 101, "y": 3, "x": 4}
    monkeypatch.setattr(plan_, "MOST_COLUMNS", 2)
    assert plan_.plan_of(stored, job, columns=None, memory=10**9).chunk == (3, 4)
    assert plan_.plan_of(stored, job, columns=2, memory=10**9).columns == 2


def test_a_region_is_named_where_it_lies():
    plan = Plan(("y", "x"), (6, 8), (4, 8), 1000)
    assert plan.name(1) == "region 1 (y 4 to 5, x 0 to 7)"
    assert str(plan) == "2 regions of up to 4 × 8 columns (y, x), about 0.032 MB each"


def test_memory_per_worker_is_shared():
    one, four = (plan_.memory_per_worker(Workers("threads", n)) for n in (1, 4))
    assert 0 < four < one


def test_more_series_and_longer_records_take_more():
    city = synthetic_city(2, 2, ERROR, held=HELD)
    half, one = city.isel(time=slice(0, 51)), city.isel(depth=[0])
    whole, *less = (
        plan_.bytes_per_column(d, job_of(d, Settings(ERROR, UNKNOWNS))) for d in (city, half, one)
    )
    assert all(whole > 1.5 * size for size in less)
