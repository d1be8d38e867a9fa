"""Expressions to a tape.

`leaves` says where each symbol's number stands: (name of the input, place), place -1 for a scalar input. `definitions`
are the intermediates in an order in which each reads only earlier ones. A network comes as a lowering: a function
that takes the builder and the node of its inputs, (inputs,) or (inputs, k) for k evaluations at once, and gives the
node of its outputs, (outputs,) or (outputs, k).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from hybridode.declarations import Table
from hybridode.expr import Expr, Symbol
from hybridode.tape.derive import tangents
from hybridode.tape.lower import LOWER, as_number
from hybridode.tape.shapes import Shape
from hybridode.tape.tables import Piecewise, piecewise
from hybridode.tape.tape import Tape, TapeBuilder
from hybridode.tape.verify import verify

Node = int
Lowering = Callable[[TapeBuilder, Node], Node]


@dataclass(frozen=True)
class Sources:
    """Where expressions get their leaves from."""

    leaves: Mapping[Symbol, tuple[str, int]]
    shapes: Mapping[str, Shape]
    definitions: Mapping[Symbol, Expr]
    networks: Mapping[str, Lowering]
    tables: Mapping[str, Piecewise]

    def resolve(self, e: Expr) -> Expr:
        """A symbol of an intermediate stands for its expression."""
        while e.op == "sym" and e.data in self.definitions:
            e = self.definitions[e.data]
        return e


def build(
    outputs: Mapping[str, Sequence[Expr]],
    leaves: Mapping[Symbol, tuple[str, int]],
    definitions: Iterable[tuple[Symbol, Expr]] = (),
    networks: Mapping[str, Lowering] | None = None,
    tables: Mapping[str, Table] | None = None,
    grouped: bool = True,
) -> Tape:
    """The tape whose outputs are vectors (len(expressions),); conditions become 0 or 1.

    An input vector is as long as the largest place in `leaves` says, whether or not all of it is read.
    `grouped`: instances of one expression shape become one vector instruction (see `group`); else every value is a scalar.
    """
    lengths: dict[str, int] = {}
    for name, place in leaves.values():
        lengths[name] = max(lengths.get(name, 0), place + 1)
    sources = Sources(
        leaves,
        {name: (n,) if n else () for name, n in lengths.items()},
        dict(definitions),
        networks or {},
        {name: piecewise(t) for name, t in (tables or {}).items()},
    )
    b = TapeBuilder()
    return verify(b.finish(scalar_outputs(b, sources, outputs)))


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
        resolved = sources.resolve(e)
        below = (resolved,) if resolved is not e else e.args
        missing = [a for a in reversed(below) if a not in done]
        if missing:
            stack.extend(missing)
            continue
        done[e] = done[resolved] if resolved is not e else lower_node(b, sources, e, [done[a] for a in e.args])
        stack.pop()


def lower_node(b: TapeBuilder, sources: Sources, e: Expr, args: Sequence[Node]) -> Node:
    """One operation on lowered arguments; a network gives the vector of its outputs."""
    if e.op in LOWER:
        return LOWER[e.op](b, *args)
    if e.op == "sym":
        return leaf(b, sources, e.data)
    return _OTHER[e.op](b, sources, e, args)


def leaf(b: TapeBuilder, sources: Sources, symbol: Symbol) -> Node:
    """The scalar of a symbol."""
    assert symbol in sources.leaves, f"{symbol} ({symbol.kind}) is neither a leaf nor a definition"
    name, place = sources.leaves[symbol]
    whole = b.input(name, sources.shapes[name])
    return whole if place < 0 else b.element(whole, place)


def _table(b: TapeBuilder, sources: Sources, e: Expr, args: Sequence[Node]) -> Node:
    orders = (0,) * len(args)
    return b.make("table", *args, attrs=(sources.tables[e.data], orders))


def _table_slope(b: TapeBuilder, sources: Sources, e: Expr, args: Sequence[Node]) -> Node:
    name, argument = e.data
    return b.make("table", *args, attrs=(sources.tables[name], tuple(int(j == argument) for j in range(len(args)))))


def _net(b: TapeBuilder, sources: Sources, e: Expr, args: Sequence[Node]) -> Node:
    return sources.networks[e.data](b, b.concat(args))


def _net_jacobian(b: TapeBuilder, sources: Sources, e: Expr, args: Sequence[Node]) -> Node:
    return network_jacobian(b, sources.networks[e.data], b.concat(args))


def network_jacobian(b: TapeBuilder, network: Lowering, x: Node) -> Node:
    """The derivatives of the outputs by the inputs: flat over (output, input), or over (output, input, evaluation)."""
    shape = b.shape(x)
    out = network(b, x)
    columns = []
    for j in range(shape[0]):
        seed = np.zeros(shape)
        seed[j] = 1.0
        tangent = tangents(b, {x: b.constant(seed)}, [out])[0]
        columns.append(b.broadcast(b.const(0.0), b.shape(out)) if tangent is None else tangent)
    # Columns stand one after the other as (input, output[, evaluation]); the result has outputs first.
    inputs, outputs, k = shape[0], b.shape(out)[0], shape[1] if len(shape) == 2 else 1
    at = [(j * outputs + o) * k + i for o in range(outputs) for j in range(inputs) for i in range(k)]
    return b.gather(b.concat(columns), at)


def _out(b: TapeBuilder, sources: Sources, e: Expr, args: Sequence[Node]) -> Node:
    return b.element(args[0], e.data)


_OTHER: dict[str, Callable[[TapeBuilder, Sources, Expr, Sequence[Node]], Node]] = {
    "const": lambda b, sources, e, args: b.const(e.data),
    "table": _table,
    "table_slope": _table_slope,
    "net": _net,
    "net_jacobian": _net_jacobian,
    "out": _out,
}
