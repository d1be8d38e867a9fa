"""Multiple shooting: every series in pieces with starts of their own, their continuity as constraints.

    minimise  objective(theta, starts)  subject to  end of piece j - start of piece j+1 = 0,  start(theta) - start of piece 1 = 0

(H. G. Bock, in: Modelling of Chemical Reaction Systems, Springer 1981, p. 102). A piece is too short for a wrong parameter to
move an oscillation past another or to lose a chaotic trajectory, so that from smoothed data few minima are left of the
hundreds that single shooting has. The steps are Gauss-Newton's with the Fisher matrix; the constraints enter as in a
stabilised sequential quadratic program (P. E. Gill, D. P. Robinson, Comput. Optim. Appl. 51 (2012) 1): one sparse system

    [ H + damping   J^T  ] [ step     ]     [ gradient            ]
    [ J            -1/mu ] [ new lam  ]  = -[ gaps + lam/mu       ]

whose step is a descent direction of the augmented Lagrangian. mu begins loose (pieces may be apart by the size of a tenth of
their states) and ends where the gaps vanish to rounding. All pieces of all series are lanes of one solve with tangents.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from hybridode.fit.objective.objective import Objective
from hybridode.fit.progress import Track
from hybridode.fit.search.pieces import Pieces
from hybridode.fit.search.region import Box
from hybridode.solve import results
from hybridode.solve.engines import integrate

GAPS_GOAL, CLOSED = 1e-8, 1e-5  # gaps in spreads of the state: what is aimed at, and what counts as continuous
_STIFFNESS = (1e2, 1e4, 1e6, 1e8)  # mu of each round, per squared spread
_ITERATIONS = (30, 25, 20, 20)  # at most, of each round
_GAINS = (0.5, 0.1, 1e-2, 1e-6)  # expected gain in log-likelihood below which a round is over
_FROZEN = 2  # rounds in which the scales of the noise stay what a smooth curve says
_HELD = 1e12  # a damping that lets nothing move


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


@dataclass(frozen=True)
class Shot:
    """Where multiple shooting ended: `nodes` (L, n) are the pieces' starts, `gap` the largest gap in spreads of the state,
    `linear` the problem there (None where it could not be evaluated)."""

    theta: np.ndarray
    nodes: np.ndarray
    value: float
    gap: float
    closed: bool
    iterations: int
    reason: str
    linear: Linear | None = None


def linearised(objective: Objective, pieces: Pieces) -> Callable[[np.ndarray, np.ndarray], Linear]:
    """The compiled evaluation at theta (k,) and nodes (L, n)."""
    lanes = jax.tree_util.tree_map(jnp.asarray, pieces.batch)
    origin = jnp.asarray(pieces.origin)

    def solved(x: Any, lane: Any, origin: Any) -> Any:
        k = x.shape[0] - objective.compiled.size
        args: Any = objective.numbers(x[:k], lane)
        raw = integrate(objective.compiled, args, lane.t0, lane.ts, objective.method, objective.settings, "forward", y0=x[k:])
        args = args.at_start(origin)
        observed = jax.vmap(lambda t, y: objective.compiled.observables(t, y, args))(lane.ts, raw.ys_left)
        found = tuple(observed[c.time][:, where] for c, where in zip(lane.columns, objective.argument_places, strict=True))
        return (found, raw.ys[-1]), (found, raw.ys[-1], raw.result)

    def start(theta: Any, lane: Any, origin: Any) -> Any:
        args: Any = objective.numbers(theta, lane)
        y = objective.compiled.start(origin, args.at_start(origin))
        return y, y

    def evaluate(theta: Any, nodes: Any) -> Linear:
        x = jnp.concatenate([jnp.broadcast_to(theta, (nodes.shape[0], theta.size)), nodes], axis=1)
        (sens, end_slopes), (found, ends, codes) = jax.vmap(jax.jacfwd(solved, has_aux=True))(x, lanes, origin)
        start_slopes, starts = jax.vmap(partial(jax.jacfwd(start, has_aux=True), theta))(lanes, origin)
        safe, impossible = objective._possible(found, lanes)
        (value, never), slopes = jax.value_and_grad(objective._loss_of_arguments, has_aux=True)(safe, lanes)
        gradient, fisher = jnp.zeros(x.shape), jnp.zeros((*x.shape, x.shape[1]))
        for k, (eta, slope, s, c) in enumerate(zip(safe, slopes, sens, lanes.columns, strict=True)):
            used = c.used[..., None] > 0
            s = jnp.where(used[..., None], s, 0.0)
            gradient = gradient + jnp.einsum("lra,lrak->lk", jnp.where(used, slope, 0.0), s)
            matrices = objective.information(k, c, eta)
            fisher = fisher + jnp.einsum("lrak,lrab,lrbm->lkm", s, matrices, s)
        smooth = lambda t: sum(objective.prior_and_regulariser(t))  # noqa: E731
        return Linear(value, gradient, fisher, ends, end_slopes, starts, start_slopes, smooth(theta), jax.grad(smooth)(theta),
                      jax.hessian(smooth)(theta), codes, impossible + never)  # fmt: skip

    compiled = jax.jit(evaluate)
    return lambda theta, nodes: Linear(*(np.asarray(a) for a in compiled(theta, nodes)))


class _Point:
    """A point with its gaps in spreads of the states. `x` is theta, then all nodes."""

    def __init__(self, x: np.ndarray, linear: Linear, pieces: Pieces, spread: np.ndarray, k: int) -> None:
        nodes = x[k:].reshape(pieces.count, -1)
        self.x, self.linear = x, linear
        self.failed = int(np.sum(linear.results != results.SUCCESS))
        self.value = float(linear.value + linear.prior)
        before = np.where(pieces.first[:, None], linear.starts, np.roll(linear.ends, 1, axis=0))
        self.gaps = ((before - nodes) / spread).ravel()
        sound = not self.failed and not np.any(linear.impossible) and np.isfinite(self.value) and np.all(np.isfinite(self.gaps))
        self.sound = bool(sound and np.all(np.isfinite(linear.gradient)) and np.all(np.isfinite(linear.end_slopes)))

    def merit(self, multipliers: np.ndarray, mu: float) -> float:
        return self.value + float(multipliers @ self.gaps + 0.5 * mu * self.gaps @ self.gaps)


class _System:
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


def shoot(
    evaluate: Callable[[np.ndarray, np.ndarray], Linear], pieces: Pieces, theta: np.ndarray, nodes: np.ndarray,
    spread: np.ndarray, scales: np.ndarray, box: Box, track: Track,
) -> Shot:  # fmt: skip
    """From theta (k,) and nodes (L, n) to an optimum without gaps. `spread` (n,): the size of each state's changes; `scales`:
    places in theta of the scales of the noise, which stay in the first rounds (large ones would make everything equally good);
    `box` holds theta."""
    k = len(theta)

    def at(x: np.ndarray) -> _Point:
        return _Point(x, evaluate(x[:k], x[k:].reshape(nodes.shape)), pieces, spread, k)

    point = at(np.concatenate([theta, nodes.ravel()]))
    if not point.sound:
        track.reject("a piece cannot be solved from its smoothed start")
        return Shot(theta, nodes, np.inf, np.inf, False, 0, "a piece cannot be solved from its smoothed start")
    multipliers, iterations = np.zeros(len(point.gaps)), 0
    for number, (mu, most, goal) in enumerate(zip(_STIFFNESS, _ITERATIONS, _GAINS, strict=True)):
        held = scales if number < _FROZEN else scales[:0]
        for _ in range(3):  # multipliers close the gaps at the last mu without a larger one
            point, used, over = _round(at, point, pieces, spread, k, multipliers, mu, most, goal, held, box, track)
            iterations += used
            multipliers = multipliers + mu * point.gaps
            if mu < _STIFFNESS[-1] or np.max(np.abs(point.gaps)) <= GAPS_GOAL or not over:
                break
    gap = float(np.max(np.abs(point.gaps)))
    reason = f"{iterations} iterations, largest gap {gap:.1e} of a state's spread"
    end, closed = point.x, gap <= CLOSED
    return Shot(end[:k], end[k:].reshape(nodes.shape), point.value, gap, closed, iterations, reason, point.linear)


def covariance(pieces: Pieces, shot: Shot) -> np.ndarray:
    """Of theta (k, k) where the gaps are closed: the first block of the inverse of the constrained problem's matrix (Bock)."""
    import scipy.sparse as sparse
    from scipy.sparse.linalg import splu

    assert shot.linear is not None, "a shot that ended has its problem"
    k, spread = len(shot.theta), np.ones(shot.nodes.shape[1])
    system = _System(shot.linear, pieces, spread, k)
    m = system.size - k
    ridge = 1e-14 * float(system.hessian.diagonal().max(initial=1.0))
    matrix = sparse.bmat([[system.hessian + ridge * sparse.identity(system.size), system.jacobian.T],
                          [system.jacobian, -1e-12 * sparse.identity(m)]], format="csc")  # fmt: skip
    return splu(matrix).solve(np.eye(system.size + m, k))[:k]


