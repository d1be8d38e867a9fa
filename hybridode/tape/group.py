"""Groups of expressions to vector instructions; what does not group stays scalar."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from hybridode.expr import Expr, Symbol
from hybridode.expr import node as expression
from hybridode.rolled import Family, common_parts, pieces_of, symbols_of, symbols_read
from hybridode.tape.families import FamilyBuilder
from hybridode.tape.lower import Sources, as_number, lower_node, network_jacobian
from hybridode.tape.plan import MIN_GROUP, Group, Plan, Unit, plan
from hybridode.tape.tape import TapeBuilder

Node = int
Place = tuple[Node, int]  # a node and the flat place in it; -1: a scalar node


def grouped_outputs(b: TapeBuilder, sources: Sources, outputs: Mapping[str, Sequence[Expr]]) -> dict[str, Node]:
    """Every output as a vector. Families come as vectors already; all other expressions are looked through for shapes."""
    pieces = {name: pieces_of(exprs) for name, exprs in outputs.items()}
    families = {name: [piece for piece in found if piece.family.count > 1] for name, found in pieces.items()}
    alone = {name: {p.places[0]: p.family.expand()[0] for p in found if p.family.count == 1} for name, found in pieces.items()}
    vectors: dict[Symbol, Place] = {}
    for symbols, family in _needed(sources, outputs):
        places = _planned(b, sources, vectors, (), [family])
        values = FamilyBuilder(b, sources, places.shared, places.leaves).values(family)
        vectors.update((s, (values, k)) for k, s in enumerate(symbols))
    roots = [e for exprs in alone.values() for e in exprs.values()]
    places = _planned(b, sources, vectors, roots, [piece.family for found in families.values() for piece in found])
    builder = FamilyBuilder(b, sources, places.shared, places.leaves)
    results = {}
    for name, exprs in outputs.items():
        found = {k: places.number(places.of(places.plan.resolve(e))) for k, e in alone[name].items()}
        for at, family in families[name]:
            values = builder.values(family)
            found.update((k, (values, j)) for j, k in enumerate(at))
        together = places.together([found[k] for k in range(len(exprs))])
        results[name] = b.broadcast(together, (len(exprs),))
    return results


def _needed(sources: Sources, outputs: Mapping[str, Sequence[Expr]]) -> list[tuple[Sequence[Symbol], Family]]:
    """The families of intermediates that the outputs read, directly or not, earlier ones first."""
    if not sources.families:
        return []
    owner = {s: k for k, (symbols, _) in enumerate(sources.families) for s in symbols}
    needed: set[int] = set()
    seen: set[Symbol] = set()
    waiting = [symbols_read(exprs) for exprs in outputs.values()]
    while waiting:
        new = {s for s in waiting.pop() if s.kind == "definition"} - seen
        seen |= new
        waiting += [symbols_read((sources.definitions[s],)) for s in new if s in sources.definitions]
        for k in {owner[s] for s in new if s in owner} - needed:
            needed.add(k)
            waiting.append(symbols_of(sources.families[k][1]))
    return [f for k, f in enumerate(sources.families) if k in needed]


def _planned(
    b: TapeBuilder, sources: Sources, vectors: Mapping[Symbol, Place], roots: Sequence[Expr], families: Sequence[Family]
) -> _Places:
    """Computes the roots, and what members of the families share or read of other intermediates."""
    shared = dict.fromkeys(e for family in families for e in common_parts(family))
    read = {s for family in families for s in symbols_of(family)}
    defined = [expression("sym", (), s) for s in sources.definitions if s in read]
    p, groups = plan([*roots, *shared, *defined], sources.definitions)
    places = _Places(b, sources, p, vectors)
    for group in groups:
        _EMIT[group.kind](places, group)
    return places


class _Places:
    """Where values stand, and vectors of values from several places."""

    def __init__(self, b: TapeBuilder, sources: Sources, p: Plan, vectors: Mapping[Symbol, Place]) -> None:
        self.b, self.sources, self.plan, self.vectors = b, sources, p, vectors
        self.units: dict[Expr, Place] = {}
        self.nets: dict[Expr, tuple[Node, int, int]] = {}  # outputs' node, number of evaluations, which of them

    def of(self, e: Expr) -> Place:
        """Place of a leaf or of a computed unit."""
        if e in self.units:
            return self.units[e]
        if e.op == "const":
            return self.b.const(e.data), -1
        if e.op == "out":
            node, count, which = self.nets[self.plan.resolve(e.args[0])]
            return node, e.data * count + which
        if e.data in self.vectors:
            return self.vectors[e.data]
        name, place = self.sources.place(e.data)
        return self.b.input(name, self.sources.shapes[name]), place

    def scalar(self, place: Place) -> Node:
        node, at = place
        return node if at < 0 else self.b.element(node, at)

    def shared(self, e: Expr) -> Node:
        """The scalar that all members of a family read."""
        return self.scalar(self.of(self.plan.resolve(e)))

    def leaves(self, column: Sequence[Expr]) -> Node:
        """The values of a column side by side."""
        b = self.b
        if all(e.op == "const" for e in column):
            return b.constant([e.data for e in column])
        for known in (self.sources.leaves, self.vectors) if all(e.op == "sym" for e in column) else ():
            places = [known.get(e.data) for e in column]
            source, at = places[0] or ("", -1)
            if at >= 0 and all(p is not None and p[0] == source for p in places):
                node = b.input(source, self.sources.shapes[source]) if isinstance(source, str) else source
                return b.gather(node, [p[1] for p in places if p is not None])
        return self.together([self.of(self.plan.resolve(e)) for e in column])

    def number(self, place: Place) -> Place:
        """The same with a condition as 0 or 1."""
        return (as_number(self.b, place[0]), place[1]) if self.b.boolean[place[0]] else place

    def together(self, places: Sequence[Place]) -> Node:
        """The values of all places as a vector; a scalar where they are one and the same."""
        b = self.b
        if all(place == places[0] for place in places):
            return self.scalar(places[0])
        runs: list[tuple[Node, list[int]]] = []
        for node, at in places:
            if runs and at >= 0 and runs[-1][0] == node:
                runs[-1][1].append(at)
            else:
                runs.append((node, [at]))
        vectors = list(dict.fromkeys(node for node, at in runs if at[0] >= 0))
        alone = sum(at[0] < 0 for _, at in runs)
        if len(runs) <= alone + 2 * len(vectors) + 2:
            return b.concat([node if at[0] < 0 else b.gather(node, at) for node, at in runs])
        return self._picked(places)

    def _picked(self, places: Sequence[Place]) -> Node:
        """By one gather from the sources side by side."""
        b = self.b
        used: dict[Node, list[int]] = {}
        for node, at in dict.fromkeys(places):
            used.setdefault(node, []).append(at)
        parts, start, where = [], 0, {}
        for node, at in used.items():
            part = node if at[0] < 0 else b.gather(node, sorted(at))
            parts.append(part)
            where.update({(node, k): start + j for j, k in enumerate(sorted(at))})
            start += len(at)
        return b.gather(b.concat(parts), [where[place] for place in places])


# ---- shapes ---------------------------------------------------------------------------------------------------------
def _emit_shape(places: _Places, group: Group) -> None:
    units = group.units
    steps, slots = len(units[0].template), len(units[0].slots)
    if len(units) >= MIN_GROUP and len(units) * steps > steps + slots + 1:
        operands = [places.together([places.of(u.slots[s]) for u in units]) for s in range(slots)]
        node = places.b.broadcast(_template(places, units[0], operands), (len(units),))
        places.units.update({u.expr: (node, j) for j, u in enumerate(units)})
        return
    for u in units:
        node = _template(places, u, [places.scalar(places.of(e)) for e in u.slots])
        places.units[u.expr] = (node, -1)


def _template(places: _Places, unit: Unit, slots: Sequence[Node]) -> Node:
    """The operations of a template on scalars or vectors."""
    b = places.b
    values: list[Node] = []
    for op, data, operands in unit.template:
        args = [b.const(float.fromhex(o)) if isinstance(o, str) else values[o] if o >= 0 else slots[~o] for o in operands]
        values.append(lower_node(b, places.sources, op, data, args))
    return values[-1]


# ---- sums -----------------------------------------------------------------------------------------------------------
def _emit_sum(places: _Places, group: Group) -> None:
    """All sums of a level at once by one scatter if they have many terms, else term by term."""
    b, units = places.b, group.units
    signs = [sign for u in units for sign, _ in u.terms]
    if len(signs) < 4 * MIN_GROUP:
        for u in units:
            places.units[u.expr] = (_added(places, u), -1)
        return
    values = b.broadcast(places.together([places.of(term) for u in units for _, term in u.terms]), (len(signs),))
    values = b.mul(values, b.constant(signs))
    lengths = {len(u.terms) for u in units}
    if len(units) == 1:
        places.units[units[0].expr] = (b.sum(values), -1)
        return
    if len(lengths) == 1:
        total = b.sum(b.gather(values, range(len(signs)), (len(units), lengths.pop())), 1)
    else:
        total = b.scatter_add(values, [j for j, u in enumerate(units) for _ in u.terms], (len(units),))
    places.units.update({u.expr: (total, j) for j, u in enumerate(units)})


def _added(places: _Places, unit: Unit) -> Node:
    b, total = places.b, None
    for sign, term in unit.terms:
        value = places.scalar(places.of(term))
        value = value if sign > 0 else b.neg(value)
        total = value if total is None else b.add(total, value)
    assert total is not None
    return total


# ---- networks -------------------------------------------------------------------------------------------------------
def _emit_net(places: _Places, group: Group) -> None:
    """All evaluations of one network at one level: (inputs,) for one, (inputs, k) for several."""
    b, units = places.b, group.units
    network = places.sources.network(units[0].expr.data)
    inputs, k = len(units[0].slots), len(units)
    if k == 1:
        x = b.broadcast(places.together([places.of(e) for e in units[0].slots]), (inputs,))
    else:
        rows = [b.broadcast(places.together([places.of(u.slots[j]) for u in units]), (k,)) for j in range(inputs)]
        x = b.concat(rows, (inputs, k))
    node = network(b, x) if units[0].expr.op == "net" else network_jacobian(b, network, x)
    for j, u in enumerate(units):
        places.nets[u.expr] = (node, k, j)
        places.units[u.expr] = (node, j)


_EMIT = {"shape": _emit_shape, "sum": _emit_sum, "net": _emit_net}
