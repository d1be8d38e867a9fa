"""log P(a < X < b) from a distribution's density and tails, without cancellation, for wide and for narrow intervals.

The difference of two tails is taken on the side where they are small. Where even these are nearly equal the density is
summed: by Gauss-Legendre quadrature over a narrow interval, number by number over few counts.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import jax.numpy as jnp
import numpy as np
from jax.scipy.special import logsumexp

from hybridode.types import Array

if TYPE_CHECKING:
    from hybridode.fit.objective.noise import Noise

_NARROW = -0.3  # log of (tail beyond the far end / tail beyond the near end): above it the interval is narrow
_FEW = 32  # counts that are summed one by one
_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(10)


def _log1mexp(x: Array) -> Array:
    """log(1 - exp(x)) for x < 0 (M. Maechler 2012)."""
    near = x > -np.log(2.0)
    return jnp.where(near, jnp.log(-jnp.expm1(jnp.where(near, x, -1.0))), jnp.log1p(-jnp.exp(jnp.where(near, -1.0, x))))


def _tails(noise: Noise, low: Array, high: Array, arguments: Sequence[Array]) -> tuple[Array, Array]:
    """(log of the larger tail, smaller over larger <= 0) on the side where tails are small. Both ends in one call each."""
    ends = jnp.stack(jnp.broadcast_arrays(low, high, *arguments)[:2])
    below, above = noise.log_below(ends, *arguments), noise.log_above(ends, *arguments)
    upper = above[0] < below[1]
    large, small = jnp.where(upper, above[0], below[1]), jnp.where(upper, above[1], below[0])
    return large, small - large


def smooth(noise: Noise, low: Array, high: Array, *arguments: Array, kink: Array | None = None) -> Array:
    """Of a continuous distribution; at its `kink`, if it has one, the density is not smooth. -inf where high <= low."""
    large, ratio = _tails(noise, low, high, arguments)
    narrow = ratio > _NARROW
    if kink is not None:
        narrow = narrow & ((low - kink) * (high - kink) >= 0)
    width = jnp.where(narrow & (high > low), high - low, 1.0)
    left = jnp.where(narrow, low, 1.0)
    along = (len(_NODES), *([1] * jnp.ndim(width)))
    logs = noise.log_density(left + 0.5 * (1 + _NODES.reshape(along)) * width, *arguments)
    summed = jnp.log(0.5 * width) + logsumexp(logs, b=_WEIGHTS.reshape(along), axis=0)
    differences = large + _log1mexp(jnp.where(narrow | (ratio >= 0), -1.0, ratio))
    return jnp.where(high > low, jnp.where(narrow, summed, differences), -jnp.inf)


def counts(noise: Noise, low: Array, high: Array, *arguments: Array) -> Array:
    """Of a distribution over 0, 1, 2, …; -inf where no count lies strictly between the ends."""
    first, last = jnp.maximum(jnp.floor(low) + 1, 0.0), jnp.ceil(high) - 1
    number = last - first + 1
    few = number <= _FEW
    steps = jnp.arange(_FEW, dtype=float).reshape(_FEW, *([1] * jnp.ndim(first)))
    inside = steps < jnp.maximum(jnp.where(few, number, 1.0), 1.0)
    logs = noise.log_density(first + jnp.where(inside, steps, 0.0), *arguments)
    summed = logsumexp(logs, axis=0, where=inside)
    large, ratio = _tails(noise, first - 0.5, last + 0.5, arguments)
    differences = large + _log1mexp(jnp.where(few | (ratio >= 0), -1.0, ratio))
    return jnp.where(number < 1, -jnp.inf, jnp.where(few, summed, differences))


def binary(noise: Noise, low: Array, high: Array, *arguments: Array) -> Array:
    """Of a distribution over 0 and 1."""
    zero, one = (low < 0) & (high > 0), (low < 1) & (high > 1)
    either = jnp.where(zero, noise.log_density(jnp.zeros_like(low), *arguments), -jnp.inf)
    other = jnp.where(one, noise.log_density(jnp.ones_like(low), *arguments), -jnp.inf)
    return jnp.where(zero & one, 0.0, jnp.where(zero, either, other))
