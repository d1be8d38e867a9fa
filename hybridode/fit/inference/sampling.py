"""Posterior samples by NUTS (M. D. Hoffman, A. Gelman, JMLR 15 (2014) 1593), from blackjax on the native gradients.

What is sampled are the unconstrained numbers u in z = z* + L u, with z* the optimum and L L' the inverse of the Fisher matrix
there: on that scale the posterior is near to a standard normal, so that a short adaptation suffices, of the step size by dual
averaging and of L by the draws of all chains together. All chains advance in one call, one lane each.

The data, the optimum and the axes are arguments of the one program: other data of the same shapes compile nothing. Draw n of a
chain takes the key fold_in(seed, n), so that the numbers do not depend on how many draws a call makes.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from importlib.util import find_spec
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from hybridode.errors import Diagnostic, NumericsError, UsageError
from hybridode.fit.inference.posterior import LogDensity, check_proper, correction, log_posterior
from hybridode.fit.inference.sample import Sample
from hybridode.fit.objective.batch import Batch
from hybridode.fit.objective.xla import SOME, compiler_options
from hybridode.fit.prepare import Prepared
from hybridode.kernels.programs import programs_kept
from hybridode.types import Array

CHAINS, DRAWS, WARMUP = 4, 1000, 500
ACCEPT = 0.8  # acceptance that the step size is adapted to
MOST_DEPTH = 10
_BLOCK = 100  # most draws in one call
_CALL = 0.3  # seconds that a call should take: Ctrl-C and the clock are looked at between calls
_STAGES = (0.3, 0.7, 1.0)  # of the warm-up; at the first two the axes are found anew
_SPREAD = 1.0  # of the chains' starts, in standard deviations
_FIRST_STEP = 0.5
_WIDEST = 10.0  # standard deviation on the unconstrained scale of directions that the data say nothing about
_HALVINGS = 30
_FAR = 6.0  # standard deviations that no chain goes by itself before it is adapted

Stop = Callable[[int, int], str]  # of draws done (warm-up too) and of all: why to end here, "" to go on


@dataclass(frozen=True, eq=False)
class Chains:
    """Where chains stand: `u` (chains, d), log-density and slope there by u, dual averaging of the step sizes, `axes` (d, d),
    `centre` (d,), `seed` and the draws `done`, warm-up included: all that a longer run needs."""

    u: np.ndarray
    density: np.ndarray
    slope: np.ndarray
    averages: Any
    axes: np.ndarray
    centre: np.ndarray
    seed: int
    done: int

    @property
    def theta(self) -> np.ndarray:
        return self.centre + self.u @ self.axes.T


def spread_of(fisher: np.ndarray) -> np.ndarray:
    """L (d, d) with L L' the inverse of the Fisher matrix, no direction wider than _WIDEST."""
    weights, vectors = np.linalg.eigh(fisher)
    return vectors / np.sqrt(np.maximum(weights, _WIDEST**-2))


def refined(axes: np.ndarray, u: np.ndarray) -> np.ndarray:
    """Axes in which the draws u (n, d) of all chains on the axes (d, d) are uncorrelated, shrunk towards the old ones."""
    n, d = u.shape
    covariance = np.atleast_2d(np.cov(u, rowvar=False))
    share = n / (n + 5 * d)
    return axes @ np.linalg.cholesky(share * covariance + (1 - share) * np.eye(d))


def _program(density: LogDensity, chains: int) -> Callable[..., Any]:
    """Up to _BLOCK draws of all chains: `count` of them, the first of number `first`; the step sizes move while `adapting`."""
    import blackjax  # the extra `sampling`
    from blackjax.adaptation.step_size import dual_averaging_adaptation
    from blackjax.mcmc.hmc import HMCState

    _, update, _ = dual_averaging_adaptation(ACCEPT)
    kernel = blackjax.nuts.build_kernel()

    def block(key: Array, first: Array, count: Array, states: Any, axes: Array, centre: Array, averages: Any,
              adapting: Array, accept: Array, batch: Batch) -> Any:  # fmt: skip
        whitened = lambda u: density(centre + axes @ u, batch)  # noqa: E731
        mass = jnp.ones(centre.shape[0])

        def advance(key: Array, state: Any, average: Any) -> Any:
            step = jnp.exp(jnp.where(adapting, average.log_step_size, average.log_step_size_avg))
            state, info = kernel(key, state, whitened, step_size=step, inverse_mass_matrix=mass, max_num_doublings=MOST_DEPTH)
            moved = update(average, info.acceptance_rate - (accept - ACCEPT))
            average = jax.tree_util.tree_map(lambda new, old: jnp.where(adapting, new, old), moved, average)
            ends = info.trajectory_leftmost_state.logdensity, info.trajectory_rightmost_state.logdensity
            failed = ~jnp.isfinite(ends[0]) | ~jnp.isfinite(ends[1])
            return state, average, (state.position, state.logdensity, info.energy, info.is_divergent, failed,
                                    info.num_trajectory_expansions, info.num_integration_steps, info.acceptance_rate)  # fmt: skip

        def once(carry: Any) -> Any:
            i, states, averages, kept = carry
            keys = jax.random.split(jax.random.fold_in(key, first + i), chains)
            states, averages, new = jax.vmap(advance)(keys, states, averages)
            return (
                i + 1,
                states,
                averages,
                jax.tree_util.tree_map(lambda all, one: all.at[i].set(one.astype(all.dtype)), kept, new),
            )

        states = HMCState(*states)
        number, room = jnp.zeros((_BLOCK, chains)), [jnp.zeros((_BLOCK, chains), kind) for kind in (bool, bool, int, int)]
        room = (jnp.zeros((_BLOCK, *states.position.shape)), number, number, *room, number)
        _, states, averages, kept = jax.lax.while_loop(lambda c: c[0] < count, once, (0, states, averages, room))
        return tuple(states), averages, kept

    return jax.jit(block, compiler_options=compiler_options(SOME))


