"""Multiple shooting: every series in pieces with starts of their own, their continuity as constraints.

    minimise  objective(theta, starts)  subject to  end of piece j - start of piece j+1 = 0,  start(theta) - start of piece 1 = 0

(H. G. Bock, in: Modelling of Chemical Reaction Systems, Springer 1981, p. 102). A piece is too short for a wrong parameter to
move an oscillation past another or to lose a chaotic trajectory, so that from smoothed data few minima are left of the
hundreds that single shooting has. The steps are Gauss-Newton's with the Fisher matrix; the constraints enter as in a
stabilised sequential quadratic program (P. E. Gill, D. P. Robinson, Comput. Optim. Appl. 51 (2012) 1): one sparse system

    [ H + damping   J^T  ] [ step     ]     [ gradient            ]
    [ J            -1/mu ] [ new lam  ]  = -[ gaps + lam/mu       ]

whose step is a descent direction of the augmented Lagrangian. mu begins loose (pieces may be apart by the size of a tenth of
their states) and ends where the gaps vanish to rounding.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import Any

import numpy as np

from hybridode.fit.memory import Memory, hash_of
from hybridode.fit.objective.objective import Objective
from hybridode.fit.progress import Track
from hybridode.fit.search.linearised import Evaluate, Linear, System
from hybridode.fit.search.pieces import Pieces
from hybridode.fit.search.region import Box
from hybridode.solve import results

GAPS_GOAL, CLOSED = 1e-8, 1e-5  # gaps in spreads of the state: what is aimed at, and what counts as continuous
_STIFFNESS = (1e2, 1e4, 1e6, 1e8)  # mu of each round, per squared spread
_ITERATIONS = (30, 25, 20, 20)  # at most, of each round
_GAINS = (0.5, 0.1, 1e-2, 1e-6)  # expected gain in log-likelihood below which a round is over
_FROZEN = 2  # rounds in which the scales of the noise stay what a smooth curve says
_HELD = 1e12  # a damping that lets nothing move
_TAKEN, _REJECTED, _OVER = 1, 0, -1  # what an iteration came to


@dataclass(frozen=True, eq=False)
class Shot:
    """Where multiple shooting ended: `nodes` (L, n) are the pieces' starts, `gap` the largest gap in spreads of the state,
    `solve` makes the problem there."""

    theta: np.ndarray
    nodes: np.ndarray
    value: float
    gap: float
    closed: bool
    iterations: int
    reason: str
    solve: Callable[[], Linear] = field(repr=False)

    @cached_property
    def linear(self) -> Linear:
        """The problem where it ended."""
        return self.solve()


class Problem:
    """What is shot: all pieces of an objective's records, `spread` (n,) being the size of each state's changes; `evaluate` is
    `linearised`. Iterations of an earlier process of the fit are recalled from the objective's memory."""

    def __init__(self, objective: Objective, pieces: Pieces, spread: np.ndarray, evaluate: Evaluate) -> None:
        self.objective, self.pieces, self.spread, self._evaluate = objective, pieces, spread, evaluate
        self.memory: Memory = objective.memory
        self._solved: dict[bytes, _Solved] = {}  # the last two

    @cached_property
    def identity(self) -> bytes:
        """A hash of everything but the point."""
        return self.objective.identity + hash_of([self.pieces, self.spread])

    def at(self, x: np.ndarray) -> _Solved:
        """The problem at x: theta (k,), then all nodes (L n,)."""
        key = x.tobytes()
        if key not in self._solved:
            k = len(x) - self.pieces.count * len(self.spread)
            linear = self._evaluate(x[:k], x[k:].reshape(self.pieces.count, -1))
            while len(self._solved) > 1:
                self._solved.pop(next(iter(self._solved)))
            self._solved[key] = _Solved(x, linear, self.pieces, self.spread, k)
        return self._solved[key]

    def once(self, what: bytes, asked: Any, compute: Callable[[], Mapping[str, Any]]) -> Mapping[str, np.ndarray]:
        """An answer of this process or an earlier one."""
        return self.memory.once(what + (self.identity if self.memory.in_use else b""), asked, compute)


class _Solved:
    """The problem at a point with its gaps in spreads of the states."""

    def __init__(self, x: np.ndarray, linear: Linear, pieces: Pieces, spread: np.ndarray, k: int) -> None:
        nodes = x[k:].reshape(pieces.count, -1)
        self.x, self.linear, self._sizes = x, linear, (pieces, spread, k)
        self.value = float(linear.value + linear.prior)
        before = np.where(pieces.first[:, None], linear.starts, np.roll(linear.ends, 1, axis=0))
        self.gaps = ((before - nodes) / spread).ravel()
        failed = np.any(linear.results != results.SUCCESS)
        sound = not failed and not np.any(linear.impossible) and np.isfinite(self.value) and np.all(np.isfinite(self.gaps))
        self.sound = bool(sound and np.all(np.isfinite(linear.gradient)) and np.all(np.isfinite(linear.end_slopes)))

    @cached_property
    def system(self) -> System:
        return System(self.linear, *self._sizes)

    def plain(self) -> dict[str, Any]:
        """As plain data: what a search must know of a point that it passes."""
        gradient = self.system.gradient[: self._sizes[2]] if self.sound else np.zeros(self._sizes[2])
        return {"x": self.x, "value": self.value, "gaps": self.gaps, "gradient": gradient, "sound": self.sound}


@dataclass(frozen=True, eq=False)
class _Point:
    """A point that the search has passed. `gradient` (k,) by theta."""

    x: np.ndarray
    value: float
    gaps: np.ndarray
    gradient: np.ndarray

    @staticmethod
    def of(plain: Mapping[str, np.ndarray]) -> _Point:
        return _Point(plain["x"], float(plain["value"]), plain["gaps"], plain["gradient"])


