"""A dataset in, maps out: the columns' own estimates, whatever the chunks, gaps and masks."""

import json
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
import xarray as xr

import lsm_verify as lv
from lsm_verify.cases import load_case
from lsm_verify.errors import InputError
from lsm_verify.inverse import fields
from lsm_verify.inverse.calibrate import calibrate
from lsm_verify.inverse.city import city_case
from lsm_verify.inverse.fields import calibrate_columns
from lsm_verify.kernels import marquardt
from lsm_verify.maps import proof
from lsm_verify.maps.result import NOT_COMPUTED
from lsm_verify.parameters import COMBINED
from tests.maps.conftest import ERROR, HELD, UNKNOWNS

SAME = 1e-6
"""Two calibrations of a column end this near, in standard errors (the issue's figure)."""

SHORT = 1e-3
"""`calibrate` stops where rounding hides the descent of its objective: so far from the optimum at
most, in standard errors, of the cases that were looked at."""

CHOSEN = ("gradient_verified", "max_z")
"""What hangs on the chunks: which columns are drawn for verification."""


@pytest.fixture(scope="module")
def found(city):
    """Return the map of the city, computed at once."""
    return lv.calibrate_map(city, ERROR, UNKNOWNS)


def test_every_column_is_what_it_is_by_itself(city, found):
    observations = np.moveaxis(city.SoilTemp.values, (0, 1), (3, 2)).reshape(48, 2, 101)
    case = city_case()
    fields = {name: np.full((48, 1), case.start[name]) for name in HELD}
    alone = calibrate_columns(case, observations, ERROR, UNKNOWNS, fields=fields)
    for j, name in enumerate(UNKNOWNS):
        off = found[name].values.ravel() - alone.estimate[:, j]
        assert np.max(np.abs(off) / alone.standard_error[:, j]) < SAME
        ratio = found[f"{name}_standard_error"].values.ravel() / alone.standard_error[:, j]
        # The scale of the coordinates differs, and with it the rounding of the normal equations.
        np.testing.assert_allclose(ratio, 1.0, rtol=1e-6)
    assert sum(str(name).startswith("correlation_") for name in found.data_vars) == 3
    pair = found.correlation_albedo_turbulent_transfer_coefficient
    np.testing.assert_allclose(pair.values.ravel(), alone.correlation[:, 0, 2], atol=1e-6)


def test_errors_are_honest(found, city):
    """χ² of (estimate - truth) over all columns and unknowns: its mean is 1 ± √(2/144)."""
    z = [(found[n] - city[f"true_{n}"]) / found[f"{n}_standard_error"] for n in UNKNOWNS]
    mean = float(np.mean(np.square(z)))
    assert abs(mean - 1) < 4 * np.sqrt(2 / (48 * 3))
    assert np.all(found.status == marquardt.CONVERGED)
    assert found.misfit.values == pytest.approx(1.0, abs=5 / np.sqrt(2 * 202))


@pytest.mark.parametrize("chunks", [{"y": 1}, {"y": 4, "x": 3}, {"x": 5, "time": 20}])
def test_chunks_change_no_bit(city, found, chunks):
    lazy = lv.calibrate_map(city.chunk(chunks), ERROR, UNKNOWNS)
    assert lazy.albedo.chunks is not None
    computed = lazy.compute(scheduler="threads")
    assert set(computed.data_vars) == set(found.data_vars)
    for name in found.data_vars:
        assert computed[name].dtype == found[name].dtype
        if name not in CHOSEN:
            np.testing.assert_array_equal(computed[name].values, found[name].values, name)
    blocks = lazy.albedo.data.npartitions
    assert int((computed.gradient_verified == proof.VERIFIED).sum()) == blocks


def test_kernels_run_on_one_thread_a_chunk_and_on_all_for_a_whole(city, monkeypatch):
    """Chunks run side by side already."""
    right, asked = fields.calibrate_columns, []

    def seen(*given, threads, **options):
        asked.append(threads)
        return right(*given, threads=threads, **options)

    monkeypatch.setattr(fields, "calibrate_columns", seen)
    lv.calibrate_map(city.chunk(y=2), ERROR, UNKNOWNS).compute(scheduler="threads")
    assert asked == [1, 1, 1]
    lv.calibrate_map(city, ERROR, UNKNOWNS)
    assert asked[3:] == [None]


