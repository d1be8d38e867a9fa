"""Censored records: below, above and between, for every noise model, against mpmath, far into the tails."""

from __future__ import annotations

from functools import cache, partial

import jax
import jax.numpy as jnp
import mpmath
import numpy as np
import pandas as pd
import pytest
import scipy.stats

import hybridode as ho
from hybridode.fit.objective import limits, noise

mpmath.mp.dps = 60


@pytest.fixture(autouse=True)
def float64():
    with jax.enable_x64(True):
        yield


def _negbinomial(m, k, j):
    return mpmath.gamma(j + k) / mpmath.gamma(k) / mpmath.factorial(j) * (k / (k + m)) ** k * (m / (k + m)) ** j


def _student(z, df):
    """P(T < z) for z <= 0."""
    return mpmath.betainc(df / 2, mpmath.mpf(1) / 2, 0, df / (df + z**2), regularized=True) / 2


# (standardised value, P(Z < z) for z <= 0) of symmetric distributions; of one over whole numbers P(X = j)
SYMMETRIC = {
    noise.NORMAL: lambda x, m, s: ((x - m) / s, mpmath.ncdf),
    noise.LOGNORMAL: lambda x, m, s: (mpmath.log(x / m) / s if x > 0 else -mpmath.inf, mpmath.ncdf),
    noise.STUDENT: lambda x, df, m, s: ((x - m) / s, lambda z: _student(z, df)),
    noise.LAPLACE: lambda x, m, b: ((x - m) / b, lambda z: mpmath.exp(z) / 2),
}
MASS = {
    noise.POISSON: lambda j, m: mpmath.exp(-m) * m**j / mpmath.factorial(j),
    noise.NEGBINOMIAL: lambda j, m, k: _negbinomial(m, k, j),
    noise.BERNOULLI: lambda j, p: (1 - p, p)[j] if j in (0, 1) else mpmath.mpf(0),
    noise.BERNOULLI_LOGIT: lambda j, a: (1 / (1 + mpmath.exp(a)), 1 / (1 + mpmath.exp(-a)))[j] if j in (0, 1) else mpmath.mpf(0),
}


def probability(row, low, high, arguments):
    """P(low < X < high) by mpmath; None stands for no end."""
    of = [mpmath.mpf(a) for a in arguments]
    if row in MASS:
        first = 0 if low is None else max(int(np.floor(low)) + 1, 0)
        last = int(np.ceil(high)) - 1 if high is not None else first + 600
        return mpmath.fsum(MASS[row](j, *of) for j in range(first, last + 1))
    below = lambda z, tail: mpmath.mpf(0) if z == -mpmath.inf else tail(z) if z <= 0 else 1 - tail(-z)  # noqa: E731
    ends = [None if x is None else SYMMETRIC[row](mpmath.mpf(x), *of) for x in (low, high)]
    if ends[0] is not None and ends[0][0] > 0:  # mirrored, so that both tails are small
        ends = [None if e is None else (-e[0], e[1]) for e in reversed(ends)]
    lower = mpmath.mpf(0) if ends[0] is None else below(*ends[0])
    return (mpmath.mpf(1) if ends[1] is None else below(*ends[1])) - lower


CASES = [
    # row, arguments, (low, high): the middle, a far tail on each side, a narrow and a wide interval
    (noise.NORMAL, (1.5, 0.7), [(1.0, 2.0), (30.0, 31.0), (-40.0, -39.9), (1.2, 1.2 + 1e-7), (-9.0, 9.0), (None, -60.0)]),
    (noise.LOGNORMAL, (2.0, 0.4), [(1.0, 2.0), (1e5, 2e5), (1e-9, 2e-9), (0.0, 1.0), (-1.0, 3.0), (None, 1e-8), (1e9, None)]),
    (noise.STUDENT, (3.5, 1.0, 0.6), [(1.0, 2.0), (300.0, 310.0), (-1e5, -2e4), (0.8, 0.8 + 1e-6), (None, -1e8), (1e8, None)]),
    (noise.STUDENT, (400.0, 1.0, 0.01), [(3.0, 3.1), (None, -9.0), (60.0, None)]),
    (noise.LAPLACE, (-1.0, 0.5), [(-2.0, 3.0), (-1.01, -0.98), (900.0, 901.0), (-0.5, -0.5 + 1e-6), (None, -800.0)]),
    (noise.POISSON, (3.7,), [(2.0, 6.0), (2.5, 3.5), (200.0, 203.0), (1.0, 90.0), (None, 1.0), (250.0, None)]),
    (noise.POISSON, (900.0,), [(2.0, 6.0), (3.0, 90.0), (None, 0.5), (None, 20.0)]),
    (noise.NEGBINOMIAL, (3.7, 1.6), [(2.0, 6.0), (300.0, 302.0), (1.0, 90.0), (None, 1.0), (150.0, None)]),
    (noise.NEGBINOMIAL, (5000.0, 90.0), [(1.0, 3.0), (2.0, 60.0), (None, 5.0)]),
    (noise.NEGBINOMIAL, (0.02, 0.05), [(0.0, 3.0), (None, 1.0), (None, 6.0), (5.0, None)]),
    (noise.STUDENT, (0.3, 0.0, 1.0), [(None, 0.0), (-0.1, 40.0), (None, -1e12), (1e12, None)]),
    (noise.BERNOULLI, (0.3,), [(-0.5, 0.5), (0.5, 1.5), (-1.0, 2.0), (None, 0.5), (0.5, None)]),
    (noise.BERNOULLI_LOGIT, (-30.0,), [(-0.5, 0.5), (0.5, 1.5), (-1.0, 2.0), (None, 0.5), (0.5, None)]),
]  # fmt: skip
IDS = [f"{row.name}{arguments}" for row, arguments, _ in CASES]


