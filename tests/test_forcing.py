# ruff: noqa: E501 (messages are quoted whole)
import numpy as np
import pytest

from lsm_verify import Forcing, InputError

RIGHT = {
    "time_step": [600.0, 1200.0, 3600.0],
    "SWdown": [0.0, 100.0, 200.0],
    "LWdown": [300.0, 310.0, 320.0],
    "Tair": [290.0, 291.0, 292.0],
}


def test_values():
    forcing = Forcing(**RIGHT)
    assert forcing.steps == 3
    assert forcing.elapsed.tolist() == [0.0, 600.0, 1800.0, 5400.0]
    assert forcing.start is None
    for name, values in RIGHT.items():
        assert getattr(forcing, name).tolist() == values
        with pytest.raises(ValueError, match="read-only"):
            getattr(forcing, name)[0] = 0.0


def test_window():
    start = np.datetime64("2012-05-01T07:00")
    cut = Forcing(**RIGHT, start=start).window(2)
    assert cut.steps == 2
    assert cut.Tair.tolist() == [290.0, 291.0]
    assert cut.time_step.tolist() == [600.0, 1200.0]
    assert cut.start == start


def test_a_little_negative_shortwave_at_night_is_what_sensors_give():
    assert Forcing(**RIGHT | {"SWdown": [-4.0, 0.0, 1.0]}).SWdown[0] == -4.0


@pytest.mark.parametrize(
    "name, values, message",
    [
        ("time_step", [600.0, 0.0, 1.0], "time_step[1]=0.0 must be positive; check its value, sign and unit."),
        ("time_step", [600.0, 1.0, -1.0], "time_step[2]=-1.0 must be positive; check its value, sign and unit."),
        ("time_step", 600.0, "time_step has shape (); give a non-empty one-dimensional array."),
        ("SWdown", [0.0, 0.0], "SWdown has 2 values; 3 are wanted, one per step."),
        ("SWdown", [0.0, -60.0, 0.0], "SWdown[1]=-60.0 must lie in [-50, 2000] W m-2; check its value and unit."),
        ("SWdown", [0.0, 2001.0, 0.0], "SWdown[1]=2001.0 must lie in [-50, 2000] W m-2; check its value and unit."),
        ("LWdown", [-1.0, 0.0, 0.0], "LWdown[0]=-1.0 must lie in [0, 1000] W m-2; check its value and unit."),
        ("LWdown", [300.0, np.nan, np.nan], "LWdown[1]=nan must be finite; 2 of 3 values are not. Remove or fill them first."),
        ("Tair", [290.0, 291.0, np.inf], "Tair[2]=inf must be finite; 1 of 3 values are not. Remove or fill them first."),
        ("Tair", [290.0, 18.0, 292.0], "Tair[1]=18.0 must lie in [150, 450] K; it looks like °C: add 273.15."),
        ("Tair", [290.0] * 4, "Tair has 4 values; 3 are wanted, one per step."),
        ("Tair", 290.0, "Tair has shape (); give a non-empty one-dimensional array."),
        ("Tair", "warm", "Tair='warm' must be a number or an array of numbers."),
    ],
)  # fmt: skip
def test_wrong_values(name, values, message):
    with pytest.raises(InputError) as caught:
        Forcing(**RIGHT | {name: values})
    assert str(caught.value) == message
