"""Which rate reads which state, directly or through definitions, and the blocks of states that need one another."""

from __future__ import annotations

from dataclasses import replace

from hybridode.equations.order import components
from hybridode.equations.system import EquationSystem
from hybridode.expr import Expr, Symbol, symbols


def incidence(system: EquationSystem) -> EquationSystem:
    """Fills `incidence` (sorted state numbers per rate) and `blocks`."""
    n = len(system.states)
    number = {s: i for i, s in enumerate(system.states)}
    number |= {d.symbol: n + i for i, d in enumerate(system.definitions)}
    edges = [_reads(e, number) for e in (*system.rates, *(d.expr for d in system.definitions))]

    # Sets of states as the bits of whole numbers: unions of 10,000 states take a microsecond.
    reached = [1 << i for i in range(n)]
    for i in range(n, len(edges)):
        reached.append(_union(edges[i], reached))
    rows: dict[int, tuple[int, ...]] = {}
    for i in range(n):
        bits = _union(edges[i], reached)
        if bits not in rows:
            rows[bits] = _members(bits)
        reached.append(bits)
    blocks = [tuple(k for k in block if k < n) for block in components(edges)]
    return replace(
        system, incidence=tuple(rows[bits] for bits in reached[-n:]) if n else (), blocks=tuple(b for b in blocks if b)
    )


def _reads(e: Expr, number: dict[Symbol, int]) -> list[int]:
    return sorted(number[s] for s in symbols(e) if s in number)


def _members(bits: int) -> tuple[int, ...]:
    """The places of the bits that are set."""
    if bits.bit_count() * 50 > bits.bit_length():
        return tuple(k for k, bit in enumerate(reversed(f"{bits:b}")) if bit == "1")
    places = []
    while bits:
        low = bits & -bits
        places.append(low.bit_length() - 1)
        bits ^= low
    return tuple(places)


def _union(members: list[int], sets: list[int]) -> int:
    bits = 0
    for k in members:
        bits |= sets[k]
    return bits
