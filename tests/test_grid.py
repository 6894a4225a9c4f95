# ruff: noqa: E501 (messages are quoted whole)
import numpy as np
import pytest

from lsm_verify import Grid, InputError


def test_uniform():
    grid = Grid.uniform(depth=1.0, interfaces=4)
    assert grid.spacing.tolist() == [0.25] * 4
    assert grid.nodes.tolist() == [0.0, 0.25, 0.5, 0.75, 1.0]
    assert grid.midpoints.tolist() == [0.125, 0.375, 0.625, 0.875]
    assert grid.volumes.tolist() == [0.125, 0.25, 0.25, 0.25, 0.125]
    assert grid.depth == 1.0


def test_from_nodes():
    grid = Grid.from_nodes([0.0, 0.5, 2.0])
    assert grid.spacing.tolist() == [0.5, 1.5]
    assert grid.volumes.tolist() == [0.25, 1.0, 0.75]
    assert grid.midpoints.tolist() == [0.25, 1.25]


def test_stretched():
    grid = Grid.stretched(depth=7.0, interfaces=3, ratio=2.0)
    np.testing.assert_allclose(grid.spacing, [1.0, 2.0, 4.0], rtol=1e-15)
    assert Grid.stretched(depth=1.0, interfaces=4, ratio=1.0).spacing.tolist() == [0.25] * 4


def test_volumes_fill_the_column():
    grid = Grid.stretched(depth=2.0, interfaces=30, ratio=1.1)
    assert grid.volumes.sum() == pytest.approx(grid.depth, rel=1e-14)


def test_values_are_held_apart_and_read_only():
    given = np.array([0.1, 0.2])
    grid = Grid(given)
    given[0] = 9.0
    assert grid.spacing[0] == 0.1
    with pytest.raises(ValueError, match="read-only"):
        grid.spacing[0] = 9.0


@pytest.mark.parametrize(
    "spacing, message",
    [
        ([0.1, np.nan], "spacing[1]=nan must be finite; 1 of 2 values are not. Remove or fill them first."),
        ([np.inf, 0.1], "spacing[0]=inf must be finite; 1 of 2 values are not. Remove or fill them first."),
        ([0.1, 0.0], "spacing[1]=0.0 must be positive; check its value, sign and unit."),
        ([-0.1, 0.1], "spacing[0]=-0.1 must be positive; check its value, sign and unit."),
        ([0.1], "spacing has 1 value; give at least 2, for a node between surface and bottom."),
        (0.1, "spacing has shape (); give a non-empty one-dimensional array."),
        ([], "spacing has shape (0,); give a non-empty one-dimensional array."),
        ([[0.1, 0.1]], "spacing has shape (1, 2); give a non-empty one-dimensional array."),
        (["a", "b"], "spacing=['a', 'b'] must be a number or an array of numbers."),
    ],
)  # fmt: skip
def test_wrong_spacing(spacing, message):
    with pytest.raises(InputError) as caught:
        Grid(spacing)
    assert str(caught.value) == message


@pytest.mark.parametrize(
    "build, message",
    [
        (lambda: Grid.uniform(1.0, 1), "interfaces=1 must be a whole number, at least 2."),
        (lambda: Grid.uniform(0.0, 4), "depth=0.0 must be positive; check its value, sign and unit."),
        (lambda: Grid.uniform("1 m", 4), "depth='1 m' must be a number or an array of numbers."),
        (lambda: Grid.stretched(1.0, 0, 1.1), "interfaces=0 must be a whole number, at least 2."),
        (lambda: Grid.stretched(-1.0, 4, 1.1), "depth=-1.0 must be positive; check its value, sign and unit."),
        (lambda: Grid.stretched(1.0, 4, 0.0), "ratio=0.0 must be positive; check its value, sign and unit."),
        (
            lambda: Grid.from_nodes([0.0, 2.0, 1.0]),
            "nodes[2]=1.0 must be greater than nodes[1]=2.0; sort the values and remove repeated ones.",
        ),
        (
            lambda: Grid.from_nodes([0.0, 1.0, 1.0]),
            "nodes[2]=1.0 must be greater than nodes[1]=1.0; sort the values and remove repeated ones.",
        ),
        (lambda: Grid.from_nodes([0.1, 0.2, 0.3]), "nodes[0]=0.1 m must be 0, the surface."),
    ],
)  # fmt: skip
def test_wrong_construction(build, message):
    with pytest.raises(InputError) as caught:
        build()
    assert str(caught.value) == message


@pytest.mark.parametrize("depth", [np.nan, np.inf])
def test_depth_must_be_finite(depth):
    for build in (lambda: Grid.uniform(depth, 4), lambda: Grid.stretched(depth, 4, 1.1)):
        with pytest.raises(InputError, match=f"^depth={depth} must be finite"):
            build()


@pytest.mark.parametrize("interfaces", [4.5, "4", None])
def test_interfaces_must_be_a_whole_number(interfaces):
    for build in (
        lambda: Grid.uniform(1.0, interfaces),
        lambda: Grid.stretched(1.0, interfaces, 1.1),
    ):
        with pytest.raises(InputError, match="interfaces"):
            build()
