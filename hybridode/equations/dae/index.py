"""Index reduction: the relations and unknowns of a model with the derivatives that determine all highest derivatives.

The lower forms of what was differentiated are hidden constraints: they stay, as invariants of the underlying ordinary equations
(Eich 1993, SIAM J. Numer. Anal. 30, 1467; Hairer & Wanner, Solving ODEs II, VII.2), so no choice of states has to be made.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from hybridode.equations.dae.differentiate import CannotDifferentiate, RateOf, time_derivative
from hybridode.equations.dae.pantelides import NONE, Structure, pantelides
from hybridode.equations.dae.relations import Relation, Unreduced, derivative_symbol, explicit, varied
from hybridode.equations.dae.singular import twice, wrong_count
from hybridode.equations.gradients import ShapeCache
from hybridode.errors import ModelError
from hybridode.expr import ONE, ZERO, Expr, Symbol, node
from hybridode.matching import maximum_matching


@dataclass
class Graph:
    """Unknowns by number with the number of their derivatives, and relations, those of the model first."""

    symbols: list[Symbol]
    derivative: list[int]
    relations: list[Relation]
    number: dict[Symbol, int] = field(default_factory=dict)

    def row(self, relation: Relation) -> list[int]:
        """The unknowns (with their lower derivatives) by which a relation has a derivative."""
        return [self.number[s] for s in varied(relation.residual) if s in self.number]

    def admit(self, s: Symbol) -> None:
        """Counts a derivative, and the lower ones that it is the derivative of, among the unknowns: combined relations read
        derivatives of what had none before."""
        new: list[Symbol] = []
        while s not in self.number and s.kind == "derivative":
            new.append(s)
            s = self._lower(s)
        for up in reversed(new):
            self.derivative[self.number[s]] = self.number[up] = len(self.symbols)
            self.symbols.append(up)
            self.derivative.append(NONE)
            s = up

    def _lower(self, s: Symbol) -> Symbol:
        for kind in ("state", "algebraic", "definition"):
            if s._replace(kind=kind) in self.number:
                return s._replace(kind=kind)
        return s._replace(name=s.name.removesuffix("'"))

    def highest(self, v: int) -> int:
        """The highest derivative of an unknown."""
        while self.derivative[v] != NONE:
            v = self.derivative[v]
        return v


def graph_of(model: Unreduced) -> Graph:
    """The unknowns and relations of a model before any is differentiated."""
    symbols = [*model.states, *model.algebraics, *model.definitions]
    number = {s: i for i, s in enumerate(symbols)}
    derivative = [NONE] * len(symbols)
    for s in model.states:
        follows = model.velocity.get(s) or derivative_symbol(s)
        if follows not in number:
            number[follows] = len(symbols)
            symbols.append(follows)
            derivative.append(NONE)
        derivative[number[s]] = number[follows]
    relations = [*model.definitions.values(), *model.rates.values(), *model.equations]
    graph = Graph(symbols, derivative, relations, number)
    for relation in relations:
        for s in varied(relation.residual):
            graph.admit(s)
    return graph


def require_determined(graph: Graph, model: Unreduced) -> None:
    """Raises ModelError if the relations cannot determine the unknowns, whatever the numbers are: a quantity counts as determined
    with any of its derivatives."""
    place: dict[int, int] = {}
    lowest: list[Symbol] = []
    for v, s in enumerate(graph.symbols):
        if graph.highest(v) not in place:
            place[graph.highest(v)] = len(place)
            lowest.append(s)
    rows = [list(dict.fromkeys(place[graph.highest(v)] for v in graph.row(r))) for r in graph.relations]
    matched = maximum_matching(rows, len(place))
    if NONE in matched or len(rows) < len(place):
        unknowns = list(zip([graph.symbols[v] for v in place], lowest, strict=True))
        raise ModelError(wrong_count(graph.relations, unknowns, rows, matched, model))


def differentiated(graph: Graph, model: Unreduced, shapes: ShapeCache, inputs: RateOf) -> Structure:
    """Differentiates what Pantelides' algorithm asks for: the graph gains unknowns and relations, numbered as in the structure.

    `inputs`: the derivative of symbols that are no unknowns (inputs; anything else: ZERO). Raises ModelError where a network, a
    table or an input would have to be differentiated twice.
    """
    structure = pantelides([graph.row(r) for r in graph.relations], graph.derivative)
    lower = {d: v for v, d in reversed(list(enumerate(structure.derivative)))}
    for v in range(len(graph.symbols), len(structure.derivative)):
        graph.symbols.append(derivative_symbol(graph.symbols[lower[v]]))
        graph.number[graph.symbols[v]] = v
    graph.derivative = structure.derivative

    def rate_of(s: Symbol) -> Expr:
        v = graph.number.get(s, NONE)
        if v == NONE:
            return ONE if s.kind == "time" else inputs(s)
        up = graph.derivative[v]
        return ZERO if up == NONE else node("sym", (), graph.symbols[up])  # NONE: only conditions read it

    order = sorted((d, e) for e, d in enumerate(structure.differentiated) if d != NONE)
    for new, e in order:
        assert new == len(graph.relations), "derivatives are numbered in the order in which they were made"
        try:
            graph.relations.append(_derivative(graph.relations[e], rate_of, shapes, model.kinked))
        except CannotDifferentiate as found:
            raise ModelError(twice(found.leaf, graph.relations[e], model)) from found
    return structure


def _derivative(r: Relation, rate_of: RateOf, shapes: ShapeCache, kinked: frozenset[str]) -> Relation:
    if r.unknown is not None and r.body is not None:
        up = rate_of(r.unknown)
        return explicit(up.data, time_derivative(r.body, rate_of, shapes, kinked), r.spans)
    return Relation(time_derivative(r.residual, rate_of, shapes, kinked), r.spans)


def origins(structure: Structure) -> tuple[list[int], list[int]]:
    """Per relation the one of the model that it is a derivative of, and of which order."""
    origin, level = list(range(len(structure.rows))), [0] * len(structure.rows)
    for e, new in enumerate(structure.differentiated):
        if new != NONE:
            origin[new], level[new] = origin[e], level[e] + 1
    return origin, level
