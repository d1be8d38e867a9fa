"""Fits with learnt terms: scales from the data, both training paths, physics plus networks on real and made data."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import scipy.integrate

from hybridode.data.experiments import experiments
from hybridode.errors import Source
from hybridode.fit.run import fit
from hybridode.fit.search.initial import scale_networks
from hybridode.fit.search.smooth import smooth_states
from hybridode.language.check import declare
from hybridode.networks.weights import first_weights
from tests.fit.test_fit import check

EXAMPLES = Path(__file__).parents[2] / "examples"

GROWTH = """model growth
state x = 0.3
dx/dt = NN(x, hidden=[4], reg=l2(0.01))
param s = 0.05 in (0.001, 1) log
observe x ~ normal(x, s)
"""
TIMES = np.linspace(0, 6, 25)
LOGISTIC = 1 / (1 + (1 / 0.3 - 1) * np.exp(-1.5 * TIMES))


def model(text):
    return declare(Source("model.ode", text))


def growth_data(seed=0, noise=0.01):
    return pd.DataFrame({"t": TIMES, "x": LOGISTIC + noise * np.random.default_rng(seed).normal(size=len(TIMES))})


def scales(text, data):
    declarations = model(text)
    dataset = experiments(declarations, data)
    return scale_networks(dataset.declarations, dataset, smooth_states(dataset), {}, first_weights(dataset.declarations))


def test_inputs_and_outputs_are_scaled_from_the_data():
    text = GROWTH.replace("NN(x, hidden=[4], reg=l2(0.01))", "x*NN(x, hidden=[4])")
    exact = pd.DataFrame({"t": TIMES, "x": LOGISTIC})
    found = scales(text, exact)["NN_x"]
    fine = np.interp(np.linspace(0, 6, 1001), TIMES, LOGISTIC)
    assert found["shift"] == pytest.approx(fine.mean(), rel=0.02)
    assert found["scale"] == pytest.approx(fine.std(), rel=0.05)
    slope = 1.5 * fine * (1 - fine)
    assert float(found["out_scale"]) == pytest.approx(slope.std() / np.median(fine), rel=0.1)  # d rate / d NN = x


def test_what_the_text_says_stays_and_what_is_not_seen_is_scaled_by_its_start():
    text = """model m
state x = 0.3
state hidden = 40
dx/dt = NN(x, hidden, hidden=[4], shift=[1, 2], out_scale=7)
dhidden/dt = -NN(hidden, hidden=[4])
observe x ~ normal(x, 0.1)
"""
    found = scales(text, growth_data())
    np.testing.assert_allclose(found["NN_x"]["shift"], [1, 2])
    assert float(found["NN_x"]["out_scale"]) == 7
    np.testing.assert_allclose(found["NN_x"]["scale"][1], 40)
    np.testing.assert_allclose(found["NN_hidden"]["shift"], 0)
    assert float(found["NN_hidden"]["out_scale"]) == pytest.approx(40 / 6)


def test_a_network_in_an_equation_that_holds_with_others_is_scaled_by_its_unknown():
    exact = pd.DataFrame({"t": TIMES, "x": LOGISTIC, "z": 50 * LOGISTIC})
    slope = 1.5 * LOGISTIC * (1 - LOGISTIC)
    base = "model m\nstate x = 0.3\nalg z = 0\n"
    implicit = scales(base + "4*x' = NN(x) - z\nz = x", exact[["t", "x"]])["NN_x"]
    assert implicit["out_scale"] == pytest.approx(4 * np.std(slope), rel=0.1)
    algebraic = scales(base + "x' = -x\n0 = 2*z - 3*NN(x)", exact)["NN_z"]
    assert algebraic["out_scale"] == pytest.approx(2 / 3 * np.std(50 * LOGISTIC), rel=0.05)
    assert algebraic["shift"] == pytest.approx([np.mean(LOGISTIC)], rel=0.05)
    unseen = scales(base.replace("alg z = 0", "alg z = 7") + "x' = -x\n0 = z - NN(x)", exact[["t", "x"]])["NN_z"]
    assert unseen["out_scale"] == pytest.approx(7)


def test_smoothing_follows_the_curve_and_not_the_noise():
    dataset = experiments(model(GROWTH), growth_data(noise=0.02))
    (curve,) = smooth_states(dataset)[0].values()
    assert np.sqrt(np.mean((curve.value(TIMES) - LOGISTIC) ** 2)) < 0.02
    inner = TIMES[2:-2]
    exact = np.interp(inner, TIMES, 1.5 * LOGISTIC * (1 - LOGISTIC))
    assert np.sqrt(np.mean((curve.slope(inner) - exact) ** 2)) < 0.05


def test_a_learnt_term_fits_to_the_noise_and_is_the_truth_where_there_are_data():
    run = check(fit(model(GROWTH), growth_data()))
    assert run.result["status"] == "converged"
    noise = np.std(growth_data()["x"] - LOGISTIC)
    assert 0.6 * noise < run.parameters["s"] < 1.05 * noise
    at_data = run.predictions[run.predictions["kind"] == "data"]["location"].to_numpy()
    assert np.sqrt(np.mean((at_data - LOGISTIC) ** 2)) < 0.008
    network = run.result["networks"]["NN_x"]
    assert {k: network[k] for k in ("layers", "n_weights", "frozen")} == {"layers": [1, 4, 1], "n_weights": 13, "frozen": False}
    np.testing.assert_allclose(network["share"], 1, atol=1e-9)  # the whole rate is the network's
    w = run.weights["NN_x"]
    x = np.linspace(0.35, 0.95, 30)
    hidden = np.tanh(w["W0"] @ ((x[None] - w["shift"][:, None]) / w["scale"][:, None]) + w["b0"][:, None])
    learnt = (w["W1"] @ hidden + w["b1"][:, None])[0] * w["out_scale"]
    assert np.max(np.abs(learnt - 1.5 * x * (1 - x))) < 0.06
    assert any("matched to smoothed slopes" in line for line in run.log)


@pytest.mark.slow
def test_an_unobserved_state_is_learnt_by_adam_on_a_growing_horizon():
    text = """model hidden
