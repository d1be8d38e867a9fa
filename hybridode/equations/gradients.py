"""Derivatives of an expression by its leaves, worked out once per shape and cached.

A long sum is taken term by term. Beyond a budget (many different shapes, or one very large) our own rules take over.
"""

from __future__ import annotations

from hybridode.equations.alpha import instantiate, shape_by_leaves
from hybridode.equations.derivative_rules import LEAVES, Wanted, down_to_leaves, every_leaf, gradient, total
from hybridode.equations.kept import keep, kept, key_of
from hybridode.equations.shapes import Algebra
from hybridode.expr import ONE, Expr, mul, neg

MOST_SHAPES = 200
MOST_WORK = 6000  # nodes times derivatives that SymPy is given in all, about 0.3 ms each
LARGEST = 400  # nodes of a shape, counted as a tree
DEEPEST = 30  # SymPy recurses
Key = tuple[Expr, tuple[int, ...]]


class ShapeCache:
    """Partial derivatives by shape. One object may serve many models.

    `shapes`: (shape, slots by which it is differentiated) -> {slot: derivative}, None where SymPy's answer has no word of ours.
    """

    def __init__(self, most_shapes: int = MOST_SHAPES, most_work: int = MOST_WORK) -> None:
        self.most_shapes = most_shapes
        self.most_work = most_work
        self.work = 0
        self.shapes: dict[Key, dict[int, Expr] | None] = {}
        self._algebra = Algebra()

    def gradient(self, e: Expr, wanted: Wanted = every_leaf) -> dict[Expr, Expr]:
        """Like `derivative_rules.gradient`: {wanted leaf: partial derivative}, zeros left out."""
        parts: dict[Expr, list[Expr]] = {}
        for term, sign in _terms(e):
            for leaf, slope in self._term(term, wanted).items():
                parts.setdefault(leaf, []).append(mul(slope, sign))
        sums = {leaf: total(slopes) for leaf, slopes in parts.items()}
        return {leaf: value for leaf, value in sums.items() if value.value != 0.0}

    def _term(self, e: Expr, wanted: Wanted) -> dict[Expr, Expr]:
        if e.op in LEAVES:
            return {e: ONE} if wanted(e) else {}
        nodes = list(down_to_leaves(e))
        if not any(x.op in LEAVES and wanted(x) for x in nodes):
            return {}
        if not _fits(nodes):
            return gradient(e, wanted)
        shape = shape_by_leaves(nodes, e, LEAVES)
        by = tuple(i for i, leaf in enumerate(shape.leaves) if leaf.op != "const" and wanted(leaf))
        partials = self._partials(shape.expr, by, len(nodes))
        if partials is None:
            return gradient(e, wanted)
        values = instantiate(partials.values(), shape.leaves)
        return {shape.leaves[i]: value for i, value in zip(partials, values, strict=True)}

    def _partials(self, shape: Expr, by: tuple[int, ...], nodes: int) -> dict[int, Expr] | None:
        """The derivatives of a shape, None if it is beyond the budget."""
        key = (shape, by)
        if key not in self.shapes:
            work = nodes * len(by)
            if len(self.shapes) >= self.most_shapes or self.work + work > self.most_work:
                return None
            self.work += work
            name = key_of(shape, by)
            found = kept(name)
            if found is None:
                found = self._algebra.partials(shape, by)
                keep(name, found)
            self.shapes[key] = found
        return self.shapes[key]


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
