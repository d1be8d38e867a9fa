"""The shape of an expression: its leaves renamed to slots 0, 1, 2, … in order of first occurrence.

Two equations that differ only in names (and numbers) have one shape, so what is worked out for a shape is worked out once. No
name of the user's is left in it.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from hybridode.expr import Expr, Symbol, node, postorder

KEPT = frozenset({0.0, 1.0, -1.0, 2.0})  # numbers that rules look at, and that no derivative should hide


class Shape(NamedTuple):
    """`expr` reads symbols of kind "slot"; slot i stands for `leaves[i]`."""

    expr: Expr
    leaves: tuple[Expr, ...]


def slot(i: int) -> Expr:
    return node("sym", (), Symbol("slot", "", i))


def shape_by_names(e: Expr) -> Shape:
    """Only symbols become slots; numbers, networks and tables stay."""
    return _renamed(postorder((e,)), e, frozenset({"sym"}), numbers=False)


def shape_by_leaves(nodes: Iterable[Expr], e: Expr, leaves: frozenset[str], numbers: bool = True) -> Shape:
    """Nodes of the operations `leaves` become slots, and so do `numbers`, but the KEPT ones and whole exponents.

    `nodes`: those below `e` down to such leaves, arguments first.
    """
    return _renamed(nodes, e, leaves, numbers)


def _renamed(nodes: Iterable[Expr], root: Expr, leaves: frozenset[str], numbers: bool) -> Shape:
    new: dict[Expr, Expr] = {}
    found: list[Expr] = []
    for e in nodes:
        if e.op in leaves or (numbers and e.op == "const" and e.data not in KEPT):
            new[e] = slot(len(found))
            found.append(e)
            continue
        args = tuple(new[a] for a in e.args)
        if e.op == "pow" and numbers and whole(e.args[1]):
            args = (args[0], e.args[1])
        new[e] = e if args == e.args else node(e.op, args, e.data)
    return Shape(new[root], tuple(found))


def whole(e: Expr) -> bool:
    """Whether this is a literal whole number (of moderate size)."""
    return e.value is not None and abs(e.value) < 1e6 and e.value == round(e.value)


def instantiate(exprs: Iterable[Expr], leaves: tuple[Expr, ...]) -> tuple[Expr, ...]:
    """Expressions of slots with the leaves put in."""
    roots = tuple(exprs)
    new: dict[Expr, Expr] = {}
    for e in postorder(roots):
        if e.op == "sym" and e.data.kind == "slot":
            new[e] = leaves[e.data.index]
        else:
            args = tuple(new[a] for a in e.args)
            new[e] = e if args == e.args else node(e.op, args, e.data)
    return tuple(new[r] for r in roots)
