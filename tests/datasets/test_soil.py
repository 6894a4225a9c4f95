import numpy as np
import pytest

from lsm_verify.datasets import find_soil, read_soil
from lsm_verify.datasets.soil import read_table
from lsm_verify.errors import InputError

# 00:00 local time, UTC-7.
START = "2012-05-01T07:00"


def line(number, text):
    """Replace one line; 0 is the header."""

    def edit(lines):
        return [*lines[:number], text, *lines[number + 1 :]]

    return edit


@pytest.mark.phoenix
def test_real_digitised_file(data_dir):
    path = find_soil(data_dir)
    record = read_soil(path, start=START, steps=150)
    assert record.digitised == ("digitised" in path.name)
    assert record.temperature.shape == (2, 151)
    assert np.all(np.isfinite(record.temperature))


class TestOriginal:
    def test_local_time_and_celsius(self, edi_file):
        record = read_soil(edi_file(), start=START, steps=2)
        assert not record.digitised
        assert "knb-lter-cap.591" in record.label
        assert record.depths == (0.05, 0.15)
        expected = np.array([[30.25, 32.25, 34.25], [25.5, 27.5, 29.5]]) + 273.15
        np.testing.assert_array_equal(record.temperature, expected)

    @pytest.mark.parametrize("cell", ["", "NAN", "NaN", '"NAN"', "-9999", "-9999.0", "NA", " "])
    def test_missing_cells(self, edi_file, cell):
        path = edi_file(line(3, f"2012-05-01 01:00:00,40,{cell},27.5,1"))
        values = read_soil(path, start=START, steps=2).temperature
        assert np.isnan(values).tolist() == [[False, True, False], [False] * 3]

    def test_missing_row(self, edi_file):
        path = edi_file(lambda lines: [*lines[:3], *lines[4:]])
        values = read_soil(path, start=START, steps=2).temperature
        assert np.isnan(values).tolist() == [[False, True, False]] * 2

    def test_logger_header(self, edi_file):
        preamble = ['"TOA5","CR3000","station"']
        units = ['"TS","C","C","C","W/m2"', '"","Avg","Avg","Avg","Avg"']
        path = edi_file(lambda lines: [*preamble, lines[0], *units, *lines[1:]])
        assert read_soil(path, start=START, steps=1).temperature[0, 0] == 30.25 + 273.15

    @pytest.mark.parametrize("stamp", ["2012-05-01T01:00", "2012-05-01 01:00", "20120501T0100"])
    def test_forms_of_time(self, edi_file, stamp):
        path = edi_file(line(3, f"{stamp},40,32.25,27.5,1"))
        assert read_soil(path, start=START, steps=1).temperature[0, 1] == 32.25 + 273.15

    def test_byte_order_mark_and_blank_lines(self, edi_file):
        path = edi_file(lambda lines: ["\ufeff" + lines[0], "", *lines[1:], ""])
        assert read_soil(path, start=START, steps=1).temperature[0, 0] == 30.25 + 273.15


def test_digitised(digitised_file):
    record = read_soil(digitised_file(), start=START, steps=2)
    assert record.digitised
    assert "digitised" in record.label
    np.testing.assert_array_equal(record.temperature, [[305.5, 306.5, 307.5], [307, 306, 305]])


