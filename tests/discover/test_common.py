"""Which numbers runs share: the rise against a minimiser, the text of the model, the table of all runs."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import minimize

import hybridode.api as ho
from hybridode.data.experiments import experiments
from hybridode.data.table import Header, Table
from hybridode.discover.common import Own, rise, shared_numbers
from hybridode.discover.shared import by_run_text
from hybridode.errors import Source
from hybridode.language.check import declare

MODEL = """model m
time t from 0
param k: 1/h = 0.5 in (0.01, 5) log  "rate"
param s = 0.1 in (1e-3, 1) log
state x = 3 in (0.1, 30)
x' = -k*x
observe x ~ normal(x, s)
"""


def runs(differ: float) -> list[Own]:
    random = np.random.default_rng(3)
    found = []
    for r in range(3):
        a = random.standard_normal((4, 4))
        fisher = a @ a.T + 0.1 * np.eye(4)
        noise = np.linalg.solve(np.linalg.cholesky(fisher).T, random.standard_normal(4))
        found.append(Own(("a", "b", "c", "d"), np.array([1.0, 2.0, 3.0 + differ * r, 4.0]) + noise, fisher, 40))
    return found


@pytest.mark.parametrize("shared", [["a"], ["b", "d"], ["a", "b", "c", "d"]])
def test_the_rise_is_the_least_with_equal_entries(shared: list[str]) -> None:
    """Against SciPy's minimiser over common and own numbers."""
    owns = runs(0.5)
    at = ["abcd".index(n) for n in shared]
    rest = [i for i in range(4) if i not in at]

    def objective(u: np.ndarray) -> float:
        total = 0.0
        for r, own in enumerate(owns):
            y = np.empty(4)
            y[at] = u[: len(at)]
            y[rest] = u[len(at) + r * len(rest) : len(at) + (r + 1) * len(rest)]
            total += 0.5 * (y - own.values) @ own.fisher @ (y - own.values)
        return float(total)

    best = minimize(objective, np.ones(len(at) + 3 * len(rest)), method="BFGS", options={"gtol": 1e-9})
    assert rise(owns, shared) == pytest.approx(best.fun, rel=1e-6)


def test_what_differs_is_not_shared() -> None:
    groups = {name: (name,) for name in "abcd"}
    assert shared_numbers(runs(0.0), groups)[0] == ("a", "b", "c", "d")
    assert "c" not in shared_numbers(runs(1000.0), groups)[0]


def test_the_text_of_a_model_by_run() -> None:
    """Written, and read back with the values of each run; the solution of each is that of its own numbers."""
    means = {"k": 0.6, "s": 0.2, "x(0)": 4.0}
    text = by_run_text(MODEL, "m.ode", means, {"k": [0.4, 0.9], "x(0)": [3.5, 5.0]}, ["north", "a b"], "run")
    assert 'param k: 1/h = 0.6 in (0.01, 5) log by run ("north" = 0.4, "a b" = 0.9)  "rate"\n' in text
    assert 'state x = 4 in (0.1, 30) by run ("north" = 3.5, "a b" = 5)\n' in text and "param s = 0.2 in" in text
    groups = {p.name: dict(p.groups) for p in declare(Source("m.ode", text)).parameters}
    assert groups["k"] == {"north": (0.4,), "a b": (0.9,)} and groups["s"] == {}
    assert ho.parse(text).simulate(to=1, points=3, check=False)["x"][0] == 4.0


def test_rows_of_all_runs_are_read_as_series_of_each() -> None:
    """A joined table as `joined_table` writes it: series by their names, labels by the column."""
    headers = tuple(Header(n, "", i) for i, n in enumerate(("run", "experiment", "t", "x")))
    rows = (
        ("north", "north/1", "0", "3"),
        ("north", "north/1", "1", "2"),
        ("south", "south/1", "0", "4"),
        ("south", "south/1", "1", "3"),
    )
    text = by_run_text(MODEL, "m.ode", {"k": 0.6}, {"k": [0.4, 0.9]}, ["north", "south"], "run")
    data = experiments(declare(Source("m.ode", text)), Table("together.csv", headers, rows, (2, 3, 4, 5)))
    assert [(s.name, s.labels["run"]) for s in data.series] == [("north/1", "north"), ("south/1", "south")]
