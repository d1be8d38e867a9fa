"""Optima of whole fits against SciPy's: likelihoods, priors, losses and constraints in NumPy, solves by `solve_ivp`, minimised
from elsewhere. Objectives agree to 1e-6, parameters to 1e-4 of their standard errors."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
import scipy.optimize
import scipy.stats as st
from scipy.integrate import solve_ivp

import hybridode as ho
from hybridode.solve.settings import Settings

PRECISE = Settings(rtol=1e-11, atol=1e-12)
TIMES = np.linspace(0, 6, 15)
DECAY = """model m
param k = 0.7 in (0.05, 5) log
param s = 0.1 in (0.001, 10) log
state x = 2 in (0.1, 50) log
x' = -k*x
observe x ~ normal(x, s)
"""


def solved(rates: Callable, y0: list[float], times: np.ndarray) -> np.ndarray:
    """States (n, T)."""
    found = solve_ivp(rates, (0.0, times[-1]), y0, method="DOP853", rtol=1e-11, atol=1e-12, t_eval=times)
    return found.y if found.success else np.full((len(y0), len(times)), np.nan)


def agrees(text: str, frame: pd.DataFrame, names: list[str], nll: Callable, **options: Any) -> None:
    """`nll` of the natural values of `names`."""
    run = ho.fit(ho.parse(text), frame, settings=PRECISE, starts=3, **options)
    assert run.status == "converged"
    ours = np.concatenate([np.ravel(run.result["parameters"][name]["value"]) for name in names])
    value = run.result["objective"]["value"]
    assert value == pytest.approx(nll(ours), abs=1e-7)
    begin = np.log(ours) + 0.03 * np.random.default_rng(0).normal(size=len(ours))
    best = scipy.optimize.minimize(lambda z: nll(np.exp(z)), begin, method="BFGS", jac="3-point", options={"gtol": 1e-8})
    assert np.max(np.abs(best.jac)) < 1e-3  # SciPy has arrived, as far as differences let it
    assert value <= best.fun + 1e-6
    assert value == pytest.approx(best.fun, abs=1e-6)
    errors = np.concatenate([np.ravel(run.result["parameters"][name]["se"]) for name in names])
    assert np.all(np.abs(np.exp(best.x) - ours) < 1e-4 * errors)


def test_scales_by_group_priors_and_weighted_replicates():
    rng, rows = np.random.default_rng(3), []
    for site, scale in (("A", 0.05), ("B", 0.3)):
        for r in range(2):
            y = 3 * np.exp(-0.4 * TIMES) + scale * rng.normal(size=len(TIMES))
            rows.append(pd.DataFrame({"site": site, "t": TIMES, "x": y, "w": 1.0 + r}))
    frame = pd.concat(rows)
    text = (
        DECAY.replace("(0.001, 10) log", "(0.001, 10) log by site") + "prior k ~ gamma(4, 8)\nprior x(0) ~ student(4, 2.5, 0.3)\n"
    )

    def nll(p):
        k, at_a, at_b, x0 = p
        total = -st.gamma(4, scale=1 / 8).logpdf(k) - st.t(4, 2.5, 0.3).logpdf(x0)
        for site, scale in (("A", at_a), ("B", at_b)):
            q = frame[frame["site"] == site]
            total -= np.sum(q["w"] * st.norm(x0 * np.exp(-k * q["t"]), scale).logpdf(q["x"]))
        return total

    agrees(text, frame, ["k", "s", "x(0)"], nll, weights={"x": "w"})


def test_a_robust_loss_with_a_limit():
    y = 3 * np.exp(-0.4 * TIMES) + 0.05 * np.random.default_rng(4).normal(size=len(TIMES))
    y[[3, 9]] += [2, 3]
    frame = pd.DataFrame({"t": TIMES, "x": [*map(repr, map(float, y[:-1])), "<0.4"]})

    def rho(s):
        return 2.385**2 * np.log1p(s / 2.385**2)

    def nll(p):
        k, s, x0 = p
        m = x0 * np.exp(-k * TIMES)
        seen = 0.5 * rho(((y - m) / s) ** 2) + np.log(s) + 0.5 * np.log(2 * np.pi)
        return np.sum(seen[:-1]) + 0.5 * rho(-2 * st.norm(m[-1], s).logcdf(0.4))

    agrees(DECAY, frame, ["k", "s", "x(0)"], nll, loss="cauchy")


def test_heavy_tails_bounded_priors_and_a_conserved_quantity():
    times = np.linspace(0.5, 8, 12)

    def exchange(a, b, x0, y0):
        x = (x0 + y0) * b / (a + b) + (x0 - (x0 + y0) * b / (a + b)) * np.exp(-(a + b) * times)
        return np.stack([x, x0 + y0 - x])

    seen = exchange(0.6, 0.2, 2.0, 0.3) + 0.05 * np.random.default_rng(5).standard_t(4, size=(2, 12))
    text = """model m