@pytest.mark.parametrize(
    "edit, words",
    [
        (line(0, "TIMESTAMP,a,Temp_C2_Avg,Temp_C_3_Avg,b"), r"'Temp_C_2_Avg'.*mean 'Temp_C2_Avg'"),
        (line(0, "TIMESTAMP,a,Temp_C_2_Avg,c,b"), r"unknown column 'Temp_C_3_Avg'"),
        (line(0, "TIMESTAMPS,a,b,c,d"), r"no column 'TIMESTAMP' .*'time_utc'.*mean 'TIMESTAMPS'"),
        (lambda lines: [], r"no column 'TIMESTAMP'"),
        (lambda lines: lines[:1], r"no rows below its header; it may be truncated"),
        (line(2, "2012-05-01 00:30:00,4,3O.5,5,6"), r"line 3: Temp_C_2_Avg='3O\.5' must be a num"),
        (line(2, "2012-05-01 00:30:00,4,5,inf,6"), r"line 3: Temp_C_3_Avg='inf' must be a number"),
        (line(2, "1 May 2012,4,5,5,6"), r"line 3: TIMESTAMP='1 May 2012' must be .* in UTC-7"),
        (line(2, "2012-05-01 00:30Z,4,5,5,6"), r"TIMESTAMP='2012-05-01 00:30Z' .* without a zone"),
        (line(5, "2012-05-01 02:00:00,4"), r"line 6: 2 cells, the header has 5; .*truncated"),
        (line(3, "2012-05-01 01:00:00,4,5,5,6,7"), r"line 4: 6 cells, the header has 5"),
        (line(3, "2012-05-01 00:30:00,4,5,5,6"), r"line 4: TIMESTAMP in UTC=.* must be later"),
        (line(3, "2012-05-01 00:10:00,4,5,5,6"), r"line 4: TIMESTAMP .* 2012-05-01T07:30:00; sort"),
        (line(3, "2012-05-01 01:00:00,4,305.4,5,6"), r"line 4: Temp_C_2_Avg=305\.4 .*looks like K"),
        (line(3, "2012-05-01 01:00:00,4,5,-500,6"), r"line 4: Temp_C_3_Avg=-500 .* mark it as"),
        (line(3, '"2012-05-01 01:00:00,4,5,5,6'), r"cannot be read as CSV"),
    ],
)
def test_original_refused(edi_file, edit, words):
    path = edi_file(edit)
    with pytest.raises(InputError, match=words) as caught:
        read_soil(path, start=START, steps=2)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_line_numbers_count_blank_lines(edi_file):
    path = edi_file(lambda lines: [lines[0], "", "", *lines[1:3], "2012-04-01 00:00:00,1,2,3,4"])
    with pytest.raises(InputError, match="line 6: TIMESTAMP"):
        read_table(path)


@pytest.mark.parametrize(
    "edit, words",
    [
        (line(0, "time_utc,a,SoilTemp_5cm,SoilTemp_15cm_K,b"), r"'SoilTemp_5cm_K'.*mean"),
        (line(2, "2012-05-01 08:00:00,x,32.3,305,ok"), r"line 3: SoilTemp_5cm_K=32\.3 .*like °C"),
        (line(2, "2012-05-01 08:00:00,x,932,305,ok"), r"line 3: SoilTemp_5cm_K=932 must lie in"),
        (line(2, "2012-05-01 08:00:00,x,warm,305,ok"), r"line 3: SoilTemp_5cm_K='warm' must be"),
    ],
)
def test_digitised_refused(digitised_file, edit, words):
    with pytest.raises(InputError, match=words):
        read_soil(digitised_file(edit), start=START, steps=2)


def test_spike_outside_the_window_does_not_matter(edi_file):
    path = edi_file(line(5, "2012-05-01 02:00:00,4,6999,5,6"))
    assert read_soil(path, start=START, steps=1).temperature.shape == (2, 2)


@pytest.mark.parametrize(
    "request_, words",
    [
        ({"start": "2012-05-01T06:00"}, r"outside the record, which covers 2012-05-01T07:00:00 to"),
        ({"steps": 3}, r"outside the record.* to 2012-05-01T09:00:00"),
        ({"start": "2012-05-01T07:10"}, r"Temp_C_2_Avg has no value at any of the 2 states"),
        ({"steps": -1}, r"steps=-1 must be"),
        ({"time_step": 0}, r"time_step=0 s must be"),
    ],
)
def test_request_refused(edi_file, request_, words):
    with pytest.raises(InputError, match=words):
        read_soil(edi_file(), **{"start": START, "steps": 1, **request_})


def test_a_sensor_without_values_is_refused(edi_file):
    def without(lines):
        return [lines[0], *(",".join([*row.split(",")[:3], "NAN", "1"]) for row in lines[1:])]

    with pytest.raises(InputError, match="Temp_C_3_Avg has no value at any of the 3 states"):
        read_soil(edi_file(without), start=START, steps=2)


def test_unreadable(tmp_path):
    with pytest.raises(InputError, match=r"soil\.csv is not a file"):
        read_soil(tmp_path / "soil.csv", start=START, steps=1)
    (tmp_path / "soil.csv").write_bytes(b"TIMESTAMP,\xff\xfe\x00\n")
    with pytest.raises(InputError, match=r"soil\.csv cannot be read as CSV"):
        read_soil(tmp_path / "soil.csv", start=START, steps=1)
