"""Consistent starts: which equations hold at the start, and which starts are computed from them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from hybridode.declarations import Declarations
from hybridode.equations.canonical import entries, leaf
from hybridode.equations.incidence import members
from hybridode.equations.system import EquationSystem, Initial
from hybridode.errors import Span
from hybridode.expr import Expr, Symbol, sub, symbols
from hybridode.matching import NONE, maximum_matching


def initial_of(system: EquationSystem, laid_out: EquationSystem) -> Initial | None:
    """The equations of the start of a reduced system, and how they are satisfied; None if there are none.

    Every algebraic unknown is computed, and so is every start that was not given and stands in one of the equations. Given plain
    values may move where these do not suffice: those that the over-determined equations read.
    """
    starts = _starts_with_unknowns(laid_out)
    equations = [*(system.rates[k] for k in system.unknowns), *(x.expr for x in system.invariants)]
    spans: list[Span | None] = [*(system.rate_spans[k] for k in system.unknowns), *(x.span for x in system.invariants)]
    equations += [sub(leaf(s), e) for s, (e, _) in starts.items()]
    spans += [span for _, span in starts.values()]
    if not equations:
        return None
    rows = _states_read(system, equations)
    given = _given(system.declarations)
    free = {k for k, s in enumerate(system.states) if s in starts or not given.get(s, "")}
    soft = {k for k, s in enumerate(system.states) if given.get(s, "") == "value" and s not in starts}
    # What the algebraic unknowns can satisfy alone leaves the starts where they are, though nobody gave them.
    own = [[k for k in row if k in system.unknowns] for row in rows]
    needy = _in_excess(own, maximum_matching(own, len(system.states)))
    computed = [[k for k in row if k in free] if i in needy else own[i] for i, row in enumerate(rows)]
    matched = maximum_matching(computed, len(system.states))
    unknowns = sorted({*system.unknowns, *(k for row in computed for k in row)})
    moved = sorted({k for i in _in_excess(computed, matched) for k in rows[i] if k in soft})
    return Initial(tuple(equations), tuple(spans), tuple(unknowns), tuple(moved))


def _in_excess(rows: Sequence[Sequence[int]], matched: Sequence[int]) -> set[int]:
    """Equations among which some find no unknown of their own."""
    row_of = {c: r for r, c in enumerate(matched) if c != NONE}
    found = {r for r, c in enumerate(matched) if c == NONE}
    work = list(found)
    while work:
        for c in rows[work.pop()]:
            r = row_of[c]
            if r not in found:
                found.add(r)
                work.append(r)
    return found


def _given(d: Declarations) -> dict[Symbol, str]:
    """Where the start of each state comes from."""
    return {s: state.start_given for state in d.states for s in entries("state", state.name, state.shape)}


def _starts_with_unknowns(laid_out: EquationSystem) -> dict[Symbol, tuple[Expr, Span | None]]:
    """Starts that read algebraic unknowns or derivatives: what they say, as it was written."""
    d = laid_out.declarations
    bodies = {x.symbol: x.expr for x in laid_out.definitions}
    found: dict[Symbol, tuple[Expr, Span | None]] = {}
    for state in d.states:
        if all(e.value is not None for e in state.start):
            continue
        for s, e in zip(entries("state", state.name, state.shape), state.start, strict=True):
            if any(x.kind in ("algebraic", "derivative") for x in _reached(e, bodies)):
                found[s] = (e, state.span)
    return found


def _reached(e: Expr, bodies: Mapping[Symbol, Expr]) -> set[Symbol]:
    """The symbols that an expression reads, directly or through definitions."""
    found: set[Symbol] = set()
    work = [e]
    while work:
        for s in symbols(work.pop()):
            if s not in found:
                found.add(s)
                if s in bodies:
                    work.append(bodies[s])
    return found


def _states_read(system: EquationSystem, exprs: Iterable[Expr]) -> list[list[int]]:
    """Per expression the places of the states that it reads, directly or through definitions."""
    bits = {s: 1 << k for k, s in enumerate(system.states)}
    for d in system.definitions:
        bits[d.symbol] = _union(d.expr, bits)
    found = []
    for e in exprs:
        found.append(list(members(_union(e, bits))))
    return found


def _union(e: Expr, bits: Mapping[Symbol, int]) -> int:
    found = 0
    for s in symbols(e):
        found |= bits.get(s, 0)
    return found
