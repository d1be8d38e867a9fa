"""Noise models against SciPy's distributions; information against expectations by quadrature and sums."""

from __future__ import annotations

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.stats

from hybridode.fit.objective import limits, noise

# name, arguments, scipy distribution of them, values
CASES = [
    (noise.NORMAL, (1.5, 0.7), scipy.stats.norm(1.5, 0.7), [-3.0, 1.2, 9.0]),
    (noise.LOGNORMAL, (2.0, 0.4), scipy.stats.lognorm(0.4, scale=2.0), [0.01, 1.9, 30.0]),
    (noise.STUDENT, (3.5, 1.0, 0.6), scipy.stats.t(3.5, 1.0, 0.6), [-8.0, 0.9, 40.0]),
    (noise.LAPLACE, (-1.0, 0.5), scipy.stats.laplace(-1.0, 0.5), [-9.0, -1.1, 7.0]),
    (noise.POISSON, (3.7,), scipy.stats.poisson(3.7), [0.0, 3.0, 25.0]),
    (noise.NEGBINOMIAL, (3.7, 1.6), scipy.stats.nbinom(1.6, 1.6 / (1.6 + 3.7)), [0.0, 3.0, 40.0]),
    (noise.BERNOULLI, (0.3,), scipy.stats.bernoulli(0.3), [0.0, 1.0]),
    (noise.BERNOULLI_LOGIT, (np.log(0.3 / 0.7),), scipy.stats.bernoulli(0.3), [0.0, 1.0]),
]
IDS = [f"{c[0].name}-{c[0].arguments[0]}" for c in CASES]


@pytest.fixture(autouse=True)
def float64():
    with jax.enable_x64(True):
        yield


def below_(row):
    """log P(X < v)"""
    return jax.jit(lambda v, *arguments: limits.log_likelihood(row, v, v, -1, arguments, (-1,)))


def above_(row):
    """log P(X > v)"""
    return jax.jit(lambda v, *arguments: limits.log_likelihood(row, v, v, 1, arguments, (1,)))


def _log_of(oracle, x):
    return oracle.logpdf(x) if hasattr(oracle.dist, "pdf") else oracle.logpmf(x)


@pytest.mark.parametrize(("row", "arguments", "oracle", "values"), CASES, ids=IDS)
def test_log_density_and_limits_are_scipys(row, arguments, oracle, values):
    x = np.array(values)
    below_v, above_v = below_(row), above_(row)
    np.testing.assert_allclose(jax.jit(row.log_density)(jnp.array(x), *arguments), _log_of(oracle, x), rtol=1e-10)
    for v in [*values, *(np.array(values) + 0.4)]:
        below = oracle.cdf(np.ceil(v) - 1) if hasattr(oracle.dist, "pmf") else oracle.cdf(v)
        if below > 0:
            np.testing.assert_allclose(below_v(jnp.array(v), *arguments), np.log(below), rtol=1e-8, atol=1e-14)
        if oracle.sf(v) > 0:
            np.testing.assert_allclose(above_v(jnp.array(v), *arguments), oracle.logsf(v), rtol=1e-8, atol=1e-14)


@pytest.mark.parametrize(("row", "arguments", "oracle", "values"), CASES, ids=IDS)
def test_information_is_the_expected_square_of_the_score(row, arguments, oracle, values):
    slope = jax.grad(lambda a, x: row.log_density(x, *a))
    score = jax.jit(jax.vmap(slope, in_axes=(None, 0)))
    if hasattr(oracle.dist, "pmf"):
        points = np.arange(0, int(oracle.ppf(1 - 1e-13)) + 2.0)
        weights = oracle.pmf(points)
    else:  # in the probability p: smooth on (0, 1), ends excluded by Gauss-Legendre
        nodes, w = np.polynomial.legendre.leggauss(600)
        # p = 1/(1 + exp(-u)) spreads the tails
        u = 25 * nodes
        p = 1 / (1 + np.exp(-u))
        points, weights = np.where(u < 0, oracle.ppf(p), oracle.isf(1 / (1 + np.exp(u)))), 25 * w * p / (1 + np.exp(u))
    scores = np.array(score(np.array(arguments), points))
    expected = np.einsum("r,ri,rj->ij", weights, scores, scores)
    tolerance = 2e-2 if row is noise.LAPLACE else 1e-6  # a kink in the score
    np.testing.assert_allclose(jax.jit(row.information)(*map(np.array, arguments)), expected, rtol=tolerance, atol=1e-7)


