"""Data files, hostile ones included: each gives the right result or a clear error, none a traceback, none a hang."""

from __future__ import annotations

import time

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hybridode.data.delimited import parse_table
from hybridode.data.experiments import experiments, read_table
from hybridode.errors import DataError, Source
from hybridode.expr import Symbol
from hybridode.language.check import declare

MODEL = """model lv
param a = 0.5 in (0, 10) log
param k[2] = [1, 2]
const W = 70
state prey = 30 in (1, 200) log
state predator = 5
dprey/dt = a*prey*W/70 - prey*predator*k[1]
dpredator/dt = prey*predator - k[2]*predator
param s = 0.3 in (0, 2) log
"""
OBSERVED = MODEL + "observe prey ~ lognormal(prey, s)\nobserve predator ~ lognormal(predator, s)\n"
INPUT = """model driven
input I from data.I, interp=linear
state x = 0
dx/dt = I - x
observe x ~ normal(x, 1)
"""
PROTOCOL = INPUT.replace("data.I", "protocol.I")


def model(text):
    return declare(Source("model.ode", text))


def read(text, of=OBSERVED, **options):
    return experiments(model(of), parse_table(text, "d.csv"), **options)


def values(dataset, column="prey", series=0):
    r = dataset.series[series].records
    k = dataset.columns.index(column)
    mine = r.column == k
    return list(zip(r.time[mine].tolist(), r.value[mine].tolist(), r.censored[mine].tolist(), strict=True))


PLAIN = [(0.0, 30.0, 0), (1.0, 47.5, 0)]
RIGHT = {
    "plain": "t,prey,predator\n0,30,4\n1,47.5,6\n",
    "byte order mark": "\ufefft,prey,predator\n0,30,4\n1,47.5,6\n",
    "windows line ends": "t,prey,predator\r\n0,30,4\r\n1,47.5,6\r\n",
    "old mac line ends": "t,prey,predator\r0,30,4\r1,47.5,6\r",
    "no line end at the end": "t,prey,predator\n0,30,4\n1,47.5,6",
    "semicolons": "t;prey;predator\n0;30;4\n1;47.5;6\n",
    "semicolons and decimal commas": "t;prey;predator\n0;30;4\n1;47,5;6,0\n",
    "tabs": "t\tprey\tpredator\n0\t30\t4\n1\t47.5\t6\n",
    "blanks": "t prey predator\n0 30 4\n1  47.5   6\n",
    "quotes": '"t","prey","predator"\n"0","30","4"\n"1","47.5","6"\n',
    "comments and empty lines": "# source\n\nt,prey,predator\n# more\n0,30,4\n\n1,47.5,6\n\n",
    "blanks round everything": " t , prey , predator \n 0 , 30 , 4 \n 1 , 47.5 , 6 \n",
    "time in capitals": "TIME,prey,predator\n0,30,4\n1,47.5,6\n",
    "other columns": "t,prey,predator,note\n0,30,4,cold\n1,47.5,6,\n",
    "an index column of pandas": ",t,prey,predator\n0,0,30,4\n1,1,47.5,6\n",
    "separator at each line's end": "t,prey,predator,\n0,30,4,\n1,47.5,6,\n",
    "unsorted": "t,prey,predator\n1,47.5,6\n0,30,4\n",
    "missing cells": "t,prey,predator\n0,30,NA\n0.5,,5\n1,47.5,nan\n0.7,.,3\n",
    "exponents and signs": "t,prey,predator\n0,+3e1,4\n1,4.75E+1,6\n",
    "typographic minus elsewhere": "t,prey,predator,z\n0,30,4,\u22121\n1,47.5,6,1\n",
    "doubled columns that nobody reads": "t,prey,predator,z,z\n0,30,4,1,1\n1,47.5,6,1,1\n",
    "units of columns that declare none": "t [yr],prey [1000],predator\n0,30,4\n1,47.5,6\n",
    "long form": "observable,time,value\nprey,0,30\nprey,1,47.5\npredator,0,4\n",
    "long form in capitals with a label more": "Observable,Time,Value\nprey,0,30\nprey,1,47.5\nrain,0,4\n",
}  # fmt: skip


