"""The native engine: whole solves as machine code, with exact derivatives of what was computed.

`integrate` is the Diffrax driver's twin: the same arguments, the same `Raw`, pure JAX. `solve_numbers` does the same with
NumPy alone. `cannot_run` says why a model has to use the other engine.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np

from hybridode.errors import Diagnostic, UsageError
from hybridode.kernels.ffi.numbers import run_solve
from hybridode.kernels.ffi.program import Program
from hybridode.kernels.llvm.job import INFO
from hybridode.methods.choice import ROLLED_FROM, rolls, solved_singly
from hybridode.solve import results
from hybridode.solve.consistent import at_the_start, consistent_in_jax, consistent_start
from hybridode.solve.constrained import (
    as_declared,
    invariants_of,
    is_constrained,
    jumps_of_unknowns,
    motion_of,
    number_of_jumps,
    settle_of,
    time_slope,
)
from hybridode.solve.events import EventPlan, occurrences, plan_events
from hybridode.solve.located import cannot_combine, fingerprint, located_events, must_be_straight
from hybridode.solve.problem import Arguments, Compiled
from hybridode.solve.raw import COUNTS, Raw, finish, without_states
from hybridode.solve.segments import between_events
from hybridode.solve.settings import METHODS, Settings
from hybridode.solve.signals import jump_times
from hybridode.solve.steady import begins_steady, steady_start
from hybridode.solve.stretches import between_firings, firings
from hybridode.solve.switches import extended, twin_of, without_sides
from hybridode.store import digest
from hybridode.tape.identity import identity
from hybridode.tape.shapes import Shape
from hybridode.tape.systems import LinearSystem, linear_system
from hybridode.types import FloatArray

if TYPE_CHECKING:
    from hybridode.methods.ready import Method

MOST_STATES = 100_000
MOST_INSTRUCTIONS = 60_000  # of a step: equations that are all different
LEAST_SINGLE = 1e-6  # relative tolerance in float32: eight roundings of a state
TAPES = ("rates", "jacobian", "guards", "changes", "at_values", "invariants", "invariant_jacobian")  # that the loops evaluate


# ---- what it can do -------------------------------------------------------------------------------------------------
def cannot_run(compiled: Compiled, settings: Settings) -> str | None:
    """Why this model cannot be solved natively, in words, or None."""
    system = compiled.system
    if settings.dtype == "float32" and settings.rtol < LEAST_SINGLE:
        return f"single precision cannot meet rtol = {settings.rtol:g}, only {LEAST_SINGLE:g} and more"
    if os.name == "nt":
        return "native solves do not run on Windows yet"
    if settings.gradient == "adjoint":
        return "gradient `adjoint` is Diffrax's: natively `reverse` is the exact discrete adjoint"
    if settings.method != "auto" and "native" not in METHODS[settings.method].engines:
        return f"method {METHODS[settings.method].title} is Diffrax's"
    states = len(system.states)
    if states > MOST_STATES:
        return f"{states} states: native solves take up to {MOST_STATES}"
    combined = cannot_combine(compiled, settings.dtype)
    if combined is not None:
        return combined
    if states >= ROLLED_FROM and (settings.method == "auto" or METHODS[settings.method].implicit):
        if system.jacobian is None:
            return "its Jacobian has too many entries for a sparse elimination"
        if linear_system_of(compiled) is None:
            return "the elimination of its Jacobian fills up beyond use"
    return None


def linear_system_of(compiled: Compiled) -> LinearSystem | None:
    """How 1/(h gamma) - J is eliminated, None where that is hopeless (or where there is no Jacobian)."""
    key = ("native", "linear system")
    if key not in compiled.jitted:
        places = None if compiled.system.jacobian is None else compiled.jacobian_places
        compiled.jitted[key] = None if places is None else linear_system(len(compiled.system.states), *places)
    return compiled.jitted[key]


def method_for(chosen: str, settings: Settings, instructions: int = 0) -> str:
    """The native method of the kind of one that Diffrax has: explicit or implicit, by the tolerance. `instructions`: of the
    rates, which DOP853 has 15 times in a step."""
    if "native" in METHODS[chosen].engines:
        return chosen
    if not METHODS[chosen].implicit:
        return "dop853" if METHODS[chosen].order > 5 and 16 * instructions < MOST_INSTRUCTIONS else "tsit5"
    return "rosenbrock23" if settings.rtol > 2e-3 else "rodas4" if settings.rtol >= 1e-6 else "rodas5p"


# ---- programs -------------------------------------------------------------------------------------------------------
def program_of(compiled: Compiled, method: str, plan: EventPlan | None = None, dtype: str = "float64",
               in_parts: bool = False) -> Program:  # fmt: skip
    """The method on the model as native code, kept with the model. `plan`: how often `at` statements are provided for; where the
    loops do not carry them out, so many records of steps are kept at once of one trajectory. `in_parts`: a derivative keeps
    none. Raises UsageError E0840 where a step is too long."""
    key, firings = ("native", method, plan, dtype, in_parts), 0 if plan is None else plan.total + 1
    if key not in compiled.jitted and (plan is not None or in_parts):  # the same code
        program = program_of(compiled, method, None, dtype)
        program = replace(program, in_parts=in_parts)
        if plan is not None:
            program = replace(program, firings=firings) if program.firings >= 0 else replace(program, share=firings)
        compiled.jitted[key] = replace(program, share=1) if in_parts else program
    if key not in compiled.jitted:
        made = Program(
            partial(_method, compiled, method),
            motion_of(compiled),
            compiled.size,
            len(compiled.system.parameters) + len(compiled.system.inputs),
            _weights(compiled),
            len(compiled.system.inputs),
            compiled.landing_signals,
            dtype,
            _identity(compiled, method),
            solved_singly(method, compiled.tapes["rates"], compiled.size, bool(_weights(compiled))),
            0 if in_loops(compiled, method) else -1,
            bool(compiled.system.doses),
            any(event.own for event in compiled.system.when_events),
        )
        if not made.has("solve", 1):
            _check_length(method, made.method.step.count())
        compiled.jitted[key] = made
    return compiled.jitted[key]


def in_loops(compiled: Compiled, method: str) -> bool:
    """Whether the loops carry the `at` statements out; those over long vectors solve the stretches between them."""
    if compiled.events is None:
        return False
    rates, n = compiled.tapes["rates"], compiled.size
    if is_constrained(compiled):  # their unknowns are computed again between the stretches
        return bool(compiled.system.when_events)
    return bool(compiled.system.when_events) or not rolls(method, rates, n, partial(linear_system_of, compiled))


def switched(compiled: Compiled, method: str, dtype: str) -> Compiled | None:
    """The model with its `if`s located, if they are (see `solve/switches`)."""
    if compiled.make_twin is None:
        return None  # it is that model
    rates, n = compiled.tapes.get("rates"), compiled.size
    count = len(compiled.system.when_events)
    return twin_of(compiled, dtype, lambda: rates is None or rolls(method, rates, n, partial(linear_system_of, compiled), count))


def _check_length(method: str, count: int) -> None:
    if count > MOST_INSTRUCTIONS:
        raise UsageError(
            Diagnostic("E0840", f"a step of {METHODS[method].title} has {count} instructions, too many for native code",
                       hint='use engine="diffrax"')
        )  # fmt: skip


def _identity(compiled: Compiled, method: str) -> str:
    """What the code of a method on this model is made from, as a short text; "" where that cannot be said."""
    system = compiled.system
    parts = [identity(compiled.tapes[name]) for name in TAPES if name in compiled.tapes]
    implicit = (
        repr((system.unknowns, [(e.row, e.column) for e in system.invariant_jacobian or ()]))
        if system.algebraic or system.invariants
        else ""
    )
    return digest(method, repr(compiled.jacobian_places), fingerprint(compiled) + implicit, *parts) if all(parts) else ""


def _weights(compiled: Compiled) -> tuple[tuple[str, Shape], ...]:
    """Names and shapes of the networks' arrays that the rates and their Jacobian read."""
    tapes = [compiled.tapes[name] for name in TAPES if name in compiled.tapes]
    return tuple({i.name: i.shape for tape in tapes for i in tape.inputs if "." in i.name}.items())


