import numpy as np
import pytest

from lsm_verify.datasets.wind import read_wind_speed
from lsm_verify.errors import InputError

START = np.datetime64("2012-05-01T00:00:00")
WINDOW = {"start": START + np.timedelta64(3600, "s"), "steps": 3}


def blowing(north, east, missing=None):
    """Add wind to the tower file; sample i ends at half-hour i + 1."""

    def change(dataset):
        for name, values in (("Wind_N", north), ("Wind_E", east)):
            dataset[name] = ("time", values.astype(np.float32), {"units": "m/s"})
            flags = np.zeros(values.size, dtype=np.int8)
            if missing is not None and name == "Wind_E":
                flags[missing] = 3
            dataset[f"{name}_qc"] = ("time", flags)
        return dataset

    return change


def test_is_the_mean_of_the_speeds_of_the_step(tower_file):
    i = np.arange(48)
    path = tower_file(blowing(3.0 * i, -4.0 * i))
    # steps end at 02:00, 03:00, 04:00: samples 2 and 3, 4 and 5, 6 and 7, speed 5 i
    assert read_wind_speed(path, **WINDOW) == pytest.approx([12.5, 22.5, 32.5])


def test_opposite_winds_do_not_cancel(tower_file):
    path = tower_file(blowing(2.0 * (-1.0) ** np.arange(48), np.zeros(48)))
    assert read_wind_speed(path, **WINDOW) == pytest.approx([2.0, 2.0, 2.0])


def test_a_gap_is_refused(tower_file):
    path = tower_file(blowing(np.ones(48), np.ones(48), missing=4))
    with pytest.raises(InputError, match="wind of sample 2 of the window is missing"):
        read_wind_speed(path, **WINDOW)


def test_a_gap_is_returned_where_asked_for(tower_file):
    path = tower_file(blowing(3.0 * np.ones(48), 4.0 * np.ones(48), missing=4))
    found = read_wind_speed(path, **WINDOW, gaps=True)
    assert found == pytest.approx([5.0, np.nan, 5.0], nan_ok=True)


def test_steps_that_cut_samples(tower_file):
    path = tower_file(blowing(np.ones(48), np.ones(48)))
    with pytest.raises(InputError, match="must be a multiple of interval=1800 s"):
        read_wind_speed(path, **WINDOW, time_step=2700)