@pytest.mark.parametrize("name", RIGHT)
def test_right_results(name):
    assert values(read(RIGHT[name])) == PLAIN


WRONG = {  # name: (text, code, words that the message must have)
    "empty": ("", "E0622", ["d.csv", "empty"]),
    "only comments": ("# a\n#b\n", "E0622", ["empty"]),
    "no rows": ("t,prey,predator\n", "E0622", ["no rows"]),
    "no header": ("0,30,4\n1,47,6\n", "E0622", ["header"]),
    "header behind a comment sign": ("# t,prey,predator\n0,30,4\n", "E0622", ["remove the `#`"]),
    "no time": ("year,prey,predator\n1900,30,4\n1901,31,5\n", "E0625", ["--column t=year"]),
    "two times": ("t,t,prey,predator\n0,0,30,4\n", "E0624", ["2 columns `t`"]),
    "a copied column": ("t,prey,prey,predator\n0,30,30,4\n", "E0624", ["`prey`", "same values"]),
    "row too short": ("t,prey,predator\n0,30,4\n1,47\n", "E0623", ["line 3", "2 cells", "3"]),
    "row too long": ("t,prey,predator\n0,30,4\n1,47,5,6\n", "E0623", ["line 3", "4 cells"]),
    "open quote": ('t,prey,predator\n0,"30,4\n1,47,6\n', "E0623", ["quote"]),
    "text in numbers": ("t,prey,predator\n0,30,4\n1,many,6\n", "E0626", ["line 3", "`prey`", "`many`"]),
    "unit in a cell": ("t,prey,predator\n0,30 kg,4\n", "E0626", ["`30 kg`", "header"]),
    "grouped digits": ('t,prey,predator\n0,"1,000",4\n', "E0626", ["`1,000`", "plainly"]),
    "decimal comma in quotes": ('t,prey,predator\n0,"1,5",4\n', "E0626", ["decimal"]),
    "mixed decimal marks": ("t;prey;predator\n0;1,5;4\n1;1.5;2\n", "E0626", ["line 2", "line 3", "one decimal mark"]),
    "infinity": ("t,prey,predator\n0,inf,4\n", "E0626", ["infinite"]),
    "overflow": ("t,prey,predator\n0,1e999,4\n", "E0626", ["too large"]),
    "underscores": ("t,prey,predator\n0,1_000,4\n", "E0626", ["`1_000`"]),
    "other digits": ("t,prey,predator\n0,\u0663\u0660,4\n", "E0626", ["no number"]),
    "dates in an observed column": ("t,prey,predator\n0,2020-01-02,4\n", "E0627", ["date", "2020-01-02"]),
    "missing time": ("t,prey,predator\n0,30,4\n,31,5\n", "E0628", ["line 3", "missing"]),
    "censored time": ("t,prey,predator\n<0,30,4\n", "E0626", ["limit"]),
    "limit without a number": ("t,prey,predator\n0,<LOQ,4\n", "E0626", ["limit"]),
    "impossible value": ("t,prey,predator\n0,0,4\n", "E0633", ["`lognormal`", "censor"]),
    "nothing observed": ("t,rain\n0,30\n", "E0629", ["`prey`", "`predator`"]),
    "misspelt": ("t,Prey,predator\n0,30,4\n", "E0629", ["`prey`", "--column prey=Prey"]),
    "all cells empty": ("t,prey,predator\n0,,\n1,NA,\n", "E0629", ["no observed value"]),
    "covariate that changes": ("t,a,prey,predator\n0,1,30,4\n1,2,31,5\n", "E0631", ["line 3", "`a`", "1", "2"]),
    "covariate without a value": ("t,a,prey,predator\n0,,30,4\n", "E0631", ["no value"]),
    "empty series label": ("id,t,prey,predator\nx,0,30,4\n,1,31,5\n", "E0635", ["line 3", "`id`"]),
}  # fmt: skip


@pytest.mark.parametrize("name", WRONG)
def test_clear_errors(name):
    text, code, words = WRONG[name]
    with pytest.raises(DataError) as caught:
        read(text)
    first = caught.value.diagnostics[0]
    assert first.code == code
    everything = str(caught.value) + first.hint
    for word in words:
        assert word in everything


