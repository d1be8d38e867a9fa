"""Events at known times: `at 5 every 24 until 96 { x := x + 1 }`."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from hybridode.declarations import Assignment, AtEvent
from hybridode.expr import Expr, Symbol, postorder, substitute, symbols
from hybridode.language import syntax as s
from hybridode.language.entries import Part, pieces
from hybridode.language.families import Indexed
from hybridode.language.frames import EVERYWHERE, KNOWN_TIMES, Elaboration, Frame, Usage
from hybridode.language.left import Left
from hybridode.language.reading import undeclared_derivative
from hybridode.language.scope import KINDS
from hybridode.language.values import NotConstant, Value, evaluate

Meanings = Mapping[Symbol, Expr]  # what each intermediate is, entry by entry


def at_event(el: Elaboration, st: s.AtStatement, time_unit: s.Unit | None, meanings: Meanings) -> AtEvent | None:
    """An `at` statement, None after an error."""
    time = _time(el, st.time, "the time of this event", time_unit, meanings)
    every = None if st.every is None else _time(el, st.every, "the period of this event", time_unit, meanings)
    until = None if st.until is None else _time(el, st.until, "the last time of this event", time_unit, meanings)
    sound = time is not None and (every is not None) == (st.every is not None) and (until is not None) == (st.until is not None)
    if every is not None and st.every is not None:
        sound = _is_positive_period(el, every, st.every) and sound
    if st.until is not None and st.every is None:
        el.findings.error("E0325", "`until` needs a period", st.until, "write `at 0 every 24 until 96 { … }`")
        sound = False
    if time is not None and until is not None and st.until is not None:
        sound = _is_later(el, time, until, st.until) and sound
    changes = assignments(el, st.actions)
    if not sound or changes is None or time is None:
        return None
    stops = any(isinstance(action, s.Stop) for action in st.actions)
    return AtEvent(time, tuple(changes), every, until, stops, el.findings.span(st))


def _time(el: Elaboration, node: s.Expression, what: str, unit: s.Unit | None, meanings: Meanings) -> Expr | None:
    made = value_of_parameters(el, node, what, unit, meanings, "a known time is made of numbers, constants and parameters")
    return None if made is None else made[0]


def value_of_parameters(
    el: Elaboration, node: s.Expression, what: str, unit: s.Unit | None, meanings: Meanings, remedy: str
) -> tuple[Expr, float | None] | None:
    """An expression of parameters and constants, and its value where that is certain; None after an error."""
    frame = Frame(Usage(what, KNOWN_TIMES, remedy), unit=unit, unit_of="the time")
    value = el.evaluate(node, frame)
    if value is None or not el.is_number(value, node, frame) or not el.is_scalar(value, "a time", node, frame):
        return None
    e = value.scalar
    while any(symbol in meanings for symbol in symbols(e)):
        (e,) = substitute((e,), meanings)
    known = _known(el, e)
    if known is not None and not math.isfinite(known):
        el.findings.error("E0325", f"{what} is not a finite number", node, "leave it out if it never happens")
        return None
    for part in postorder((e,)):
        if part.op == "net" or (part.op == "sym" and part.data.kind not in ("parameter", "constant")):
            reads = f"the network `{part.data}`" if part.op == "net" else f"`{part.data}`"
            el.findings.error("E0318", f"{what} depends on {reads}", node, remedy)
            return None
    return e, known


def _known(el: Elaboration, e: Expr) -> float | None:
    try:
        return evaluate(e, el.scope.known)
    except NotConstant:
        return None


def _is_positive_period(el: Elaboration, every: Expr, place: s.Expression) -> bool:
    period = _known(el, every)
    if period is None or period > 0:
        return True
    el.findings.error(
        "E0325",
        f"the period of an event must be positive, this is {period:g}",
        place,
        "leave `every` out for an event that happens once",
    )
    return False


def _is_later(el: Elaboration, time: Expr, until: Expr, place: s.Expression) -> bool:
    first, last = _known(el, time), _known(el, until)
    if first is None or last is None or first <= last:
        return True
    el.findings.error(
        "E0325", f"the event would end at {last:g}, before its first time {first:g}", place, "`until` is a time, not a duration"
    )
    return False


def assignments(
    el: Elaboration, actions: Sequence[s.Assign | s.Stop], event: str = "", within: Indexed | None = None
) -> list[Assignment] | None:
    """The assignments of a block entry by entry; each reads what was before the event, so their order means nothing.

    `event` names the event, for the networks in it; `within` is the member of an indexed event; None after an error.
    """
    found: list[Assignment] = []
    first: dict[tuple[str, int], s.Assign] = {}
    sound = True
    for action in actions:
        if isinstance(action, s.Stop):
            continue
        made = _assign(el, action, event or f"at_{action.target.name}", within)
        if made is None:
            sound = False
            continue
        for assignment in made:
            key = (assignment.state, assignment.entry)
            again = key in first
            earlier = first.setdefault(key, action)
            if again:
                message = f"`{action.target.name}` is assigned twice in one event"
                hint = "all right sides read the values before the event: add the changes up"
                el.findings.error("E0320", message, action.target, hint, [(earlier.target, "first here")])
                sound = False
                break
            found.append(assignment)
    return found if sound else None


def _assign(el: Elaboration, action: s.Assign, stem: str, within: Indexed | None) -> list[Assignment] | None:
    target = action.target
    label = _target(el, target)
    usage = Usage("an event", EVERYWHERE, net_stem=stem, equation=target.name)
    if label is None:
        if not action.iterators and within is None:
            el.evaluate(action.value, Frame(usage))
        return None
    shape = el.scope.shapes.get(target.name)
    if shape is None:
        return None
    # An assignment is read as an equation is: `target := value for …` gives entries of the target.
    equation = s.Equation(action.start, action.end, _as_expression(target), action.value, action.iterators)
    made = pieces(el, Part(Left("entry", label, indices=target.indices), equation), shape, usage, within)
    if made is None or not all(el.is_number(Value((), (), p.boolean), action.value, Frame(usage)) for p in made):
        return None
    span = el.findings.span(action)
    return [
        Assignment(label, flat if shape else -1, e, span)
        for piece in made
        for flat, e in zip(piece.places, piece.family.expand(), strict=True)
    ]


def target_entries(el: Elaboration, target: s.Target, code: str, rule: str) -> list[tuple[str, int]] | None:
    """(state, flat entry or -1 for a scalar) of all entries that a target names; `rule` says what it must be, for the error of
    this code. None after an error."""
    label = _target(el, target, code, rule)
    shape = None if label is None else el.scope.shapes.get(target.name)
    if label is None or shape is None:
        return None
    nothing = s.Equation(target.start, target.end, _as_expression(target), s.Number(target.start, target.end, "0", 0.0), ())
    made = pieces(el, Part(Left("entry", label, indices=target.indices), nothing), shape, Usage("a dose", EVERYWHERE), None)
    return None if made is None else [(label, flat if shape else -1) for piece in made for flat in piece.places]


def _as_expression(target: s.Target) -> s.Expression:
    """A target at its place, as the left side of an equation."""
    return s.Ref(target.start, target.end, target.name)


def _target(
    el: Elaboration, target: s.Target, code: str = "E0320", rule: str = "only states and discretes change in an event"
) -> str | None:
    """The state (or velocity) that is assigned, or a report."""
    name, primes = target.name, "'" * target.primes
    entity = el.scope.find(name)
    if entity is None:
        if primes:
            undeclared_derivative(el, name, target, Frame(Usage("an event")))
        else:
            el.scope.undeclared(name, target, el.findings)
        return None
    if entity.kind == "later":
        return None
    related = [(entity.span, "declared here")] if entity.span else []
    if entity.kind != "state":
        hint = f"declare `discrete {name}` if only events change it" if entity.kind in ("definition", "param", "const") else ""
        if entity.kind == "alg":
            hint = "change the states: what the equations determine is computed again after the event"
        el.findings.error(code, f"{rule}, `{name}` is {KINDS[entity.kind]}", target, hint, related)
        return None
    order = el.scope.orders.get(name, 1)
    if len(primes) >= order:
        hint = f"assign `{name}`" if order == 1 else f"assign `{name}` or `{name + chr(39) * (order - 1)}`"
        message = f"`{name}{primes}` is given by its equation and cannot be assigned"
        el.findings.error(code, message, target, hint, related)
        return None
    return name + primes
