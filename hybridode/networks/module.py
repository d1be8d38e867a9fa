"""A network as an ordinary Equinox module, equal in meaning to the tape's nodes (`networks/lower`)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from hybridode.declarations import Network
from hybridode.networks.initialise import constants, initialise
from hybridode.networks.lower import POSITIVE_SHIFT, monotone_words

ACTIVATIONS: dict[str, Callable[[Any], Any]] = {
    "linear": lambda x: x,
    "tanh": jnp.tanh,
    "softplus": jax.nn.softplus,
    "sigmoid": jax.nn.sigmoid,
    "relu": jax.nn.relu,
    "sin": jnp.sin,
    "swish": jax.nn.swish,
    "gelu": lambda x: jax.nn.gelu(x, approximate=False),
    "rbf": lambda x: jnp.exp(-jnp.square(x)),
}


class NetworkModule(eqx.Module):
    """`network(x)`: x (inputs,) -> (outputs,), flat; `vmap` it over batches.

    `weights` (`W0` (out, in), `b0` (out,), …) are trainable leaves, `constants` (shift, scale, out_scale) are leaves that stop
    gradients. `declaration` is static.
    """

    weights: dict[str, Array]
    constants: dict[str, Array]
    declaration: Network = eqx.field(static=True)

    def __init__(self, declaration: Network, seed: int = 0, dtype: Any = None, weights: Mapping[str, Any] | None = None) -> None:
        """First weights from the seed, or the given ones (with or without shift, scale, out_scale)."""
        dtype = jnp.result_type(float) if dtype is None else dtype
        given = dict(initialise(declaration, seed, dtype)) if weights is None else dict(weights)
        fixed = {**constants(declaration, dtype), **{k: given.pop(k) for k in ("shift", "scale", "out_scale") if k in given}}
        self.weights = {k: jnp.asarray(v, dtype) for k, v in given.items()}
        self.constants = {k: jnp.asarray(v, dtype) for k, v in fixed.items()}
        self.declaration = declaration

    def __call__(self, x: Any) -> Array:
        x, point = jnp.asarray(x), self.declaration.zero_at
        value = self._symmetric(x)
        if point:
            free = np.array([a is None for a in point])
            value = value - self._symmetric(jnp.where(free, x, jnp.array([0.0 if a is None else a for a in point], x.dtype)))
        return jax.lax.stop_gradient(self.constants["out_scale"]) * value

    def _symmetric(self, x: Array) -> Array:
        net = self.declaration
        fixed = jax.lax.stop_gradient(self.constants)
        z = (x - (0.0 if net.symmetry else fixed["shift"])) / fixed["scale"]
        value = self._layers(z)
        if net.symmetry:
            mirrored = self._layers(-z)
            value = 0.5 * (value - mirrored if net.symmetry == "odd" else value + mirrored)
        return value

    def _layers(self, x: Array) -> Array:
        net = self.declaration
        last = len(net.hidden)
        for k in range(last + 1):
            x = self._matrix(k) @ x
            if f"b{k}" in self.weights:
                x = x + self.weights[f"b{k}"]
            x = ACTIVATIONS[net.act if k < last else net.final](x)
        return jax.nn.softplus(x + POSITIVE_SHIFT) if net.positive else x

    def _matrix(self, k: int) -> Array:
        w = self.weights[f"W{k}"]
        words = monotone_words(self.declaration)
        if all(word == "none" for word in words):
            return w
        if k > 0:
            return jnp.abs(w)
        sign = jnp.array([{"up": 1.0, "down": -1.0, "none": 0.0}[word] for word in words], w.dtype)
        return jnp.where(sign == 0, w, sign * jnp.abs(w))