def test_a_place_points_at_the_cell():
    with pytest.raises(DataError) as caught:
        read('t,prey,predator\n# hare\n0,"30",x1\n')
    span = caught.value.diagnostics[0].span
    assert (span.line, span.column) == (3, 8)
    assert span.source.text[span.start : span.end] == "x1"


def test_many_wrong_cells_are_reported_at_once_and_bounded():
    rows = "".join(f"{i},x,y\n" for i in range(1000))
    with pytest.raises(DataError) as caught:
        read("t,prey,predator\n" + rows)
    assert 10 < len(caught.value.diagnostics) < 40
    assert "more such problems" in caught.value.diagnostics[-1].message


@pytest.mark.parametrize(
    ("content", "word"),
    [
        (b"t,prey\n0,\xff\xfe\n", "UTF-8"),
        (b"t,prey,predator\n0,30\0,4\n", "null byte"),
        (b"PK\x03\x04rest", "spreadsheet"),
        (b"\xd0\xcf\x11\xe0old excel", "spreadsheet"),
    ],
)
def test_files_that_are_no_text(tmp_path, content, word):
    path = tmp_path / "d.csv"
    path.write_bytes(content)
    with pytest.raises(DataError, match=word) as caught:
        read_table(path)
    assert caught.value.diagnostics[0].code == "E0621"


def test_files_that_are_not_there(tmp_path):
    with pytest.raises(DataError, match="does not exist"):
        read_table(tmp_path / "none.csv")
    with pytest.raises(DataError, match="is a directory"):
        read_table(tmp_path)


def test_utf16_of_a_spreadsheet_is_read(tmp_path):
    path = tmp_path / "d.csv"
    path.write_bytes("t\tprey\tpredator\n0\t30\t4\n1\t47.5\t6\n".encode("utf-16"))
    assert values(experiments(model(OBSERVED), path)) == PLAIN


@given(st.text(max_size=200))
@settings(max_examples=60, deadline=None)
def test_any_text_gives_a_dataset_or_a_diagnostic(text):
    try:
        read(text)
    except DataError as error:
        assert error.diagnostics[0].message


@given(
    st.lists(
        st.lists(st.sampled_from(["t", "prey", "1", "2.5", "<3", "", '"', ";", "\t", "#", "NA", "id", "[", "]"]), max_size=6),
        max_size=6,
    )
)
@settings(max_examples=100, deadline=None)
def test_rearranged_pieces_give_a_dataset_or_a_diagnostic(lines):
    try:
        read("\n".join(",".join(line) for line in lines))
    except DataError as error:
        assert error.diagnostics[0].message


def test_a_large_file_is_read_in_reasonable_time():
    rows = "".join(f"{i},{i + 1}.5,{i + 2}\n" for i in range(20_000))
    began = time.process_time()
    dataset = read("t,prey,predator\n" + rows)
    assert dataset.n_records == 40_000
    assert time.process_time() - began < 60


# ---- meaning ----------------------------------------------------------------------------------------------------------
def test_limits_and_replicates():
    dataset = read("t,prey,predator\n0,<0.5,4\n0,30,>9\n1,\u22642,6\n")
    assert values(dataset) == [(0.0, 0.5, -1), (0.0, 30.0, 0), (1.0, 2.0, -1)]
    assert values(dataset, "predator")[1] == (0.0, 9.0, 1)
    assert dataset.series[0].times.tolist() == [0.0, 1.0]


def test_declared_limits_censor_small_numbers():
    text = MODEL + "const LOQ = 5\nobserve prey ~ normal(prey, s) censored below LOQ\n"
    dataset = read("t,prey\n0,30\n1,4\n2,5\n3,<2\n", text)
    assert [(round(v, 6), c) for _, v, c in values(dataset)] == [(30.0, 0), (5.0, -1), (5.0, -1), (2.0, -1)]


