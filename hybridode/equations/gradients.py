"""Derivatives of an expression by its leaves, worked out once per shape and cached.

A long sum is taken term by term. Beyond a budget (many different shapes, or one very large) our own rules take over.
"""

from __future__ import annotations

from hybridode.equations.alpha import instantiate, shape_by_leaves
from hybridode.equations.derivative_rules import LEAVES, down_to_leaves, gradient, total
from hybridode.equations.shapes import Algebra
from hybridode.expr import ONE, Expr, mul, neg

MOST_SHAPES = 200
LARGEST = 400  # nodes of a shape, counted as a tree
DEEPEST = 30  # SymPy recurses


class ShapeCache:
    """Partial derivatives by shape. One object may serve many models; `shapes` are those that went through SymPy."""

    def __init__(self, most_shapes: int = MOST_SHAPES) -> None:
        self.most_shapes = most_shapes
        self.shapes: dict[Expr, dict[int, Expr] | None] = {}
        self._algebra = Algebra()

    def gradient(self, e: Expr) -> dict[Expr, Expr]:
        """Like `derivative_rules.gradient`: {leaf: partial derivative}, zeros left out."""
        parts: dict[Expr, list[Expr]] = {}
        for term, sign in _terms(e):
            for leaf, slope in self._term(term).items():
                parts.setdefault(leaf, []).append(mul(slope, sign))
        sums = {leaf: total(slopes) for leaf, slopes in parts.items()}
        return {leaf: value for leaf, value in sums.items() if value.value != 0.0}

    def _term(self, e: Expr) -> dict[Expr, Expr]:
        if e.op in LEAVES:
            return {e: ONE}
        if e.op == "const":
            return {}
        nodes = list(down_to_leaves(e))
        if not _fits(nodes):
            return gradient(e)
        shape = shape_by_leaves(nodes, e, LEAVES)
        if shape.expr not in self.shapes:
            if len(self.shapes) >= self.most_shapes:
                return gradient(e)
            self.shapes[shape.expr] = self._algebra.partials(shape.expr)
        partials = self.shapes[shape.expr]
        if partials is None:
            return gradient(e)
        wanted = [i for i in partials if shape.leaves[i].op != "const"]
        values = instantiate([partials[i] for i in wanted], shape.leaves)
        return {shape.leaves[i]: value for i, value in zip(wanted, values, strict=True)}


def _terms(e: Expr) -> list[tuple[Expr, Expr]]:
    """The terms of a sum with their signs (1 or -1), in order."""
    out: list[tuple[Expr, Expr]] = []
    stack = [(e, ONE)]
    while stack:
        x, sign = stack.pop()
        if x.op == "add":
            stack.extend((a, sign) for a in reversed(x.args))
        elif x.op == "neg":
            stack.append((x.args[0], neg(sign)))
        else:
            out.append((x, sign))
    return out


def _fits(nodes: list[Expr]) -> bool:
    """Whether a shape is small enough, as a tree, for SymPy. `nodes`: arguments first, the root last."""
    size: dict[Expr, tuple[int, int]] = {}  # nodes, depth
    for e in nodes:
        below = () if e.op in LEAVES else [size[a] for a in e.args]
        size[e] = (1 + sum(n for n, _ in below), 1 + max((d for _, d in below), default=0))
        if size[e][0] > LARGEST or size[e][1] > DEEPEST:
            return False
    return True
