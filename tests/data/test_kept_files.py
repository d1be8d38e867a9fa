"""What a run keeps of its data gives a prediction the same inputs, doses and numbers as the fit had, bit for bit."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from hybridode.data.delimited import parse_table
from hybridode.data.experiments import experiments
from hybridode.data.given import given_by
from hybridode.data.kept_files import INPUTS, kept_sources, source_file, table_text
from hybridode.errors import Source
from hybridode.language.check import declare

FEED = """model feed
time t: d
param k: 1/d = 0.3 in (0.01, 5) log
const W = 70
input F from data.F, interp=previous
input T from weather.T, interp=linear
state x = 1 in (0.1, 10)
dx/dt = F*70/W - k*x + T
param s = 0.2 in (0.01, 2) log
observe x ~ normal(x, s)
"""
WEATHER = "experiment,t,T\na 1,0,1\na 1,9,2\nb,0,3\nb,9,4\n"
ORAL = """model oral
time t: h
param k: 1/h = 0.3 in (0.01, 5) log
state A = 0
dA/dt = -k*A
dose A
param s = 0.2 in (0.01, 2) log
observe DV ~ normal(A, s)
"""


def kept(model: str, text: str, tmp_path, **options):
    """The dataset, and the files that a run would keep of it."""
    data = experiments(declare(Source("m.ode", model)), parse_table(text, "d.csv"), **options)
    for name, table in data.files.items():
        (tmp_path / name).write_text(table_text(table), encoding="utf-8")
    return data, tmp_path


def same(data, folder) -> None:
    """Compares each series with what is read back."""
    for series in data.series:
        path = folder / INPUTS
        sources = kept_sources(data.declarations, folder)
        found = given_by(data.declarations, path if path.exists() else None, sources, series.name or None)
        assert set(found.inputs) == set(series.inputs)
        for name, (times, values) in series.inputs.items():
            assert np.array_equal(found.inputs[name][0], times)
            assert np.array_equal(found.inputs[name][1], values)
        if path.exists():
            assert {n: v for n, v in found.numbers.items() if n in series.numbers} == series.numbers
            assert found.labels == series.labels
        assert (found.doses is None) == (series.doses is None)
        if series.doses is not None:
            mine, theirs = vars(series.doses), vars(found.doses.until(series.end))  # a prediction goes on with the doses
            assert set(mine) == set(theirs)
            for k in mine:  # NaN is a value here: nothing is said
                np.testing.assert_array_equal(np.asarray(mine[k]), np.asarray(theirs[k]))


def test_inputs_units_conditions_and_sources(tmp_path) -> None:
    text = "plate;t [h];x;F\na 1;0;1,5;0,1\na 1;24;;0,3\na 1;48;2;\nb;0;1;0,7\nb;36;1,1;0,9\n"
    conditions = parse_table('plate,W\n"a 1",70\nb,60\n', "c.csv")
    weather = pd.DataFrame({"experiment": ["a 1", "a 1", "b", "b"], "t": [0, 9, 0, 9], "T": [1, 2, 3, 4 / 3]})
    data, folder = kept(FEED, text, tmp_path, conditions=conditions, sources={"weather": weather})
    assert sorted(data.files) == ["inputs.csv", "inputs_weather.csv"]
    assert "1,5" not in (folder / INPUTS).read_text(encoding="utf-8")  # what was observed is not kept
    assert [s.numbers["W"] for s in data.series] == [70.0, 60.0]
    same(data, folder)


def test_names_with_separators_and_quotes(tmp_path) -> None:
    text = 'experiment,t,x,F\n"a, ""1""",0,1,0.1\n"a, ""1""",1,1,0.3\n'
    model = FEED.replace("weather.T", "data.T")
    data, folder = kept(model, text.replace("F\n", "F,T\n").replace(",0.1\n", ",0.1,1\n").replace(",0.3\n", ",0.3,\n"), tmp_path)
    assert data.series[0].name == 'a, "1"'
    same(data, folder)


def test_doses_and_groups(tmp_path) -> None:
    text = "ID,TIME,DV,AMT,II,ADDL\n1,0,.,100,12,2\n1,3,41,.,.,.\n2,0,.,50,,\n2,5,9,,,\n"
    data, folder = kept(ORAL, text, tmp_path)
    assert list(data.files) == [INPUTS]
    same(data, folder)
    by = ORAL.replace("0.3 in (0.01, 5) log", "0.3 in (0.01, 5) log by experiment")
    data, folder = kept(by, text.replace("ID,", "experiment,"), tmp_path)
    same(data, folder)


def test_dates_keep_their_clock(tmp_path) -> None:
    model = FEED.replace("input T from weather.T, interp=linear\n", "").replace(" + T", "")
    model = model.replace("time t: d", 'time t: d from "2020-01-01"')
    data, folder = kept(model, "date,x,F\n2020-01-03,1,2\n2020-01-05,1,3\n", tmp_path)
    assert data.series[0].inputs["F"][0].tolist() == [2.0, 4.0]
    same(data, folder)


@pytest.mark.parametrize(("source", "file"), [("weather", "inputs_weather.csv"), ('"a/b c.csv"', "inputs_a_b_c_csv.csv")])
def test_sources_have_plain_file_names(source, file) -> None:
    assert source_file(source) == file


def test_a_model_without_inputs_keeps_nothing(tmp_path) -> None:
    data, _ = kept(ORAL.replace("dose A\n", ""), "t,DV\n0,1\n1,2\n", tmp_path)
    assert not data.files
