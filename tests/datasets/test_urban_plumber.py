import gc
import sys

import numpy as np
import pytest

from lsm_verify.datasets import find, provenance, read_forcing, read_series
from lsm_verify.datasets.locate import TOWER_FILE, TOWER_SHA256
from lsm_verify.errors import InputError

START = np.datetime64("2012-05-01T00:00:00")
PHOENIX = {"start": "2012-05-01T07:00", "steps": 150}


def missing(name, *places, by="flag"):
    """Mark samples as missing, by their flag or by not-a-number."""

    def change(dataset):
        for i in places:
            if by == "flag":
                dataset[f"{name}_qc"][i] = 3
            else:
                dataset[name][i] = np.nan
        return dataset

    return change


def units(name, value):
    def change(dataset):
        dataset[name].attrs["units"] = value
        return dataset

    return change


def assigned(name, place, value):
    def change(dataset):
        dataset[name][place] = value
        return dataset

    return change


def times(edit):
    def change(dataset):
        stamps = dataset["time"].values.copy()
        return dataset.assign_coords(time=edit(stamps))

    return change


class TestRealFile:
    pytestmark = pytest.mark.phoenix

    @pytest.fixture
    def path(self, data_dir):
        pytest.importorskip("h5py")
        return find(TOWER_FILE, data_dir)

    def test_it_is_the_file_we_know(self, path):
        assert provenance(path) == {TOWER_FILE: TOWER_SHA256}

    def test_the_window_of_the_paper_has_no_gaps(self, path):
        record = read_forcing(path, **PHOENIX)
        assert record.filled == {}
        assert record.forcing.steps == 150
        assert record.forcing.start == np.datetime64("2012-05-01T07:00:00")

    def test_a_step_is_the_mean_of_the_half_hours_that_end_in_it(self, path):
        import xarray

        with xarray.open_dataset(path, engine="h5netcdf") as dataset:
            for name in ("SWdown", "LWdown", "Tair"):
                # Noon local time: stamps 19:30 and 20:00 UTC.
                half_hours = dataset[name].sel(time=["2012-05-01T19:30", "2012-05-01T20:00"])
                expected = half_hours.values.astype(np.float64).mean()
                assert getattr(read_forcing(path, **PHOENIX).forcing, name)[12] == expected

    def test_reflected_shortwave_lacks_sixty_hours(self, path):
        assert np.isnan(read_series(path, "SWup", **PHOENIX)).sum() == 60

    @pytest.mark.parametrize("method", ["sample", "mean"])
    @pytest.mark.parametrize("name", ["LWup", "Qh", "Qle", "SoilTemp", "LWdown"])
    def test_the_other_series_are_whole(self, path, name, method):
        values = read_series(path, name, method=method, **PHOENIX)
        assert values.shape == (151,)
        assert np.all(np.isfinite(values))

    def test_a_window_with_gaps_is_refused(self, path):
        with pytest.raises(
            InputError, match=r"SWdown lacks 298 of 18000 samples.*another window\.$"
        ):
            read_forcing(path, start="2011-12-17", steps=9000)

    def test_a_real_gap_is_filled_when_told_to(self, path):
        window = {"start": "2012-04-10T12:00", "steps": 24}
        with pytest.raises(InputError, match=r"LWdown lacks 1 of 48 .*: 2012-04-10T21:30; .*=1"):
            read_forcing(path, **window)
        filled = read_forcing(path, interpolate_gaps=1, **window).filled
        gap = np.array(["2012-04-10T21:30"], dtype="datetime64[s]")
        assert filled == {"LWdown": gap, "Tair": gap}

    def test_a_truncated_copy_is_refused(self, path, tmp_path):
        content = path.read_bytes()
        for share in (0.999, 0.5, 0.01):
            cut = tmp_path / "cut.nc"
            cut.write_bytes(content[: int(share * len(content))])
            with pytest.raises(InputError, match=r"cut\.nc cannot be read as netCDF"):
                read_forcing(cut, **PHOENIX)
            gc.collect()  # A reader that fails in its destructor would print a traceback here.


