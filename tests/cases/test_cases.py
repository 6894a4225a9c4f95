# ruff: noqa: E501 (messages are quoted whole)
from dataclasses import replace

import numpy as np
import pytest

from lsm_verify import CASES, InputError, Knots, Observations, Series, load_case
from lsm_verify.cases.embedded import read_series

EMBEDDED = ("twin", "twin-one-depth", "layered")


@pytest.fixture(scope="module")
def twin():
    return load_case("twin")


@pytest.fixture(scope="module")
def layered():
    return load_case("layered")


def message(function, *arguments, **options):
    with pytest.raises(InputError) as caught:
        function(*arguments, **options)
    return str(caught.value)


class TestLoad:
    @pytest.mark.parametrize("name", EMBEDDED)
    def test_by_name(self, name):
        assert load_case(name).name == name

    def test_cases_are_described(self):
        assert list(CASES) == ["twin", "twin-one-depth", "phoenix", "layered"]
        assert all(CASES.values())

    def test_unknown(self):
        assert message(load_case, "twn") == (
            "unknown case 'twn'; known: twin, twin-one-depth, phoenix, layered. Did you mean 'twin'?"
        )

    def test_phoenix_without_data_says_where_to_get_them(self, tmp_path):
        text = message(load_case, "phoenix", data=tmp_path)
        assert str(tmp_path) in text
        assert "lsm-verify data fetch" in text


class TestTwin:
    def test_is_the_papers(self, twin):
        assert twin.grid.spacing.tolist() == [0.01] * 100
        assert twin.forcing.time_step.tolist() == [3600.0] * 100
        assert set(twin.forcing.Tair) == {296.0}
        assert set(twin.forcing.LWdown) == {100.0}
        assert twin.fixed == {"emissivity": 0.95}
        assert twin.truth == {
            "albedo": 0.2,
            "heat_transfer_coefficient": 15.0,
            "bowen_ratio": 1.5,
            "thermal_conductivity": 0.8,
            "volumetric_heat_capacity": 2.2e6,
            "bottom_temperature": 293.0,
        }
        assert [s.depth for s in twin.observations.series] == [0.0, 0.05]
        assert twin.points() == ("start", "truth")

    def test_shortwave(self, twin):
        K = twin.forcing.SWdown  # index i is the hour i + 1
        assert K[13] == 800.0
        assert K[10] == pytest.approx(800 * np.cos(np.pi / 2 * 3 / 7))
        assert K[6] == K[2] == K[22]
        assert 0 < K[2] < 1e-12  # the paper's night
        np.testing.assert_allclose(K[:24], K[24:48], rtol=0, atol=1e-12)

    def test_one_depth(self, twin):
        one = load_case("twin-one-depth")
        assert [s.depth for s in one.observations.series] == [0.05]
        second = twin.observations.series[1]
        np.testing.assert_array_equal(one.observations.series[0].values, second.values)

    def test_initial_temperature_is_tied_to_the_bottom(self, twin):
        assert "initial_temperature" not in twin.inputs().parameters


class TestLayered:
    def test_nothing_is_constant(self, layered):
        inputs = layered.inputs(layered.point("truth"))
        assert np.unique(inputs.time_step).size == 5
        assert np.all(np.diff(inputs.spacing) > 0)
        for name in ("thermal_conductivity", "volumetric_heat_capacity", "albedo"):
            assert np.ptp(inputs.parameters[name]) > 0
        layered_inputs = layered.inputs()
        assert sum(layered_inputs.parameters[n].size for n in layered_inputs.wrt) == 339

    def test_observes_every_kind_with_gaps(self, layered):
        kinds = {s.kind for s in layered.observations.series}
        assert kinds == {"soil_temperature", "soil_heat_flux", "longwave_up", "turbulent_flux"}
        for series in layered.observations.series:
            assert 0 < np.count_nonzero(series.weights == 0) < series.values.size