def test_series_covariates_and_starts():
    dataset = read("experiment,t,a,W,k[2],prey(0),prey,predator\nx,0,1,60,3,20,30,4\nx,1,1,60,,20,31,5\ny,5,2,80,4,25,40,6\n")
    assert [s.name for s in dataset.series] == ["x", "y"]
    assert [s.start for s in dataset.series] == [0.0, 5.0]
    assert dataset.series[0].numbers == {"a": 1.0, "W": 60.0, "k[2]": 3.0, "prey(0)": 20.0}
    assert dataset.promoted == {"W"}
    assert {"a", "k[2]", "prey(0)"} <= dataset.given
    assert dataset.unmatched == ()


def test_long_form_with_experiments():
    dataset = read("experiment,observable,time,value\nx,prey,0,30\ny,prey,0,31\nx,predator,1,4\ny,rain,0,2\n")
    assert [s.name for s in dataset.series] == ["x", "y"]
    assert values(dataset, "predator") == [(1.0, 4.0, 0)]
    assert dataset.unmatched == ("rain",)


def test_columns_are_mapped_and_the_rest_is_listed():
    dataset = read("year,Hare,predator,rain\n1900,30,4,1\n1901,47.5,6,2\n", columns_map={"t": "year", "prey": "Hare"})
    assert [v for _, v, _ in values(dataset)] == [30.0, 47.5]
    assert dataset.unmatched == ("rain",)
    assert any("rain" in note for note in dataset.notes)
    assert [w.code for w in dataset.warnings] == ["W0621", "W0645"]


def test_mapping_of_long_labels():
    dataset = read("observable,time,value\nHare,0,30\nHare,1,47.5\n", columns_map={"prey": "Hare"})
    assert values(dataset) == PLAIN


@pytest.mark.parametrize(
    ("mapping", "word"), [({"prey": "Haer"}, "did you mean `Hare`"), ({"pry": "Hare"}, "did you mean `prey`")]
)
def test_wrong_mappings(mapping, word):
    with pytest.raises(DataError) as caught:
        read("t,Hare,predator\n0,30,4\n", columns_map=mapping)
    assert caught.value.diagnostics[0].code == "E0634"
    assert word in str(caught.value)


def test_a_file_with_one_observed_column_less_is_a_warning():
    dataset = read("t,prey\n0,30\n1,47.5\n")
    assert values(dataset) == PLAIN
    assert "W0623" in [w.code for w in dataset.warnings]


def test_a_column_named_like_an_algebraic_unknown_is_observed():
    text = "model m\nstate x = 1\nalg z: V = 0\nx' = -z\nz^3 + z = x\n"
    data = pd.DataFrame({"t": [0.0, 1, 2], "z": [0.6, 0.4, 0.3]})
    (observation,) = experiments(declare(Source("m.ode", text)), data).declarations.observations
    assert (observation.column, observation.unit, observation.inferred) == ("z", "V", True)
    assert dict(observation.arguments)["mean"].data == Symbol("algebraic", "z")


def test_without_observe_columns_named_as_states_are_observed_and_it_is_said():
    dataset = read("t,prey\n0,30\n1,40\n2,50\n", MODEL)
    (observation,) = dataset.declarations.observations
    assert (observation.column, observation.distribution, observation.inferred) == ("prey", "normal", True)
    added = dataset.declarations.parameters[-1]
    assert (added.name, added.lower, added.scale) == ("sd_prey", 0.0, "log")
    assert added.values[0] == pytest.approx(0.1 * np.std([30, 40, 50]))
    assert any("no `observe`" in note and "`prey`" in note for note in dataset.notes)


def test_without_observe_and_without_states():
    with pytest.raises(DataError, match="named like a state") as caught:
        read("t,hare\n0,30\n", MODEL)
    assert "--column prey=NAME" in str(caught.value)


def test_units_in_headers():
    text = MODEL.replace("state prey = 30", "state prey: mM = 30").replace("model lv\n", "model lv\ntime t: h\n")
    assert values(read("t [h],prey [mM]\n0,30\n1,47.5\n", text)) == PLAIN