@dataclass(frozen=True, eq=False)
class _Round:
    """What stays during a round: multipliers and mu, the expected gain that ends it, places of theta that are held, its box."""

    multipliers: np.ndarray
    mu: float
    goal: float
    held: np.ndarray
    box: Box

    def merit(self, point: _Point | _Solved) -> float:
        gaps = point.gaps
        return point.value + float(self.multipliers @ gaps + 0.5 * self.mu * gaps @ gaps)


@dataclass(frozen=True, eq=False)
class _Region:
    """The damping of Levenberg-Marquardt, how much it grows when a step fails, the scales that it acts on."""

    damping: float
    growth: float
    scale: np.ndarray


def shoot(problem: Problem, theta: np.ndarray, nodes: np.ndarray, scales: np.ndarray, box: Box, track: Track) -> Shot:
    """From theta (k,) and nodes (L, n) to an optimum without gaps. `scales`: places in theta of the scales of the noise, which
    stay in the first rounds (large ones would make everything equally good); `box` holds theta."""
    k, x = len(theta), np.concatenate([theta, nodes.ravel()])
    first = problem.once(b"shooting from", x, lambda: problem.at(x).plain())
    if not first["sound"]:
        track.reject("a piece cannot be solved from its smoothed start")
        reason = "a piece cannot be solved from its smoothed start"
        return Shot(theta, nodes, np.inf, np.inf, False, 0, reason, lambda: problem.at(x).linear)
    point = _Point.of(first)
    multipliers, iterations = np.zeros(len(point.gaps)), 0
    for number, (mu, most, goal) in enumerate(zip(_STIFFNESS, _ITERATIONS, _GAINS, strict=True)):
        held = scales if number < _FROZEN else scales[:0]
        for _ in range(3):  # multipliers close the gaps at the last mu without a larger one
            now = _Round(multipliers, mu, goal, held, box)
            point, used, over = _round(problem, now, point, most, track)
            iterations += used
            multipliers = multipliers + mu * point.gaps
            if mu < _STIFFNESS[-1] or np.max(np.abs(point.gaps)) <= GAPS_GOAL or not over:
                break
    gap = float(np.max(np.abs(point.gaps)))
    reason = f"{iterations} iterations, largest gap {gap:.1e} of a state's spread"
    end, closed = point.x, gap <= CLOSED
    solve = partial(lambda x: problem.at(x).linear, end)
    return Shot(end[:k], end[k:].reshape(nodes.shape), point.value, gap, closed, iterations, reason, solve)


def _round(problem: Problem, now: _Round, point: _Point, most: int, track: Track) -> tuple[_Point, int, bool]:
    """Levenberg-Marquardt on the augmented Lagrangian: the point, iterations, whether it ended."""
    region, k = _Region(1e-3, 2.0, np.zeros(len(point.x))), len(point.gradient)
    for iteration in range(1, most + 1):
        track.check_time()
        found = problem.once(b"shooting", [now, point, region], partial(_iteration, problem, now, point, region, k))
        if found["what"] == _OVER:
            return point, iteration - 1, True
        region = _Region(float(found["damping"]), float(found["growth"]), found["scale"])
        if found["what"] == _TAKEN:
            point = _Point.of(found)
            track.accept(point.x[:k], point.value, point.gradient)
        elif region.damping > 1e12:
            return point, iteration, True
    return point, most, False


def _iteration(problem: Problem, now: _Round, point: _Point, region: _Region, k: int) -> dict[str, Any]:
    """One iteration as plain data: `what` it came to, the region after it, the new point where it was taken."""
    system = problem.at(point.x).system
    scale = np.maximum(region.scale * 0.9, system.diagonal(now.mu))
    floor = np.maximum(scale, 1e-10 * scale.max(initial=1e-300))
    added = region.damping * floor
    added[now.held] = _HELD * max(float(scale.max(initial=0.0)), 1.0)
    p, gain = system.step(point.gaps, now.multipliers, now.mu, added)
    if not np.all(np.isfinite(p)) or gain < now.goal * (1e-3 if region.damping > 1 else 1.0):
        return {"what": _OVER}
    x = point.x + p
    x[:k] = now.box.clip(x[:k])
    trial = problem.at(x)
    ratio = (now.merit(point) - now.merit(trial)) / gain if trial.sound else -1.0
    if ratio > 1e-3:
        damping = region.damping * max(1 / 9, 1 - (2 * min(ratio, 1.0) - 1) ** 3)  # H. B. Nielsen, IMM-REP-1999-05
        return {"what": _TAKEN, **trial.plain(), "damping": max(damping, 1e-12), "growth": 2.0, "scale": scale}
    return {"what": _REJECTED, "damping": region.damping * region.growth, "growth": 2 * region.growth, "scale": scale}


def covariance(pieces: Pieces, shot: Shot) -> np.ndarray:
    """Of theta (k, k) where the gaps are closed: the first block of the inverse of the constrained problem's matrix (Bock)."""
    import scipy.sparse as sparse
    from scipy.sparse.linalg import splu

    k, spread = len(shot.theta), np.ones(shot.nodes.shape[1])
    system = System(shot.linear, pieces, spread, k)
    m = system.size - k
    ridge = 1e-14 * float(system.hessian.diagonal().max(initial=1.0))
    matrix = sparse.bmat([[system.hessian + ridge * sparse.identity(system.size), system.jacobian.T],
                          [system.jacobian, -1e-12 * sparse.identity(m)]], format="csc")  # fmt: skip
    return splu(matrix).solve(np.eye(system.size + m, k))[:k]
