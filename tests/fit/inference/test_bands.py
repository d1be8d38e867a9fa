"""Bands and designs against linear models, where both are exact, and against simulated experiments."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import scipy.optimize

import hybridode as ho
from hybridode.fit.inference.believed import Believed, believed
from tests.fit.inference.cases import LINE

DECAY = """model decay
time t from 0
param k = 1 in (0, inf) log
param x0 = 1 in (0, inf) log
state x
x(0) = x0
x' = -k*x
observe x ~ normal(x, 0.1)
"""
Z95 = 1.959963984540054
TIMES = np.array([0.5, 1.0, 1.5, 4.0])


def result(text: str, data: pd.DataFrame) -> Believed:
    run = ho.fit(ho.parse(text), data)
    assert run.status == "converged"
    assert run.fitted.finished is not None
    return believed(run.fitted.finished.prepared, run.fitted.finished.theta)


@pytest.fixture(scope="module")
def line() -> Believed:
    noise = np.random.default_rng(2).normal(size=4)
    return result(LINE, pd.DataFrame({"t": TIMES, "x": 2 + 0.7 * TIMES + 0.5 * noise}))


def test_band_of_a_line_is_that_of_linear_regression(line):
    assert line.bands is not None and "profiles" in line.bands.how
    table = line.bands.table[line.bands.table["kind"] == "observed"]
    design = np.stack([np.ones(4), TIMES], axis=1)
    covariance = 0.25 * np.linalg.inv(design.T @ design)
    at = np.stack([np.ones(len(table)), table["time"]], axis=1)
    half = Z95 * np.sqrt(np.einsum("ti,ij,tj->t", at, covariance, at))
    np.testing.assert_allclose(table["upper95"] - table["location"], half, rtol=1e-4)
    np.testing.assert_allclose(table["location"] - table["lower95"], half, rtol=1e-4)


def test_advice_of_a_line_is_the_far_end(line):
    """The slope of a line is known best from records far apart: the latest time that is looked at."""
    advice = {a.name: a for a in line.advice}
    assert advice["b"].observed is not None
    assert advice["b"].observed.time == pytest.approx(4.0 + 0.5 * 4.0)
    design = np.stack([np.ones(4), TIMES], axis=1)
    before = np.linalg.inv(design.T @ design)
    new = np.array([1.0, 6.0])
    after = np.linalg.inv(design.T @ design + np.outer(new, new))
    assert advice["b"].observed.left == pytest.approx(np.sqrt(after[1, 1] / before[1, 1]), rel=1e-3)


def test_advice_holds_in_simulated_experiments():
    """Decay: the best time for a further record, and how far estimates of k scatter with and without it."""
    times = np.array([0.1, 0.2, 0.3, 0.4])
    found = result(DECAY, pd.DataFrame({"t": times, "x": 3 * np.exp(-0.8 * times)}))
    advice = {a.name: a for a in found.advice}["k"]
    assert advice.observed is not None and advice.observed.time == pytest.approx(0.6)  # as late as is looked at
    rng = np.random.default_rng(0)

    def spread(t: np.ndarray) -> float:
        start, ks = np.log([3.0, 0.8]), []
        for _ in range(400):
            y = 3 * np.exp(-0.8 * t) + 0.1 * rng.normal(size=len(t))
            best = scipy.optimize.least_squares(lambda p, y=y: np.exp(p[0] - np.exp(p[1]) * t) - y, start)
            ks.append(np.exp(best.x[1]))
        return float(np.std(ks))

    # Scatter of 400 estimates is known to 3.5 %, the ratio of two to 5 %; k is not quite linear in the data.
    assert spread(np.append(times, 0.6)) / spread(times) == pytest.approx(advice.observed.left, rel=0.15)


def test_what_one_state_cannot_tell_another_can():
    """x' = -k*y with y(0) unknown: measuring y settles it."""
    text = """model hidden
time t from 0
param k = 1 in (0, inf) log
param y0 = 1 in (0, inf) log
state x = 5
state y
y(0) = y0
x' = -k*y
y' = 0
observe x ~ normal(x, 0.1)
"""
    t = np.linspace(0.5, 3, 6)
    found = result(text, pd.DataFrame({"t": t, "x": 5 - 1.5 * t + 0.1 * np.random.default_rng(1).normal(size=6)}))
    assert {v.kind for v in found.profiled.verdicts.values()} == {"combination"}
    advice = {a.name: a for a in found.advice}
    for name in ("k", "y0"):
        assert advice[name].anything is not None and advice[name].anything.column == "y" and advice[name].anything.left < 0.05
        assert "measuring `y`" in advice[name].sentence
    assert found.bands is not None
    hidden = found.bands.table[found.bands.table["column"] == "y"]
    assert np.all(hidden["upper95"] > 1000 * hidden["lower95"])  # nothing is known of it
    seen = found.bands.table[(found.bands.table["column"] == "x") & (found.bands.table["kind"] == "observed")]
    assert np.all(seen["upper95"] - seen["lower95"] < 0.5)


@pytest.mark.slow
def test_band_of_a_learnt_rate_widens_where_there_are_no_data():
    """Decay with an unknown law, seen down to a quarter of its start: beyond, starts have learnt different laws."""
    text = """model learnt
time t from 0
param s = 0.05 in (0.001, 1) log
state x = 4
nn U: 1 -> 1, hidden=[5], act=tanh, reg=l2(0.01)
x' = -U(x)
observe x ~ normal(x, s)
"""
    t = np.linspace(0.1, 6, 30)
    data = pd.DataFrame({"t": t, "x": 4 * np.exp(-0.5 * t) + 0.03 * np.random.default_rng(0).normal(size=30)})
    run = ho.fit(ho.parse(text), data, starts=4, hold_out="last:15")
    assert run.status == "converged" and run.fitted.finished is not None and run.fitted.finished.members
    found = run.believed()
    assert found.bands is not None and "ensemble" in found.bands.how
    table = found.bands.table[found.bands.table["kind"] == "observed"]
    width = (table["upper95"] - table["lower95"]).to_numpy()
    seen, beyond = table["time"] < 2.9, table["time"] > 5
    assert np.min(width[beyond]) > 5 * np.max(width[seen])
    truth = 4 * np.exp(-0.5 * table["time"])
    assert np.mean((table["lower95"] <= truth) & (truth <= table["upper95"])) > 0.9