state x = 0.3
state y = 1
param k = 1 in (0.1, 10) log
dx/dt = NN(x, hidden=[3], reg=l2(0.01))*y
dy/dt = -0.01*k*y
param s = 0.05 in (0.001, 1) log
observe x ~ normal(x, s)
"""
    run = check(fit(model(text), growth_data()))
    stages = list(dict.fromkeys(run.trace["stage"]))
    assert stages[:5] == ["physics alone", "adam 20 %", "adam 40 %", "adam 70 %", "adam 100 %"]
    assert run.parameters["s"] < 1.1 * np.std(growth_data()["x"] - LOGISTIC)


@pytest.mark.slow
def test_starts_of_networks_differ_and_repeat():
    first, again = (fit(model(GROWTH), growth_data(), starts=2, seed=5) for _ in range(2))
    objectives = [s["objective"] for s in first.result["starts"]]
    assert objectives == [s["objective"] for s in again.result["starts"]]
    assert len(set(objectives)) == 2
    np.testing.assert_array_equal(first.weights["NN_x"]["W0"], again.weights["NN_x"]["W0"])


@pytest.mark.slow
def test_a_large_network_is_trained_by_adam_and_l_bfgs():
    run = check(fit(model(GROWTH.replace("hidden=[4]", "hidden=[16, 16]")), growth_data()))
    assert {"adam 100 %", "l-bfgs"} <= set(run.trace["stage"])
    assert run.parameters["s"] < 1.1 * np.std(growth_data()["x"] - LOGISTIC)
    assert np.isfinite(run.parameters_table.set_index("name").loc["s", "se"])


def interaction_data(seed):
    """Scenario 1 of the universal-differential-equations paper (arXiv:2001.04385): noise of 0.5 % of the mean."""
    t = np.arange(0, 3.0001, 0.1)
    solution = scipy.integrate.solve_ivp(
        lambda t, y: [1.3 * y[0] - 0.9 * y[0] * y[1], 0.8 * y[0] * y[1] - 1.8 * y[1]],
        (0, 3), [0.44249296, 4.6280594], "DOP853", t, rtol=1e-12, atol=1e-12,
    )  # fmt: skip
    noise = 0.005 * solution.y.mean(axis=1)
    noisy = solution.y + noise[:, None] * np.random.default_rng(seed).normal(size=solution.y.shape)
    return pd.DataFrame({"t": t, "x": noisy[0], "y": noisy[1]}), solution.y, noise


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0, 1, 2])
@pytest.mark.parametrize("act", ["tanh", "rbf"])
def test_universal_differential_equation_fits_to_the_noise(seed, act):
    text = (EXAMPLES / "lotka_volterra_ude" / "lotka_volterra_ude.ode").read_text().replace("act=tanh", f"act={act}")
    data, truth, noise = interaction_data(seed)
    run = check(fit(model(text), data, seed=seed))
    assert run.result["status"] in ("converged", "stopped")
    at_data = run.predictions[run.predictions["kind"] == "data"]
    for column, exact, size in zip("xy", truth, noise, strict=True):
        found = at_data[at_data["column"] == column]["location"].to_numpy()
        assert np.sqrt(np.mean((found - exact) ** 2)) < size  # closer to the truth than the data are
        assert np.sqrt(np.mean((found - data[column]) ** 2)) < 1.2 * size


@pytest.mark.slow
def test_lynx_and_hare_with_a_learnt_interaction_forecasts_the_years_held_out():
    folder = EXAMPLES / "lynx_hare"
    runs = [
        check(fit(model((folder / name).read_text()), folder / "pelts.csv", hold_out="last:5"))
        for name in ("lynx_hare.ode", "lynx_hare_hybrid.ode")
    ]
    physics, hybrid = (r.result["hold_out"] for r in runs)
    assert all(r.result["status"] == "converged" for r in runs)
    assert hybrid["n"] == 10
    # Predicting the mean of the years before would be wrong by 19 (root mean square, thousands of pelts).
    assert hybrid["rmse"] < 10
    assert hybrid["log_score"] > physics["log_score"] - 0.5
