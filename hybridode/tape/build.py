"""Expressions to a tape.

`leaves` says where each symbol's number stands: (name of the input, place), place -1 for a scalar input. `definitions`
are the intermediates in an order in which each reads only earlier ones. A network comes as a lowering: a function
that takes the builder and the node of its inputs, (inputs,) or (inputs, k) for k evaluations at once, and gives the
node of its outputs, (outputs,) or (outputs, k).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from hybridode.collector import without_collector
from hybridode.declarations import Table
from hybridode.expr import Expr, Symbol
from hybridode.rolled import Family
from hybridode.tape.group import grouped_outputs
from hybridode.tape.lower import Lowering, Sources, as_number, lower_node
from hybridode.tape.tables import piecewise
from hybridode.tape.tape import Tape, TapeBuilder
from hybridode.tape.verify import verify

Node = int


def build(
    outputs: Mapping[str, Sequence[Expr]],
    leaves: Mapping[Symbol, tuple[str, int]],
    definitions: Iterable[tuple[Symbol, Expr]] = (),
    networks: Mapping[str, Lowering] | None = None,
    tables: Mapping[str, Table] | None = None,
    grouped: bool = True,
    families: Iterable[tuple[Sequence[Symbol], Family]] = (),
) -> Tape:
    """The tape whose outputs are vectors (len(expressions),), none of them empty; conditions become 0 or 1.

    An input vector is as long as the largest place in `leaves` says, whether or not all of it is read.
    `families`: intermediates that are computed as vectors, their symbols and what they are; each reads only earlier ones.
    `grouped`: instances of one expression shape become one vector instruction (see `plan`); else every value is a scalar.
    """
    lengths: dict[str, int] = {}
    for name, place in leaves.values():
        lengths[name] = max(lengths.get(name, 0), place + 1)
    vectors = tuple(families)
    single = dict(definitions)
    if not grouped:
        single |= {s: e for symbols, family in vectors for s, e in zip(symbols, family.expand(), strict=True)}
    sources = Sources(
        leaves,
        {name: (n,) if n else () for name, n in lengths.items()},
        single,
        networks or {},
        {name: piecewise(t) for name, t in (tables or {}).items()},
        vectors if grouped else (),
    )
    b = TapeBuilder()
    with without_collector():
        return verify(b.finish((grouped_outputs if grouped else scalar_outputs)(b, sources, outputs)))


def scalar_outputs(b: TapeBuilder, sources: Sources, outputs: Mapping[str, Sequence[Expr]]) -> dict[str, Node]:
    """Every expression by scalar instructions."""
    done: dict[Expr, Node] = {}
    results: dict[str, Node] = {}
    for name, exprs in outputs.items():
        for e in exprs:
            _lower_scalar(b, sources, e, done)
        results[name] = b.concat([as_number(b, done[e]) for e in exprs])
    return results


def _lower_scalar(b: TapeBuilder, sources: Sources, root: Expr, done: dict[Expr, Node]) -> None:
    stack = [root]
    while stack:
        e = stack[-1]
        if e in done:
            stack.pop()
            continue
        # An intermediate is one step to its expression, so that chains of intermediates take no recursion either.
        definition = sources.definitions.get(e.data) if e.op == "sym" else None
        below = e.args if definition is None else (definition,)
        missing = [a for a in reversed(below) if a not in done]
        if missing:
            stack.extend(missing)
            continue
        done[e] = lower_node(b, sources, e.op, e.data, [done[a] for a in e.args]) if definition is None else done[definition]
        stack.pop()
