"""The number that a fit makes small: negative log-likelihood, priors and regularisers, with its derivatives.

One program per fit. With few trainable numbers it carries forward sensitivities d(arguments of the noise)/d(theta) and
gives value, gradient and Fisher matrix at once; with networks it gives value and gradient in reverse mode. A solve that
fails, or a prediction that the noise model cannot have, makes the value infinite and says why; nothing is clipped.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from hybridode.declarations import Network
from hybridode.fit.memory import Memory, hash_of
from hybridode.fit.objective import noise as noises
from hybridode.fit.objective.alike import Kind, kinds_alike
from hybridode.fit.objective.assignment import assigned
from hybridode.fit.objective.batch import Batch
from hybridode.fit.objective.constraints import Constraint
from hybridode.fit.objective.equilibrium import Equilibrium
from hybridode.fit.objective.fixed_points import FixedPoints, at_infinity
from hybridode.fit.objective.limits import Kinds, possible
from hybridode.fit.objective.priors import BOUNDED, BoundPrior, prior_loss
from hybridode.fit.objective.robust import Loss, check_loss, robust
from hybridode.fit.objective.sensitivities import Mode, cheaper_mode
from hybridode.fit.objective.steady import checked, sizes
from hybridode.fit.objective.xla import SOME, compiler_options
from hybridode.fit.parameters import ParameterSpace, pack, unpack
from hybridode.solve import results
from hybridode.solve.engines import integrate
from hybridode.solve.events import EventPlan
from hybridode.solve.problem import Arguments, Compiled
from hybridode.solve.settings import Settings
from hybridode.types import Array


class Evaluation(NamedTuple):
    """value (inf when it failed), gradient (d,), fisher (d, d) or None, result of each solve (S,), impossible predictions
    of each observation (q,), parts (likelihood, priors, regularisers)."""

    value: Any
    gradient: Any
    fisher: Any
    results: Any
    impossible: Any
    parts: Any


@dataclass(frozen=True, eq=False)
class Objective:
    """What a fit minimises, as functions of theta (d,) = unconstrained parameters (k,) then trainable weights.

    `base` are the parameters in natural units in the order of the system, `weights` all networks' arrays.
    """

    compiled: Compiled
    space: ParameterSpace
    networks: tuple[Network, ...]
    base: np.ndarray
    weights: dict[str, dict[str, np.ndarray]]
    priors: tuple[BoundPrior, ...]
    method: str
    settings: Settings
    plan: EventPlan | None
    limits: tuple[Kinds, ...]  # per observation which limits its records have
    memory: Memory = field(default_factory=Memory, repr=False)
    loss: Loss | None = None
    constraints: tuple[Constraint, ...] = ()
    trained: bool = False  # the weights are those of an earlier fit
    jumps: tuple[
        np.ndarray, ...
    ] = ()  # per series the times of its doses and `at` statements at the declared values; (): of none
    fixed_points: FixedPoints | None = None  # None: derivatives of steady states go through the solve
    equilibrium: Equilibrium | None = None  # None: no series begins in a steady state

    @cached_property
    def identity(self) -> bytes:
        """A hash of everything that makes this objective differ from another one of the same fit."""
        return hash_of(self, without=frozenset({"compiled", "memory"}))

    @cached_property
    def rows(self) -> tuple[noises.Noise, ...]:
        """The noise model of each observation; behind them the rows of the constraints."""
        observed = self.compiled.declarations.observations[: self.n_observed]
        return (
            *(noises.noise_of(o.distribution, [n for n, _ in o.arguments]) for o in observed),
            *(c.row for c in self.constraints),
        )

    @property
    def n_observed(self) -> int:
        """Number of observations of data."""
        return len(self.compiled.declarations.observations) - len(self.constraints)

    @property
    def columns_of_classes(self) -> tuple[str, ...]:
        """The observed columns that hold classes."""
        observed = self.compiled.declarations.observations
        return tuple(o.column for o, row in zip(observed, self.rows, strict=True) if row.classes)

    @cached_property
    def minimised(self) -> tuple[noises.Noise, ...]:
        """The rows with the robust loss in them: what is minimised, not what the model says."""
        return tuple(robust(row, self.loss) for row in self.rows)

    def said(self) -> list[str]:
        """What is minimised besides the likelihood, for the log. Raises UsageError E0758 for a loss that acts on nothing."""
        observed = self.compiled.declarations.observations[: self.n_observed]
        rows = {o.column: row for o, row in zip(observed, self.rows, strict=False)}
        return ([check_loss(self.loss, rows)] if self.loss else []) + [f"constraint: {c}" for c in self.constraints]

    def no_criteria(self, batch: Batch) -> str:
        """Why AIC and BIC do not exist; "" where they do."""
        if self.loss is not None:
            return f"the loss {self.loss} was minimised, not a negative log-likelihood"
        weights = np.concatenate([np.ravel(c.used) for c in batch.columns[: self.n_observed]])
        return "records have weights: the sum is no log-likelihood" if np.any((weights != 0) & (weights != 1)) else ""

    @cached_property
    def argument_places(self) -> tuple[np.ndarray, ...]:
        """Where each observation's arguments stand among the observables."""
        index = self.compiled.observable_index
        pairs = zip(self.compiled.declarations.observations, self.rows, strict=True)
        return tuple(np.array([index[o.column, a] for a in row.arguments]) for o, row in pairs)

    @cached_property
    def kinds(self) -> tuple[Kind, ...]:
        """The observations by noise and limits."""
        return kinds_alike(self.rows, self.minimised, self.limits, self.argument_places)

    @property
    def constraint_places(self) -> list[int]:
        """Where the constraints stand among the observables."""
        return [int(places[0]) for places in self.argument_places[self.n_observed :]]

    def theta(self, z: np.ndarray) -> np.ndarray:
        """The vector of unconstrained parameters z and the initial weights."""
        return pack(z, self.networks, self.weights)

    def jumps_of(self, row: int) -> np.ndarray:
        """The times (ascending) at which the states of a series may jump."""
        return self.jumps[row] if self.jumps else np.zeros(0)

    @property
    def n_parameters(self) -> int:
        return self.space.size

    # ---- the model at theta ---------------------------------------------------------------------------------------------
    def numbers(self, theta: Array, batch: Batch) -> Callable[[int | None], Arguments]:
        """Arguments of one series of a batch (without its leading axis: pass a series) at theta."""
        z, weights = unpack(theta, self.space.size, self.networks, self.weights)
        p = assigned(self.space.vector(z, jnp), jnp.asarray(self.base), jnp.asarray(batch.numbers), batch.index, jnp)
        k = batch.signals.count
        return Arguments(p, jax.tree_util.tree_map(jnp.asarray, weights), batch.signals, jnp.zeros(k), batch.doses)  # type: ignore[return-value]

    def start(self, theta: Array, series: Batch) -> tuple[Arguments, Array | None, Array | None]:
        """Of one series: its arguments at its start; the steady state (n,) in which it begins and the result of finding it (None:
        it begins as the model says)."""
        args: Any = self.numbers(theta, series)
        before = series.before
        if self.equilibrium is None or before is None:
            return args.at_start(series.t0), None, None
        resting = replace(series, index=before.index, numbers=before.numbers, signals=before.signals, doses=None)
        args = args.at_start(series.t0)
        return args, *self.equilibrium.start(self.compiled, args, self.numbers(theta, resting), series)  # type: ignore[return-value]

    def along(self, theta: Array, series: Batch, ts: Any, gradient: str = "forward") -> tuple[Array, Array, Any, Array]:
        """Of one series solved once at the times ts (T,): states (T, n), observables (T, q), the solve, its result."""
        args: Any
        args, start, code = self.start(theta, series)
        raw = integrate(self.compiled, args, series.t0, ts, self.method, self.settings, gradient, start, self.plan)
        result = raw.result if code is None else jnp.where(code == results.SUCCESS, raw.result, code)
        return raw.ys_left, jax.vmap(lambda t, y: self.compiled.observables(t, y, args))(ts, raw.ys_left), raw, result

    def _arguments_of_noise(self, theta: Array, series: Batch, gradient: str) -> tuple[tuple[Array, ...], Array]:
        """Of one series: per kind of observation the arguments at its records (R, a); the result of the solve."""
        args: Any
        args, start, code = self.start(theta, series)
        ts = jnp.minimum(series.ts, series.horizon)

        def solve(args: Any, ts: Any, start: Any) -> Any:
            return integrate(self.compiled, args, series.t0, ts, self.method, self.settings, gradient, start, self.plan)

        if series.steady is not None and self.fixed_points is not None:
            size_of = partial(sizes, self.settings)
            begins = self.compiled.start(series.t0, args) if start is None else start
            ys, result = at_infinity(self.compiled, args, series, ts, self.fixed_points, solve, size_of, begins)
        else:
            raw = solve(args, ts, start)
            ys, result = raw.ys_left, raw.result
            if series.steady is not None:
                result = checked(result, self.compiled, args, series, ts[-1], ys, self.settings)
        if code is not None:
            result = jnp.where(code == results.SUCCESS, result, code)
        observed = jax.vmap(lambda t, y: self.compiled.observables(t, y, args))(ts, ys)
        return tuple(kind.arguments(series, observed) for kind in self.kinds), result

    def arguments_of_noise(self, theta: Array, batch: Batch, gradient: str) -> tuple[tuple[Array, ...], Array]:
        """Per kind of observation the arguments of its noise at the records (S, R, a); results (S,)."""
        if batch.t0.shape[0] == 1:  # no lockstep machinery for a single series
            one = jax.tree_util.tree_map(lambda leaf: leaf[0], batch)
            return jax.tree_util.tree_map(lambda leaf: leaf[None], self._arguments_of_noise(theta, one, gradient))
        return jax.vmap(lambda series: self._arguments_of_noise(theta, series, gradient))(batch)

    # ---- likelihood of the arguments ------------------------------------------------------------------------------------
    def possible(self, arguments: Sequence[Array], batch: Batch) -> tuple[list[Array], Array]:
        """The arguments (S, R, a) of each kind with impossible ones replaced; of each observation how many of the used ones were
        impossible."""
        safe, counts = [], {}
        for kind, eta in zip(self.kinds, arguments, strict=True):
            c = kind.column(batch)
            used, valid = c.used > 0, possible(kind.row, c.censored, tuple(jnp.moveaxis(eta, -1, 0)))
            safe.append(jnp.where((valid & used)[..., None], eta, jnp.array(kind.row.neutral)))
            counts |= kind.counts(used & ~valid, batch)
        return safe, self._by_observation(counts)

    def loss_of_arguments(self, safe: Sequence[Array], batch: Batch) -> tuple[Array, Array]:
        """The loss of arguments as `possible` gives them, and how many records of each observation have probability 0."""
        total, counts = jnp.zeros(()), {}
        for kind, eta in zip(self.kinds, safe, strict=True):
            loss, never = kind.loss(eta, batch)
            total, counts = total + loss, counts | kind.counts(never, batch)
        return total, self._by_observation(counts)

    @staticmethod
    def _by_observation(counts: Mapping[int, Array]) -> Array:
        return jnp.stack([counts[k] for k in sorted(counts)]) if counts else jnp.zeros(0, int)

    def prior_and_regulariser(self, theta: Array) -> tuple[Array, Array]:
        """Negative log-density of the priors and the regularisers of the networks (on weights W, not biases; rules D7)."""
        z, weights = unpack(theta, self.space.size, self.networks, self.weights)
        prior = prior_loss(self.priors, self.space, z)
        penalty = jnp.zeros(())
        for network in self.networks:
            if network.freeze or not (network.reg_l1 or network.reg_l2):
                continue
            for name, array in weights[network.name].items():
                if name.startswith("W"):
                    penalty = penalty + network.reg_l1 * jnp.sum(jnp.abs(array)) + network.reg_l2 * jnp.sum(array**2)
        return prior, penalty

    # ---- value and derivatives ------------------------------------------------------------------------------------------
    def _finish(
        self, loss: Array, extra: tuple[Array, Array], gradient: Any, fisher: Any, result: Array, impossible: Array
    ) -> Evaluation:
        ok = jnp.all(result == results.SUCCESS) & jnp.all(impossible == 0)
        value = loss + extra[0] + extra[1]
        ok = ok & jnp.isfinite(value) & jnp.all(jnp.isfinite(gradient))
        clean = jnp.where(ok, gradient, 0.0)
        matrix = None if fisher is None else jnp.where(ok, fisher, 0.0)
        return Evaluation(jnp.where(ok, value, jnp.inf), clean, matrix, result, impossible, jnp.stack([loss, *extra]))

    def mode(self, numbers: int, batch: Batch) -> Mode:
        """How the sensitivities by this many numbers are computed."""
        predictions = sum(c.time.shape[-1] * len(row.arguments) for c, row in zip(batch.columns, self.rows, strict=True))
        return cheaper_mode(self.compiled, self.settings.engine, self.method, numbers, predictions, batch.t0.shape[0])

    def value_and_fisher(self, theta: Array, batch: Batch) -> Evaluation:
        """What `with_fisher` compiles."""

        def arguments(theta: Array) -> Any:
            found, result = self.arguments_of_noise(theta, batch, "forward")
            return found, (found, result)

        derive = jax.jacfwd if self.mode(theta.size, batch).forward else jax.jacrev
        sensitivities, (found, result) = derive(arguments, has_aux=True)(theta)
        safe, impossible = self.possible(found, batch)
        (loss, never), slopes = jax.value_and_grad(self.loss_of_arguments, has_aux=True)(safe, batch)
        gradient, fisher = jnp.zeros(theta.shape), jnp.zeros((theta.size, theta.size))
        for kind, eta, slope, sens in zip(self.kinds, safe, slopes, sensitivities, strict=True):
            a = eta.shape[-1]
            used = kind.column(batch).used.reshape(-1, 1) > 0
            sens = jnp.where(used[..., None], sens.reshape(used.shape[0], a, theta.size), 0.0)
            gradient = gradient + jnp.einsum("ra,rak->k", jnp.where(used, slope.reshape(-1, a), 0.0), sens)
            matrices = kind.information(eta, batch).reshape(-1, a, a)
            fisher = fisher + jnp.einsum("rak,rab,rbl->kl", sens, matrices, sens)
        extra = self.prior_and_regulariser(theta)
        smooth = lambda x: sum(self.prior_and_regulariser(x))  # noqa: E731
        gradient = gradient + jax.grad(smooth)(theta)
        if self.priors or any(n.reg_l2 or n.reg_l1 for n in self.networks):
            fisher = fisher + jax.hessian(smooth)(theta)
        return self._finish(loss, extra, gradient, fisher, result, impossible + never)

    def value_and_gradient(self, theta: Array, batch: Batch) -> Evaluation:
        """What `with_gradient` compiles."""

        def total(theta: Array) -> Any:
            found, result = self.arguments_of_noise(theta, batch, "reverse")
            safe, impossible = self.possible(found, batch)
            loss, never = self.loss_of_arguments(safe, batch)
            extra = self.prior_and_regulariser(theta)
            return loss + extra[0] + extra[1], (loss, extra, result, impossible + never)

        (_, (loss, extra, result, impossible)), gradient = jax.value_and_grad(total, has_aux=True)(theta)
        return self._finish(loss, extra, gradient, None, result, impossible)

    @cached_property
    def with_fisher(self) -> Callable[[Any, Batch], Evaluation]:
        """Compiled: value, gradient and Fisher matrix (with the curvature of priors and regularisers), see `mode`."""
        return self._remembered(b"fisher", self.jitted(self.value_and_fisher))

    @cached_property
    def with_gradient(self) -> Callable[[Any, Batch], Evaluation]:
        """Compiled: value and gradient in reverse mode; `fisher` is None."""
        return self._remembered(b"gradient", self.jitted(self.value_and_gradient))

    def jitted(self, compute: Callable[..., Any]) -> Callable[..., Any]:
        """Compiled as far as pays beside native solves; where XLA makes the solve itself, as far as it can."""
        return jax.jit(compute, compiler_options=compiler_options(SOME) if self.settings.engine == "native" else None)

    def _remembered(self, kind: bytes, compute: Callable[[Any, Batch], Evaluation]) -> Callable[[Any, Batch], Evaluation]:
        """`compute`, unless an earlier process of this fit has already (see `memory`)."""
        memory = self.memory
        if not memory.in_use:
            return compute

        def answer(theta: Any, batch: Batch) -> Evaluation:
            def one(thetas: np.ndarray) -> dict[str, Any]:
                return {k: None if v is None else np.asarray(v)[None] for k, v in compute(thetas[0], batch)._asdict().items()}

            found = memory.answers(kind + self.identity, batch, np.asarray(theta)[None], one)
            return Evaluation(**{"fisher": None, **{name: array[0] for name, array in found.items()}})

        return answer

    def why(self, evaluation: Evaluation) -> str:
        """Why an evaluation is infinite, in words."""
        failed = [int(r) for r in np.ravel(evaluation.results) if int(r) != results.SUCCESS]
        if failed:
            count = np.size(evaluation.results)
            return results.RESULTS[failed[0]] + (f" ({len(failed)} of {count} series)" if count > 1 else "")
        for o, row, count in zip(
            self.compiled.declarations.observations, self.rows, np.ravel(evaluation.impossible), strict=True
        ):
            if count:
                return f"{count} predictions of `{o.column}` are impossible: {row.name} needs {row.requirement}"
        if np.size(evaluation.parts) > 1 and not np.isfinite(np.ravel(evaluation.parts)[1]):
            bounded = [p.density.name for p in self.priors if p.density.name in BOUNDED]
            return f"a prior gives these values the density 0 ({', '.join(bounded) or 'of those declared'})"
        return "the objective is not finite"
