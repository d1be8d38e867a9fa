"""The bootstrap against least squares, and its draws against the distributions that they come from."""

from __future__ import annotations

import jax
import numpy as np
import pandas as pd
import pytest
import scipy.stats

import hybridode as ho
from hybridode.data.experiments import experiments
from hybridode.declarations import Parameter
from hybridode.fit.inference.bootstrap import basic_interval, bootstrap
from hybridode.fit.inference.simulated import _limits, simulator
from hybridode.fit.objective.batch import Column
from hybridode.fit.parameters import parameter_space
from hybridode.fit.prepare import Options, prepare
from hybridode.fit.progress import Recorder
from hybridode.solve.settings import Settings
from tests.fit.inference.cases import LINE

T = np.linspace(0.5, 5, 12)


@pytest.fixture(scope="module")
def line():
    run = ho.fit(ho.parse(LINE), pd.DataFrame({"t": T, "x": 2 + 0.7 * T + 0.5 * np.random.default_rng(2).normal(size=12)}))
    assert run.status == "converged"
    return run.fitted.finished


def test_spread_is_that_of_least_squares_and_replicates_do_not_depend_on_each_other(line):
    found = bootstrap(line.prepared.lanes, line.theta, 300, seed=1)
    assert len(found.good) == 300 and not found.early
    design = np.stack([np.ones(12), T], axis=1)
    se = 0.5 * np.sqrt(np.diag(np.linalg.inv(design.T @ design)))
    table = found.table.set_index("name").loc[["a", "b"]]
    np.testing.assert_allclose(table["se"], se, rtol=4 / np.sqrt(600))  # four standard errors of a standard deviation
    np.testing.assert_allclose(table["upper95"] - table["lower95"], 2 * 1.96 * se, rtol=0.2)
    few = bootstrap(line.prepared.lanes, line.theta, 5, seed=1)
    pd.testing.assert_frame_equal(few.estimates, found.estimates.iloc[:5])
    more = bootstrap(line.prepared.lanes, line.theta, 9, seed=1, done=few.estimates)
    pd.testing.assert_frame_equal(more.estimates, found.estimates.iloc[:9].reset_index(drop=True))


def test_each_replicate_is_fitted_to_its_own_data(line):
    """By linear regression of the data that were drawn."""
    with jax.enable_x64(True):
        draws = simulator(line.prepared.objective, line.prepared.lanes.batch, line.theta)
        y = draws.draw(np.random.default_rng([3, 2]))[0][0][0]
    exact = np.linalg.lstsq(np.stack([np.ones(12), T], axis=1), y, rcond=None)[0]
    row = bootstrap(line.prepared.lanes, line.theta, 2, seed=3).estimates.iloc[1]
    np.testing.assert_allclose([row["a"], row["b"]], exact, rtol=1e-5)


def test_basic_interval_moves_against_a_bias():
    """Replicates whose logarithms lie 0.5 below that of the estimate in the mean: the interval lies 0.5 above it."""
    space = parameter_space((Parameter("s", (1.0,), lower=0.0, scale="log"), Parameter("a", (1.0,))))
    z = scipy.stats.norm.ppf((np.arange(20001) + 0.5) / 20001)
    x = np.stack([3 * np.exp(0.2 * z - 0.5), 7 + z], axis=1)
    found = basic_interval(space, np.array([3.0, 7.0]), x)
    np.testing.assert_allclose(found[0], 3 * np.exp(0.5 + 0.2 * np.array([-1.96, 1.96])), rtol=1e-3)
    np.testing.assert_allclose(found[1], [7 - 1.96, 7 + 1.96], rtol=1e-3)


NOISES = {
    "normal(x, 0.3)": scipy.stats.norm(2, 0.3), "lognormal(x, 0.3)": scipy.stats.lognorm(0.3, scale=2),
    "student(5, x, 0.3)": scipy.stats.t(5, 2, 0.3), "laplace(x, 0.3)": scipy.stats.laplace(2, 0.3),
    "poisson(x)": scipy.stats.poisson(2), "negbinomial(x, 3)": scipy.stats.nbinom(3, 3 / 5),
    "bernoulli(x/4)": scipy.stats.bernoulli(0.5), "bernoulli(logit=x)": scipy.stats.bernoulli(1 / (1 + np.exp(-2))),
}  # fmt: skip


