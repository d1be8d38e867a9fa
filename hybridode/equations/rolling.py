"""Scalar expressions of one shape gathered into families, whether they were written as a family or line by line."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from hybridode.equations.alpha import KEPT
from hybridode.equations.system import EquationSystem
from hybridode.expr import Expr, Symbol, node, postorder, substitute
from hybridode.rolled import ROLLED_FROM, Column, Family, Piece, Totals, pieces_of, slot, whole

ENOUGH = 2 * ROLLED_FROM  # expressions in all from which it is worth looking for shapes


def roll(system: EquationSystem) -> EquationSystem:
    """Equations that are left single and differ in their numbers too, gathered into families."""
    initial = system.initial
    vectors = [
        rolled(pieces_of(v), len(v), numbers=True) for v in (system.rates, system.starts, initial.equations if initial else ())
    ]
    # Intermediates stay as they are: they stand in an order that another grouping would not keep.
    return replace(system, rates=vectors[0], starts=vectors[1], initial=initial and replace(initial, equations=vectors[2]))


def substituted(pieces: Iterable[Piece], known: Mapping[Symbol, Expr]) -> list[Piece]:
    """The pieces with symbols replaced. A member whose leaf becomes more than a leaf is written out."""
    found: list[Piece] = []
    for places, family in pieces:
        new = _substituted(family, known)
        if new is not None:
            found.append(Piece(places, new))
        else:
            members = substitute(family.expand(), known)
            found += [Piece((k,), Family(e, (), 1)) for k, e in zip(places, members, strict=True)]
    return found


def _substituted(family: Family, known: Mapping[Symbol, Expr]) -> Family | None:
    (template,) = substitute((family.template,), known)
    columns: list[Column] = []
    for column in family.columns:
        if isinstance(column, Totals):
            inner = _substituted(column.family, known)
            if inner is None:
                return None
            columns.append(Totals(column.lengths, inner))
            continue
        new = tuple([known.get(e.data, e) if e.op == "sym" else e for e in column])
        if any(e.op not in ("sym", "const") for e in set(new)):
            return None
        columns.append(new)
    return Family(template, tuple(columns), family.count)


def rolled(pieces: Sequence[Piece], length: int, numbers: bool = False) -> Sequence[Expr]:
    """The vector of these pieces, its single expressions gathered by shape. `numbers`: those may differ within a shape."""
    alone = [p for p in pieces if p.family.count == 1]
    if len(alone) < ENOUGH:
        return whole(pieces, length)
    groups: dict[Any, list[tuple[int, Expr, list[Expr]]]] = {}
    seen: dict[Expr, tuple[Any, list[Expr]]] = {}
    for places, family in alone:
        (e,) = family.expand()
        if e not in seen:
            seen[e] = shape_of(e, numbers)
        key, leaves = seen[e]
        groups.setdefault(key, []).append((places[0], e, leaves))
    made = [p for p in pieces if p.family.count != 1]
    for members in groups.values():
        if len(members) < ROLLED_FROM:
            made += [Piece((place,), Family(e, (), 1)) for place, e, _ in members]
        else:
            made.append(gathered(members))
    return whole(made, length)


def shape_of(root: Expr, numbers: bool) -> tuple[Any, list[Expr]]:
    """What two expressions of one shape share, and the leaves in which they may differ, in order of first occurrence."""
    number: dict[Expr, int] = {}
    leaves: list[Expr] = []
    steps: list[Any] = []
    for e in postorder((root,)):
        op = e.op
        if op == "sym" or (numbers and op == "const" and e.data not in KEPT):
            number[e] = ~len(leaves)
            leaves.append(e)
            continue
        number[e] = len(steps)
        if op == "const":
            steps.append(e.data.hex())
        elif op == "pow" and numbers and e.args[1].op == "const":  # an exponent belongs to the shape
            steps.append((op, e.args[1].data.hex(), number[e.args[0]]))
        else:
            steps.append((op, e.data, *[number[a] for a in e.args]))
    return (*steps, len(leaves)), leaves


def gathered(members: Sequence[tuple[int, Expr, list[Expr]]]) -> Piece:
    """One family of expressions of one shape; what all of them read stands in the template."""
    _, first, own = members[0]
    columns: list[Column] = []
    new: dict[Expr, Expr] = {}
    for leaf, column in zip(own, zip(*(leaves for _, _, leaves in members), strict=True), strict=True):
        if any(e is not leaf for e in column):
            new[leaf] = slot(len(columns))
            columns.append(column)
    template = _renamed(first, new)
    return Piece(tuple([place for place, _, _ in members]), Family(template, tuple(columns), len(members)))


def _renamed(root: Expr, new: Mapping[Expr, Expr]) -> Expr:
    """An expression with leaves replaced; exponents stay as they are."""
    done: dict[Expr, Expr] = {}
    for e in postorder((root,)):
        args = tuple([done[a] for a in e.args])
        if e.op == "pow" and e.args[1].op == "const":
            args = (args[0], e.args[1])
        done[e] = new.get(e) or (e if args == e.args else node(e.op, args, e.data))
    return done[root]
