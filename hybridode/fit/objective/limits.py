"""Likelihood and information of records, of which some are known only by limits: below, above, between.

`kinds` says which occur in a dataset, so that the program of a fit without limits contains none.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import jax
import jax.numpy as jnp
import numpy as np

from hybridode.data.cells import ABOVE, BELOW, BETWEEN
from hybridode.fit.objective.noise import Noise
from hybridode.types import Array

Kinds = tuple[int, ...]
ALL: Kinds = (BELOW, ABOVE, BETWEEN)
_LOG_PROBABILITY: dict[int, Callable[..., Array]] = {
    BELOW: lambda noise, value, upper, arguments: noise.log_below(value, *arguments),
    ABOVE: lambda noise, value, upper, arguments: noise.log_above(value, *arguments),
    BETWEEN: lambda noise, value, upper, arguments: noise.log_between(value, upper, *arguments),
}


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
    found = noise.log_density(value, *arguments)
    for kind in kinds:
        found = jnp.where(censored == kind, _log_probability(kind, noise, value, upper, censored, arguments), found)
    return found


def _log_probability(
    kind: int, noise: Noise, value: Array, upper: Array, censored: Array, arguments: Sequence[Array]
) -> Array:
    """With harmless limits where a record is of another kind: what is not taken must be finite, or its gradient is not."""
    mine = censored == kind
    return _LOG_PROBABILITY[kind](noise, jnp.where(mine, value, 0.5), jnp.where(mine, upper, 1.5), arguments)


def information(noise: Noise, value: Array, upper: Array, censored: Array, arguments: Array, kinds: Kinds = ALL) -> Array:
    """Fisher information of the arguments (R, k) of each record, (R, k, k).

    Of a limit it is the observed information, its negative eigenvalues set to 0, as there is no closed form for all.
    """
    found = noise.information(*jnp.moveaxis(arguments, -1, 0))
    if not kinds:
        return found

    def loss(a: Array, value: Array, upper: Array, censored: Array) -> Array:
        total = jnp.zeros(())
        for kind in kinds:
            total = total - jnp.where(censored == kind, _log_probability(kind, noise, value, upper, censored, a), 0.0)
        return total

    observed = jax.vmap(jax.hessian(loss))(arguments, value, upper, censored)
    weights, vectors = jnp.linalg.eigh(jnp.where(jnp.isfinite(observed), observed, 0.0))
    positive = jnp.einsum("rij,rj,rkj->rik", vectors, jnp.maximum(weights, 0.0), vectors)
    return jnp.where((censored == 0)[:, None, None], found, positive)