def test_the_start_is_the_models_or_the_first_record():
    text = OBSERVED.replace("model lv\n", "model lv\ntime t from -5\n")
    assert read(RIGHT["plain"], text).series[0].start == -5.0
    assert read("t,prey,predator\n3,30,\n4,,\n", OBSERVED).series[0].start == 3.0
    with pytest.raises(DataError, match="E0628"):
        read("t,prey,predator\n-6,30,4\n", text)


def test_inputs_from_the_data():
    dataset = read("id,t,I,x\na,0,1,\na,2,3,0.5\nb,0,5,1\n", INPUT)
    knots = dataset.series[0].inputs["I"]
    assert (knots[0].tolist(), knots[1].tolist()) == ([0.0, 2.0], [1.0, 3.0])
    assert dataset.series[1].inputs["I"][1].tolist() == [5.0]
    assert dataset.unmatched == ()


def test_inputs_from_other_files(tmp_path):
    (tmp_path / "steps.csv").write_text("t,I\n0,1\n2,3\n")
    dataset = read("t,x\n0,1\n", PROTOCOL, sources={"protocol": tmp_path / "steps.csv"})
    assert dataset.series[0].inputs["I"][1].tolist() == [1.0, 3.0]
    by_series = pd.DataFrame({"id": ["a", "b"], "t": [0.0, 0.0], "I": [1.0, 2.0]})
    dataset = read("id,t,x\na,0,1\nb,0,1\n", PROTOCOL, sources={"protocol": by_series})
    assert [s.inputs["I"][1].tolist() for s in dataset.series] == [[1.0], [2.0]]
    beside = INPUT.replace("data.I", '"steps.csv"')
    assert read("t,x\n0,1\n", beside, folder=tmp_path).series[0].inputs["I"][1].tolist() == [1.0, 3.0]


@pytest.mark.parametrize(
    ("text", "of", "options", "word"),
    [
        ("t,x\n0,1\n", INPUT, {}, "no column `I`"),
        ("t,x,I\n0,1,\n", INPUT, {}, "no value"),
        ("t,x,I\n0,1,1\n0,2,3\n", INPUT, {}, "two values at time 0"),
        ("t,x\n0,1\n", PROTOCOL, {}, "--source protocol=FILE"),
        ("t,x\n0,1\n", PROTOCOL, {"sources": {"protocl": "x.csv"}}, "did you mean `protocol`"),
    ],
)
def test_inputs_that_are_missing(text, of, options, word):
    with pytest.raises(DataError) as caught:
        read(text, of, **options)
    assert caught.value.diagnostics[0].code == "E0632"
    assert word in str(caught.value)


def test_frames():
    frame = pd.DataFrame({"t": [0, 1], "prey": [30.0, np.nan], "predator": [4, 6]})
    assert values(experiments(model(OBSERVED), frame)) == [(0.0, 30.0, 0)]
    assert values(experiments(model(OBSERVED), frame.set_index("t"))) == [(0.0, 30.0, 0)]
    with pytest.raises(DataError, match="no rows"):
        experiments(model(OBSERVED), frame.iloc[:0])
    with pytest.raises(DataError, match="row 2"):
        experiments(model(OBSERVED), frame.assign(prey=[1, "x"]))


def test_counts_must_be_whole():
    text = "model m\nstate x = 1\nx' = -x\nobserve n ~ poisson(x)\n"
    with pytest.raises(DataError, match="E0633"):
        read("t,n\n0,1.5\n", text)
    assert read("t,n\n0,2\n", text).n_records == 1


def test_at_end_reads_the_last_record_only():
    text = "model m\nstate x = 1\nx' = -x\nobserve n ~ normal(x, 1) at end\n"
    assert values(read("t,n\n0,2\n1,3\n", text), "n") == [(1.0, 3.0, 0)]


def test_columns_of_one_name_are_replicates():
    for text in ("t,prey,prey,predator\n0,30,31,4\n1,47.5,,6\n", "t,prey,prey.1,predator\n0,30,31,4\n1,47.5,,6\n"):
        dataset = read(text)
        assert values(dataset) == [(0.0, 30.0, 0), (0.0, 31.0, 0), (1.0, 47.5, 0)]
        assert "W0641" in [w.code for w in dataset.warnings]
        assert dataset.summary.observed[0].replicates == 1
        assert dataset.summary.observed[0].missing == 1
    with pytest.raises(DataError, match=r"column prey=prey\.1"):  # without a `prey` it is another column
        read("t,prey.1,predator\n0,31,4\n")


