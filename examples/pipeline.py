"""Known physics inside an ordinary Equinox network, trained by Optax.

Videos of a pendulum would be the real thing; here the "camera" is a fixed random map from the angle to twelve pixels.
The network has three parts: an encoder reads the first two frames, the physics (`pendulum.ode`, whose friction is not
known) carries the state on in time, and a decoder draws the frames. Everything is learnt at once by Adam: the
encoder, the decoder, and the two numbers inside the physics. To JAX the model is one more module.

    python examples/pipeline.py
"""

import time

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax

import hybridode as ho
from hybridode.fit.trainable import TrainableModel

jax.config.update("jax_enable_x64", True)

PENDULUM = """model pendulum "What is known of the videos"
param omega  = 1.5 in (0.5, 5) log   "angular frequency of small swings"
param friction = 0.5 in (0.01, 2) log  "what the air takes"
state theta = 1
theta'' = -omega^2*sin(theta) - friction*theta'
"""
TRUTH = {"omega": 2.0, "friction": 0.15}
TIMES = np.linspace(0, 4, 21)
PIXELS, VIDEOS, STEPS = 12, 24, 1000


def filmed(model: ho.Model, rng: np.random.Generator) -> tuple[jax.Array, jax.Array]:
    """Videos (VIDEOS, times, PIXELS) of pendulums let go at random, and their angles (VIDEOS, times)."""
    solve = model.solver(at=TIMES, set=TRUTH, gradient="forward")
    starts = jnp.asarray(np.column_stack([rng.uniform(-1.5, 1.5, VIDEOS), rng.uniform(-1, 1, VIDEOS)]))
    angles = jax.jit(jax.vmap(lambda s: solve(start=s)["theta"]))(starts)
    camera = rng.normal(size=(3, PIXELS))
    frames = jnp.tanh(jnp.stack([jnp.sin(angles), jnp.cos(angles), angles], axis=-1) @ camera)
    return frames + 0.01 * rng.normal(size=frames.shape), angles


class VideoModel(eqx.Module):
    """First two frames -> angle and speed -> physics -> all frames."""

    encoder: eqx.nn.MLP
    physics: TrainableModel  # an Equinox module: its leaves are omega and friction, unconstrained
    decoder: eqx.nn.MLP

    def __init__(self, model: ho.Model, key: jax.Array) -> None:
        first, last = jax.random.split(key)
        self.encoder = eqx.nn.MLP(2 * PIXELS, 2, 32, 1, jnp.tanh, key=first)
        self.physics = model.module(at=TIMES, rtol=1e-4, atol=1e-6)
        self.decoder = eqx.nn.MLP(2, PIXELS, 32, 1, jnp.tanh, key=last)

    def __call__(self, frames: jax.Array) -> tuple[jax.Array, jax.Array]:
        """Frames (times, PIXELS) -> (frames as reconstructed, angles (times,))."""
        start = self.encoder(frames[:2].reshape(-1))
        solution = self.physics(start=start)
        theta = solution["theta"]
        return jax.vmap(self.decoder)(jnp.stack([jnp.sin(theta), jnp.cos(theta)], axis=-1)), theta


@eqx.filter_value_and_grad
def loss(network: VideoModel, videos: jax.Array) -> jax.Array:
    drawn, _ = jax.vmap(network)(videos)
    return jnp.mean((drawn - videos) ** 2)


def main() -> tuple[float, float]:
    """Trains and prints; returns the loss before and after."""
    began = time.perf_counter()
    model = ho.parse(PENDULUM, "pendulum.ode")
    videos, _ = filmed(model, np.random.default_rng(0))
    network = VideoModel(model, jax.random.key(0))
    optimiser = optax.adam(optax.cosine_decay_schedule(1e-2, STEPS))

    @eqx.filter_jit
    def step(network: VideoModel, state: optax.OptState) -> tuple[jax.Array, VideoModel, optax.OptState]:
        value, slope = loss(network, videos)
        changes, state = optimiser.update(slope, state, eqx.filter(network, eqx.is_inexact_array))
        return value, eqx.apply_updates(network, changes), state

    state = optimiser.init(eqx.filter(network, eqx.is_inexact_array))
    values = []
    for i in range(STEPS):
        value, network, state = step(network, state)
        values.append(float(value))
        if i % 200 == 0:
            print(f"step {i:4d}: mean squared error {values[-1]:.5f}", flush=True)
    learnt = network.physics.parameters()
    print(f"before {values[0]:.5f}, after {values[-1]:.5f} ({time.perf_counter() - began:.0f} s)")
    for name, truth in TRUTH.items():
        print(f"{name}: {float(learnt[name]):.3f} (truth {truth})")
    return values[0], values[-1]


if __name__ == "__main__":
    main()
