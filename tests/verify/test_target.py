"""A column and a problem in the form of the checks."""

from dataclasses import replace

import numpy as np
import pytest

from lsm_verify import InputError, NoSolutionError, Problem, load_case
from lsm_verify.inputs import Objective, probe_weights
from lsm_verify.routes import ROUTES
from lsm_verify.verify.problem import of_problem
from lsm_verify.verify.target import (
    COPIES,
    flatten,
    labels,
    of_inputs,
    scales,
    summarise,
    unflatten,
    units,
)


@pytest.fixture(scope="module")
def layered():
    """Inputs with a number, a value per interface and one per node to differentiate by."""
    case = load_case("layered").window(3)
    wrt = ("emissivity", "thermal_conductivity", "volumetric_heat_capacity")
    return case.inputs(wrt=wrt)


@pytest.fixture(scope="module")
def twin():
    inputs = load_case("twin").window(5).inputs()
    probe = Objective("probe", probe_weights(inputs, 0))
    return replace(inputs, objectives=(Objective(), probe))


class TestOrder:
    def test_flat_vectors_and_back(self, layered):
        flat = flatten(layered, layered.parameters)
        sizes = [np.size(layered.parameters[name]) for name in layered.wrt]
        assert flat.size == sum(sizes)
        assert min(sizes[1:]) > 1
        back = unflatten(layered, flat)
        assert list(back) == list(layered.wrt)
        for name, value in back.items():
            np.testing.assert_array_equal(value, layered.parameters[name])

    def test_labels_follow_it(self, layered):
        flat = flatten(layered, layered.parameters)
        for (name, index), value in zip(labels(layered), flat, strict=True):
            assert layered.parameters[name][index] == value

    def test_scales_follow_it(self, layered):
        for (name, index), scale in zip(labels(layered), scales(layered), strict=True):
            assert np.broadcast_to(layered.scale(name), layered.parameters[name].shape)[index] == (
                scale
            )

    def test_units_keep_the_sign_of_what_must_stay_positive(self, twin):
        wide = {name: np.asarray(1e9) for name in twin.wrt}
        inputs = replace(twin, scales=wide)
        size = np.abs(flatten(inputs, inputs.parameters))
        bounded = {"thermal_conductivity", "volumetric_heat_capacity", "bowen_ratio"}
        for (name, _), unit, value in zip(labels(inputs), units(inputs), size, strict=True):
            assert unit == (value if name in bounded else 1e9)


class TestOfInputs:
    def test_objectives_and_gradients_are_those_of_the_routes(self, twin):
        target = of_inputs(twin, [ROUTES["adjoint"]])
        assert target.objectives == ("J", "probe")
        found = target.scores(target.x[None])
        slopes = target.gradients("adjoint", np.stack([target.x, 1.001 * target.x]))
        assert slopes.shape == (2, 2, target.x.size)
        for k, (value, gradient) in enumerate(ROUTES["complex-step"].evaluate([twin])[0]):
            assert found[k, 0] == pytest.approx(value, rel=1e-13)
            scaled = np.abs(slopes[k, 0] - flatten(twin, gradient)) * target.scale
            assert np.all(scaled <= 1e-11 * np.linalg.norm(slopes[k, 0] * target.scale))
            assert np.all(slopes[k, 0] != slopes[k, 1])

    def test_a_ladder_says_the_step_that_was_taken(self, twin):
        target = of_inputs(twin)
        rows = np.diag(target.unit)[:3]
        for j, (steps, plus, minus) in enumerate(target.ladders(rows, 0.5, 4.0, 3)):
            np.testing.assert_allclose(steps, 0.5 / 4.0 ** np.arange(3), rtol=1e-9)
            assert plus.shape == minus.shape == (2, 3)
            ends = np.stack([target.x + s * steps[1] * rows[j] for s in (1, -1)])
            np.testing.assert_allclose(
                target.scores(ends), np.stack([plus[:, 1], minus[:, 1]], axis=1), rtol=1e-9
            )

    def test_both_samples_come_from_one_batch(self, twin):
        sizes = []

        def evaluate(batch):
            sizes.append(len(batch))
            return ROUTES["adjoint"].evaluate(batch)

        target = of_inputs(twin, [replace(ROUTES["adjoint"], evaluate=evaluate)])
        found = target.sample("adjoint", 0)
        assert sizes == [1 + COPIES]
        assert [s.evaluations for s in found] == [1 + COPIES] * 2
        assert all(np.all(s.spread > 0) for s in found)

    def test_no_solution_nearby_is_no_number_and_at_the_point_an_error(self, twin):
        target = of_inputs(replace(twin, wrt=("SWdown",), scales={"SWdown": np.full(5, 1e2)}))
        frozen = np.full(5, -1e7)
        found = target.scores(np.stack([target.x, frozen]))
        assert np.all(np.isfinite(found[:, 0]))
        assert np.all(np.isnan(found[:, 1]))
        with pytest.raises(NoSolutionError) as caught:
            of_inputs(twin.with_values({"SWdown": frozen}))
        assert caught.value.step == 0

    @pytest.mark.parametrize("scale", [0.0, -1.0, np.nan])
    def test_a_scale_that_is_none_would_blind_the_checks(self, made_up, scale):
        with pytest.raises(ValueError, match="scale must be positive"):
            made_up(albedo=1.0, emissivity=scale)


