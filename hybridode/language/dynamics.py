"""States: their order and their dynamics, entry by entry."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from hybridode.declarations import Parameter, Shape, State, entry_names, size
from hybridode.errors import Span
from hybridode.expr import ZERO, Expr
from hybridode.language import syntax as s
from hybridode.language.algebra import rate_equations
from hybridode.language.entries import Words, entries_text, worked_out
from hybridode.language.frames import Elaboration, Usage
from hybridode.language.names import listing
from hybridode.language.quantities import unit_text
from hybridode.language.reading import unwrap
from hybridode.language.starts import LearntStart, start_of
from hybridode.language.structure import Equations
from hybridode.language.values import symbol
from hybridode.language.walk import mentions


def orders(el: Elaboration, statements: Iterable[s.ValueStatement], equations: Equations) -> None:
    """Sets the order of every state: the highest derivative on the left of an equation; where equations hold together, the
    highest that any of them reads. Equations for lower ones are then algebraic: `x' = v` beside `m*x'' = F`."""
    together = bool(equations.together) or bool(el.scope.of_kind("alg"))
    read = _derivatives_read(equations) if together else {}
    for st in statements:
        name = st.name.text
        parts = equations.rates.get(name, [])
        order = max((p.left.primes for p in parts), default=1)
        if st.kind == "state":
            order = max(order, read.get(name, 1))
            if read.get(name) == order:
                equations.mentioned.add(name)
            if together and parts:
                equations.together += [p for p in parts if p.left.primes < order]
                equations.rates[name] = [p for p in parts if p.left.primes == order]
        el.scope.orders[name] = order
    equations.together.sort(key=lambda p: p.equation.start)


def _derivatives_read(equations: Equations) -> dict[str, int]:
    """The highest derivative of each name that an equation reads (alone on the left it is not read)."""
    sides: list[s.Expression] = [e for p in equations.together for e in (p.equation.left, p.equation.right)]
    sides += [p.equation.right for parts in (*equations.rates.values(), *equations.entries.values()) for p in parts]
    sides += [st.right for _, st in equations.definitions]
    found: dict[str, int] = {}
    for m in mentions(*sides):
        if m.use == "derivative":
            found[m.name] = max(found.get(m.name, 1), unwrap(m.node)[0])
    return found


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
        start = start_of(el, st, label, shape, equations, learnt)
        parameters += start.made
        right = rates if k == order - 1 else symbol("state", label + "'", shape).elements
        states.append(
            State(
                label, start.elements, right or (), shape, unit_text(st.unit) if k == 0 else "", st.doc if k == 0 else "",
                label[:-1] if k else "", el.findings.span(st.name), spans, False, right is None, start.given,
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
    start = start_of(el, st, name, shape, equations, learnt)
    nothing = (ZERO,) * size(shape)
    unit, span = unit_text(st.unit), el.findings.span(st.name)
    return State(name, start.elements, nothing, shape, unit, st.doc, "", span, (), True, start_given=start.given)


def _refuse_higher_starts(el: Elaboration, name: str, order: int, equations: Equations) -> None:
    """`x'(0) = …` of a state whose `x'` is given by its equation at the start too."""
    for label, parts in equations.starts.items():
        primes = len(label) - len(name)
        if label.rstrip("'") == name and primes >= order and (name in equations.rates or name in equations.mentioned):
            message = f"`{label}` is given by its equation, at the start too"
            hint = f"only {listing(name + chr(39) * k + '(0)' for k in range(order))} can be given"
            el.findings.error("E0323", message, parts[0].equation.left, hint)


# ---- right sides ----------------------------------------------------------------------------------------------------
def _rates(
    el: Elaboration, st: s.ValueStatement, shape: Shape, order: int, equations: Equations
) -> tuple[Sequence[Expr] | None, tuple[Span, ...]]:
    """The highest derivative's right side, one expression per entry (zeros after an error); None where there is none, and the
    equations that hold together determine it."""
    name = st.name.text
    parts = equations.rates.get(name, [])
    nothing = (ZERO,) * size(shape)
    if not parts and name in equations.mentioned:
        return None, ()
    if not parts:
        if name not in equations.handled and name not in el.scope.excused and "d" + name not in el.scope.excused:
            hint = f"write `{name}' = …` (or `d{name}/d{el.scope.time} = …`); what never changes is a `const` or `param`"
            if equations.together:
                hint = f"write `{name}' = …`; what the algebraic equations determine is declared `alg {name} = …`"
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
    filled = worked_out(
        el, parts, name, shape, usage, Words("its dynamics", "E0302", order, "delete one, or add the right sides")
    )
    if filled is None:
        return nothing, ()
    if filled.missing and name in equations.mentioned:
        by = [e or parts[0].equation for e in filled.equations]
        equations.written += rate_equations(el.findings, by, full[:-1], shape, filled.pieces)
        return None, ()
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
