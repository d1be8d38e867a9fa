"""Cells that hold classes: numbers and labels, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest

from hybridode.commands.data_summary import summary_text
from hybridode.data.delimited import parse_table
from hybridode.data.experiments import experiments
from hybridode.errors import DataError, Source
from hybridode.language.check import declare

MODEL = "model m\nstate x = 1\nx' = -x\nobserve stage ~ categorical(logits=[0, x, -x])\nobserve y ~ normal(x, 1)"


def read(text):
    return experiments(declare(Source("model.ode", MODEL)), parse_table(text, "d.csv"))


def values(dataset):
    r = dataset.series[0].records
    return r.value[r.column == 0].tolist()


def test_numbers_are_classes():
    dataset = read("t,stage,y\n0,1,0.5\n1,3.0,<0.1\n2,,0.1\n3,3,0.1\n")
    assert values(dataset) == [1, 3, 3]
    assert dataset.classes == {}
    assert dict(dataset.summary.observed[0].classes) == {"1": 1, "2": 0, "3": 2}
    assert "1: 1, 2: 0, 3: 2" in summary_text(dataset.summary)


def test_labels_are_sorted():
    dataset = read("t,stage,y\n0,wake,0.5\n1,REM,1\n2,NA,0.1\n3,N2,0.1\n")
    assert dataset.classes == {"stage": ("N2", "REM", "wake")}
    assert values(dataset) == [3, 2, 1]


def test_labels_of_a_long_table():
    text = "observable,time,value\nstage,0,b\ny,0,0.5\nstage,1,a\nstage,2,c\n"
    assert values(read(text)) == [2, 1, 3]


@pytest.mark.parametrize(
    ("cells", "code", "words"),
    [
        ("1 2 4", "E0633", "`4` is none of the 3 classes"),
        ("0 1 2", "E0633", "number the classes 1 to 3"),
        ("a b a", "E0645", "has 2 labels, `a`, `b`, and the model 3 classes"),
        ("a b c d", "E0645", "has 4 labels"),
        ("1 2 x 3", "E0645", "has 4 labels"),
    ],
)
def test_what_is_refused(cells, code, words):
    rows = "".join(f"{i},{cell},1\n" for i, cell in enumerate(cells.split()))
    with pytest.raises(DataError) as caught:
        read("t,stage,y\n" + rows)
    assert [d.code for d in caught.value.diagnostics] == [code]
    assert words in str(caught.value)


def test_classes_are_not_taken_for_exchanged_columns():
    dataset = read("t,stage,y\n0,1,30\n1,2,20\n2,3,10\n")
    assert not [w for w in dataset.warnings if w.code == "W0643"]
    assert np.isfinite(dataset.series[0].records.value).all()
