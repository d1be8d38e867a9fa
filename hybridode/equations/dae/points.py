"""Values of expressions at random points: how it is decided that an expression is zero everywhere.

An expression that vanishes at several random points vanishes identically, but with a probability that can be neglected
(Schwartz 1980, J. ACM 27, 701). Rounding is allowed for: every value goes with the size of what was added up to it.
Networks and tables stand for themselves as fixed smooth functions: no identity may depend on what was learnt.
"""

from __future__ import annotations

import math
import operator
import zlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from random import Random
from typing import Any

from hybridode.expr import Expr, Symbol, postorder

POINTS = 3
SMALLER = (
    1.0,
    0.3,
    0.05,
)  # what moves is taken at several sizes: an exponential law is nearly singular far out, and regular near 0
ROUNDING = 1e-10  # of the size of the terms that a sum is made of


def _reduced(f: Callable[[Any, Any], Any]) -> Callable[..., Any]:
    def fold(first: Any, *others: Any) -> Any:
        for x in others:
            first = f(first, x)
        return first

    return fold


def _sigmoid(a: float) -> float:
    return 1 / (1 + math.exp(-a))


def _exprel(a: float) -> float:
    return math.expm1(a) / a if a else 1.0


def _slope(f: Callable[[float], float]) -> Callable[[float], float]:
    return lambda a: (f(a + 1e-5) - f(a - 1e-5)) / 2e-5


MEANING: dict[str, Callable[..., Any]] = {
    "neg": operator.neg, "not": operator.not_, "exprel": _exprel, "exprel_slope": _slope(_exprel), "abs": abs,
    "floor": math.floor, "log": math.log, "log2": math.log2, "log10": math.log10,
    "sigmoid": _sigmoid, "gamma": math.gamma, "lgamma": math.lgamma,
    "digamma": _slope(math.lgamma), "softplus": lambda a: max(a, 0.0) + math.log1p(math.exp(-abs(a))),
    "relu": lambda a: max(a, 0.0), "heaviside": lambda a: float(a >= 0), "sign": lambda a: float(a > 0) - float(a < 0),
    "add": _reduced(operator.add), "mul": _reduced(operator.mul), "div": operator.truediv, "pow": math.pow, "atan2": math.atan2,
    "mod": lambda a, b: a - b * math.floor(a / b), "mm": lambda x, k: x / (k + x), "min": min, "max": max,
    "hill": lambda x, k, n: math.pow(x, n) / (math.pow(k, n) + math.pow(x, n)) if x > 0 else 0.0,
    "where": lambda c, a, b: a if c else b, "and": _reduced(operator.and_), "or": _reduced(operator.or_),
    "lt": operator.lt, "le": operator.le, "gt": operator.gt, "ge": operator.ge, "eq": operator.eq, "ne": operator.ne,
    **{op: getattr(math, op) for op in ("exp", "expm1", "log1p", "sqrt", "sin", "cos", "tan", "asin", "acos", "atan", "sinh")},
    **{op: getattr(math, op) for op in ("cosh", "tanh", "asinh", "acosh", "atanh", "erf")},
}  # fmt: skip


class Points:
    """A few random points. `near`: what symbols are about (declared values, starts), others are about 1."""

    def __init__(self, near: Mapping[Symbol, float]) -> None:
        self.near = near

    def values(self, exprs: Sequence[Expr]) -> list[list[float]]:
        """Per point the values; NaN where an expression has none there."""
        return [self._at(k, exprs) for k in range(POINTS)]

    def vanishes(self, e: Expr) -> bool:
        """Whether an expression is zero everywhere, up to rounding."""
        if e.value is not None:
            return e.value == 0.0
        terms = e.args if e.op == "add" else (e,)
        return all(abs(sum(row)) <= ROUNDING * sum(map(abs, row)) for row in self.values(terms))

    def _at(self, k: int, exprs: Sequence[Expr]) -> list[float]:
        done: dict[Expr, Any] = {}
        for e in postorder(exprs):
            try:
                done[e] = self._value(k, e, [done[a] for a in e.args])
            except (ValueError, ZeroDivisionError, OverflowError):
                done[e] = math.nan
        return [float(done[e]) for e in exprs]

    def _value(self, k: int, e: Expr, args: list[Any]) -> Any:
        if e.op == "const":
            return e.data
        if e.op == "sym":
            return self._of_symbol(k, e.data)
        if e.op in ("net", "net_jacobian"):
            return args
        if e.op == "out":
            inner = e.args[0]
            return _wave(inner.data, args[0], e.data, inner.op == "net_jacobian")
        if e.op == "table":
            return _wave(e.data, args, 0, False)
        if e.op == "table_slope":
            return _wave(e.data[0], args, e.data[1], True)
        return MEANING[e.op](*args)

    def _of_symbol(self, k: int, s: Symbol) -> float:
        random = Random(zlib.crc32(f"{k} {s.kind} {s.name} {s.index}".encode()))
        about = self.near.get(s, 1.0)
        if not about:
            return random.uniform(-0.5, 0.5)
        return about * random.uniform(0.7, 1.3) * (1.0 if s.kind == "parameter" else SMALLER[k])


def _wave(name: str, x: Sequence[float], output: int, slope: bool) -> float:
    """A function that stands for a network or a table, or (`slope`) its derivative number `output`."""
    phase = zlib.crc32(name.encode()) % 1000 / 100
    k, j = divmod(output, len(x)) if slope else (output, 0)
    inside = phase + 1.3 * k + sum(0.7 * (i + 1) * v for i, v in enumerate(x))
    return 0.7 * (j + 1) * math.cos(inside) if slope else math.sin(inside)


def all_zero(values: Iterable[float]) -> bool:
    """Whether these are zeros (a NaN is not known to be)."""
    return all(v == 0.0 for v in values)