def weight_vector(program: Program, args: Arguments, xp: Any) -> Any:
    """The networks' arrays as one vector (k,)."""
    parts = [args.weights[net][array] for net, array in (name.split(".") for name, _ in program.weights)]
    if not parts:
        return xp.zeros(0, args.parameters.dtype)
    if xp is np:
        return np.concatenate([np.ravel(part) for part in parts])
    from hybridode.kernels.ffi.pack import pack

    return pack(parts)


def joined(settings: Settings) -> Callable[[Sequence[Any]], Any] | None:
    """What makes one vector of several in JAX, for this engine; None: JAX's own concatenation."""
    if settings.engine != "native":
        return None
    from hybridode.kernels.ffi.pack import pack

    return pack


def signal_vector(compiled: Compiled, args: Arguments, xp: Any) -> Any:
    """The input signals as one vector (c,), see `kernels/llvm/signals`. Where steps end is not differentiated."""
    signals = args.signals
    if not compiled.system.inputs:
        return xp.zeros(0, args.parameters.dtype)
    parts = [xp.ravel(signals.knots), xp.ravel(signals.coefficients)]
    jumps = jump_times(signals, compiled.landing_signals)
    if compiled.landing_signals:
        assert jumps is not None
        parts += [xp.sort(jumps if xp is np else jax.lax.stop_gradient(jumps)), xp.full(1, np.inf, signals.knots.dtype)]
    return xp.concatenate(parts)


