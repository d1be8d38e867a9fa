"""First weights of a network, the same in every process for the same seed and name."""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from hybridode.declarations import Network
from hybridode.networks.lower import weight_shapes

SMALL = 1e-3  # standard deviation of a last layer that starts near zero (rule D5)


def initialise(network: Network, seed: int = 0, dtype: DTypeLike = np.float64) -> dict[str, np.ndarray]:
    """Trainable arrays by name: `W0` (out, in), `b0` (out,), …

    Weights are Glorot uniform, biases 0. The last layer is `small` (normal, 1e-3), `zero` or `glorot`. The network's own
    `seed=`, if written, takes the place of the argument. Two things would leave a network without a gradient and are
    avoided: an even network has random hidden biases (with none its value does not depend on the weights when the
    activation is odd), and a monotone one that starts at zero has last weights of 1e-12 (the derivative of |w| at 0 is 0).
    """
    own = seed if network.seed is None else network.seed
    name = int.from_bytes(hashlib.sha256(network.name.encode()).digest()[:8], "little")
    random = np.random.Generator(np.random.PCG64(np.random.SeedSequence([own, name])))
    shapes = weight_shapes(network)
    last = f"W{len(network.hidden)}"
    weights: dict[str, np.ndarray] = {}
    for key, shape in shapes.items():
        if key[0] == "b":
            even = network.symmetry == "even" and key != f"b{len(network.hidden)}"
            value = random.uniform(-1.0, 1.0, shape) if even else np.zeros(shape)
        elif key == last and network.init != "glorot":
            value = _last(network, random, shape)
        else:
            limit = np.sqrt(6.0 / sum(shape))
            value = random.uniform(-limit, limit, shape)
        weights[key] = value.astype(dtype)
    return weights


def _last(network: Network, random: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    if network.init == "small":
        return SMALL * random.standard_normal(shape)
    monotone = any(word != "none" for word in network.monotone)
    return np.full(shape, 1e-12) if monotone else np.zeros(shape)


def constants(network: Network, dtype: DTypeLike = np.float64) -> dict[str, Any]:
    """The constants of a network, never trained: `shift` (inputs,), `scale` (inputs,), `out_scale` (); 0, 1, 1 until known."""
    shift = np.zeros(network.inputs) if network.shift is None or network.symmetry else np.array(network.shift)
    scale = np.ones(network.inputs) if network.scale is None else np.array(network.scale)
    out_scale = np.array(1.0 if network.out_scale is None else network.out_scale)
    return {"shift": shift.astype(dtype), "scale": scale.astype(dtype), "out_scale": out_scale.astype(dtype)}
