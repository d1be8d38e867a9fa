"""Residual tests: each rejects right models in one of twenty cases, and finds what is wrong with wrong ones."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import scipy.stats as st
from scipy.stats import binomtest
from statsmodels.sandbox.stats.runs import Runs
from statsmodels.stats.diagnostic import acorr_ljungbox, normal_ad

import hybridode.api as ho
from hybridode.fit.criticism import statistics
from hybridode.fit.criticism.records import Rows, quantile_residuals
from hybridode.fit.criticism.residual_tests import ResidualTests, of_residuals, residual_tests
from hybridode.fit.criticism.taken import Taken
from hybridode.fit.objective import noise as noises

SETS = 150


def rows(t: np.ndarray, y: np.ndarray, noise: noises.Noise, *arguments: np.ndarray, censored: np.ndarray | None = None) -> Rows:
    nothing = np.zeros(len(t), int) if censored is None else censored
    return Rows(0, 0, noise, np.arange(len(t)) + 2, t, y, y, nothing, np.full(len(t), "fit"), arguments)


def test_statistics_are_those_of_scipy_and_statsmodels() -> None:
    z = np.random.default_rng(0).standard_normal((4, 37)) ** 3
    for row, a, b, c in zip(z, statistics.runs(z), statistics.ljung_box(z), statistics.anderson(z), strict=True):
        assert a == pytest.approx(Runs((row > 0).astype(int)).runs_test(correction=False)[0], rel=1e-9)
        assert b == pytest.approx(acorr_ljungbox(row, lags=[5])["lb_stat"].iloc[0], rel=1e-9)
        assert c == pytest.approx(normal_ad(row)[0], rel=1e-6)
        x = np.arange(37.0)
        assert statistics.grows_with(x)(row[None])[0] == pytest.approx(st.spearmanr(np.abs(row), x).statistic, rel=1e-9)


DISTRIBUTIONS = (
    (noises.NORMAL, (3.0, 0.7), lambda a, r, n: r.normal(*a, n)),
    (noises.LOGNORMAL, (3.0, 0.7), lambda a, r, n: a[0] * np.exp(a[1] * r.standard_normal(n))),
    (noises.STUDENT, (3.0, 1.0, 2.0), lambda a, r, n: a[1] + a[2] * r.standard_t(a[0], n)),
    (noises.LAPLACE, (1.0, 2.0), lambda a, r, n: r.laplace(*a, n)),
    (noises.POISSON, (2.5,), lambda a, r, n: r.poisson(a[0], n)),
    (noises.NEGBINOMIAL, (4.0, 1.5), lambda a, r, n: r.negative_binomial(a[1], a[1] / (a[0] + a[1]), n)),
    (noises.BERNOULLI, (0.3,), lambda a, r, n: r.random(n) < a[0]),
    (noises.BERNOULLI_LOGIT, (-0.8,), lambda a, r, n: r.random(n) < 1 / (1 + np.exp(0.8))),
)


@pytest.mark.parametrize(("noise", "arguments", "draw"), DISTRIBUTIONS, ids=[n.name for n, *_ in DISTRIBUTIONS])
@pytest.mark.parametrize("limit", [False, True])
def test_quantile_residuals_of_any_noise_are_normal(noise: noises.Noise, arguments: tuple, draw: object, limit: bool) -> None:
    """Also where a part of the records is known by limits only."""
    random = np.random.default_rng(5)
    y = np.asarray(draw(arguments, random, 4000), float)
    censored = np.zeros(len(y), int)
    if limit:
        low = np.quantile(y, 0.3, method="higher")
        censored = np.where(y < low, -1, 0)
        y = np.where(y < low, low, y)
    found = rows(np.arange(4000.0), y, noise, *(np.full(4000, a) for a in arguments), censored=censored)
    z = quantile_residuals(found, random)
    assert np.all(np.isfinite(z))
    assert st.kstest(z, "norm").pvalue > 1e-3
    if noise is noises.NORMAL and not limit:
        np.testing.assert_allclose(z, (y - 3) / 0.7, rtol=1e-9, atol=1e-12)


def test_far_tails_keep_their_digits() -> None:
    y = np.array([-30.0, 30.0])
    z = quantile_residuals(rows(y, y, noises.NORMAL, np.zeros(2), np.ones(2)), np.random.default_rng(0))
    np.testing.assert_allclose(z, y, rtol=1e-9)


def of_right_curves(random: np.random.Generator) -> list[ResidualTests]:
    """16 records of a curve with 5 fitted numbers: a third of the freedom is used up."""
    out = []
    for _ in range(SETS):
        t = np.sort(random.uniform(0, 1, 16))
        x = np.stack([np.ones_like(t), t, t**2, np.sin(5 * t), np.cos(5 * t)], axis=1)
        y = x @ random.standard_normal(5) + 0.3 * random.standard_normal(16)
        fit = x @ np.linalg.lstsq(x, y, rcond=None)[0]
        found = rows(t, y, noises.NORMAL, fit, np.full(16, np.std(y - fit)))
        taken = Taken(np.linalg.qr(x)[0], np.ones(5), (True,))
        out.append(of_residuals([found], [quantile_residuals(found, random)], taken, ["y"], [""], random))
    return out


def of_right_counts(random: np.random.Generator) -> list[ResidualTests]:
    t, mean = np.arange(16.0), np.linspace(1.0, 5.0, 16)
    found = [rows(t, random.poisson(mean).astype(float), noises.POISSON, mean) for _ in range(SETS)]
    taken = Taken(np.zeros((16, 0)), np.zeros(0), (False,))
    return [of_residuals([f], [quantile_residuals(f, random)], taken, ["y"], [""], random) for f in found]


@pytest.mark.parametrize("of", [of_right_curves, of_right_counts], ids=["curves", "counts"])
def test_each_test_rejects_a_right_model_in_one_of_twenty_cases(of: Callable[[np.random.Generator], list[ResidualTests]]) -> None:
    found = of(np.random.default_rng(1))
    names = [t.name for t in found[0].tests]
    assert set(names) >= {"runs", "autocorrelation", "normality", "size against prediction", "size against time"}
    assert ("spread" in names) == (of is of_right_counts)
    for i, name in enumerate(names):
        rejected = sum(f.tests[i].p <= 0.05 for f in found)
        assert binomtest(rejected, SETS, 0.05).pvalue > 1e-3, (name, rejected)
    assert binomtest(sum(bool(f.wrong) for f in found), SETS, 0.05).pvalue > 1e-3


MODEL = """model decay
time t from 0
param k = 0.5 in (0.01, 10) log
param s = 0.1 in (1e-3, 10) log
state x = 10 in (0.1, 100) log
x' = -k*x
observe x ~ {noise}
"""


def fitted(y: np.ndarray, t: np.ndarray, noise: str = "normal(x, s)") -> ResidualTests:
    text = MODEL.format(noise=noise)
    run = ho.fit(ho.parse(text if "s)" in noise else text.replace("param s = 0.1 in (1e-3, 10) log", "")), {"t": t, "x": y})
    assert run.status == "converged"
    return residual_tests(run.fitted.finished.prepared, run.fitted.finished.theta)


def test_what_is_wrong_is_said() -> None:
    t, random = np.linspace(0, 6, 60), np.random.default_rng(2)
    right = 10 * np.exp(-0.5 * t)
    assert fitted(right + 0.2 * random.standard_normal(60), t).sentences == [
        "nothing in the residuals speaks against the model and its noise (5 tests)"
    ]
    slow = fitted(right + 0.8 * np.sin(t) + 0.2 * random.standard_normal(60), t)
    assert any("come in long runs: the model misses a slow trend between t=" in s for s in slow.wrong)
    assert any("follows the one before it" in s for s in slow.wrong)
    relative = fitted(right * np.exp(0.15 * random.standard_normal(60)), t)
    assert any("grows with the prediction" in s for s in relative.wrong)
    y = right + 0.2 * random.standard_normal(60)
    y[30] += 3
    assert any("lies far off: line 31 (t=3.051" in s for s in fitted(y, t).wrong)
    counts = fitted(random.negative_binomial(3, 3 / (3 + 10 * right)).astype(float), t, "poisson(x)")
    assert any("times as much as the noise model says: `negbinomial" in s for s in counts.wrong)


def test_the_freedom_of_a_fit_is_what_it_learnt() -> None:
    """Two of the three numbers move predictions; the scale does not."""
    t, random = np.linspace(0, 6, 30), np.random.default_rng(3)
    found = fitted(10 * np.exp(-0.5 * t) + 0.2 * random.standard_normal(30), t)
    assert found.free == pytest.approx(2, abs=1e-3)
    assert np.sum(found.residuals[0] ** 2) == pytest.approx(30, rel=1e-3)
