# ruff: noqa: E501 (messages are quoted whole)
import numpy as np
import pytest

from lsm_verify import InputError, Knots
from lsm_verify.parameters import check, merge, split_batch

SIZES = {"steps": 3, "nodes": 5, "interfaces": 4}
COMPLETE = {
    "albedo": 0.2,
    "heat_transfer_coefficient": 15.0,
    "bowen_ratio": 1.5,
    "thermal_conductivity": 0.8,
    "volumetric_heat_capacity": 2.2e6,
    "bottom_temperature": 293.0,
    "emissivity": 0.95,
    "SWdown": [0.0, 1.0, 2.0],
    "LWdown": [300.0, 300.0, 300.0],
    "Tair": [290.0, 290.0, 290.0],
}
COMBINED = {
    name: value
    for name, value in COMPLETE.items()
    if name not in ("heat_transfer_coefficient", "bowen_ratio")
} | {"turbulent_transfer_coefficient": 25.0}


def without(*names):
    return {name: value for name, value in COMPLETE.items() if name not in names}


def message(function, *arguments, **options):
    with pytest.raises(InputError) as caught:
        function(*arguments, **options)
    return str(caught.value)


class TestKnots:
    def test_values(self):
        knots = Knots([0, 10], [1, 2])
        assert knots.times.tolist() == [0.0, 10.0]
        assert knots.values.tolist() == [1.0, 2.0]

    @pytest.mark.parametrize(
        "times, values, expected",
        [
            ([1, 0], [1, 1], "knot times[1]=0.0 must be greater than knot times[0]=1.0; sort the values and remove repeated ones."),
            ([0, 0], [1, 1], "knot times[1]=0.0 must be greater than knot times[0]=0.0; sort the values and remove repeated ones."),
            ([0, np.nan], [1, 1], "knot times[1]=nan must be finite; 1 of 2 values are not. Remove or fill them first."),
            ([0, 1], [1, np.inf], "knot values[1]=inf must be finite; 1 of 2 values are not. Remove or fill them first."),
            ([0, 1], [1], "knots have 2 times and 1 values; give as many."),
            ([], [], "knot times has shape (0,); give a non-empty one-dimensional array."),
        ],
    )  # fmt: skip
    def test_wrong(self, times, values, expected):
        assert message(Knots, times, values) == expected


class TestMerge:
    def test_given_values_replace_defaults(self):
        merged = merge(COMPLETE, {"albedo": 0.5})
        assert merged == {**COMPLETE, "albedo": 0.5}
        assert COMPLETE["albedo"] == 0.2
        assert merge(COMPLETE, None) == COMPLETE

    def test_the_combined_form_replaces_the_separate_one(self):
        merged = merge(COMPLETE, {"turbulent_transfer_coefficient": 25.0})
        assert merged == COMBINED

    def test_the_separate_form_replaces_the_combined_one(self):
        merged = merge(COMBINED, {"heat_transfer_coefficient": 15.0, "bowen_ratio": 1.5})
        assert merged == COMPLETE

    def test_none_takes_a_default_away(self):
        merged = merge({**COMPLETE, "initial_temperature": 290.0}, {"initial_temperature": None})
        assert merged == COMPLETE

    def test_unknown_name(self):
        text = message(merge, COMPLETE, {"albdo": 0.2})
        assert text.startswith("unknown parameter 'albdo'; known: albedo, ")
        assert text.endswith("Did you mean 'albedo'?")

    @pytest.mark.parametrize("name", ["heat_transfer_coefficient", "bowen_ratio"])
    def test_both_forms(self, name):
        given = {"turbulent_transfer_coefficient": 25.0, name: 1.0}
        assert message(merge, COMPLETE, given) == (
            f"turbulent_transfer_coefficient and {name} are both given; "
            "give one form, h(1+1/β) or h and β."
        )

    @pytest.mark.parametrize(
        "given, missing",
        [
            ("heat_transfer_coefficient", "bowen_ratio"),
            ("bowen_ratio", "heat_transfer_coefficient"),
        ],
    )
    def test_half_of_the_separate_form(self, given, missing):
        assert message(merge, COMBINED, {given: 2.0}) == (
            f"{missing} is missing; give it, or turbulent_transfer_coefficient instead of h and β."
        )


