"""Whether the equations that hold together can determine the unknowns: as many as there are, and each of them has one to itself.

A quantity and its derivatives count as one, since an equation may be differentiated (Pantelides, "The consistent initialization
of differential-algebraic systems", SIAM J. Sci. Stat. Comput. 9 (1988) 213): the equations determine the unknowns in principle
if and only if each can be given an unknown of its own that it reads. Right sides and definitions take part, each beginning with
what stands on its left.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from hybridode.declarations import Shape, size
from hybridode.errors import Span
from hybridode.expr import Expr, Symbol, symbols
from hybridode.language.restarts import Model
from hybridode.matching import NONE
from hybridode.rolled import Family, Rolled, Totals


class Row(NamedTuple):
    """One entry of an equation that holds together ("equation" and its number), of a right side ("rate" and the state), or of a
    definition."""

    kind: str
    owner: int | str
    span: Span | None


@dataclass
class Table:
    """Rows and the columns that they read. A column is a quantity with all its derivatives, without primes, and an entry."""

    rows: list[Row] = field(default_factory=list)
    reads: list[list[int]] = field(default_factory=list)
    first: list[int] = field(default_factory=list)  # what a row determines as it is written, -1 for an equation
    columns: dict[Symbol, int] = field(default_factory=dict)

    def column(self, symbol: Symbol) -> int:
        return self.columns.setdefault(symbol, len(self.columns))

    def add(self, row: Row, own: Symbol | None, read: list[Symbol]) -> None:
        first = NONE if own is None else self.column(own)
        self.rows.append(row)
        self.reads.append(list(dict.fromkeys([*([] if own is None else [first]), *map(self.column, read)])))
        self.first.append(first)


def table_of(model: Model, collapsed: bool) -> Table:
    """The rows of a model. Without `collapsed`, states are known and their highest derivatives are the columns."""
    discrete = {st.name for st in model.states if st.discrete}
    lower = {st.velocity_of for st in model.states}
    table = Table()

    def column(x: Symbol) -> Symbol | None:
        if x.kind in ("algebraic", "definition"):
            return x
        if x.kind == "derivative":
            return Symbol("state", x.name.rstrip("'"), x.index)
        if x.kind == "state" and collapsed and x.name not in discrete:
            return x._replace(name=x.name.rstrip("'"))
        return None

    def add(elements: Sequence[Expr], rows: Iterator[Row], own: Sequence[Symbol] | None) -> None:
        for k, (read, row) in enumerate(zip(_reads(elements), rows, strict=False)):
            found = [c for x in read if (c := column(x)) is not None]
            table.add(row, None if own is None else own[k], found)

    for a in model.algebraics:
        for x in _entries("algebraic", a.name, a.shape):
            table.column(x)
    for st in model.states:
        if st.discrete or st.name in lower:
            continue
        own = _entries("state", st.name.rstrip("'"), st.shape)
        for x in own:
            table.column(x)
        if not st.implicit:
            spans = st.rate_spans if len(st.rate_spans) == len(own) else st.rate_spans[:1] * len(own) or (None,) * len(own)
            add(st.rate, (Row("rate", st.name, span) for span in spans), own)
    for d in model.definitions:
        own = _entries("definition", d.name, d.shape)
        add(d.elements, iter([Row("definition", d.name, None)] * len(own)), own)
    for number, e in enumerate(model.equations):
        add(e.residuals, iter([Row("equation", number, e.span)] * len(e.residuals)), None)
    return table


def _entries(kind: str, name: str, shape: Shape) -> list[Symbol]:
    return [Symbol(kind, name, k if shape else -1) for k in range(size(shape))]


# ---- who reads what, entry by entry ---------------------------------------------------------------------------------
def _reads(elements: Sequence[Expr]) -> list[list[Symbol]]:
    """The symbols that each entry reads; families are not written out."""
    if not isinstance(elements, Rolled):
        return [list(symbols(e)) for e in elements]
    found: list[list[Symbol]] = [[]] * len(elements)
    for places, family in elements.pieces:
        for place, read in zip(places, _of_members(family), strict=True):
            found[place] = read
    return found


def _of_members(family: Family) -> list[list[Symbol]]:
    """The symbols that each member reads. Sums nest as deep as the text's indices, which are few."""
    common = [x for x in symbols(family.template) if x.kind != "slot"]
    found = [list(common) for _ in range(family.count)]
    for column in family.columns:
        if not isinstance(column, Totals):
            for read, leaf in zip(found, column, strict=True):
                read += [leaf.data] if leaf.op == "sym" else symbols(leaf)
            continue
        terms, at = _of_members(column.family), 0
        for read, length in zip(found, column.lengths, strict=True):
            for term in terms[at : at + length]:
                read += term
            at += length
    return found