class TestMeans:
    def test_step_uses_stamps_in_the_half_open_interval(self, tower_file):
        forcing = read_forcing(tower_file(), start=START, steps=24).forcing
        np.testing.assert_array_equal(forcing.Tair, 290.5 + 2 * np.arange(24))
        np.testing.assert_array_equal(forcing.time_step, np.full(24, 3600.0))

    def test_step_of_one_sample(self, tower_file):
        forcing = read_forcing(tower_file(), start=START, steps=48, time_step=1800).forcing
        np.testing.assert_array_equal(forcing.SWdown, 500.0 + np.arange(48))

    @pytest.mark.parametrize(
        "start",
        ["2012-05-01T01:00", "2012-05-01T01:00Z", "2012-04-30T18:00-07:00", START + 3600],
    )
    def test_start_is_utc_however_it_is_written(self, tower_file, start):
        assert read_forcing(tower_file(), start=start, steps=1).forcing.Tair[0] == 292.5

    @pytest.mark.parametrize("spelling", ["W m-2", "W m^-2", "W/m^2", "w m**-2", "W.m-2"])
    def test_spellings_of_units(self, tower_file, spelling):
        path = tower_file(units("SWdown", spelling))
        assert read_forcing(path, start=START, steps=1).forcing.SWdown[0] == 500.5

    def test_dimensions_of_length_one_are_dropped(self, tower_file):
        path = tower_file(lambda d: d.expand_dims({"x": 1, "y": 1}, axis=(1, 2)))
        assert read_forcing(path, start=START, steps=1).forcing.Tair[0] == 290.5

    def test_the_file_is_closed_again(self, tower_file):
        path = tower_file()
        read_forcing(path, start=START, steps=1)
        with path.open("r+b") as file:
            file.truncate(10)
        with pytest.raises(InputError, match="cannot be read as netCDF"):
            read_forcing(path, start=START, steps=1)


class TestGaps:
    @pytest.mark.parametrize("by", ["flag", "nan"])
    def test_refused(self, tower_file, by):
        path = tower_file(missing("Tair", 4, 5, 9, 20, by=by))
        with pytest.raises(
            InputError,
            match=r"tower\.nc: Tair lacks 4 of 48 samples in the window \(3 gaps, the longest of 2 "
            r"samples, interpolate_gaps=0\): 2012-05-01T02:30, 2012-05-01T03:00, 2012-05-01T05:00 "
            r"and 1 more; choose another window, or interpolate_gaps=2",
        ):
            read_forcing(path, start=START, steps=24)

    def test_gap_outside_the_window_does_not_matter(self, tower_file):
        path = tower_file(missing("Tair", 0, 40))
        assert read_forcing(path, start=START + 3600, steps=10).filled == {}

    def test_short_ones_are_interpolated_and_named(self, tower_file):
        path = tower_file(missing("Tair", 4, 5))
        record = read_forcing(path, start=START, steps=24, interpolate_gaps=2)
        np.testing.assert_allclose(record.forcing.Tair, 290.5 + 2 * np.arange(24), rtol=1e-15)
        assert list(record.filled) == ["Tair"]
        assert record.filled["Tair"].astype(str).tolist() == [
            "2012-05-01T02:30:00",
            "2012-05-01T03:00:00",
        ]

    def test_longer_ones_are_refused(self, tower_file):
        path = tower_file(missing("SWdown", 4, 5, 6))
        with pytest.raises(InputError, match=r"SWdown lacks 3 .*interpolate_gaps=3 to fill"):
            read_forcing(path, start=START, steps=24, interpolate_gaps=2)

    def test_interpolation_over_hours_is_not_suggested(self, tower_file):
        path = tower_file(missing("SWdown", *range(4, 20)))
        with pytest.raises(InputError, match=r"longest of 16 samples.*; choose another window\.$"):
            read_forcing(path, start=START, steps=24)

    def test_a_gap_counts_with_its_part_outside_the_window(self, tower_file):
        path = tower_file(missing("SWdown", 4, 5, 6))
        with pytest.raises(InputError, match=r"lacks 1 of 10 .*the longest of 3 samples"):
            read_forcing(path, start=START + 3 * 3600, steps=5, interpolate_gaps=2)

    def test_nothing_is_extrapolated(self, tower_file):
        path = tower_file(missing("Tair", 0))
        with pytest.raises(InputError, match=r"end of the record.*; choose another window\.$"):
            read_forcing(path, start=START, steps=4, interpolate_gaps=5)

    @pytest.mark.parametrize("value", [-1, 1.5, True, None])
    def test_longest_gap_is_a_whole_number(self, tmp_path, value):
        with pytest.raises(InputError, match=r"interpolate_gaps=.* must be a whole number"):
            read_forcing(tmp_path / "x.nc", start=START, steps=1, interpolate_gaps=value)


