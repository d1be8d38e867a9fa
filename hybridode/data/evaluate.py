"""Expressions evaluated on numbers or whole columns without a compiler: limits, priors, scales of networks."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import reduce
from typing import Any

import numpy as np

from hybridode.expr import Expr, Symbol, postorder

_FUNCTIONS: dict[str, Callable[..., Any]] = {
    "neg": np.negative, "add": lambda *a: reduce(np.add, a), "mul": lambda *a: reduce(np.multiply, a), "div": np.divide,
    "pow": np.power, "exp": np.exp, "expm1": np.expm1, "log": np.log, "log1p": np.log1p, "log10": np.log10, "log2": np.log2,
    "sqrt": np.sqrt, "sin": np.sin, "cos": np.cos, "tan": np.tan, "asin": np.arcsin, "acos": np.arccos, "atan": np.arctan,
    "sinh": np.sinh, "cosh": np.cosh, "tanh": np.tanh, "abs": np.abs, "sign": np.sign, "floor": np.floor, "atan2": np.arctan2,
    "min": lambda *a: reduce(np.minimum, a), "max": lambda *a: reduce(np.maximum, a), "mod": np.mod,
    "relu": lambda a: np.maximum(a, 0.0), "softplus": lambda a: np.logaddexp(a, 0.0),
    "sigmoid": lambda a: np.exp(-np.logaddexp(0.0, -np.asarray(a))), "mm": lambda x, k: x / (k + x),
    "lt": np.less, "le": np.less_equal, "gt": np.greater, "ge": np.greater_equal, "eq": np.equal, "ne": np.not_equal,
    "and": lambda *a: reduce(np.logical_and, a), "or": lambda *a: reduce(np.logical_or, a), "not": np.logical_not,
    "where": np.where,
}  # fmt: skip


def evaluate(root: Expr, values: Mapping[Symbol, Any], known: Mapping[Expr, Any] | None = None) -> Any:
    """The value of an expression where its leaves are `values` (numbers or arrays that broadcast) and some nodes are `known`.

    None when it reads anything else, or has an operation that only the compiler knows.
    """
    done: dict[Expr, Any] = dict(known or {})
    with np.errstate(all="ignore"):
        for e in postorder((root,)):
            if e in done:
                continue
            if e.op == "const":
                done[e] = float(e.data)
            elif e.op == "sym" and e.data in values:
                done[e] = values[e.data]
            elif e.op in _FUNCTIONS and all(a in done for a in e.args):
                done[e] = _FUNCTIONS[e.op](*(done[a] for a in e.args))
    return done.get(root)


def constant_value(root: Expr, values: Mapping[Symbol, float]) -> float | None:
    """The finite number an expression has when its leaves are `values`, else None (infinities stay)."""
    value = evaluate(root, values)
    return None if value is None or np.isnan(value) else float(value)
