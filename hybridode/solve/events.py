"""`at` statements: when they fire, in which order, and what they do.

How often a statement fires must be fixed before tracing (shapes are static); when it fires may depend on parameters
and is differentiated through.
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
from hybridode.solve.problem import Arguments, Compiled, EventTable
from hybridode.solve.pytree import pytree
from hybridode.types import Array

if TYPE_CHECKING:
    from hybridode.types import AnyArray

ROUNDING = 16  # units in the last place within which an event is taken to be at a save point, or not after `until`


@dataclass(frozen=True)
class EventPlan:
    """Per statement how many firings are provided for. Hashable, so that it can be a static argument of jit."""

    counts: tuple[int, ...]


@pytree
class Occurrences:
    """All firings in the order in which they happen, then one that is not active and stands for the end.

    times (K + 1,), active (K + 1,) bool, statements (K + 1,) int; `problem` is a result code.
    """

    times: Array
    active: Array
    statements: Array
    problem: Array


def plan_events(compiled: Compiled, args: Arguments, t0: Any, t1: Any, spare: bool = False) -> EventPlan | None:
    """How often each `at` statement fires between t0 and t1 at these (concrete) numbers; None without such statements.

    `spare` leaves room for parameters that move the times: twice as many and eight more.
    """
    if compiled.events is None:
        return None
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
    return EventPlan(tuple(counts))


def occurrences(events: EventTable | None, plan: EventPlan, args: Arguments, t0: Array, ts: Array) -> Occurrences:
    """When every statement fires. Firings at one instant keep the order of the file."""
    assert events is not None
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
        problem,
    )


def no_occurrences(ts: Array) -> Occurrences:
    """Nothing but the end."""
    return Occurrences(ts[-1:], jnp.array([False]), jnp.array([0]), jnp.array(results.SUCCESS))


def with_jumps(fired: Occurrences, jumps: Any, t0: Array, ts: Array) -> Occurrences:
    """Also the jumps of inputs (statement -1), whose times are not differentiated; at one instant they come first."""
    jumps = lax.stop_gradient(jnp.asarray(jumps, ts.dtype))
    active = (jumps > t0) & (jumps <= ts[-1])
    times = jnp.concatenate([jnp.where(active, jumps, ts[-1]), fired.times])
    active = jnp.concatenate([active, fired.active])
    statements = jnp.concatenate([jnp.full(jumps.shape, -1), fired.statements])
    order = jnp.argsort(jnp.where(active, times, jnp.inf), stable=True)
    return Occurrences(times[order], active[order], statements[order], fired.problem)


def _at_save_points(times: Array, ts: Array) -> Array:
    """Times within a few roundings of a save point (or the end) become it: 3*0.1 is meant to be 0.3."""
    if len(times) == 0:
        return times
    nearest = jnp.clip(jnp.searchsorted(ts, times), 1, max(len(ts) - 1, 1))
    below, above = ts[nearest - 1], ts[jnp.minimum(nearest, len(ts) - 1)]
    point = jnp.where(jnp.abs(times - below) <= jnp.abs(times - above), below, above)
    close = jnp.abs(times - point) <= ROUNDING * jnp.finfo(ts.dtype).eps * jnp.abs(point)
    return times + lax.stop_gradient(jnp.where(close, point - times, 0.0))


def state_after(events: EventTable | None, statement: AnyArray, t: Array, y: Array, args: Arguments) -> Array:
    """The state after one statement's assignments, all made from what was before."""
    if events is None:
        return y
    values = events.values(t, y, args)
    if not events.state:
        return y
    chosen = jnp.asarray(events.statement) == statement
    state, n = np.asarray(events.state), len(y)
    assigned = jax.ops.segment_sum(chosen.astype(y.dtype), state, n)
    return jnp.where(assigned > 0, jax.ops.segment_sum(jnp.where(chosen, values, 0.0), state, n), y)
