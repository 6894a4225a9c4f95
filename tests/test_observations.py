# ruff: noqa: E501 (messages are quoted whole)
import numpy as np
import pytest

from lsm_verify import Grid, InputError, Observations, Series

TEMPERATURE = "soil_temperature"
GRID = Grid.uniform(depth=1.0, interfaces=10)


def test_values_weights_and_gaps():
    series = Series(TEMPERATURE, [290.0, np.nan, 292.0], depth=0.05, weights=4.0)
    assert series.values.tolist() == [290.0, 0.0, 292.0]
    assert series.weights.tolist() == [4.0, 0.0, 4.0]
    assert series.depth == 0.05


def test_a_weight_per_state():
    series = Series(TEMPERATURE, [290.0, np.nan, 292.0], weights=[1.0, 2.0, 0.0])
    assert series.weights.tolist() == [1.0, 0.0, 0.0]


def test_labels():
    assert Series(TEMPERATURE, [290.0], depth=0.05).label == "soil_temperature at 0.05 m"
    assert Series("longwave_up", [400.0]).label == "longwave_up"


@pytest.mark.parametrize("values", [[np.nan, 30.0], [5.0, 30.0]])
def test_turbulent_flux_at_the_initial_state_may_be_missing_or_weightless(values):
    series = Series("turbulent_flux", values, weights=[0.0, 1.0])
    assert series.weights.tolist() == [0.0, 1.0]


@pytest.mark.parametrize(
    "arguments, message",
    [
        (
            {"kind": "soil_temp"},
            "unknown kind of observation 'soil_temp'; known: soil_temperature, soil_heat_flux, "
            "longwave_up, turbulent_flux. Did you mean 'soil_temperature'?",
        ),
        ({"values": [290.0, 20.0]}, "soil_temperature[1]=20.0 must lie in [150, 450] K; it looks like °C: add 273.15."),
        ({"values": [290.0, np.inf]}, "observed soil_temperature[1]=inf must be finite; 1 of 2 values are not. Remove or fill them first."),
        ({"values": [[290.0]]}, "observed soil_temperature has shape (1, 1); give one value per state."),
        ({"values": 290.0}, "observed soil_temperature has shape (); give one value per state."),
        ({"values": ["warm"]}, "observed soil_temperature=['warm'] must be a number or an array of numbers."),
        ({"weights": -1.0}, "weights=-1.0 must not be negative."),
        ({"weights": [1.0, -2.0]}, "weights=-2.0 must not be negative."),
        ({"weights": [1.0]}, "weights have shape (1,); give one, or 2, one per state."),
        ({"weights": [[1.0, 1.0]]}, "weights have shape (1, 2); give one, or 2, one per state."),
        ({"weights": [np.nan, 1.0]}, "weights[0]=nan must be finite; 1 of 2 values are not. Remove or fill them first."),
        ({"weights": np.nan}, "weights=nan must be finite; 1 of 1 values are not. Remove or fill them first."),
        (
            {"kind": "turbulent_flux", "values": [1.0, 2.0]},
            "turbulent_flux has a value at the initial state, where no step ends and the forcing is "
            "not defined; give nan there.",
        ),
        ({"kind": "longwave_up", "values": [400.0, 400.0], "depth": 0.1}, "longwave_up belongs to the surface; depth=0.1 must be 0."),
    ],
)  # fmt: skip
def test_wrong_series(arguments, message):
    with pytest.raises(InputError) as caught:
        Series(**{"kind": TEMPERATURE, "values": [290.0, 291.0], **arguments})
    assert str(caught.value) == message


def test_the_index_of_a_bad_value_counts_the_gaps_too():
    with pytest.raises(InputError, match=r"soil_temperature\[2\]=20"):
        Series(TEMPERATURE, [np.nan, 290.0, 20.0])


@pytest.mark.parametrize("depth", ["deep", [0.1, 0.2], None, np.nan])
def test_depth_is_one_number(depth):
    with pytest.raises(InputError, match="depth"):
        Series(TEMPERATURE, [290.0], depth=depth)


@pytest.mark.parametrize("kind", ["soil_temperature", "turbulent_flux"])
def test_an_empty_series(kind):
    with pytest.raises(InputError, match=kind):
        Series(kind, [])


def test_at_least_one_series():
    with pytest.raises(InputError) as caught:
        Observations(())
    assert str(caught.value) == "observations=() must be a tuple of Series, not empty."


class TestCheck:
    @pytest.mark.parametrize(
        "kind, depth, bounds",
        [
            ("soil_temperature", 1.01, "[0, 1]"),
            ("soil_temperature", -0.01, "[0, 1]"),
            ("soil_heat_flux", 0.0, "[0.05, 0.95]"),
            ("soil_heat_flux", 0.049, "[0.05, 0.95]"),
            ("soil_heat_flux", 0.951, "[0.05, 0.95]"),
        ],
    )
    def test_outside_the_column(self, kind, depth, bounds):
        observations = Observations((Series(kind, [290.0, 290.0], depth=depth),))
        with pytest.raises(InputError) as caught:
            observations.check(GRID, steps=1)
        assert str(caught.value) == (
            f"depth={depth} m of {kind} must lie in {bounds} m; "
            "move the observation or deepen the grid."
        )

    @pytest.mark.parametrize(
        "kind, depth",
        [
            ("soil_temperature", 0.0),
            ("soil_temperature", 1.0),
            ("soil_heat_flux", 0.05),
            ("soil_heat_flux", 0.95),
        ],
    )
    def test_the_ends_belong_to_it(self, kind, depth):
        Observations((Series(kind, [290.0, 290.0], depth=depth),)).check(GRID, steps=1)

    def test_length(self):
        observations = Observations((Series(TEMPERATURE, [290.0, 290.0], depth=0.05),))
        with pytest.raises(InputError) as caught:
            observations.check(GRID, steps=2)
        assert str(caught.value) == (
            "soil_temperature at 0.05 m has 2 values; 3 are wanted, one per state, the initial "
            "one included."
        )


def test_window_keeps_gaps_and_weights():
    whole = Observations(
        (
            Series(TEMPERATURE, [290.0, np.nan, 292.0, 293.0], weights=[1.0, 2.0, 3.0, 4.0]),
            Series("turbulent_flux", [np.nan, 1.0, 2.0, 3.0], weights=0.5),
        )
    )
    first, second = whole.window(2).series
    assert first.values.tolist() == [290.0, 0.0, 292.0]
    assert first.weights.tolist() == [1.0, 0.0, 3.0]
    assert second.values.tolist() == [0.0, 1.0, 2.0]
    assert second.weights.tolist() == [0.0, 0.5, 0.5]
