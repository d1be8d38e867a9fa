"""Expressions of numbers only (bounds of priors, censoring limits, the time's origin) evaluated without a compiler."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

from hybridode.expr import Expr, Symbol, postorder

_FUNCTIONS: dict[str, Callable[..., float]] = {
    "neg": lambda a: -a, "add": lambda *a: math.fsum(a), "mul": lambda *a: math.prod(a), "div": lambda a, b: a / b,
    "pow": lambda a, b: a**b, "exp": math.exp, "expm1": math.expm1, "log": math.log, "log1p": math.log1p, "log10": math.log10,
    "log2": math.log2, "sqrt": math.sqrt, "sin": math.sin, "cos": math.cos, "tan": math.tan, "tanh": math.tanh, "atan": math.atan,
    "abs": abs, "floor": math.floor, "gamma": math.gamma, "lgamma": math.lgamma, "min": min, "max": max,
}  # fmt: skip


def constant_value(root: Expr, values: Mapping[Symbol, float]) -> float | None:
    """The number an expression has when its leaves are `values`; None when it reads anything else or is not defined there."""
    done: dict[Expr, float] = {}
    for e in postorder((root,)):
        if e.op == "const":
            done[e] = float(e.data)
        elif e.op == "sym" and e.data in values:
            done[e] = float(values[e.data])
        elif e.op in _FUNCTIONS and all(a in done for a in e.args):
            try:
                value = _FUNCTIONS[e.op](*(done[a] for a in e.args))
            except (ValueError, OverflowError, ZeroDivisionError):
                return None
            if isinstance(value, complex):
                return None
            done[e] = float(value)
        else:
            return None
    return done[root]
