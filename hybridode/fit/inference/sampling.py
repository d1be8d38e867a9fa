"""Posterior samples by NUTS (M. D. Hoffman, A. Gelman, JMLR 15 (2014) 1593), from blackjax on the native gradients.

What is sampled are the unconstrained numbers u in z = z* + L u, with z* the optimum and L L' the inverse of the Fisher matrix
there: on that scale the posterior is near to a standard normal, so that a short adaptation suffices, of the step size by dual
averaging and of L by the draws of all chains together.
The density is that of the natural values, with log|dx/dz| for the change of variables: a prior is a density of the natural value,
and what has none is flat on its declared scale (in its logarithm for `log`). All chains advance in one call, one lane each.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd

from hybridode.errors import Diagnostic, UsageError
from hybridode.fit.objective.batch import Batch
from hybridode.fit.objective.objective import Objective
from hybridode.fit.parameters import ParameterSpace
from hybridode.fit.prepare import Prepared
from hybridode.types import Array

CHAINS, DRAWS = 4, 1000
BLOCK = 50  # draws between two looks at the clock
WARMUP = (3, 4, 3)  # blocks of adaptation; between them the axes are found anew
TARGET = 0.8  # acceptance that the step size is adapted to
_SPREAD = 1.0  # of the chains' starts, in standard deviations
_FIRST_STEP = 0.5
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

    @property
    def table(self) -> pd.DataFrame:
        """name, mean, sd, lower95, upper95 (quantiles), rhat, ess_bulk, ess_tail, mcse (of the mean)."""
        from arviz_stats.base.array import array_stats as statistics

        rows = []
        for i, name in enumerate(self.names):
            x = self.natural[..., i]
            bulk = statistics.ess(x, chain_axis=0, draw_axis=1, method="bulk")
            tail = statistics.ess(x, chain_axis=0, draw_axis=1, method="tail", prob=(0.05, 0.95))
            rhat, mcse = statistics.rhat(x, chain_axis=0, draw_axis=1), statistics.mcse(x, chain_axis=0, draw_axis=1)
            low, high = np.quantile(x, (0.025, 0.975))
            found = (np.mean(x), np.std(x, ddof=1), low, high, rhat, bulk, tail, mcse)
            rows.append((name, *(float(np.asarray(v)) for v in found)))
        return pd.DataFrame(rows, columns=["name", "mean", "sd", "lower95", "upper95", "rhat", "ess_bulk", "ess_tail", "mcse"])

    def to_arviz(self) -> Any:
        """The draws and the sampler's statistics as ArviZ's inference data."""
        import arviz

        statistics = {"lp": self.log_density, "energy": self.energy, "diverging": self.diverging,
                      "tree_depth": self.depth, "acceptance_rate": self.acceptance}  # fmt: skip
        posterior = {name: self.natural[..., i] for i, name in enumerate(self.names)}
        return arviz.from_dict(posterior=posterior, sample_stats=statistics)


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


def refined(axes: np.ndarray, u: np.ndarray) -> np.ndarray:
    """Axes in which the draws u (n, d) of all chains on the axes (d, d) are uncorrelated, shrunk a little as Stan does."""
    n, d = u.shape
    covariance = np.atleast_2d(np.cov(u, rowvar=False))
    return axes @ np.linalg.cholesky(n / (n + 5) * covariance + 1e-3 * 5 / (n + 5) * np.eye(d))


Block = Callable[..., Any]


def _block(density: Callable[[Array], Array], centre: np.ndarray, chains: int) -> Block:
    """One program for adaptation and draws: BLOCK draws of all chains from u (chains, d) on the axes (d, d), with the state of
    the dual averaging of each chain's step size, which goes on while `adapting`."""
    import blackjax  # the extra `sampling`
    from blackjax.adaptation.step_size import dual_averaging_adaptation

    _, update, _ = dual_averaging_adaptation(TARGET)
    kernel = blackjax.nuts.build_kernel()

    def block(key: Array, u: Array, axes: Array, averages: Any, adapting: Array) -> Any:
        whitened = lambda u: density(jnp.asarray(centre) + axes @ u)  # noqa: E731
        mass = jnp.ones(len(centre))

        def advance(key: Array, state: Any, average: Any) -> Any:
            step = jnp.exp(jnp.where(adapting, average.log_step_size, average.log_step_size_avg))
            state, info = kernel(key, state, whitened, step_size=step, inverse_mass_matrix=mass, max_num_doublings=MOST_DEPTH)
            moved = update(average, info.acceptance_rate)
            average = jax.tree_util.tree_map(lambda new, old: jnp.where(adapting, new, old), moved, average)
            kept = (state.position, state.logdensity, info.energy, info.is_divergent, info.num_trajectory_expansions)
            return state, average, (*kept, info.acceptance_rate)

        def once(carry: Any, key: Array) -> Any:
            state, average, kept = jax.vmap(advance)(jax.random.split(key, chains), *carry)
            return (state, average), kept

        states = jax.vmap(lambda u: blackjax.nuts.init(u, whitened))(u)
        (states, averages), kept = jax.lax.scan(once, (states, averages), jax.random.split(key, BLOCK))
        return states.position, averages, kept

    return jax.jit(block)