class TestCheck:
    def test_values_are_float_arrays_of_the_given_shape(self):
        values, knots = check({**COMPLETE, "albedo": [0.1, 0.2, 0.3]}, SIZES, insulated=False)
        assert knots == {}
        assert values["albedo"].tolist() == [0.1, 0.2, 0.3]
        assert values["bowen_ratio"].shape == ()
        assert {v.dtype for v in values.values()} == {np.dtype(np.float64)}
        assert set(values) == set(COMPLETE)

    @pytest.mark.parametrize(
        "name, count",
        [
            ("albedo", 3),
            ("heat_transfer_coefficient", 3),
            ("bowen_ratio", 3),
            ("bottom_temperature", 3),
            ("thermal_conductivity", 4),
            ("volumetric_heat_capacity", 5),
        ],
    )
    def test_shapes(self, name, count):
        wrong = np.full(count + 1, COMPLETE[name])
        values, _ = check({**COMPLETE, name: wrong[1:]}, SIZES, insulated=False)
        assert values[name].shape == (count,)
        axis = {3: "steps", 4: "interfaces", 5: "nodes"}[count]
        assert message(check, {**COMPLETE, name: wrong}, SIZES, insulated=False) == (
            f"{name} has shape ({count + 1},); give one number or {count} values ({axis})."
        )

    @pytest.mark.parametrize(
        "name, value, expected",
        [
            ("albedo", np.nan, "albedo=nan must be finite; 1 of 1 values are not. Remove or fill them first."),
            ("bowen_ratio", np.inf, "bowen_ratio=inf must be finite; 1 of 1 values are not. Remove or fill them first."),
            ("albedo", [0.1, np.nan, 0.1], "albedo[1]=nan must be finite; 1 of 3 values are not. Remove or fill them first."),
            ("albedo", -0.1, "albedo=-0.1 must lie in [0, 1]; check its value and unit."),
            ("albedo", [0.1, 0.1, 20.0], "albedo[2]=20.0 must lie in [0, 1]; check its value and unit."),
            ("albedo", "bright", "albedo='bright' must be a number or an array of numbers."),
            ("heat_transfer_coefficient", -1.0, "heat_transfer_coefficient=-1.0 must lie in [0, 10000] W m-2 K-1; check its value and unit."),
            ("thermal_conductivity", 0.0, "thermal_conductivity=0.0 must lie in (0, 10000] W m-1 K-1; check its value and unit."),
            ("volumetric_heat_capacity", -2e6, "volumetric_heat_capacity=-2000000.0 must lie in (0, 1e+09] J m-3 K-1; check its value and unit."),
            ("bottom_temperature", 20.0, "bottom_temperature=20.0 must lie in [150, 450] K; it looks like °C: add 273.15."),
            ("initial_temperature", 12.0, "initial_temperature=12.0 must lie in [150, 450] K; it looks like °C: add 273.15."),
            ("emissivity", 1.5, "emissivity=1.5 must lie in [0, 1]; check its value and unit."),
            ("emissivity", [0.9, 0.9, 0.9], "emissivity has shape (3,); give one number."),
            ("SWdown", 100.0, "SWdown has shape (); give 3 values (steps)."),
            ("bowen_ratio", 0.0, "bowen_ratio=0.0 must be non-zero; give turbulent_transfer_coefficient instead."),
            ("bowen_ratio", [1.0, 0.0, 1.0], "bowen_ratio=0.0 must be non-zero; give turbulent_transfer_coefficient instead."),
            ("bowen_ratio", -0.5, "bowen_ratio=-0.5 makes h(1+1/β) negative; give β < -1, β > 0 or turbulent_transfer_coefficient ≥ 0."),
            ("bowen_ratio", [1.0, 1.0, -1e-9], "bowen_ratio=-1e-09 makes h(1+1/β) negative; give β < -1, β > 0 or turbulent_transfer_coefficient ≥ 0."),
            ("bowen_ratio", Knots([0, 1], [-2.0, 2.0]), "bowen_ratio knots pass through zero; give turbulent_transfer_coefficient instead."),
            ("albedo", Knots([0, 1], [0.1, 1.4]), "albedo[1]=1.4 must lie in [0, 1]; check its value and unit."),
            ("thermal_conductivity", Knots([0], [1.0]), "thermal_conductivity does not vary in time; give one number or 4 values (interfaces) instead of knots."),
            ("emissivity", Knots([0], [0.9]), "emissivity does not vary in time; give one number instead of knots."),
        ],
    )  # fmt: skip
    def test_wrong_values(self, name, value, expected):
        assert message(check, {**COMPLETE, name: value}, SIZES, insulated=False) == expected

    def test_combined_coefficient_must_not_be_negative(self):
        given = {**COMBINED, "turbulent_transfer_coefficient": -1.0}
        assert message(check, given, SIZES, insulated=False) == (
            "turbulent_transfer_coefficient=-1.0 must lie in [0, 100000] W m-2 K-1; "
            "check its value and unit."
        )

    @pytest.mark.parametrize("beta", [-1.0, -2.0, 1e-3, [-3.0, 2.0, 1.0], Knots([0, 1], [-3, -2])])
    def test_bowen_ratios_that_are_right(self, beta):
        values, _ = check({**COMPLETE, "bowen_ratio": beta}, SIZES, insulated=False)
        assert np.all(1 + 1 / values["bowen_ratio"] >= 0)

    def test_knots(self):
        given = {**COMPLETE, "albedo": Knots([0.0, 10.0], [0.1, 0.3])}
        values, knots = check(given, SIZES, insulated=False)
        assert values["albedo"].tolist() == [0.1, 0.3]
        assert knots["albedo"].tolist() == [0.0, 10.0]

    @pytest.mark.parametrize(
        "name",
        ["albedo", "thermal_conductivity", "volumetric_heat_capacity", "bottom_temperature",
         "emissivity", "SWdown", "LWdown", "Tair"],
    )  # fmt: skip
    def test_missing(self, name):
        expected = f"{name} is missing; give a value."
        assert message(check, without(name), SIZES, insulated=False) == expected

    def test_an_insulated_bottom_needs_no_temperature_there(self):
        given = without("bottom_temperature") | {"initial_temperature": 290.0}
        values, _ = check(given, SIZES, insulated=True)
        assert "bottom_temperature" not in values

    def test_an_insulated_bottom_needs_an_initial_temperature(self):
        assert message(check, COMPLETE, SIZES, insulated=True) == (
            "initial_temperature is missing; with an insulated bottom it cannot be tied to "
            "bottom_temperature: give a value."
        )