class TestEmbedded:
    def test_digest_is_that_of_the_file(self, twin):
        columns, digest = read_series("twin.csv")
        assert twin.sources == {"twin.csv": digest}
        assert len(digest) == 64
        assert {v.size for v in columns.values()} == {101}

    def test_gaps_are_empty_cells(self):
        columns, _ = read_series("layered.csv")
        assert np.isnan(columns["turbulent_flux"][0])
        assert all(np.isfinite(v).any() for v in columns.values())


class TestPoints:
    def test_point(self, twin):
        assert twin.point("truth") == twin.truth
        twin.point("truth")["albedo"] = 0.9
        assert twin.truth["albedo"] == 0.2

    def test_unknown(self, twin):
        assert message(twin.point, "trut") == (
            "unknown point of case twin 'trut'; known: start, truth. Did you mean 'truth'?"
        )

    def test_scales_are_standard_deviations_of_uniform_priors(self, twin):
        assert twin.scales["albedo"] == pytest.approx((0.5 - 0.05) / 12**0.5)
        assert twin.scales["bottom_temperature"] == pytest.approx(13 / 12**0.5)

    @pytest.mark.parametrize("name", ["twin", "layered"])
    def test_random_points_lie_in_the_ranges(self, name):
        case = load_case(name)
        points = case.random_points(5, seed=1)
        assert len(points) == 5
        for point in points:
            assert tuple(point) == case.free
            for parameter, (low, high) in case.ranges.items():
                assert np.shape(point[parameter]) == np.shape(low)
                assert np.all((low <= point[parameter]) & (point[parameter] <= high))

    def test_random_points_are_seeded(self, twin):
        assert twin.random_points(2, seed=1) == twin.random_points(2, seed=1)
        assert twin.random_points(2, seed=1) != twin.random_points(2, seed=2)
        first, second = twin.random_points(2, seed=1)
        assert first != second
        assert twin.random_points(1, seed=1) == [first]
        assert twin.random_points(0, seed=1) == []


class TestInputs:
    def test_defaults_to_the_start_and_the_free_parameters(self, twin):
        inputs = twin.inputs()
        assert inputs.wrt == twin.free
        assert {name: float(inputs.parameters[name]) for name in twin.free} == twin.start

    def test_differentiates_by_what_is_given(self, twin):
        assert twin.inputs({"emissivity": 0.9, "albedo": 0.2}).wrt == ("emissivity", "albedo")
        assert twin.inputs({"emissivity": 0.9}, wrt=("albedo",)).wrt == ("albedo",)

    def test_forcing_may_be_given(self, twin):
        inputs = twin.inputs({"Tair": np.full(100, 280.0)})
        assert inputs.wrt == ("Tair",)
        assert set(inputs.parameters["Tair"]) == {280.0}

    def test_knots(self, twin):
        inputs = twin.inputs({"albedo": Knots([0.0, 1e5], [0.1, 0.3])})
        assert inputs.parameters["albedo"].tolist() == [0.1, 0.3]
        assert inputs.knots["albedo"].tolist() == [0.0, 1e5]

    def test_initial_temperature_can_be_tied(self, layered):
        assert "initial_temperature" in layered.inputs().parameters
        tied = layered.inputs({"initial_temperature": None}, wrt=())
        assert "initial_temperature" not in tied.parameters

    @pytest.mark.parametrize(
        "parameters, text",
        [
            ({"albedo": np.nan}, "albedo=nan must be finite; 1 of 1 values are not. Remove or fill them first."),
            ({"bottom_temperature": 20.0}, "bottom_temperature=20.0 must lie in [150, 450] K; it looks like °C: add 273.15."),
            ({"albedo": [0.1, 0.2]}, "albedo has shape (2,); give one number or 100 values (steps)."),
            ({"bowen_ratio": 0.0}, "bowen_ratio=0.0 must be non-zero; give turbulent_transfer_coefficient instead."),
            ({"emissivity": None}, "emissivity is missing; give a value."),
        ],
    )  # fmt: skip
    def test_wrong_parameters(self, twin, parameters, text):
        assert message(twin.inputs, parameters) == text

    def test_wrong_names_to_differentiate_by(self, twin):
        assert message(twin.inputs, wrt=("albdo",)).endswith("Did you mean 'albedo'?")
        assert message(twin.inputs, wrt=("initial_temperature",)) == (
            "initial_temperature has no value in case twin; give one."
        )


