"""Likelihood and information of records, of which some are known only by limits: below, above, between.

`kinds` says which occur in a dataset, so that the program of a fit without limits contains none.
"""

from __future__ import annotations

from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np

from hybridode.data.cells import ABOVE, BELOW, BETWEEN
from hybridode.fit.objective.between import log_between
from hybridode.fit.objective.noise import Noise
from hybridode.types import Array

_LOCATIONS = ("mean", "median", "loc", "p", "logit")

Kinds = tuple[int, ...]
_STEP = 1e-4  # of what one record says about an argument
ALL: Kinds = (BELOW, ABOVE, BETWEEN)


def kinds_of(censored: np.ndarray, used: np.ndarray) -> Kinds:
    """Which limits occur among the used records (NumPy)."""
    found = set(np.unique(np.asarray(censored)[np.asarray(used) > 0]).tolist())
    return tuple(kind for kind in ALL if kind in found)


def log_likelihood(
    noise: Noise, value: Array, upper: Array, censored: Array, arguments: Sequence[Array], kinds: Kinds = ALL
) -> Array:
    """log-density of values, log-probability of limits (censored -1: below `value`, +1: above, 2: between `value` and `upper`).

    All limits are open. The arrays broadcast.
    """
    if not kinds:
        return noise.log_density(value, *arguments)
    density = noise.log_density(jnp.where(censored == 0, value, 1.0), *_inner(noise, arguments))
    return jnp.where(censored == 0, density, noise.bent(_log_probability(noise, value, upper, censored, arguments, kinds)))


def possible(noise: Noise, censored: Array, arguments: Sequence[Array]) -> Array:
    """Which records can have a prediction with these arguments."""
    valid = noise.valid(*arguments)
    return valid if noise.valid_at_limits is None else jnp.where(censored == 0, valid, noise.valid_at_limits(*arguments))


def _inner(noise: Noise, arguments: Sequence[Array]) -> list[Array]:
    """The arguments, with harmless ones where only a limit is possible and the density has no slope."""
    usable = noise.valid(*arguments)
    return [jnp.where(usable, a, neutral) for a, neutral in zip(arguments, noise.neutral, strict=True)]


def _log_probability(
    noise: Noise, value: Array, upper: Array, censored: Array, arguments: Sequence[Array], kinds: Kinds
) -> Array:
    """Of limits. Ends that a record does not have are harmless ones: what is not taken must be finite, or its gradient is not.

    All ends of all kinds go through one call of `log_sides`, which for some distributions takes long to compile.
    """
    noise = noise.original or noise
    low = jnp.where((censored == ABOVE) | (censored == BETWEEN), value, 0.5)
    high = jnp.where(censored == BELOW, value, jnp.where(censored == BETWEEN, upper, 1.5))
    below, above = (jnp.ceil(high) - 1, jnp.floor(low)) if noise.counts else (high, low)
    if kinds == (BELOW,):
        return noise.log_sides(below, *arguments)[0]
    if kinds == (ABOVE,):
        return noise.log_sides(above, *arguments)[1]
    shape = jnp.broadcast_shapes(*map(jnp.shape, (low, high, *arguments)))
    lower, upper_ = noise.log_sides(jnp.stack([jnp.broadcast_to(x, shape) for x in (above, below)]), *arguments)
    found = jnp.where(censored == BELOW, lower[1], upper_[0])
    if BETWEEN not in kinds:
        return found
    within = log_between(noise, low, high, ((lower[0], upper_[0]), (lower[1], upper_[1])), _inner(noise, arguments))
    return jnp.where(censored == BETWEEN, within, found)


def information(noise: Noise, value: Array, upper: Array, censored: Array, arguments: Array, kinds: Kinds = ALL) -> Array:
    """Fisher information of the arguments (R, k) of each record, (R, k, k).

    Of a limit below or above it is the observed information, its negative eigenvalues set to 0, as there is no closed form for
    all. Of an interval it is the part of a value's that the interval has kept, measured by the observed information of the
    location: all of it as the interval shrinks, nothing as it covers everything. Observed information is the central
    difference of the gradient: differentiating the tails twice would take longer to compile than all else of a fit.
    """
    found = noise.information(*jnp.moveaxis(arguments, -1, 0))
    if not kinds:
        return found

    def loss(a: Array, value: Array, upper: Array, censored: Array) -> Array:
        logs = noise.bent(_log_probability(noise, value, upper, censored, tuple(a), kinds))
        return -jnp.where(censored == 0, 0.0, logs)

    h = _step(noise, arguments, found)
    moves = h[:, None, :] * jnp.eye(arguments.shape[-1])  # (R, k, k)
    sides = jnp.stack([arguments[:, None] + moves, arguments[:, None] - moves])
    slopes = jax.vmap(jax.vmap(jax.vmap(jax.grad(loss), (0, None, None, None))), (0, None, None, None))(
        sides, value, upper, censored
    )
    observed = (slopes[0] - slopes[1]) / (2 * h[..., None])
    observed = 0.5 * (observed + jnp.swapaxes(observed, -1, -2))
    weights, vectors = jnp.linalg.eigh(jnp.where(jnp.isfinite(observed), observed, 0.0))
    positive = jnp.einsum("rij,rj,rkj->rik", vectors, jnp.maximum(weights, 0.0), vectors)
    if BETWEEN in kinds:
        place = next(i for i, name in enumerate(noise.arguments) if name in _LOCATIONS)
        exact = found[:, place, place]
        share = observed[:, place, place] / jnp.where(exact > 0, exact, 1.0)
        if noise.kinked:  # the density bends at one point only, which an interval may not contain
            share = 1 - jnp.exp(_log_probability(noise, value, upper, censored, tuple(jnp.moveaxis(arguments, -1, 0)), kinds))
        kept = (
            jnp.where(jnp.isfinite(found), found, 0.0)
            * jnp.clip(jnp.where(jnp.isfinite(share), share, 0.0), 0.0, 1.0)[:, None, None]
        )
        positive = jnp.where((censored == BETWEEN)[:, None, None], kept, positive)
    return jnp.where((censored == 0)[:, None, None], found, positive)


def _step(noise: Noise, arguments: Array, found: Array) -> Array:
    """Steps (R, k) for differences: small beside the standard error that one record gives, and possible."""
    size = jnp.abs(arguments)
    known = jnp.diagonal(found, axis1=-2, axis2=-1)
    usual = _STEP / jnp.sqrt(jnp.where((known > 0) & jnp.isfinite(known), known, 1.0))
    lowest = jnp.moveaxis(arguments - usual, -1, 0)
    return jnp.where(noise.valid(*lowest)[:, None], usual, jnp.minimum(usual, 1e-3 * size + 1e-12))
