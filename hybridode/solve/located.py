"""Events that are located by a condition: what of a model the native loops need for them, and what they cannot do yet."""

from __future__ import annotations

from functools import partial
from itertools import accumulate

from hybridode.equations.system import EquationSystem
from hybridode.expr import Expr, Symbol, postorder, symbols
from hybridode.methods.choice import ROLLED_FROM
from hybridode.methods.constraints import changes_with_unknowns
from hybridode.methods.located import Known, Located
from hybridode.solve.changes import change_families
from hybridode.solve.constrained import block, invariants_of, is_constrained, motion_of
from hybridode.solve.problem import Compiled
from hybridode.tape.tape import TapeBuilder

MOST_STATES = 300  # of a model with located events and `at` statements: its steps are straight-line code
NOT_STRICT = ("le", "ge", "not", "eq", "ne")  # operations with which a condition may hold where its guard is 0
DIRECTIONS = {"rising": 1, "falling": -1, "either": 0}


def located_events(compiled: Compiled) -> Located | None:
    """The events of the loops: those that they have to locate, and `at` statements; None where there are none."""
    events, tapes = compiled.system.when_events, compiled.tapes
    if not events and compiled.events is None:
        return None
    first = tuple(accumulate((len(e.assignments) for e in events), initial=0))
    changes, states = tapes.get("changes"), tuple(a.state for e in events for a in e.assignments)
    if is_constrained(compiled) and changes is not None:
        rates = tapes["rates"]
        changes, first, states = changes_with_unknowns(
            changes, first, states, rates, tapes.get("jacobian", rates), block(compiled), invariants_of(compiled), compiled.size
        )
    return Located(
        guards=tapes.get("guards") or TapeBuilder().finish({}),
        changes=changes,
        rates=motion_of(compiled),
        directions=tuple(DIRECTIONS[e.direction] for e in events),
        at_start=tuple(int(e.at_start) * (1 if e.truth is not None else 2) for e in events),
        stop=tuple(int(e.stop) for e in events),
        resets=_resets(compiled.system),
        first=first,
        states=states,
        split=partial(change_families, compiled.system),
        known=_known(compiled),
        modes=tuple(e.mode for e in events if e.mode >= 0),
        own=sum(e.own for e in events),
    )


def _resets(system: EquationSystem) -> tuple[int, ...]:
    """1 for the events that assign a state which their own guard reads, 2 where the condition may hold at a guard of 0."""
    states = {s: k for k, s in enumerate(system.states)}
    definitions: dict[Symbol, Expr] = {}
    found = []
    for event in system.when_events:
        assigned = {a.state for a in event.assignments}
        left, seen = symbols(event.guard) if assigned else [], set[Symbol]()
        while left and states.get(left[-1]) not in assigned:
            symbol = left.pop()
            if symbol.kind == "definition" and symbol not in seen:
                definitions = definitions or {d.symbol: d.expr for d in system.definitions}
                left += symbols(definitions[symbol])
                seen.add(symbol)
        also = event.truth is not None and any(e.op in NOT_STRICT for e in postorder((event.truth,)))
        found.append(int(bool(left)) * (2 if also else 1))
    return tuple(found)


def _known(compiled: Compiled) -> Known | None:
    table = compiled.events
    return None if table is None else Known(compiled.tapes.get("at_values"), table.statement, table.state, table.stop)


def fingerprint(compiled: Compiled) -> str:
    """All that the loops know of the events beside the tapes."""
    found = located_events(compiled)
    if found is None:
        return ""
    known = found.known
    at = () if known is None else (known.owners, known.states, known.stop)
    return repr(
        (found.directions, found.at_start, found.stop, found.resets, found.first, found.states, at, found.modes, found.own)
    )


def cannot_combine(compiled: Compiled, dtype: str) -> str | None:
    """What located events are combined with that the loops cannot do, in words, or None."""
    if not compiled.system.when_events:
        return None
    if dtype != "float64":
        return f"native solves locate events in float64, {dtype} was asked for"
    if compiled.size > MOST_STATES and must_be_straight(compiled):
        return f"{compiled.size} states: with known times or inputs, native solves locate events of up to {MOST_STATES}"
    if is_constrained(compiled) and (compiled.events is not None or compiled.landing_signals):
        other = "inputs that jump" if compiled.events is None else "`at` statements" if compiled.system.at_events else "doses"
        return f"native solves do not take algebraic equations with located events and {other} together yet"
    if compiled.system.unknowns and compiled.size >= ROLLED_FROM:
        return f"{compiled.size} states: native solves take events and algebraic unknowns together below {ROLLED_FROM} states"
    return None


def must_be_straight(compiled: Compiled) -> bool:
    """Whether the loops over long vectors cannot do what the events ask for."""
    read = {i.name for name in ("guards", "changes") if name in compiled.tapes for i in compiled.tapes[name].inputs}
    events = compiled.system.when_events
    return bool(events) and bool(compiled.events is not None or read & {"u", "du", "u0"} or not events[-1].own)