def test_variables_may_be_chunked_differently(city, found):
    own = city.Tair.broadcast_like(city.SoilTemp.isel(depth=0)).chunk(y=4, x=8)
    mixed = city.chunk(y=3, x=4).assign(Tair=own)
    again = lv.calibrate_map(mixed, ERROR, UNKNOWNS).compute()
    np.testing.assert_array_equal(again.albedo.values, found.albedo.values)


def test_dimensions_may_have_any_order_and_names(city, found):
    turned = city.rename(y="lat", x="lon").transpose("lon", "time", "lat", "depth")
    again = lv.calibrate_map(turned, ERROR, UNKNOWNS)
    assert again.albedo.dims == ("lon", "lat")
    np.testing.assert_array_equal(again.albedo.values.T, found.albedo.values)
    line = city.stack(site=("y", "x")).reset_index("site", drop=True)
    listed = lv.calibrate_map(line, ERROR, UNKNOWNS)
    assert listed.albedo.dims == ("site",)
    np.testing.assert_array_equal(listed.albedo.values, found.albedo.values.ravel())


def test_forcing_may_differ_from_column_to_column_and_be_of_single_precision(city, found):
    own = city.assign(Tair=city.Tair.broadcast_like(city.SoilTemp.isel(depth=0)))
    again = lv.calibrate_map(own, ERROR, UNKNOWNS)
    np.testing.assert_array_equal(again.albedo.values, found.albedo.values)
    single = own.assign(Tair=own.Tair.astype("float32"))
    np.testing.assert_array_equal(
        lv.calibrate_map(single, ERROR, UNKNOWNS).albedo.values,  # 296 K is a float32
        found.albedo.values,
    )


def test_known_parameters_may_vary_in_time_and_depth(city, found):
    """One number, a value per time, per node or interface: the same where they are the same."""
    whole = found.sizes
    fixed = {"volumetric_heat_capacity": ("node", 101), "bottom_temperature": ("time", 101)}
    varied = city.copy()
    for name, (dim, size) in fixed.items():
        values = np.full((size, whole["y"], whole["x"]), float(city[name]))
        if dim == "time":
            values[0] = np.nan  # of the first time nothing is read
        varied[name] = ((dim, "y", "x"), values)
    varied["emissivity"] = (("y",), np.full(whole["y"], float(city.emissivity)))
    again = lv.calibrate_map(varied, ERROR, UNKNOWNS)
    np.testing.assert_array_equal(again.status, found.status)
    off = np.abs(again.albedo - found.albedo) / found.albedo_standard_error
    assert float(off.max()) < SAME
    layered = varied.copy(deep=True)
    layered["volumetric_heat_capacity"][:3, 1, 2] *= 1.2  # the upper nodes of one column
    moved = lv.calibrate_map(layered, ERROR, UNKNOWNS).albedo.values != again.albedo.values
    assert np.argwhere(moved).tolist() == [[1, 2]]


def test_a_column_that_varies_is_read_as_that_column(city):
    """Warmer air over one column alone moves that column's estimate and no other's."""
    warm = city.Tair.broadcast_like(city.SoilTemp.isel(depth=0)).copy()
    warm.loc[{"y": 20.0, "x": 30.0}] += 1.0
    before, after = (lv.calibrate_map(d, ERROR, UNKNOWNS) for d in (city, city.assign(Tair=warm)))
    moved = before.albedo.values != after.albedo.values
    assert np.argwhere(moved).tolist() == [[2, 3]]
    turned = lv.calibrate_map(city.assign(Tair=warm.transpose("x", "time", "y")), ERROR, UNKNOWNS)
    xr.testing.assert_identical(turned, after)


