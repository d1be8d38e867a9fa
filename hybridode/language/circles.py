"""Circles through derivatives: `p = V*x'` with an `x'` that reads `p`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import pairwise

from hybridode.errors import Span
from hybridode.expr import Expr, Symbol, symbols
from hybridode.language.findings import Findings
from hybridode.language.graph import circle, components, is_circle
from hybridode.language.later import refuse
from hybridode.language.restarts import Model
from hybridode.rolled import Rolled, symbols_read


def derivative_circles(model: Model, findings: Findings) -> bool:
    """Reports definitions and right sides that need each other through a derivative; True if there are any.

    Definitions are known by their names, right sides by the derivative's (`x'`), which no name can be.
    """
    definitions = {d.name: (d.elements, d.span) for d in model.definitions}
    rates = {st.name + "'": (st.rate, st.rate_spans[0] if st.rate_spans else st.span) for st in model.states}
    nodes = definitions | rates
    edges: dict[str, list[str]] = {}
    through_derivative = False
    for name, (elements, _) in nodes.items():
        edges[name] = []
        for s in symbols_in_order(elements):
            if s.kind == "definition":
                edges[name].append(s.name)
            elif s.kind == "derivative":
                through_derivative = True
                edges[name].append(s.name + "'")
    if not through_derivative:
        return False
    found = False
    for component in components(nodes, edges):
        if is_circle(component, edges):
            found = True
            _report(circle(component, edges), {name: span for name, (_, span) in nodes.items()}, findings)
    return found


def symbols_in_order(elements: Sequence[Expr]) -> Iterable[Symbol]:
    """The symbols that expressions read; those of a family come in no order that means anything, so sorted."""
    if not isinstance(elements, Rolled):
        return symbols(*elements)
    return sorted(s for s in symbols_read(elements) if s.kind in ("definition", "derivative"))


def _report(way: list[str], places: dict[str, Span | None], findings: Findings) -> None:
    first = places[way[0]]
    assert first is not None
    if all(name.endswith("'") for name in way):
        what = "an implicit equation (" + " needs ".join(f"`{n}`" for n in way) + ")"
        refuse(findings, "implicit", first, what, "solve the equations for the derivatives")
        return
    pairs = pairwise(way[1:])
    related = [(place, f"`{a}` reads `{b}`") for a, b in pairs if (place := places[a]) is not None]
    message = f"definitions in a circle: {' reads '.join(f'`{n}`' for n in way)}"
    findings.error("E0305", message, first, "write the derivative out where it is read", related)
