"""A solve in stretches between `at` statements and doses, for any engine."""

from __future__ import annotations

from collections.abc import Callable

import jax.numpy as jnp
from jax import lax

from hybridode.solve import results
from hybridode.solve.consistent import after_a_jump, consistent_in_jax
from hybridode.solve.constrained import jumps_of_unknowns
from hybridode.solve.events import EventPlan, no_occurrences, occurrences, state_after, with_jumps
from hybridode.solve.problem import Arguments, Compiled
from hybridode.solve.raw import Raw, nothing_counted
from hybridode.solve.signals import jump_times
from hybridode.types import Array

Segment = Callable[[Array, Array, Array, Array], Raw]


def between_events(compiled: Compiled, segment: Segment, args: Arguments, t0: Array, ts: Array, start: Array,
                   plan: EventPlan | None) -> Raw:  # fmt: skip
    """Stretches between the jumps of the `at` statements, one after the other in a scan.

    `segment(a, b, y, ts)` solves from (a, y) to b and saves at ts, within [a, b].

    Which save points lie in a stretch depends on times that may be differentiated; a save point outside is moved to the
    nearer end of the stretch by selection, so that no derivative flows through the times of points that are not used.
    """
    fired = no_occurrences(ts) if plan is None else occurrences(compiled.events, plan, args, t0, ts)
    if jumps_of_unknowns(compiled):
        fired = with_jumps(fired, jump_times(args.signals, compiled.landing_signals), t0, ts)
    conditions = after_a_jump(compiled)

    stops = jnp.asarray((0,) if compiled.events is None else compiled.events.stop) > 0

    def advance(carry: tuple[Array, Raw, Array], occurrence: tuple[Array, ...]) -> tuple[tuple[Array, Raw, Array], None]:
        (a, raw, stopped), (time, active, statement, amount) = carry, occurrence
        going = (raw.result == results.SUCCESS) & ~stopped
        b = jnp.where(going, jnp.minimum(time, ts[-1]), a)
        piece = segment(a, b, raw.y_end, jnp.where(ts < a, a, jnp.where(ts > b, b, ts)))
        ends = active & (statement >= 0) & stops[jnp.maximum(statement, 0)]
        inside = (ts >= a) & ((ts < b) | ~active) & going
        inside_left = (ts > a) & (ts <= b) & going
        jumped = state_after(compiled.events, statement, amount, b, piece.y_end, args)
        fires = active & (piece.result == results.SUCCESS) & going
        code = piece.result
        if conditions is not None:
            jumped, unsolved = consistent_in_jax(compiled, conditions, args, b, jumped)
            code = jnp.where(fires & (unsolved != results.SUCCESS), unsolved, code)
        ys = jnp.where(inside[:, None], jnp.where((ts == a)[:, None], raw.y_end, piece.ys), raw.ys)
        done = Raw(
            jnp.where(((ts == b) & fires & ends)[:, None], jumped, ys),
            jnp.where(inside_left[:, None], piece.ys, raw.ys_left),
            jnp.where(going, code, raw.result),
            jnp.where(going, piece.t_end, raw.t_end),
            jnp.where(fires, jumped, jnp.where(going, piece.y_end, raw.y_end)),
            {name: count + jnp.where(going, piece.stats[name], 0) for name, count in raw.stats.items()},
        )
        return (b, done, stopped | (fires & ends)), None

    everywhere = jnp.broadcast_to(start, (len(ts), len(start)))
    first = Raw(everywhere, everywhere, jnp.array(fired.problem), t0, start, nothing_counted())
    carry = t0, first, jnp.array(False)
    (_, raw, _), _ = lax.scan(advance, carry, (fired.times, fired.active, fired.statements, fired.amounts))
    return raw
