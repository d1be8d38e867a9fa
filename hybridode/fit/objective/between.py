"""log P(a < X < b) from the two sides of both ends, without cancellation, for wide and for narrow intervals.

The difference of two tails is taken on the side where they are small. Where even these are nearly equal the density is
summed: by Gauss-Legendre quadrature over a narrow interval, number by number over few counts.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import jax.numpy as jnp
import numpy as np
from jax.scipy.special import logsumexp

from hybridode.fit.objective.tails import log1mexp
from hybridode.types import Array

if TYPE_CHECKING:
    from hybridode.fit.objective.noise import Noise

_NARROW = -0.3  # log of (tail beyond the far end / tail beyond the near end): above it the interval is narrow
_FEW = 32  # counts that are summed one by one
_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(10)

Sides = tuple[Array, Array]


def difference(low: Sides, high: Sides) -> tuple[Array, Array]:
    """(log of the larger tail, smaller over larger <= 0) on the side where tails are small."""
    upper = low[1] < high[0]
    large, small = jnp.where(upper, low[1], high[0]), jnp.where(upper, high[1], low[0])
    return large, jnp.where(jnp.isfinite(small), small - jnp.where(jnp.isfinite(large), large, 0.0), -jnp.inf)


def log_between(noise: Noise, low: Array, high: Array, sides: tuple[Sides, Sides], arguments: Sequence[Array]) -> Array:
    """Of an open interval; `sides` of its ends (see `limits.ends`). -inf where nothing lies in it."""
    large, ratio = difference(*sides)
    low, high = (jnp.broadcast_to(end, jnp.shape(ratio)) for end in (low, high))  # many draws may share their records
    narrow, summed, empty = (_counts if noise.counts else _smooth)(noise, low, high, ratio, arguments)
    differences = large + log1mexp(jnp.where(narrow | (ratio >= 0), -1.0, ratio))
    return jnp.where(empty, -jnp.inf, jnp.where(narrow, summed, differences))


def _smooth(noise: Noise, low: Array, high: Array, ratio: Array, arguments: Sequence[Array]) -> tuple[Array, Array, Array]:
    """(narrow, log of the summed density, empty). At its location, if the density has a kink there, it is not summed."""
    narrow = ratio > _NARROW
    if noise.kinked:
        narrow = narrow & ((low - arguments[0]) * (high - arguments[0]) >= 0)
    width = jnp.where(narrow & (high > low), high - low, 1.0)
    left = jnp.where(narrow, low, 1.0)
    along = (len(_NODES), *([1] * jnp.ndim(width)))
    logs = noise.log_density(left + 0.5 * (1 + _NODES.reshape(along)) * width, *arguments)
    return narrow, jnp.log(0.5 * width) + logsumexp(logs, b=_WEIGHTS.reshape(along), axis=0), high <= low


def _counts(noise: Noise, low: Array, high: Array, ratio: Array, arguments: Sequence[Array]) -> tuple[Array, Array, Array]:
    """(few, log of their sum, none)."""
    first, last = jnp.maximum(jnp.floor(low) + 1, 0.0), jnp.minimum(jnp.ceil(high) - 1, noise.most)
    number = last - first + 1
    few = number <= _FEW
    steps = jnp.arange(_FEW, dtype=float).reshape(_FEW, *([1] * jnp.ndim(first)))
    inside = steps < jnp.maximum(jnp.where(few, number, 1.0), 1.0)
    logs = noise.log_density(first + jnp.where(inside, steps, 0.0), *arguments)
    return few, logsumexp(logs, axis=0, where=inside), number < 1
