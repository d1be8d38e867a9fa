"""Consistent states: where the equations hold that no time derivative appears in, at the start and after a state has jumped.

Damped Gauss–Newton iterations, by P. Deuflhard's natural monotonicity test (Newton Methods for Nonlinear Problems, 2004, chapter
3), in NumPy (`solve_numbers`) and in JAX (`solve_traced`), whose derivative is that of the implicit function theorem: one more
step at the point that was found, all but the equations held. What is computed moves first; given values move only where equations
remain that no unknown can satisfy, together as little as possible, each measured by its own size.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from hybridode.equations.system import EquationSystem, entry_expressions
from hybridode.errors import Span
from hybridode.expr import Expr
from hybridode.kernels.jax import emit
from hybridode.matching import NONE, maximum_matching
from hybridode.solve import results
from hybridode.solve.problem import Arguments, Compiled, environment
from hybridode.solve.tapes import tape_of
from hybridode.tape.interpret import Interpreter
from hybridode.tape.tape import Tape
from hybridode.types import Array, FloatArray

MOST_ITERATIONS = 50
SHORTEST = 2.0**-12  # of a damped step
RANK = 1e-10  # singular values below it, in units of the largest, are none
SMALL = 1e-5  # steps so small that do not get smaller are rounding
SATISFIED = 1e-8  # of the terms of an equation that no step makes smaller
MOVED = 1e-6  # of its own size: a given value that moves more was in conflict with an equation


@dataclass(frozen=True, eq=False)
class Conditions:
    """0 = equations (m,) at (t, y), and which states may change for it: `unknowns`, then `soft` ones.

    `tape` has the outputs equations and entries, which stand at `rows` and `columns` of their Jacobian by the states. `solvable`:
    there are as many unknowns as equations, each of which can determine one.
    """

    tape: Tape
    rows: np.ndarray
    columns: np.ndarray
    count: int
    n: int
    unknowns: np.ndarray
    soft: np.ndarray
    solvable: bool
    spans: tuple[Span | None, ...]
    moves: FloatArray  # (m, soft): 1 where an equation moves a soft state
    by_size: bool

    @cached_property
    def interpreter(self) -> Interpreter:
        return Interpreter(self.tape)

    def values(self, t: float, y: FloatArray, args: Arguments) -> FloatArray:
        """The equations' values (m,) by NumPy."""
        return self.interpreter(environment(t, y, args))["equations"]


def _conditions(system: EquationSystem, equations: Any, entries: Any, places: list[tuple[int, int]], unknowns: Any, soft: Any,
                spans: tuple[Span | None, ...], by_size: bool) -> Conditions:  # fmt: skip
    outputs = {"equations": equations} | ({"entries": entries} if len(places) else {})
    place = {k: i for i, k in enumerate(unknowns)}
    read: list[list[int]] = [[] for _ in equations]
    for row, column in places:
        if column in place:
            read[row].append(place[column])
    determined = NONE not in maximum_matching(read, len(unknowns))
    return Conditions(
        tape_of(system, outputs),
        np.array([i for i, _ in places], int),
        np.array([j for _, j in places], int),
        len(equations),
        len(system.states),
        np.array(unknowns, int),
        np.array(() if determined else soft, int),
        determined and len(equations) == len(unknowns),
        spans,
        _moves(system, places, len(equations), () if determined else soft),
        by_size,
    )


def moves_states(system: EquationSystem, places: Sequence[tuple[int, int]]) -> list[bool]:
    """Of each entry (equation, state) that is read, whether the state moves for the equation: not a position whose velocity
    stands in the equation too."""
    place = {s: k for k, s in enumerate(system.states)}
    rates = zip(system.states, system.rates, strict=True)
    velocity = {place[s]: place[e.data] for s, e in rates if e.op == "sym" and e.data in place and e.data != s}
    read = set(places)
    return [(row, velocity.get(k, -1)) not in read for row, k in places]


def _moves(system: EquationSystem, places: list[tuple[int, int]], count: int, soft: Sequence[int]) -> FloatArray:
    found = np.zeros((count, len(system.states)))
    for (row, k), moving in zip(places, moves_states(system, places), strict=True):
        found[row, k] = moving
    return found[:, np.array(soft, int)]


def at_the_start(compiled: Compiled) -> Conditions | None:
    """What a start has to satisfy; None for an ODE."""
    initial, key = compiled.system.initial, "consistent start"
    if initial is None or not len(initial.equations):
        return None
    if key not in compiled.jitted:
        found = initial.jacobian or ()
        compiled.jitted[key] = _conditions(
            compiled.system, initial.equations, entry_expressions(found), [(e.row, e.column) for e in found], initial.unknowns,
            initial.soft, initial.spans, by_size=True,
        )  # fmt: skip
    return compiled.jitted[key]


