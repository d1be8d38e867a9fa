"""Draws under the noise models that are no plain numbers, against integrals over a grid; what is said of them afterwards."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest
import scipy.special
import scipy.stats

import hybridode as ho
from hybridode.fit.inference.explored import explored
from hybridode.fit.objective.classes import ClassNumbers

HEAD = "model m\ntime t from 0\nparam k = 0.5 in (0.05, 3) log\nstate x = 2.5\nx' = -k*x\nobserve y ~ "
T = np.linspace(0.1, 4, 40)


def x_of(k: np.ndarray, t: float | np.ndarray) -> np.ndarray:
    return 2.5 * np.exp(-k * t)


def sampled(
    noise: str, cells: list, log_likelihood: Callable[[np.ndarray, float, int], np.ndarray], times: np.ndarray = T
) -> tuple:
    """The fit, its draws and what they say, once mean and spread of `k` are those of the integral over a grid."""
    run = ho.fit(ho.parse(HEAD + noise + "\n"), pd.DataFrame({"t": times, "y": cells}))
    sample = run.sample(draws=600, warmup=200, seed=1)
    k = np.exp(np.linspace(np.log(0.05), np.log(3), 4000))  # flat in its logarithm
    logs = np.sum([log_likelihood(k, t, i) for i, t in enumerate(times)], axis=0)
    weight = np.exp(logs - logs.max())
    mean = float(np.sum(weight * k) / np.sum(weight))
    sd = float(np.sqrt(np.sum(weight * (k - mean) ** 2) / np.sum(weight)))
    row = sample.table.iloc[0]
    assert abs(row["mean"] - mean) < 4 * row["mcse"]
    assert row["sd"] == pytest.approx(sd, rel=0.1)
    assert run.fitted.finished is not None
    return sample, explored(run.fitted.finished.prepared, sample)


def test_classes():
    logits = lambda k, t: np.stack([0 * x_of(k, t), 2 * x_of(k, t) - 2, 1 - x_of(k, t)], axis=-1)  # noqa: E731
    random = np.random.default_rng(3)
    labels = np.array(["deep", "light", "wake"])
    classes = [int(random.choice(3, p=scipy.special.softmax(logits(np.array(0.7), t)))) for t in T]
    log_likelihood = lambda k, t, i: scipy.special.log_softmax(logits(k, t), axis=-1)[:, classes[i]]  # noqa: E731
    sample, found = sampled("categorical(logits=[0, 2*x - 2, 1 - x])", list(labels[classes]), log_likelihood)
    chosen = sample.natural[..., 0].ravel()
    expected = scipy.special.softmax(logits(chosen, T[3]), axis=-1)
    bands = found.bands.set_index(["column", "time"])
    for c, label in enumerate(labels):
        row = bands.loc[(f"y[{label}]", T[3])]
        np.testing.assert_allclose(row[["lower95", "location", "upper95"]].to_numpy(float),
                                   np.quantile(expected[:, c], [0.025, 0.5, 0.975]), atol=0.02)  # fmt: skip
    checks = found.checks.table.set_index("statistic")
    assert checks.loc["share of class 2", "observed"] == pytest.approx(np.mean(np.array(classes) == 1))
    assert abs(checks.loc["share of class 2", "simulated"] - np.mean(scipy.special.softmax(
        np.stack([logits(chosen, t) for t in T]), axis=-1)[..., 1])) < 0.02  # fmt: skip


def test_counts_known_by_limits():
    random = np.random.default_rng(4)
    counts = random.poisson(10 * x_of(np.array(0.7), T[::4]))
    limits = {0: ("[{}, {}]", -2, 3), 2: (">{}", -1, 0), 8: ("<{}", 2, 0), 9: ("<{}", 3, 0)}
    cells, logs = [], {}
    for i, n in enumerate(counts):
        text, a, b = limits.get(i, ("{}", 0, 0))
        low, high = int(n) + a, int(n) + b
        cells.append(text.format(low, high))
        logs[i] = {  # ends of an interval are possible, limits are not
            "[{}, {}]": lambda p, low=low, high=high: np.log(p.cdf(high) - p.cdf(low - 1)),
            ">{}": lambda p, low=low: p.logsf(low),
            "<{}": lambda p, low=low: p.logcdf(low - 1),
            "{}": lambda p, low=low: p.logpmf(low),
        }[text]
    times = T[::4]
    log_likelihood = lambda k, t, i: logs[i](scipy.stats.poisson(10 * x_of(k, t)))  # noqa: E731
    _, found = sampled("poisson(10*x)", cells, log_likelihood, times)
    assert np.all(np.isfinite(found.log_likelihood[0])) and np.isfinite(found.loo.elpd)


def test_classes_drawn_for_a_bootstrap():
    """Each class as often as its probability says, for uniform numbers of any shape."""
    logits = (np.zeros((2, 5)), np.log(2.0), np.full((2, 5), np.log(5.0)))
    uniform = (np.arange(4000) + 0.5) / 4000
    found = np.stack([ClassNumbers(logits).ppf(np.full((2, 5), u)) for u in uniform])
    for number, p in ((1, 1 / 8), (2, 2 / 8), (3, 5 / 8)):
        np.testing.assert_allclose(np.mean(found == number, axis=0), p, atol=1e-3)
    assert ClassNumbers(logits).ppf(0.5).shape == (2, 5)


def test_records_that_say_nothing_of_the_parameters():
    """Before the event that reads `d` the curve is what it is; its posterior is a normal in closed form."""
    text = (
        "model m\ntime t from 0\nparam d = 1 in (-50, 50)\nstate x = 2\nx' = 0\nat 2 { x := x + d }\nobserve y ~ normal(x, 0.5)\n"
    )
    y = np.array([2.1, 1.8, 3.4, 3.1, 3.9])
    run = ho.fit(ho.parse(text), pd.DataFrame({"t": [0.5, 1.0, 3.0, 4.0, 5.0], "y": y}))
    sample = run.sample(draws=600, warmup=200, seed=1)
    row, (mean, sd) = sample.table.iloc[0], (np.mean(y[2:]) - 2, 0.5 / np.sqrt(3))
    assert abs(row["mean"] - mean) < 4 * row["mcse"]
    assert float(row["sd"]) == pytest.approx(sd, rel=0.1)
    elpd = run.loo(sample).pointwise["elpd"].to_numpy(float)
    np.testing.assert_allclose(elpd[:2], scipy.stats.norm.logpdf(y[:2], 2, 0.5), rtol=1e-6)
    for i in (2, 3, 4):
        others = np.delete(y[2:], i - 2)
        exact = scipy.stats.norm.logpdf(y[i], np.mean(others), 0.5 * np.sqrt(1 + 1 / 2))
        assert elpd[i] == pytest.approx(exact, abs=0.06)
