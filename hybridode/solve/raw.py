"""What every engine gives: the raw numbers of one solve."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from hybridode.solve import results
from hybridode.solve.pytree import pytree
from hybridode.types import AnyArray, Array


@pytree
class Raw:
    """What a solve computed. `ys` (T, n) is right-continuous, `ys_left` (T, n) holds the limits from the left (what
    observations read). After `t_end` both are NaN; `y_end` (n,) is the last accepted state. `result` indexes `RESULTS`."""

    ys: AnyArray
    ys_left: AnyArray
    result: AnyArray
    t_end: AnyArray
    y_end: AnyArray
    stats: dict[str, AnyArray]


# Steps tried, accepted and rejected; attempts for which the native engine's order of pivots was bad, so that it took partial
# pivoting (Diffrax always does, and counts none); how often `event` statements fired; which `if`s are not located any more
# because their sides changed without end, as bits (see `switches`).
COUNTS: tuple[str, ...] = ("steps", "accepted", "rejected", "pivoted", "events", "sliding")


def nothing_counted() -> dict[str, Any]:
    """The counts of a solve that did nothing."""
    return dict.fromkeys(COUNTS, jnp.array(0))


def without_states(start: Array, t0: Array, ts: Array) -> Raw:
    """A model that has only definitions: there is nothing to solve."""
    empty = jnp.zeros((len(ts), 0), start.dtype)
    code = jnp.where(jnp.any(ts < t0) | jnp.any(ts[1:] < ts[:-1]), results.TIMES, results.SUCCESS)
    return Raw(empty, empty, code, lax.stop_gradient(ts[-1]), start, nothing_counted())


def finish(raw: Raw, result: Array, t0: Array, ts: Array) -> Raw:
    """NaN after the end of a failed solve, and NaN derivatives of everything in it."""
    ok = result == results.SUCCESS
    t_end = jnp.where((result == results.START) | (result == results.TIMES), t0, raw.t_end)
    known = (ts <= t_end) & (result != results.TIMES)  # an event may have stopped a run that went well

    def shown(ys: Array) -> Array:
        return _derivative_if(jnp.where(known[:, None], ys, jnp.nan), ok)

    return Raw(shown(raw.ys), shown(raw.ys_left), result, lax.stop_gradient(t_end), _derivative_if(raw.y_end, ok), raw.stats)


@jax.custom_jvp
def _derivative_if(value: Array, ok: Array) -> Array:
    """The value; its derivative where ok, else NaN: the derivative of a failed solve must never look like one."""
    return value


@_derivative_if.defjvp
def _derivative_if_jvp(primals: tuple[Array, Array], tangents: tuple[Array, Any]) -> tuple[Array, Array]:
    (value, ok), (change, _) = primals, tangents
    return value, change * jnp.where(ok, 1.0, jnp.nan).astype(value.dtype)