def after_a_jump(compiled: Compiled) -> Conditions | None:
    """What a state has to satisfy that has just been changed: its algebraic unknowns are computed again, and where invariants do
    not hold any more other states go to the nearest point where they do, positions only for equations of positions. None for an
    ODE."""
    system, key = compiled.system, "consistent again"
    if not (system.unknowns or system.invariants):
        return None
    if key not in compiled.jitted:
        unknowns = system.unknowns
        row_of = {state: k for k, state in enumerate(unknowns)}
        own = [(row_of[e.row], e) for e in system.jacobian or () if e.row in row_of]
        own += [(len(unknowns) + e.row, e) for e in system.invariant_jacobian or ()]
        exprs: list[Expr] = [system.rates[i] for i in unknowns] + [x.expr for x in system.invariants]
        soft = [i for i in range(len(system.states)) if i not in row_of]
        spans = tuple(system.rate_spans[i] for i in unknowns) if system.rate_spans else (None,) * len(unknowns)
        compiled.jitted[key] = _conditions(
            system, exprs, [e.expr for _, e in own], [(row, e.column) for row, e in own], unknowns, soft,
            (*spans, *(x.span for x in system.invariants)), by_size=False,
        )  # fmt: skip
    return compiled.jitted[key]


class Found(NamedTuple):
    """The state, whether it satisfies the equations, and which equation it satisfies least."""

    y: Any
    ok: Any
    worst: Any


# ---- what both have in common ---------------------------------------------------------------------------------------
class _Point(NamedTuple):
    """The equations' values, their Jacobian by the unknowns (m, u) and by the soft states' multipliers (m, m)."""

    value: Any
    by_unknowns: Any
    by_multipliers: Any


class _Search:
    """The equations as functions of v: changes of the unknowns, then multipliers. `xp`: NumPy or JAX's."""

    def __init__(self, c: Conditions, xp: Any, evaluate: Callable[[Any], Mapping[str, Any]], y0: Any) -> None:
        self.c, self.xp, self.evaluate, self.y0 = c, xp, evaluate, y0
        self.directions = None
        if len(c.soft):
            jacobian = self.dense(evaluate(y0))[:, c.soft]
            size = y0[c.soft] ** 2
            # Given starts move by parts of themselves. After a jump all weigh the same, and positions stay where only velocities
            # break an equation, as in every step's projection.
            weights = size + RANK * xp.mean(size) + 1e-20 if c.by_size else xp.ones_like(size)
            self.directions = weights[:, None] * (jacobian if c.by_size else jacobian * c.moves).T

    def dense(self, found: Mapping[str, Any]) -> Any:
        c = self.c
        if not len(c.rows):
            return self.xp.zeros((c.count, c.n), self.y0.dtype)
        if self.xp is np:
            out = np.zeros((c.count, c.n))
            out[c.rows, c.columns] = found["entries"]
            return out
        return jnp.zeros((c.count, c.n), self.y0.dtype).at[c.rows, c.columns].set(found["entries"].astype(self.y0.dtype))

    def state(self, v: Any) -> Any:
        """The state at v."""
        c, u = self.c, len(self.c.unknowns)
        if self.xp is np:
            y = self.y0.copy()
            y[c.unknowns] += v[:u]
            if self.directions is not None:
                y[c.soft] += self.directions @ v[u:]
            return y
        y = self.y0.at[c.unknowns].add(v[:u])
        return y if self.directions is None else y.at[c.soft].add(self.directions @ v[u:])

    def value(self, v: Any) -> Any:
        return self.evaluate(self.state(v))["equations"].astype(self.y0.dtype)

    def point(self, v: Any) -> _Point:
        found = self.evaluate(self.state(v))
        jacobian = self.dense(found)
        more = None if self.directions is None else jacobian[:, self.c.soft] @ self.directions
        return _Point(found["equations"].astype(self.y0.dtype), jacobian[:, self.c.unknowns], more)

    def step(self, p: _Point, value: Any) -> Any:
        """The change of v that makes the linearised equations hold: of the unknowns, of multipliers for what these leave."""
        xp = self.xp
        if self.c.solvable:
            return -xp.linalg.solve(p.by_unknowns, value)
        largest = xp.max(xp.abs(p.by_unknowns), axis=1, initial=0.0)
        size = 1 / xp.where(largest == 0, 1.0, largest)  # a row of zeros stays one: its rounding must not be scaled up
        inverse = xp.linalg.pinv(p.by_unknowns * size[:, None], rcond=RANK) * size[None, :]
        if p.by_multipliers is None:
            return -inverse @ value
        rest = xp.eye(self.c.count, dtype=self.y0.dtype) - p.by_unknowns @ inverse
        reach = rest @ p.by_multipliers @ rest.T
        row = 1 / xp.sqrt(xp.abs(xp.diagonal(reach)) + 1e-300)
        left = xp.where(xp.isfinite(row) & (row < 1e140), row, 0.0)
        scaled = xp.linalg.pinv(reach * left[:, None] * left[None, :], rcond=RANK)
        multipliers = -rest.T @ (left * (scaled @ (left * (rest @ value))))
        return xp.concatenate([-inverse @ (value + p.by_multipliers @ multipliers), multipliers])

    def sizes(self, v: Any, change: Any) -> Any:
        """What changes of the states are measured against: their sizes before and after a step, whichever is larger."""
        xp = self.xp
        y = xp.maximum(xp.abs(self.state(v)), xp.abs(self.state(v + change)))
        return y + 1e-8 * xp.max(y, initial=0.0) + 1e-30

    def norm(self, change: Any, sizes: Any) -> Any:
        """The largest change of a state, in units of its size."""
        xp, u = self.xp, len(self.c.unknowns)
        found = xp.max(xp.abs(change[:u]) / sizes[self.c.unknowns], initial=0.0)
        if self.directions is not None:
            found = xp.maximum(found, xp.max(xp.abs(self.directions @ change[u:]) / sizes[self.c.soft], initial=0.0))
        return xp.where(xp.isfinite(found), found, xp.inf)

    def unsatisfied(self, v: Any) -> Any:
        """Every equation's value in units of its terms (0 where it is as good as 0)."""
        xp, found = self.xp, self.evaluate(self.state(v))
        jacobian, y = self.dense(found), xp.abs(self.state(v))
        terms = xp.abs(jacobian) @ (y + 1e-8 * xp.max(y, initial=0.0)) + xp.abs(self.evaluate(self.y0)["equations"])
        value = xp.abs(found["equations"])
        return xp.where(value == 0, 0.0, xp.where(xp.isfinite(value), value / (terms + 1e-300), xp.inf))

    def start(self) -> Any:
        count = len(self.c.unknowns) + (0 if self.directions is None else self.c.count)
        return self.xp.zeros(count, self.y0.dtype)


