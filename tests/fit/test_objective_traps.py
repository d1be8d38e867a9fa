"""What a fit could get wrong without a word: priors, values at 0 on a logarithmic scale, limits and intervals in whole fits."""

from __future__ import annotations

import jax
import numpy as np
import pandas as pd
import pytest
import scipy.optimize
import scipy.stats

import hybridode as ho
from hybridode.errors import ModelError, UsageError

TIMES = np.linspace(0, 5, 30)
TRUTH = 3 * np.exp(-0.5 * TIMES)
HEAD = "model m\nparam k = 1 in (0.05, 5) log\nparam s = 0.3 in (0.01, 5) log\nstate x = 2 in (0.1, 50)\nx' = -k*x\n"


@pytest.fixture(autouse=True)
def float64():
    with jax.enable_x64(True):
        yield


def test_a_parameter_on_a_logarithmic_scale_is_not_0():
    with pytest.raises(ModelError) as error:
        ho.parse("model m\nparam k = 0 in (0, 5) log\nstate x = 1\nx' = -k*x\nobserve x ~ normal(x, 1)\n")
    first = error.value.diagnostics[0]
    assert first.span is not None and first.span.line == 2 and first.span.source.text[first.span.start : first.span.end] == "0"
    with pytest.raises(UsageError) as error:
        ho.fit(ho.parse(HEAD + "observe x ~ normal(x, s)\n"), pd.DataFrame({"t": TIMES, "x": TRUTH}), set={"k": 0.0})
    assert error.value.diagnostics[0].code == "E0851"


def test_a_prior_that_excludes_the_declared_value_is_said():
    text = HEAD + "prior k ~ uniform(2, 3)\nobserve x ~ normal(x, s)\n"
    run = ho.fit(ho.parse(text), pd.DataFrame({"t": TIMES, "x": TRUTH}), starts=1)
    assert any("a prior gives these values the density 0 (uniform)" in line for line in run.log)
    assert run.status == "failed" or 2 <= run.parameters["k"] <= 3


def test_a_fit_with_limits_and_intervals_is_scipys():
    """Values below 0.5 are limits, some are intervals: the optimum of the likelihood by SciPy's distribution functions."""
    y = TRUTH + 0.2 * np.random.default_rng(5).normal(size=len(TIMES))
    low = y < 0.5
    between = (np.arange(len(y)) % 4 == 1) & ~low
    intervals = [f"[{np.floor(v)}, {np.floor(v) + 1}]" for v in y]
    cells = np.where(low, "<0.5", np.where(between, intervals, [repr(float(v)) for v in y]))
    run = ho.fit(ho.parse(HEAD + "observe x ~ normal(x, s)\n"), pd.DataFrame({"t": TIMES, "x": cells}), starts=1)
    assert run.status == "converged" and low.sum() > 3 and between.sum() > 3

    def nll(z):
        k, s, x0 = np.exp(z)
        d = scipy.stats.norm(x0 * np.exp(-k * TIMES), s)
        inside = np.log(d.cdf(np.floor(y) + 1) - d.cdf(np.floor(y)))
        return -np.sum(np.where(low, d.logcdf(0.5), np.where(between, inside, d.logpdf(y))))

    best = scipy.optimize.minimize(nll, np.log([0.5, 0.2, 3.0]), method="Nelder-Mead", options={"xatol": 1e-8, "fatol": 1e-10})
    assert best.success
    assert run.result["objective"]["nll"] == pytest.approx(best.fun, abs=1e-4)
    found = [run.parameters["k"], run.parameters["s"], run.parameters["x(0)"]]
    np.testing.assert_allclose(found, np.exp(best.x), rtol=2e-3)


def test_the_combined_error_model_recovers_its_two_parts():
    """normal(x, sqrt(a^2 + (b*x)^2)): the optimum is that of SciPy, whose likelihood is at least that of the truth."""
    rng, t = np.random.default_rng(2), np.repeat(np.linspace(0, 6, 40), 5)
    x = 30 * np.exp(-0.8 * t)
    y = x + np.sqrt(0.2**2 + (0.1 * x) ** 2) * rng.normal(size=len(t))
    text = """model m
param k = 0.5 in (0.05, 5) log
param a = 0.5 in (0.01, 5) log
param b = 0.3 in (0.01, 2) log
state x = 20 in (1, 100)
x' = -k*x
observe x ~ normal(x, sqrt(a^2 + (b*x)^2))
"""
    run = ho.fit(ho.parse(text), pd.DataFrame({"t": t, "x": y}), starts=1)
    assert run.status == "converged"
    for name, truth in (("k", 0.8), ("a", 0.2), ("b", 0.1), ("x(0)", 30.0)):
        entry = run.result["parameters"][name]
        assert abs(entry["value"] - truth) < 3.5 * entry["se"], name