def test_draws_have_the_distribution_of_the_noise():
    """Of every noise model of the language, all in one model."""
    lines = "".join(f"observe y{i} ~ {noise}\n" for i, noise in enumerate(NOISES))
    model = ho.parse(f"model m\ntime t from 0\nparam a = 2\nstate x\nx(0) = a\nx' = 0\n{lines}")
    frame = pd.DataFrame({"t": np.linspace(1, 2, 400), **{f"y{i}": np.ones(400) for i in range(len(NOISES))}})
    with jax.enable_x64(True):
        data = experiments(model.declarations, frame)
        prepared = prepare(data, Options({}, frozenset(), 1, 0, None, Settings(), None), Recorder())
        theta = prepared.objective.theta(prepared.objective.space.unconstrain())
        draws = simulator(prepared.objective, prepared.batch, theta)
        drawn = [draws.draw(np.random.default_rng(i)) for i in range(10)]
    for k, (noise, exact) in enumerate(NOISES.items()):
        found = np.concatenate([np.ravel(records[k][0]) for records in drawn])
        mean, var = exact.stats("mv")
        kurtosis = float(np.mean((found - mean) ** 4))
        assert len(found) == 4000 and abs(np.mean(found) - mean) < 4 * np.sqrt(var / 4000), noise
        assert abs(np.mean((found - mean) ** 2) - var) < 5 * np.sqrt(kurtosis / 4000), noise


def test_limits_are_applied_as_in_the_data():
    column = Column(np.zeros((1, 5), int), np.array([[0.5, 3.0, 0.2, 9.0, 4.0]]), np.array([[-1, 0, 0, 1, 0]]), np.ones((1, 5)),
                    np.array([[0.5, 3.0, 0.2, 9.0, 4.0]]))  # fmt: skip
    low, high = _limits(column, -1), _limits(column, 1)
    np.testing.assert_array_equal(low, [[0.5, 0.5, -np.inf, -np.inf, 0.5]])  # 0.2 was measured: that limit was not there
    np.testing.assert_array_equal(high, [[np.inf, 9.0, 9.0, 9.0, 9.0]])


def test_censored_records_are_drawn_and_refitted():
    """Decay below a limit of detection: about as many records are below it in replicates, and the rate is found without bias."""
    rng = np.random.default_rng(5)
    t = np.linspace(0.2, 6, 60)
    y = 5 * np.exp(-0.6 * t + 0.2 * rng.normal(size=60))
    cells = ["<0.5" if v < 0.5 else f"{v:.6g}" for v in y]
    text = """model m
time t from 0
param k = 1 in (0, inf) log
param s = 0.3 in (0.01, 3) log
state x = 5
x' = -k*x
observe x ~ lognormal(x, s)
"""
    run = ho.fit(ho.parse(text), pd.DataFrame({"t": t, "x": cells}))
    finished = run.fitted.finished
    with jax.enable_x64(True):
        draws = simulator(finished.prepared.objective, finished.prepared.lanes.batch, finished.theta)
        below = [np.mean(draws.draw(np.random.default_rng(i))[0][1] == -1) for i in range(40)]
    assert abs(np.mean(below) - np.mean(y < 0.5)) < 0.05
    found = bootstrap(finished.prepared.lanes, finished.theta, 100)
    row = found.table.set_index("name").loc["k"]
    assert len(found.good) == 100 and abs(row["bias"]) < 0.4 * row["se"]
    profile = run.profiles().table.set_index("name").loc["k"]  # of the likelihood with limits
    half = (profile["upper95"] - profile["lower95"]) / 2
    assert abs(row["lower95"] - profile["lower95"]) < 0.35 * half and abs(row["upper95"] - profile["upper95"]) < 0.35 * half
