"""Which rate reads which state, directly or through definitions, and the blocks of states that need one another."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from hybridode.equations.order import components
from hybridode.equations.system import EquationSystem, definition_expressions
from hybridode.expr import Expr, Symbol, symbols
from hybridode.rolled import Family, Rolled, Totals, families_of


def incidence(system: EquationSystem) -> EquationSystem:
    """Fills `incidence` (sorted state numbers per rate) and `blocks`."""
    n = len(system.states)
    number = {s: i for i, s in enumerate(system.states)}
    number |= {d.symbol: n + i for i, d in enumerate(system.definitions)}
    edges = _edges(system.rates, number) + _edges(definition_expressions(system.definitions), number)
    blocks = [tuple(k for k in block if k < n) for block in components(edges)]
    found = tuple(b for b in blocks if b)
    if not system.definitions:
        return replace(system, incidence=tuple(map(tuple, edges)), blocks=found)

    # Sets of states as the bits of whole numbers: unions of 10,000 states take a microsecond.
    reached = [1 << i for i in range(n)]
    for i in range(n, len(edges)):
        reached.append(_union(edges[i], reached))
    rows: dict[int, tuple[int, ...]] = {}
    for i in range(n):
        bits = _union(edges[i], reached)
        if bits not in rows:
            rows[bits] = members(bits)
        reached.append(bits)
    return replace(system, incidence=tuple(rows[bits] for bits in reached[-n:]) if n else (), blocks=found)


def _edges(elements: Sequence[Expr], number: Mapping[Symbol, int]) -> list[list[int]]:
    """What each expression of a vector reads, as sorted numbers."""
    if not isinstance(elements, Rolled):
        return [_reads(e, number) for e in elements]
    edges: list[list[int]] = [[] for _ in range(len(elements))]
    for places, family in elements.pieces:
        for k, read in zip(places, _family_reads(family, number), strict=True):
            edges[k] = sorted(set(read))
    return edges


def _family_reads(family: Family, number: Mapping[Symbol, int]) -> list[list[int]]:
    """What each member reads; a number may stand twice."""
    order = list(families_of(family))
    done: dict[int, list[list[int]]] = {}
    for f in reversed(order):
        common = _reads(f.template, number)
        read: list[list[int]] = [list(common) for _ in range(f.count)]
        for column in f.columns:
            if isinstance(column, Totals):
                start = 0
                terms = done[id(column.family)]
                for k, length in enumerate(column.lengths):
                    read[k] += {i for term in terms[start : start + length] for i in term}
                    start += length
                continue
            for k, e in enumerate(column):
                found = number.get(e.data) if e.op == "sym" else None
                if found is not None:
                    read[k].append(found)
        done[id(f)] = read
    return done[id(family)]


def _reads(e: Expr, number: Mapping[Symbol, int]) -> list[int]:
    return sorted(number[s] for s in symbols(e) if s in number)


def members(bits: int) -> tuple[int, ...]:
    """The places of the bits that are set."""
    if bits.bit_count() * 50 > bits.bit_length():
        return tuple(k for k, bit in enumerate(reversed(f"{bits:b}")) if bit == "1")
    places = []
    while bits:
        low = bits & -bits
        places.append(low.bit_length() - 1)
        bits ^= low
    return tuple(places)


def _union(numbers: list[int], sets: list[int]) -> int:
    bits = 0
    for k in numbers:
        bits |= sets[k]
    return bits
