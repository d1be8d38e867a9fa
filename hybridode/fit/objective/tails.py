"""log of the integral of exp(h) from 0 to infinity, for concave h that falls from 0 on: what tails of distributions become in the
right variable (Student's: arsinh of t; the beta's: logit; the gamma's: log).

One rule of fixed nodes, on the part of the axis where the integrand is not negligible: exp, log and a sum. So a tail that no
floating-point number can hold keeps its digits, JAX differentiates it with respect to everything, and it compiles in no time.
Against 22 digits (`tests/fit/test_limits.py`): 1e-10 in the logarithm, from 0.2 degrees of freedom and k = 0.05 to 100,000.
"""

from __future__ import annotations

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.special import logsumexp

from hybridode.types import Array

DEPTH = 42.0  # exp(-42) of the integrand's largest value is where the integral ends
_ITERATIONS = 6
_POINTS, _WEIGHTS = np.polynomial.legendre.leggauss(48)
_X = 0.5 * (1 + _POINTS)
_NODES, _LOG_WEIGHTS = _X**2, np.log(_WEIGHTS * _X)  # crowded at the beginning, where power laws bend


def log_tail(h: Callable[..., Array], bound: Array, *parameters: Array) -> Array:
    """Of h(w, *parameters); at `bound` (of the shape of the result) it is DEPTH or more below h(0)."""
    fixed = jax.lax.stop_gradient(parameters)
    floor = h(jnp.zeros_like(bound), *fixed) - DEPTH

    def nearer(_: int, w: Array) -> Array:  # Newton's method on a concave function, from beyond: it never overshoots
        value, slope = jax.jvp(lambda w: h(w, *fixed), (w,), (jnp.ones_like(w),))
        return w - (value - floor) / slope

    end = jax.lax.fori_loop(0, _ITERATIONS, nearer, jax.lax.stop_gradient(bound))
    along = (len(_NODES), *([1] * jnp.ndim(end)))
    return logsumexp(h(end * _NODES.reshape(along), *parameters) + _LOG_WEIGHTS.reshape(along), axis=0) + jnp.log(end)


def log1mexp(x: Array) -> Array:
    """log(1 - exp(x)) for x < 0 (M. Maechler 2012)."""
    near = x > -np.log(2.0)
    return jnp.where(near, jnp.log(-jnp.expm1(jnp.where(near, x, -1.0))), jnp.log1p(-jnp.exp(jnp.where(near, -1.0, x))))
