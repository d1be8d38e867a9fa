"""Which relation determines which unknown, and the order in which they can be solved: matching and block-triangular form."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from hybridode.equations.dae.linear import cannot_vanish, form_of
from hybridode.equations.dae.relations import Relation, varied
from hybridode.equations.order import components
from hybridode.expr import Symbol, symbols
from hybridode.matching import maximum_matching

NONE = -1


@dataclass(frozen=True)
class Block:
    """Relations that must be solved together for as many unknowns; `unknowns[i]` is matched to `relations[i]`."""

    relations: tuple[Relation, ...]
    unknowns: tuple[Symbol, ...]


@dataclass(frozen=True)
class Triangular:
    """Blocks in an order in which each reads only unknowns of earlier ones (and its own); what no partner was found for."""

    blocks: tuple[Block, ...]
    relations_left: tuple[Relation, ...] = ()
    unknowns_left: tuple[Symbol, ...] = ()


def triangular(relations: Sequence[Relation], unknowns: Sequence[Symbol]) -> Triangular:
    """The block-triangular form of relations in these unknowns; other symbols are known."""
    number = {s: i for i, s in enumerate(unknowns)}
    rows = [[number[s] for s in varied(r.residual) if s in number] for r in relations]
    n = len(unknowns)
    own = _once([number.get(r.unknown, NONE) if r.unknown is not None else NONE for r in relations])
    simple = [_evident(r, row, unknowns) for r, row in zip(relations, rows, strict=True)]
    column_of = maximum_matching(rows, n, maximum_matching(simple, n, own))
    row_of = {c: r for r, c in enumerate(column_of) if c != NONE}
    matched = sorted(row_of.values())
    place = {r: i for i, r in enumerate(matched)}
    edges = []
    for r in matched:
        read = (number[s] for s in symbols(relations[r].residual) if s in number)
        edges.append(sorted({place[row_of[c]] for c in read if c in row_of}))
    blocks = []
    for block in components(edges):
        members = [matched[i] for i in block]
        blocks.append(Block(tuple(relations[r] for r in members), tuple(unknowns[column_of[r]] for r in members)))
    left = [r for r, c in enumerate(column_of) if c == NONE]
    return Triangular(
        tuple(blocks), tuple(relations[r] for r in left), tuple(s for c, s in enumerate(unknowns) if c not in row_of)
    )


def _once(columns: list[int]) -> list[int]:
    """A matching: each column where it stands first."""
    seen: set[int] = set()
    found = []
    for c in columns:
        found.append(NONE if c in seen else c)
        seen.add(c)
    return found


def _evident(relation: Relation, row: Sequence[int], unknowns: Sequence[Symbol]) -> list[int]:
    """The unknowns that a relation can be solved for without a second thought, those with large factors first."""
    if relation.unknown is not None:
        return [c for c in row if unknowns[c] == relation.unknown]
    found = form_of(relation.residual, {unknowns[c] for c in row}).coefficients
    safe = {s: -abs(by.value or 1.0) for s, by in found.items() if by is not None and cannot_vanish(by)}
    return sorted((c for c in row if unknowns[c] in safe), key=lambda c: safe[unknowns[c]])
