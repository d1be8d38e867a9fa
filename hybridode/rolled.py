"""Many expressions of one shape as one template and the columns of its leaves.

A `Family` says what `for i in 1..n` says: its members differ only in what stands in the template's slots. A slot is a
symbol of kind "slot" whose index is the number of a column; a column has one leaf per member, or it is `Totals`: sums over
an index, each over members of another family. Nothing here is expanded before somebody asks for the scalar expressions.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Any, NamedTuple

from hybridode.expr import ZERO, Expr, Symbol, node, postorder, symbols


@dataclass(frozen=True)
class Family:
    """Members that share a template. All columns are as long as the family."""

    template: Expr
    columns: tuple[Column, ...]
    count: int

    def expand(self) -> list[Expr]:
        """The scalar expressions of the members."""
        if not self.columns:
            return [self.template] * self.count
        leaves = [c.expand() if isinstance(c, Totals) else c for c in self.columns]
        root, steps = _program(self.template)
        if root < len(leaves):
            return list(leaves[root])
        found = []
        for member in zip(*leaves, strict=True):
            values: list[Expr] = list(member)
            for op, operands, data in steps:
                values.append(data if operands is None else node(op, [values[k] for k in operands], data))
            found.append(values[root])
        return found

    def member(self, k: int) -> Family:
        """One of the members, alone."""
        columns = [c.one(k) if isinstance(c, Totals) else c[k : k + 1] for c in self.columns]
        return Family(self.template, tuple(columns), 1)

    def slice(self, start: int, stop: int) -> Family:
        """Consecutive members."""
        if stop - start == self.count:
            return self
        columns: list[Column] = []
        for c in self.columns:
            if isinstance(c, Totals):
                first, last = sum(c.lengths[:start]), sum(c.lengths[:stop])
                columns.append(Totals(c.lengths[start:stop], c.family.slice(first, last)))
            else:
                columns.append(c[start:stop])
        return Family(self.template, tuple(columns), stop - start)

    def first_leaves(self) -> tuple[Expr, ...]:
        """What the first member has in its slots."""
        return tuple([c.expand()[0] if isinstance(c, Totals) else c[0] for c in self.member(0).columns])


@dataclass(frozen=True)
class Totals:
    """Sums of consecutive members of a family: as many of them as `lengths` says, one sum per length (0 where it is 0)."""

    lengths: tuple[int, ...]
    family: Family

    def expand(self) -> tuple[Expr, ...]:
        terms = self.family.expand()
        ends = list(accumulate(self.lengths))
        return tuple(_sum(terms[end - length : end]) for length, end in zip(self.lengths, ends, strict=True))

    def one(self, k: int) -> Totals:
        """One of the sums, alone."""
        start = sum(self.lengths[:k])
        return Totals(self.lengths[k : k + 1], self.family.slice(start, start + self.lengths[k]))


Column = tuple[Expr, ...] | Totals
ROLLED_FROM = 32  # members from which a family stays one template; fewer are written out


class Piece(NamedTuple):
    """Some entries of a whole and the family of their expressions."""

    places: tuple[int, ...]
    family: Family


class Rolled(Sequence[Expr]):
    """A vector of scalar expressions, most of them in families. As a sequence it is its expressions, written out when first
    asked for; passes look at `pieces`."""

    def __init__(self, pieces: Iterable[Piece], length: int) -> None:
        self.pieces = tuple(pieces)
        self._length = length
        self._all: tuple[Expr, ...] | None = None
        assert sum(len(p.places) for p in self.pieces) == length, "the pieces give each entry once"

    @property
    def expressions(self) -> tuple[Expr, ...]:
        """Every entry as a scalar expression."""
        if self._all is None:
            found: dict[int, Expr] = {}
            for places, family in self.pieces:
                found.update(zip(places, family.expand(), strict=True))
            self._all = tuple([found[k] for k in range(self._length)])
        return self._all

    @property
    def is_written_out(self) -> bool:
        """Whether somebody has asked for all the scalar expressions (large: no pass does)."""
        return self._all is not None

    def __len__(self) -> int:
        return self._length

    def __getitem__(self, index: Any) -> Any:
        return self.expressions[index]

    def __iter__(self) -> Iterator[Expr]:
        return iter(self.expressions)

    def __eq__(self, other: object) -> bool:
        return self is other or (isinstance(other, (tuple, Rolled)) and self.expressions == tuple(other))

    def __hash__(self) -> int:
        return hash(self.expressions)

    def __repr__(self) -> str:
        return f"<Rolled {self._length} in {len(self.pieces)} pieces>"


class Shown(NamedTuple):
    """An entry as it is shown, or (`hidden` above 0) how many of the same shape are left out here."""

    place: int
    expr: Expr
    hidden: int = 0


def shown(elements: Sequence[Expr]) -> Iterator[Shown]:
    """What of a vector is shown: of a large family the first two members and the last."""
    pieces = [p for p in elements.pieces if p.family.count >= ROLLED_FROM] if isinstance(elements, Rolled) else []
    told: dict[int, Expr] = {}
    hidden: set[int] = set()
    for places, family in pieces:
        for k in (0, 1, family.count - 1):
            (told[places[k]],) = family.member(k).expand()
        hidden.update(places[2:-1])
    if isinstance(elements, Rolled):
        told.update((p.places[0], p.family.expand()[0]) for p in elements.pieces if p.family.count == 1)
        some = [p for p in elements.pieces if 1 < p.family.count < ROLLED_FROM]
        told.update((k, e) for p in some for k, e in zip(p.places, p.family.expand(), strict=True))
    left_out = 0
    for k in range(len(elements)):
        if k in hidden:
            left_out += 1
            continue
        if left_out:
            yield Shown(-1, ZERO, left_out)
            left_out = 0
        yield Shown(k, told[k] if told else elements[k])
    if left_out:
        yield Shown(-1, ZERO, left_out)


def whole(pieces: Sequence[Piece], length: int) -> Sequence[Expr]:
    """The vector of these pieces: a tuple of scalars unless a large family is among them."""
    made = Rolled(pieces, length)
    return made if any(p.family.count >= ROLLED_FROM for p in pieces) else made.expressions


def pieces_of(elements: Sequence[Expr]) -> tuple[Piece, ...]:
    """The pieces of any vector of expressions: a scalar is a family of one."""
    if isinstance(elements, Rolled):
        return elements.pieces
    return tuple([Piece((k,), Family(e, (), 1)) for k, e in enumerate(elements)])


def families_of(family: Family) -> Iterator[Family]:
    """A family and those of the sums in it, in a fixed order."""
    waiting = [family]
    while waiting:
        found = waiting.pop()
        yield found
        waiting += [c.family for c in reversed(found.columns) if isinstance(c, Totals)]


def with_templates(family: Family, new: Iterator[Expr]) -> Family:
    """The family with other templates, in the order of `families_of`."""
    template = next(new)
    columns = tuple([Totals(c.lengths, with_templates(c.family, new)) if isinstance(c, Totals) else c for c in family.columns])
    return Family(template, columns, family.count)


def symbols_read(elements: Iterable[Expr]) -> set[Symbol]:
    """Every symbol that a vector of expressions reads, without writing families out."""
    if not isinstance(elements, Rolled):
        return set(symbols(*elements))
    found: set[Symbol] = set()
    for e in parts(elements):
        if e.op == "sym":
            found.add(e.data)
    return found


def symbols_of(family: Family) -> set[Symbol]:
    """Every symbol that the members of a family read."""
    return symbols_read(Rolled([Piece(tuple(range(family.count)), family)], family.count))


def parts(elements: Iterable[Expr]) -> Iterator[Expr]:
    """Every node below the expressions once, but those that members of a family only differ in the leaves of: the nodes of its
    template and its leaves."""
    if not isinstance(elements, Rolled):
        yield from postorder(elements)
        return
    families = [f for p in elements.pieces for f in families_of(p.family)]
    leaves: set[Expr] = set()
    for e in postorder([f.template for f in families]):
        if e.op != "sym" or e.data.kind != "slot":
            yield e
            leaves.add(e)
    for f in families:
        for c in f.columns:
            if not isinstance(c, Totals):
                for e in set(c).difference(leaves):
                    leaves.add(e)
                    yield e


def _sum(terms: Sequence[Expr]) -> Expr:
    return ZERO if not terms else terms[0] if len(terms) == 1 else node("add", terms)


def slot(i: int) -> Expr:
    """The place of column i in a template."""
    return node("sym", (), Symbol("slot", "", i))


def moving(template: Expr) -> tuple[list[Expr], set[Expr]]:
    """All nodes of a template, arguments first, and those that have a slot below them."""
    order = list(postorder((template,)))
    found: set[Expr] = set()
    for e in order:
        if (e.op == "sym" and e.data.kind == "slot") or any(a in found for a in e.args):
            found.add(e)
    return order, found


def common_parts(family: Family) -> Iterator[Expr]:
    """The largest expressions without slots in the templates: what all members share."""
    for f in families_of(family):
        order, own = moving(f.template)
        if f.template not in own:
            yield f.template
        for e in order:
            if e in own:
                yield from (a for a in e.args if a not in own)


def _program(template: Expr) -> tuple[int, list[tuple[str, tuple[int, ...] | None, Any]]]:
    """The template as steps on numbered values, of which the columns come first; what has no slot below it is one step."""
    order, own = moving(template)
    columns = max((e.data.index + 1 for e in own if e.op == "sym"), default=0)
    place: dict[Expr, int] = {}
    steps: list[tuple[str, tuple[int, ...] | None, Any]] = []

    def fixed(e: Expr) -> int:
        if e not in place:
            place[e] = columns + len(steps)
            steps.append((e.op, None, e))
        return place[e]

    for e in order:
        if e.op == "sym" and e.data.kind == "slot":
            place[e] = e.data.index
        elif e in own:
            operands = tuple([place[a] if a in own else fixed(a) for a in e.args])
            place[e] = columns + len(steps)
            steps.append((e.op, operands, e.data))
    return (place[template] if template in own else fixed(template)), steps
