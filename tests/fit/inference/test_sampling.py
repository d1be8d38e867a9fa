"""Posterior samples against integrals over a grid, and against Stan's published reference posterior."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import hybridode as ho
from hybridode.errors import UsageError

ROOT = Path(__file__).parents[3]
MODEL = """model decay
time t from 0
param k = 0.5 in (0, inf) log
param a = 2 in (0.5, 4)
prior k ~ lognormal(0.6, 0.4)
state x = a
x' = -k*x
observe x ~ normal(x, 0.3)
"""
T = np.array([0.5, 1.0, 2.0, 4.0])
X = np.array([1.4, 1.3, 0.4, 0.5])


def exact() -> dict[str, tuple[float, float]]:
    """Means and standard deviations over a grid: a flat between its bounds, k with its prior, both natural."""
    k, a = np.meshgrid(np.linspace(1e-3, 4, 1200), np.linspace(0.5, 4, 800), indexing="ij")
    residual = (X - a[..., None] * np.exp(-k[..., None] * T)) / 0.3
    log_density = -0.5 * np.sum(residual**2, axis=-1) - np.log(k) - 0.5 * (np.log(k / 0.6) / 0.4) ** 2
    weight = np.exp(log_density - log_density.max())
    weight /= weight.sum()
    means = {"k": float(np.sum(weight * k)), "a": float(np.sum(weight * a))}
    return {n: (m, float(np.sqrt(np.sum(weight * (v - m) ** 2)))) for (n, m), v in zip(means.items(), (k, a), strict=True)}


def test_against_a_grid_and_repeatable():
    run = ho.fit(ho.parse(MODEL), pd.DataFrame({"t": T, "x": X}))
    assert run.status == "converged"
    drawn = run.sample(seed=1)
    table = drawn.table.set_index("name")
    assert drawn.divergences == 0
    assert (table["rhat"] < 1.01).all() and (table["ess_bulk"] > 1000).all()
    for name, (mean, sd) in exact().items():
        assert abs(table.loc[name, "mean"] - mean) < 4 * table.loc[name, "mcse"]
        np.testing.assert_allclose(table.loc[name, "sd"], sd, rtol=0.08)
    np.testing.assert_array_equal(run.sample(seed=1, draws=100).natural, drawn.natural[:, :100])


def test_a_parameter_with_neither_prior_nor_bounds_is_refused():
    run = ho.fit(ho.parse(MODEL.replace("prior k ~ lognormal(0.6, 0.4)\n", "")), pd.DataFrame({"t": T, "x": X}))
    with pytest.raises(UsageError, match="E0780"):
        run.sample()


@pytest.mark.slow
def test_lynx_and_hare_against_stan():
    """posteriordb: hudson_lynx_hare-lotka_volterra, means and their Monte Carlo errors."""
    mean = [0.546864499783931, 0.0277472877678081, 0.800095360233122, 0.0240859152534545, 34.0352224770469, 5.93589713368062,
            0.24805686320252, 0.251016914583618]  # fmt: skip
    error = [0.00062626907415417, 4.11604266143508e-05, 0.000884603225898987, 3.50047668143892e-05, 0.0293082761729642,
             0.00533872103038814, 0.000439337727695207, 0.000439525598676463]  # fmt: skip
    names = ["alpha", "beta", "gamma", "delta", "hare(0)", "lynx(0)", "sigma_hare", "sigma_lynx"]
    folder = ROOT / "examples" / "lynx_hare"
    run = ho.fit(ho.load(folder / "lynx_hare_bayes.ode"), folder / "pelts.csv")
    assert run.status == "converged"
    drawn = run.sample(draws=4000)
    table = drawn.table.set_index("name").loc[names]
    assert drawn.divergences == 0 and (table["rhat"] < 1.01).all()
    np.testing.assert_array_less(np.abs(table["mean"] - mean), 3 * np.hypot(table["mcse"], error))
