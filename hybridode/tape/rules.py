"""Derivative rules of the elementwise operations: the partial derivatives as nodes of the builder.

A rule takes (builder, node of the value, nodes of the operands) and gives one node per operand, None where the
derivative is zero everywhere. No rule makes NaN where the derivative exists, and a rule's own untaken branches are
fed a harmless operand ("double where"), so that derivatives of rules are as safe. Where a derivative is infinite at the
edge of the domain (sqrt at 0, x^y with y < 1 at 0, asin at 1) the rule gives 0: a step that starts there stays finite.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING

from hybridode.tape.tables import slope_orders

if TYPE_CHECKING:
    from hybridode.tape.tape import TapeBuilder

Node = int
Partials = tuple[Node | None, ...]
Rule = Callable[..., Partials]  # (builder, node of the value, nodes of the operands …)


# ---- pieces ---------------------------------------------------------------------------------------------------------
def _one_over(b: TapeBuilder, x: Node) -> Node:
    return b.div(b.const(1.0), x)


def _one_over_or_zero(b: TapeBuilder, x: Node) -> Node:
    """1/x, 0 at x = 0 (and NaN at NaN)."""
    return _one_over(b, b.select(b.make("eq", x, b.const(0.0)), b.const(math.inf), x))


def _unless(b: TapeBuilder, condition: Node, x: Node, otherwise: float) -> Node:
    return b.select(condition, b.const(otherwise), x)


def _positive(b: TapeBuilder, x: Node) -> Node:
    return b.make("lt", b.const(0.0), x)


def _plus_minus(b: TapeBuilder, x: Node) -> Node:
    """(1 - x)(1 + x): 1 - x^2 without cancellation near 1."""
    one = b.const(1.0)
    return b.mul(b.sub(one, x), b.add(one, x))


# ---- the rules ------------------------------------------------------------------------------------------------------
def zero(b: TapeBuilder, out: Node, *args: Node) -> Partials:
    return (None,) * len(args)


def add(b: TapeBuilder, out: Node, x: Node, y: Node) -> Partials:
    return b.const(1.0), b.const(1.0)


def sub(b: TapeBuilder, out: Node, x: Node, y: Node) -> Partials:
    return b.const(1.0), b.const(-1.0)


def mul(b: TapeBuilder, out: Node, x: Node, y: Node) -> Partials:
    return y, x


def div(b: TapeBuilder, out: Node, x: Node, y: Node) -> Partials:
    reciprocal = _one_over(b, y)
    return reciprocal, b.neg(b.mul(out, reciprocal))


def neg(b: TapeBuilder, out: Node, x: Node) -> Partials:
    return (b.const(-1.0),)


def exp(b: TapeBuilder, out: Node, x: Node) -> Partials:
    return (out,)


def expm1(b: TapeBuilder, out: Node, x: Node) -> Partials:
    return (b.make("exp", x),)


def exprel(b: TapeBuilder, out: Node, x: Node) -> Partials:
    return (b.make("exprel_slope", x, attrs=1),)


def exprel_slope(b: TapeBuilder, out: Node, x: Node) -> Partials:
    return (b.make("exprel_slope", x, attrs=b.instructions[out].attrs + 1),)


def log(b: TapeBuilder, out: Node, x: Node) -> Partials:
    return (_one_over(b, x),)


def log1p(b: TapeBuilder, out: Node, x: Node) -> Partials:
    return (_one_over(b, b.add(b.const(1.0), x)),)


def log10(b: TapeBuilder, out: Node, x: Node) -> Partials:
    return (b.div(b.const(1 / math.log(10)), x),)


def log2(b: TapeBuilder, out: Node, x: Node) -> Partials:
    return (b.div(b.const(1 / math.log(2)), x),)


def sqrt(b: TapeBuilder, out: Node, x: Node) -> Partials:
    return (b.mul(b.const(0.5), _one_over_or_zero(b, out)),)


def sin(b: TapeBuilder, out: Node, x: Node) -> Partials:
    return (b.make("cos", x),)


def cos(b: TapeBuilder, out: Node, x: Node) -> Partials:
    return (b.neg(b.make("sin", x)),)


def tan(b: TapeBuilder, out: Node, x: Node) -> Partials:
    return (b.add(b.const(1.0), b.mul(out, out)),)


def asin(b: TapeBuilder, out: Node, x: Node) -> Partials:
    return (_one_over_or_zero(b, b.make("sqrt", _plus_minus(b, x))),)


def acos(b: TapeBuilder, out: Node, x: Node) -> Partials:
    return (b.neg(_one_over_or_zero(b, b.make("sqrt", _plus_minus(b, x)))),)


def atan(b: TapeBuilder, out: Node, x: Node) -> Partials:
    return (_one_over(b, b.add(b.const(1.0), b.mul(x, x))),)


def sinh(b: TapeBuilder, out: Node, x: Node) -> Partials:
    return (b.make("cosh", x),)


def cosh(b: TapeBuilder, out: Node, x: Node) -> Partials:
    return (b.make("sinh", x),)


def tanh(b: TapeBuilder, out: Node, x: Node) -> Partials:
    return (_plus_minus(b, out),)


def asinh(b: TapeBuilder, out: Node, x: Node) -> Partials:
    return (_one_over(b, b.make("sqrt", b.add(b.const(1.0), b.mul(x, x)))),)


def acosh(b: TapeBuilder, out: Node, x: Node) -> Partials:
    one = b.const(1.0)
    return (_one_over_or_zero(b, b.make("sqrt", b.mul(b.sub(x, one), b.add(x, one)))),)


def atanh(b: TapeBuilder, out: Node, x: Node) -> Partials:
    return (_one_over(b, _plus_minus(b, x)),)


def abs_(b: TapeBuilder, out: Node, x: Node) -> Partials:
    return (b.make("sign", x),)


def gamma(b: TapeBuilder, out: Node, x: Node) -> Partials:
    return (b.mul(out, b.make("digamma", x)),)


def lgamma(b: TapeBuilder, out: Node, x: Node) -> Partials:
    return (b.make("digamma", x),)


def digamma(b: TapeBuilder, out: Node, x: Node) -> Partials:
    return (b.make("polygamma", x, attrs=1),)


def polygamma(b: TapeBuilder, out: Node, x: Node) -> Partials:
    return (b.make("polygamma", x, attrs=b.instructions[out].attrs + 1),)


def erf(b: TapeBuilder, out: Node, x: Node) -> Partials:
    return (b.mul(b.const(2 / math.sqrt(math.pi)), b.make("exp", b.neg(b.mul(x, x)))),)


def softplus(b: TapeBuilder, out: Node, x: Node) -> Partials:
    return (b.make("sigmoid", x),)


def sigmoid(b: TapeBuilder, out: Node, x: Node) -> Partials:
    # s(x) s(-x) keeps its digits where s(x) (1 - s(x)) is 0.
    return (b.mul(out, b.make("sigmoid", b.neg(x))),)


def relu(b: TapeBuilder, out: Node, x: Node) -> Partials:
    return (b.select(_positive(b, x), b.const(1.0), b.const(0.0)),)


def pow_(b: TapeBuilder, out: Node, x: Node, y: Node) -> Partials:
    return _pow_base(b, out, x, y), _pow_exponent(b, out, x, y)


def _pow_base(b: TapeBuilder, out: Node, x: Node, y: Node) -> Node | None:
    """y x^(y-1): 0 for y = 0 whatever x is, and 0 at x = 0 where it would be infinite. Of an exponent that is no constant as
    y x^y/x, since a power takes as long as dozens of products."""
    n, one, zero = b.constant_of(y), b.const(1.0), b.const(0.0)
    if n is not None and (n == 0.0 or n >= 1.0):
        return None if n == 0.0 else b.mul(y, b.power(x, b.const(n - 1.0)))
    nowhere = b.make("eq", x, zero)
    if n is not None:
        steep = b.make("and", nowhere, b.make("lt", y, one))
        return b.select(steep, zero, b.mul(y, b.make("pow", _unless(b, steep, x, 1.0), b.const(n - 1.0))))
    none = b.make("or", nowhere, b.make("eq", y, zero))
    inner = b.mul(_unless(b, none, y, 1.0), b.div(_unless(b, none, out, 1.0), _unless(b, none, x, 1.0)))
    straight = b.make("and", nowhere, b.make("eq", y, one))
    return b.select(none, b.select(straight, one, zero), inner)


def _pow_exponent(b: TapeBuilder, out: Node, x: Node, y: Node) -> Node:
    """x^y log x: 0 for x <= 0 (the limit at x = 0, y > 0; elsewhere x^y is no function of a real exponent)."""
    positive = _positive(b, x)
    base, value = b.select(positive, x, b.const(1.0)), b.select(positive, out, b.const(1.0))
    return b.select(positive, b.mul(value, b.make("log", base)), b.const(0.0))


def atan2(b: TapeBuilder, out: Node, y: Node, x: Node) -> Partials:
    scale = _one_over_or_zero(b, b.add(b.mul(x, x), b.mul(y, y)))
    return b.mul(x, scale), b.neg(b.mul(y, scale))


def mod(b: TapeBuilder, out: Node, x: Node, y: Node) -> Partials:
    return b.const(1.0), b.neg(b.make("floor", b.div(x, y)))


def min_(b: TapeBuilder, out: Node, x: Node, y: Node) -> Partials:
    return _smaller(b, x, y), _smaller(b, y, x)


def max_(b: TapeBuilder, out: Node, x: Node, y: Node) -> Partials:
    return _smaller(b, y, x), _smaller(b, x, y)


def _smaller(b: TapeBuilder, x: Node, y: Node) -> Node:
    """1 where x < y, 1/2 where they are equal, else 0."""
    otherwise = b.select(b.make("lt", y, x), b.const(0.0), b.const(0.5))
    return b.select(b.make("lt", x, y), b.const(1.0), otherwise)


def hill(b: TapeBuilder, out: Node, x: Node, k: Node, n: Node) -> Partials:
    """With w = h (1 - h): n w/x, -n w/k, w log(x/k); 1 - hill(x, k, n) is hill(k, x, n). 0 for x <= 0 and k <= 0."""
    inside = b.make("and", _positive(b, x), _positive(b, k))
    outside = b.make("not", inside)
    x, k = _unless(b, outside, x, 1.0), _unless(b, outside, k, 1.0)
    w = b.select(inside, b.mul(out, b.make("hill", k, x, n)), b.const(0.0))
    slope = b.mul(n, w)
    return b.div(slope, x), b.neg(b.div(slope, k)), b.mul(w, b.make("log", b.div(x, k)))


def table(b: TapeBuilder, out: Node, *args: Node) -> Partials:
    piecewise, orders = b.instructions[out].attrs
    partials: list[Node | None] = []
    for j in range(len(args)):
        slope = slope_orders(orders, j)
        partials.append(None if slope[j] > piecewise.degree else b.make("table", *args, attrs=(piecewise, slope)))
    return tuple(partials)
