"""`at` statements and doses: when they fire, in which order, and what they do.

How often a statement fires must be fixed before tracing (shapes are static); when it fires may depend on parameters
and is differentiated through. At one instant doses come before `at` statements.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.core import Tracer

from hybridode.solve import results
from hybridode.solve.doses import fallen
from hybridode.solve.problem import Arguments, Compiled, EventTable
from hybridode.solve.pytree import pytree
from hybridode.types import Array

if TYPE_CHECKING:
    from hybridode.types import AnyArray

ROUNDING = 16  # units in the last place within which an event is taken to be at a save point, or not after `until`


@dataclass(frozen=True)
class EventPlan:
    """How many firings are provided for, of each `at` statement and of all doses together. Hashable, so that it can be a static
    argument of jit."""

    counts: tuple[int, ...]
    doses: int = 0

    @property
    def total(self) -> int:
        return sum(self.counts) + self.doses


@pytree
class Occurrences:
    """All firings in the order in which they happen, then one that is not active and stands for the end.

    times (K + 1,), active (K + 1,) bool, statements (K + 1,) int, amounts (K + 1,) of doses; `problem` is a result code.
    """

    times: Array
    active: Array
    statements: Array
    amounts: Array
    problem: Array


def plan_events(compiled: Compiled, args: Arguments, t0: Any, t1: Any, spare: bool = False) -> EventPlan | None:
    """How often each `at` statement fires between t0 and t1 at these (concrete) numbers; None without such statements.

    `spare` leaves room for parameters that move the times: twice as many and eight more.
    """
    if compiled.events is None:
        return None
    doses = 0 if compiled.events.doses is None else compiled.events.doses.firings(args.doses)
    if not compiled.events.count:
        return EventPlan((), doses)
    if any(isinstance(leaf, Tracer) for leaf in jax.tree_util.tree_leaves((args, t0, t1))):
        raise AssertionError("the firings of `at` statements must be planned outside jit: pass events=plan_events(...)")
    first, period, last = (np.asarray(a, np.float64) for a in compiled.events.times(args))
    counts = []
    for a, every, until in zip(first, period, last, strict=True):
        if not math.isfinite(every) or every <= 0:
            counts.append(1)
            continue
        begin, end = max(a, float(t0)), min(until, float(t1))
        count = max(0, math.floor((end - begin) / every * (1 + 1e-12) + 1e-9) + 2)
        counts.append(2 * count + 8 if spare else count)
    return EventPlan(tuple(counts), doses)


def occurrences(events: EventTable | None, plan: EventPlan, args: Arguments, t0: Array, ts: Array) -> Occurrences:
    """When every statement fires. Firings at one instant keep the order of the file, doses that of their records."""
    assert events is not None
    found = _of_statements(events, plan, args, t0, ts) if plan.counts else no_occurrences(ts)
    if events.doses is None or args.doses is None:
        return found
    doses = fallen(events.doses, args.doses, events.doses.options(args), jnp)
    times = _at_save_points(jnp.where(doses.used, doses.times, ts[-1]), ts)
    active = doses.used & (times >= t0) & (times <= ts[-1])
    fired = Occurrences(times, active, doses.statements, doses.amounts, jnp.where(doses.sound, results.SUCCESS, results.DOSE))
    return _together(fired, found, ts)


def _together(first: Occurrences, then: Occurrences, ts: Array) -> Occurrences:
    """Firings in the order in which they happen; at one instant the first come first."""
    pairs = ((first.times, then.times), (first.active, then.active), (first.statements, then.statements),
             (first.amounts, then.amounts))  # fmt: skip
    times, active, statements, amounts = (jnp.concatenate(pair) for pair in pairs)
    order = jnp.argsort(jnp.where(active, times, jnp.inf), stable=True)
    times = jnp.where(active, times, ts[-1])
    problem = jnp.where(first.problem != results.SUCCESS, first.problem, then.problem)
    return Occurrences(times[order], active[order], statements[order], amounts[order], problem)


def _of_statements(events: EventTable, plan: EventPlan, args: Arguments, t0: Array, ts: Array) -> Occurrences:
    """The firings of the `at` statements."""
    statement = np.repeat(np.arange(len(plan.counts)), plan.counts)
    number = np.concatenate([np.zeros(0), *(np.arange(c) for c in plan.counts)])
    first, period, last = events.times(args)
    repeats = jnp.isfinite(period)
    every = jnp.where(repeats, period, 1.0)  # no inf in what is differentiated
    skipped = jnp.where(repeats, jnp.ceil(jnp.maximum((t0 - first) / every - 1e-9, 0.0)), 0.0)
    skipped = lax.stop_gradient(skipped)
    count = jnp.where(repeats[statement], skipped[statement] + number, 0.0)
    times = _at_save_points(first[statement] + count * every[statement], ts)
    rounding = ROUNDING * jnp.finfo(ts.dtype).eps
    limit = jnp.minimum(last + rounding * jnp.abs(jnp.where(jnp.isfinite(last), last, 0.0)), ts[-1])
    active = (times >= t0) & (times <= limit[statement]) & (repeats[statement] | (number == 0))
    order = jnp.argsort(jnp.where(active, times, jnp.inf), stable=True)
    beyond = repeats & (first + (skipped + np.asarray(plan.counts)) * every <= limit)
    problem = jnp.where(jnp.any(repeats & (period <= 0)), results.EVENT_PERIOD,
                        jnp.where(jnp.any(beyond), results.EVENT_COUNT, results.SUCCESS))  # fmt: skip
    moved, is_active = times[order], active[order]
    return Occurrences(
        jnp.append(jnp.where(is_active, moved, ts[-1]), ts[-1]),
        jnp.append(is_active, False),
        jnp.append(jnp.asarray(statement)[order], 0),
        jnp.zeros(len(number) + 1, ts.dtype),
        problem,
    )


def no_occurrences(ts: Array) -> Occurrences:
    """Nothing but the end."""
    return Occurrences(ts[-1:], jnp.array([False]), jnp.array([0]), jnp.zeros(1, ts.dtype), jnp.array(results.SUCCESS))


def with_jumps(fired: Occurrences, jumps: Any, t0: Array, ts: Array) -> Occurrences:
    """Also the jumps of inputs (statement -1), whose times are not differentiated; at one instant they come first."""
    jumps = lax.stop_gradient(jnp.asarray(jumps, ts.dtype))
    active = (jumps > t0) & (jumps <= ts[-1])
    jumped = Occurrences(jumps, active, jnp.full(jumps.shape, -1), jnp.zeros_like(jumps), jnp.array(results.SUCCESS))
    return _together(jumped, fired, ts)


def _at_save_points(times: Array, ts: Array) -> Array:
    """Times within a few roundings of a save point (or the end) become it: 3*0.1 is meant to be 0.3."""
    if len(times) == 0:
        return times
    nearest = jnp.clip(jnp.searchsorted(ts, times), 1, max(len(ts) - 1, 1))
    below, above = ts[nearest - 1], ts[jnp.minimum(nearest, len(ts) - 1)]
    point = jnp.where(jnp.abs(times - below) <= jnp.abs(times - above), below, above)
    close = jnp.abs(times - point) <= ROUNDING * jnp.finfo(ts.dtype).eps * jnp.abs(point)
    return times + lax.stop_gradient(jnp.where(close, point - times, 0.0))


def state_after(events: EventTable | None, statement: AnyArray, amount: Array, t: Array, y: Array, args: Arguments) -> Array:
    """The state after one statement's assignments, all made from what was before."""
    if events is None:
        return y
    values = events.values(t, y, args, amount)
    if not events.state:
        return y
    chosen = jnp.asarray(events.statement) == statement
    state, n = np.asarray(events.state), len(y)
    assigned = jax.ops.segment_sum(chosen.astype(y.dtype), state, n)
    return jnp.where(assigned > 0, jax.ops.segment_sum(jnp.where(chosen, values, 0.0), state, n), y)