@pytest.mark.parametrize(("row", "arguments", "oracle", "values"), CASES, ids=IDS)
def test_gradients_of_densities_and_limits_are_those_of_differences(row, arguments, oracle, values):
    given = np.array(arguments)
    for function in (row.log_density, below_(row), above_(row)):
        f = jax.jit(lambda a, v, function=function: function(v, *a))
        slope = jax.jit(jax.grad(f))
        for v in values[:2]:
            v = np.array(v + (0.4 if function is not row.log_density else 0.0))
            if not np.isfinite(f(given, v)):
                continue
            gradient = slope(given, v)
            for i in range(len(arguments)):
                h = 1e-6 * max(1.0, abs(arguments[i]))
                step = h * np.eye(len(arguments))[i]
                difference = (f(given + step, v) - f(given - step, v)) / (2 * h)
                np.testing.assert_allclose(gradient[i], difference, rtol=2e-5, atol=1e-7)


@pytest.mark.parametrize(("row", "arguments", "oracle", "values"), CASES, ids=IDS)
def test_intervals_hold_95_percent(row, arguments, oracle, values):
    low, high = row.interval(*arguments)
    inside = oracle.cdf(high) - oracle.cdf(low) + (oracle.pmf(low) if hasattr(oracle.dist, "pmf") else 0.0)
    assert inside >= 0.95 - 1e-9
    if not hasattr(oracle.dist, "pmf"):
        assert inside == pytest.approx(0.95)


@pytest.mark.parametrize(("row", "arguments", "oracle", "values"), CASES, ids=IDS)
def test_residuals_have_mean_0_and_variance_1(row, arguments, oracle, values):
    assert oracle.expect(lambda x: row.residual(x, *arguments)) == pytest.approx(0.0, abs=1e-6)
    assert oracle.expect(lambda x: row.residual(x, *arguments) ** 2) == pytest.approx(1.0, rel=1e-3)


def test_neutral_arguments_are_valid_and_bad_ones_are_not():
    for row in noise.NOISES.values():
        assert bool(row.valid(*map(jnp.array, row.neutral)))
        assert not bool(row.valid(*[jnp.array(np.nan)] * len(row.arguments)))
    assert not bool(noise.LOGNORMAL.valid(jnp.array(0.0), jnp.array(1.0)))
    assert bool(noise.POISSON.valid(jnp.array(0.0)))
    assert float(noise.POISSON.log_density(jnp.array(0.0), jnp.array(0.0))) == 0.0
    assert float(noise.POISSON.log_density(jnp.array(2.0), jnp.array(0.0))) == -np.inf


def test_information_of_limits_is_positive_and_that_of_a_far_limit_vanishes():
    arguments = np.array([[1.0, 0.5], [1.0, 0.5], [1.0, 0.5]])
    value = np.array([0.5, 50.0, 0.5])
    found = jax.jit(partial(limits.information, noise.NORMAL))(value, value, np.array([-1, -1, 0]), arguments)
    assert np.all(np.linalg.eigvalsh(found) >= -1e-12)
    np.testing.assert_allclose(found[1], 0.0, atol=1e-12)
    np.testing.assert_allclose(found[2], np.diag([4.0, 8.0]))


@pytest.mark.parametrize(
    ("name", "arguments", "oracle", "values"),
    [
        ("uniform", (1.0, 3.0), scipy.stats.uniform(1.0, 2.0), [2.0, 5.0]),
        ("beta", (2.0, 3.5), scipy.stats.beta(2.0, 3.5), [0.2, 0.9, 1.5]),
        ("gamma", (2.0, 3.0), scipy.stats.gamma(2.0, scale=1 / 3), [0.2, 4.0, -1.0]),
        ("halfnormal", (0.7,), scipy.stats.halfnorm(scale=0.7), [0.2, 4.0, -1.0]),
        ("exponential", (0.7,), scipy.stats.expon(scale=1 / 0.7), [0.2, 4.0, -1.0]),
        ("normal", (1.0, 2.0), scipy.stats.norm(1.0, 2.0), [0.2]),
        ("lognormal", (1.0, 2.0), scipy.stats.lognorm(2.0, scale=1.0), [0.2, -1.0]),
        ("student", (4.0, 1.0, 2.0), scipy.stats.t(4.0, 1.0, 2.0), [0.2]),
        ("laplace", (1.0, 2.0), scipy.stats.laplace(1.0, 2.0), [0.2]),
    ],
)
def test_priors_are_scipys(name, arguments, oracle, values):
    row = noise.PRIORS[name]
    density = lambda x: row.log_density(x, *arguments)  # noqa: E731
    np.testing.assert_allclose(jax.jit(density)(np.array(values)), oracle.logpdf(values), rtol=1e-10)
    np.testing.assert_allclose(row.frozen(*arguments).ppf(0.3), oracle.ppf(0.3))
    slope = jax.jit(jax.vmap(jax.grad(density)))(np.array(values))
    assert np.all(np.isfinite(slope))
