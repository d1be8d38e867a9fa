"""Robust losses, weights: against SciPy's losses, by integrals, and on data with outliers."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
import pytest
import scipy.integrate
import scipy.optimize

import hybridode as ho
from hybridode.data.experiments import experiments
from hybridode.errors import DataError, UsageError
from hybridode.fit.objective import limits, noise
from hybridode.fit.objective.robust import LOSSES, Loss, read_loss, robust

DECAY = """model decay
param k = 0.7 in (0.05, 5) log
param s = 0.1 in (0.001, 10) log
state x = 2 in (0.1, 50)
x' = -k*x
observe x ~ normal(x, s)
"""
TIMES = np.linspace(0, 6, 25)


@pytest.fixture(autouse=True)
def float64():
    with jax.enable_x64(True):
        yield


def data(outliers=0, **columns):
    x = 3 * np.exp(-0.4 * TIMES) + 0.03 * np.random.default_rng(1).normal(size=len(TIMES))
    x[[4, 12, 20][:outliers]] += [4.0, 6.0, 5.0][:outliers]
    return pd.DataFrame({"t": TIMES, "x": x, **columns})


def test_losses_are_scipys():
    """`least_squares` minimises 0.5*sum(rho(r^2)); its cost at fixed residuals is compared."""
    r = np.array([-30.0, -2.0, -0.3, 0.0, 0.1, 1.0, 5.0, 1e3])
    for name in LOSSES:
        cost = scipy.optimize.least_squares(lambda x: r + 0 * x, [0.0], loss=name, f_scale=1.7, max_nfev=1).cost
        assert 0.5 * float(jnp.sum(Loss(name, 1.7).rho(jnp.array(r) ** 2))) == pytest.approx(cost, rel=1e-12)


@pytest.mark.parametrize("name", list(LOSSES))
def test_information_is_the_variance_of_the_score_under_the_density_of_the_loss(name):
    loss = Loss(name, LOSSES[name].threshold)
    density = lambda r: np.exp(-0.5 * loss.rho(np.array(r**2), np))  # noqa: E731
    slope = lambda r: 0.5 * (loss.rho(np.array((r + 1e-5) ** 2), np) - loss.rho(np.array((r - 1e-5) ** 2), np)) / 2e-5  # noqa: E731
    total = lambda f: 2 * scipy.integrate.quad(f, 0, np.inf, limit=400)[0]  # noqa: E731
    whole = total(density)
    location = total(lambda r: density(r) * slope(r) ** 2) / whole
    scale = total(lambda r: density(r) * (r * slope(r) - 1) ** 2) / whole
    np.testing.assert_allclose(loss.information, (location, scale / 2), rtol=1e-3)
    row = robust(noise.NORMAL, loss)
    np.testing.assert_allclose(row.information(jnp.array(1.0), jnp.array(0.5)), np.diag([location * 4, scale * 4]), rtol=1e-3)


def test_a_loss_is_about_the_likelihood_near_zero_and_other_noise_stays():
    loss = Loss("cauchy", 2.0)
    row = robust(noise.LOGNORMAL, loss)
    near, far = jnp.array(2.0 * np.exp(0.001)), jnp.array(2.0 * np.exp(20.0))
    assert float(row.log_density(near, 2.0, 1.0)) == pytest.approx(float(noise.LOGNORMAL.log_density(near, 2.0, 1.0)), abs=1e-9)
    assert float(row.log_density(far, 2.0, 1.0)) > float(noise.LOGNORMAL.log_density(far, 2.0, 1.0)) + 100
    below = lambda row: float(limits.log_likelihood(row, 1.0, 1.0, -1, (2.0, 0.01), (-1,)))  # noqa: E731
    assert below(row) > below(noise.LOGNORMAL) + 1000
    assert robust(noise.POISSON, loss) is noise.POISSON and robust(noise.NORMAL, None) is noise.NORMAL


def test_losses_are_read():
    assert read_loss("likelihood") is None
    assert read_loss("huber") == Loss("huber", 1.345) and read_loss("cauchy(3)") == Loss("cauchy", 3.0)
    for text in ("tukey", "huber(", "huber(-1)", "huber(x)", ""):
        with pytest.raises(UsageError) as error:
            read_loss(text)
        assert error.value.diagnostics[0].code == "E0757"


@pytest.mark.parametrize("loss", ["huber", "cauchy"])
def test_outliers_do_not_steer_a_robust_fit(loss):
    model = ho.parse(DECAY)
    run = ho.fit(model, data(3), loss=loss, starts=1)
    assert run.status == "converged"
    assert run.parameters["k"] == pytest.approx(0.4, abs=0.03 if loss == "cauchy" else 0.08)  # huber still listens a little
    assert run.parameters["x(0)"] == pytest.approx(3.0, abs=0.12 if loss == "cauchy" else 0.3)
    objective = run.result["objective"]
    assert objective["aic"] is None and "loss" in objective["aic_reason"]
    assert any(line.startswith(f"loss {loss}") for line in run.log)
    assert objective["loss"] < objective["nll"]


def test_a_loss_that_acts_on_nothing_is_refused():
    model = ho.parse(DECAY.replace("normal(x, s)", "poisson(x)").replace("param s = 0.1 in (0.001, 10) log\n", ""))
    with pytest.raises(UsageError) as error:
        ho.fit(model, data().assign(x=[3] * len(TIMES)), loss="huber")
    assert error.value.diagnostics[0].code == "E0758"


# ---- weights ------------------------------------------------------------------------------------------------------------
def test_a_weight_of_0_leaves_a_record_out_and_one_of_2_counts_it_twice():
    model, one = ho.parse(DECAY), data(1)
    twice = pd.concat([one.drop(4), one.iloc[[7]]])
    expected = ho.fit(model, twice, starts=1)
    weight = np.where(np.arange(len(one)) == 4, 0.0, np.where(np.arange(len(one)) == 7, 2.0, 1.0))
    found = ho.fit(model, one.assign(w=weight), weights={"x": "w"}, starts=1)
    for name in ("k", "s", "x(0)"):
        assert found.parameters[name] == pytest.approx(expected.parameters[name], rel=1e-5)
        both = [run.result["parameters"][name]["se"] for run in (found, expected)]
        assert both[0] == pytest.approx(both[1], rel=1e-4)
    assert found.result["objective"]["n_data"] == len(one) - 1
    assert found.result["objective"]["aic"] is None and "weights" in found.result["objective"]["aic_reason"]
    assert (found.residuals["used"] == "left_out").sum() == 1
    assert any("weights of `x` from column `w`" in line for line in found.log) and not found.result["data"]["unmatched"]


def test_wrong_weights_are_refused():
    model = ho.parse(DECAY)
    for weights in ({"y": 1.0}, {"x": "no_column"}, {"x": -1.0}, {"*": 0.0}, {"x": "hole"}):
        with pytest.raises(DataError) as error:
            ho.fit(model, data(hole=[1.0] * 24 + [None]), weights=weights)
        assert error.value.diagnostics[0].code == "E0759"


def test_weights_are_not_ignored_where_the_data_are_read_already(tmp_path):
    model, frame = ho.parse(DECAY), data(1)
    (tmp_path / "fit.toml").write_text("[weights]\nx = 2.0\n")
    read = experiments(model.declarations, frame)
    for options in ({"weights": {"x": 2.0}}, {"columns": {"x": "x"}}, {"settings_file": tmp_path / "fit.toml"}):
        with pytest.raises(UsageError) as error:
            ho.fit(model, read, **options)
        assert error.value.diagnostics[0].code == "E0856"
    weights = experiments(model.declarations, frame, weights={"x": 2.0}).series[0].records.weight
    np.testing.assert_array_equal(weights, 2.0)