def _near(dtype: Any) -> float:
    """A step in units of the state that is the last but one: Newton's next is its square."""
    return 1e-10 if np.dtype(dtype).itemsize == 8 else 1e-5


# ---- NumPy ----------------------------------------------------------------------------------------------------------
def consistent_start(
    compiled: Compiled, args: Arguments, t0: float, y0: FloatArray, declared: bool = False
) -> tuple[FloatArray, int]:
    """(a consistent start near y0, a code of `results`). `declared`: y0 and the arguments are what the model says, so that a
    given value that would have to move contradicts the equations."""
    c = at_the_start(compiled)
    if c is None or not np.all(np.isfinite(y0)):
        return y0, results.SUCCESS
    found = solve_numbers(c, args, t0, y0)
    if not found.ok:
        return found.y, results.INCONSISTENT
    # Measured by what was given: a start next to a singular point computes states that are as large as one likes.
    size = np.maximum(np.abs(y0), np.abs(found.y)) + 1e-8 * (np.max(np.abs(y0), initial=0.0) or 1.0)
    moved = (np.abs(found.y - y0) > MOVED * size)[c.soft]
    return found.y, results.CONFLICT if declared and np.any(moved) else results.SUCCESS


def consistent_again(compiled: Compiled, args: Arguments, t: float, y: FloatArray) -> tuple[FloatArray, int]:
    """(the state made consistent after a jump, a code of `results`)."""
    c = after_a_jump(compiled)
    if c is None or not np.all(np.isfinite(y)):
        return y, results.SUCCESS
    found = solve_numbers(c, args, t, y)
    return found.y, results.SUCCESS if found.ok else results.INCONSISTENT


def solve_numbers(c: Conditions, args: Arguments, t: float, y0: FloatArray) -> Found:
    """The nearest consistent state to y0. Guesses that lead nowhere are tried again a little aside: at z = 0, z^2 = 1 has no
    direction."""

    def evaluate(y: Any) -> Mapping[str, Any]:
        return c.interpreter(environment(t, y, args))

    y0, best = np.asarray(y0, float), None
    with np.errstate(all="ignore"):
        for aside in (0.0, 0.1, -0.1, 1.0, -1.0):
            begin = y0.copy()
            begin[c.unknowns] += aside * (1.0 + np.abs(begin[c.unknowns])) * (1.0 if aside else 0.0)
            found = _iterated(_Search(c, np, evaluate, begin))
            best = found if best is None else best
            if found.ok:
                return found
    assert best is not None
    return best


def unsatisfied(compiled: Compiled, c: Conditions, args: Arguments, t: float, y: FloatArray) -> FloatArray:
    """Every equation's value at y in units of its terms (m,)."""
    with np.errstate(all="ignore"):
        s = _Search(replace(c, soft=c.soft[:0]), np, lambda y: c.interpreter(environment(t, y, args)), np.asarray(y, float))
        return np.asarray(s.unsatisfied(s.start()))