def parameter_vector(args: Arguments, xp: Any) -> Any:
    """The parameters, then the inputs' values at the start (which `Arguments.at_start` fills in)."""
    return xp.concatenate([args.parameters, args.inputs_at_start]) if args.signals.count else args.parameters


def prepare(compiled: Compiled, method: str, dtype: str) -> None:
    """Compiles what one solve needs, or finds it in the cache."""
    if compiled.size:
        program_of(switched(compiled, method, dtype) or compiled, method, None, dtype).module("solve", 1)


def _method(compiled: Compiled, name: str) -> Method:
    from hybridode.methods.choice import method_of
    from hybridode.methods.explicit_tableaux import EXPLICIT
    from hybridode.methods.rosenbrock import StiffField

    system, tapes = compiled.system, compiled.tapes
    rates, n = tapes["rates"], len(system.states)
    pattern = tuple((e.row, e.column) for e in system.jacobian or ())
    slope = None if name in EXPLICIT else time_slope(rates)
    field = StiffField(
        rates,
        tapes.get("jacobian", rates),
        pattern,
        slope,
        system.unknowns,
        None if not system.invariants else invariants_of(compiled),
    )
    events = located_events(compiled)
    straight = must_be_straight(compiled) or bool(system.when_events and system.unknowns)
    made = method_of(name, field, n, partial(linear_system_of, compiled), events.count if events else 0, straight)
    apart = not system.when_events and (made.rolled or is_constrained(compiled))
    return replace(made, events=None if apart else events, settle=settle_of(compiled, made.rolled))


# ---- NumPy ----------------------------------------------------------------------------------------------------------
def solve_numbers(compiled: Compiled, args: Arguments, t0: float, ts: FloatArray, method: str, settings: Settings,
                  y0: FloatArray | None = None) -> Raw:  # fmt: skip
    """One solve without JAX: `Raw` of NumPy arrays."""
    args = jax.tree_util.tree_map(np.asarray, args)
    args = args.at_start(t0)
    start = compiled.numbers("start", t0, np.zeros(0), args) if y0 is None else np.asarray(y0, np.float64)
    ts = np.asarray(ts, np.float64)
    start, code = consistent_start(compiled, args, t0, start, y0 is None and as_declared(compiled, args))
    if code == results.SUCCESS and begins_steady(args):
        start, code = _steady_numbers(compiled, args, t0, start, method, settings)
    if code != results.SUCCESS:
        nothing = np.full((len(ts), compiled.size), np.nan)
        return Raw(nothing, nothing, np.asarray(code), np.asarray(t0), start, _counts(*np.zeros(len(INFO) - 1, np.int32)))
    if compiled.size == 0:
        code = results.TIMES if np.any(ts < t0) or np.any(np.diff(ts) < 0) else results.SUCCESS
        nothing = np.zeros((len(ts), 0))
        return Raw(nothing, nothing, np.asarray(code), ts[-1], start, _counts(*np.zeros(len(INFO) - 1, np.int32)))
    twin = switched(compiled, method, settings.dtype)
    if twin is not None:
        return without_sides(compiled, solve_numbers(twin, args, t0, ts, method, settings, extended(twin, start, np)), np)
    program = program_of(compiled, method, None, settings.dtype)
    w = weight_vector(program, args, np)
    p, s = parameter_vector(args, np), signal_vector(compiled, args, np)
    constrained = is_constrained(compiled)
    falling = bool(np.any(ts < t0) or np.any(np.diff(ts) < 0))
    sound = not falling and bool(np.all(np.isfinite(start)))

    def stretch(a: float, y: FloatArray, times: FloatArray) -> Raw:
        found = run_solve(program, p, w, y, np.asarray(a), times, options_of(program, settings), s)
        ys, info, end = (x[0] for x in found)
        last = ys[-1] if constrained and np.all(np.isfinite(ys[-1])) else end[1:]
        return Raw(ys, ys, int(info[0]), end[0], last, _counts(*info[1:]))  # the kernels' codes are those of `results`

    if program.firings >= 0:
        fired, problem = firings(compiled, args, t0, ts) if sound else ([], results.SUCCESS)
        amounts = [f.amount for f in fired] if program.amounts else None
        s = np.concatenate([s, schedule([f.time for f in fired], [f.statement for f in fired], amounts, np)])
        raw = split(stretch(t0, start, np.repeat(ts, 2)))
        raw = raw if problem == results.SUCCESS else replace(raw, result=problem, t_end=t0, y_end=start)
    else:
        apart = sound and (compiled.events is not None or jumps_of_unknowns(compiled))
        raw = between_firings(compiled, stretch, args, t0, ts, start) if apart else stretch(t0, start, ts)
    result = raw.result if np.all(np.isfinite(start)) else results.START
    result = results.TIMES if falling else result
    nothing = result in (results.START, results.TIMES)
    t_end, y_end = (t0, start) if nothing else (raw.t_end, raw.y_end)
    known = ((result != results.TIMES) & (ts <= t_end))[:, None]
    ys, left = np.where(known, raw.ys, np.nan), np.where(known, raw.ys_left, np.nan)
    return Raw(ys, left, np.asarray(result), np.asarray(t_end), y_end, raw.stats)


