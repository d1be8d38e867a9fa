"""Series that begin in a steady state (SS = 1): the start from which one interval of the first dose leads back to it.

With the map y -> P(y) over one interval, y = P(y) is solved by Newton's method: (I - P') dy = P(y) - y. What the flow conserves
(a discrete state, a total) makes I - P' singular; with orthonormal left null vectors U the matrix I - P' + U U^T is regular, and
the steps leave U^T y as the start has it. Derivatives are those of the implicit function: one more step at the solution, of
which only P is differentiated. The equations are taken not to read the time.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from hybridode.solve import results
from hybridode.solve.doses import Doses, fallen
from hybridode.solve.events import EventPlan
from hybridode.solve.problem import Arguments, Compiled
from hybridode.solve.raw import Raw
from hybridode.types import Array

MOST = 30  # steps of Newton's method
BEFORE = 3  # intervals that are gone through first: from far away Newton's method may lead anywhere
NEAR = 1e-4  # a step that changes the state by less, relatively, is followed by the last
SINGULAR = 1e-9  # singular values of I - P' below are 0: integrators conserve linear invariants to rounding

Solve = Callable[[Arguments, Any, Any, str, EventPlan], Raw]  # (args, ts, y0, gradient, plan): one solve from the start


def begins_steady(args: Arguments) -> bool:
    """Whether a series (or one of a batch) begins in a steady state."""
    return args.doses is not None and args.doses.interval.shape[-1] > 0


def steady_start(compiled: Compiled, args: Arguments, t0: Any, start: Array, solve: Solve, gradient: str) -> tuple[Array, Array]:
    """(start, code of `results`): the steady state under the first dose, where its interval is positive; else `start`."""
    table, doses = compiled.events and compiled.events.doses, args.doses
    assert table is not None and doses is not None
    interval = doses.interval[0]  # 0: nothing happens within it, and the steady state is the start
    wanted = interval > 0
    first = {name: a[:0] if name == "interval" else a[:1] for name, a in vars(doses).items()}
    one = replace(args, doses=Doses(**first))
    plan = EventPlan((0,) * (compiled.events.count if compiled.events else 0), table.firings(one.doses))
    still = jax.tree_util.tree_map(lax.stop_gradient, one)

    def after(given: Arguments, y: Array, gradient: str) -> Raw:
        return solve(given, jnp.reshape(t0 + interval, (1,)), y, gradient, plan)

    def over(y: Array) -> Array:
        return after(still, y, "forward").ys_left[-1]

    begun = lax.stop_gradient(start)
    for _ in range(BEFORE):
        begun = over(begun)
    y, matrix, kept = _newton(over, begun)
    raw = after(one, y, gradient)
    moved = kept @ (kept.T @ (start - lax.stop_gradient(start)))
    step = jnp.linalg.solve(matrix, raw.ys_left[-1] - y + moved)
    fits = jnp.all(~_firings(table, one).used | (_firings(table, one).times <= t0 + interval))
    near = jnp.all(jnp.isfinite(step)) & (_size(lax.stop_gradient(step), y) < 10 * NEAR)
    code = jnp.where(raw.result != results.SUCCESS, raw.result, jnp.where(near & fits, results.SUCCESS, results.STEADY))
    found = jnp.where(wanted & (code == results.SUCCESS), y + step, start)
    return found, jnp.where(wanted, code, results.SUCCESS)


def _firings(table: Any, args: Arguments) -> Any:
    assert args.doses is not None
    return jax.tree_util.tree_map(lax.stop_gradient, fallen(table, args.doses, table.options(args), jnp))


def _newton(over: Callable[[Array], Array], y: Array) -> tuple[Array, Array, Array]:
    """(y near the fixed point, I - P' + U U^T there, U padded with columns of zeros)."""
    n = len(y)

    def system(y: Array) -> tuple[Array, Array]:
        matrix = jnp.eye(n, dtype=y.dtype) - jax.jacfwd(over)(y)
        left, sizes, _ = jnp.linalg.svd(matrix)
        kept = left * (sizes <= SINGULAR * jnp.maximum(1.0, sizes[0]))
        return matrix + kept @ kept.T, kept

    def go_on(carry: tuple[Array, Array, Array]) -> Array:
        _, size, count = carry
        return (size > NEAR) & (count < MOST)

    def advance(carry: tuple[Array, Array, Array]) -> tuple[Array, Array, Array]:
        y, _, count = carry
        matrix, _ = system(y)
        step = jnp.linalg.solve(matrix, over(y) - y)
        return y + step, _size(step, y), count + 1

    y, _, _ = lax.while_loop(go_on, advance, (y, jnp.array(jnp.inf, y.dtype), jnp.array(0)))
    matrix, kept = system(y)
    return lax.stop_gradient((y, matrix, kept))


def _size(step: Array, y: Array) -> Array:
    """How much a step changes a state, relatively; states near 0 against the largest."""
    scale = jnp.abs(y) + 1e-6 * jnp.max(jnp.abs(y), initial=0.0) + jnp.finfo(y.dtype).tiny
    return jnp.max(jnp.abs(step) / scale, initial=0.0)


def with_code(raw: Raw, code: Array) -> Raw:
    """The solve, failed where its start was not found."""
    bad = code != results.SUCCESS
    blank = partial(jnp.where, bad, jnp.nan)
    return replace(raw, ys=blank(raw.ys), ys_left=blank(raw.ys_left), result=jnp.where(bad, code, raw.result))
