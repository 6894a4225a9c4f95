"""Directions: scaled, signed, seeded, within reach, and some for every parameter."""

import numpy as np
import pytest

from lsm_verify.verify.directions import (
    DIRECTIONS,
    along_parameters,
    random_directions,
    within_reach,
)

DRAWS = 2000


@pytest.fixture
def target(made_up):
    """An albedo and a heat capacity: scales seven orders of magnitude apart."""
    return made_up(albedo=0.1, volumetric_heat_capacity=[1e5, 2e6])


class TestRandom:
    def test_are_scaled_and_signed(self, target):
        values = random_directions(target, DRAWS, seed=0) / target.scale
        # 2000 draws know a deviation to 1.6 % and a mean to 2.2 %; five times that.
        np.testing.assert_allclose(values.std(axis=0), 1.0, atol=0.08)
        np.testing.assert_allclose(values.mean(axis=0), 0.0, atol=0.11)

    def test_are_seeded(self, target):
        one, two, other = (random_directions(target, 2, seed=s) for s in (0, 0, 1))
        np.testing.assert_array_equal(one, two)
        assert not np.any(one == other)
        assert not np.any(one[0] == one[1])

    def test_every_parameter_has_its_part_in_each(self, target):
        """Of 2000 single draws two lie below a thousandth: those directions are drawn again."""
        values = np.abs(random_directions(target, DRAWS, seed=3)) / target.scale
        assert np.min(values[:, 0]) > 1e-3
        assert np.min(np.max(values[:, 1:], axis=1)) > 1e-3
        plain = np.abs(np.random.default_rng(3).standard_normal((DRAWS, 3)))
        assert np.min(plain[:, 0]) < 1e-3


class TestReach:
    def test_no_number_moves_by_more_than_its_unit(self, target):
        rows = random_directions(target, 50, seed=0)
        short, factor = within_reach(target, rows)
        np.testing.assert_allclose(short, rows * factor[:, None], rtol=1e-15)
        share = np.max(np.abs(short) / target.unit, axis=1)
        assert np.all(share <= 1 + 1e-12)
        assert np.any(factor < 1)
        np.testing.assert_allclose(share[factor < 1], 1.0)
        assert np.all(factor[np.max(np.abs(rows) / target.unit, axis=1) <= 1] == 1)

    def test_a_number_that_does_not_move_is_no_limit(self, target):
        rows = np.array([[0.0, 5e4, 0.0]])
        short, factor = within_reach(target, rows)
        assert factor.tolist() == [1.0]
        np.testing.assert_array_equal(short, rows)


class TestAlongParameters:
    def test_each_number_by_itself(self, target):
        along = along_parameters(target, None, 0)
        np.testing.assert_array_equal(along.rows, np.diag(target.unit))
        assert along.size.tolist() == [1.0, 1.0, 1.0]
        assert along.component.tolist() == [0, 1, 2]
        assert along.owner == ("albedo", *["volumetric_heat_capacity"] * 2)

    @pytest.mark.parametrize("count, single", [(32, True), (33, False)])
    def test_random_ones_from_more_than_the_most(self, made_up, count, single):
        target = made_up(a=2.0, b=np.full(count, 3.0), c=1.0)
        along = along_parameters(target, 32, 0)
        of_b = [k for k, owner in enumerate(along.owner) if owner == "b"]
        assert len(of_b) == (count if single else DIRECTIONS)
        assert set(along.owner) == {"a", "b", "c"}
        assert np.all((along.component[of_b] >= 0) == single)
        outside = np.delete(along.rows[of_b], target.owners == "b", axis=1)
        assert not np.any(outside)
        assert np.all(np.abs(along.rows) <= target.unit * (1 + 1e-12))

    def test_random_ones_are_seeded_and_move_every_number(self, made_up):
        target = made_up(b=np.linspace(1.0, 2.0, 100))
        one, two, other = (along_parameters(target, 10, s).rows for s in (0, 0, 1))
        np.testing.assert_array_equal(one, two)
        assert not np.array_equal(one, other)
        assert np.all(np.any(one != 0, axis=0))

    def test_size_is_the_length_in_units_of_a_draw_of_unit_variance(self, made_up):
        target = made_up(b=np.full(1000, 7.0))
        along = along_parameters(target, 10, 0)
        length = np.linalg.norm(along.rows / target.scale, axis=1) / np.sqrt(1000)
        # The length of a Gaussian vector of 1000 numbers is known to 2.2 %; five times that.
        np.testing.assert_allclose(length, along.size, rtol=0.11)
        assert np.all(along.size < 1)