def test_forcing_belongs_to_the_step_that_ends_at_its_time(city):
    """A simulated dataset gives back what made it; one shifted by a step does not."""
    case = load_case("twin")
    truth = {"albedo": [[0.2], [0.4]], "thermal_conductivity": 0.7}
    output = lv.simulate(case, {**case.truth, **truth})
    forcing = {
        name: ("time", np.concatenate([[np.nan], getattr(case.forcing, name)]))
        for name in ("SWdown", "LWdown", "Tair")
    }
    dataset = output[["SoilTemp"]].isel(depth=[0, 5]).assign(forcing)
    dataset = dataset.assign_coords(time=city.time)
    fixed = {n: v for n, v in case.truth.items() if n not in truth} | {"emissivity": 0.95}
    names = list(truth)
    found = lv.calibrate_map(dataset, ERROR, names, fixed=fixed)
    # Exact observations: what is left is rounding, far below the error that is stated.
    np.testing.assert_allclose(found.albedo, [0.2, 0.4], atol=1e-3 * 4e-4)
    np.testing.assert_allclose(found.thermal_conductivity, 0.7, rtol=1e-5)
    shifted = dataset.assign(SWdown=dataset.SWdown.shift(time=1).fillna(0.0))
    wrong = lv.calibrate_map(shifted, ERROR, names, fixed=fixed)
    assert float(wrong.misfit.min()) > 10


def test_steps_may_differ_and_the_bottom_be_insulated():
    """The layered case's steps of several lengths, over an insulated bottom."""
    case = replace(load_case("layered"), insulated=True)
    assert np.unique(case.forcing.time_step).size > 1
    names = ["emissivity"]
    known = {
        "albedo": 0.2, "turbulent_transfer_coefficient": 20.0, "thermal_conductivity": 0.8,
        "volumetric_heat_capacity": 2e6, "initial_temperature": 290.0,
    }  # fmt: skip
    output = lv.simulate(case, {**known, "emissivity": [[0.9], [0.95]]})
    forcing = {
        name: ("time", np.concatenate([[np.nan], getattr(case.forcing, name)]))
        for name in ("SWdown", "LWdown", "Tair")
    }
    found = lv.calibrate_map(
        output[["AvgSurfT"]].assign(forcing), 0.1, names, fixed=known, grid=case.grid,
        insulated=True,
    )  # fmt: skip
    np.testing.assert_allclose(found.emissivity, [0.9, 0.95], atol=1e-8)


def test_what_each_column_has_of_its_own_is_marked_not_refused(city, found):
    given = city.assign(before=city.true_albedo * 0 + 0.3, sd=city.true_albedo * 0 + 10.0)
    given["before"][1, 1] = 15.0
    given["sd"][2, 2] = -1.0
    told = lv.calibrate_map(given, ERROR, UNKNOWNS, priors=[lv.Normal("albedo", "before", "sd")])
    odd = told.status.values == marquardt.IMPLAUSIBLE
    assert np.argwhere(odd).tolist() == [[1, 1], [2, 2]]
    assert np.isnan(told.albedo.values[odd]).all()
    off = np.abs(told.albedo - found.albedo) / found.albedo_standard_error
    assert float(off.values[~odd].max()) < 1e-2  # a prior of ± 10 says next to nothing


def test_fluxes_are_observed_too_and_their_first_time_is_not_read():
    case = load_case("twin")
    names = ["albedo", "thermal_conductivity"]
    output = lv.simulate(case, {**case.truth, "albedo": [[0.2], [0.3]]})
    forcing = {
        name: ("time", np.concatenate([[np.nan], getattr(case.forcing, name)]))
        for name in ("SWdown", "LWdown", "Tair")
    }
    dataset = output[["LWup", "Qturb", "AvgSurfT"]].assign(forcing)
    assert np.isnan(dataset.Qturb[:, 0]).all()
    dataset.Qturb[:, 0] = 1e4  # as a record that began earlier has one
    fixed = {n: v for n, v in case.truth.items() if n not in names} | {"emissivity": 0.95}
    found = lv.calibrate_map(dataset, (0.1, 5.0, 10.0), names, fixed=fixed)
    np.testing.assert_allclose(found.albedo, [0.2, 0.3], atol=1e-6)
    np.testing.assert_allclose(found.thermal_conductivity, 0.8, atol=1e-5)
    assert found.observation_count.values.tolist() == [302, 302]
    assert int((found.gradient_verified == proof.VERIFIED).sum()) == 1
    # One series alone, of which the errors differ as σ does.
    alone, doubled = (
        lv.calibrate_map(
            dataset, error, names[:1], fixed={**fixed, names[1]: 0.8}, observe={"LWup": None}
        )
        for error in (5.0, 10.0)
    )
    ratio = doubled.albedo_standard_error / alone.albedo_standard_error
    np.testing.assert_allclose(ratio, 2.0, rtol=1e-9)