time t from 0
param a = 0.5 in (0.01, 5) log
param b = 0.3 in (0.01, 5) log
param s = 0.1 in (0.005, 3) log
state x = 1.5 in (0.1, 9) log
state y = 0.5 in (0.01, 9) log
prior b ~ halfnormal(0.3)
prior s ~ exponential(2)
x' = b*y - a*x
y' = a*x - b*y
observe x ~ student(4, x, s)
observe y ~ student(4, y, s)
"""

    def nll(p):
        a, b, s, x0, y0 = p
        fit = -np.sum(st.t(4, exchange(a, b, x0, y0), s).logpdf(seen))
        priors = -st.halfnorm(scale=0.3).logpdf(b) - st.expon(scale=0.5).logpdf(s)
        return fit + priors + len(times) * 0.5 * ((x0 + y0 - 2.25) / 0.02) ** 2

    frame = pd.DataFrame({"t": times, "x": seen[0], "y": seen[1]})
    agrees(text, frame, ["a", "b", "s", "x(0)", "y(0)"], nll, constraints={"x + y": {"equals": 2.25, "sd": 0.02}})


@pytest.mark.slow
def test_lotka_and_volterra_with_a_shared_scale():
    times = np.linspace(0, 12, 25)

    def model(a, b, c, d, x0, y0):
        return solved(lambda t, y: [a * y[0] - b * y[0] * y[1], -c * y[1] + d * y[0] * y[1]], [x0, y0], times)

    seen = model(0.6, 0.03, 0.8, 0.025, 30, 5) * np.exp(0.2 * np.random.default_rng(6).normal(size=(2, 25)))
    text = """model m
param a = 0.5 in (0.01, 5) log
param b = 0.02 in (0.001, 1) log
param c = 0.7 in (0.01, 5) log
param d = 0.02 in (0.001, 1) log
param s = 0.3 in (0.01, 3) log
state x = 25 in (1, 200) log
state y = 6 in (1, 200) log
x' = a*x - b*x*y
y' = -c*y + d*x*y
observe x ~ lognormal(x, s)
observe y ~ lognormal(y, s)
"""

    def nll(p):
        s = p[4]
        m = model(*p[:4], *p[5:])
        return np.sum(0.5 * (np.log(seen / m) / s) ** 2 + np.log(s * seen) + 0.5 * np.log(2 * np.pi))

    agrees(text, pd.DataFrame({"t": times, "x": seen[0], "y": seen[1]}), ["a", "b", "c", "d", "s", "x(0)", "y(0)"], nll)


@pytest.mark.slow
def test_an_epidemic_of_overdispersed_counts_with_limits():
    times = np.arange(1, 15.0)

    def model(beta, gamma, i0):
        rates = lambda t, y: [-beta * y[0] * y[1] / 763, beta * y[0] * y[1] / 763 - gamma * y[1]]  # noqa: E731
        return solved(rates, [763 - i0, i0], times)[1]

    mean = model(1.7, 0.45, 1.0)
    seen = st.nbinom(8, 8 / (8 + mean)).rvs(random_state=np.random.default_rng(7)).astype(float)
    text = """model m
time t from 0
param beta = 1.5 in (0.1, 10) log
param gamma = 0.5 in (0.05, 5) log
param k = 5 in (0.1, 1000) log
param i0 = 1.5 in (0.1, 20) log
state S
state I
S(0) = 763 - i0
I(0) = i0
S' = -beta*S*I/763
I' = beta*S*I/763 - gamma*I
observe cases ~ negbinomial(I, k)
"""

    def nll(p):
        k, m = p[2], model(p[0], p[1], p[3])
        counts = st.nbinom(k, k / (k + m))
        return -np.sum(np.where(seen < 5, counts.logcdf(4), counts.logpmf(seen)))

    cells = ["<5" if v < 5 else repr(float(v)) for v in seen]
    assert "<5" in cells
    agrees(text, pd.DataFrame({"t": times, "cases": cells}), ["beta", "gamma", "k", "i0"], nll)
