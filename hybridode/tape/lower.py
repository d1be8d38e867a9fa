"""From one scalar expression's operation to the tape's: the same functions serve scalars and whole groups."""

from __future__ import annotations

from collections.abc import Callable

from hybridode.expr import Expr
from hybridode.tape.tape import TapeBuilder

Node = int


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
    "relu", "heaviside", "div", "atan2", "mod", "lt", "le", "eq", "ne", "hill",
)  # fmt: skip

LOWER: dict[str, Callable[..., Node]] = {
    **{op: _as_written(op) for op in _ELEMENTWISE},
    **{op: _left_to_right(op) for op in ("add", "mul", "min", "max", "and", "or")},
    "gt": _swapped("lt"),
    "ge": _swapped("le"),
    "pow": TapeBuilder.power,
    "mm": lambda b, x, k: b.div(x, b.add(k, x)),
    "where": _where,
}


def as_number(b: TapeBuilder, node: Node) -> Node:
    """A condition as 0 or 1; a number as it is."""
    return b.select(node, b.const(1.0), b.const(0.0)) if b.boolean[node] else node


def is_leaf(e: Expr) -> bool:
    return e.op in ("sym", "const")
