"""Scaled coordinates, their slopes and bounds."""

from dataclasses import replace

import numpy as np
import pytest

from lsm_verify.cases import load_case
from lsm_verify.errors import InputError
from lsm_verify.inverse.space import Space
from lsm_verify.inverse.unknowns import Unknown
from lsm_verify.parameters import Knots
from lsm_verify.quantities import PARAMETERS

EPS = np.finfo(float).eps


@pytest.fixture(scope="module")
def twin():
    return load_case("twin")


def varying(case):
    """Albedo by knots and layered conductivity beside single numbers."""
    times = np.array([0.0, 1e5, 2e5])
    layers = np.linspace(0.6, 0.9, case.grid.spacing.size)
    start = {**case.start, "albedo": Knots(times, [0.2, 0.3, 0.25])}
    start["thermal_conductivity"] = layers
    return replace(case, start=start, truth=None)


def test_unknowns_are_the_free_parameters_with_their_ranges(twin):
    space = Space.of(twin)
    assert space.names == twin.free
    assert space.size == len(twin.free)
    for name, scale in twin.scales.items():
        assert space.scale[space.places[name]] == pytest.approx(float(scale), rel=4 * EPS)


def test_rows_and_names_are_inverses(twin):
    case = varying(twin)
    space = Space.of(case)
    row = space.flatten(case.start)
    assert space.size == len(row) == 3 + 100 + 4
    back = space.named(row)
    assert isinstance(back["albedo"], Knots)
    np.testing.assert_array_equal(back["albedo"].values, [0.2, 0.3, 0.25])
    np.testing.assert_array_equal(back["thermal_conductivity"], case.start["thermal_conductivity"])
    assert back["bottom_temperature"] == case.start["bottom_temperature"]
    assert space.labels[:4] == ("albedo[0]", "albedo[1]", "albedo[2]", "heat_transfer_coefficient")


def test_knots_at_other_times_are_refused(twin):
    case = varying(twin)
    space = Space.of(case)
    moved = Knots([0.0, 1e5, 3e5], [0.2, 0.3, 0.25])
    with pytest.raises(InputError) as caught:
        space.flatten({**case.start, "albedo": moved})
    assert str(caught.value) == (
        "knot 2 of albedo is at 300000 s; give knots at the times of the unknown, there 200000 s."
    )


def test_knots_are_no_values_per_step(twin):
    """As many knots as steps, at their ends, say another function of time."""
    ends = np.cumsum(twin.forcing.time_step)
    case = replace(twin, start={**twin.start, "albedo": np.full(ends.size, 0.3)}, truth=None)
    with pytest.raises(InputError, match=r"albedo is not given by knots here; .* \(100,\)"):
        Space.of(case).flatten({**case.start, "albedo": Knots(ends, np.full(ends.size, 0.3))})


@pytest.mark.parametrize("logarithmic", [(), ("thermal_conductivity", "bowen_ratio")])
def test_scaled_and_physical_are_inverses_and_the_slope_is_theirs(twin, logarithmic):
    space = Space.of(twin, logarithmic=logarithmic)
    u = np.random.default_rng(1).uniform(-1.5, 1.5, (20, space.size))
    p = space.physical(u)
    # Some roundings of numbers of the middle's size, over a scale.
    np.testing.assert_allclose(
        space.scaled(p), u, rtol=0, atol=8 * EPS * np.max(np.abs(space.middle / space.scale))
    )
    h = 1e-6
    difference = (space.physical(u + h) - space.physical(u - h)) / (2 * h)
    # Round-off of the difference, 2 ε |p| / h; its truncation, h² / 6 of the slope, is less.
    bound = 4 * EPS * np.abs(p) / h + h**2 * space.scale
    assert np.all(np.abs(difference - space.slope(u)) <= bound)
    assert np.all(p[:, np.isin(space.labels, logarithmic)] > 0)


def test_tensors_have_the_shapes_of_the_parameters(twin):
    space = Space.of(varying(twin))
    rows = np.arange(2 * space.size, dtype=float).reshape(2, -1)
    found = space.tensors(rows)
    assert found["albedo"].shape == (2, 3)
    assert found["bowen_ratio"].shape == (2,)
    np.testing.assert_array_equal(found["albedo"].numpy(), rows[:, :3])


def test_bounds_are_what_is_physical(twin):
    space = Space.of(twin, logarithmic=["volumetric_heat_capacity"])
    least, most = (dict(zip(space.labels, x, strict=True)) for x in (space.least, space.most))
    assert (least["albedo"], most["albedo"]) == (0.0, 1.0)
    assert least["bottom_temperature"] == PARAMETERS["bottom_temperature"].lower
    assert 0 < least["thermal_conductivity"] < 1e-5
    assert 0 < least["bowen_ratio"] < 1e-5
    low, high = space.box
    assert np.all(low < high)
    inside = np.isfinite(low)
    np.testing.assert_allclose(space.physical(low)[inside], space.least[inside], rtol=1e-9)
    narrow = Space.of(twin, bounds={"albedo": (0.1, 0.3)})
    assert (narrow.least[0], narrow.most[0]) == (0.1, 0.3)


@pytest.mark.parametrize(
    "change, message",
    [
        ({"names": ["albdo"]}, "unknown free parameter .* Did you mean 'albedo'"),
        ({"names": []}, "nothing to estimate"),
        ({"names": ["albedo", "albedo"]}, "name one twice"),
        ({"bounds": {"albedo": (0.3, 0.1)}}, "give lower < upper within 0 to 1"),
        ({"bounds": {"albedo": (-0.1, 0.3)}}, "give lower < upper within 0 to 1"),
        ({"bounds": {"albedo": "x"}}, "must be a pair of numbers"),
        ({"bounds": {"emissivity": (0.9, 1)}}, "unknown parameter among the unknowns"),
        ({"logarithmic": ["x"]}, "unknown parameter among the unknowns"),
    ],
)
def test_wrong_unknowns_are_refused(twin, change, message):
    with pytest.raises(InputError, match=message):
        Space.of(twin, **change)


@pytest.mark.parametrize(
    "change, message",
    [
        ({"lower": 2.0}, "lower < upper"),
        ({"least": 1.0, "most": 0.0}, "give lower < upper"),
        ({"lower": -1.0, "logarithmic": True}, "holds zero"),
        ({"lower": np.nan}, "lower of a"),
    ],
)
def test_wrong_unknown_of_a_user_is_refused(change, message):
    with pytest.raises(InputError, match=message):
        Unknown(**{"name": "a", "lower": 0.0, "upper": 1.0, **change})


def test_logarithm_of_the_other_sign_is_refused(twin):
    space = Space.of(twin, logarithmic=["thermal_conductivity"])
    row = space.middle.copy()
    row[3] = -1
    with pytest.raises(InputError, match="thermal_conductivity is logarithmic"):
        space.scaled(row)
