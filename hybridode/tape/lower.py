"""From the operations of expressions to the tape's: the same functions serve scalars and whole groups."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from hybridode.expr import Expr, Symbol, network_of
from hybridode.rolled import Family
from hybridode.tape.derive import tangents
from hybridode.tape.shapes import Shape
from hybridode.tape.tables import Piecewise
from hybridode.tape.tape import Tape, TapeBuilder

Node = int
Lowering = Callable[[TapeBuilder, Node], Node]


@dataclass(frozen=True)
class Sources:
    """Where expressions get their leaves from (see `build`)."""

    leaves: Mapping[Symbol, tuple[str, int]]
    shapes: Mapping[str, Shape]
    definitions: Mapping[Symbol, Expr]
    networks: Mapping[str, Lowering]
    tables: Mapping[str, Piecewise]
    families: Sequence[tuple[Sequence[Symbol], Family]] = ()  # intermediates that are vectors, earlier ones first

    def network(self, name: str) -> Lowering:
        """The network of this name; `U'` is the Jacobian of U, flat over (output, input)."""
        name, order = network_of(name)
        found = self.networks[name]
        for _ in range(order):
            found = partial(_jacobian_of, found)
        return found

    def place(self, symbol: Symbol) -> tuple[str, int]:
        """Input and place of a leaf."""
        assert symbol in self.leaves, f"{symbol} ({symbol.kind}) is neither a leaf nor a definition"
        return self.leaves[symbol]


# ---- elementwise ----------------------------------------------------------------------------------------------------
def _left_to_right(op: str) -> Callable[..., Node]:
    def lower(b: TapeBuilder, *args: Node) -> Node:
        total = args[0]
        for a in args[1:]:
            total = b.make(op, total, a)
        return total

    return lower


def _as_written(op: str) -> Callable[..., Node]:
    return lambda b, *args: b.make(op, *args)


def _swapped(op: str) -> Callable[..., Node]:
    return lambda b, x, y: b.make(op, y, x)


def _where(b: TapeBuilder, condition: Node, x: Node, y: Node) -> Node:
    if not b.boolean[x]:
        return b.select(condition, x, y)
    yes = b.make("and", condition, x)
    return b.make("or", yes, b.make("and", b.make("not", condition), y))


_ELEMENTWISE = (
    "neg", "not", "exp", "expm1", "exprel", "log", "log1p", "log10", "log2", "sqrt", "sin", "cos", "tan", "asin", "acos", "atan",
    "sinh", "cosh", "tanh", "asinh", "acosh", "atanh", "abs", "sign", "floor", "gamma", "lgamma", "erf", "softplus", "sigmoid",
    "relu", "heaviside", "digamma", "div", "atan2", "mod", "lt", "le", "eq", "ne", "hill",
)  # fmt: skip

LOWER: dict[str, Callable[..., Node]] = {
    **{op: _as_written(op) for op in _ELEMENTWISE},
    **{op: _left_to_right(op) for op in ("add", "mul", "min", "max", "and", "or")},
    "gt": _swapped("lt"),
    "ge": _swapped("le"),
    "pow": TapeBuilder.power,
    "mm": lambda b, x, k: b.div(x, b.add(k, x)),
    "digamma": _as_written("digamma"),
    "exprel_slope": lambda b, x: b.make("exprel_slope", x, attrs=1),
    "where": _where,
}


def as_number(b: TapeBuilder, node: Node) -> Node:
    """A condition as 0 or 1; a number as it is."""
    return b.select(node, b.const(1.0), b.const(0.0)) if b.boolean[node] else node


# ---- everything else ------------------------------------------------------------------------------------------------
def lower_node(b: TapeBuilder, sources: Sources, op: str, data: Any, args: Sequence[Node]) -> Node:
    """One operation of an expression on lowered operands (scalars, or vectors of one length)."""
    return LOWER[op](b, *args) if op in LOWER else _OTHER[op](b, sources, data, args)


def _symbol(b: TapeBuilder, sources: Sources, symbol: Symbol, args: Sequence[Node]) -> Node:
    name, place = sources.place(symbol)
    whole = b.input(name, sources.shapes[name])
    return whole if place < 0 else b.element(whole, place)


def _table(b: TapeBuilder, sources: Sources, name: str, args: Sequence[Node]) -> Node:
    return b.make("table", *args, attrs=(sources.tables[name], (0,) * len(args)))


def _table_slope(b: TapeBuilder, sources: Sources, data: tuple[Any, ...], args: Sequence[Node]) -> Node:
    return b.make("table", *args, attrs=(sources.tables[data[0]], tuple(data[1:].count(j) for j in range(len(args)))))


def _net(b: TapeBuilder, sources: Sources, name: str, args: Sequence[Node]) -> Node:
    return sources.networks[name](b, b.concat(args))


def _net_jacobian(b: TapeBuilder, sources: Sources, name: str, args: Sequence[Node]) -> Node:
    return network_jacobian(b, sources.network(name), b.concat(args))


def network_jacobian(b: TapeBuilder, network: Lowering, x: Node) -> Node:
    """The derivatives of the outputs by the inputs: flat over (output, input), or over (output, input, evaluation)."""
    tape = _jacobian_tape(network, b.shape(x))
    return b.inline(tape, {"x": x})[tape.output("jacobian")]


def _jacobian_of(network: Lowering, b: TapeBuilder, x: Node) -> Node:
    """The Jacobian as a network of its own, (outputs*inputs,) or (outputs*inputs, k)."""
    flat = network_jacobian(b, network, x)
    rows = b.shape(flat)[0]
    if len(b.shape(x)) == 1:
        return flat
    k = b.shape(x)[1]
    return b.gather(flat, range(rows), (rows // k, k))


def _jacobian_tape(network: Lowering, shape: Shape) -> Tape:
    """By one sweep of tangents for each input."""
    b = TapeBuilder()
    x = b.input("x", shape)
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
    return b.finish({"jacobian": b.gather(b.concat(columns), at)})


_OTHER: dict[str, Callable[[TapeBuilder, Sources, Any, Sequence[Node]], Node]] = {
    "const": lambda b, sources, value, args: b.const(value),
    "sym": _symbol,
    "table": _table,
    "table_slope": _table_slope,
    "net": _net,
    "net_jacobian": _net_jacobian,
    "out": lambda b, sources, number, args: b.element(args[0], number),
}