class Sampler:
    """NUTS for one model and data of one shape, compiled when first used: `draw` may be called again for another seed, more
    draws, or other data."""

    def __init__(self, prepared: Prepared, theta: np.ndarray, chains: int = CHAINS, accept: float = ACCEPT) -> None:
        """From the optimum theta (d,) of a fit. accept: see ACCEPT. Raises UsageError E0780 for an improper posterior, E0782
        without blackjax, E0787 for more numbers than the Fisher matrix is computed for."""
        objective = prepared.objective
        self.priors = check_proper(objective)
        check_installed()
        self.prepared, self.objective, self.theta, self.chains, self.accept = prepared, objective, theta, chains, accept

    @cached_property
    def _block(self) -> Callable[..., Any]:
        return _program(log_posterior(self.objective), self.chains)

    @cached_property
    def _extra(self) -> Callable[..., Any]:
        return jax.jit(jax.vmap(jax.value_and_grad(correction(self.objective))), compiler_options=compiler_options(SOME))

    # ---- where chains begin -----------------------------------------------------------------------------------------------
    def begin(
        self, seed: int = 0, theta: np.ndarray | None = None, batch: Batch | None = None,
        others: Sequence[np.ndarray] = (),
    ) -> Chains:  # fmt: skip
        """Chains spread about the optimum theta (d,) as wide as the posterior seems to be there; up to half of them about
        `others`, points that may belong to the posterior too and are far off. batch: other records of the same shapes.

        Raises NumericsError E0788 where the model cannot be solved at theta."""
        from blackjax.adaptation.step_size import dual_averaging_adaptation

        with jax.enable_x64(True), programs_kept():
            theta = self.theta if theta is None else theta
            batch = self.prepared.fitted if batch is None else batch
            best = self.prepared.lanes.point_on(batch, theta)
            if not np.isfinite(best.value):
                raise NumericsError(Diagnostic("E0788", f"no chain can start: at the optimum {best.reason}"))
            axes = spread_of(np.asarray(best.fisher))
            others = self._separate(axes, theta, others)
            first, _, _ = dual_averaging_adaptation(ACCEPT)
            averages = jax.tree_util.tree_map(np.array, jax.vmap(first)(jnp.full(self.chains, _FIRST_STEP)))
            normal = _SPREAD * np.random.default_rng(seed).standard_normal((self.chains, len(theta)))
            about = np.zeros_like(normal)
            for row, other in enumerate(others[: self.chains // 2]):
                about[-1 - row] = np.linalg.solve(axes, other - theta)
            u, density, slope = self._at(about, normal, axes, theta, batch)
        return Chains(u, density, slope, averages, axes, theta, seed, 0)

    @staticmethod
    def _separate(axes: np.ndarray, theta: np.ndarray, others: Sequence[np.ndarray]) -> list[np.ndarray]:
        """Those of the others that chains about theta would not come to by themselves, each once."""
        apart = [np.linalg.solve(axes, other - theta) for other in others]
        far: list[tuple[np.ndarray, np.ndarray]] = []
        for u, other in zip(apart, others, strict=True):
            if np.linalg.norm(u) > _FAR and all(np.linalg.norm(u - v) > _FAR for v, _ in far):
                far.append((u, other))
        return [other for _, other in far]

    def _at(self, about: np.ndarray, away: np.ndarray, axes: np.ndarray, centre: np.ndarray, batch: Batch) -> Any:
        """The points about + away (chains, d), nearer to `about` where the model cannot be solved; log-density and slope."""
        density, slope = np.full(len(about), -np.inf), np.zeros_like(about)
        for row in range(len(about)):
            for _ in range(_HALVINGS):
                point = self.prepared.lanes.point_on(batch, centre + axes @ (about[row] + away[row]))
                density[row], slope[row] = -point.value, -np.asarray(point.gradient)
                if np.isfinite(point.value):
                    break
                away[row] /= 2
            else:
                raise NumericsError(Diagnostic("E0788", "no chain can start: near the optimum the model cannot be solved"))
        u = about + away
        extra, more = self._extra(centre + u @ axes.T)
        return u, density + np.asarray(extra), (slope + np.asarray(more)) @ axes

    # ---- drawing ------------------------------------------------------------------------------------------------------------
    def draw(
        self,
        draws: int = DRAWS,
        seed: int = 0,
        warmup: int = WARMUP,
        stop: Stop | None = None,
        theta: np.ndarray | None = None,
        batch: Batch | None = None,
        others: Sequence[np.ndarray] = (),
    ) -> Sample:
        """So many draws of each chain after the warm-up. stop(done, all) is asked after every call. theta, batch: another data
        set of the same shapes and its optimum. Raises NumericsError E0788 where a stop left no draws."""
        chains, early = self.begin(seed, theta, batch, others), ""
        with jax.enable_x64(True), programs_kept():
            first, total = chains.averages, warmup + draws
            for stage, share in enumerate(_STAGES):
                chains, early, kept = self._run(chains, round(share * warmup), True, stop, total, batch)
                if early:
                    break
                if stage < len(_STAGES) - 1:
                    chains = _on_new_axes(chains, kept[0], first)
        if early:
            raise NumericsError(Diagnostic("E0788", f"no draws were made: {early} while the steps were still being adapted",
                                           hint="give it more time, or a shorter `--warmup`"))  # fmt: skip
        return self.more(chains, draws, stop, total, batch)

    def more(self, chains: Chains, draws: int, stop: Stop | None = None, total: int = 0, batch: Batch | None = None) -> Sample:
        """So many draws more of chains whose steps are adapted."""
        with jax.enable_x64(True), programs_kept():
            after, early, kept = self._run(chains, chains.done + draws, False, stop, total or chains.done + draws, batch)
        if early and not len(kept[0]):
            raise NumericsError(Diagnostic("E0788", f"no draws were made: {early} at once", hint="give it more time"))
        u, density, energy, diverging, failed, depth, steps, acceptance = (np.swapaxes(a, 0, 1) for a in kept)
        thetas, k = chains.centre + u @ chains.axes.T, self.objective.n_parameters
        natural = np.stack([self.objective.space.vector(z) for z in thetas[..., :k].reshape(-1, k)]).reshape(*u.shape[:2], k)
        return Sample(self.objective.space.names, thetas, natural, density, energy, diverging, failed, depth, steps, acceptance,
                      np.exp(after.averages.log_step_size_avg), MOST_DEPTH, tuple(self.priors), early, after)  # fmt: skip

    def _run(
        self, chains: Chains, until: int, adapting: bool, stop: Stop | None, total: int, batch: Batch | None
    ) -> tuple[Chains, str, list[np.ndarray]]:
        """Draws up to number `until`: the chains there, why it ended before, and all that is kept, draws first."""
        key, batch = jax.random.key(chains.seed), self.prepared.fitted if batch is None else batch
        parts: list[Any] = []
        count, early = 1, ""
        states = (chains.u, chains.density, chains.slope)
        averages, done = chains.averages, chains.done
        while done < until and not early:
            count = min(count, _BLOCK, until - done)
            began = time.perf_counter()
            answer = self._block(
                key, np.int64(done), np.int64(count), states, chains.axes, chains.centre, averages, np.array(adapting),
                np.array(self.accept, float), batch,
            )  # fmt: skip
            states, averages, kept = jax.tree_util.tree_map(np.array, answer)  # the same types in every call: one compilation
            each = (time.perf_counter() - began) / count
            parts.append([a[:count] for a in kept])
            done += count
            count = int(np.clip(_CALL / each, 1, 4 * count))
            early = "" if stop is None or (done >= until and not adapting) else stop(done, total)
        kept = [np.concatenate(a) for a in zip(*parts, strict=True)] or [np.zeros((0, *chains.u.shape))] * 8
        return replace(chains, u=states[0], density=states[1], slope=states[2], averages=averages, done=done), early, kept


def check_installed() -> None:
    """Raises UsageError E0782 without what the extra `sampling` brings."""
    missing = [name for name in ("blackjax", "arviz_stats") if find_spec(name) is None]
    if missing:
        hint = 'install it: pip install "hybridode[sampling]"'
        raise UsageError(Diagnostic("E0782", f"sampling needs {' and '.join(missing)}, which is not installed", hint=hint))


def _on_new_axes(chains: Chains, u: np.ndarray, averages: Any) -> Chains:
    """The chains on axes found from their draws u (n, chains, d); the step sizes begin anew."""
    axes = refined(chains.axes, u.reshape(-1, u.shape[-1])) if len(u) > 1 else chains.axes
    turn = np.linalg.solve(chains.axes, axes)  # old u = turn new u
    return replace(chains, u=np.linalg.solve(turn, chains.u.T).T, slope=chains.slope @ turn, axes=axes, averages=averages)
