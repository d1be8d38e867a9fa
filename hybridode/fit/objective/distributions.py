"""Densities and logarithms of distribution functions that JAX lacks or cannot differentiate in every argument.

Distribution functions are tails (see `tails`): of both sides of a number the lesser one is integrated, the other is what is left.
"""

from __future__ import annotations

import jax.numpy as jnp
from jax.nn import softplus
from jax.scipy.special import gammaln

from hybridode.fit.objective.tails import DEPTH, log1mexp, log_tail
from hybridode.types import Array


def _either(small: Array, is_upper: Array) -> tuple[Array, Array]:
    """The logarithms of both sides from that of the one that was integrated."""
    large = log1mexp(small)
    return jnp.where(is_upper, large, small), jnp.where(is_upper, small, large)


def _sides(x: Array, mean: Array, sides: tuple[Array, Array], nothing: Array) -> tuple[Array, Array]:
    """`sides` of a whole number x, but none of the mass below 0 and all at 0 where the mean is 0; `nothing`: log P(X = 0)."""
    lower = jnp.where(mean > 0, sides[0], jnp.where(x == 0, nothing, 0.0))  # at a mean of 0 the slope of log P(X = 0) is -1
    upper = jnp.where(mean > 0, sides[1], -jnp.inf)
    return jnp.where(x < 0, -jnp.inf, lower), jnp.where(x < 0, 0.0, upper)


# ---- Student ------------------------------------------------------------------------------------------------------------
def student_log_density(t: Array, df: Array) -> Array:
    """Log-density of the standard Student distribution."""
    constant = gammaln((df + 1) / 2) - gammaln(df / 2) - 0.5 * jnp.log(df * jnp.pi)
    return constant - (df + 1) / 2 * jnp.log1p(t**2 / df)


def _log_cosh(v: Array) -> Array:
    """For v >= 0."""
    return v + jnp.log1p(jnp.exp(-2 * v)) - jnp.log(2.0)


def student_log_tail(t: Array, df: Array) -> Array:
    """log P(T <= t) for t <= 0: v = arsinh(t/sqrt(df)) has a density in proportion to cosh(v)^-df."""
    t, df = jnp.broadcast_arrays(*(jnp.asarray(x, float) for x in (t, df)))
    v = jnp.arcsinh(-t / jnp.sqrt(df))
    top = _log_cosh(v) + DEPTH / df
    end = top + jnp.log1p(jnp.sqrt(-jnp.expm1(-2 * top))) - v
    tail = log_tail(lambda w, v, df: -df * _log_cosh(v + w), end, v, df)
    return tail + gammaln((df + 1) / 2) - gammaln(df / 2) - 0.5 * jnp.log(jnp.pi)


def trigamma(x: Array) -> Array:
    """For x > 0: eight steps of its recurrence, then its asymptotic series (Abramowitz & Stegun 6.4.6, 6.4.12), to 1e-13."""
    z = x + 8.0
    r = 1 / z**2
    series = 1 / 6 - r * (1 / 30 - r * (1 / 42 - r * (1 / 30 - r * (5 / 66 - r * (691 / 2730 - r * 7 / 6)))))
    return sum(1 / (x + i) ** 2 for i in range(8)) + 1 / z + r / 2 + series * r / z


# ---- negative binomial --------------------------------------------------------------------------------------------------
def negbinomial_log_density(x: Array, mean: Array, k: Array) -> Array:
    """var = mean + mean^2/k; a mean of exactly 0 has all its mass at 0."""
    safe = jnp.where(mean > 0, mean, 1.0)
    value = gammaln(x + k) - gammaln(k) - gammaln(x + 1) - k * jnp.log1p(safe / k) + x * (jnp.log(safe) - jnp.log(k + safe))
    return jnp.where(mean > 0, value, jnp.where(x == 0, -k * jnp.log1p(mean / k), -jnp.inf))


def negbinomial_log_sides(x: Array, mean: Array, k: Array) -> tuple[Array, Array]:
    """log P(X <= x), log P(X > x) for a whole number x: tails of a beta distribution, whose logit u has a density in proportion
    to sigmoid(u)^a sigmoid(-u)^b (DLMF 8.17.24)."""
    x, mean, k = jnp.broadcast_arrays(*(jnp.asarray(v, float) for v in (x, mean, k)))
    n, m = jnp.maximum(x, 0.0) + 1, jnp.where(mean > 0, mean, 1.0)
    upper = n >= m
    a, b = jnp.where(upper, n, k), jnp.where(upper, k, n)
    u = jnp.where(upper, 1.0, -1.0) * (jnp.log(m) - jnp.log(k))
    end = (DEPTH + (a + b) * softplus(u)) / a
    tail = log_tail(lambda w, u, a, b: -a * softplus(w - u) - b * softplus(u - w), end, u, a, b)
    sides = _either(tail + gammaln(a + b) - gammaln(a) - gammaln(b), upper)
    return _sides(x, mean, sides, -k * jnp.log1p(mean / k))


_STEPS = 48
_FIRST, _LAST = 1e-5, 40.0  # of the integral below: its integrand rises like t^2 and falls like exp(-t) in log t


def negbinomial_information_of_k(mean: Array, k: Array) -> Array:
    """Fisher information of k: trigamma(k) - E[trigamma(X + k)] - mean/(k (k + mean)) (Lawless 1987, eq. 2.5).

    With trigamma(z) = int t exp(-z t)/(1 - exp(-t)) dt and E[s^X] = (1 + (1 - s) mean/k)^-k it is an integral of elementary
    functions, which the trapezoidal rule in log t sums up; no terms that cancel are left but those of one t.
    """
    low, high = jnp.log(_FIRST / (k + mean + 1)), jnp.log(_LAST / k)
    step = (high - low) / (_STEPS - 1)
    along = jnp.arange(float(_STEPS)).reshape(_STEPS, *([1] * jnp.ndim(step)))
    t = jnp.exp(low + along * step)
    share = -jnp.expm1(-t)
    lost = -jnp.expm1(-k * jnp.log1p(share * mean / k))
    return jnp.maximum(jnp.sum(t * jnp.exp(-k * t) * (t / share * lost + jnp.expm1(-mean * t)), axis=0) * step, 0.0)


# ---- Poisson --------------------------------------------------------------------------------------------------------------
def poisson_log_density(x: Array, mean: Array) -> Array:
    """A mean of exactly 0 has density 1 at 0, with the slope -1."""
    safe = jnp.where(mean > 0, mean, 1.0)
    return jnp.where(mean > 0, x * jnp.log(safe) - safe - gammaln(x + 1), jnp.where(x == 0, -mean, -jnp.inf))


def poisson_log_sides(x: Array, mean: Array) -> tuple[Array, Array]:
    """log P(X <= x), log P(X > x) for a whole number x: tails of a gamma distribution, whose logarithm u has a density in
    proportion to exp((x + 1) u - exp(u)) (DLMF 8.2.1, 8.2.2)."""
    x, mean = jnp.broadcast_arrays(*(jnp.asarray(v, float) for v in (x, mean)))
    n, m = jnp.maximum(x, 0.0) + 1, jnp.where(mean > 0, mean, 1.0)
    upper = n >= m
    sign = jnp.where(upper, -1.0, 1.0)
    end = jnp.where(upper, (DEPTH + m) / n, jnp.sqrt(2 * DEPTH / m))
    tail = log_tail(lambda w, sign, n, m: sign * n * w - m * jnp.exp(sign * w), end, sign, n, m)
    return _sides(x, mean, _either(tail + n * jnp.log(m) - gammaln(n), upper), -mean)
