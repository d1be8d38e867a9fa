"""Cells: limits and intervals, in every way of writing them."""

from __future__ import annotations

import math

import numpy as np
import pytest

from hybridode.data import cells
from hybridode.data.cells import read_cell
from hybridode.errors import DataError
from tests.data.test_experiments import MODEL, read

INTERVALS = {  # text: lower, upper, closed
    "[0.1, 0.5]": (0.1, 0.5, (True, True)),
    "(0.1, 0.5]": (0.1, 0.5, (False, True)),  # as pandas writes its intervals
    "]0.1; 0.5[": (0.1, 0.5, (False, False)),
    "[0.1 0.5]": (0.1, 0.5, (True, True)),
    "0.1..0.5": (0.1, 0.5, (True, True)),
    "-3 .. -1e-2": (-3.0, -0.01, (True, True)),
    "1…2": (1.0, 2.0, (True, True)),
}


@pytest.mark.parametrize("text", INTERVALS)
def test_intervals(text):
    low, high, closed = INTERVALS[text]
    cell = read_cell(text)
    assert (cell.value, cell.upper, cell.censored, cell.closed) == (low, high, cells.BETWEEN, closed)


@pytest.mark.parametrize("text", ["0,1..0,5", "[0,1; 0,5]", "[0,1, 0,5]"])
def test_intervals_with_decimal_commas(text):
    assert read_cell(text, ",")[:2] == (0.1, cells.BETWEEN)
    assert read_cell(text, ",").upper == 0.5
    assert cells.has_decimal_comma(text)


def test_intervals_without_an_end_are_limits():
    assert read_cell("[5, inf)")[:2] == (5.0, cells.ABOVE)
    assert read_cell("(-inf, 5]")[:2] == (5.0, cells.BELOW)
    assert math.isnan(read_cell("(-inf, inf)").value)


@pytest.mark.parametrize(
    "text", ["[1, 1]", "[5, 1]", "[1]", "[a, b]", "1...2", "1..2..3", "0.1-0.5", "0.1–0.5", "[1, 2", "[<1, 2]"]
)
def test_what_is_no_interval_is_refused(text):
    assert read_cell(text).problem


def one(text: str, noise: str):
    """The record of a cell under a noise model: value, upper, censored."""
    dataset = read(f"t;prey\n0;{text}\n1;3\n", MODEL + f"observe prey ~ {noise}\n")
    r = dataset.series[0].records
    return float(r.value[0]), float(r.upper[0]), int(r.censored[0])


def test_the_limits_of_counts_say_whether_they_are_possible():
    """All limits of records are open, so that a possible one lies between two counts."""
    above, below = np.nextafter(5.0, 9), np.nextafter(2.0, 0)
    assert one("[2, 5]", "poisson(prey)") == (below, above, 2)
    assert one("(2, 5)", "poisson(prey)") == (2.0, 5.0, 2)
    assert one("<5", "poisson(prey)") == (5.0, 5.0, -1)
    assert one("<=5", "poisson(prey)") == (above, above, -1)
    assert one(">=2", "negbinomial(prey, 3)") == (below, below, 1)
    assert one("[2, 5]", "normal(prey, 1)") == (2.0, 5.0, 2)


def test_an_interval_from_where_values_begin_is_a_limit():
    assert one("[0, 5]", "lognormal(prey, s)") == (5.0, 5.0, -1)
    assert one("[0, 5)", "poisson(prey)") == (5.0, 5.0, -1)
    assert one("(0, 5)", "poisson(prey)") == (0.0, 5.0, 2)
    assert one("[0, 5]", "normal(prey, 1)") == (0.0, 5.0, 2)


@pytest.mark.parametrize(
    ("text", "noise"),
    [("<0", "lognormal(prey, s)"), ("[-2, -1]", "poisson(prey)"), ("<0", "poisson(prey)"), ("[0, 1]", "bernoulli(0.5)")],
)
def test_limits_that_nothing_can_reach_are_refused(text, noise):
    with pytest.raises(DataError) as caught:
        one(text, noise)
    assert caught.value.diagnostics[0].code == "E0633"


def test_an_interval_in_a_file_that_separates_by_commas():
    dataset = read('t,prey,predator\n0,"[20, 40]",4\n1,[30, 50],6\n2,10..20,6\n')
    r = dataset.series[0].records
    mine = r.column == 0
    assert r.value[mine].tolist() == [20, 30, 10]
    assert r.upper[mine].tolist() == [40, 50, 20]
