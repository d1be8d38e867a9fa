"""Matching without networks, and what a smooth curve attains, against known noise and known parameters."""

from __future__ import annotations

import jax
import numpy as np
import pandas as pd
import pytest

from hybridode.fit.search.attainable import Attained, scatter, turns
from hybridode.fit.search.matching import match, noise_scales, with_noise_scales
from hybridode.fit.search.smooth import smooth_states
from tests.fit.test_shooting import OFF, TRUE_PREY, model, prepared, prey_data, prey_model


def matched(declarations, data):
    with jax.enable_x64(True):
        ready, dataset = prepared(declarations, data)
        objective = ready.objective
        theta = objective.theta(objective.space.unconstrain({}))
        found = match(objective, ready.fitted, smooth_states(dataset), theta)
        if found.theta is None:
            return None, found.words, {}
        natural = objective.space.natural(found.theta)
        scales = with_noise_scales(objective, found.theta, noise_scales(objective, ready.fitted))
    return {k: float(v) for k, v in natural.items()}, found.words, objective.space.natural(scales)


@pytest.mark.parametrize("n", [15, 60, 600])
def test_scatter_is_the_noise_about_a_smooth_curve(n):
    rng = np.random.default_rng(n)
    t = np.sort(rng.uniform(0, 6, n))
    found = [scatter(t, np.sin(t) + 0.05 * rng.normal(size=n)) for _ in range(20)]
    assert np.mean(found) == pytest.approx(0.05, rel=0.25 if n < 50 else 0.06)


def test_scatter_of_replicates_needs_no_curve():
    rng = np.random.default_rng(0)
    t = np.repeat(np.arange(10.0), 40)
    assert scatter(t, rng.normal(size=10)[t.astype(int)] * 7 + 0.3 * rng.normal(size=400)) == pytest.approx(0.3, rel=0.1)
    assert scatter(np.arange(5.0), np.ones(5)) is None


def test_turns_count_extremes_and_not_noise():
    t = np.linspace(0, 10, 400)
    wave = np.sin(2 * np.pi * t / 2)  # five periods
    assert turns(t, wave, None) == 10
    assert turns(t, wave + 0.1 * np.random.default_rng(0).normal(size=400), 0.1) == 10
    assert turns(t, np.exp(t), None) == 0


def test_how_much_worse_is_judged_by_how_many_records_there_are():
    few, many = (Attained("x", 1.5, 1.0, 5.0, n) for n in (9, 900))
    assert few.ratio < 1 < many.ratio
    assert many.ratio == pytest.approx(1.5 / (1 + 2.5 / 30))


def test_rates_linear_in_their_parameters_are_read_off_the_curves():
    found, words, scaled = matched(prey_model(off=True), prey_data(4, 30, noise=0.02))
    assert found is not None and "2 of 2 smoothed states" in words
    for name, value in TRUE_PREY.items():
        assert found[name] == pytest.approx(value, rel=0.1), name
        assert OFF[name] != 1
    assert float(scaled["s"]) == pytest.approx(1.5 * 0.02, rel=0.3)


def test_rates_not_linear_in_their_parameters():
    text = """model growth
param r = 0.3 in (0.01, 10) log
param K = 2 in (0.1, 100) log
param h = 4 in (0.1, 10)
state x = 1
dx/dt = r*x*(1 - x/K) - x^2/(h^2 + x^2)
observe x ~ normal(x, 0.05)
"""
    t = np.linspace(0, 12, 60)
    from scipy.integrate import solve_ivp

    truth = {"r": 0.9, "K": 9.0, "h": 1.5}
    rate = lambda t, x: truth["r"] * x * (1 - x / truth["K"]) - x**2 / (truth["h"] ** 2 + x**2)  # noqa: E731
    x = solve_ivp(rate, (0, 12), [1.0], "DOP853", t, rtol=1e-10).y[0]
    found, _, _ = matched(model(text), pd.DataFrame({"t": t, "x": x}))
    assert found is not None
    for name, value in truth.items():
        assert found[name] == pytest.approx(value, rel=0.05), name


def test_equations_that_read_unseen_states_are_left_out():
    text = """model chain
param k = 0.3 in (0.01, 10) log
param q = 1 in (0.01, 10) log
state x = 5
state y = 0
dx/dt = -k*x
dy/dt = k*x - q*y
observe x ~ normal(x, 0.01)
"""
    t = np.linspace(0, 3, 40)
    found, words, _ = matched(model(text), pd.DataFrame({"t": t, "x": 5 * np.exp(-0.8 * t)}))
    assert found is not None and "1 of 2 smoothed states" in words
    assert found["k"] == pytest.approx(0.8, rel=0.02)
    assert found["q"] == pytest.approx(1.0)  # nothing says anything about it
    unseen = text.replace("observe x ~ normal(x, 0.01)", "observe z ~ normal(x + y, 0.01)")
    found, words, _ = matched(model(unseen), pd.DataFrame({"t": t, "z": 5 * np.exp(-0.8 * t)}))
    assert found is None and words == "no state is observed as it is"


def test_starts_and_scales_by_group_come_from_the_curves_of_their_series():
    text = """model decay
param k = 0.3 in (0.01, 10) log
state x = 1 in (0.1, 100) log by lab
dx/dt = -k*x
param s = 0.1 in (0.001, 5) log by lab
observe x ~ normal(x, s)
"""
    t, rng = np.linspace(0, 3, 40), np.random.default_rng(0)
    series = {"a": (5.0, 0.02), "b": (20.0, 0.5)}
    frames = [
        pd.DataFrame({"lab": lab, "t": t, "x": x0 * np.exp(-0.8 * t) + s * rng.normal(size=40)})
        for lab, (x0, s) in series.items()
    ]
    with jax.enable_x64(True):
        ready, dataset = prepared(model(text), pd.concat(frames))
        objective = ready.objective
        found = match(objective, ready.fitted, smooth_states(dataset), objective.theta(objective.space.unconstrain({})))
        assert found.theta is not None
        theta = with_noise_scales(objective, found.theta, noise_scales(objective, ready.fitted))
    values = dict(zip(objective.space.names, objective.space.vector(theta), strict=True))
    assert values["k"] == pytest.approx(0.8, rel=0.1)
    starts, scales = ([v for n, v in values.items() if n.startswith(letter)] for letter in "xs")
    np.testing.assert_allclose(starts, [5, 20], rtol=0.1)
    np.testing.assert_allclose(scales, [1.5 * 0.02, 1.5 * 0.5], rtol=0.4)
