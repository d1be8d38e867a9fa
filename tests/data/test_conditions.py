"""What holds in an experiment as a whole: columns, a table of conditions, sections of fit.toml; and what is wrong in them."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import hybridode as ho
from hybridode.data.delimited import parse_table
from hybridode.data.experiments import experiments
from hybridode.errors import DataError, Source
from hybridode.language.check import declare
from hybridode.solve.settings import Settings

MODEL = """model m
const c = 0
param k = 1 in (0, 5)
input u from data.u, interp=previous
state x = 2
x' = u - k*x + c
observe x ~ normal(x, 0.1)
"""
DATA = "experiment,t,x\nA,0,1\nA,1,2\nB,0,3\nB,1,4\n"
TABLE = "experiment,u,c,k,x(0)\nB,1,2,,5\nA,0.5,,0.7,4\nC,9,9,9,9\n"


def read(data: str = DATA, table: str | None = None, model: str = MODEL, **options):
    rows = None if table is None else parse_table(table, "c.csv")
    return experiments(declare(Source("m.ode", model)), parse_table(data, "d.csv"), conditions=rows, **options)


def test_a_table_of_conditions():
    d = read(table=TABLE)
    assert [dict(s.numbers) for s in d.series] == [{"k": 0.7, "x(0)": 4.0}, {"c": 2.0, "x(0)": 5.0}]
    assert [np.unique(s.inputs["u"][1]).tolist() for s in d.series] == [[0.5], [1.0]]
    assert d.given == {"x(0)"}
    assert d.promoted == {"c"}
    assert not d.unmatched
    assert d.declarations.states[0].start[0].data.kind == "parameter"


def test_sections_say_the_same():
    d = read(numbers={"A": {"u": 0.5, "k": 0.7, "x(0)": 4}, "B": {"u": 1, "c": 2, "x(0)": 5.0}})
    other = read(table=TABLE)
    assert [dict(s.numbers) for s in d.series] == [dict(s.numbers) for s in other.series]
    assert d.given == other.given


def test_columns_of_the_data_say_the_same():
    d = read("experiment,t,x,u,c,x(0)\nA,0,1,0.5,0,4\nA,1,2,0.5,0,4\nB,0,3,1,2,5\nB,1,4,1,2,5\n")
    assert [dict(s.numbers) for s in d.series] == [{"c": 0.0, "x(0)": 4.0}, {"c": 2.0, "x(0)": 5.0}]


def test_the_experiments_can_have_any_name_in_common():
    """Another column than `experiment`: it splits the rows into series where nothing else does."""
    model = MODEL.replace("in (0, 5)", "in (0, 5) by strain")
    d = read("arm,t,x\nhigh,0,1\nlow,0,2\nhigh,1,3\n", "arm,u,strain\nlow,0,WT\nhigh,7,mutant\n", model)
    assert [(s.name, dict(s.labels)) for s in d.series] == [("high", {"strain": "mutant"}), ("low", {"strain": "WT"})]
    d = read("id,arm,t,x\n1,high,0,1\n2,low,0,2\n3,high,0,3\n", "arm,u,strain\nlow,0,WT\nhigh,7,mutant\n", model)
    assert [(s.name, s.inputs["u"][1][0]) for s in d.series] == [("1", 7.0), ("2", 0.0), ("3", 7.0)]


@pytest.mark.parametrize(
    ("table", "code", "words"),
    [
        ("experiment,u\nA,1\nb,1\n", "E0659", "d.csv, line 4: c.csv has no row for `B` | did you mean"),
        ("experiment,u\nA,1\nB,1\nA,2\n", "E0659", "`A` has a row already, in line 2"),
        ("arm,u\nA,1\n", "E0659", "no column in common"),
        ("experiment,u,x\nA,1,1\nB,1,2\n", "E0659", "`x` stands in d.csv and in c.csv"),
        ("experiment,u,k\nA,1,2\nB,1,two\n", "E0626", "c.csv, line 3, column `k`: `two` is no number"),
        ("experiment,u\nA,1\nB,\n", "E0632", "no value in series `B`"),
    ],
)
def test_mistakes_in_a_table(table: str, code: str, words: str):
    with pytest.raises(DataError) as error:
        read(table=table)
    found = error.value.diagnostics[0]
    assert found.code == code
    assert words.split(" | ")[0] in found.message
    assert words.split(" | ")[-1] in f"{found.message} {found.hint}"


@pytest.mark.parametrize(
    ("numbers", "code", "words"),
    [
        ({"A": {"uu": 1}}, "E0658", "nothing called `uu`"),
        ({"AA": {"u": 1}}, "E0658", "no experiment `AA`"),
        ({"A": {"u": "high"}}, "E0658", "`u` is a number"),
        ({"A": {"x": 1}}, "E0658", "nothing called `x`"),
    ],
)
def test_mistakes_in_sections(numbers: dict, code: str, words: str):
    with pytest.raises(DataError) as error:
        read(numbers=numbers)
    assert (error.value.diagnostics[0].code, words in error.value.diagnostics[0].message) == (code, True)


def test_what_nothing_reads_is_said():
    d = read(table=TABLE.replace(",c,", ",remark,"))
    assert d.unmatched == ("remark",)
    assert [w.code for w in d.warnings] == ["W0621"]


def test_starts_that_cannot_be_set_are_refused_by_name():
    computed = MODEL.replace("state x = 2", "state x\nx(0) = 2*k")
    assert read(table=TABLE, model=computed).given == {"x(0)"}
    with pytest.raises(DataError, match=r"the conditions set `x\(0\)` in some experiments"):
        read(table=TABLE.replace(",5\n", ",\n"), model=computed)
    with pytest.raises(DataError, match=r"`x\(0\)` is read in the dynamics"):
        read(table=TABLE, model=computed.replace("+ c", "+ c*x(0)"))
    assert read(table=TABLE, model=MODEL.replace("+ c", "+ c*x(0)")).given == {"x(0)"}


def test_a_fit_with_conditions_is_the_exact_solution(tmp_path):
    """x' = u - k*x from x(0), both set per experiment; k is learnt where the table leaves it open."""
    t = np.linspace(0, 2, 7)
    exact = lambda u, x0, k: u / k + (x0 - u / k) * np.exp(-k * t)  # noqa: E731
    setting = {"A": (0.5, 4.0, 0.7), "B": (1.0, 5.0, 1.3), "C": (2.0, 0.0, 1.3)}
    frame = pd.concat([pd.DataFrame({"experiment": e, "t": t, "x": exact(*s)}) for e, s in setting.items()])
    rows = pd.DataFrame(
        [{"experiment": e, "u": u, "x(0)": x0, "k": 0.7 if e == "A" else None} for e, (u, x0, _) in setting.items()]
    )
    settings = Settings(rtol=1e-10, atol=1e-12)
    run = ho.fit(ho.parse(MODEL), frame, conditions=rows, starts=1, settings=settings)
    assert run.parameters["k"] == pytest.approx(1.3, abs=1e-8)
    assert np.abs(run.residuals["residual"]).max() < 1e-6
    by_label = {e: {"u": u, "x(0)": x0} | ({"k": 0.7} if e == "A" else {}) for e, (u, x0, _) in setting.items()}
    again = ho.fit(ho.parse(MODEL), frame, numbers=by_label, starts=1, settings=settings)
    assert again.parameters["k"] == run.parameters["k"]
    where = run.save(tmp_path / "run")
    assert ho.load(where / "fitted.ode").declarations.states[0].start[0].value == 2.0  # no one start: the text keeps its own
