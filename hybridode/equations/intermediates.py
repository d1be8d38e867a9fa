"""Intermediates in an order in which each reads only earlier ones, families of them as families."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from hybridode.equations.order import components, dependencies_first
from hybridode.equations.system import RolledDefinitions, ScalarDefinition
from hybridode.errors import Span
from hybridode.expr import Expr, Symbol, symbols
from hybridode.rolled import Family, Piece, Rolled, symbols_of


def in_order(
    defined: Sequence[Symbol], bodies: Sequence[Expr], spans: Mapping[Symbol, Span | None]
) -> Sequence[ScalarDefinition]:
    """The intermediates with these bodies. A family whose members read one another is taken one by one."""
    if not isinstance(bodies, Rolled):
        meaning = dict(zip(defined, bodies, strict=True))
        order = dependencies_first(defined, lambda s: _definitions(symbols(meaning[s])))
        return tuple(ScalarDefinition(s, meaning[s], spans[s]) for s in order)
    pieces = _without_circles(defined, bodies.pieces)
    reads = _reads(defined, pieces)
    sequence = dependencies_first(range(len(pieces)), lambda k: reads[k])
    symbols_, laid = [], []
    for k in sequence:
        places, family = pieces[k]
        laid.append(Piece(tuple(range(len(symbols_), len(symbols_) + len(places))), family))
        symbols_ += [defined[place] for place in places]
    return RolledDefinitions(tuple(symbols_), Rolled(laid, len(symbols_)), tuple(spans[s] for s in symbols_))


def _definitions(found: Sequence[Symbol]) -> list[Symbol]:
    return [s for s in found if s.kind == "definition"]


def _reads(defined: Sequence[Symbol], pieces: Sequence[Piece]) -> list[list[int]]:
    """Which pieces each piece reads."""
    owner = {defined[place]: k for k, piece in enumerate(pieces) for place in piece.places}
    return [sorted({owner[s] for s in symbols_of(piece.family) if s.kind == "definition"}) for piece in pieces]


def _without_circles(defined: Sequence[Symbol], pieces: Sequence[Piece]) -> list[Piece]:
    """`y[i] = y[i-1] + …` cannot be one vector: families in a circle are written out."""
    reads = _reads(defined, pieces)
    in_circle = {k for block in components(reads) for k in block if len(block) > 1 or k in reads[k]}
    found: list[Piece] = []
    for k, piece in enumerate(pieces):
        if k in in_circle:
            found += [Piece((p,), Family(e, (), 1)) for p, e in zip(piece.places, piece.family.expand(), strict=True)]
        else:
            found.append(piece)
    return found
