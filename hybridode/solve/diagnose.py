"""Why a solve failed, in the user's terms: which state and equation, at what time, from which values."""

from __future__ import annotations

from typing import Any

import numpy as np

from hybridode.errors import Diagnostic, Span
from hybridode.expr import Expr, postorder, show
from hybridode.solve import results
from hybridode.solve.diagnose_constraints import declared, diagnose_constraints, undetermined
from hybridode.solve.problem import Arguments, Compiled
from hybridode.solve.tapes import state_names, tape_of
from hybridode.tape.interpret import interpret
from hybridode.types import FloatArray

_SHOWN = 6  # states whose last values a message lists


def diagnose(
    compiled: Compiled, args: Arguments, result: int, t_end: float, y_end: FloatArray, t1: float, settings: Any
) -> Diagnostic:
    """The diagnostic of a failed solve. `args` and the state are concrete; nothing is compiled."""
    code, words = results.DIAGNOSTIC_CODES[result], results.RESULTS[result]
    names, time = state_names(compiled.system), compiled.declarations.time
    if result == results.START:
        return _bad_start(compiled, args, t_end, code)
    if result in (results.INCONSISTENT, results.CONFLICT):
        return diagnose_constraints(compiled, args, result, t_end, y_end)
    if result in (results.EVENT_PERIOD, results.EVENT_COUNT):
        events = compiled.system.at_events
        return Diagnostic(code, words, events[0].span if events else None, "look at the parameters that the times depend on")
    if result in (results.DOSE, results.STEADY):
        spans = [dose.span for dose in compiled.system.doses]
        why = {results.DOSE: "look at the parameters that doses read", results.STEADY: f"`hybridode explain {code}` says why"}
        return Diagnostic(code, words, spans[0] if spans else None, why[result])
    if result == results.TIMES or not len(names) or not compiled.tapes:
        return Diagnostic(code, words)
    last = "; ".join(f"{name} = {value:.6g}" for name, value in list(zip(names, y_end, strict=True))[:_SHOWN])
    last = f"last accepted values at {time} = {t_end:.6g}: {last}{'; …' if len(names) > _SHOWN else ''}"
    if result == results.EVENT_ENDLESS:
        return _endless(compiled, args, t_end, y_end, last)
    if result in (results.NON_FINITE, results.NEWTON, results.STEP_UNDERFLOW):
        found = _undefined(compiled, args, t_end, y_end, t1)
        if found is not None:
            return Diagnostic("E0701", f"{found[0]}, after {time} = {t_end:.6g}", found[1], last)
        singular = undetermined(compiled, args, t_end, y_end)
        if singular is not None:
            message = (
                f"the solve ended at {time} = {t_end:.6g} of {t1:.6g}, where the equations determine `{singular[0]}` no longer"
            )
            return Diagnostic(code, message, singular[1], last)
    i = _fastest(compiled, args, t_end, y_end, settings)
    rate = compiled.numbers("rates", t_end, y_end, args)[i]
    state = f"`{names[i]}` changes by {rate:.4g} per unit of {time}"
    span = compiled.system.rate_spans[i] if compiled.system.rate_spans else None
    if result == results.MAX_STEPS:
        message = f"{settings.max_steps} steps were not enough: the solve reached {time} = {t_end:.6g} of {t1:.6g}, where {state}"
        return Diagnostic(code, message, span, f"raise max_steps, loosen rtol, or try another method; {last}")
    return Diagnostic(code, f"the solve ended at {time} = {t_end:.6g} of {t1:.6g}, where {state}: {words}", span, last)


def _endless(compiled: Compiled, args: Arguments, t_end: float, y_end: FloatArray, last: str) -> Diagnostic:
    """The events that set each other off; else the one whose guard is nearest to 0 is the one that happens again and again."""
    events, when = compiled.system.when_events, f"at {compiled.declarations.time} = {t_end:.6g}"
    circle = _setting_off(compiled, args, t_end, y_end)
    if len(circle) > 1:
        first, *others = (events[k] for k in sorted(circle))
        names = " and ".join(f"`{event.name}`" for event in (first, *others))
        places = tuple((event.span, "and this one") for event in others if event.span is not None)
        return Diagnostic("E0708", f"{names} set each other off without end {when}", first.span,
                          f"let one of them end it; {last}", related=places)  # fmt: skip
    guards = np.abs(compiled.numbers("guards", t_end, y_end, args, "guard"))
    event = events[circle[0] if circle else int(np.argmin(guards))]
    message = f"`{event.name}` happens again and again {when}"
    return Diagnostic("E0708", message, event.span, f"let it come to rest, or `stop` there; {last}")


