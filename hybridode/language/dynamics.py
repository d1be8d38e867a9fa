"""States: their dynamics, entry by entry, and their starts."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from hybridode.declarations import Parameter, Shape, State, entry_names, size
from hybridode.errors import Span
from hybridode.expr import ZERO, Expr
from hybridode.language import syntax as s
from hybridode.language.entries import Filled, Part, Piece, Words, entries_text, fill, pieces
from hybridode.language.frames import AT_START, Elaboration, Frame, Usage
from hybridode.language.names import listing
from hybridode.language.quantities import fit, parameter, unit_text
from hybridode.language.structure import Equations
from hybridode.language.values import Value, symbol


class LearntStart(NamedTuple):
    """A start that `prior x(0) ~ …` makes learnt: the range that the distribution allows and a central value."""

    lower: float | None
    upper: float | None
    centre: float


def orders(el: Elaboration, statements: Iterable[s.ValueStatement], equations: Equations) -> None:
    """Sets the order of every state: the highest derivative on the left of an equation."""
    for st in statements:
        parts = equations.rates.get(st.name.text, [])
        el.scope.orders[st.name.text] = max((p.left.primes for p in parts), default=1)


def state(
    el: Elaboration, st: s.ValueStatement, equations: Equations, learnt: dict[str, LearntStart]
) -> tuple[list[State], list[Parameter]]:
    """A state with the velocities that its order makes, and the parameters of learnt starts."""
    name = st.name.text
    shape = el.scope.shapes.get(name)
    order = el.scope.orders[name]
    if shape is None:
        return [], []
    _refuse_higher_starts(el, name, order, equations)
    if st.kind == "discrete":
        return [_discrete(el, st, shape, equations, learnt)], []
    rates, spans = _rates(el, st, shape, order, equations)
    states: list[State] = []
    parameters: list[Parameter] = []
    for k in range(order):
        label = name + "'" * k
        start, made = _start(el, st, label, shape, equations, learnt)
        parameters += made
        right = rates if k == order - 1 else symbol("state", label + "'", shape).elements
        states.append(
            State(
                label, start, right, shape, unit_text(st.unit) if k == 0 else "", st.doc if k == 0 else "",
                label[:-1] if k else "", el.findings.span(st.name), spans,
            )
        )  # fmt: skip
    return states, parameters


def _discrete(el: Elaboration, st: s.ValueStatement, shape: Shape, equations: Equations, learnt: dict[str, LearntStart]) -> State:
    """A state that stays what it is between events."""
    name = st.name.text
    for part in equations.rates.get(name, ()):
        related = [(st.name, "declared here")]
        hint = f"declare `state {name}` if it moves, or delete this line: between events it does not change"
        el.findings.error("E0302", f"`{name}` is discrete: only events change it", part.equation.left, hint, related)
    start, _ = _start(el, st, name, shape, equations, learnt)
    nothing = (ZERO,) * size(shape)
    return State(name, start, nothing, shape, unit_text(st.unit), st.doc, "", el.findings.span(st.name), (), True)


def _refuse_higher_starts(el: Elaboration, name: str, order: int, equations: Equations) -> None:
    """`x'(0) = …` of a state whose `x'` is given by its equation at the start too."""
    for label, parts in equations.starts.items():
        primes = len(label) - len(name)
        if label.rstrip("'") == name and primes >= order and name in equations.rates:
            message = f"`{label}` is given by its equation, at the start too"
            hint = f"only {listing(name + chr(39) * k + '(0)' for k in range(order))} can be given"
            el.findings.error("E0323", message, parts[0].equation.left, hint)


# ---- right sides ----------------------------------------------------------------------------------------------------
def _rates(
    el: Elaboration, st: s.ValueStatement, shape: Shape, order: int, equations: Equations
) -> tuple[Sequence[Expr], tuple[Span, ...]]:
    """The highest derivative's right side, one expression per entry (zeros after an error)."""
    name = st.name.text
    parts = equations.rates.get(name, [])
    nothing = (ZERO,) * size(shape)
    if not parts:
        if name not in equations.handled and name not in el.scope.excused and "d" + name not in el.scope.excused:
            hint = f"write `{name}' = …` (or `d{name}/d{el.scope.time} = …`); what never changes is a `const` or `param`"
            el.findings.error("E0301", f"the state `{name}` has no dynamics", st.name, hint)
        return nothing, ()
    for part in parts:
        if part.left.primes != order:
            highest = next(p for p in parts if p.left.primes == order)
            message = (
                f"`{name}` has an equation for `{name + chr(39) * order}` and another for `{name + chr(39) * part.left.primes}`"
            )
            hint = f"`{name + chr(39) * order} = …` makes `{name + chr(39) * part.left.primes}` by itself: delete one"
            el.findings.error("E0302", message, part.equation.left, hint, [(highest.equation.left, "the other")])
            return nothing, ()
    full = name + "'" * order
    usage = Usage(f"the right side of `{full}`", net_stem=name, equation=name, dynamics=True)
    filled = _filled(el, parts, name, shape, usage, Words("its dynamics", "E0302", order, "delete one, or add the right sides"))
    if filled is None:
        return nothing, ()
    if filled.missing and not (name in equations.handled or name in el.scope.excused):
        shown = entries_text(filled.missing, name, shape)
        message = f"{shown} of `{name}` {'has' if len(filled.missing) == 1 else 'have'} no dynamics"
        lines = [(p.equation.left, "these are given") for p in parts if p.equation.iterators]
        hint = f"write `{entry_names(name, shape)[filled.missing[0]]}' = …`, or `{name}' = …` for all entries at once"
        el.findings.error("E0321", message, st.name, hint, lines)
    lines = {id(p.equation): el.findings.span(p.equation) for p in parts}
    first = lines[id(parts[0].equation)]
    spans = (first,) if len(lines) == 1 else tuple(lines.get(id(e), first) for e in filled.equations)
    return filled.whole(size(shape)), spans


