"""What the builder folds: rewritings of one operation that change no IEEE result (signs of zero and NaN included).

A fold takes (builder, operation, operands, attributes, shape) and gives a node, or None to leave the operation as it is.
`x*0` and `x + 0` are not among them: zeros that are known from a derivation are None there and never become nodes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import groupby
from typing import TYPE_CHECKING, Any

import numpy as np

from hybridode.tape.ops import OPS
from hybridode.tape.shapes import Indices, Shape, extent, indices, size

if TYPE_CHECKING:
    from hybridode.tape.tape import TapeBuilder

Node = int
Fold = Callable[["TapeBuilder", str, "tuple[Node, ...]", Any, "Shape | None"], "Node | None"]
_LARGEST_FOLDED = 100_000  # elements of a constant that is computed while building
_MANY = 8  # times that one scalar follows itself in a concatenation, from which on it is spread


# ---- elementwise ----------------------------------------------------------------------------------------------------
def _elementwise(b: TapeBuilder, op: str, args: tuple[Node, ...], attrs: Any, shape: Shape | None) -> Node | None:
    """Constants are computed; what is spread over a shape is narrowed; then the operation's own rule."""
    nodes = b.instructions
    every_constant, spread = True, False
    for a in args:
        name = nodes[a].op
        if name == "broadcast":
            spread = spread or nodes[a].attrs is None
        elif name != "const":
            every_constant = False
    if spread:
        narrowed = _narrowed(b, op, args, attrs)
        if narrowed is not None:
            return narrowed
    elif every_constant:
        return _computed(b, op, args, attrs)
    own = _OWN.get(op)
    return None if own is None else own(b, *args)


def _narrowed(b: TapeBuilder, op: str, args: tuple[Node, ...], attrs: Any) -> Node | None:
    """Spread scalars as scalars: beside an operand of full shape they stand for every element anyway."""
    nodes = b.instructions
    sources = tuple(nodes[a].args[0] if nodes[a].op == "broadcast" and nodes[a].attrs is None else a for a in args)
    if sources == args:
        return None
    result = b.make(op, *sources, attrs=attrs)
    full = next(b.shape(a) for a in args if b.shape(a))
    return result if b.shape(result) == full else b.broadcast(result, full)


def _computed(b: TapeBuilder, op: str, args: tuple[Node, ...], attrs: Any) -> Node | None:
    values = [np.array(b.instructions[a].attrs).reshape(b.shape(a))[()] for a in args if b.instructions[a].op == "const"]
    if len(values) < len(args) or max((np.size(v) for v in values), default=0) > _LARGEST_FOLDED:
        return None
    with np.errstate(all="ignore"):
        result = OPS[op].numpy(attrs, ())(*values)
    return b.constant(result)


def _is_minus(b: TapeBuilder, a: Node) -> bool:
    return b.instructions[a].op == "neg"


def _inside(b: TapeBuilder, a: Node) -> Node:
    return b.instructions[a].args[0]


def _wide(b: TapeBuilder, kept: Node, other: Node) -> Node | None:
    """`kept` if it has the shape of the result."""
    return kept if b.shape(kept) or not b.shape(other) else None


def _add(b: TapeBuilder, x: Node, y: Node) -> Node | None:
    if _is_minus(b, y):
        return b.make("sub", x, _inside(b, y))
    return b.make("sub", y, _inside(b, x)) if _is_minus(b, x) else None


def _sub(b: TapeBuilder, x: Node, y: Node) -> Node | None:
    zero = b.constant_of(y)
    if zero is not None and zero == 0.0 and not np.signbit(zero):
        return _wide(b, x, y)
    return b.make("add", x, _inside(b, y)) if _is_minus(b, y) else None


def _mul(b: TapeBuilder, x: Node, y: Node) -> Node | None:
    for factor, other in ((x, y), (y, x)):
        one = b.constant_of(factor)
        if one == 1.0:
            return _wide(b, other, factor)
        if one == -1.0 and (b.shape(other) or not b.shape(factor)):
            return b.make("neg", other)
    if _is_minus(b, x):
        return b.make("mul", _inside(b, x), _inside(b, y)) if _is_minus(b, y) else b.make("neg", b.make("mul", _inside(b, x), y))
    return b.make("neg", b.make("mul", x, _inside(b, y))) if _is_minus(b, y) else None


