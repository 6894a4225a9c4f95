from dataclasses import replace

import numpy as np
import pytest

from lsm_verify import Knots, Objective, load_case
from lsm_verify.inputs import probe_weights, same_pattern, ulp_copies


@pytest.fixture
def inputs():
    """A window with everything in it: layers, knots, fluxes, gaps, steps of several lengths."""
    case = load_case("layered").window(8)
    knots = Knots([0.0, 3000.0, 9000.0], [288.0, 289.0, 290.0])
    return case.inputs({"bottom_temperature": knots, "albedo": np.linspace(0.1, 0.4, 8)})


def test_objective_labels():
    assert Objective().label == "J"
    assert Objective("half-sum-of-squares").label == "J"
    assert Objective("probe", np.ones((1, 2))).label == "probe"


class TestInputs:
    def test_counts(self, inputs):
        assert inputs.steps == 8
        assert inputs.wrt == ("bottom_temperature", "albedo")
        assert sum(inputs.parameters[name].size for name in inputs.wrt) == 3 + 8

    def test_with_values_leaves_the_rest(self, inputs):
        other = inputs.with_values({"emissivity": np.array(0.5)})
        assert other.parameters["emissivity"] == 0.5
        assert inputs.parameters["emissivity"] != 0.5
        assert other.parameters["albedo"] is inputs.parameters["albedo"]

    def test_scale_is_the_priors_standard_deviation(self, inputs):
        np.testing.assert_allclose(inputs.scale("albedo"), np.full(8, 0.45 / np.sqrt(12)))

    def test_scale_without_a_prior_is_the_size_and_never_zero(self, inputs):
        bare = replace(inputs, scales={}).with_values({"albedo": np.array([0.0, 0.25, -0.5])})
        assert bare.scale("albedo").tolist() == [1.0, 0.25, 0.5]

    def test_a_scalar_scale_serves_a_vector(self, inputs):
        scaled = replace(inputs, scales={"albedo": np.array(0.1)})
        assert scaled.scale("albedo").tolist() == [0.1] * 8

    def test_knots_are_interpolated_to_the_end_of_every_step(self, inputs):
        # Steps of 600, 900, 1800, 3600, 3600 s end at 600, 1500, 3300, 6900, 10500 s.
        expanded = inputs.expanded("bottom_temperature")
        expected = [288.2, 288.5, 289.05, 289.65, 290.0]
        np.testing.assert_allclose(expanded[:5], expected, rtol=1e-14)
        assert inputs.expanded("albedo") is inputs.parameters["albedo"]


class TestProbeWeights:
    def test_seeded(self, inputs):
        np.testing.assert_array_equal(probe_weights(inputs, 3), probe_weights(inputs, 3))
        assert not np.array_equal(probe_weights(inputs, 3), probe_weights(inputs, 4))

    def test_zero_exactly_where_nothing_is_observed(self, inputs):
        weights = probe_weights(inputs, 0)
        assert weights.shape == (5, 9)
        observed = np.stack([s.weights > 0 for s in inputs.series])
        np.testing.assert_array_equal(weights != 0, observed)
        assert not observed.all()

    def test_fluxes_count_in_hundreds_of_watts(self):
        case = load_case("layered")
        inputs = case.inputs()
        rms = [np.sqrt(np.mean(row[row != 0] ** 2)) for row in probe_weights(inputs, 0)]
        kinds = [s.kind for s in inputs.series]
        for kind, size in zip(kinds, rms, strict=True):
            # 49 or more Gaussian draws: their rms is within half of 1.
            assert size * (1 if kind == "soil_temperature" else 100) == pytest.approx(1, rel=0.5)


def numbers(inputs):
    """Every number that is an input, by a name."""
    found = {"spacing": inputs.spacing, "time_step": inputs.time_step}
    found |= {f"parameter {name}": v for name, v in inputs.parameters.items()}
    found |= {f"knots {name}": v for name, v in inputs.knots.items()}
    for i, s in enumerate(inputs.series):
        found |= {f"values {i}": s.values, f"depth {i}": np.array(s.depth)}
    return found


class TestUlpCopies:
    def test_every_number_moves_by_exactly_one_ulp(self, inputs):
        before = numbers(inputs)
        for copy in ulp_copies(inputs, 3, np.random.default_rng(0)):
            after = numbers(copy)
            assert after.keys() == before.keys()
            for name, old in before.items():
                new = after[name]
                up, down = np.nextafter(old, np.inf), np.nextafter(old, -np.inf)
                assert np.all((new == up) | (new == down) | (old == 0)), name
                assert np.all(new[old == 0] == 0), name  # the next number is no rounding error

    def test_up_and_down_both_occur_and_copies_differ(self, inputs):
        one, two = ulp_copies(inputs, 2, np.random.default_rng(0))
        assert np.any(one.spacing > inputs.spacing)
        assert np.any(one.spacing < inputs.spacing)
        assert not np.array_equal(one.spacing, two.spacing)

    def test_equal_steps_move_together(self, inputs):
        assert np.unique(inputs.time_step).size < inputs.time_step.size
        for copy in ulp_copies(inputs, 5, np.random.default_rng(1)):
            assert np.unique(copy.time_step).size == np.unique(inputs.time_step).size

    def test_weights_and_objectives_stay(self, inputs):
        probe = Objective("probe", probe_weights(inputs, 0))
        given = replace(inputs, objectives=(Objective(), probe))
        (copy,) = ulp_copies(given, 1, np.random.default_rng(0))
        assert copy.objectives == given.objectives
        for old, new in zip(given.series, copy.series, strict=True):
            assert new.kind == old.kind
            np.testing.assert_array_equal(new.weights, old.weights)

    def test_the_original_is_not_touched(self, inputs):
        before = {name: np.array(v) for name, v in numbers(inputs).items()}
        list(ulp_copies(inputs, 2, np.random.default_rng(0)))
        for name, value in numbers(inputs).items():
            np.testing.assert_array_equal(value, before[name])

    def test_seeded(self, inputs):
        (one,) = ulp_copies(inputs, 1, np.random.default_rng(5))
        (two,) = ulp_copies(inputs, 1, np.random.default_rng(5))
        for name, value in numbers(one).items():
            np.testing.assert_array_equal(value, numbers(two)[name])


class TestSamePattern:
    def test_numbers_may_differ(self, inputs):
        same_pattern([inputs, *ulp_copies(inputs, 2, np.random.default_rng(0))])

    @pytest.mark.parametrize(
        "change",
        [
            lambda i: replace(i, spacing=i.spacing[1:]),
            lambda i: replace(i, time_step=i.time_step[1:]),
            lambda i: i.with_values({"albedo": np.array(0.2)}),
            lambda i: replace(i, series=i.series[::-1]),
        ],
        ids=["grid", "steps", "shape", "series"],
    )
    def test_shapes_may_not(self, inputs, change):
        with pytest.raises(ValueError, match="same shapes and series"):
            same_pattern([inputs, change(inputs)])