def _filled(el: Elaboration, parts: list[Part], name: str, shape: Shape, usage: Usage, words: Words) -> Filled | None:
    """The entries that equations give; None if any of them is wrong."""
    given: list[tuple[Part, list[Piece]]] = []
    sound = True
    for part in parts:
        made = pieces(el, part, shape, usage)
        wrong = made is None or not all(_is_number(el, piece, part, usage) for piece in made)
        sound = sound and not wrong
        if made is not None:
            given.append((part, made))
    filled = fill(el, given, name + "'" * words.primes, shape, words)
    return filled if sound else None


def _is_number(el: Elaboration, piece: Piece, part: Part, usage: Usage) -> bool:
    return el.is_number(Value((), (), piece.boolean), part.equation.right, Frame(usage))


# ---- starts ---------------------------------------------------------------------------------------------------------
def _start(
    el: Elaboration, st: s.ValueStatement, label: str, shape: Shape, equations: Equations, learnt: dict[str, LearntStart]
) -> tuple[Sequence[Expr], list[Parameter]]:
    """The start of a state or velocity: learnt, given by equations, by its value, or 0."""
    parts = equations.starts.get(label, [])
    velocity = label != st.name.text
    bounded = not velocity and st.modifiers is not None and bool(st.modifiers.bounds or st.modifiers.scales)
    given = st.value if not velocity else None
    if parts:
        return _by_equations(el, st, label, shape, parts, equations, bounded or given is not None, label in learnt), []
    if bounded:
        if st.modifiers is not None and not st.modifiers.bounds:
            message = f"`{st.modifiers.scales[0].text}` needs bounds: only a start with `in (…)` is learnt"
            el.findings.error("E0328", message, st.modifiers.scales[0], f"write `state {label} = … in (…, …)`")
            return (ZERO,) * size(shape), []
        made = parameter(el, st, shape, f"{label}(0)", label)
    elif label in learnt:
        made = _from_prior(el, st, label, shape, given, learnt[label])
    elif given is not None:
        return _by_value(el, st, shape, given), []
    else:
        if not velocity and label not in el.scope.excused and label not in equations.started:
            message = f"the state `{label}` has no start and begins at 0"
            el.findings.warn("W0301", message, st.name, f"write `state {label} = 0`, or `{label}(0) = …`")
        return (ZERO,) * size(shape), []
    if made is None:
        return (ZERO,) * size(shape), []
    return symbol("parameter", made.name, shape).elements, [made]