def test_spread_is_the_deviation_of_the_copies_alone():
    gradients = np.array([[5.0, 0.0], [1.0, 2.0], [3.0, 2.0]])
    found = summarise([9.0, 1.0, 2.0], gradients)
    np.testing.assert_allclose(found.spread, [np.sqrt(2.0), 0.0])
    assert found.gradient.tolist() == [5.0, 0.0]
    assert (found.value, found.value_spread) == (9.0, pytest.approx(np.sqrt(0.5)))
    assert found.evaluations == 3


def square(p):
    return p["a"] ** 2 + np.sum(p["b"] ** 3)


def slope(p):
    return {"a": 2 * p["a"], "b": 3 * p["b"] ** 2}


class TestOfProblem:
    @pytest.fixture
    def target(self):
        point = {"a": 2.0, "b": [[1.0, 0.0], [-3.0, 4.0]]}
        return of_problem(Problem(square, point, gradients={"mine": slope}))

    def test_form(self, target):
        assert target.labels == (
            ("a", ()), ("b", (0, 0)), ("b", (0, 1)), ("b", (1, 0)), ("b", (1, 1)),
        )  # fmt: skip
        assert target.names == ("a", "b")
        assert target.x.tolist() == [2.0, 1.0, 0.0, -3.0, 4.0]
        assert target.scale.tolist() == [2.0, 1.0, 1.0, 3.0, 4.0]
        assert target.partial is True
        assert (target.dtype, target.epsilon) == ("float64", np.finfo(np.float64).eps)

    def test_scores_and_gradients(self, target):
        np.testing.assert_array_equal(target.scores(np.stack([target.x, 0 * target.x])), [[42, 0]])
        (found,) = target.gradients("mine", target.x[None])[0]
        np.testing.assert_array_equal(found, [4.0, 3.0, 0.0, 27.0, 48.0])

    def test_ladder_says_the_step_that_was_taken(self):
        target = of_problem(Problem(lambda x: x, 1e6, scales=1e-3))
        ((steps, plus, minus),) = target.ladders(np.array([[1e-3]]), 0.5, 4.0, 8)
        # x ± h v is rounded to 1e-10, some 1e-2 of the shortest step; what was taken is exact.
        assert np.max(np.abs(steps * 4.0 ** np.arange(8) / 0.5 - 1)) > 1e-4
        np.testing.assert_allclose(plus[0] - minus[0], 2e-3 * steps, rtol=1e-12)

    def test_sample_moves_the_point_by_an_ulp(self):
        seen = []

        def gradient(x):
            seen.append(x.copy())
            return 2 * x

        target = of_problem(Problem(lambda x: x @ x, [0.3, 0.0], gradients={"g": gradient}))
        (one,), (again,), (other,) = (target.sample("g", seed) for seed in (0, 0, 1))
        assert len(seen) == 3 * (1 + COPIES)
        moved = {x[0] for x in seen[1 : 1 + COPIES]}
        assert moved == {np.nextafter(0.3, 0), np.nextafter(0.3, 1)}
        assert {x[1] for x in seen} == {0.0}
        assert one.spread[0] == again.spread[0]
        assert not np.array_equal([x[0] for x in seen[1:13]], [x[0] for x in seen[27:39]])
        assert 0 < other.spread[0] < 1e-15
        assert one.spread[1] == 0

    @pytest.mark.parametrize(
        "objective, dtype",
        [
            (lambda x: np.float32(x @ x), "float32"),
            (lambda x: float(np.float32(x @ x)), "float32"),
            (lambda x: np.float16(x @ x), "float32"),
            (lambda x: x @ x, "float64"),
            (lambda x: 3.0, "float64"),
            (lambda x: float(np.round(x @ x)), "float64"),
            (lambda x: 7, "float64"),
        ],
    )
    def test_number_type(self, objective, dtype):
        assert of_problem(Problem(objective, [0.3, 1.7])).dtype == dtype

    @pytest.mark.parametrize(
        "objective, message",
        [
            (lambda x: np.nan, "objective returned nan at x = 0.3, 1.7"),
            (lambda x: x, r"objective returned shape \(2,\)"),
            (lambda x: 1j, "objective returned shape .* of type complex128"),
            (lambda x: 1 / 0, "objective raised ZeroDivisionError: division by zero; at x = 0.3"),
        ],
    )
    def test_an_objective_that_is_none(self, objective, message):
        with pytest.raises(InputError, match=message):
            of_problem(Problem(objective, [0.3, 1.7]))

    @pytest.mark.parametrize(
        "gradient, message",
        [
            (lambda x: x[:1], r"gradient 'g' returned shape \(1,\) for x; \(2,\) is wanted"),
            (lambda x: x * [1, np.inf], "gradient 'g' returned inf at index 1 for x"),
            (lambda x: x * 1j, "gradient 'g' returned type complex128"),
            (lambda x: x.nothing, "gradient 'g' raised AttributeError"),
        ],
    )
    def test_a_gradient_that_is_none(self, gradient, message):
        target = of_problem(Problem(lambda x: x @ x, [0.3, 1.7], gradients={"g": gradient}))
        with pytest.raises(InputError, match=message):
            target.sample("g", 0)
