"""Physics beside networks: it is trained, it explains what it can, and a network too many explains nothing."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.integrate import solve_ivp

from hybridode.fit.run import fit
from tests.fit.test_fit import check
from tests.fit.test_shooting import model

SPARE = """model spare
param r = 0.4 in (0.01, 5) log
param K = 9 in (0.1, 50) log
param q = 0.3 in (0.01, 5) log
state x = 0.3
state y = 0.1
dx/dt = r*x*(1 - x/K) + NN(x, hidden=[6])
dy/dt = 0.5*x - q*y
param s = 0.1 in (0.001, 2) log
observe x ~ normal(x, s)
observe y ~ normal(y, s)
"""
BESIDE = """model beside
param k = 0.3 in (0.01, 10) log
state x = 4
state y = 0.2
dx/dt = -k*x
dy/dt = k*x - NN(y, hidden=[6], reg=l2(0.01))
param s = 0.1 in (0.001, 2) log
observe x ~ normal(x, s)
observe y ~ normal(y, s)
"""


def data(rate, start, end, n, seed=0, noise=0.02):
    t = np.linspace(0, end, n)
    solution = solve_ivp(rate, (0, end), start, "DOP853", t, rtol=1e-10, atol=1e-12)
    assert solution.success
    y = solution.y + noise * np.random.default_rng(seed).normal(size=solution.y.shape)
    return pd.DataFrame({"t": t, "x": y[0], "y": y[1]})


def learnt(run, name, x):
    """A network with one input and one output at x."""
    w = run.weights[name]
    h = (x[None] - w["shift"][:, None]) / w["scale"][:, None]
    last = max(int(k[1:]) for k in w if k.startswith("W"))
    for i in range(last):
        h = np.tanh(w[f"W{i}"] @ h + w[f"b{i}"][:, None])
    return (w[f"W{last}"] @ h + w[f"b{last}"][:, None])[0] * w["out_scale"]


@pytest.mark.parametrize("hidden", ["[6]", pytest.param("[16, 16]", marks=pytest.mark.slow)])
def test_data_of_pure_physics_end_at_the_physics_and_a_small_network(hidden):
    truth = {"r": 0.9, "K": 5.0, "q": 0.7}
    rate = lambda t, u: [0.9 * u[0] * (1 - u[0] / 5), 0.5 * u[0] - 0.7 * u[1]]  # noqa: E731
    run = check(fit(model(SPARE.replace("[6]", hidden)), data(rate, [0.3, 0.1], 10, 41)))
    assert run.result["status"] == "converged"
    for name, value in truth.items():
        assert run.parameters[name] == pytest.approx(value, rel=0.02), name
    assert np.max(np.abs(learnt(run, "NN_x", np.linspace(0.3, 5, 50)))) < 0.01 * 0.9 * 5 / 4  # of the peak of the rate
    assert any("they explain nothing and stay as they began" in line for line in run.log)


@pytest.mark.parametrize("hidden", ["[6]", pytest.param("[16, 16]", marks=pytest.mark.slow)])
def test_a_physics_parameter_beside_a_network_is_trained(hidden):
    sink = lambda y: y / (0.5 + y)  # noqa: E731
    rate = lambda t, u: [-1.2 * u[0], 1.2 * u[0] - sink(u[1])]  # noqa: E731
    run = check(fit(model(BESIDE.replace("[6]", hidden)), data(rate, [4, 0.2], 5, 31)))
    assert run.result["status"] == "converged"
    entry = run.result["parameters"]["k"]
    assert entry["value"] == pytest.approx(1.2, rel=0.02)  # declared 0.3
    assert entry["se"] < 0.05
    y = np.linspace(0.4, 2.2, 40)
    assert np.sqrt(np.mean((learnt(run, "NN_y", y) - sink(y)) ** 2)) < 0.05  # of values up to 0.8
    assert any(line.endswith("the networks are needed") for line in run.log)