# ------------------------------------------------------------------ gaps, masks, odd columns


def test_odd_columns_are_marked_and_leave_others_alone(city, found):
    odd = city.copy(deep=True)
    odd["land"] = (("y", "x"), np.ones((6, 8)))
    odd["land"][0, 0] = 0
    odd["land"][0, 1] = np.nan
    odd["SoilTemp"][:, :, 1, 1] = np.nan  # nothing observed
    odd["SoilTemp"][5:40, 0, 2, 2] = np.nan  # gaps
    odd["SoilTemp"][:, :, 0, 0] = -9999.0  # masked: may hold anything
    air = odd.Tair.broadcast_like(odd.SoilTemp.isel(depth=0)).copy()
    air[7, 3, 3] = np.nan
    odd["Tair"] = air
    result = lv.calibrate_map(odd, ERROR, UNKNOWNS, mask="land")
    status = result.status.values
    assert status[0, 0] == status[0, 1] == status[3, 3] == marquardt.MASKED
    assert status[1, 1] == marquardt.NOT_OBSERVED
    assert int(result.observation_count[2, 2]) == 202 - 35
    touched = np.zeros((6, 8), bool)
    for place in ((0, 0), (0, 1), (1, 1), (3, 3)):
        touched[place] = True
        for name in (*UNKNOWNS, "chi_square", "albedo_standard_error", "misfit"):
            assert np.isnan(result[name].values[place]), name
        assert int(result.observation_count.values[place]) == 0
        assert int(result.at_bound.values[place]) == 0
    assert status[2, 2] == marquardt.CONVERGED
    assert result.albedo.values[2, 2] != found.albedo.values[2, 2]
    touched[2, 2] = True
    np.testing.assert_array_equal(result.albedo.values[~touched], found.albedo.values[~touched])


def test_what_is_not_identifiable_is_flagged_not_filled(city):
    names = ("heat_transfer_coefficient", "bowen_ratio", "albedo")
    known = city.assign(thermal_conductivity=city.true_thermal_conductivity)
    found = lv.calibrate_map(known, ERROR, names)
    assert np.all(found.status == marquardt.NOT_IDENTIFIABLE)
    assert np.isnan(found.heat_transfer_coefficient).all()
    assert np.isfinite(found.albedo).all()
    assert int(found.gradient_verified.sum()) == 0


def test_a_map_of_nothing_is_one(city):
    empty = city.assign(land=(("y", "x"), np.zeros((6, 8))))
    found = lv.calibrate_map(empty, ERROR, UNKNOWNS, mask="land")
    assert np.all(found.status == marquardt.MASKED)
    assert np.isnan(found.albedo).all()


def test_bounds_starts_and_priors_may_differ_from_column_to_column(city, found):
    high = xr.full_like(city.true_albedo, 0.5)
    high[2, 3] = 0.1
    given = city.assign(ceiling=high, guess=0.9 * high, before=city.true_albedo, sd=high * 0 + 1e-6)
    bounded = lv.calibrate_map(
        given, ERROR, UNKNOWNS, bounds={"albedo": (0.0, "ceiling")}, start={"albedo": "guess"}
    )
    assert found.albedo.values[2, 3] > 0.1
    assert bounded.albedo.values[2, 3] == pytest.approx(0.1, abs=1e-12)
    assert int(bounded.at_bound[2, 3]) == 1
    assert int(bounded.at_bound.sum()) == 1
    others = np.ones((6, 8), bool)
    others[2, 3] = False
    off = np.abs(bounded.albedo - found.albedo) / found.albedo_standard_error
    assert float(off.values[others].max()) < SAME
    # The bits are those of the unknowns, in their order.
    low = lv.calibrate_map(given, ERROR, UNKNOWNS, bounds={UNKNOWNS[1]: (0.9, 1.2)}, ranges={
        UNKNOWNS[1]: (0.9, 1.2)})  # fmt: skip
    assert set(np.unique(low.at_bound).tolist()) == {2}
    assert low.at_bound.attrs["flag_masks"].tolist() == [1, 2, 4]
    sure = lv.calibrate_map(given, ERROR, UNKNOWNS, priors=[lv.Normal("albedo", "before", "sd")])
    np.testing.assert_allclose(sure.albedo, city.true_albedo, atol=1e-6)


