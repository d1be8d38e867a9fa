"""Between which numbers an expression must lie, by what the model says of its parameters (interval arithmetic, Moore 1966)."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import reduce

from hybridode.declarations import Declarations
from hybridode.expr import Expr, Symbol, postorder

Interval = tuple[float, float]
ANYTHING: Interval = (-math.inf, math.inf)


def _product(x: float, y: float) -> float:
    return 0.0 if x == 0 or y == 0 else x * y


def _mul(a: Interval, b: Interval) -> Interval:
    ends = [_product(x, y) for x in a for y in b]
    return min(ends), max(ends)


def _div(a: Interval, b: Interval) -> Interval:
    if b[0] <= 0 <= b[1]:
        return ANYTHING
    return _mul(a, (1 / b[1], 1 / b[0]))


def _exp(x: float) -> float:
    return math.exp(x) if x < 700 else math.inf


def _log(x: float) -> float:
    return -math.inf if x <= 0 else math.inf if x == math.inf else math.log(x)


_RULES: dict[str, Callable[..., Interval]] = {
    "neg": lambda a: (-a[1], -a[0]),
    "add": lambda *of: (sum(a[0] for a in of), sum(a[1] for a in of)),
    "mul": lambda *of: reduce(_mul, of),
    "div": _div,
    "exp": lambda a: (_exp(a[0]), _exp(a[1])),
    "log": lambda a: (_log(a[0]), _log(a[1])),
    "sqrt": lambda a: (math.sqrt(max(a[0], 0.0)), math.sqrt(a[1]) if a[1] > 0 else 0.0),
    "abs": lambda a: (max(a[0], -a[1], 0.0), max(-a[0], a[1])),
    "min": lambda *of: (min(a[0] for a in of), min(a[1] for a in of)),
    "max": lambda *of: (max(a[0] for a in of), max(a[1] for a in of)),
    "softplus": lambda a: (max(a[0], 0.0), math.inf),
    "relu": lambda a: (max(a[0], 0.0), max(a[1], 0.0)),
    "sigmoid": lambda a: (0.0, 1.0),
    "tanh": lambda a: (-1.0, 1.0),
}


def range_of(e: Expr, declarations: Declarations) -> Interval:
    """(low, high); infinite where nothing is known: of states, time, networks."""
    leaves: dict[Symbol, Interval] = {}
    for p in declarations.parameters:
        bounds = (-math.inf if p.lower is None else p.lower, math.inf if p.upper is None else p.upper)
        for i, value in enumerate(p.values):
            known = (value, value) if p.fixed else (max(bounds[0], 0.0), bounds[1]) if p.scale == "log" else bounds
            leaves[Symbol("parameter", p.name, i if p.shape else -1)] = known
    for c in declarations.constants:
        for i, value in enumerate(c.values):
            leaves[Symbol("constant", c.name, i if c.shape else -1)] = (value, value)
    done: dict[Expr, Interval] = {}
    for x in postorder((e,)):
        if x.op == "const":
            done[x] = (float(x.data), float(x.data))
        elif x.op == "sym":
            done[x] = leaves.get(x.data, ANYTHING)
        else:
            rule = _RULES.get(x.op)
            found = ANYTHING if rule is None else rule(*(done[a] for a in x.args))
            done[x] = ANYTHING if any(map(math.isnan, found)) else found
    return done[e]
