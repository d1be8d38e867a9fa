"""Logarithms of distribution functions that JAX lacks or cannot differentiate in every argument.

JAX's regularised incomplete beta function has no derivative in its first two arguments; where one of them is a
parameter (Student's degrees of freedom, the negative binomial's k) the derivative in it is a central difference.
"""

from __future__ import annotations

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jax.scipy.special import betainc, gammainc, gammaincc, gammaln

from hybridode.types import Array

_STEP = 1e-5  # relative; the error of a central difference is about its square


def _log(x: Array) -> Array:
    """log with a finite derivative at 0 (the value there is -inf)."""
    safe = jnp.where(x > 0, x, 1.0)
    return jnp.where(x > 0, jnp.log(safe), -jnp.inf)


def _differentiable(value: Callable[..., Array], *rules: Callable[..., Array] | None) -> Callable[..., Array]:
    """`value` with a derivative rule per argument; a central difference where the rule is None."""

    @jax.custom_jvp
    def function(*args: Array) -> Array:
        return value(*args)

    @function.defjvp
    def derivative(primals: tuple[Array, ...], tangents: tuple[Array, ...]) -> tuple[Array, Array]:
        total = jnp.zeros(())
        for i, (rule, tangent) in enumerate(zip(rules, tangents, strict=True)):
            if rule is not None:
                slope = rule(*primals)
            else:
                h = _STEP * jnp.maximum(jnp.abs(primals[i]), 1e-6)
                up, down = list(primals), list(primals)
                up[i], down[i] = primals[i] + h, primals[i] - h
                slope = (function(*up) - function(*down)) / (2 * h)
            total = total + slope * tangent
        return function(*primals), total

    return function


def student_log_density(t: Array, df: Array) -> Array:
    """Log-density of the standard Student distribution."""
    constant = gammaln((df + 1) / 2) - gammaln(df / 2) - 0.5 * jnp.log(df * jnp.pi)
    return constant - (df + 1) / 2 * jnp.log1p(t**2 / df)


def _student_lower(t: Array, df: Array) -> Array:
    tail = 0.5 * betainc(df / 2, jnp.full_like(t * df, 0.5), df / (df + t**2))
    return jnp.where(t > 0, 1 - tail, tail)


_student = _differentiable(_student_lower, lambda t, df: jnp.exp(student_log_density(t, df)), None)


def student_log_lower(t: Array, df: Array) -> Array:
    """log P(T <= t)."""
    return _log(_student(t, df))


def negbinomial_log_density(x: Array, mean: Array, k: Array) -> Array:
    """var = mean + mean^2/k; a mean of exactly 0 has all its mass at 0."""
    safe = jnp.where(mean > 0, mean, 1.0)
    value = gammaln(x + k) - gammaln(k) - gammaln(x + 1) - k * jnp.log1p(safe / k) + x * (jnp.log(safe) - jnp.log(k + safe))
    return jnp.where(mean > 0, value, jnp.where(x == 0, 0.0, -jnp.inf))


# P(X <= x) = I_{k/(k + mean)}(k, x + 1); its derivative in the mean is that of a beta distribution function.
def _negbinomial_slope(x: Array, mean: Array, k: Array) -> Array:
    p = k / (k + mean)
    log_density = (k - 1) * jnp.log(p) + x * jnp.log1p(-p) - gammaln(k) - gammaln(x + 1) + gammaln(k + x + 1)
    return -jnp.exp(log_density) * k / (k + mean) ** 2


def _no_slope(x: Array, mean: Array, k: Array) -> Array:
    """The count is data: nothing is differentiated with respect to it."""
    return jnp.zeros_like(x * mean * k)


_negbinomial_lower = _differentiable(lambda x, mean, k: betainc(k, x + 1, k / (k + mean)), _no_slope, _negbinomial_slope, None)
_negbinomial_upper = _differentiable(
    lambda x, mean, k: betainc(x + 1, k, mean / (k + mean)), _no_slope, lambda x, mean, k: -_negbinomial_slope(x, mean, k), None
)


def negbinomial_log_lower(x: Array, mean: Array, k: Array) -> Array:
    """log P(X <= x) for a whole number x (-inf below 0)."""
    safe = jnp.maximum(x, 0.0)
    return jnp.where(x < 0, -jnp.inf, _log(_negbinomial_lower(safe, mean, k)))


def negbinomial_log_upper(x: Array, mean: Array, k: Array) -> Array:
    """log P(X > x) for a whole number x."""
    safe = jnp.maximum(x, 0.0)
    return jnp.where(x < 0, 0.0, _log(_negbinomial_upper(safe, mean, k)))


def poisson_log_density(x: Array, mean: Array) -> Array:
    """A mean of exactly 0 has density 1 at 0."""
    safe = jnp.where(mean > 0, mean, 1.0)
    return jnp.where(mean > 0, x * jnp.log(safe) - safe - gammaln(x + 1), jnp.where(x == 0, 0.0, -jnp.inf))


def poisson_log_lower(x: Array, mean: Array) -> Array:
    """log P(X <= x) for a whole number x (-inf below 0)."""
    return jnp.where(x < 0, -jnp.inf, _log(gammaincc(jnp.maximum(x, 0.0) + 1, mean)))


def poisson_log_upper(x: Array, mean: Array) -> Array:
    """log P(X > x) for a whole number x."""
    return jnp.where(x < 0, 0.0, _log(gammainc(jnp.maximum(x, 0.0) + 1, mean)))


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