class Sampler:
    """NUTS for one posterior, compiled when first used: `draw` may be called again for another seed or number of draws."""

    def __init__(self, prepared: Prepared, theta: np.ndarray, chains: int = CHAINS) -> None:
        """From the optimum theta (d,) of a fit. Raises UsageError E0780 for an improper posterior, E0782 without blackjax."""
        objective = prepared.objective
        check_proper(objective)
        if find_spec("blackjax") is None:
            hint = 'install it: pip install "hybridode[sampling]"'
            raise UsageError(Diagnostic("E0782", "sampling needs blackjax, which is not installed", hint=hint))
        self.objective, self.theta, self.chains = objective, theta, chains
        self.axes = spread_of(np.asarray(prepared.lanes.evaluation(theta).fisher))
        self._block = _block(log_posterior(objective, prepared.fitted), theta, chains)

    def draw(self, draws: int = DRAWS, seed: int = 0, watch: Callable[[int, int], None] | None = None) -> Sample:
        """So many draws of each chain after the adaptation. watch(done, all) is called after every block, and may raise. Call it
        in float64."""
        from blackjax.adaptation.step_size import dual_averaging_adaptation

        begin, _, _ = dual_averaging_adaptation(TARGET)
        first = jax.tree_util.tree_map(np.array, jax.vmap(begin)(jnp.full(self.chains, _FIRST_STEP)))
        key, start = jax.random.split(jax.random.key(seed))
        u = _SPREAD * np.asarray(jax.random.normal(start, (self.chains, len(self.theta))))
        kept_blocks = -(-draws // BLOCK)
        averages, axes, done, parts = first, self.axes, 0, []
        for stage, count in enumerate((*WARMUP, kept_blocks)):
            adapting = stage < len(WARMUP)
            averages, parts = first if adapting else averages, []
            for _ in range(count):
                key, mine = jax.random.split(key)
                answer = self._block(mine, u, axes, averages, np.array(adapting))
                u, averages, kept = jax.tree_util.tree_map(np.array, answer)  # the same types in every call: one compilation
                parts.append(kept)
                done += BLOCK
                if watch is not None:
                    watch(done, (sum(WARMUP) + kept_blocks) * BLOCK)
            if stage < len(WARMUP) - 1:
                now = axes @ u.T
                axes = refined(axes, np.concatenate([part[0] for part in parts]).reshape(-1, len(self.theta)))
                u = np.linalg.solve(axes, now).T
        return _sample(self.objective, self.theta, axes, parts, np.exp(averages.log_step_size_avg), draws)


def _sample(objective: Objective, theta: np.ndarray, axes: np.ndarray, parts: list[Any], step: np.ndarray, draws: int) -> Sample:
    u, density, energy, diverging, depth, acceptance = (
        np.swapaxes(np.concatenate(a), 0, 1)[:, :draws] for a in zip(*parts, strict=True)
    )
    thetas, k = theta + u @ axes.T, objective.n_parameters
    natural = np.array([[objective.space.vector(z[:k]) for z in chain] for chain in thetas])
    return Sample(objective.space.names, thetas, natural, density, energy, diverging, depth, acceptance, step)
