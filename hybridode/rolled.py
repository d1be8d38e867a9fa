"""Many expressions of one shape as one template and the columns of its leaves.

A `Family` says what `for i in 1..n` says: its members differ only in what stands in the template's slots. A slot is a
symbol of kind "slot" whose index is the number of a column; a column has one leaf per member, or it is `Totals`: sums over
an index, each over members of another family. Nothing here is expanded before somebody asks for the scalar expressions.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

from hybridode.expr import ZERO, Expr, Symbol, node, postorder


@dataclass(frozen=True)
class Family:
    """Members that share a template. All columns are as long as the family."""

    template: Expr
    columns: tuple[Column, ...]
    count: int

    def expand(self) -> list[Expr]:
        """The scalar expressions of the members."""
        if not self.columns:
            return [self.template] * self.count
        leaves = [c.expand() if isinstance(c, Totals) else c for c in self.columns]
        root, steps = _program(self.template)
        if root < len(leaves):
            return list(leaves[root])
        found = []
        for member in zip(*leaves, strict=True):
            values: list[Expr] = list(member)
            for op, operands, data in steps:
                values.append(data if operands is None else node(op, [values[k] for k in operands], data))
            found.append(values[root])
        return found


@dataclass(frozen=True)
class Totals:
    """Sums of consecutive members of a family: as many of them as `lengths` says, one sum per length (0 where it is 0)."""

    lengths: tuple[int, ...]
    family: Family

    def expand(self) -> tuple[Expr, ...]:
        terms = self.family.expand()
        ends = list(accumulate(self.lengths))
        return tuple(_sum(terms[end - length : end]) for length, end in zip(self.lengths, ends, strict=True))


Column = tuple[Expr, ...] | Totals


def _sum(terms: Sequence[Expr]) -> Expr:
    return ZERO if not terms else terms[0] if len(terms) == 1 else node("add", terms)


def slot(i: int) -> Expr:
    """The place of column i in a template."""
    return node("sym", (), Symbol("slot", "", i))


def _program(template: Expr) -> tuple[int, list[tuple[str, tuple[int, ...] | None, Any]]]:
    """The template as steps on numbered values, of which the columns come first; what has no slot below it is one step."""
    order = list(postorder((template,)))
    moving: set[Expr] = set()
    columns = 0
    for e in order:
        if e.op == "sym" and e.data.kind == "slot":
            columns = max(columns, e.data.index + 1)
            moving.add(e)
        elif any(a in moving for a in e.args):
            moving.add(e)
    place: dict[Expr, int] = {}
    steps: list[tuple[str, tuple[int, ...] | None, Any]] = []

    def fixed(e: Expr) -> int:
        if e not in place:
            place[e] = columns + len(steps)
            steps.append((e.op, None, e))
        return place[e]

    for e in order:
        if e.op == "sym" and e.data.kind == "slot":
            place[e] = e.data.index
        elif e in moving:
            operands = tuple([place[a] if a in moving else fixed(a) for a in e.args])
            place[e] = columns + len(steps)
            steps.append((e.op, operands, e.data))
    return (place[template] if template in moving else fixed(template)), steps
