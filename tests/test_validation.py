import numpy as np
import pytest

from lsm_verify import validation
from lsm_verify.errors import InputError, NoSolutionError, unknown
from lsm_verify.quantities import PARAMETERS

ALBEDO = PARAMETERS["albedo"]
CONDUCTIVITY = PARAMETERS["thermal_conductivity"]
TEMPERATURE = PARAMETERS["bottom_temperature"]


def refusal(function, *arguments):
    with pytest.raises(InputError) as caught:
        function(*arguments)
    return str(caught.value)


class TestAsArray:
    def test_copies(self):
        given = np.array([1.0, 2.0])
        array = validation.as_array("x", given)
        given[0] = 9.0
        assert array.tolist() == [1.0, 2.0]
        assert array.dtype == np.float64

    @pytest.mark.parametrize("value", [3, 3.0, np.float32(3), np.int64(3), "3"])
    def test_numbers_of_any_kind(self, value):
        assert validation.as_array("x", value) == 3.0

    @pytest.mark.parametrize("value", ["warm", ["a", 1], {}, [[1.0], [1.0, 2.0]], object()])
    def test_no_number(self, value):
        message = refusal(validation.as_array, "depth", value)
        assert message.startswith("depth=")
        assert message.endswith(" must be a number or an array of numbers.")

    def test_a_long_value_is_cut(self):
        message = refusal(validation.as_array, "depth", ["x" * 500])
        assert "..." in message
        assert len(message) < 120

    @pytest.mark.parametrize(
        "value", [1 + 1j, np.array([1 + 1j]), np.datetime64("2012-05-01", "s")]
    )
    def test_not_silently_made_real(self, value):
        assert "must be a number" in refusal(validation.as_array, "depth", value)


class TestFinite:
    def test_passes_on(self):
        array = np.array([1.0, -2.0])
        assert validation.finite("x", array) is array

    @pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
    def test_a_single_number(self, value):
        assert refusal(validation.finite, "x", np.array(value)) == (
            f"x={value} must be finite; 1 of 1 values are not. Remove or fill them first."
        )

    @pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
    def test_names_the_first_place_and_counts(self, value):
        array = np.array([[1.0, 2.0], [value, value]])
        assert refusal(validation.finite, "x", array) == (
            f"x[1, 0]={value} must be finite; 2 of 4 values are not. Remove or fill them first."
        )


class TestVector:
    def test_returns_it(self):
        assert validation.vector("x", [1, 2], 2).tolist() == [1.0, 2.0]

    @pytest.mark.parametrize("value, shape", [(1.0, "()"), ([], "(0,)"), ([[1.0, 2.0]], "(1, 2)")])
    def test_shape(self, value, shape):
        assert refusal(validation.vector, "x", value) == (
            f"x has shape {shape}; give a non-empty one-dimensional array."
        )

    def test_length(self):
        assert refusal(validation.vector, "Tair", [1.0, 2.0], 3) == (
            "Tair has 2 values; 3 are wanted, one per step."
        )

    def test_not_finite(self):
        assert refusal(validation.vector, "x", [1.0, np.nan]).startswith("x[1]=nan must be finite")


@pytest.mark.parametrize("value", [0.0, -1.0])
def test_positive(value):
    assert validation.positive("x", np.array([1e-300])) == 1e-300
    assert refusal(validation.positive, "x", np.array([1.0, value])) == (
        f"x[1]={value} must be positive; check its value, sign and unit."
    )


@pytest.mark.parametrize("value", [1.0, 0.5])
def test_increasing(value):
    assert validation.increasing("x", np.array([1.0, 2.0])).size == 2
    assert refusal(validation.increasing, "x", np.array([0.0, 1.0, value])) == (
        f"x[2]={value} must be greater than x[1]=1.0; sort the values and remove repeated ones."
    )


class TestWithin:
    @pytest.mark.parametrize("value", [0.0, 0.3, 1.0])
    def test_bounds_belong_to_it(self, value):
        assert validation.within(ALBEDO, np.array(value)) == value

    @pytest.mark.parametrize("value", [np.nextafter(0, -1), -0.1, np.nextafter(1, 2), 30.0])
    def test_outside(self, value):
        assert refusal(validation.within, ALBEDO, np.array(value)) == (
            f"albedo={value} must lie in [0, 1]; check its value and unit."
        )

    def test_an_open_bound_does_not(self):
        assert refusal(validation.within, CONDUCTIVITY, np.array([1.0, 0.0])) == (
            "thermal_conductivity[1]=0.0 must lie in (0, 10000] W m-1 K-1; "
            "check its value and unit."
        )

    @pytest.mark.parametrize("value", [-40.0, 0.0, 20.0, 100.0])
    def test_celsius_is_recognised(self, value):
        assert refusal(validation.within, TEMPERATURE, np.array(value)) == (
            f"bottom_temperature={value} must lie in [150, 450] K; it looks like °C: add 273.15."
        )

    @pytest.mark.parametrize("value", [-101.0, 149.9, 450.1])
    def test_what_is_no_celsius_is_not(self, value):
        message = refusal(validation.within, TEMPERATURE, np.array(value))
        assert message.endswith("check its value and unit.")


class TestUnknown:
    def test_the_nearest_is_suggested(self):
        error = unknown("route", "adjont", ["tangent", "adjoint"])
        assert str(error) == (
            "unknown route 'adjont'; known: tangent, adjoint. Did you mean 'adjoint'?"
        )

    def test_nothing_near(self):
        assert str(unknown("case", "zzz", ["twin"])) == "unknown case 'zzz'; known: twin."

    @pytest.mark.parametrize("given", [None, 5, ("adjoint",)])
    def test_no_name_at_all(self, given):
        assert str(unknown("route", given, ["adjoint"])).startswith(f"unknown route {given!r}")


def test_no_solution_names_step_and_column():
    single, batch = NoSolutionError(3), NoSolutionError(3, 7)
    assert (single.step, single.column) == (3, None)
    assert (batch.step, batch.column) == (3, 7)
    assert "no positive root at step 3;" in str(single)
    assert "no positive root at step 3 of column 7;" in str(batch)
    assert isinstance(single, ArithmeticError)
