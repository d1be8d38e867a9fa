"""Intermediates: worked out in an order in which everything is known before it is read."""

from __future__ import annotations

from itertools import pairwise

from hybridode.declarations import Definition
from hybridode.expr import Expr
from hybridode.language import syntax as s
from hybridode.language.definition_entries import circle_of_entries, declare_shape, define_entries
from hybridode.language.findings import Place
from hybridode.language.frames import Elaboration, Frame, Result, Usage
from hybridode.language.graph import circle, components, is_circle
from hybridode.language.names import count
from hybridode.language.structure import Equations
from hybridode.language.values import Value, shape_text
from hybridode.language.walk import mentions


def definitions(el: Elaboration, equations: Equations) -> list[Definition]:
    """All intermediates, in file order. Circles are reported with their lines and left out."""
    by_key = {names[0]: (names, st) for names, st in equations.definitions}
    owner = {name: names[0] for names, _ in equations.definitions for name in names}
    rights = {key: [p.equation.right for p in equations.entries.get(key, ())] or [st.right] for key, (_, st) in by_key.items()}
    edges = {
        key: list(dict.fromkeys(owner[m.name] for m in mentions(*right) if m.use != "derivative" and m.name in owner))
        for key, right in rights.items()
    }
    places = {key: st.left for key, (_, st) in by_key.items()}
    for name, parts in equations.entries.items():
        declare_shape(el, name, parts)
    found: dict[str, list[Definition]] = {}
    for component in components(by_key, edges):
        entrywise = all(key in equations.entries for key in component)
        round_ = is_circle(component, edges)
        if round_ and not entrywise:
            _report_circle(el, circle(component, edges), places)
            continue
        for key in sorted(component, key=lambda k: places[k].start):
            names, st = by_key[key]
            made = _define(el, names, st) if not entrywise else define_entries(el, key, equations.entries[key])
            found[key] = made
        if round_:  # `y[i] = y[i-1] + …`: fine as long as no entry needs itself
            circle_of_entries(el, [d for key in component for d in found[key]], places)
    return [d for names, _ in equations.definitions for d in found.get(names[0], ())]


def _report_circle(el: Elaboration, way: list[str], places: dict[str, s.Expression]) -> None:
    related: list[tuple[Place, str]] = [(places[a], f"`{a}` reads `{b}`") for a, b in pairwise(way[1:])]
    if len(way) == 2:
        message, hint = f"`{way[0]}` is defined by itself", f"if it changes in time, make it a state: `{way[0]}' = …`"
    else:
        message = f"definitions in a circle: {' reads '.join(f'`{name}`' for name in way)}"
        hint = "one of them must not read the others, or be a state"
    el.findings.error("E0305", message, places[way[0]], hint, related)


def _define(el: Elaboration, names: tuple[str, ...], st: s.Equation) -> list[Definition]:
    stem = names[0]
    usage = Usage(f"the definition of `{stem}`", net_stem=stem, equation=stem, dynamics=True)
    several = isinstance(st.left, s.ListLiteral)
    value = _right_side(el, names, st, usage) if several else el.evaluate(st.right, Frame(usage))
    if value is None:
        return []
    if not several:
        return [_definition(el, stem, value.elements, value, st.doc, st.left)]
    rows = len(value.elements) // len(names)
    part = Value((), value.shape[1:], value.boolean)
    assert isinstance(st.left, s.ListLiteral)
    return [
        _definition(el, name, value.elements[i * rows : (i + 1) * rows], part, st.doc, place)
        for i, (name, place) in enumerate(zip(names, st.left.items, strict=True))
    ]


def _right_side(el: Elaboration, names: tuple[str, ...], st: s.Equation, usage: Usage) -> Result:
    """The value of `[a, b] = …`; a network that is the whole right side gets as many outputs as there are names."""
    n = len(names)
    whole_net = isinstance(st.right, s.Call) and isinstance(st.right.function, s.Ref) and st.right.function.name == "NN"
    frame = Frame(usage, outputs=(n,)) if whole_net else Frame(usage, many=f"{n} names on the left")
    value = el.evaluate(st.right, frame)
    if value is None:
        return None
    if not value.shape or value.shape[0] != n:
        given = "one number" if not value.shape else shape_text(value.shape)
        code = "E0502" if any(e.op == "out" for e in value.elements) else "E0327"
        el.findings.error(code, f"{count(n, 'name')} on the left, and {given} on the right", st.left, "one name per entry")
        return None
    return value


def _definition(el: Elaboration, name: str, elements: tuple[Expr, ...], like: Value, doc: str, place: s.Node) -> Definition:
    el.scope.shapes[name] = like.shape
    if like.boolean:
        el.scope.booleans.add(name)
    return Definition(name, elements, like.shape, like.boolean, doc, el.findings.span(place))