def _setting_off(compiled: Compiled, args: Arguments, t: float, y: FloatArray) -> list[int]:
    """The events of a circle in which each turns the condition of the next true, from a state in the middle of it; [] if there is
    none, or algebraic unknowns would have to be computed anew."""
    events = compiled.system.when_events
    if compiled.system.unknowns or "changes" not in compiled.tapes:
        return []

    def signs(state: FloatArray) -> FloatArray:
        return compiled.numbers("guards", t, state, args, "sign")

    def after(k: int, state: FloatArray) -> FloatArray:
        first, new = sum(len(event.assignments) for event in events[:k]), np.array(state)
        values = compiled.numbers("changes", t, state, args)
        for a, assignment in enumerate(events[k].assignments, first):
            new[assignment.state] = values[a]
        return new

    for begin in np.flatnonzero(signs(y) > 0):
        k, state, seen = int(begin), y, list[tuple[int, bytes]]()
        while (k, state.tobytes()) not in seen and len(seen) < 100:
            seen.append((k, state.tobytes()))
            new = after(k, state)
            turned = np.flatnonzero((signs(state) < 0) & (signs(new) > 0))
            k, state = (int(turned[0]), new) if len(turned) else (-1, new)
            if k < 0:
                break
        if k >= 0 and (k, state.tobytes()) in seen:
            return list(dict.fromkeys(e for e, _ in seen[seen.index((k, state.tobytes())) :]))
    return []


def _bad_start(compiled: Compiled, args: Arguments, t0: float, code: str) -> Diagnostic:
    system = compiled.system
    start = compiled.numbers("start", t0, np.zeros(0), args)
    bad = [i for i, value in enumerate(start) if not np.isfinite(value)]
    if not bad:
        return Diagnostic(code, "a start value that was given is not finite")
    culprit = _culprit(compiled, [system.starts[bad[0]]], args, t0, np.zeros(compiled.size))
    name = state_names(system)[bad[0]]
    span = declared(system.declarations, system.states[bad[0]].name)
    return Diagnostic(code, f"the start of `{name}` is not finite{'' if culprit is None else f': {culprit}'}", span)


def _undefined(compiled: Compiled, args: Arguments, t: float, y: FloatArray, t1: float) -> tuple[str, Span | None] | None:
    """The first place at or just after (t, y), going along the rates, at which a rate is not finite; None if none is near."""
    names, system = state_names(compiled.system), compiled.system
    slope = compiled.numbers("rates", t, y, args)
    ahead = np.where(np.isfinite(slope), slope, 0.0)
    for step in (0.0, *np.logspace(-14, 0, 29) * max(abs(t1 - t), abs(t) * 1e-3)):
        at, there = t + step, y + step * ahead
        rates = compiled.numbers("rates", at, there, args)
        bad = np.flatnonzero(~np.isfinite(rates))
        if len(bad):
            i = int(bad[0])
            definitions = [d.expr for d in system.definitions]
            culprit = _culprit(compiled, [*definitions, system.rates[i]], args, at, there)
            where = "" if culprit is None else f": {culprit}"
            span = system.rate_spans[i] if system.rate_spans else None
            what = f"the equation for `{names[i]}`" if i in system.unknowns else f"the right-hand side of `{names[i]}'`"
            return f"{what} is not finite{where}", span
    return None


def _culprit(compiled: Compiled, roots: list[Expr], args: Arguments, t: float, y: FloatArray) -> str | None:
    """The innermost expression that is not finite although what it reads is, with the values that it reads."""
    from hybridode.solve.problem import environment

    scalars = [e for e in postorder(roots) if e.op not in ("net", "net_jacobian")]
    values = interpret(tape_of(compiled.system, {"values": scalars}), environment(t, y, args))["values"]
    value = dict(zip(scalars, values, strict=True))
    for e in scalars:
        known = [a for a in e.args if a in value]
        if e.op not in ("const", "sym") and not np.isfinite(value[e]) and all(np.isfinite(value[a]) for a in known):
            read = ", ".join(f"{show(a)} = {value[a]:.4g}" for a in known if a.op != "const")
            return f"`{show(e)}` is {value[e]:.4g}" + (f" ({read})" if read else "")
    return None


def _fastest(compiled: Compiled, args: Arguments, t: float, y: FloatArray, settings: Any) -> int:
    """The state that changes most against its tolerance."""
    rates = compiled.numbers("rates", t, y, args).copy()
    rates[list(compiled.system.unknowns)] = 0.0  # these are residuals
    return int(np.nanargmax(np.abs(rates) / (settings.atol + settings.rtol * np.abs(y) + 1e-300)))
