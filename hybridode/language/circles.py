"""Derivatives that need each other: `x' = y' + 1` beside `y' = 2*x'`, or through an intermediate `p = V*x'`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from hybridode.expr import Expr, Symbol, symbols
from hybridode.language import syntax as s
from hybridode.language.algebra import rate_equations
from hybridode.language.findings import Findings
from hybridode.language.graph import components, is_circle
from hybridode.language.restarts import Model
from hybridode.rolled import Rolled, pieces_of, symbols_read


def without_circles(model: Model, statements: Mapping[int, s.Equation], findings: Findings) -> Model:
    """Right sides that need each other through derivatives, as equations that hold together (rule B2).

    `statements`: the equations of rates by where they begin. Definitions are known by their names, right sides by the
    derivative's (`x'`), which no name can be.
    """
    rates = {st.name + "'": st.rate for st in model.states if not st.implicit}
    nodes = {d.name: d.elements for d in model.definitions} | rates
    edges: dict[str, list[str]] = {}
    through_derivative = False
    for name, elements in nodes.items():
        edges[name] = []
        for read in _symbols_in_order(elements):
            if read.kind == "definition":
                edges[name].append(read.name)
            elif read.kind == "derivative":
                through_derivative = True
                edges[name].append(read.name + "'")
    if not through_derivative:
        return model
    inside = {name for c in components(nodes, edges) if is_circle(c, edges) for name in c}
    if inside.isdisjoint(rates):
        return model
    states, equations = list(model.states), list(model.equations)
    for i, st in enumerate(model.states):
        if st.name + "'" in inside:
            spans = st.rate_spans if len(st.rate_spans) == len(st.rate) else st.rate_spans * len(st.rate)
            by = [statements[span.start] for span in spans]
            equations += rate_equations(findings, by, st.name, st.shape, pieces_of(st.rate))
            states[i] = replace(st, rate=(), rate_spans=(), implicit=True)
    return model._replace(states=states, equations=equations)


def _symbols_in_order(elements: Sequence[Expr]) -> Iterable[Symbol]:
    """The symbols that expressions read; those of a family come in no order that means anything, so sorted."""
    if not isinstance(elements, Rolled):
        return symbols(*elements)
    return sorted(x for x in symbols_read(elements) if x.kind in ("definition", "derivative"))