class TestRefused:
    """Each change of a good file that must be noticed, and the words of the refusal."""

    @pytest.mark.parametrize(
        "change, words",
        [
            (lambda d: d.drop_vars("Tair"), r"unknown variable 'Tair'; known: .*SWdown"),
            (lambda d: d.rename(Tair="TAir"), r"Did you mean 'TAir'"),
            (lambda d: d.drop_vars("Tair_qc"), r"unknown variable 'Tair_qc'"),
            (lambda d: d.rename(time="t"), r"unknown variable 'time'"),
            (units("Tair", "degC"), r"units='degC', 'K' is wanted; it is in °C: add 273\.15"),
            (units("Tair", "degrees_Celsius"), r"it is in °C"),
            (units("SWdown", "kJ m-2"), r"units='kJ m-2', 'W m-2' is wanted; convert"),
            (units("SWdown", "K"), r"units='K', 'W m-2' is wanted"),
            (assigned("Tair", 3, 20.0), r"Tair\[3\]=20\.0 .*looks like °C"),
            (assigned("SWdown", 3, 9e9), r"SWdown\[3\]=8999999488\.0 must lie in"),
            (assigned("LWdown", 3, np.inf), r"LWdown\[3\]=inf must lie in"),
            (assigned("Tair_qc", 7, 4), r"Tair_qc\[7\]=4 must be 0"),
            (assigned("Tair_qc", 7, -1), r"Tair_qc\[7\]=-1 must be 0"),
            (lambda d: d.drop_attrs(deep=False), r"time_shown_in=None must be 'UTC'"),
            (lambda d: d.assign_attrs(time_shown_in="local"), r"time_shown_in='local'"),
            (lambda d: d.assign(Tair=d.Tair.astype(str)), r"Tair has type .* numbers"),
            (lambda d: d.assign(Tair=d.Tair.expand_dims(y=2)), r"shape \(2, 48\); numbers"),
            (lambda d: d.assign(Tair=("u", np.ones(7))), r"shape \(7,\); numbers over time \(48\)"),
            (lambda d: d.isel(time=slice(1)), r"time has shape \(1,\)"),
            (lambda d: d.assign_coords(time=np.arange(48)), r"time has shape .* units=None"),
            (times(lambda t: t[::-1]), r"time\[1\]=2012-05-01T23:30:00 must be later than"),
            (times(lambda t: np.concatenate([t[:1], t[:-1]])), r"time\[1\]=.* must be later"),
            (lambda d: d.drop_isel(time=5), r"time\[5\]=.* is 3600 s after .* 1800 s; .*regular"),
        ],
    )
    def test_file(self, tower_file, change, words):
        path = tower_file(change)
        with pytest.raises(InputError, match=words) as caught:
            read_forcing(path, start=START, steps=24)
        assert str(path) in str(caught.value)
        assert "\n" not in str(caught.value)

    def test_stamp_that_is_missing(self, tower_file):
        def change(dataset):
            dataset["time"].encoding.update(units="seconds since 2012-05-01", dtype="float64")
            stamps = dataset["time"].values.copy()
            stamps[4] = np.datetime64("NaT")
            return dataset.assign_coords(time=("time", stamps))

        with pytest.raises(InputError, match=r"time\[4\] is missing"):
            read_forcing(tower_file(change), start=START, steps=2)

    @pytest.mark.parametrize("shift, refused", [(0, False), (1800, True)])
    def test_stamps_that_do_not_end_their_period(self, tower_file, shift, refused):
        def change(dataset):
            ends = dataset["time"].values + np.timedelta64(shift, "s")
            starts = ends - np.timedelta64(1800, "s")
            dataset["time"].attrs["bounds"] = "time_bnds"
            dataset["time"].encoding["units"] = "seconds since 2012-05-01"
            dataset["time_bnds"] = (("time", "nv"), np.stack([starts, ends], axis=1))
            return dataset

        path = tower_file(change)
        if not refused:
            read_forcing(path, start=START, steps=2)
            return
        with pytest.raises(InputError, match=r"time\[0\]=.* must end its period, which ends at"):
            read_forcing(path, start=START, steps=2)

    @pytest.mark.parametrize(
        "request_, words",
        [
            ({"start": START - 1800}, r"outside the record, which covers 2012-05-01T00:00:00 to"),
            ({"steps": 25}, r"outside the record.*to 2012-05-02T00:00:00; choose"),
            ({"start": START + 600}, r"start=2012-05-01T00:10:00 lies between samples"),
            ({"time_step": 900}, r"time_step=900 s must be a multiple of 1800 s"),
            ({"time_step": 0}, r"time_step=0 s must be a positive"),
            ({"time_step": -3600}, r"time_step=-3600 s must be a positive"),
            ({"time_step": float("nan")}, r"time_step=nan s must be a positive"),
            ({"time_step": 3600.5}, r"time_step=3600\.5 s must be a positive whole"),
            ({"steps": 0}, r"steps=0 must be a whole number"),
            ({"steps": 2.0}, r"steps=2\.0 must be a whole number"),
            ({"start": "yesterday"}, r"start='yesterday' must be a date and time in UTC"),
            ({"start": 5}, r"start=5 must be a date and time"),
            ({"start": np.datetime64("NaT")}, r"start=.*NaT.* must be a time in whole seconds"),
            ({"start": "2012-05-01T00:00:00.5"}, r"must be a time in whole seconds"),
        ],
    )
    def test_request(self, tower_file, request_, words):
        with pytest.raises(InputError, match=words):
            read_forcing(tower_file(), **{"start": START, "steps": 4, **request_})

    def test_absent(self, tmp_path):
        with pytest.raises(InputError, match=r"none\.nc is not a file"):
            read_forcing(tmp_path / "none.nc", start=START, steps=1)

    @pytest.mark.parametrize("content", [b"", b"time,Tair\n", b"CDF\x01", b"\x89HDF\r\n\x1a\n"])
    def test_not_netcdf(self, tmp_path, content):
        pytest.importorskip("h5py")
        path = tmp_path / "bad.nc"
        path.write_bytes(content)
        with pytest.raises(InputError, match=r"bad\.nc cannot be read as netCDF \(.*truncated"):
            read_forcing(path, start=START, steps=1)

    @pytest.mark.parametrize("module", ["xarray", "h5py"])
    def test_no_reader_installed(self, tmp_path, monkeypatch, module):
        (tmp_path / "some.nc").write_bytes(b"\x89HDF")
        monkeypatch.setitem(sys.modules, module, None)
        with pytest.raises(InputError, match=r"which is not installed; pip install xarray h5"):
            read_forcing(tmp_path / "some.nc", start=START, steps=1)


