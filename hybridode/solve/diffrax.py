"""The Diffrax engine: one solve as a pure function of JAX arrays."""

from __future__ import annotations

from functools import partial
from typing import Any

import diffrax as dfx
import jax
import jax.numpy as jnp
from jax import lax

from hybridode.errors import Diagnostic, UsageError
from hybridode.solve import results
from hybridode.solve.control import controller
from hybridode.solve.events import EventPlan, plan_events
from hybridode.solve.guards import guarded
from hybridode.solve.implicit import implicit_solver
from hybridode.solve.problem import Arguments, Compiled
from hybridode.solve.raw import Raw, finish, nothing_counted, without_states
from hybridode.solve.segments import between_events
from hybridode.solve.settings import METHODS, Settings
from hybridode.solve.signals import jump_times
from hybridode.types import Array

EXPLICIT = {"tsit5": dfx.Tsit5, "dopri8": dfx.Dopri8}
ADJOINTS = {"reverse": dfx.RecursiveCheckpointAdjoint, "forward": dfx.ForwardMode, "adjoint": dfx.BacksolveAdjoint}
_CODES = (  # Diffrax's (and Optimistix's) results -> ours
    (dfx.RESULTS.successful, results.SUCCESS),
    (dfx.RESULTS.max_steps_reached, results.MAX_STEPS),
    (dfx.RESULTS.dt_min_reached, results.STEP_UNDERFLOW),
    (dfx.RESULTS.max_steps_rejected, results.NON_FINITE),  # see solve/control.py
    (dfx.RESULTS.nonlinear_max_steps_reached, results.NEWTON),
    (dfx.RESULTS.nonlinear_divergence, results.NEWTON),
)


def integrate(compiled: Compiled, args: Arguments, t0: Any, ts: Any, method: str, settings: Settings, gradient: str = "reverse",
              y0: Array | None = None, events: EventPlan | None = None) -> Raw:  # fmt: skip
    """Solve from t0 and return the states at `ts` (ascending, >= t0; numbers or traced).

    `gradient`: "reverse" (recursive checkpointing; also the cheapest choice when no derivative is taken is "forward"),
    "forward" or "adjoint" (backsolve). `y0` replaces the model's start. `events` fixes how often the `at` statements can
    fire; it is needed only when they depend on traced numbers (`plan_events` makes one). Works under jit, vmap and the
    derivatives of the mode chosen. A failed solve is a result code and NaN after `t_end`, with NaN derivatives.
    Raises `UsageError` E0824 when the adjoint is asked for a model with events.
    """
    if gradient == "adjoint" and compiled.events is not None:
        span = compiled.system.at_events[0].span if compiled.system.at_events else None
        message = "gradient `adjoint` cannot go back through the jumps of `at` statements"
        raise UsageError(Diagnostic("E0824", message, span, "use gradient `reverse` or `forward`"))
    dtype = jnp.result_type(args.parameters)
    t0, ts = jnp.asarray(t0, dtype), jnp.asarray(ts, dtype)
    plan = plan_events(compiled, args, t0, ts[-1]) if events is None and compiled.events is not None else events
    args, t0, ts, y0 = guarded((args, t0, ts, y0), gradient)
    args = jax.tree_util.tree_map(jnp.asarray, args).at_start(t0)
    start = compiled.start(t0, args) if y0 is None else jnp.asarray(y0, dtype)
    if compiled.size == 0:
        return without_states(start, t0, ts)
    backward = jnp.any(ts < t0) | jnp.any(ts[1:] < ts[:-1])
    ts = jnp.where(backward, jnp.maximum(lax.cummax(ts), t0), ts)  # only to keep Diffrax's own check quiet: the result says it
    segment = partial(_segment, compiled, method=method, settings=settings, gradient=gradient, args=args)
    if plan is None:
        raw = segment(t0, ts[-1], start, ts)
    else:
        raw = between_events(compiled, segment, args, t0, ts, start, plan)
    result = jnp.where(jnp.all(jnp.isfinite(start)), raw.result, results.START)
    return guarded(finish(raw, jnp.where(backward, results.TIMES, result), t0, ts), gradient)


def _adjoint(gradient: str, settings: Settings) -> Any:
    """Diffrax's reverse mode keeps what it is told to, or as many states as it thinks best."""
    kept = settings.checkpoints
    return ADJOINTS[gradient](checkpoints=kept) if gradient == "reverse" and isinstance(kept, int) else ADJOINTS[gradient]()


def _segment(compiled: Compiled, t0: Array, t1: Array, y0: Array, ts: Array, *, method: str, settings: Settings, gradient: str,
             args: Arguments) -> Raw:  # fmt: skip
    """One smooth stretch, with the values at ts (within [t0, t1])."""
    jumps, asked = jump_times(args.signals, compiled.landing_signals), t1
    if jumps is not None:  # a last stage at t1 itself would already see an input after its jump there
        ends_in_jump = jnp.any(jumps == t1) & (t1 > t0)
        end = lax.stop_gradient(t1)  # `nextafter` has no derivative
        t1 = t1 + jnp.where(ends_in_jump, jnp.nextafter(end, lax.stop_gradient(t0)) - end, 0.0)
        ts = jnp.where(ts > t1, t1, ts)
    implicit = METHODS[method].implicit
    solver = implicit_solver(method, settings.rtol, settings.atol) if implicit else EXPLICIT[method]()
    solution: Any = dfx.diffeqsolve(
        dfx.ODETerm((compiled.stage_rates or compiled.rates) if implicit else compiled.plain_rates),
        solver,
        t0,
        t1,
        None,
        y0,
        args,
        saveat=dfx.SaveAt(ts=ts) if gradient == "adjoint" else dfx.SaveAt(subs=[dfx.SubSaveAt(ts=ts), dfx.SubSaveAt(t1=True)]),
        # The implicit methods' own interpolant has order 3 only: they step to the save points.
        stepsize_controller=controller(settings.rtol, settings.atol, t0, t1, jumps, ts if implicit else None),
        adjoint=_adjoint(gradient, settings),
        max_steps=settings.max_steps,
        throw=False,
    )
    if gradient == "adjoint":  # Diffrax's backsolve allows one kind of saving
        reached = jnp.isfinite(solution.ts)
        ys, t_end, y_end = solution.ys, jnp.max(jnp.where(reached, ts, t0)), solution.ys[jnp.maximum(jnp.sum(reached) - 1, 0)]
    else:
        ys, t_end, y_end = solution.ys[0], solution.ts[1][0], solution.ys[1][0]
    ys = jnp.where((ts == t0)[:, None], y0, ys)  # known even if no step was accepted
    code = jnp.array(results.OTHER)
    for theirs, ours in _CODES:
        code = jnp.where(solution.result == theirs, ours, code)
    t_end = jnp.where(code == results.SUCCESS, asked, t_end)  # not the number before it
    stats = {name: solution.stats[f"num_{key}"] for name, key in
             (("steps", "steps"), ("accepted", "accepted_steps"), ("rejected", "rejected_steps"))}  # fmt: skip
    return Raw(ys, ys, code, lax.stop_gradient(t_end), y_end, nothing_counted() | stats)
