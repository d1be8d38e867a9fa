"""All pieces of multiple shooting in one solve with tangents, and the sparse matrices of a step (`shooting` says what for)."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from hybridode.fit.objective.objective import Objective
from hybridode.fit.search.pieces import Pieces
from hybridode.solve.engines import integrate


class Linear(NamedTuple):
    """The problem at one point, lanes L of d = k + n numbers (theta, own start): value, gradient (L, d) and Fisher matrix
    (L, d, d) of the likelihood; ends (L, n) with their slopes (L, n, d); starts as the model has them (L, n) with (L, n, k);
    prior with gradient (k,) and Hessian (k, k); results (L,) and impossible predictions (q,)."""

    value: Any
    gradient: Any
    fisher: Any
    ends: Any
    end_slopes: Any
    starts: Any
    start_slopes: Any
    prior: Any
    prior_gradient: Any
    prior_hessian: Any
    results: Any
    impossible: Any


Evaluate = Callable[[np.ndarray, np.ndarray], Linear]  # at theta (k,) and nodes (L, n)


def linearised(objective: Objective, pieces: Pieces) -> Evaluate:
    """The evaluation, compiled when first needed."""
    lanes = jax.tree_util.tree_map(jnp.asarray, pieces.batch)
    origin = jnp.asarray(pieces.origin)

    def solved(x: Any, lane: Any, origin: Any) -> Any:
        k = x.shape[0] - objective.compiled.size
        args: Any = objective.numbers(x[:k], lane)
        how: Any = (objective.method, objective.settings, "forward", x[k:], objective.plan)
        raw = integrate(objective.compiled, args, lane.t0, lane.ts, *how)
        args = args.at_start(origin)
        observed = jax.vmap(lambda t, y: objective.compiled.observables(t, y, args))(lane.ts, raw.ys_left)
        found = tuple(kind.arguments(lane, observed) for kind in objective.kinds)
        return (found, raw.ys[-1]), (found, raw.ys[-1], raw.result)

    def start(theta: Any, lane: Any, origin: Any) -> Any:
        args: Any = objective.numbers(theta, lane)
        y = objective.compiled.start(origin, args.at_start(origin))
        return y, y

    def evaluate(theta: Any, nodes: Any) -> Linear:
        x = jnp.concatenate([jnp.broadcast_to(theta, (nodes.shape[0], theta.size)), nodes], axis=1)
        (sens, end_slopes), (found, ends, codes) = jax.vmap(jax.jacfwd(solved, has_aux=True))(x, lanes, origin)
        start_slopes, starts = jax.vmap(partial(jax.jacfwd(start, has_aux=True), theta))(lanes, origin)
        safe, impossible = objective.possible(found, lanes)
        (value, never), slopes = jax.value_and_grad(objective.loss_of_arguments, has_aux=True)(safe, lanes)
        gradient, fisher = jnp.zeros(x.shape), jnp.zeros((*x.shape, x.shape[1]))
        for kind, eta, slope, s in zip(objective.kinds, safe, slopes, sens, strict=True):
            used = kind.column(lanes).used[..., None] > 0
            s = jnp.where(used[..., None], s, 0.0)
            gradient = gradient + jnp.einsum("lra,lrak->lk", jnp.where(used, slope, 0.0), s)
            matrices = kind.information(eta, lanes)
            fisher = fisher + jnp.einsum("lrak,lrab,lrbm->lkm", s, matrices, s)
        smooth = lambda t: sum(objective.prior_and_regulariser(t))  # noqa: E731
        return Linear(value, gradient, fisher, ends, end_slopes, starts, start_slopes, smooth(theta), jax.grad(smooth)(theta),
                      jax.hessian(smooth)(theta), codes, impossible + never)  # fmt: skip

    compiled = objective.jitted(evaluate)
    return lambda theta, nodes: Linear(*(np.asarray(a) for a in compiled(theta, nodes)))


class System:
    """The sparse matrices of a point: Hessian, gradient and slopes of the gaps."""

    def __init__(self, linear: Linear, pieces: Pieces, spread: np.ndarray, k: int) -> None:
        import scipy.sparse as sparse

        e, (count, n) = linear, linear.ends.shape
        self.size, total = k + count * n, np.arange(count)
        columns = np.concatenate([np.tile(np.arange(k), (count, 1)), k + np.arange(count * n).reshape(count, n)], axis=1)
        self.gradient = np.zeros(self.size)
        np.add.at(self.gradient, columns.ravel(), e.gradient.ravel())
        self.gradient[:k] += e.prior_gradient
        d = k + n
        rows, cols = np.repeat(columns, d, axis=1), np.tile(columns, (1, d))
        prior = np.meshgrid(np.arange(k), np.arange(k), indexing="ij")
        self.hessian = sparse.coo_matrix(
            (np.concatenate([e.fisher.ravel(), e.prior_hessian.ravel()]),
             (np.concatenate([rows.ravel(), prior[0].ravel()]), np.concatenate([cols.ravel(), prior[1].ravel()]))),
            (self.size, self.size),
        ).tocsr()  # fmt: skip
        own = np.arange(count * n).reshape(count, n)
        inner, heads = total[~pieces.first], total[pieces.first]
        parts = [(own.ravel(), k + own.ravel(), (-1 / np.broadcast_to(spread, (count, n))).ravel())]
        slopes = e.end_slopes[inner - 1] / spread[:, None]
        parts.append((np.repeat(own[inner], d, axis=1).ravel(), np.tile(columns[inner - 1], (1, n)).ravel(), slopes.ravel()))
        slopes = e.start_slopes[heads] / spread[:, None]
        parts.append((np.repeat(own[heads], k, axis=1).ravel(), np.tile(np.arange(k), len(heads) * n), slopes.ravel()))
        r, c, v = (np.concatenate(p) for p in zip(*parts, strict=True))
        self.jacobian = sparse.coo_matrix((v, (r, c)), (count * n, self.size)).tocsr()

    def step(self, gaps: np.ndarray, multipliers: np.ndarray, mu: float, damping: np.ndarray) -> tuple[np.ndarray, float]:
        """The step and how much the model of the augmented Lagrangian falls along it."""
        import scipy.sparse as sparse
        from scipy.sparse.linalg import splu

        m = len(gaps)
        matrix = sparse.bmat(
            [[self.hessian + sparse.diags(damping), self.jacobian.T], [self.jacobian, -sparse.identity(m) / mu]], format="csc"
        )
        right = -np.concatenate([self.gradient, gaps + multipliers / mu])
        p = splu(matrix).solve(right)[: self.size]
        moved = self.jacobian @ p
        slope = self.gradient @ p + (multipliers + mu * gaps) @ moved
        return p, float(-slope - 0.5 * (p @ (self.hessian @ p) + mu * moved @ moved))

    def diagonal(self, mu: float) -> np.ndarray:
        squares = self.jacobian.copy()
        squares.data = squares.data**2
        return self.hessian.diagonal() + mu * np.asarray(squares.sum(axis=0)).ravel()