# What compiles quickly; the others go through the same code.
QUICK = (noise.NORMAL, noise.LOGNORMAL, noise.LAPLACE, noise.BERNOULLI)


def record(low, high):
    """value, upper, censored"""
    if low is None:
        return high, high, -1
    return (low, low, 1) if high is None else (low, high, 2)


@cache
def value_and_gradient(row):
    def value(arguments, v, u, c):
        return limits.log_likelihood(row, v, u, c, tuple(arguments))

    return jax.jit(jax.value_and_grad(value))


@pytest.mark.parametrize(("row", "arguments", "ends"), CASES, ids=IDS)
def test_log_probabilities_and_their_gradients_are_those_of_many_digits(row, arguments, ends):
    for low, high in ends:
        found, gradient = value_and_gradient(row)(jnp.array(arguments), *record(low, high))
        exact = mpmath.log(probability(row, low, high, arguments))
        assert float(found) == pytest.approx(float(exact), rel=2e-8, abs=1e-12), (low, high)
        for i in range(len(arguments)):
            step = mpmath.mpf(10) ** -12 * max(abs(mpmath.mpf(arguments[i])), 1)
            moved = [[a + sign * step * (i == j) for j, a in enumerate(map(mpmath.mpf, arguments))] for sign in (1, -1)]
            up, down = (mpmath.log(probability(row, low, high, x)) for x in moved)
            slope = (up - down) / (2 * step)
            size = max(1.0, abs(float(slope)))
            assert float(gradient[i]) == pytest.approx(float(slope), rel=1e-5, abs=1e-5 * size), (low, high, row.arguments[i])


@pytest.mark.parametrize(("row", "arguments", "ends"), [c for c in CASES if c[0] in QUICK])
def test_information_of_limits_is_finite_and_not_negative(row, arguments, ends):
    records = [record(*pair) for pair in ends]
    value, upper, censored = (jnp.array(x, float) for x in zip(*records, strict=True))
    found = jax.jit(partial(limits.information, row))(value, upper, censored, jnp.tile(jnp.array(arguments), (len(ends), 1)))
    assert np.all(np.isfinite(found))
    assert np.all(np.linalg.eigvalsh(found) >= -1e-9 * (1 + np.abs(found).max()))


def test_a_narrow_interval_carries_the_information_of_a_value_and_a_wide_one_nothing():
    """Normal noise: 1/sd^2 and 2/sd^2 as the interval shrinks, 0 as it covers everything, of one sd around the mean the rest of
    the variance, 1 - Var(z | |z| < 1)."""
    value, upper = jnp.array([1.2, -80.0, 0.5]), jnp.array([1.2 + 1e-4, 80.0, 1.5])
    at = jnp.tile(jnp.array([1.0, 0.5]), (3, 1))
    found = jax.jit(partial(limits.information, noise.NORMAL, kinds=(2,)))(value, upper, jnp.array([2, 2, 2]), at)
    np.testing.assert_allclose(found[0], np.diag([4.0, 8.0]), rtol=1e-5)
    np.testing.assert_allclose(found[1], 0.0, atol=1e-12)
    assert float(found[2, 0, 0]) == pytest.approx(4 * (1 - scipy.stats.truncnorm(-1, 1).var()), rel=1e-5)


def test_an_empty_interval_is_impossible():
    for row, arguments, _ in CASES:
        low = 0.2 if row in SYMMETRIC else 3.2
        high = low if row in SYMMETRIC else 3.6
        assert float(value_and_gradient(row)(jnp.array(arguments), low, high, 2)[0]) == -np.inf


def test_kinds_are_those_of_used_records():
    censored = np.array([[0, -1, 2], [1, 0, 0]])
    assert limits.kinds_of(censored, np.ones((2, 3))) == (-1, 1, 2)
    assert limits.kinds_of(censored, np.array([[1, 1, 0], [0, 1, 1]])) == (-1,)


