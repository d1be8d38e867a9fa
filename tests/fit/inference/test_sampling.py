"""Posterior samples against integrals over a grid, and against Stan's published reference posterior."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import scipy.stats

import hybridode as ho
from hybridode.errors import NumericsError, UsageError
from hybridode.fit.inference.sampling import Sampler

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


def test_a_conjugate_normal_by_its_formula_and_new_data_without_compiling():
    text = """model normal
time t from 0
param m = 0 in (-inf, inf)
prior m ~ normal(1, 2)
state x = m
x' = 0
observe x ~ normal(x, 0.5)
"""
    model, times = ho.parse(text), np.arange(3.0)
    first, second = np.array([2.0, 2.5, 1.7]), np.array([-4.0, -3.0, -3.5])
    run = ho.fit(model, pd.DataFrame({"t": times, "x": first}))
    other = ho.fit(model, pd.DataFrame({"t": times, "x": second}))
    assert run.fitted.finished and other.fitted.finished
    sampler = Sampler(run.fitted.finished.prepared, run.fitted.finished.theta)
    drawn = [sampler.draw(), sampler.draw(theta=other.fitted.finished.theta, batch=other.fitted.finished.prepared.fitted)]
    assert sampler._block._cache_size() == 1
    variance = 1 / (1 / 4 + 3 / 0.25)
    for sample, y in zip(drawn, (first, second), strict=True):
        row = sample.table.iloc[0]
        assert abs(row["mean"] - variance * (1 / 4 + y.sum() / 0.25)) < 4 * row["mcse"]
        np.testing.assert_allclose(row["sd"], np.sqrt(variance), rtol=0.08)
        z = (np.ravel(sample.natural) - variance * (1 / 4 + y.sum() / 0.25)) / np.sqrt(variance)
        assert scipy.stats.kstest(z[::4], "norm").pvalue > 1e-3


def test_what_was_cut_off_goes_on_to_the_same_draws():
    run = ho.fit(ho.parse(MODEL), pd.DataFrame({"t": T, "x": X}))
    assert run.fitted.finished
    sampler = Sampler(run.fitted.finished.prepared, run.fitted.finished.theta)
    whole = sampler.draw(400, seed=3)
    cut = sampler.draw(400, seed=3, stop=lambda done, all_: "interrupted" if done >= 600 else "")
    assert cut.early == "interrupted" and 0 < cut.energy.shape[1] < 400
    assert cut.chains is not None
    rest = sampler.more(cut.chains, 400 - cut.energy.shape[1])
    np.testing.assert_array_equal(cut.joined(rest).theta, whole.theta)
    assert cut.joined(rest).early == ""
    with pytest.raises(NumericsError, match="E0788"):
        sampler.draw(400, stop=lambda done, all_: "interrupted")


def test_where_the_model_cannot_be_solved_a_trajectory_ends():
    """x' = a x^2 reaches infinity at t = 1/a: with records up to 1, a < 1; the exact posterior is on a grid."""
    text = "model blowup\ntime t from 0\nparam a = 0.5 in (0, 2)\nstate x = 1\nx' = a*x^2\nobserve x ~ normal(x, 2)\n"
    t = np.array([0.5, 1.0])
    x = 1 / (1 - 0.7 * t)
    run = ho.fit(ho.parse(text), pd.DataFrame({"t": t, "x": x}))
    assert run.status == "converged"
    sample = run.sample(draws=2000)
    assert sample.failures > 0 and np.all(np.isfinite(sample.theta)) and np.all(np.isfinite(sample.log_density))
    a = np.linspace(1e-6, 1 - 1e-6, 200_001)
    weight = np.exp(-0.5 * np.sum(((x - 1 / (1 - a[:, None] * t)) / 2) ** 2, axis=1))
    mean = float(np.sum(weight * a) / np.sum(weight))
    row = sample.table.iloc[0]
    assert abs(row["mean"] - mean) < 4 * row["mcse"]


def test_a_parameter_with_neither_prior_nor_bounds_is_refused():
    run = ho.fit(ho.parse(MODEL.replace("prior k ~ lognormal(0.6, 0.4)\n", "")), pd.DataFrame({"t": T, "x": X}))
    with pytest.raises(UsageError, match="E0780"):
        run.sample()


def test_the_weights_of_a_network_have_the_prior_of_their_regulariser():
    text = MODEL.replace("x' = -k*x", "nn U: 1 -> 1, hidden=[2], reg=l2(0.5), seed=1\nx' = -k*x + 0*U(x)")
    model = ho.parse(text)
    run = ho.fit(model, pd.DataFrame({"t": T, "x": X}))
    sample = run.sample(seed=1)
    assert any("`U` is what its regulariser means: normal with standard deviation 1" in line for line in sample.priors)
    weights = sample.theta[..., 2:].reshape(-1, sample.theta.shape[-1] - 2)  # no data speak of them
    np.testing.assert_allclose(weights.std(axis=0), 1, rtol=0.1)
    np.testing.assert_allclose(weights.mean(axis=0), 0, atol=0.1)
    mean, sd = exact()["k"]
    assert abs(sample.table["mean"][0] - mean) < 4 * sample.table["mcse"][0] and abs(sample.table["sd"][0] - sd) < 0.1 * sd
    bare = ho.fit(ho.parse(text.replace(", reg=l2(0.5)", "")), pd.DataFrame({"t": T, "x": X}))
    with pytest.raises(UsageError, match="E0780"):
        bare.sample()


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
