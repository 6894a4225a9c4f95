"""BLAS on one thread where a calibration does its algebra, and as before afterwards."""

import numpy as np
import pytest
import scipy.optimize
from threadpoolctl import ThreadpoolController, threadpool_limits

from lsm_verify import load_case
from lsm_verify.inverse import blas
from lsm_verify.inverse.calibrate import calibrate

BEFORE = 2


def threads():
    found = ThreadpoolController().select(user_api="blas").info()
    assert found
    return {each["num_threads"] for each in found}


@pytest.fixture
def two():
    with threadpool_limits(BEFORE, user_api="blas"):
        if threads() != {BEFORE}:
            pytest.fail("BLAS cannot be given two threads here")
        yield


def test_one_thread_within_and_as_before_after(two):
    with blas.one_thread():
        assert threads() == {1}
    assert threads() == {BEFORE}
    with pytest.raises(ZeroDivisionError), blas.one_thread():
        raise ZeroDivisionError
    assert threads() == {BEFORE}


def test_least_squares_and_what_follows_run_on_one(two, monkeypatch):
    seen = []
    solve, svd = scipy.optimize.least_squares, np.linalg.svd

    def solved(*arguments, **options):
        seen.append(threads())
        return solve(*arguments, **options)

    def decomposed(*arguments, **options):
        seen.append(threads())
        return svd(*arguments, **options)

    monkeypatch.setattr(scipy.optimize, "least_squares", solved)
    monkeypatch.setattr(np.linalg, "svd", decomposed)
    calibrate(load_case("twin").window(10), observation_error=0.1)
    assert len(seen) > 2
    assert all(each == {1} for each in seen)
    assert threads() == {BEFORE}
