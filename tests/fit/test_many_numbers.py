"""More numbers than a Fisher matrix is made for, without any network: gradients alone lead to the optimum."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.optimize import minimize_scalar

import hybridode as ho

MODEL = """model m
time t from 0
param k = 0.5 in (0.01, 5) log
state x = 1.5 in (0.01, 50) by experiment
dx/dt = -k*x
observe x ~ normal(x, 0.05)
"""


def test_a_start_in_each_of_165_series() -> None:
    random, n, times = np.random.default_rng(0), 165, np.linspace(0, 3, 4)
    x = (2 * np.exp(0.3 * random.normal(size=n)))[:, None] * np.exp(-0.7 * times) + 0.05 * random.normal(size=(n, 4))
    names = np.repeat([f"e{i}" for i in range(n)], 4)
    run = ho.fit(ho.parse(MODEL), pd.DataFrame({"experiment": names, "t": np.tile(times, n), "x": x.ravel()}), starts=1)
    assert run.status == "converged"

    def least(k: float) -> float:
        """Of the squares at the best start of each series, which is linear."""
        shape = np.exp(-k * times)
        return float(np.sum((x - (x @ shape / (shape @ shape))[:, None] * shape) ** 2) / (2 * 0.05**2))

    best: Any = minimize_scalar(least, bounds=(0.1, 2), method="bounded", options={"xatol": 1e-9})
    assert run.parameters["k"] == pytest.approx(best.x, rel=1e-5)
    constant = x.size * (np.log(0.05) + 0.5 * np.log(2 * np.pi))
    assert run.result["objective"]["nll"] == pytest.approx(best.fun + constant, abs=1e-3)
