"""Algebraic unknowns, and the equations that hold together: `0 = …`, `C*V' = …`, `z = …` for an `alg z`."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import accumulate

from hybridode import rolled
from hybridode.declarations import Algebraic, Equation, Shape, size
from hybridode.expr import ZERO, Expr, node, sym
from hybridode.language import syntax as s
from hybridode.language.entries import Part, numbered
from hybridode.language.families import check_names, indexed, over_members
from hybridode.language.findings import Findings
from hybridode.language.frames import AT_START, Elaboration, Frame, Usage
from hybridode.language.members import Members
from hybridode.language.quantities import fit, unit_text
from hybridode.language.values import shape_text, spread
from hybridode.language.walk import mentions
from hybridode.rolled import Family, Piece


# ---- unknowns -------------------------------------------------------------------------------------------------------
def algebraic(el: Elaboration, st: s.ValueStatement) -> Algebraic | None:
    """An `alg` with its first guess (0 where none is written); None after an error."""
    name = st.name.text
    shape = el.scope.shapes.get(name)
    if shape is None:
        return None
    guess: Sequence[Expr] | None = (ZERO,) * size(shape)
    if st.value is not None:
        guess = _guess(el, st, st.value)
    if guess is None:
        return None
    return Algebraic(name, guess, shape, unit_text(st.unit), st.doc, el.findings.span(st.name))


def _guess(el: Elaboration, st: s.ValueStatement, written: s.Expression) -> Sequence[Expr] | None:
    name, shape = st.name.text, el.scope.shapes[st.name.text]
    remedy = "a guess may read parameters, constants, inputs, and the starts of states"
    usage = Usage(f"the guess of `{name}`", AT_START, remedy, starts=True)
    frame = Frame(usage, unit=st.unit, unit_of=f"`{name}`")
    value = el.evaluate(written, frame)
    if value is None or not el.is_number(value, written, frame):
        return None
    fitted = fit(el, value, shape, name, written, frame)
    if fitted is not None and any(e.value is not None and not math.isfinite(e.value) for e in fitted.elements):
        el.findings.error("E0310", f"the guess of `{name}` is infinite", written, "write a finite number")
        return None
    return None if fitted is None else fitted.elements


# ---- equations ------------------------------------------------------------------------------------------------------
def equation(el: Elaboration, part: Part) -> Equation | None:
    """The residuals of an equation, one per entry (and per member of its `for`); None after an error."""
    st = part.equation
    name = _named_after(el, st)
    usage = Usage(f"the equation `{_written(el.findings, st.left)} = …`", net_stem=name, equation=name, dynamics=True)
    if not st.iterators:
        usage = _of_entry(el, part, usage)
        elements = _residuals(el, part, Frame(usage))
        if elements is None:
            return None
        return _equation(el.findings, st, elements)
    found = indexed(el, st.iterators, Frame(usage))
    if found is None:
        return None
    frame = found.frame(Frame(usage))
    if found.members.count == 0:
        check_names(el, st.left, frame)
        check_names(el, st.right, frame)
        return _equation(el.findings, st, ())
    parts = over_members(el, found.members, lambda some: _of_members(el, part, frame, some))
    if parts is None:
        return None
    entries_of = [0] * found.members.count
    for chosen, families in parts:
        for k in chosen:
            entries_of[k] = len(families)
    ends = list(accumulate(entries_of))
    pieces = [
        Piece(tuple([ends[k] - entries_of[k] + i for k in chosen]), family)
        for chosen, families in parts
        for i, family in enumerate(families)
    ]
    return _equation(el.findings, st, rolled.whole(pieces, ends[-1]))


def _named_after(el: Elaboration, st: s.Equation) -> str:
    """The unknown after which the networks of an equation are named: the first on the left, else the first on the right."""
    for side in (st.left, st.right):
        found = [m for m in mentions(side) if (e := el.scope.find(m.name)) is not None and e.kind in ("alg", "state")]
        unknown = [m for m in found if m.use == "derivative" or el.scope.entities[m.name].kind == "alg"]
        if unknown or found:
            return (unknown or found)[0].name
    return ""


def _of_entry(el: Elaboration, part: Part, usage: Usage) -> Usage:
    """A network in `z[3] = …` is named after the entry."""
    left = part.left
    single = left.form in ("entry", "rate") and left.indices and not any(isinstance(i, s.Range) for i in left.indices)
    shape = el.scope.shapes.get(left.name)
    if not single or shape is None:
        return usage
    return usage._replace(net_stem=numbered(el, usage, left, shape, part.equation))


def _of_members(el: Elaboration, part: Part, frame: Frame, members: Members) -> list[Family] | None:
    elements = _residuals(el, part, frame._replace(family=members))
    return None if elements is None else [members.family(e) for e in elements]


def _residuals(el: Elaboration, part: Part, frame: Frame) -> list[Expr] | None:
    """lhs - rhs entry by entry."""
    st = part.equation
    left = el.evaluate(st.left, frame)
    whole_net = isinstance(st.right, s.Call) and isinstance(st.right.function, s.Ref) and st.right.function.name == "NN"
    inner = frame
    if left is not None and left.shape:
        inner = frame._replace(outputs=left.shape)
        if part.left.form == "names" and not whole_net:
            inner = frame._replace(many=f"{left.shape[0]} names on the left")
    right = el.evaluate(st.right, inner)
    if left is None or right is None or not el.is_number(left, st.left, frame) or not el.is_number(right, st.right, frame):
        return None
    if part.left.form not in ("implicit", "algebraic") and right.shape and right.shape != left.shape:
        written = _written(el.findings, st.left)
        message = f"`{written}` is {shape_text(left.shape)}, its right side is {shape_text(right.shape)}"
        el.error("E0313", message, st.right, frame, "both sides have the same size")
        return None
    shape = el.agree([left, right], [st.left, st.right], "an equation", frame)
    if shape is None:
        return None
    return [_difference(a, b) for a, b in zip(spread(left, shape), spread(right, shape), strict=True)]


def _difference(left: Expr, right: Expr) -> Expr:
    """What is 0 where left = right, as short as it was written."""
    if left.value == 0:
        return right
    return left if right.value == 0 else node("add", (left, node("neg", (right,))))


def _written(findings: Findings, place: s.Node) -> str:
    return " ".join(findings.source.text[place.start : place.end].split())


def _equation(findings: Findings, st: s.Equation, residuals: Sequence[Expr]) -> Equation:
    shape = () if len(residuals) == 1 and not st.iterators else (len(residuals),)
    return Equation(residuals, shape, findings.span(st), (_written(findings, st.left), _written(findings, st.right)))


# ---- rates that are equations after all -----------------------------------------------------------------------------
def rate_equations(
    findings: Findings, by: Sequence[s.Equation], state: str, shape: Shape, pieces: Sequence[Piece]
) -> list[Equation]:
    """Right sides of a state's derivative as equations x' - rhs = 0. `by`: which statement gives each entry of the state."""
    statements = {by[p.places[0]].start: by[p.places[0]] for p in pieces}
    found: list[Equation] = []
    for start, st in sorted(statements.items()):
        moved: list[Piece] = []
        n = 0
        for places, family in (p for p in pieces if by[p.places[0]].start == start):
            derivatives = tuple([sym("derivative", state, k if shape else -1) for k in places])
            moved.append(Piece(tuple(range(n, n + len(places))), _minus(derivatives, family)))
            n += len(places)
        found.append(_equation(findings, st, rolled.whole(moved, n)))
    return found


def _minus(derivatives: tuple[Expr, ...], family: Family) -> Family:
    if family.count == 1 and not family.columns:
        return Family(_difference(derivatives[0], family.template), (), 1)
    template = _difference(rolled.slot(len(family.columns)), family.template)
    return Family(template, (*family.columns, derivatives), family.count)