# ------------------------------------------------------------------ real data, another's optimum


@pytest.mark.phoenix
def test_phoenix_is_what_calibrate_finds(data_dir):
    """Three columns of the tower's record, of which the second has the case's albedo."""
    case = load_case("phoenix", data=data_dir)
    alone = calibrate(case)
    values = np.stack([np.where(s.weights > 0, s.values, np.nan) for s in case.observations.series])
    albedo = np.array([0.15, case.fixed["albedo"], 0.2])
    start = case.forcing.start.astype("datetime64[ns]")
    dataset = xr.Dataset(
        {
            "SoilTemp": (("depth", "time", "site"), np.repeat(values[..., None], 3, axis=2)),
            "albedo": ("site", albedo),
            **{
                n: ("time", np.concatenate([[np.nan], getattr(case.forcing, n)]))
                for n in ("SWdown", "LWdown", "Tair")
            },
        },
        coords={
            "depth": [s.depth for s in case.observations.series],
            "time": start + np.round(case.forcing.elapsed * 1e9).astype("timedelta64[ns]"),
        },
    )
    spacing = case.grid
    known = {n: v for n, v in case.fixed.items() if n not in ("albedo", "initial_temperature")}
    found = lv.calibrate_map(dataset, 1.0, case.free, grid=spacing, fixed=known)
    assert np.all(found.status == marquardt.CONVERGED)
    errors = np.array([float(found[f"{n}_standard_error"][1]) for n in case.free])
    off = np.array([float(found[n][1]) for n in case.free]) - alone.estimate[alone.best]
    assert np.max(np.abs(off) / errors) < SHORT
    assert float(found[COMBINED][1]) == pytest.approx(18.15, abs=0.005)
    assert float(found[COMBINED][0]) > float(found[COMBINED][2])  # less is reflected


# ------------------------------------------------------------------ labels


def test_labels_are_kept_and_told(city):
    placed = city.assign_coords(
        lat=(("y", "x"), np.ones((6, 8)), {"units": "degrees_north"}),
        spatial_ref=((), 0, {"grid_mapping_name": "latitude_longitude"}),
    )
    placed.SoilTemp.attrs["grid_mapping"] = "spatial_ref"
    found = lv.calibrate_map(placed, ERROR, UNKNOWNS)
    assert {"y", "x", "lat", "spatial_ref"} <= set(found.coords)
    assert "time" not in found.coords
    assert found.albedo.attrs["grid_mapping"] == "spatial_ref"
    assert found.albedo.attrs["units"] == "1"
    assert found.status.attrs["flag_meanings"].split()[0] == "converged"
    assert len(found.status.attrs["flag_values"]) == len(
        found.status.attrs["flag_meanings"].split()
    )
    assert NOT_COMPUTED in found.status.attrs["flag_values"]
    assert found.attrs["Conventions"] == "CF-1.11"


# ------------------------------------------------------------------ what is refused


def with_celsius(city):
    return city.assign(SoilTemp=(city.SoilTemp - 273.15).assign_attrs(units="degC"))


def with_units(name, units):
    def change(city):
        changed = city.copy()
        if name not in changed:
            changed[name] = xr.full_like(city.true_albedo, 15.0)
        changed[name] = changed[name].assign_attrs(units=units)
        return changed

    return change