def _steady_numbers(compiled: Compiled, args: Arguments, t0: float, start: FloatArray, method: str,
                    settings: Settings) -> tuple[FloatArray, int]:  # fmt: skip
    """The steady state under the first dose, and a code of `results`: a program of JAX, kept with the model."""
    key = ("steady", method, settings)
    if key not in compiled.jitted:

        def found(args: Arguments, t0: Any, start: Any) -> Any:
            def solve(given: Arguments, ts: Any, y0: Any, gradient: str, plan: EventPlan) -> Raw:
                return integrate(compiled, given, t0, ts, method, settings, gradient, y0, plan)

            return steady_start(compiled, args, t0, start, solve, "forward")

        compiled.jitted[key] = jax.jit(found)
    with jax.enable_x64(True):
        y, code = compiled.jitted[key](args, np.float64(t0), start)
    return np.asarray(y), int(code)


def schedule(times: Any, statements: Any, amounts: Any, xp: Any) -> Any:
    """The end of the operand `s`: when `at` statements happen and doses fall, see `kernels/llvm/known_times`. `amounts`: None
    for a model without doses."""
    times, statements = xp.asarray(times, float), xp.asarray(statements, float)
    count, nothing = xp.full(1, len(times) + 1.0, times.dtype), xp.zeros(1, times.dtype)
    added = [] if amounts is None else [xp.asarray(amounts, times.dtype), nothing]
    return xp.concatenate([times, xp.full(1, np.inf, times.dtype), statements, nothing, *added, count])


def split(raw: Raw) -> Raw:
    """The solution at times each of which was given twice: before what happens there, and behind it."""
    pairs = raw.ys.reshape(-1, 2, raw.ys.shape[-1])
    return replace(raw, ys=pairs[:, 1], ys_left=pairs[:, 0])


def _counts(rows: Any, rejected: Any, pivoted: Any, events: Any = 0, fired: Any = 0) -> dict[str, Any]:
    """From the columns of `INFO`, or with rows of steps only."""
    accepted = rows - events
    return dict(zip(COUNTS, (accepted + rejected, accepted, rejected, pivoted, fired, 0 * fired), strict=True))


