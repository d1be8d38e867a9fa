"""Families of expressions (`hybridode.rolled`) to vector instructions: the template once, on vectors of its columns."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from hybridode.expr import Expr
from hybridode.rolled import Column, Family, Totals, moving
from hybridode.tape.lower import Sources, as_number, lower_node, network_jacobian
from hybridode.tape.tape import TapeBuilder

Node = int


class FamilyBuilder:
    """Makes the vectors of families. `scalar` gives the node of what all members share, `vector` of leaves side by side."""

    def __init__(
        self, b: TapeBuilder, sources: Sources, scalar: Callable[[Expr], Node], vector: Callable[[Sequence[Expr]], Node]
    ) -> None:
        self.b, self.sources, self.scalar, self.vector = b, sources, scalar, vector
        self._columns: dict[int, tuple[Column, Node]] = {}

    def values(self, family: Family) -> Node:
        """The values of all members: (members,), conditions as 0 or 1."""
        order: list[Family] = [family]  # families of sums come before those that read them
        for f in order:
            order += [c.family for c in f.columns if isinstance(c, Totals)]
        done: dict[int, Node] = {}
        for f in reversed(order):
            done[id(f)] = self._template(f, [self._column(c, f.count, done) for c in f.columns])
        return self.b.broadcast(as_number(self.b, done[id(family)]), (family.count,))

    def _column(self, column: Column, count: int, done: dict[int, Node]) -> Node:
        if isinstance(column, Totals):
            return self._totals(column, done[id(column.family)])
        known = self._columns.get(id(column))
        if known is None:
            known = self._columns[id(column)] = column, self.vector(column)
        return known[1]

    def _totals(self, totals: Totals, terms: Node) -> Node:
        """Sums of consecutive terms: by rows where all are of one length, else by scattering."""
        b, lengths = self.b, totals.lengths
        count = totals.family.count
        terms = b.broadcast(as_number(b, terms), (count,))
        if len(set(lengths)) == 1:
            return b.sum(b.gather(terms, range(count), (len(lengths), lengths[0])), 1)
        return b.scatter_add(terms, [k for k, length in enumerate(lengths) for _ in range(length)], (len(lengths),))

    def _template(self, family: Family, columns: Sequence[Node]) -> Node:
        """The template on vectors; what no slot is below stays a scalar."""
        b, n = self.b, family.count
        order, own = moving(family.template)
        done: dict[Expr, Node] = {}
        for e in order:
            if e not in own:
                continue
            args = [done[a] if a in own else self.scalar(a) for a in e.args if e.op != "out"]
            if e.op == "sym":
                done[e] = columns[e.data.index]
            elif e.op in ("net", "net_jacobian"):
                done[e] = self._network(e, args, n)
            elif e.op == "out":
                done[e] = b.gather(done[e.args[0]], range(e.data * n, e.data * n + n))
            else:
                done[e] = lower_node(b, self.sources, e.op, e.data, args)
        return done[family.template] if family.template in own else self.scalar(family.template)

    def _network(self, e: Expr, inputs: Sequence[Node], n: int) -> Node:
        """A network at all members at once: (outputs, members)."""
        b = self.b
        network = self.sources.network(e.data)
        x = b.concat([b.broadcast(i, (n,)) for i in inputs], (len(inputs), n))
        return network(b, x) if e.op == "net" else network_jacobian(b, network, x)