def test_repeated_rows_are_replicates_and_copies_are_told():
    dataset = read("t,prey,predator\n0,30,4\n0,31,4\n1,47,6\n")
    assert dataset.summary.observed[0].replicates == 1
    assert "W0642" not in [w.code for w in dataset.warnings]
    twice = read("t,prey,predator\n0,30,4\n1,47,6\n" + "0,30,4\n1,47,6\n")
    assert "W0642" in [w.code for w in twice.warnings]
    assert twice.n_records == 8


def test_everything_wrong_with_a_file_is_told_at_once():
    of = MODEL.replace("model lv\n", "model lv\ntime t: h\ninput I from data.I\n") + "observe prey ~ lognormal(prey + 0*I, s)\n"
    with pytest.raises(DataError) as caught:
        read("t [kg],prey,W,W\n0,x,1,2\n,-1,1,2\n", of)
    assert [d.code for d in caught.value.diagnostics] == ["E0624", "E0632", "E0630", "E0628", "E0626", "E0633"]
    with pytest.raises(DataError) as caught:
        read("id,t,prey,predator,a\nx,0,1,1,1\nx,1,1,1,2\ny,0,1,1,\n")
    assert [d.code for d in caught.value.diagnostics] == ["E0631", "E0631"]


LIMITS = """observable,time,value,lower,upper,censored
prey,0,30,27,33,
prey,1,,20,40,
prey,2,,20,,
prey,3,,,40,
prey,4,20,,,below
prey,5,20,,,right
prey,6,20,,40,interval
prey,7,,,40,left
prey,8,,,,none
"""


def test_limits_in_columns_of_a_long_table():
    dataset = read(LIMITS)
    r = dataset.series[0].records
    assert list(zip(r.time, r.value, r.upper, r.censored, strict=True)) == [
        (0, 30, 30, 0),
        (1, 20, 40, 2),
        (2, 20, 20, 1),
        (3, 40, 40, -1),
        (4, 20, 20, -1),
        (5, 20, 20, 1),
        (6, 20, 40, 2),
        (7, 40, 40, -1),
    ]
    assert "W0644" in [w.code for w in dataset.warnings]
    assert dataset.unmatched == ()


def test_limit_columns_that_make_no_sense():
    with pytest.raises(DataError) as caught:
        read("observable,time,value,lower,upper,censored\nprey,0,20,,,1\nprey,1,,,,below\nprey,2,,40,20,\nprey,3,5,,,interval\n")
    assert [(d.code, d.span.line) for d in caught.value.diagnostics] == [("E0644", 2), ("E0644", 3), ("E0644", 4), ("E0644", 5)]


def test_limit_columns_take_the_unit_of_the_value():
    of = MODEL.replace("state prey", "state prey: mg") + "observe prey ~ normal(prey, 1)\n"
    r = read("observable,time,value [ug],lower,upper [g]\nprey,0,,1500,0.002\n", of).series[0].records
    assert (r.value[0], r.upper[0]) == (1.5, 2.0)


def test_too_few_values_for_the_numbers_to_learn_are_told():
    def told(text, of=OBSERVED):
        return "W0645" in [w.code for w in read(text, of).warnings]

    rows = "".join(f"{i},30,4\n" for i in range(3))
    assert not told("t,prey,predator\n" + rows)  # 6 values for a, k[1], k[2], s and the start of prey
    assert told("t,prey,predator\n" + rows.replace("2,30,4", "2,<30,<4"))
    assert not told("t,a,prey,predator\n" + rows.replace(",30", ",1,30"))  # a is set by a column
    assert told("t,prey\n0,30\n1,40\n2,50\n3,60\n", OBSERVED)
    assert not told("t,prey\n0,30\n1,40\n2,50\n3,60\n", OBSERVED + "prior a ~ lognormal(0.5, 1)\nprior s ~ lognormal(0.5, 1)\n")
