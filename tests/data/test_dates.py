"""Times as dates: against Python's datetime and zoneinfo; what is ambiguous or mixed is refused."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hybridode.data import dates
from hybridode.data.experiments import experiments
from hybridode.data.given import given_by
from hybridode.errors import DataError, ModelError
from hybridode.language.format import unparse
from hybridode.language.reader import parse
from hybridode.report.fitted_model import fitted_text
from tests.data.test_experiments import MODEL, model, read

BARE = MODEL.replace("model lv\n", "model lv\ntime t: d\n") + "observe prey ~ normal(prey, 1)\n"


def times_of(*texts: str, unit: str = "d", more: str = "") -> list[float]:
    of = BARE.replace("time t: d", f"time t: {unit}{more}")
    return read("t;prey\n" + "".join(f"{t};3\n" for t in texts), of).series[0].records.time.tolist()


@settings(max_examples=100, deadline=None)
@given(st.datetimes(datetime(1, 1, 2), datetime(9999, 12, 30)), st.integers(-14 * 60, 14 * 60))
def test_instants_agree_with_datetime(moment, minutes):
    since = moment - datetime(1, 1, 1)
    exact = since.days * 86400 + since.seconds + since.microseconds / dates.Fraction(10**6)
    for text in (moment.isoformat(), str(moment), moment.strftime("%Y/%m/%d %H:%M:%S.%f").rjust(26, "0")):
        assert dates.instant(dates.written(text)) == exact
    sign = "-" if minutes < 0 else "+"
    zoned = f"{moment.isoformat()}{sign}{abs(minutes) // 60:02d}:{abs(minutes) % 60:02d}"
    assert dates.instant(dates.written(zoned)) == exact - minutes * 60
    assert dates.instant(dates.written(dates.instant_text(exact, False))) == exact
    assert dates.instant(dates.written(dates.instant_text(exact, True))) == exact


@pytest.mark.parametrize(
    "text",
    [
        "22 Jan 1978",
        "22-JAN-1978",
        "22JAN1978",
        "Jan 22, 1978",
        "January 22nd 1978",
        "22. January 1978",
        "1978/1/22",
        "1978-1-22",
        "22.1.1978",
    ],
)
def test_ways_of_writing_a_day(text):
    assert dates.instant(dates.written(text), "dmy") == (datetime(1978, 1, 22) - datetime(1, 1, 1)).days * 86400


def test_days_since_the_first_record():
    assert times_of("1978-01-22", "1978-01-23", "1978-03-01") == [0, 1, 38]
    assert times_of("1978-01-23", "1978-01-22") == [0, 1]
    assert times_of("2020-02-28", "2020-03-01") == [0, 2]
    assert times_of("2020-01-01 06:00", "2020-01-02") == [0, 0.75]
    assert times_of("2020-03-29T00:00+01:00", "2020-03-30T00:00+02:00", unit="h") == [0, 23]  # clocks go forward in Europe
    assert times_of("2020-01", "2020-02", "2020-03") == [0, 31, 60]
    assert times_of("2020-01-01", "2021-01-01", unit="yr") == [0, 366 / 365.25]


def test_clock_times():
    assert times_of("12:30", "13:00:30", "13:00:30.25", unit="min") == [0, 30.5, 30.5 + 0.25 / 60]
    assert times_of("11:30 AM", "1:00 pm", unit="h") == [0, 1.5]


def test_from_places_the_first_record_and_years_are_those_of_the_calendar():
    assert times_of("2020-05-01", "2020-05-02", more=" from 10") == [10, 11]
    found = times_of("1900-07-01", unit="yr", more=" from 1900")
    assert found == [1900 + 181 / 365.25]


def test_the_order_of_day_and_month_is_seen_from_a_sure_date_or_refused():
    assert times_of("03/04/2020", "13/04/2020") == [0, 10]
    assert times_of("04/03/2020", "04/13/2020") == [0, 10]
    assert times_of("3.4.2020", "4.4.2020") == [0, 1]
    dataset = read("t,prey\n03/04/2020,1\n13/04/2020,2\n", BARE)
    assert any("read as day/month/year (as `13/04/2020` shows)" in note for note in dataset.notes)
    with pytest.raises(DataError) as caught:
        times_of("03/04/2020", "05/04/2020")
    assert caught.value.diagnostics[0].code == "E0640"
    assert "3 April 2020 or March 4, 2020" in caught.value.diagnostics[0].message


REFUSED = {
    "numbers among dates": (("2020-01-01", "1"), "E0641"),
    "dates among numbers": (("1", "2020-01-01"), "E0641"),
    "a zone here and none there": (("2020-01-01T00:00Z", "2020-01-02T00:00"), "E0641"),
    "clock times among dates": (("2020-01-01", "12:30"), "E0641"),
    "days first and months first": (("13/04/2020", "04/13/2020"), "E0641"),
    "two ways of writing": (("2020-04-13", "13/04/2020"), "E0641"),
    "no day of the calendar": (("2020-02-30", "2020-03-01"), "E0642"),
    "a year of two digits": (("3.4.20", "4.4.20"), "E0642"),
    "no time of the day": (("24:30", "25:00"), "E0642"),
    "past midnight": (("23:50", "00:10"), "E0643"),
    "a missing date": (("2020-01-01", "", "2020-01-03"), "E0628"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused(name):
    texts, code = REFUSED[name]
    with pytest.raises(DataError) as caught:
        times_of(*texts)
    assert caught.value.diagnostics[0].code == code
    assert "d.csv, line" in caught.value.diagnostics[0].message


def test_all_wrong_dates_are_told_at_once():
    with pytest.raises(DataError) as caught:
        times_of("2020-02-30", "2020-03-01", "2020-04-31")
    assert [d.span.line for d in caught.value.diagnostics] == [2, 4]


def test_clock_times_beside_a_column_of_dates_are_refused():
    with pytest.raises(DataError, match="E0643"):
        read("day,t,prey\n2020-01-01,08:00,1\n2020-01-02,08:10,2\n", BARE)
    assert read("day,t,prey\n2020-01-01,08:00,1\n2020-01-01,08:30,2\n", BARE).clock.clock_only


def test_a_unit_must_be_one_of_time_and_a_missing_one_is_told():
    with pytest.raises(DataError, match="no time"):
        times_of("2020-01-01", unit="kg")
    dataset = read("t,prey\n2020-01-01,1\n2020-01-03,1\n", BARE.replace("time t: d\n", ""))
    assert dataset.series[0].records.time.tolist() == [0, 2]
    assert "W0640" in [w.code for w in dataset.warnings]


def test_a_column_named_date_is_the_time():
    assert read("Date,prey\n2020-01-01,1\n2020-01-03,1\n", BARE).series[0].records.time.tolist() == [0, 2]


def test_series_share_the_origin_of_the_file():
    dataset = read("id,t,prey\na,2020-01-05,1\nb,2020-01-01,2\nb,2020-01-02,3\n", BARE)
    assert [s.start for s in dataset.series] == [4.0, 0.0]
    assert dataset.clock.text == "2020-01-01"


def test_timestamps_of_a_frame_are_exact():
    first = datetime(2020, 1, 1, tzinfo=UTC)
    moments = [first, first + timedelta(hours=3), first + timedelta(microseconds=1)]
    frame = pd.DataFrame({"t": pd.to_datetime(moments), "prey": [1.0, 2.0, 3.0]})
    found = experiments(model(BARE.replace("t: d", "t: s")), frame).series[0].records
    assert found.time.tolist() == [0, 1e-6, 3 * 3600]


def test_a_simulation_and_the_sources_of_inputs_tell_the_time_as_the_fit_does(tmp_path):
    of = model("model driven\ntime t: h\ninput I from protocol.I\nstate x = 0\ndx/dt = I - x\nobserve x ~ normal(x, 1)\n")
    (tmp_path / "data.csv").write_text("t,x\n2020-01-01,1\n2020-01-02,2\n", encoding="utf-8")
    (tmp_path / "protocol.csv").write_text("t,I\n2019-12-31,5\n2020-01-01 06:00,7\n", encoding="utf-8")
    sources = {"protocol": tmp_path / "protocol.csv"}
    fitted = experiments(of, tmp_path / "data.csv", sources=sources).series[0]
    simulated = given_by(of, tmp_path / "data.csv", sources)
    assert fitted.times.tolist() == simulated.times.tolist() == [0, 24]
    assert fitted.inputs["I"][0].tolist() == simulated.inputs["I"][0].tolist() == [-24, 6]
    (tmp_path / "protocol.csv").write_text("t,I\n0,5\n", encoding="utf-8")
    with pytest.raises(DataError, match="E0641"):
        experiments(of, tmp_path / "data.csv", sources=sources)


def test_a_date_behind_from_is_the_time_0():
    assert times_of("1978-01-24", "1978-01-25", more=' from "1978-01-22"') == [2, 3]
    assert times_of("1978-01-24 12:00", more=' from "1978-01-22T06:00"', unit="h") == [54]
    assert times_of("1978-01-22T00:00Z", more=' from "1978-01-22T01:00+01:00"') == [0]
    assert times_of("3", "4", more=' from "1978-01-22"') == [3, 4]
    dataset = read("t,prey\n1978-01-24,1\n", BARE.replace("time t: d", 'time t: d from "1978-01-22"'))
    assert dataset.series[0].start == 0
    with pytest.raises(DataError, match="before the start"):
        times_of("1978-01-21", more=' from "1978-01-22"')
    with pytest.raises(DataError, match="E0643"):
        times_of("12:30", more=' from "1978-01-22"')


@pytest.mark.parametrize(
    "origin",
    [
        "1978-01-22",
        '"22.1.1978"',
        '"1978-02-30"',
        '"1978-01-22T06"',
        '"19780122"',
        '"1978-W03"',
        '"1978-01-22T06:00+99:00"',
        '""',
    ],
)
def test_what_is_no_date_behind_from(origin):
    with pytest.raises(ModelError) as caught:
        model(BARE.replace("time t: d", f"time t: d from {origin}"))
    assert [d.code for d in caught.value.diagnostics] == ["E0337"]


def test_a_fitted_model_keeps_the_date():
    """So that predictions from another file tell the time as the fit did."""
    of = model("model a\nstate x = 1\ndx/dt = -x\nobserve x ~ normal(x, 1)\n")
    text = fitted_text(of, {}, start=0.0, date="1978-01-22", time_unit="d")
    assert 'time t: d from "1978-01-22"  # where the data begin' in text
    again = model(text)
    assert (again.time_date, again.time_unit) == ("1978-01-22", "d")
    assert fitted_text(again, {}, start=0.0, date="1978-01-22", time_unit="d") == text
    with_unit = "model a\ntime t: h\nstate x = 1\ndx/dt = -x\n"
    assert 'time t: h from "1978-01-22T06:00:00"\n' in fitted_text(
        model(with_unit), {}, start=0.0, date="1978-01-22T06:00:00", time_unit="h"
    )
    assert 'time t: d from "1978-01-22"' in unparse(parse(again.source)[0])