def _iterated(s: _Search) -> Found:
    v, near = s.start(), _near(float)
    ok = False
    for _ in range(MOST_ITERATIONS):
        p = s.point(v)
        change = _numbers_step(s, p, p.value)
        sizes = s.sizes(v, change)
        length = s.norm(change, sizes)
        if not np.isfinite(length):
            break
        if length <= near:
            v, ok = v + change, True
            break
        damping = 1.0
        while True:
            value = s.value(v + damping * change)
            after = s.norm(_numbers_step(s, p, value), sizes)
            if damping == 1.0 and length <= SMALL and after > length / 4:
                ok = True
                break
            if after <= (1 - damping / 2) * length or after <= near:
                break
            damping /= 2
            if damping < SHORTEST:
                break
        if damping < SHORTEST:
            break
        v = v + damping * change
        if ok:
            break
    left = s.unsatisfied(v)
    worst = int(np.argmax(left)) if len(left) else 0
    return Found(s.state(v), bool(ok and (not len(left) or left[worst] <= SATISFIED)), worst)


def _numbers_step(s: _Search, p: _Point, value: FloatArray) -> FloatArray:
    try:
        return s.step(p, value)
    except np.linalg.LinAlgError:
        if not all(np.all(np.isfinite(x)) for x in p if x is not None):
            return np.full(len(s.start()), np.nan)
        return -np.linalg.lstsq(p.by_unknowns, value, rcond=RANK)[0]


# ---- JAX ------------------------------------------------------------------------------------------------------------
def consistent_in_jax(compiled: Compiled, c: Conditions | None, args: Arguments, t: Array, y0: Array) -> tuple[Array, Array]:
    """`consistent_start` and `consistent_again`, by their conditions. NaN where there is no such state."""
    if c is None:
        return y0, jnp.array(results.SUCCESS)
    y, ok = solve_traced(compiled, c, args, t, y0)
    known = jnp.all(jnp.isfinite(y0))  # else it is the start's own fault
    code = jnp.where(known & ~ok, results.INCONSISTENT, results.SUCCESS)
    return jnp.where(ok & known, y, jnp.nan), code


def solve_traced(compiled: Compiled, c: Conditions, args: Arguments, t: Any, y0: Any) -> tuple[Array, Array]:
    """(the nearest consistent state to y0, whether there is one) under jit, vmap and derivatives of either mode."""
    key = ("consistent traced", id(c))
    run = compiled.jitted.setdefault(key, emit(c.tape))
    args, t, y0 = jax.tree_util.tree_map(jnp.asarray, (args, t, y0))
    held_args, held_t, held = lax.stop_gradient((args, t, y0))
    begin = _Search(c, jnp, lambda y: run(environment(held_t, y, held_args)), held)
    v, ok = _iterated_in_jax(begin)
    v = lax.stop_gradient(v)
    moving = _Search(c, jnp, lambda y: run(environment(t, y, args)), y0)
    p = lax.stop_gradient(begin.point(v))
    return moving.state(v + moving.step(p, moving.value(v))), ok


def _iterated_in_jax(s: _Search) -> tuple[Array, Array]:
    near = _near(s.y0.dtype)

    def going(carry: Any) -> Array:
        _, k, _, on = carry
        return on & (k < MOST_ITERATIONS)

    def iterate(carry: Any) -> Any:
        v, k, ok, _ = carry
        p = s.point(v)
        change = s.step(p, p.value)
        sizes = s.sizes(v, change)
        length = s.norm(change, sizes)

        def too_long(carry: Any) -> Array:
            damping, after = carry
            return (after > (1 - damping / 2) * length) & (after > near) & (damping >= SHORTEST)

        def shorter(carry: Any) -> Any:
            damping = carry[0] / 2
            return damping, s.norm(s.step(p, s.value(v + damping * change)), sizes)

        one = jnp.ones((), s.y0.dtype)
        first = s.norm(s.step(p, s.value(v + change)), sizes)
        there = (length <= near) | ((length <= SMALL) & (first > length / 4))
        damping, _ = lax.while_loop(too_long, shorter, (one, jnp.where(there, 0.0, first)))
        lost = ~jnp.isfinite(length) | (~there & (damping < SHORTEST))
        new = jnp.where(lost, v, v + jnp.where(there, one, damping) * change)
        return new, k + 1, ok | there, ~(there | lost)

    start = s.start()
    v, _, ok, _ = lax.while_loop(going, iterate, (start, jnp.zeros((), jnp.int32), jnp.array(False), jnp.array(True)))
    return v, ok & jnp.all(s.unsatisfied(v) <= (SATISFIED if s.y0.dtype == jnp.float64 else 1e-3))