class TestConstruction:
    def test_observations_must_fit(self, twin):
        deep = Observations((Series("soil_temperature", np.full(101, 290.0), depth=2.0),))
        assert message(replace, twin, observations=deep) == (
            "depth=2.0 m of soil_temperature must lie in [0, 1] m; "
            "move the observation or deepen the grid."
        )
        short = Observations((Series("soil_temperature", np.full(100, 290.0)),))
        assert message(replace, twin, observations=short).startswith(
            "soil_temperature at 0 m has 100 values; 101 are wanted"
        )

    def test_something_must_be_observed(self, twin):
        blind = Observations((Series("soil_temperature", np.full(101, np.nan)),))
        assert "soil_temperature" in message(replace, twin, observations=blind)

    @pytest.mark.parametrize("point", ["start", "truth", "published"])
    def test_every_point_is_checked(self, twin, point):
        wrong = {**twin.start, "bowen_ratio": 0.0}
        assert message(replace, twin, **{point: wrong}).startswith("bowen_ratio=0.0 must be")

    def test_an_insulated_bottom_needs_an_initial_temperature(self, twin):
        assert message(replace, twin, insulated=True).startswith("initial_temperature is missing")
        fixed = {**twin.fixed, "initial_temperature": 293.0}
        assert replace(twin, insulated=True, fixed=fixed).inputs().insulated

    def test_a_range_per_free_parameter(self, twin):
        assert message(replace, twin, ranges={"albedo": (0.0, 1.0)}) == (
            "ranges are given for ['albedo']; give one per free parameter."
        )


class TestWindow:
    @pytest.mark.parametrize("name", EMBEDDED)
    def test_is_the_first_steps(self, name):
        case = load_case(name)
        cut = case.window(5)
        assert cut.forcing.steps == 5
        np.testing.assert_array_equal(cut.forcing.SWdown, case.forcing.SWdown[:5])
        for old, new in zip(case.observations.series, cut.observations.series, strict=True):
            np.testing.assert_array_equal(new.values, old.values[:6])
            np.testing.assert_array_equal(new.weights, old.weights[:6])

    def test_cuts_parameters_per_step_alone(self, layered):
        cut = layered.window(5)
        for values in (cut.start, cut.truth, {k: low for k, (low, _) in cut.ranges.items()}):
            assert np.shape(values["albedo"]) == (5,)
            assert np.shape(values["thermal_conductivity"]) == (40,)
            assert np.shape(values["initial_temperature"]) == (41,)
        assert cut.truth["albedo"].tolist() == layered.truth["albedo"][:5].tolist()
        assert {name: np.shape(v) for name, v in cut.scales.items()} == {
            name: np.shape(v) for name, v in cut.start.items()
        }

    def test_nodes_are_not_mistaken_for_steps(self, layered):
        # 40 interfaces and 41 nodes: as many as the steps of these windows.
        for steps in (40, 41):
            again = layered.window(steps).window(5)
            assert np.shape(again.start["thermal_conductivity"]) == (40,)
            assert np.shape(again.start["volumetric_heat_capacity"]) == (41,)

    def test_the_whole(self, twin):
        assert twin.window(100).forcing.steps == 100

    @pytest.mark.parametrize("steps", [0, -1])
    def test_too_short(self, twin, steps):
        assert message(twin.window, steps) == f"window={steps} must be a whole number, at least 1."

    def test_longer_than_the_case(self, twin):
        assert message(twin.window, 101) == "window=101 must lie in 1..100 steps."

    def test_not_a_whole_number(self, twin):
        assert "window=2.5" in message(twin.window, 2.5)
