"""`categorical(logits=v)`: the log-probabilities of classes 1, 2, …, n, up to a constant (A. Agresti, Categorical Data Analysis,
3rd ed. (2013), ch. 8: the baseline-category logit model; the Fisher information of the logits is diag(p) - p p^T)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from hybridode.types import Array


def log_density(value: Array, *logits: Array) -> Array:
    """log P(class `value`), 1 to n. Without a gather, whose derivative compiles slowly."""
    stacked = jnp.stack(jnp.broadcast_arrays(*logits), axis=-1)
    mine = jnp.asarray(value)[..., None] == jnp.arange(1, len(logits) + 1)
    return jnp.sum(jnp.where(mine, stacked, 0.0), axis=-1) - jax.nn.logsumexp(stacked, axis=-1)


def information(*logits: Array) -> Array:
    """Fisher information (…, n, n) of the logits; what adds the same to all of them is not known."""
    p = jax.nn.softmax(jnp.stack(jnp.broadcast_arrays(*logits), axis=-1), axis=-1)
    return p[..., :, None] * (jnp.eye(len(logits)) - p[..., None, :])


def probabilities(*logits: Any) -> np.ndarray:
    """Of the classes, (…, n) (NumPy)."""
    stacked = np.stack(np.broadcast_arrays(*logits), axis=-1).astype(float)
    with np.errstate(invalid="ignore"):
        found = np.exp(stacked - stacked.max(axis=-1, keepdims=True))
    return found / found.sum(axis=-1, keepdims=True)


def most_probable(*logits: Any) -> np.ndarray:
    """The number of the most probable class (the first of equals); NaN where a logit is."""
    p = probabilities(*logits)
    return np.where(np.isnan(p).any(axis=-1), np.nan, np.argmax(p, axis=-1) + 1.0)


def residual(value: Any, *logits: Any) -> np.ndarray:
    """The class number less its mean, over its standard deviation: mean 0 and variance 1 where the model is right. Of two classes
    it is `bernoulli`'s."""
    p, numbers = probabilities(*logits), np.arange(1, len(logits) + 1)
    mean = p @ numbers
    spread = np.sum(p * (numbers - mean[..., None]) ** 2, axis=-1)
    return (value - mean) / np.sqrt(np.maximum(spread, 1e-300))


def log_sides(value: Array, *logits: Array) -> tuple[Array, Array]:
    """log P(number <= value), log P(number > value) of a class: for residuals only, since classes have no order and no limits."""
    logs = jax.nn.log_softmax(jnp.stack(jnp.broadcast_arrays(*logits), axis=-1), axis=-1)
    lower = jnp.asarray(value)[..., None] >= jnp.arange(1, len(logits) + 1)
    sides = (jnp.where(mine, logs, -jnp.inf) for mine in (lower, ~lower))
    below, above = (jax.nn.logsumexp(side, axis=-1) for side in sides)
    return below, above


@dataclass(frozen=True)
class ClassNumbers:
    """The distribution of a class number, as far as intervals need it."""

    logits: tuple[Any, ...]

    def ppf(self, probability: Any) -> np.ndarray:
        """The least number whose cumulative probability reaches `probability`."""
        reached = np.cumsum(probabilities(*self.logits), axis=-1)
        below = np.sum(reached < np.asarray(probability)[..., None] - 1e-12, axis=-1)
        return np.where(np.isnan(reached).any(axis=-1), np.nan, np.minimum(below + 1.0, len(self.logits)))

    def rvs(self, size: tuple[int, ...], random_state: np.random.Generator) -> np.ndarray:
        """Class numbers drawn, of the shape that the logits have together."""
        return self.ppf(random_state.uniform(size=size))
