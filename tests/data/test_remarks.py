"""Warnings about starts that the data give and about networks that nothing keeps small."""

from __future__ import annotations

import pytest

from hybridode.data.delimited import parse_table
from hybridode.data.experiments import experiments
from hybridode.errors import DataError, Source
from hybridode.language.check import declare

DECAY = "model m\nparam k = 1\nstate x = 1\nx' = -k*x\nobserve x ~ normal(x, 0.1)\n"


def codes(model, text, **options):
    return {w.code: w for w in experiments(declare(Source("m.ode", model)), parse_table(text, "d.csv"), **options).warnings}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("t,x,x(0)\n2,3,5\n4,2,5\n", "`x(0)` of the data holds at t = 2"),
        ("t,x,x(0)\n0,3,5\n4,2,5\n", None),
        ("id,t,x,x(0)\na,0,3,5\na,2,1,5\nb,1,2,3\nb,4,1,3\n", "1 of 2 begin at another time than 0"),
        ("t,x\n2,3\n4,2\n", None),
    ],
)
def test_starts_that_hold_at_the_first_record(text, words):
    found = codes(DECAY, text)
    assert ("W0648" in found) == (words is not None)
    if words is not None:
        assert words in found["W0648"].message
        assert "time t from 0" in found["W0648"].hint
    assert "W0648" not in codes(DECAY.replace("param", "time t from 0\nparam", 1), text)


def test_starts_of_conditions_count_too():
    text = "id,t,x\na,1,2\na,3,1\n"
    assert "W0648" in codes(DECAY, text, numbers={"a": {"x(0)": 4.0}})


@pytest.mark.parametrize(
    ("network", "warned"),
    [("NN(x)", True), ("NN(x, hidden=[2])", False), ("NN(x, reg=l2(1e-3))", False), ("NN(x, hidden=[3])", True)],
)
def test_networks_with_more_weights_than_values(network, warned):
    """One hidden layer of 2 units has 1*2 + 2 + 2*1 + 1 = 7 weights, of 3 units 10; the data have 8 values."""
    rows = "".join(f"{i},{1 / (1 + i)}\n" for i in range(8))
    found = codes(DECAY.replace("-k*x", network), "t,x\n" + rows)
    assert ("W0649" in found) == warned
    if network == "NN(x, hidden=[3])":
        assert "10 weights, the data 8 values" in found["W0649"].message


def test_an_observed_column_is_not_taken_for_the_time():
    with pytest.raises(DataError) as caught:
        codes(DECAY, "x,y\n1,3\n2,1\n3,2\n")
    assert "if it is" not in str(caught.value)
    assert "the columns are `x`, `y`" in str(caught.value)
