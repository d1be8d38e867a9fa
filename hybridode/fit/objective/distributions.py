"""Logarithms of distribution functions that JAX lacks or cannot differentiate in every argument.

JAX's regularised incomplete beta function has no derivative in its first two arguments; where one of them is a
parameter (Student's degrees of freedom, the negative binomial's k) the derivative in it is a central difference. Far tails, whose
probabilities no floating-point number can hold, are summed as series of logarithms: a fit may begin far from its data.
"""

from __future__ import annotations

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jax.scipy.special import betainc, betaln, gammainc, gammaincc, gammaln

from hybridode.types import Array

_STEP = 1e-5  # relative; the error of a central difference is about its square
_FAR = 1e-250
_TERMS = 100


def log_series(log_first: Array, ratio: Callable[[Array], Array]) -> Array:
    """log of first*(1 + r_0 + r_0 r_1 + …) for ratios r_i < 1 that hardly change where _TERMS of them do not end the sum: the
    rest is summed as if the last ratio stayed. For tails of distributions, whose probabilities fall like that."""
    logs = jnp.log(jnp.clip(ratio(jnp.arange(_TERMS, dtype=float).reshape(-1, *([1] * jnp.ndim(log_first)))), 1e-300, 0.9999))
    products = jnp.exp(jnp.tensordot(jnp.tril(jnp.ones((_TERMS, _TERMS))), logs, axes=1))
    return log_first + jnp.log1p(jnp.sum(products[:-1], axis=0) + products[-1] / (1 - jnp.exp(logs[-1])))


def _log_or(p: Array, far: Array) -> Array:
    """log p, and `far` where p is so small that it has lost its digits."""
    return jnp.where(p > _FAR, jnp.log(jnp.where(p > _FAR, p, 1.0)), far)


def _differentiable(value: Callable[..., Array], *rules: Callable[..., Array] | None) -> Callable[..., Array]:
    """`value` with a derivative rule (value, *arguments) per argument; a central difference where the rule is None."""

    @jax.custom_jvp
    def function(*args: Array) -> Array:
        return value(*args)

    @function.defjvp
    def derivative(primals: tuple[Array, ...], tangents: tuple[Array, ...]) -> tuple[Array, Array]:
        found = function(*primals)
        total = jnp.zeros(())
        for i, (rule, tangent) in enumerate(zip(rules, tangents, strict=True)):
            if rule is not None:
                slope = rule(found, *primals)
            else:
                h = _STEP * jnp.maximum(jnp.abs(primals[i]), 1e-6)
                sides = [jnp.stack([x + h, x - h]) if j == i else jnp.stack([x, x]) for j, x in enumerate(primals)]
                up, down = function(*sides)
                slope = (up - down) / (2 * h)
            total = total + slope * tangent
        return found, total

    return lambda *args: function(*jnp.broadcast_arrays(*map(jnp.asarray, args)))


def student_log_density(t: Array, df: Array) -> Array:
    """Log-density of the standard Student distribution."""
    constant = gammaln((df + 1) / 2) - gammaln(df / 2) - 0.5 * jnp.log(df * jnp.pi)
    return constant - (df + 1) / 2 * jnp.log1p(t**2 / df)


def _student_log_lower(t: Array, df: Array) -> Array:
    """The incomplete beta function of the smaller tail; far out its hypergeometric series (DLMF 8.17.8)."""
    a, half = df / 2, jnp.full_like(df, 0.5)
    tail = 0.5 * betainc(a, half, df / (df + t**2))
    log_x = -jnp.log1p(t**2 / df)
    first = a * log_x + 0.5 * jnp.log1p(-jnp.exp(jnp.minimum(log_x, -1e-300))) - jnp.log(2 * a) - betaln(a, half)
    far = log_series(first, lambda i: (a + 0.5 + i) / (a + 1 + i) * jnp.exp(log_x))
    return jnp.where(t > 0, jnp.log1p(-tail), _log_or(tail, far))


# log P(T <= t)
student_log_lower = _differentiable(_student_log_lower, lambda value, t, df: jnp.exp(student_log_density(t, df) - value), None)


def negbinomial_log_density(x: Array, mean: Array, k: Array) -> Array:
    """var = mean + mean^2/k; a mean of exactly 0 has all its mass at 0."""
    safe = jnp.where(mean > 0, mean, 1.0)
    value = gammaln(x + k) - gammaln(k) - gammaln(x + 1) - k * jnp.log1p(safe / k) + x * (jnp.log(safe) - jnp.log(k + safe))
    return jnp.where(mean > 0, value, jnp.where(x == 0, 0.0, -jnp.inf))


def _no_slope(value: Array, x: Array, *arguments: Array) -> Array:
    """The count is data: nothing is differentiated with respect to it."""
    return jnp.zeros_like(value)


