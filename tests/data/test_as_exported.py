"""Files as programs export them: packed, with titles, rows of units, marks for missing values; hints name what to type."""

from __future__ import annotations

import bz2
import gzip
import lzma

import numpy as np
import pytest

from hybridode.data.delimited import parse_table
from hybridode.data.experiments import experiments, read_table
from hybridode.data.hints import column_hint, column_option, shown
from hybridode.errors import DataError, Diagnostic, Source, render_one
from hybridode.language.check import declare

MODEL = """model pk
time t: h
param k: 1/h = 0.3 in (0.01, 5) log
param V: l = 10 in (1, 100) log
state A: mg = 100
dA/dt = -k*A
param s = 0.2 in (0.01, 2) log
observe c ~ normal(A/V, s)
"""
NO_UNITS = MODEL.replace(": h\n", "\n").replace(": 1/h", "").replace(": l", "").replace(": mg", "")
PLAIN = "t,c\n0,10\n1,7.5\n2,5.25\n"


def read(text: str, model: str = MODEL, **options):
    return experiments(declare(Source("model.ode", text=model)), parse_table(text, "d.csv"), **options)


def refused(text: str, model: str = MODEL, **options) -> Diagnostic:
    with pytest.raises(DataError) as caught:
        read(text, model, **options)
    return caught.value.diagnostics[0]


def values(data) -> list[float]:
    return data.series[0].records.value.tolist()


@pytest.mark.parametrize("pack", [gzip.compress, bz2.compress, lzma.compress])
def test_packed_files_are_read(tmp_path, pack) -> None:
    path = tmp_path / "d.csv.packed"
    path.write_bytes(pack(PLAIN.encode()))
    assert read_table(path).rows == (("0", "10"), ("1", "7.5"), ("2", "5.25"))
    path.write_bytes(pack(PLAIN.encode())[:-9])
    with pytest.raises(DataError, match="cannot be unpacked"):
        read_table(path)


def test_what_unpacks_to_too_much_is_refused(tmp_path, monkeypatch) -> None:
    path = tmp_path / "d.csv.gz"
    path.write_bytes(gzip.compress(PLAIN.encode() * 1000))
    monkeypatch.setattr("hybridode.data.files.LARGEST", 5000)
    with pytest.raises(DataError, match="when it is unpacked"):
        read_table(path)


@pytest.mark.parametrize(
    "text", ["sep=;\nt;c\n0;10\n1;7,5\n2;5,25\n", "t|c\n0|10\n1|7.5\n2|5.25\n", '"sep=,"\r\nt,c\r\n0,10\r\n1,7.5\r\n2,5.25\r\n']
)
def test_separators_of_other_programs(text) -> None:
    assert values(read(text)) == [10.0, 7.5, 5.25]


@pytest.mark.parametrize(
    "title", ["Concentrations of patient seven\n", "Concentrations,,\n", "Patient\n\n", "Measured in May\n# by hand\n"]
)
def test_a_title_above_the_table_is_told_from_a_header(title) -> None:
    problem = refused(title + PLAIN.replace(",", ",", 1))
    assert problem.code == "E0622"
    assert problem.span is not None
    assert problem.span.line == 1
    assert "`#`" in problem.hint


@pytest.mark.parametrize("text", ["t\n0\n1\n", "t c\n0 10\n1 7\n", "t,c\n0,1\n", ",t,c\n0,0,1\n1,1,2\n", "t,c,\n0,1,\n1,2,\n"])
def test_headers_are_no_titles(text) -> None:
    assert parse_table(text, "d.csv").names


def test_a_row_of_units_is_told() -> None:
    problem = refused("t,c\n(h),(mg/l)\n0,10\n1,7\n")
    assert problem.code == "E0622"
    assert "`t [h]`, `c [mg/l]`" in problem.hint
    single = refused("t,c\n0,BLQ\n1,7\n2,8\n")  # one text in a row of numbers is a value that is wrong
    assert (single.code, single.span.line if single.span else 0) == ("E0626", 2)
    assert "limit of detection" in single.hint


@pytest.mark.parametrize(
    ("cell", "words"),
    [
        ("ND", "limit of detection"),
        ("<LOQ", "limit of detection"),
        ("-", "missing"),
        ("?", "missing"),
        ("7 ± 1", "noise model"),
        ("1e101", "numbers go to 1e+100"),
        ("-1e300", "numbers go to 1e+100"),
        ("1 047.5", "plainly"),
        ("1\u202f047", "plainly"),
        ("1,047.5", "plainly"),
    ],
)
def test_cells_are_answered_by_what_they_mean(cell, words) -> None:
    problem = refused(f't,c\n0,10\n1,"{cell}"\n2,7\n')
    assert (problem.code, problem.span.line if problem.span else 0) == ("E0626", 3)
    assert words in problem.hint


@pytest.mark.parametrize("mark", ["-999", "9999", "-99", "1e30"])
def test_marks_for_missing_values_are_warned_about(mark) -> None:
    found = [w for w in read(f"t,c\n0,10\n1,{mark}\n2,7\n3,{mark}\n4,6\n").warnings if w.code == "W0647"]
    assert len(found) == 1
    assert f"`c` is {float(mark):g} 2 times (line 3 and others)" in found[0].message


@pytest.mark.parametrize("text", ["0,-99\n1,-98\n2,-97.5\n", "0,999\n1,800\n2,700\n", "0,10\n1,-999\n", "0,<999\n1,5\n2,6\n"])
def test_numbers_that_belong_are_no_marks(text) -> None:
    assert "W0647" not in [w.code for w in read("t,c\n" + text).warnings]


