"""The symbolic Jacobian of the rates by the states, with its sparsity.

Each right side is differentiated by its leaves (symbols, outputs of networks, values of tables); the chain rule through
definitions, network arguments and table arguments is sparse forward accumulation.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from hybridode.equations.derivative_rules import Wanted, total
from hybridode.equations.family_jacobian import Resolved, contributions, entries
from hybridode.equations.folding import folded
from hybridode.equations.system import EquationSystem, JacobianEntry, RolledJacobian, definition_expressions
from hybridode.expr import ONE, Expr, Symbol, mul, neg, node, postorder, rebuild
from hybridode.rolled import Piece, Rolled, pieces_of, symbols_of, symbols_read

Row = dict[int, Expr]  # column (state number) -> derivative, structural zeros left out
Gradient = Callable[[Expr, Wanted], Mapping[Expr, Expr]]
MOST_ENTRIES = 500_000  # beyond (a mean field over thousands of states) the Jacobian is left to the tape's derivatives


def jacobian(system: EquationSystem, gradient_of: Gradient) -> EquationSystem:
    """Fills `jacobian`, sorted by row and column, and those of the invariants and of the equations of the start; leaves them None
    if the incidence says that there are more than MOST_ENTRIES.

    `gradient_of`: a ShapeCache's `gradient`, or that of `derivative_rules`.
    """
    if sum(map(len, system.incidence)) > MOST_ENTRIES:
        return system
    chain = _Chain({s: i for i, s in enumerate(system.states)}, gradient_of)
    found = replace(system, jacobian=_of_vector(system, chain, system.rates))
    if system.invariants:
        found = replace(found, invariant_jacobian=_of_vector(system, chain, [x.expr for x in system.invariants]))
    if system.initial is not None:
        found = replace(found, initial=replace(system.initial, jacobian=_of_vector(system, chain, system.initial.equations)))
    return found


def _of_vector(system: EquationSystem, chain: _Chain, elements: Sequence[Expr]) -> Sequence[JacobianEntry]:
    """Entries of the derivative of these expressions by the states."""
    if isinstance(elements, Rolled):
        return _of_families(system, chain, elements)
    for definition in system.definitions if not chain.known else ():
        chain.known[definition.symbol] = chain.row(definition.expr)
    found = [JacobianEntry(i, column, value) for i, e in enumerate(elements) for column, value in sorted(chain.row(e).items())]
    values = rebuild([e.expr for e in found], folded)
    return tuple(replace(e, expr=v) for e, v in zip(found, values, strict=True) if v.value != 0.0)


def _of_families(system: EquationSystem, chain: _Chain, elements: Rolled) -> RolledJacobian:
    """Entries of rolled expressions, by template: first of the intermediates, then through them of the expressions."""
    n = len(system.states)
    number = {s: i for i, s in enumerate(system.states)}
    number |= {d.symbol: n + i for i, d in enumerate(system.definitions)}
    through = Resolved(n)
    for piece in _needed(system, elements):
        for c in through.of_states(contributions(piece, number, chain.of_template)):
            through.add(c)
    found = [c for piece in pieces_of(elements) for c in through.of_states(contributions(piece, number, chain.of_template))]
    return RolledJacobian(*entries(found, n))


def _needed(system: EquationSystem, elements: Rolled) -> list[Piece]:
    """The intermediates that the expressions read, directly or not, earlier ones first."""
    names = [d.symbol for d in system.definitions]
    read = symbols_read(elements)
    found: list[Piece] = []
    for piece in reversed(pieces_of(definition_expressions(system.definitions))):
        if not read.isdisjoint(names[k] for k in piece.places):
            found.append(piece)
            read |= symbols_of(piece.family)
    return found[::-1]


class _Chain:
    """Rows of derivatives by the states, remembered for definitions and for what stands inside networks and tables."""

    def __init__(self, column: Mapping[Symbol, int], gradient_of: Gradient) -> None:
        self.column = column
        self.gradient_of = gradient_of
        self.known: dict[Symbol, Row] = {}
        self._leaves: dict[Expr, Row] = {}

    def of_template(self, e: Expr, keys: Mapping[Symbol, int]) -> Row:
        """d e / d the symbols that have keys, slots among them."""
        return _Chain(keys, self.gradient_of).row(e)

    def row(self, e: Expr) -> Row:
        """d e / d states. Networks may stand in arguments of networks to any depth, so these are met innermost first."""
        for inner in postorder((e,)):
            if inner.op in ("out", "table", "table_slope") and inner not in self._leaves:
                self._leaves[inner] = self._through(inner)
        return self._chain(e)

    def _chain(self, e: Expr) -> Row:
        parts: dict[int, list[Expr]] = {}
        for leaf, slope in self.gradient_of(e, self._depends).items():
            for column, inner in self._leaf(leaf).items():
                parts.setdefault(column, []).append(_times(slope, inner))
        sums = {column: total(terms) for column, terms in parts.items()}
        return {column: value for column, value in sums.items() if value.value != 0.0}

    def _depends(self, leaf: Expr) -> bool:
        """Whether a leaf depends on a state."""
        return bool(self._leaf(leaf))

    def _leaf(self, leaf: Expr) -> Row:
        if leaf.op != "sym":
            return self._leaves[leaf]
        symbol: Symbol = leaf.data
        if symbol in self.column:
            return {self.column[symbol]: ONE}
        return self.known.get(symbol, {})

    def _through(self, leaf: Expr) -> Row:
        """Chain rule into the arguments of a network output or a table value."""
        arguments = (leaf.args[0] if leaf.op == "out" else leaf).args
        parts: dict[int, list[Expr]] = {}
        for j, argument in enumerate(arguments):
            for column, inner in self._chain(argument).items():
                parts.setdefault(column, []).append(_times(slope(leaf, j), inner))
        return {column: total(terms) for column, terms in parts.items()}


def _times(a: Expr, b: Expr) -> Expr:
    """a*b with the signs of both in front."""
    value = mul(*(x.args[0] if x.op == "neg" else x for x in (a, b)))
    return neg(value) if (a.op == "neg") != (b.op == "neg") else value


def slope(leaf: Expr, j: int) -> Expr:
    """Derivative of a network output or a table value, or of a derivative of these, by its argument j."""
    if leaf.op == "table":
        return node("table_slope", leaf.args, (leaf.data, j))
    if leaf.op == "table_slope":
        return node("table_slope", leaf.args, (leaf.data[0], *sorted((*leaf.data[1:], j))))
    net = leaf.args[0]
    name = f"{net.data}'" if net.op == "net_jacobian" else net.data
    return node("out", (node("net_jacobian", net.args, name),), leaf.data * len(net.args) + j)
