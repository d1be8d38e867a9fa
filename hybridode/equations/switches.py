"""Every `if` whose condition moves as an event of its own: which side holds is a state that only the event changes.

A solver's step sees a right-hand side that stays smooth, and lands where the side changes, so that orders of accuracy hold. Such
a state is 0 (the other side), 1 (the first side) or 2: no longer located, the condition decides wherever it is asked.
Filippov (1988), Differential Equations with Discontinuous Righthand Sides; Hairer, Norsett & Wanner I, II.6.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from hybridode.declarations import MOST_LOCATED_CHOICES
from hybridode.equations.conditions import guard_of, without_conditions_by_name
from hybridode.equations.gradients import ShapeCache
from hybridode.equations.system import EquationSystem, ScalarDefinition, ScalarWhenEvent, definition_expressions
from hybridode.equations.watched import MOST, landing_event, landings, swings
from hybridode.errors import Span
from hybridode.expr import Expr, Symbol, const, node, postorder, rebuild, symbols

FREE = 1.5  # above it: no longer located
_MOVING = ("time", "input", "input_rate", "derivative")


def located_switches(system: EquationSystem, shapes: ShapeCache) -> EquationSystem | None:
    """The canonical system with its `if`s located, unless there are too many, and with what its steps must not pass over watched
    (see `watched`); None where there is nothing of that.

    The new states stand behind the others, the sides last. So do the new events: those that are watched, then those of the `if`s,
    which have a `mode`.
    """
    definitions = definition_expressions(system.definitions)
    roots = [*system.rates, *definitions]
    bodies = {d.symbol: d.expr for d in system.definitions}
    boolean = frozenset(d.symbol for d in system.definitions if is_condition(d.expr))
    discretes = _unmoved(system)
    found: dict[Expr, tuple[Expr, list[Expr], Span | None]] = {}
    places = [*(system.rate_spans or [None] * len(system.rates)), *(d.span for d in system.definitions)]
    for condition, within, root in _conditions(roots):
        if condition not in found:
            truth = without_conditions_by_name(condition, bodies, boolean)
            if _moves(truth, bodies, discretes) and not any(e.op in ("eq", "ne") for e in postorder((truth,))):
                found[condition] = truth, [without_conditions_by_name(c, bodies, boolean) for c in within], places[root]
    found = {} if len(found) > MOST_LOCATED_CHOICES else found
    conditions = [e.guard if e.truth is None else e.truth for e in system.when_events]
    conditions += [truth for truth, within, _ in found.values() if not within]
    watched = [e for e in landings(conditions) if _moves(e, bodies, discretes)]
    guards = [*(e.guard for e in system.when_events), *(guard_of(truth) for truth, within, _ in found.values() if not within)]
    swinging = swings(guards, bodies, shapes)
    watched, swinging = ([] if len(some) > MOST else some for some in (watched, swinging))
    if not found and not watched and not swinging:
        return None
    n = len(system.states) + len(swinging)
    modes = {c: Symbol("state", f"if {k + 1}") for k, c in enumerate(found)}
    events = [_event(k, n + k, modes[c], *found[c]) for k, c in enumerate(found)]
    added = [*(Symbol("state", f"swing {k + 1}") for k in range(len(swinging))), *modes.values()]

    def switched(exprs: Sequence[Expr]) -> tuple[Expr, ...]:
        def frozen(e: Expr, args: tuple[Expr, ...]) -> Expr | None:
            if e.op != "where" or e.args[0] not in modes:
                return None
            mode = node("sym", (), modes[e.args[0]])
            own = node("and", (node("gt", (mode, const(FREE))), args[0]))
            first = node("and", (node("gt", (mode, const(0.5))), node("lt", (mode, const(FREE)))))
            return node("where", (node("or", (own, first)), args[1], args[2]))

        return rebuild(exprs, frozen)

    zero = [const(0.0)] * len(added)
    made = switched(definitions)
    return replace(
        system,
        states=(*system.states, *added),
        rates=(*switched(list(system.rates)), *swinging, *zero[len(swinging) :]),
        starts=(*system.starts, *zero),
        definitions=tuple(ScalarDefinition(d.symbol, e, d.span) for d, e in zip(system.definitions, made, strict=True)),
        rate_spans=(*system.rate_spans, *[None] * len(added)) if system.rate_spans else (),
        when_events=(*system.when_events, *map(landing_event, watched), *events),
    )


def is_condition(e: Expr) -> bool:
    """Whether an expression is a truth value."""
    while e.op == "where":
        e = e.args[1]
    return e.op in ("lt", "le", "gt", "ge", "eq", "ne", "and", "or", "not")


def _conditions(roots: Sequence[Expr]) -> list[tuple[Expr, list[Expr], int]]:
    """The conditions of all `if`s, outer ones first, each with what holds where it is asked, and the root that asks it."""
    found: list[tuple[Expr, list[Expr], int]] = []
    seen: set[Expr] = set()
    stack: list[tuple[Expr, tuple[Expr, ...], int]] = [(e, (), k) for k, e in reversed([*enumerate(roots)])]
    while stack:
        e, within, root = stack.pop()
        if e in seen:  # asked elsewhere too: there what holds may differ
            continue
        seen.add(e)
        if e.op == "where" and not is_condition(e):
            c, a, b = e.args
            found.append((c, list(within), root))
            stack += [(b, (*within, node("not", (c,))), root), (a, (*within, c), root), (c, within, root)]
        else:
            stack += [(a, within, root) for a in reversed(e.args)]
    return found


def _event(k: int, state: int, mode: Symbol, truth: Expr, within: list[Expr], span: Span | None) -> ScalarWhenEvent:
    """Where what is said outside does not hold the condition counts as false: it may be undefined there. `span`: the equation."""
    guard = guard_of(truth)
    for c in within:
        guard = node("where", (c, guard, const(-1.0)))
    if within:  # by the guard, so that what is undefined outside is not asked for
        truth = node("gt", (guard, const(0.0)))
    free = node("gt", (node("sym", (), mode), const(FREE)))
    guard = node("where", (free, const(1.0), guard))
    return ScalarWhenEvent(f"if {k + 1}", guard, node("or", (free, truth)), (), "either", span=span, mode=state)


def _unmoved(system: EquationSystem) -> frozenset[Symbol]:
    """States that only events change."""
    return frozenset(s for s, rate in zip(system.states, system.rates, strict=True) if rate.value == 0.0)


def _moves(e: Expr, bodies: dict[Symbol, Expr], discretes: frozenset[Symbol]) -> bool:
    seen, stack = set(), [e]
    while stack:
        for s in symbols(stack.pop()):
            if s in seen:
                continue
            seen.add(s)
            if s.kind in _MOVING or (s.kind == "state" and s not in discretes):
                return True
            if s in bodies:
                stack.append(bodies[s])
    return False