def test_a_mark_that_the_noise_excludes_is_called_a_mark() -> None:
    problem = refused("t,c\n0,10\n1,-999\n2,7\n", MODEL.replace("normal(", "lognormal("))
    assert problem.code == "E0633"
    assert problem.hint.startswith("if it marks a missing value, leave the cell empty")


# ---- a unit column of a long table --------------------------------------------------------------------------------------
LONG = "observable,t,value,unit\nc,0,10000,ug/l\nc,1,7.5,mg/l\nc,2,0.00525,g/l\n"


def test_rows_are_converted_by_their_unit() -> None:
    data = read(LONG)
    assert values(data) == [10.0, 7.5, 5.25]
    assert data.summary is not None
    assert "`c` from `ug/l` to `mg/l`: multiplied by 0.001 (1 row)" in data.summary.converted
    assert "W0621" not in [w.code for w in data.warnings]


def test_limits_of_a_row_are_converted_too() -> None:
    data = read("observable,t,value,lower,upper,unit\nc,0,10,,,mg/l\nc,1,,5000,9000,ug/l\nc,2,<6000,,,ug/l\n")
    records = data.series[0].records
    assert records.value.tolist() == [10.0, 5.0, 6.0]
    assert records.upper.tolist() == [10.0, 9.0, 6.0]


@pytest.mark.parametrize(
    ("text", "model", "line", "words"),
    [
        (LONG.replace("mg/l", "umol/l"), MODEL, 3, "substance"),
        (LONG.replace("mg/l", ""), MODEL, 3, "some rows of `c` have a unit and some have none"),
        (LONG, NO_UNITS, 3, "no unit to convert to"),
        (LONG, MODEL + "units off\n", 3, "no unit to convert to"),
    ],
)
def test_rows_in_other_units_are_refused(text, model, line, words) -> None:
    problem = refused(text, model)
    assert (problem.code, problem.span.line if problem.span else 0) == ("E0630", line)
    assert words in problem.message


def test_without_a_unit_in_the_model_one_unit_is_told() -> None:
    data = read("observable,t,value,unit\nc,0,10,mg/l\nc,1,7,mg/l\nother,1,7,kg\n", NO_UNITS)
    assert data.summary is not None
    assert data.summary.observed[0].unit == "mg/l"


def test_the_spread_of_inferred_observations_is_in_the_state_s_unit() -> None:
    bare = MODEL[: MODEL.index("param s")]
    mixed = read("observable,t,value,unit\nA,0,100,mg\nA,1,80000,ug\nA,2,0.06,g\n", bare)
    plain = read("observable,t,value,unit\nA,0,100,mg\nA,1,80000,ug\n", bare)
    assert values(mixed) == [100.0, 80.0, 60.0]
    assert np.isfinite(plain.declarations.parameters[-1].values[0])


# ---- hints ----------------------------------------------------------------------------------------------------------------
def test_hints_can_be_typed_as_they_stand() -> None:
    assert column_option("c", "conc (mg)") == "--column 'c=conc (mg)'"
    assert column_hint("prey", ["t", "Prey"]) == "if it is `Prey`, say `--column prey=Prey`"
    assert column_hint("c", ["t", "c (mg/l)"]) == "if it is `c (mg/l)`, write its unit in square brackets: `c [mg/l]`"
    assert column_hint("t", ["t / min"]) == "if it is `t / min`, write its unit in square brackets: `t [min]`"
    assert column_hint("c", ["quite", "different"]) == ""
    assert len(shown("y" * 100000)) <= 60


def test_a_long_table_with_other_headers_is_recognised() -> None:
    text = "variable,t,measured\nc,0,10\nc,1,7\n"
    problem = refused(text)
    assert "--column observable=variable --column value=measured" in problem.hint
    assert values(read(text, columns_map={"observable": "variable", "value": "measured"})) == [10.0, 7.0]
    text = text.replace("c,", "conc,")
    mapped = {"observable": "variable", "value": "measured", "c": "conc"}
    assert values(read(text, columns_map=mapped)) == [10.0, 7.0]


def test_a_long_table_without_the_observable_is_told_its_labels() -> None:
    problem = refused("observable,t,value\nweight,0,10\n")
    assert "no value of the observable `c`" in problem.message
    assert "`weight`" in problem.hint


def test_data_of_python_that_are_no_table_are_told(tmp_path) -> None:
    assert read_table({"t": [0, 1], "c": [10.0, 7.5]}).rows == (("0", "10.0"), ("1", "7.5"))
    for wrong in ([1, 2], 3, {"t": [0, 1], "c": [1.0]}, {}):
        with pytest.raises(DataError):
            read_table(wrong)  # type: ignore[arg-type]
    with pytest.raises(DataError, match=r"columns=\{'c': 'C'\}"):
        experiments(declare(Source("model.ode", MODEL)), read_table({"t": [0, 1], "C": [10.0, 7.5]}))


@pytest.mark.parametrize("unit", ["1e400 ug/l", "1e-400 ug/l"])
def test_units_whose_factor_is_no_float_are_refused(unit) -> None:
    problem = refused(f"t,c [{unit}]\n0,10\n1,7\n")
    assert (problem.code, "not between 1e-100 and 1e100" in problem.message) == ("E0630", True)


def test_two_readings_of_a_date_differ() -> None:
    problem = refused("date,c\n01/01/2020,10\n01/02/2020,7\n")
    assert problem.code == "E0640"
    assert "1 February 2020 or January 2, 2020" in problem.message
    assert read("date,c\n01/01/2020,10\n02/02/2020,7\n").series[0].end == 32 * 24


def test_errors_show_control_characters_as_escapes() -> None:
    text = render_one(refused("t,\x1b[31mc\u202e\n0,10\n"))
    assert "\x1b" not in text
    assert "\u202e" not in text
    assert "\\x1b[31mc" in text