def _by_equations(
    el: Elaboration,
    st: s.ValueStatement,
    label: str,
    shape: Shape,
    parts: list[Part],
    equations: Equations,
    given: bool,
    prior: bool,
) -> Sequence[Expr]:
    if given:
        hint = "keep one of the two"
        message = f"the start of `{label}` is given twice"
        el.findings.error("E0307", message, parts[0].equation.left, hint, [(st.name, "its declaration gives a value too")])
    elif prior:
        message = f"`prior {label}(0)` makes the start of `{label}` learnt, and this equation computes it"
        el.findings.error("E0307", message, parts[0].equation.left, "keep one of the two")
    stem = st.name.text
    remedy = "a start may read parameters, constants, inputs, networks, and the starts of other states"
    usage = Usage(f"the start of `{label}`", AT_START, remedy, f"{stem}_start", stem, starts=True)
    filled = _filled(el, parts, label, shape, usage, Words("a start", "E0307"))
    if filled is None:
        return (ZERO,) * size(shape)
    missing = filled.missing
    if missing and label not in equations.started:
        hint = f"write `{entry_names(label, shape)[missing[0]]}(0) = …`"
        shown = entries_text(missing, label, shape)
        el.findings.warn("W0301", f"{shown} {'has' if len(missing) == 1 else 'have'} no start and begin at 0", st.name, hint)
    return filled.whole(size(shape))


def _by_value(el: Elaboration, st: s.ValueStatement, shape: Shape, given: s.Expression) -> tuple[Expr, ...]:
    name = st.name.text
    remedy = "a start may read parameters, constants, inputs, networks, and the starts of other states"
    usage = Usage(f"the start of `{name}`", AT_START, remedy, f"{name}_start", name, starts=True)
    frame = Frame(usage, outputs=shape, unit=st.unit, unit_of=f"`{name}`")
    value = el.evaluate(given, frame)
    if value is None or not el.is_number(value, given, frame):
        return (ZERO,) * size(shape)
    fitted = fit(el, value, shape, name, given, frame)
    if fitted is not None and any(e.value is not None and math.isinf(e.value) for e in fitted.elements):
        el.findings.error("E0310", f"the start of `{name}` is infinite", given, "write a finite number")
    return (ZERO,) * size(shape) if fitted is None else fitted.elements


def _from_prior(
    el: Elaboration, st: s.ValueStatement, label: str, shape: Shape, given: s.Expression | None, learnt: LearntStart
) -> Parameter | None:
    """The learnt start that a prior makes: the declared value, else the prior's centre."""
    found: tuple[float, ...] | None = (learnt.centre,) * size(shape)
    if given is not None:
        frame = Frame(Usage(f"the start of `{label}`", frozenset({"const", "func"})), unit=st.unit, unit_of=f"`{label}`")
        value = el.evaluate(given, frame)
        fitted = None if value is None else fit(el, value, shape, label, given, frame)
        found = None if fitted is None else el.constant(fitted, given, frame)
    if found is None:
        return None
    for number in found:
        if (learnt.lower is not None and number <= learnt.lower) or (learnt.upper is not None and number >= learnt.upper):
            hint = "give it a value that the prior allows"
            el.findings.error("E0310", f"the start {number:g} of `{label}` is impossible under its prior", given or st.name, hint)
            return None
    unit = unit_text(st.unit) if label == st.name.text else ""
    span = el.findings.span(st.name)
    return Parameter(f"{label}(0)", found, shape, unit, learnt.lower, learnt.upper, span=span, start_of=label)
