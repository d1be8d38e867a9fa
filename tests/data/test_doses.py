"""Dosing records: what rows mean, what they are refused for, and what each series is given."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import hybridode as ho
from hybridode.data.experiments import experiments
from hybridode.data.files import read_table
from hybridode.data.given import given_by
from hybridode.declarations import DoseForm
from hybridode.errors import DataError, UsageError

MODEL = """model pk
time t: h
param ka: 1/h = 1
param k: 1/h = 0.1
param tlag: h = 0.2
param D: h = 2
param s = 0.1
state gut: mg = 0
state central: mg = 0
dose gut, lag=tlag
dose central, duration=D
gut' = -ka*gut
central' = ka*gut - k*central
observe DV ~ lognormal(central, s)
"""
ONE = MODEL.replace("dose central, duration=D\n", "")
F = DoseForm


def dataset(text: str, tmp_path, model: str = MODEL, **options):
    path = tmp_path / "data.csv"
    path.write_text("\n".join(line.strip() for line in text.strip().splitlines()) + "\n")
    return experiments(ho.parse(model).declarations, path, **options)


def code_of(text: str, tmp_path, model: str = MODEL) -> tuple[str, str]:
    with pytest.raises(DataError) as caught:
        dataset(text, tmp_path, model)
    (problem,) = caught.value.diagnostics
    return problem.code, problem.message + "; " + problem.hint


def listed(schedule):
    columns = (schedule.time, schedule.amount, schedule.statement, schedule.form, schedule.value)
    return [tuple(row) for row in zip(*(c.tolist() for c in columns), strict=True)]


def test_all_forms(tmp_path) -> None:
    """Bolus, RATE, DUR, the duration of the model (said, or where nothing is), compartments by number and by name, ADDL."""
    text = """t,DV,AMT,CMT,RATE,DUR,EVID,II,ADDL
    0,0,100,1,0,,1,,
    0,,50,gut,25,,1,,
    1,,60,2,-2,,1,,
    1,,70,central,,,1,,
    1,,75,central,0,,1,,
    2,,80,2,,4,1,12,2
    3,5,.,.,.,.,0,.,.
    20,2,,,,,0,,"""
    data = dataset(text, tmp_path)
    (series,) = data.series
    assert series.doses is not None and listed(series.doses) == [
        (0, 100, 0, F.BOLUS, 0), (0, 50, 0, F.RATE, 25), (1, 60, 1, F.MODELLED_DURATION, 0), (1, 70, 1, F.MODELLED_DURATION, 0),
        (1, 75, 1, F.BOLUS, 0), (2, 80, 1, F.DURATION, 4), (14, 80, 1, F.DURATION, 4),
    ]  # fmt: skip
    assert series.records.value.tolist() == [5, 2] and series.start == 0  # a dose's DV is not read, even where it is impossible
    assert [d.infused for d in data.declarations.doses] == [True, True]
    assert [s.name for s in data.declarations.states] == ["gut", "central", "gut.infusion", "central.infusion"]
    assert data.declarations.states[2].unit == "mg/h"
    assert data.summary is not None and data.summary.doses == (
        "doses into `gut`: 1 at once, 1 infused, in 1 series, amounts 50 to 100",
        "doses into `central`: 1 at once, 4 infused, in 1 series, amounts 60 to 80",
    )


def test_rows_without_evid(tmp_path) -> None:
    """A row with an amount and no value is a dose; columns in any case; a frame does as well as a file."""
    frame = pd.DataFrame({"t": [0.0, 1.0, 2.0], "dv": [np.nan, 1.0, 2.0], "amt": [100.0, np.nan, 0.0]})
    data = experiments(ho.parse(ONE.replace("DV", "dv")).declarations, frame)
    assert data.series[0].doses is not None and listed(data.series[0].doses) == [(0, 100, 0, F.BOLUS, 0)]
    assert data.unmatched == () and not any(d.infused for d in data.declarations.doses)


def test_the_order_of_rows_decides_at_equal_times(tmp_path) -> None:
    """Above the dose: before it, at its time. Below: a little later, by less than any number shows."""
    (series,) = dataset("t,DV,AMT\n0,1,\n0,,100\n0,2,\n4,3,\n4,,50\n8,5,", tmp_path, ONE).series
    time = series.records.time
    assert time[0] == 0 and time[2] == 4 and time[3] == 8 and 0 < time[1] < 1e-12
    assert len(series.times) == 4
    assert code_of("t,DV,AMT\n0,,100\n0,2,\n0,,50\n8,5,", tmp_path, ONE)[0] == "E0665"


def test_a_reset_begins_anew(tmp_path) -> None:
    """EVID 3 and 4 and SS = 1 cut a series: later parts start there, without what was given before."""
    text = """ID,t,DV,AMT,EVID,II,ADDL,SS
    a,0,,100,1,24,9,
    a,1,5,,0,,,
    a,48,,,3,,,
    a,50,1,,0,,,
    a,72,,60,4,,,
    a,73,2,,0,,,
    a,96,3,,0,,,
    a,96,,40,1,12,3,1
    a,96,4,,0,,,
    a,110,4,,0,,,
    b,0,,30,1,12,,1
    b,1,2,,0,,,"""
    data = dataset(text, tmp_path, ONE)
    parts = {s.name: s for s in data.series}
    assert list(parts) == ["a", "a from 48", "a from 72", "a from 96", "b"]
    assert [s.start for s in data.series] == [0, 48, 72, 96, 0]
    assert parts["a from 48"].doses is None
    assert [listed(s.doses)[0][:2] for s in data.series if s.doses] == [(0, 100), (72, 60), (96, 40), (0, 30)]
    assert [len(s.doses.time) for s in data.series if s.doses] == [1, 1, 2, 1]  # only what comes before the last value
    assert [s.doses.interval.tolist() for s in data.series if s.doses] == [[], [], [12], [12]]
    assert parts["a from 72"].records.value.tolist() == [2, 3] and parts["a from 96"].records.value.tolist() == [4, 4]
    assert data.summary is not None and data.summary.doses[1:] == (
        "2 series begin in the steady state under their first dose (SS = 1)",
    )


MISTAKES = [
    ("t,DV,AMT,EVID\n0,,100,7\n1,2,,0", "E0660", "there is no EVID 7"),
    ("t,DV,AMT,EVID\n0,,x,1\n1,2,,0", "E0660", "`x` is no number"),
    ("t,DV,AMT,EVID,CMT\n0,,,1,1\n1,2,,0,", "E0660", "the dose has no amount"),
    ("t,DV,AMT,EVID,CMT\n0,,-3,1,1\n1,2,,0,", "E0660", "the amount of the dose is -3"),
    ("t,DV,AMT\n0,1,100\n1,2,", "E0661", "a dose and an observation"),
    ("t,DV,AMT,EVID\n0,1,100,0\n1,2,,0", "E0661", "EVID is 0"),
    ("t,DV,AMT,CMT\n0,,100,4\n1,2,,", "E0662", "1 is `gut`; 2 is `central`"),
    ("t,DV,AMT,CMT\n0,,100,liver\n1,2,,", "E0662", "`liver` is none of the model's doses"),
    ("t,DV,AMT\n0,,100\n1,2,", "E0662", "into which of `gut`, `central`"),
    ("t,DV,AMT,CMT,RATE,DUR\n0,,100,1,5,2\n1,2,,,,", "E0663", "RATE and DUR"),
    ("t,DV,AMT,CMT,RATE\n0,,100,1,-1\n1,2,,,", "E0663", "write `dose gut, rate=…`"),
    ("t,DV,AMT,CMT,RATE\n0,,100,1,-7\n1,2,,,", "E0663", "-7 is no rate"),
    ("t,DV,AMT,CMT,ADDL\n0,,100,1,2\n1,2,,,", "E0663", "not in which interval"),
    ("t,DV,AMT,CMT,ADDL,II\n0,,100,1,2.5,12\n1,2,,,,", "E0663", "2.5 additional doses"),
    ("t,DV,AMT,CMT,ADDL,II\n0,,100,1,1e9,12\n1,2,,,,", "E0663", "more than 100000"),
    ("t,DV,AMT,CMT,SS\n0,,100,1,1\n1,2,,,", "E0664", "needs the interval"),
    ("t,DV,AMT,CMT,SS,II\n0,,100,1,2,12\n1,2,,,,", "E0664", "SS = 2 is not taken"),
]


@pytest.mark.parametrize(("text", "code", "words"), MISTAKES, ids=[f"{c} {w[:12]}" for _, c, w in MISTAKES])
def test_mistakes(text: str, code: str, words: str, tmp_path) -> None:
    found, message = code_of(text, tmp_path)
    assert found == code and words in message and "data.csv, line 2" in message


def test_doses_without_a_statement_and_a_statement_without_doses(tmp_path) -> None:
    plain = ONE.replace("dose gut, lag=tlag\n", "")
    codes = {w.code for w in dataset("t,DV,AMT,EVID\n0,,100,1\n1,2,,0", tmp_path, plain).warnings}
    assert "W0661" in codes
    data = dataset("t,DV\n0,1\n1,2", tmp_path)
    assert "W0660" in {w.code for w in data.warnings} and data.series[0].doses is None


def test_units_and_names(tmp_path) -> None:
    """Headers with units are converted; a column of another name is mapped."""
    text = "t [h],DV,given [g],RATE [mg/min],EVID\n0,,0.1,-2,1\n0,,0.1,1,1\n1,2,,,0"
    model = ONE.replace("dose gut, lag=tlag", "dose gut, lag=tlag, duration=D")
    (series,) = dataset(text, tmp_path, model, columns_map={"AMT": "given"}).series
    assert series.doses is not None
    assert listed(series.doses) == [(0, 100, 0, F.MODELLED_DURATION, 0), (0, 100, 0, F.RATE, pytest.approx(60))]


def test_a_simulation_is_given_the_doses_of_one_series(tmp_path) -> None:
    path = tmp_path / "data.csv"
    path.write_text("ID,t,AMT,EVID,II,ADDL\na,0,100,1,12,2\na,6,,0,,\nb,0,50,1,,\nb,3,70,4,,\nb,5,,0,,\n")
    model = ho.parse(ONE)
    with pytest.raises(UsageError, match="series"):
        given_by(model.declarations, read_table(path), None)
    given = given_by(model.declarations, read_table(path), None, "b from 3")
    assert given.doses is not None and given.doses.amount.tolist() == [70] and given.times.tolist() == [3, 5]
    solution = model.simulate(at=[0.0, 0.1, 11.0, 13.0, 25.0, 40.0], data=path, series="a")
    t, ka, k = np.asarray(solution.t), 1.0, 0.1
    since = np.maximum(t[:, None] - 0.2 - np.array([0, 12, 24]), 0)
    exact = 100 * ka / (ka - k) * (np.exp(-k * since) - np.exp(-ka * since)).sum(axis=1)
    np.testing.assert_allclose(solution["central"], exact, rtol=1e-4, atol=1e-4)
