"""Blocks solved by hand where that can be done: definitions, and what is left as torn unknowns with residuals."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from hybridode.equations.dae.blocks import Block
from hybridode.equations.dae.linear import cannot_vanish, form_of, solved
from hybridode.equations.dae.loops import MOST_TORN, Definitions, linear_loop
from hybridode.equations.dae.relations import Relation
from hybridode.equations.dae.tearing import Torn, tear
from hybridode.equations.incidence import members
from hybridode.expr import Expr, Symbol, symbols
from hybridode.matching import maximum_matching

NONE = -1
LARGEST = 64  # unknowns of a loop whose equations are put into each other though several are torn


@dataclass(frozen=True)
class Solved:
    """`definitions` in order; `torn[i]` is the unknown that 0 = `residuals[i]` is assigned to. `torn_first`: what was torn, also
    where the torn unknowns could be solved for in the end."""

    definitions: Definitions
    torn: tuple[Symbol, ...] = ()
    residuals: tuple[Relation, ...] = ()
    torn_first: tuple[Symbol, ...] = ()


def solve(block: Block) -> Solved:
    """The definitions of a block's unknowns; those of its torn unknowns too if they are few and enter linearly."""
    if len(block.unknowns) == 1:
        (relation,), (unknown,) = block.relations, block.unknowns
        expr = _explicitly(relation, unknown)
        if expr is None:
            return Solved((), (unknown,), (relation,), (unknown,))
        return Solved(((unknown, expr, relation.spans),))
    wanted = frozenset(block.unknowns)
    forms = [form_of(r.residual, wanted) for r in block.relations]
    number = {s: i for i, s in enumerate(block.unknowns)}
    reads = [{number[s] for s in symbols(r.residual) if s in number} for r in block.relations]
    safe = [{number[s] for s, by in form.coefficients.items() if by is not None and cannot_vanish(by)} for form in forms]
    last = [i for i, s in enumerate(block.unknowns) if s.kind == "definition"]
    cut = tear(reads, safe, last)
    if len(cut.columns) > MOST_TORN and len(block.unknowns) > LARGEST:
        # A large loop is left to the solver's sparse elimination: put into each other, its equations would lose their sparsity.
        written = [{number[s] for s in _written_for(r) if s in number} for r in block.relations]
        cut = tear(reads, [c & own for c, own in zip(safe, written, strict=True)], last)
    torn = tuple(block.unknowns[c] for c in cut.columns)
    definitions = tuple(
        (block.unknowns[c], _required(_explicitly(block.relations[r], block.unknowns[c])), block.relations[r].spans)
        for r, c in cut.solved
    )
    explicit = linear_loop(block, forms, cut)
    if explicit is not None:
        return Solved((*explicit, *definitions), (), (), torn)
    rows = _assigned(reads, cut)
    return Solved(definitions, torn, tuple(block.relations[r] for r in rows), torn)


def _written_for(relation: Relation) -> list[Symbol]:
    """The unknown that stands alone on the left of an equation."""
    if relation.unknown is not None:
        return [relation.unknown]
    e = relation.residual  # left side - right side
    written = e.op == "add" and len(e.args) == 2 and e.args[0].op == "sym" and e.args[1].op == "neg"
    return [e.args[0].data] if written else []


def _explicitly(relation: Relation, unknown: Symbol) -> Expr | None:
    """What an unknown is that enters linearly, None if it enters otherwise."""
    if relation.unknown == unknown and relation.body is not None and unknown not in symbols(relation.body):
        return relation.body
    form = form_of(relation.residual, {unknown})
    by = form.coefficients[unknown]
    return None if by is None or form.rest is None else solved(by, form.rest)


def _required(e: Expr | None) -> Expr:
    assert e is not None, "tearing solves relations only for what enters linearly"
    return e


def _assigned(reads: Sequence[set[int]], cut: Torn) -> list[int]:
    """The residual row of each torn column, one that depends on it where there is one; row i was matched to column i."""
    place = {c: i for i, c in enumerate(cut.columns)}
    depends: dict[int, int] = {c: 1 << i for c, i in place.items()}  # column -> torn columns behind it, as bits

    def behind(row: int) -> int:
        bits = 0
        for c in reads[row]:
            bits |= depends.get(c, 0)
        return bits

    for row, column in cut.solved:
        depends[column] = behind(row)
    n = len(place)
    rows = [members(behind(row)) for row in cut.rows]
    matched = maximum_matching(rows, n, [place.get(row, NONE) for row in cut.rows])
    free = [i for i in range(n) if i not in matched]
    found = [NONE] * n
    for row, i in zip(cut.rows, matched, strict=True):
        found[i if i != NONE else free.pop()] = row
    return found