@pytest.mark.parametrize(
    "change, options, words",
    [
        (lambda c: c.drop_vars("SoilTemp"), {}, "holds no observations"),
        (lambda c: c.drop_vars("Tair"), {}, "lacks the forcing Tair"),
        (lambda c: c.drop_vars("emissivity"), {}, "emissivity is missing"),
        (lambda c: c.isel(y=0, x=0), {}, "no dimension of columns"),
        (lambda c: c.drop_vars("time"), {}, "time has no coordinate"),
        (lambda c: c.drop_vars("depth"), {}, "no coordinate depth"),
        (lambda c: c.isel(time=slice(None, None, -1)), {}, "must be later"),
        (with_celsius, {}, "units 'degC'; give K"),
        (lambda c: c.assign(SoilTemp=c.SoilTemp - 273.15), {}, "looks like °C"),
        (lambda c: c.assign(albedo=c.true_albedo), {}, "albedo is unknown and a variable"),
        (lambda c: c, {"fixed": {"albedo": 0.2}}, "albedo is unknown and fixed"),
        (lambda c: c, {"fixed": {"emissivity": 0.9}}, "emissivity is fixed and a variable"),
        (lambda c: c, {"start": {"albedo": "gues"}}, "variable for the start of albedo"),
        (lambda c: c, {"start": {"albdo": 0.2}}, "Did you mean 'albedo'"),
        (lambda c: c, {"bounds": {"albedo": (0.5, 0.2)}}, "lower < upper"),
        (lambda c: c, {"mask": "SoilTemp"}, "one number a column"),
        (lambda c: c, {"verify": -1}, "verify=-1"),
        (lambda c: c, {"observe": {"LST": None}}, "variable to observe"),
        (lambda c: c, {"observe": {"SoilTemp": 0.1}}, "has a coordinate depth"),
        (lambda c: c, {"priors": [0.2]}, "give Normal"),
        (lambda c: c, {"priors": 2 * [lv.Normal("albedo", 0.2, 0.1)]}, "two priors"),
        (lambda c: c, {"bounds": {"albedo": 0.5}}, "must be a pair"),
        (lambda c: c, {"grid": 100}, "is no Grid"),
        (lambda c: c, {"iterations": 0}, "iterations=0"),
        (lambda c: c.SoilTemp, {}, "is no dataset"),
        (with_units("Tair", "W m-2"), {}, "Tair has units 'W m-2'; give K"),
        (with_units("SWdown", "K"), {}, "SWdown has units 'K'; give W m-2"),
        (with_units("depth", "cm"), {}, "depth has units 'cm'; give m"),
        (
            with_units("true_bottom_temperature", "degC"),
            {"priors": [lv.Normal("bottom_temperature", "true_bottom_temperature", 1.0)]},
            "units 'degC'; give K",
        ),
    ],
)
def test_what_is_wrong_is_told_at_the_door(city, change, options, words):
    unknowns, given = UNKNOWNS, change(city)
    if any(getattr(each, "name", "") == "bottom_temperature" for each in options.get("priors", ())):
        unknowns, given = ("bottom_temperature",), given.drop_vars("bottom_temperature")
        options = {**options, "fixed": dict.fromkeys(UNKNOWNS, 0.5)}
    with pytest.raises(InputError) as raised:
        lv.calibrate_map(given, ERROR, unknowns, **options)
    assert words in str(raised.value)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    "unknowns, error, words",
    [
        ((), ERROR, "nothing to estimate"),
        (("albeto",), ERROR, "Did you mean 'albedo'"),
        (UNKNOWNS, 0.0, "above 0"),
        (UNKNOWNS, (0.1, 0.1, 0.1), "above 0: one number, or 2"),
        ((*UNKNOWNS, "bowen_ratio"), ERROR, "give one form"),
    ],
)
def test_unknowns_and_errors_are_checked(city, unknowns, error, words):
    with pytest.raises(InputError, match=words):
        lv.calibrate_map(city, error, unknowns)


def test_a_map_needs_no_torch():
    """Every worker is a process that would load it for seconds."""
    script = """
import sys
sys.modules["torch"] = None
import lsm_verify as lv
from lsm_verify.maps.synthetic import synthetic_city
found = lv.calibrate_map(synthetic_city(1, 2), 0.05, ["albedo", "bottom_temperature"], fixed={
    "thermal_conductivity": 0.6, "volumetric_heat_capacity": 2.2e6,
    "turbulent_transfer_coefficient": 20.0})
print(found.gradient_verified.values.tolist())
"""
    found = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False
    )
    assert found.returncode == 0, found.stderr[-2000:]
    assert sorted(json.loads(found.stdout)[0]) == [proof.NOT_SAMPLED, proof.VERIFIED]
