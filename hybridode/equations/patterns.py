"""Forms that lose digits, overflow or are 0/0 where the mathematics has a value, and the forms that do not.

Each pattern is a function from a node (whose arguments have been rewritten already) to a `Hit` or None; PATTERNS lists them by
operation, the first that matches is taken. All are identities for real numbers wherever the written form has a value.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from hybridode.equations.alpha import whole
from hybridode.equations.factors import MOST, Product, cancel, linear, negated, product
from hybridode.expr import ONE, Expr, add, const, div, mul, neg, node


class Hit(NamedTuple):
    """What a node becomes and why (`{u}` in the reason stands for `about`); `before` and `after` narrow down what is
    shown if only a part of the node changes."""

    result: Expr
    reason: str
    about: Expr | None = None
    before: Expr | None = None
    after: Expr | None = None


Pattern = Callable[[Expr], Hit | None]

SINGULAR = "0/0 at {u} = 0 and loses digits near it"
CANCELS = "loses digits where {u} is near 0"
OVERFLOWS = "overflows where {u} is large"
POWER = "a small whole power as a product"
ROOT = "a power of one half as a square root"


def _exponential_minus_one(e: Expr) -> Hit | None:
    """exp(u) - 1 -> expm1(u), 1 - exp(u) -> -expm1(u); also where both are terms of a longer sum."""
    if len(e.args) > MOST:
        return None
    terms = [(a.args[0], -1.0) if a.op == "neg" else (a, 1.0) for a in e.args]
    for i, (t, sign) in enumerate(terms):
        if t.op != "exp":
            continue
        for j, (c, other) in enumerate(terms):
            if c.value is not None and c.value * other == -sign:
                u = t.args[0]
                after = node("expm1", (u,)) if sign > 0 else neg(node("expm1", (u,)))
                first, second = sorted((i, j))
                kept = [after if k == first else a for k, a in enumerate(e.args) if k != second]
                return Hit(add(*kept), CANCELS, u, add(e.args[first], e.args[second]), after)
    return _scaled_exponential_minus_one(e)


def _scaled_exponential_minus_one(e: Expr) -> Hit | None:
    """c*exp(u) - c -> c*expm1(u) for a number c."""
    form = linear(e) if len(e.args) == 2 else None
    if form is None or len(form) != 2 or not form.get(None):
        return None
    (t,) = (k for k in form if k is not None)
    if t.op != "exp" or form[t] != -form[None]:
        return None
    return Hit(mul(const(form[t]), node("expm1", t.args)), CANCELS, t.args[0])


def _logarithm_of_one_plus(e: Expr) -> Hit | None:
    """log(1 + exp(u)) -> softplus(u), log(1 + u) -> log1p(u)."""
    a = e.args[0]
    if a.op != "add" or len(a.args) > MOST or ONE not in a.args:
        return None
    at = a.args.index(ONE)
    rest = add(*(x for i, x in enumerate(a.args) if i != at))
    if rest.op == "exp":
        return Hit(node("softplus", rest.args), OVERFLOWS, rest.args[0])
    return None if rest.value is not None else Hit(node("log1p", (rest,)), CANCELS, rest)


def _quotient(e: Expr) -> Hit | None:
    """Quotients with exp(u) - 1 or 1 + exp(u) in them, and Hill terms."""
    p = product(e)
    if p is None or not p.below:
        return None
    return _over_exprel(p) or _times_exprel(p) or _logistic(p) or _hill(p)


def _over_exprel(p: Product) -> Hit | None:
    """c*u/(exp(u) - 1) -> c/exprel(u)."""
    for i, f in enumerate(p.below):
        u = product(f.args[0]) if f.op == "expm1" else None
        rest = cancel(Product(p.coefficient, p.above, p.below[:i] + p.below[i + 1 :]), u) if u is not None else None
        if rest is not None:
            rest.below.append(node("exprel", f.args))
            return Hit(rest.expr(), SINGULAR, _vanishing(f.args[0]))
    return None


def _times_exprel(p: Product) -> Hit | None:
    """c*(exp(u) - 1)/u -> c*exprel(u)."""
    for i, f in enumerate(p.above):
        u = product(f.args[0]) if f.op == "expm1" else None
        rest = cancel(Product(1 / p.coefficient, p.below, p.above[:i] + p.above[i + 1 :]), u) if u is not None else None
        if rest is not None:
            after = Product(1 / rest.coefficient, [*rest.below, node("exprel", f.args)], rest.above)
            return Hit(after.expr(), SINGULAR, _vanishing(f.args[0]))
    return None


def _vanishing(u: Expr) -> Expr:
    """What is 0 where u is: its factor, if it has one."""
    p = product(u)
    return p.above[0] if p is not None and len(p.above) == 1 else u


def _logistic(p: Product) -> Hit | None:
    """c/(1 + exp(-u)) -> c*sigmoid(u), c*exp(u)/(1 + exp(u)) -> c*sigmoid(u)."""
    for i, f in enumerate(p.below):
        if f.op != "add" or len(f.args) != 2 or ONE not in f.args:
            continue
        e = f.args[1 - f.args.index(ONE)]
        if e.op != "exp":
            continue
        above, u = list(p.above), e.args[0]
        if e in above:
            above.remove(e)
        else:
            u = negated(u)
        after = Product(p.coefficient, [*above, node("sigmoid", (u,))], p.below[:i] + p.below[i + 1 :])
        return Hit(after.expr(), OVERFLOWS, e.args[0])
    return None


def _hill(p: Product) -> Hit | None:
    """x^n/(K^n + x^n) -> hill(x, K, n) where n is not a literal whole number.

    Such a power has no value for x < 0 (rules.md C7), so the two are equal wherever the written form has one, for n > 0, and hill
    goes on with its limit 0 where a solver strays below 0. With a whole n, x^n has a value for x < 0 and hill is 0: those stay.
    """
    for i, f in enumerate(p.below):
        if f.op != "add" or len(f.args) != 2:
            continue
        for x in f.args:
            k = f.args[1] if x is f.args[0] else f.args[0]
            if x.op != "pow" or x not in p.above or whole(x.args[1]):
                continue
            if k is not ONE and not (k.op == "pow" and k.args[1] is x.args[1]):
                continue
            above = list(p.above)
            above.remove(x)
            hill = node("hill", (x.args[0], ONE if k is ONE else k.args[0], x.args[1]))
            return Hit(Product(p.coefficient, [*above, hill], p.below[:i] + p.below[i + 1 :]).expr(), OVERFLOWS, x.args[0])
    return None


def _power(e: Expr) -> Hit | None:
    """x^2 … x^8, x^-1 … x^-4 as products, x^0.5 and x^-0.5 as square roots."""
    base, n = e.args[0], e.args[1].value
    if n is None or base.value is not None:
        return None
    if abs(n) == 0.5:
        root = node("sqrt", (base,))
        return Hit(root if n > 0 else div(ONE, root), ROOT)
    if n != round(n) or not (-4 <= n <= 8) or n in (0.0, 1.0):
        return None
    product_ = raised(base, abs(int(n)))
    return Hit(product_ if n > 0 else div(ONE, product_), POWER)


def raised(x: Expr, n: int) -> Expr:
    """x^n by squaring: x*x, x*x*x, (x*x)*(x*x), …"""
    if n <= 3:
        return mul(*[x] * n)
    half = raised(x, n // 2)
    return mul(half, half) if n % 2 == 0 else mul(half, half, x)


PATTERNS: dict[str, Pattern] = {
    "add": _exponential_minus_one,
    "log": _logarithm_of_one_plus,
    "div": _quotient,
    "mul": _quotient,
    "pow": _power,
}
