"""Forward and reverse rules: how tangents and cotangents pass through an operation.

`forward(builder, node, tangents)` takes one tangent per operand (None: zero) and gives the node's, possibly narrower than the
node where a scalar stands for all elements. `reverse(builder, node, cotangent)` gives each operand's share in its shape.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from hybridode.tape.rules import Rule
from hybridode.tape.shapes import size

if TYPE_CHECKING:
    from hybridode.tape.tape import TapeBuilder

Node = int
Shares = tuple["Node | None", ...]


def times(b: TapeBuilder, tangent: Node | None, factor: Node | None) -> Node | None:
    """Product in which a zero that is known to be one stays one (None)."""
    if tangent is None or factor is None or b.constant_of(factor) == 0.0 or b.constant_of(tangent) == 0.0:
        return None
    return b.mul(tangent, factor)


def plus(b: TapeBuilder, x: Node | None, y: Node | None) -> Node | None:
    """Sum in which None is zero."""
    return y if x is None else x if y is None else b.add(x, y)


def narrow(b: TapeBuilder, x: Node | None, node: Node) -> Node | None:
    """A cotangent summed to the shape of a scalar that stood for every element."""
    return b.sum(x) if x is not None and b.shape(node) == () and b.shape(x) != () else x


# ---- elementwise ----------------------------------------------------------------------------------------------------
def chain_forward(partials: Rule) -> Callable[[TapeBuilder, Node, Sequence[Node | None]], Node | None]:
    """Chain rule from the partial derivatives."""

    def forward(b: TapeBuilder, node: Node, tangents: Sequence[Node | None]) -> Node | None:
        total: Node | None = None
        for tangent, partial in zip(tangents, partials(b, node, *b.instructions[node].args), strict=True):
            total = plus(b, total, times(b, tangent, partial))
        return total

    return forward


def chain_reverse(partials: Rule) -> Callable[[TapeBuilder, Node, Node], Shares]:
    """Chain rule from the partial derivatives, backwards."""

    def reverse(b: TapeBuilder, node: Node, cotangent: Node) -> Shares:
        args = b.instructions[node].args
        shares = (times(b, cotangent, p) for p in partials(b, node, *args))
        return tuple(narrow(b, s, a) for s, a in zip(shares, args, strict=True))

    return reverse


def select_forward(b: TapeBuilder, node: Node, tangents: Sequence[Node | None]) -> Node | None:
    condition = b.instructions[node].args[0]
    zero = b.const(0.0)
    yes, no = (zero if t is None else t for t in tangents[1:])
    return b.select(condition, yes, no)


def select_reverse(b: TapeBuilder, node: Node, cotangent: Node) -> Shares:
    condition, yes, no = b.instructions[node].args
    zero = b.const(0.0)
    return None, narrow(b, b.select(condition, cotangent, zero), yes), narrow(b, b.select(condition, zero, cotangent), no)


# ---- structural -----------------------------------------------------------------------------------------------------
def same_forward(b: TapeBuilder, node: Node, tangents: Sequence[Node | None]) -> Node | None:
    """A linear operation of one operand does to the tangent what it does to the value."""
    if tangents[0] is None:
        return None
    op, _, attrs, shape = b.instructions[node]
    return b.make(op, tangents[0], attrs=attrs, shape=None if op == "sum" else shape)


def gather_reverse(b: TapeBuilder, node: Node, cotangent: Node) -> Shares:
    i = b.instructions[node]
    return (b.scatter_add(cotangent, i.attrs, b.shape(i.args[0])),)


def scatter_add_reverse(b: TapeBuilder, node: Node, cotangent: Node) -> Shares:
    i = b.instructions[node]
    return (b.gather(cotangent, i.attrs, b.shape(i.args[0])),)


def concat_forward(b: TapeBuilder, node: Node, tangents: Sequence[Node | None]) -> Node | None:
    _, args, _, shape = b.instructions[node]
    zero = b.const(0.0)
    return b.concat([b.broadcast(zero, b.shape(a)) if t is None else t for a, t in zip(args, tangents, strict=True)], shape)


def concat_reverse(b: TapeBuilder, node: Node, cotangent: Node) -> Shares:
    shares, at = [], 0
    for a in b.instructions[node].args:
        n = size(b.shape(a))
        shares.append(b.gather(cotangent, range(at, at + n), b.shape(a)))
        at += n
    return tuple(shares)


def broadcast_reverse(b: TapeBuilder, node: Node, cotangent: Node) -> Shares:
    return (b.sum(cotangent, b.instructions[node].attrs),)


def sum_reverse(b: TapeBuilder, node: Node, cotangent: Node) -> Shares:
    i = b.instructions[node]
    return (b.broadcast(cotangent, b.shape(i.args[0]), i.attrs),)


# ---- bilinear -------------------------------------------------------------------------------------------------------
def bilinear_forward(b: TapeBuilder, node: Node, tangents: Sequence[Node | None]) -> Node | None:
    op, (x, y), attrs, _ = b.instructions[node]
    dx, dy = tangents
    left = None if dx is None else b.make(op, dx, y, attrs=attrs)
    return plus(b, left, None if dy is None else b.make(op, x, dy, attrs=attrs))


def matvec_reverse(b: TapeBuilder, node: Node, cotangent: Node) -> Shares:
    a, x = b.instructions[node].args
    return b.make("outer", cotangent, x), b.make("matvec_transposed", a, cotangent)


def matvec_transposed_reverse(b: TapeBuilder, node: Node, cotangent: Node) -> Shares:
    a, x = b.instructions[node].args
    return b.make("outer", x, cotangent), b.make("matvec", a, cotangent)


def outer_reverse(b: TapeBuilder, node: Node, cotangent: Node) -> Shares:
    x, y = b.instructions[node].args
    return b.make("matvec", cotangent, y), b.make("matvec_transposed", cotangent, x)


def matmul_reverse(b: TapeBuilder, node: Node, cotangent: Node) -> Shares:
    """C = A B gives A: G B', B: A' G; an operand that enters transposed gets the transpose of that."""
    _, (a, c), (left, right), _ = b.instructions[node]
    # d(A') = G B', so dA = B G'; in terms of the stored operands and the flags:
    da = b.make("matmul", c, cotangent, attrs=(right, True)) if left else b.make("matmul", cotangent, c, attrs=(False, not right))
    dc = b.make("matmul", cotangent, a, attrs=(True, left)) if right else b.make("matmul", a, cotangent, attrs=(not left, False))
    return da, dc