def _div(b: TapeBuilder, x: Node, y: Node) -> Node | None:
    one = b.constant_of(y)
    if one == 1.0:
        return _wide(b, x, y)
    if one == -1.0 and (b.shape(x) or not b.shape(y)):
        return b.make("neg", x)
    return b.make("neg", b.make("div", _inside(b, x), y)) if _is_minus(b, x) else None


def _neg(b: TapeBuilder, x: Node) -> Node | None:
    return _inside(b, x) if _is_minus(b, x) else None


def _not(b: TapeBuilder, x: Node) -> Node | None:
    return _inside(b, x) if b.instructions[x].op == "not" else None


def _select(b: TapeBuilder, condition: Node, x: Node, y: Node) -> Node | None:
    c = b.instructions[condition]
    if c.op == "const" and c.shape == ():
        chosen, other = (x, y) if c.attrs[0] else (y, x)
        return _wide(b, chosen, other)
    inner = b.instructions[x]
    if inner.op == "select" and inner.args[0] == condition:
        return x if inner.args[2] == y else b.select(condition, inner.args[1], y)
    return x if x == y and (b.shape(x) or not c.shape) else None


_OWN: dict[str, Callable[..., Node | None]] = {
    "add": _add, "sub": _sub, "mul": _mul, "div": _div, "neg": _neg, "not": _not, "select": _select,
}  # fmt: skip


# ---- structural -----------------------------------------------------------------------------------------------------
def _gather(b: TapeBuilder, op: str, args: tuple[Node, ...], attrs: Any, shape: Shape | None) -> Node | None:
    (a,) = args
    source = b.instructions[a]
    if shape == source.shape and attrs == range(size(source.shape)):
        return a
    rule = _GATHER_OF.get(source.op)
    return None if rule is None else rule(b, a, attrs, shape or ())


def _gather_of_const(b: TapeBuilder, a: Node, at: Indices, shape: Shape) -> Node:
    values = b.instructions[a].attrs
    return b.constant(np.array([values[k] for k in at]).reshape(shape))