def _negbinomial_log_lower(x: Array, mean: Array, k: Array) -> Array:
    """P(X <= x) = I_{k/(k + mean)}(k, x + 1); P(X = j - 1)/P(X = j) = j/((j - 1 + k) odds)."""
    odds = mean / (k + mean)
    count = lambda i: jnp.maximum(x - i, 0.0)  # noqa: E731
    ratio = lambda i: count(i) / (jnp.maximum(count(i) - 1, 0.0) + k) / odds  # noqa: E731
    return _log_or(betainc(k, x + 1, k / (k + mean)), log_series(negbinomial_log_density(x, mean, k), ratio))


def _negbinomial_log_upper(x: Array, mean: Array, k: Array) -> Array:
    odds = mean / (k + mean)
    first = negbinomial_log_density(x + 1, mean, k)
    return _log_or(betainc(x + 1, k, odds), log_series(first, lambda i: (x + 1 + i + k) / (x + 2 + i) * odds))


def _negbinomial_slope(x: Array, mean: Array, k: Array) -> Array:
    """log of d P(X > x)/d mean, the density of a beta distribution."""
    p = k / (k + mean)
    log_density = (k - 1) * jnp.log(p) + x * jnp.log1p(-p) - gammaln(k) - gammaln(x + 1) + gammaln(k + x + 1)
    return log_density + jnp.log(k) - 2 * jnp.log(k + mean)


_negbinomial_lower = _differentiable(
    _negbinomial_log_lower, _no_slope, lambda value, x, mean, k: -jnp.exp(_negbinomial_slope(x, mean, k) - value), None
)
_negbinomial_upper = _differentiable(
    _negbinomial_log_upper, _no_slope, lambda value, x, mean, k: jnp.exp(_negbinomial_slope(x, mean, k) - value), None
)


def negbinomial_log_lower(x: Array, mean: Array, k: Array) -> Array:
    """log P(X <= x) for a whole number x (-inf below 0)."""
    return jnp.where(x < 0, -jnp.inf, _negbinomial_lower(jnp.maximum(x, 0.0), mean, k))


def negbinomial_log_upper(x: Array, mean: Array, k: Array) -> Array:
    """log P(X > x) for a whole number x."""
    return jnp.where(x < 0, 0.0, _negbinomial_upper(jnp.maximum(x, 0.0), mean, k))


def poisson_log_density(x: Array, mean: Array) -> Array:
    """A mean of exactly 0 has density 1 at 0."""
    safe = jnp.where(mean > 0, mean, 1.0)
    return jnp.where(mean > 0, x * jnp.log(safe) - safe - gammaln(x + 1), jnp.where(x == 0, 0.0, -jnp.inf))


def _poisson_log_lower(x: Array, mean: Array) -> Array:
    """P(X <= x) = Q(x + 1, mean), the incomplete gamma function; its derivative in the mean is -P(X = x)."""
    positive = jnp.where(mean > 0, mean, 1.0)
    far = log_series(poisson_log_density(x, mean), lambda i: jnp.maximum(x - i, 0.0) / positive)
    return _log_or(gammaincc(x + 1, mean), far)


def _poisson_log_upper(x: Array, mean: Array) -> Array:
    return _log_or(gammainc(x + 1, mean), log_series(poisson_log_density(x + 1, mean), lambda i: mean / (x + 2 + i)))


_poisson_lower = _differentiable(
    _poisson_log_lower, _no_slope, lambda value, x, mean: -jnp.exp(poisson_log_density(x, mean) - value)
)
_poisson_upper = _differentiable(
    _poisson_log_upper, _no_slope, lambda value, x, mean: jnp.exp(poisson_log_density(x, mean) - value)
)


def poisson_log_lower(x: Array, mean: Array) -> Array:
    """log P(X <= x) for a whole number x (-inf below 0)."""
    return jnp.where(x < 0, -jnp.inf, _poisson_lower(jnp.maximum(x, 0.0), mean))


def poisson_log_upper(x: Array, mean: Array) -> Array:
    """log P(X > x) for a whole number x."""
    return jnp.where(x < 0, 0.0, _poisson_upper(jnp.maximum(x, 0.0), mean))


def _blocks() -> tuple[Array, Array]:
    """Whole numbers 0, 1, …, 63, then ever sparser, and how many terms each stands for."""
    edges = list(range(64))
    while edges[-1] < 10**7:
        edges.append(int(edges[-1] * 1.06) + 1)
    starts, widths = jnp.array(edges[:-1], float), jnp.diff(jnp.array(edges, float))
    return starts + (widths - 1) / 2, widths


def negbinomial_information_of_k(mean: Array, k: Array) -> Array:
    """Fisher information of k: sum_j P(X > j)/(k + j)^2 - mean/(k (k + mean)) (Lawless 1987, eq. 2.5)."""
    j, width = _blocks()
    mean, k = jnp.asarray(mean)[..., None], jnp.asarray(k)[..., None]
    survival = betainc(j + 1, k, mean / (k + mean))
    total = jnp.sum(width * survival / (k + j) ** 2, axis=-1)
    return jnp.maximum(total - (mean / (k * (k + mean)))[..., 0], 0.0)
