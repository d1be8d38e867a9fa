"""The total time derivative of an expression: the chain rule over what moves, by the gradients that the Jacobian uses too."""

from __future__ import annotations

from collections.abc import Callable, Collection

from hybridode.equations.derivative_rules import total
from hybridode.equations.folding import folded
from hybridode.equations.gradients import ShapeCache
from hybridode.equations.jacobian import slope
from hybridode.expr import ZERO, Expr, Symbol, mul, postorder, rebuild

RateOf = Callable[[Symbol], Expr]  # a symbol -> its time derivative, ZERO for what does not move


class CannotDifferentiate(Exception):
    """What has no further derivative: `leaf` is an input that jumps, an input's rate, or the slope of a table with kinks."""

    def __init__(self, leaf: Expr) -> None:
        super().__init__(repr(leaf))
        self.leaf = leaf


def time_derivative(e: Expr, rate_of: RateOf, shapes: ShapeCache, kinked: Collection[str] = ()) -> Expr:
    """d e/dt. `kinked`: tables whose slope jumps. Raises CannotDifferentiate where such a slope moves, or as `rate_of` does."""
    moving: dict[Expr, Expr] = {}  # leaves that move, with their derivatives
    for leaf in postorder((e,)):
        if leaf.op == "sym":
            rate = rate_of(leaf.data)
        elif leaf.op in ("out", "table", "table_slope"):
            rate = _through(leaf, moving, shapes)
            if leaf.op == "table_slope" and leaf.data[0] in kinked and rate.value != 0.0:
                raise CannotDifferentiate(leaf)
        else:
            continue
        if rate.value != 0.0:
            moving[leaf] = rate
    return rebuild((_chain(e, moving, shapes),), folded)[0]


def _chain(e: Expr, moving: dict[Expr, Expr], shapes: ShapeCache) -> Expr:
    slopes = shapes.gradient(e, lambda leaf: leaf in moving)
    return total(mul(by, moving[leaf]) for leaf, by in slopes.items())


def _through(leaf: Expr, moving: dict[Expr, Expr], shapes: ShapeCache) -> Expr:
    """The derivative of a network's output or a table's value through its arguments."""
    arguments = (leaf.args[0] if leaf.op == "out" else leaf).args
    rates = [_chain(a, moving, shapes) for a in arguments]
    return total(mul(slope(leaf, j), r) for j, r in enumerate(rates) if r is not ZERO)