class TestSeries:
    def test_sample_at_the_state(self, tower_file):
        values = read_series(tower_file(), "SoilTemp", start=START + 1800, steps=3)
        np.testing.assert_array_equal(values, [295.0, 297.0, 299.0, 301.0])

    def test_mean_over_the_step_that_ends_there(self, tower_file):
        values = read_series(tower_file(), "LWup", start=START + 3600, steps=2, method="mean")
        np.testing.assert_array_equal(values, [450.5, 452.5, 454.5])

    @pytest.mark.parametrize(
        "method, gaps", [("sample", [False, False, True]), ("mean", [False, True, True])]
    )
    def test_gaps_stay(self, tower_file, method, gaps):
        path = tower_file(missing("LWup", 2, 5))
        values = read_series(path, "LWup", start=START + 3600, steps=2, method=method)
        np.testing.assert_array_equal(np.isnan(values), gaps)

    @pytest.mark.parametrize("method, earliest", [("sample", 1800), ("mean", 3600)])
    def test_window_begins_inside_the_record(self, tower_file, method, earliest):
        path = tower_file()
        read_series(path, "LWup", start=START + earliest, steps=1, method=method)
        with pytest.raises(InputError, match="outside the record"):
            read_series(path, "LWup", start=START + earliest - 1800, steps=1, method=method)

    def test_window_ends_inside_the_record(self, tower_file):
        with pytest.raises(InputError, match="outside the record"):
            read_series(tower_file(), "LWup", start=START + 3600, steps=24)

    def test_celsius_that_claims_to_be_kelvin(self, tower_file):
        path = tower_file(assigned("SoilTemp", 3, 35.0))
        with pytest.raises(InputError, match=r"SoilTemp\[1\]=35\.0 .*looks like °C"):
            read_series(path, "SoilTemp", start=START + 3600, steps=2)

    def test_unknown_names(self, tmp_path):
        with pytest.raises(InputError, match=r"unknown tower variable 'LWUp'.*mean 'LWup'"):
            read_series(tmp_path / "x.nc", "LWUp", start=START, steps=1)
        with pytest.raises(InputError, match=r"unknown method 'means'.*mean 'mean'"):
            read_series(tmp_path / "x.nc", "LWup", start=START, steps=1, method="means")
