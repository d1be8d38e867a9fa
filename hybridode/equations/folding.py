"""Folding of what is certain: arithmetic of numbers that IEEE defines to the last bit, and neutral elements.

Nothing is reordered, and functions that different machines round differently (exp, log, x^0.3) are left to run time.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable

from hybridode.equations.system import EquationSystem
from hybridode.equations.whole_system import over_expressions
from hybridode.expr import ONE, ZERO, Expr, const, div, mul, neg, node, pow_, rebuild

COMPARE: dict[str, Callable[[float, float], bool]] = {
    "lt": operator.lt, "le": operator.le, "gt": operator.gt, "ge": operator.ge, "eq": operator.eq, "ne": operator.ne,
}  # fmt: skip
TRUE, FALSE = node("le", (ZERO, ZERO)), node("lt", (ZERO, ZERO))
EXACT: dict[str, Callable[[float], float]] = {  # one argument, the same bits everywhere
    "abs": abs,
    "floor": lambda a: float(math.floor(a)) if math.isfinite(a) else a,
    "sign": lambda a: math.copysign(1.0, a) if a else 0.0,
    "heaviside": lambda a: 1.0 if a >= 0 else 0.0,
    "relu": lambda a: max(a, 0.0),
    "sqrt": lambda a: math.sqrt(a) if a >= 0 else math.nan,
}
POINTS: dict[tuple[str, float], Expr] = {  # values at a point that every library has right
    **{(op, 0.0): ONE for op in ("exp", "exprel", "cos", "cosh")},
    **{(op, 0.0): ZERO for op in ("sin", "tan", "tanh", "sinh", "expm1", "log1p", "atan", "asin", "asinh", "atanh", "erf")},
    **{(op, 1.0): ZERO for op in ("log", "log10", "log2", "acosh")},
}


def fold(system: EquationSystem) -> EquationSystem:
    """The system with numbers folded in every expression."""
    return over_expressions(system, lambda exprs: rebuild(exprs, folded))


def folded(old: Expr, args: tuple[Expr, ...]) -> Expr | None:
    """What a node with these (folded) arguments folds to, None if it stays."""
    op = old.op
    if op in ("add", "mul"):
        return _fold_chain(op, args)
    if op == "neg":
        return neg(args[0])
    if op == "div":
        a, b = args[0].value, args[1].value
        return const(a / b) if a is not None and b else div(*args) if b else None
    if op == "pow":
        return _fold_power(*args)
    if op in ("and", "or", "not"):
        return _fold_condition(op, args)
    if op == "where":
        truth = _truth(args[0])
        return None if truth is None else args[1] if truth else args[2]
    if op in ("min", "max") and all(a.value is not None for a in args):
        return const((min if op == "min" else max)(a.value for a in args if a.value is not None))
    if len(args) == 1 and args[0].value is not None:
        point = POINTS.get((op, args[0].value))
        return point if point is not None else const(EXACT[op](args[0].value)) if op in EXACT else None
    return None


def _fold_chain(op: str, args: tuple[Expr, ...]) -> Expr:
    """A sum or product from left to right: leading numbers are worked out, neutral elements vanish."""
    at, value = 1, args[0].value
    while value is not None and at < len(args) and args[at].value is not None:
        value = value + args[at].value if op == "add" else value * args[at].value  # type: ignore[operator]
        at += 1
    kept = args if value is None else (const(value), *args[at:])
    if op == "mul":
        return mul(*kept)
    kept = tuple(a for a in kept if a.value != 0.0)
    return ZERO if not kept else kept[0] if len(kept) == 1 else node("add", kept)


def _fold_power(a: Expr, n: Expr) -> Expr | None:
    if a.value is None or n.value is None:
        return pow_(a, n) if n.value in (0.0, 1.0) else None
    if a.value == round(a.value) and n.value == round(n.value) and 0 <= n.value <= 64 and abs(a.value) < 2**53:
        exact = int(a.value) ** int(n.value)
        return const(exact) if abs(exact) <= 2**53 else None
    return None


def _fold_condition(op: str, args: tuple[Expr, ...]) -> Expr | None:
    """Conditions that are settled leave `and` and `or`, or settle them."""
    truths = [_truth(a) for a in args]
    if op == "not":
        return None if truths[0] is None else FALSE if truths[0] else TRUE
    settling = op == "or"
    if settling in truths:
        return TRUE if settling else FALSE
    open_ = [a for a, truth in zip(args, truths, strict=True) if truth is None]
    if not open_:
        return FALSE if settling else TRUE
    return open_[0] if len(open_) == 1 else node(op, open_)


def _truth(e: Expr) -> bool | None:
    """Whether a condition of numbers holds, None if that is open."""
    if e.op in COMPARE and e.args[0].value is not None and e.args[1].value is not None:
        return COMPARE[e.op](e.args[0].value, e.args[1].value)
    return None