def _round(
    at: Callable[[np.ndarray], _Point], point: _Point, pieces: Pieces, spread: np.ndarray, k: int, multipliers: np.ndarray,
    mu: float, most: int, goal: float, held: np.ndarray, box: Box, track: Track,
) -> tuple[_Point, int, bool]:  # fmt: skip
    """Levenberg-Marquardt on the augmented Lagrangian at fixed multipliers and mu: the point, iterations, whether it ended."""
    damping, growth, scale = 1e-3, 2.0, np.zeros(len(point.x))
    system = _System(point.linear, pieces, spread, k)
    for iteration in range(1, most + 1):
        track.check_time()
        scale = np.maximum(scale * 0.9, system.diagonal(mu))
        floor = np.maximum(scale, 1e-10 * scale.max(initial=1e-300))
        added = damping * floor
        added[held] = _HELD * max(float(scale.max(initial=0.0)), 1.0)
        p, gain = system.step(point.gaps, multipliers, mu, added)
        if not np.all(np.isfinite(p)) or gain < goal * (1e-3 if damping > 1 else 1.0):
            return point, iteration - 1, True
        x = point.x + p
        x[:k] = box.clip(x[:k])
        trial = at(x)
        ratio = (point.merit(multipliers, mu) - trial.merit(multipliers, mu)) / gain if trial.sound else -1.0
        if ratio > 1e-3:
            point, system = trial, _System(trial.linear, pieces, spread, k)
            track.accept(point.x[:k], point.value, system.gradient[:k])
            damping, growth = damping * max(1 / 9, 1 - (2 * min(ratio, 1.0) - 1) ** 3), 2.0  # H. B. Nielsen, IMM-REP-1999-05
            damping = max(damping, 1e-12)
        else:
            damping, growth = damping * growth, growth * 2
            if damping > 1e12:
                return point, iteration, True
    return point, most, False
