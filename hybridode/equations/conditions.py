"""Conditions as numbers: a guard is positive where its condition holds, and continuous, so that the instant can be found."""

from __future__ import annotations

from collections.abc import Mapping

from hybridode.expr import Expr, Symbol, node, postorder, substitute, symbols


def guard_of(condition: Expr) -> Expr:
    """A number that is positive where the condition holds and negative where it does not; 0 only at the border.

    `a < b` gives b - a, `and` the least, `or` the largest, `not` the negative. Where a part is an equality, the
    guard is -|a - b|: 0 where it holds (such parts only change with discretes, so nothing is located by them).
    """
    made: dict[Expr, Expr] = {}
    for e in postorder((condition,)):
        if e.op in COMPARISONS:
            made[e] = COMPARISONS[e.op](*e.args)
        elif e.op in ("and", "or"):
            made[e] = node("min" if e.op == "and" else "max", tuple(made[a] for a in e.args))
        elif e.op == "not":
            made[e] = node("neg", (made[e.args[0]],))
        elif e.op == "where" and e.args[1] in made:
            c, a, b = (made[x] for x in e.args)
            made[e] = node("max", (node("min", (c, a)), node("min", (node("neg", (c,)), b))))
    return made[condition]


def _difference(a: Expr, b: Expr) -> Expr:
    return node("add", (a, node("neg", (b,))))


COMPARISONS = {
    "lt": lambda a, b: _difference(b, a),
    "le": lambda a, b: _difference(b, a),
    "gt": _difference,
    "ge": _difference,
    "eq": lambda a, b: node("neg", (node("abs", (_difference(a, b),)),)),
    "ne": lambda a, b: node("abs", (_difference(a, b),)),
}


def without_conditions_by_name(e: Expr, bodies: Mapping[Symbol, Expr], boolean: frozenset[Symbol]) -> Expr:
    """The expression with the intermediates that hold conditions put in."""
    while True:
        named = [s for s in symbols(e) if s in boolean]
        if not named:
            return e
        (e,) = substitute((e,), {s: bodies[s] for s in named})