# ---- predictions at the edge of what is possible -------------------------------------------------------------------------
EDGES = [
    # row, arguments, record, log-probability, slope in the first argument (from the inside): limits for arguments -> 0
    (noise.LOGNORMAL, (0.0, 0.4), (0.5, 0.5, -1), 0.0, 0.0),
    (noise.LOGNORMAL, (1e-320, 0.4), (0.5, 0.5, -1), 0.0, 0.0),
    (noise.LOGNORMAL, (1e-200, 0.4), (0.5, 0.5, -1), 0.0, 0.0),
    (noise.LOGNORMAL, (0.0, 0.4), (0.0, 2.0, 2), 0.0, 0.0),
    (noise.LOGNORMAL, (0.0, 0.4), (0.5, 0.5, 1), -np.inf, None),
    (noise.LOGNORMAL, (0.0, 0.4), (0.5, 2.0, 2), -np.inf, None),
    (noise.POISSON, (0.0,), (0.0, 0.0, 0), 0.0, -1.0),
    (noise.POISSON, (0.0,), (1.0, 1.0, -1), 0.0, -1.0),
    (noise.POISSON, (0.0,), (7.0, 7.0, -1), 0.0, 0.0),
    (noise.POISSON, (0.0,), (3.0, 3.0, 0), -np.inf, None),
    (noise.NEGBINOMIAL, (0.0, 2.0), (0.0, 0.0, 0), 0.0, -1.0),
    (noise.NEGBINOMIAL, (0.0, 2.0), (1.0, 1.0, -1), 0.0, -1.0),
    (noise.NEGBINOMIAL, (0.0, 2.0), (7.0, 7.0, -1), 0.0, 0.0),
    (noise.NEGBINOMIAL, (0.0, 2.0), (0.0, 0.0, 1), -np.inf, None),
    (noise.BERNOULLI, (0.0,), (0.0, 0.0, 0), 0.0, -1.0),
    (noise.BERNOULLI, (1.0,), (1.0, 1.0, 0), 0.0, 1.0),
    (noise.BERNOULLI, (0.0,), (0.5, 0.5, -1), 0.0, -1.0),
    (noise.BERNOULLI, (0.0,), (1.0, 1.0, 0), -np.inf, None),
    (noise.BERNOULLI_LOGIT, (-800.0,), (0.0, 0.0, 0), 0.0, 0.0),
    (noise.BERNOULLI_LOGIT, (-800.0,), (1.0, 1.0, 0), -800.0, 1.0),
]


@pytest.mark.parametrize(("row", "arguments", "of", "value", "slope"), EDGES, ids=lambda x: getattr(x, "name", str(x)))
def test_a_prediction_at_the_edge_has_the_probability_that_it_tends_to(row, arguments, of, value, slope):
    found, gradient = value_and_gradient(row)(jnp.array(arguments), *of)
    assert float(found) == value
    assert bool(limits.possible(row, jnp.array(of[2]), tuple(jnp.array(arguments)))) or value == -np.inf
    if slope is not None:
        assert np.all(np.isfinite(gradient)) and float(gradient[0]) == pytest.approx(slope, abs=1e-12)
    near = [mpmath.mpf(a) or mpmath.mpf(10) ** -40 for a in arguments]  # what it tends to, by many digits
    if row is not noise.BERNOULLI_LOGIT and value == 0.0 and of[2] == -1:
        assert abs(mpmath.log(probability(row, None, of[0], near))) < 1e-30


def test_information_at_the_edge_is_finite():
    for row, arguments in ((noise.LOGNORMAL, (0.0, 0.4)), (noise.POISSON, (0.0,)), (noise.BERNOULLI, (0.0,))):
        value, upper, censored = jnp.array([1.0, 0.0]), jnp.array([1.0, 2.0]), jnp.array([-1, 2])
        found = jax.jit(partial(limits.information, row))(value, upper, censored, jnp.tile(jnp.array(arguments), (2, 1)))
        assert np.all(np.isfinite(found)), row.name


def test_a_drug_that_is_not_there_yet_is_below_its_limit(tmp_path):
    """Before the dose the model predicts exactly 0, which `<0.1` agrees with for every k: the fit without these records."""
    text = """model m
param k = 0.5 in (0.01, 5) log
param s = 0.3 in (0.01, 3) log
state x = 0
x' = -k*x
at 2 { x := x + 10 }
observe x ~ lognormal(x, s)
"""
    t = np.array([3.0, 4.0, 5.0, 7.0, 9.0])
    y = 10 * np.exp(-0.8 * (t - 2)) * np.exp([0.1, -0.2, 0.05, 0.15, -0.1])
    with_limits = pd.DataFrame({"t": [0.0, 1.0, 2.0, *t], "x": ["<0.1", "<0.1", "<0.1", *map(repr, map(float, y))]})
    without = pd.DataFrame({"t": [0.0, *t], "x": [None, *y]})
    runs = [ho.fit(ho.parse(text), frame, starts=1) for frame in (with_limits, without)]
    assert [run.status for run in runs] == ["converged", "converged"]
    assert runs[0].result["objective"]["nll"] == pytest.approx(runs[1].result["objective"]["nll"], abs=1e-9)
    for name in ("k", "s"):
        assert runs[0].parameters[name] == pytest.approx(runs[1].parameters[name], rel=1e-6)
    with_value = with_limits.assign(x=[0.05, "<0.1", *with_limits["x"][2:]])
    failed = ho.fit(ho.parse(text), with_value, starts=1)  # a value is impossible there, and no perfect fit
    assert failed.status == "failed"
    assert any("1 predictions of `x` are impossible" in line and "line 1" in line for line in failed.log)
