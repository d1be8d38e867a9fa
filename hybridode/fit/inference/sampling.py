"""Posterior samples by NUTS (M. D. Hoffman, A. Gelman, JMLR 15 (2014) 1593), from blackjax on the native gradients.

What is sampled are the unconstrained numbers u in z = z* + L u, with z* the optimum and L L' the inverse of the Fisher matrix
there: on that scale the posterior is near to a standard normal, so that a short adaptation of a diagonal mass matrix suffices.
The density is that of the natural values, with log|dx/dz| for the change of variables: a prior is a density of the natural value,
and what has none is flat on its declared scale (in its logarithm for `log`). All chains advance in one call, one lane each.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from hybridode.errors import Diagnostic, UsageError
from hybridode.fit.objective.batch import Batch
from hybridode.fit.objective.objective import Objective
from hybridode.fit.parameters import ParameterSpace
from hybridode.types import Array

CHAINS, WARMUP, DRAWS = 4, 500, 1000
BLOCK = 100  # draws between two looks at the clock
TARGET = 0.8  # acceptance that the step size is adapted to
_SPREAD = 1.0  # of the chains' starts, in standard deviations
_WIDEST = 10.0  # standard deviation on the unconstrained scale of directions that the data say nothing about
MOST_DEPTH = 10


@dataclass(frozen=True, eq=False)
class Sample:
    """Draws of a posterior. theta (chains, draws, d) unconstrained, natural (chains, draws, k) in the order of `names`; per draw
    (chains, draws): the log-density, `energy`, `diverging`, `depth` of the tree, `acceptance`; step size of each chain."""

    names: tuple[str, ...]
    theta: np.ndarray
    natural: np.ndarray
    log_density: np.ndarray
    energy: np.ndarray
    diverging: np.ndarray
    depth: np.ndarray
    acceptance: np.ndarray
    step_size: np.ndarray

    @property
    def divergences(self) -> int:
        return int(np.sum(self.diverging))


def log_jacobian(space: ParameterSpace, z: Array) -> Array:
    """log |dx/dz| of linear scales, log |dlog x/dz| of logarithmic ones without a prior; a scalar."""
    slopes = jax.jvp(lambda v: space.vector(v, jnp), (z,), (jnp.ones_like(z),))[1]  # each x depends on its own z only
    return jnp.sum(jnp.log(jnp.abs(slopes)))


def log_posterior(objective: Objective, batch: Batch) -> Callable[[Array], Array]:
    """The log-density of theta (d,), a scalar; -inf where the model cannot be evaluated. One evaluation gives value and slope."""
    space, k = objective.space, objective.n_parameters
    flat = np.array([e.log and not any(i in p.entries for p in objective.priors) for i, e in enumerate(space.entries)], bool)

    def correction(theta: Array) -> Array:
        z = theta[:k]
        return log_jacobian(space, z) - jnp.sum(jnp.where(flat, jnp.log(jnp.abs(space.vector(z, jnp))), 0.0))

    @jax.custom_vjp
    def density(theta: Array) -> Array:
        return forward(theta)[0]

    def forward(theta: Array) -> tuple[Array, Array]:
        e = objective.value_and_gradient(theta, batch)
        extra, slope = jax.value_and_grad(correction)(theta)
        ok = jnp.isfinite(e.value) & jnp.isfinite(extra)
        return jnp.where(ok, extra - e.value, -jnp.inf), jnp.where(ok, slope - e.gradient, 0.0)

    density.defvjp(forward, lambda slope, g: (g * slope,))
    return density


def check_proper(objective: Objective) -> list[str]:
    """A line for each parameter without a prior. Raises UsageError E0780 for one that has no bounds either."""
    with_prior = {i for p in objective.priors for i in p.entries}
    lines = []
    for i, e in enumerate(objective.space.entries):
        if i in with_prior:
            continue
        bounded = np.isfinite(e.upper) and (e.lower > 0 if e.log else np.isfinite(e.lower))
        if not bounded:
            raise UsageError(Diagnostic("E0780", f"`{e.name}` has neither a prior nor bounds on both sides: it has no posterior",
                                        hint=f"write `prior {e.parameter} ~ …`, or bounds: `in (…, …)`"))  # fmt: skip
        scale = "its logarithm" if e.log else "its value"
        lines.append(f"`{e.name}` has no prior: it is flat in {scale} between its bounds")
    return lines


def spread_of(fisher: np.ndarray) -> np.ndarray:
    """L (d, d) with L L' the inverse of the Fisher matrix, no direction wider than _WIDEST."""
    weights, vectors = np.linalg.eigh(fisher)
    return vectors / np.sqrt(np.maximum(weights, _WIDEST**-2))


def sample(
    objective: Objective,
    batch: Batch,
    theta: np.ndarray,
    fisher: np.ndarray,
    *,
    chains: int = CHAINS,
    warmup: int = WARMUP,
    draws: int = DRAWS,
    seed: int = 0,
    watch: Callable[[int, int], None] | None = None,
) -> Sample:
    """NUTS from the optimum theta (d,) with its Fisher matrix. watch(done, draws) is called after every block of draws, and may
    raise. Raises UsageError E0780 for an improper posterior. Runs in float64."""
    import blackjax  # the extra `sampling`

    check_proper(objective)
    axes = spread_of(fisher)
    density = log_posterior(objective, batch)
    centre = jnp.asarray(theta)
    whitened = lambda u: density(centre + jnp.asarray(axes) @ u)  # noqa: E731
    keys = jax.random.split(jax.random.key(seed), 3)
    begin = _SPREAD * jax.random.normal(keys[0], (chains, len(theta)))
    tuning = blackjax.window_adaptation(blackjax.nuts, whitened, target_acceptance_rate=TARGET, max_num_doublings=MOST_DEPTH)

    def adapt(key: Array, at: Array) -> Any:
        (state, tuned), _ = tuning.run(key, at, warmup)
        return state, tuned["step_size"], tuned["inverse_mass_matrix"]

    state, step_size, mass = jax.jit(jax.vmap(adapt))(jax.random.split(keys[1], chains), begin)
    kernel = blackjax.nuts.build_kernel()

    def advance(state: Any, key: Array, step: Array, mass: Array) -> Any:
        state, info = kernel(key, state, whitened, step_size=step, inverse_mass_matrix=mass, max_num_doublings=MOST_DEPTH)
        kept = (state.position, state.logdensity, info.energy, info.is_divergent, info.num_trajectory_expansions)
        return state, (*kept, info.acceptance_rate)

    @jax.jit
    def block(state: Any, keys: Array) -> Any:
        return jax.lax.scan(lambda s, k: jax.vmap(advance)(s, jax.random.split(k, chains), step_size, mass), state, keys)

    parts, done = [], 0
    for keys_of_block in np.array_split(np.asarray(jax.random.key_data(jax.random.split(keys[2], draws))), -(-draws // BLOCK)):
        state, kept = block(state, jax.random.wrap_key_data(jnp.asarray(keys_of_block)))
        parts.append(jax.tree_util.tree_map(np.asarray, kept))
        done += len(keys_of_block)
        if watch is not None:
            watch(done, draws)
    u, log_density, energy, diverging, depth, acceptance = (np.swapaxes(np.concatenate(a), 0, 1) for a in zip(*parts, strict=True))
    thetas = theta + u @ axes.T
    k = objective.n_parameters
    natural = np.array([[objective.space.vector(z[:k]) for z in chain] for chain in thetas])
    return Sample(objective.space.names, thetas, natural, log_density, energy, diverging, depth, acceptance, np.asarray(step_size))