def _gather_of_broadcast(b: TapeBuilder, a: Node, at: Indices, shape: Shape) -> Node:
    source, axis = b.instructions[a].args[0], b.instructions[a].attrs
    if axis is None:
        return b.broadcast(source, shape)
    columns = b.shape(a)[1]
    return b.gather(source, [k % columns if axis == 0 else k // columns for k in at], shape)


def _gather_of_gather(b: TapeBuilder, a: Node, at: Indices, shape: Shape) -> Node:
    _, (source,), inner, _ = b.instructions[a]
    return b.gather(source, composed(inner, at), shape)


def composed(inner: Indices, outer: Indices) -> Indices:
    """`inner[k] for k in outer`, a range where both are."""
    if isinstance(inner, range) and isinstance(outer, range):
        return inner[outer.start : outer.stop : outer.step] if outer.step > 0 else indices([inner[k] for k in outer])
    return indices([inner[k] for k in outer])


def _gather_of_concat(b: TapeBuilder, a: Node, at: Indices, shape: Shape) -> Node | None:
    """Read the part itself where all places lie in one; of scalars make the concatenation that is wanted."""
    parts = b.instructions[a].args
    if len(parts) == size(b.shape(a)) and all(b.shape(p) == () for p in parts):
        chosen = [parts[k] for k in at]
        return b.concat(chosen, shape) if shape else chosen[0]
    low, high = extent(at)
    start = 0
    for part in parts:
        stop = start + size(b.shape(part))
        if low < stop:
            if high >= stop:
                return None
            if b.shape(part) == ():
                return b.broadcast(part, shape)
            return b.gather(part, _shifted(at, -start), shape)
        start = stop
    return None


def _shifted(at: Indices, by: int) -> Indices:
    return range(at.start + by, at.stop + by, at.step) if isinstance(at, range) else tuple([k + by for k in at])


def _gather_of_scatter(b: TapeBuilder, a: Node, at: Indices, shape: Shape) -> Node | None:
    """Read what was put there, if one element was put at each of the places."""
    _, (source,), places, _ = b.instructions[a]
    if len(at) > len(places):
        return None
    put: dict[int, int] = {}
    wanted = set(at)
    for k, place in enumerate(places):
        if place in wanted:
            if place in put:
                return None
            put[place] = k
    if len(put) < len(wanted):
        return None
    chosen = [put[place] for place in at]
    return b.broadcast(source, shape) if b.shape(source) == () else b.gather(source, chosen, shape)


_GATHER_OF: dict[str, Callable[[TapeBuilder, Node, Indices, Shape], Node | None]] = {
    "const": _gather_of_const, "broadcast": _gather_of_broadcast, "gather": _gather_of_gather,
    "concat": _gather_of_concat, "scatter_add": _gather_of_scatter,
}  # fmt: skip


def _scatter_add(b: TapeBuilder, op: str, args: tuple[Node, ...], attrs: Any, shape: Shape | None) -> Node | None:
    (a,) = args
    total = size(shape or ())
    if b.shape(a) == () and total == 1:
        return b.broadcast(a, shape or ())
    if len(attrs) != total or len(set(attrs)) < total:
        return None
    # Every place gets one element: a permutation.
    if attrs == range(total):
        return b.gather(a, attrs, shape)
    inverse = [0] * total
    for k, place in enumerate(attrs):
        inverse[place] = k
    return b.gather(a, inverse, shape)


def _concat(b: TapeBuilder, op: str, args: tuple[Node, ...], attrs: Any, shape: Shape | None) -> Node | None:
    """Nested concatenations flatten, slices of one source that follow each other join, constants join."""
    shape = shape or ()
    parts = _flat_parts(b, args)
    joined: list[Node] = []
    for a in parts:
        last = _joined(b, joined[-1], a) if joined else None
        if last is None:
            joined.append(a)
        else:
            joined[-1] = last
    if len(joined) == 1:
        a = joined[0]
        return b.broadcast(a, shape) if b.shape(a) == () else b.gather(a, range(size(shape)), shape)
    return None if tuple(joined) == args else b.node("concat", tuple(joined), attrs, shape)


def _flat_parts(b: TapeBuilder, args: Sequence[Node]) -> list[Node]:
    parts: list[Node] = []
    for a in args:
        i = b.instructions[a]
        parts.extend(i.args if i.op == "concat" else (a,))
    if len(parts) < _MANY:
        return parts
    found: list[Node] = []
    for a, run in groupby(parts):
        count = len(list(run))
        found.extend([a] * count if count < _MANY or b.shape(a) else [b.broadcast(a, (count,))])
    return found


def _joined(b: TapeBuilder, a: Node, c: Node) -> Node | None:
    """The one node that holds the elements of `a`, then those of `c`, or None."""
    first, second = b.instructions[a], b.instructions[c]
    if first.op == second.op == "const" and b.boolean[a] == b.boolean[c]:
        return b.constant(np.array((*first.attrs, *second.attrs)))
    if first.op == second.op == "gather" and first.args == second.args:
        at, more = first.attrs, second.attrs
        if isinstance(at, range) and isinstance(more, range):
            step = more[0] - at[-1]
            fits = step > 0 and (len(at) == 1 or at.step == step) and (len(more) == 1 or more.step == step)
            return b.gather(first.args[0], range(at[0], more[-1] + 1, step)) if fits and (step == 1 or len(at) > 1) else None
    return None


def _broadcast(b: TapeBuilder, op: str, args: tuple[Node, ...], attrs: Any, shape: Shape | None) -> Node | None:
    (a,) = args
    source = b.instructions[a]
    return b.broadcast(source.args[0], shape or ()) if source.op == "broadcast" and source.attrs is None else None


def _sum(b: TapeBuilder, op: str, args: tuple[Node, ...], attrs: Any, shape: Shape | None) -> Node | None:
    (a,) = args
    if b.shape(a) == () or (attrs is None and size(b.shape(a)) == 1):
        return b.element(a, 0) if b.shape(a) else a
    return None


def _none(b: TapeBuilder, op: str, args: tuple[Node, ...], attrs: Any, shape: Shape | None) -> Node | None:
    return None


_STRUCTURAL: dict[str, Fold] = {
    "gather": _gather, "scatter_add": _scatter_add, "concat": _concat, "broadcast": _broadcast, "sum": _sum,
}  # fmt: skip
FOLDS: dict[str, Fold] = {name: _STRUCTURAL.get(name, _elementwise if row.elementwise else _none) for name, row in OPS.items()}