# ---- JAX ------------------------------------------------------------------------------------------------------------
def integrate(compiled: Compiled, args: Arguments, t0: Any, ts: Any, method: str, settings: Settings, gradient: str = "reverse",
              y0: Any = None, events: EventPlan | None = None) -> Raw:  # fmt: skip
    """Solve from t0 and return the states at `ts`: as `diffrax.integrate`, for models that `cannot_run` has nothing against.

    Works under jit, vmap and derivatives of either mode (`gradient` chooses nothing), in the type of the parameters.
    """
    dtype = jnp.result_type(args.parameters)
    t0, ts = jnp.asarray(t0, dtype), jnp.asarray(ts, dtype)
    plan = plan_events(compiled, args, t0, ts[-1]) if events is None and compiled.events is not None else events
    args = jax.tree_util.tree_map(jnp.asarray, args).at_start(t0)
    start = compiled.start(t0, args) if y0 is None else jnp.asarray(y0, dtype)
    conditions, unfit = at_the_start(compiled), results.START
    if conditions is not None:
        start, unsolved = consistent_in_jax(compiled, conditions, args, t0, start)
        unfit = jnp.where(unsolved, unsolved, results.START)
    if compiled.size == 0:
        return without_states(start, t0, ts)
    twin = switched(compiled, method, dtype.name)
    if twin is not None:
        y0 = extended(twin, start, jnp)
        return without_sides(compiled, integrate(twin, args, t0, ts, method, settings, gradient, y0, plan), jnp)
    program = program_of(compiled, method, plan, dtype.name, settings.checkpoints != "all")
    jumps = number_of_jumps(compiled, args)
    program = program if not jumps else _with_records(compiled, program, jumps + program.share)
    read = parameter_vector(args, jnp), weight_vector(program, args, jnp), signal_vector(compiled, args, jnp)
    options = jnp.asarray(options_of(program, settings), dtype)
    constrained = is_constrained(compiled)
    if plan is None and not jumps:
        raw = _segment(program, read, options, t0, ts[-1], start, ts, constrained)
        return raw if conditions is None else replace(raw, result=jnp.where(raw.result == results.START, unfit, raw.result))
    if program.firings >= 0 and plan is not None:
        return _with_known(compiled, program, read, options, args, t0, start, ts, plan)
    segment = partial(_segment, program, read, options, constrained=constrained)
    raw = between_events(compiled, segment, args, t0, ts, start, plan)
    bad = jnp.where(raw.result == results.START, results.NON_FINITE, raw.result)  # a stretch began where an `at` had set NaN
    code = jnp.where(jnp.all(jnp.isfinite(start)), bad, unfit)
    return finish(raw, jnp.where(jnp.any(ts < t0) | jnp.any(ts[1:] < ts[:-1]), results.TIMES, code), t0, ts)


def _with_records(compiled: Compiled, program: Program, count: int) -> Program:
    """The program where so many records of steps are kept at once of one trajectory."""
    key = ("records", id(program), count)
    if key not in compiled.jitted:
        compiled.jitted[key] = program, replace(program, share=count)
    return compiled.jitted[key][1]


def _with_known(compiled: Compiled, program: Program, read: tuple[Any, Any, Any], options: Any, args: Arguments, t0: Any, y0: Any,
                ts: Any, plan: EventPlan) -> Raw:  # fmt: skip
    """One solve in which the loops carry `at` statements out."""
    fired = occurrences(compiled.events, plan, args, t0, ts)
    times = jnp.where(fired.active, fired.times, jnp.inf)[:-1]
    p, w, s = read
    amounts = fired.amounts[:-1] if program.amounts else None
    s = jnp.concatenate([s, schedule(times, fired.statements[:-1].astype(times.dtype), amounts, jnp)])
    raw = split(_segment(program, (p, w, s), options, t0, ts[-1], y0, jnp.repeat(ts, 2)))
    if all(e.every is None for e in compiled.system.at_events) and not compiled.system.doses:
        return raw
    bad = fired.problem != results.SUCCESS
    raw = replace(raw, t_end=jnp.where(bad, t0, raw.t_end), y_end=jnp.where(bad, y0, raw.y_end))
    return finish(raw, jnp.where(bad, fired.problem, raw.result), t0, ts)


def _segment(program: Program, read: tuple[Any, Any, Any], options: Any, t0: Any, t1: Any, y0: Any, ts: Any,
             constrained: bool = False) -> Raw:  # fmt: skip
    """One smooth stretch from (t0, y0) to the last of ts, which is t1. NaN after the end of a failed solve, and NaN derivatives
    of everything in it."""
    from hybridode.kernels.ffi.primitives import solve_p

    out = solve_p.bind(*read, y0, t0, ts, options, program=program, capacity=0)
    ys, info, _, _, result, t_end, y_end, *counts = out
    fired = info[INFO.index("fired")] if program.counts_events else jnp.zeros((), info.dtype)
    if constrained:  # what is saved is consistent, what a step ends with only nearly
        y_end = jnp.where(jnp.all(jnp.isfinite(ys[-1])), ys[-1], y_end)
    return Raw(ys, ys, result, t_end, y_end, _counts(*counts, fired=fired))


def options_of(program: Program, settings: Settings) -> FloatArray:
    """The vector of options that all calls of a program take."""
    kept = settings.checkpoints
    return program.options(settings.rtol, settings.atol, settings.max_steps, checkpoints=kept if isinstance(kept, int) else 0)