class TestSplitBatch:
    def test_no_batch(self):
        assert split_batch({"albedo": [0.1, 0.2], "emissivity": 0.9}) == []

    def test_columns_come_first(self):
        knots = Knots([0], [280.0])
        columns = split_batch(
            {
                "emissivity": [[0.8], [0.9]],
                "albedo": [[0.1, 0.2, 0.3], [0.4, 0.5, 0.6]],
                "bowen_ratio": 2.0,
                "bottom_temperature": knots,
                "initial_temperature": None,
            }
        )
        assert [c["emissivity"] for c in columns] == [0.8, 0.9]
        assert [c["albedo"].tolist() for c in columns] == [[0.1, 0.2, 0.3], [0.4, 0.5, 0.6]]
        assert [c["bowen_ratio"] for c in columns] == [2.0, 2.0]
        assert all(c["bottom_temperature"] is knots for c in columns)
        assert [c["initial_temperature"] for c in columns] == [None, None]

    def test_columns_must_be_as_many(self):
        given = {"albedo": [[0.1], [0.2]], "emissivity": [[0.9]]}
        assert message(split_batch, given) == (
            "columns of the batch differ: {'albedo': 2, 'emissivity': 1}; "
            "give every batch as many, one or more."
        )

    def test_no_columns(self):
        assert message(split_batch, {"albedo": np.zeros((0, 1))}).startswith(
            "columns of the batch differ: {'albedo': 0}"
        )

    def test_three_dimensions(self):
        assert message(split_batch, {"albedo": np.zeros((2, 1, 1))}) == (
            "albedo has shape (2, 1, 1); a batch has two dimensions, columns first."
        )

    def test_ragged(self):
        text = message(split_batch, {"albedo": [[0.1], [0.2, 0.3]]})
        assert text == "albedo=[[0.1], [0.2, 0.3]] must be a number or an array of numbers."
