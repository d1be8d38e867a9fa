"""Two ways to look at an expression that the patterns need: as a product of factors, and as a sum with numeric coefficients."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from fractions import Fraction

from hybridode.expr import Expr, add, const, div, mul, neg

MOST = 64  # terms or factors; beyond, a pattern is not looked for
Linear = dict[Expr | None, float]  # term -> coefficient; None is the number


@dataclass
class Product:
    """coefficient * above… / below…, the factors in the order written. The coefficient is exact, so that 0.1*10/10 is 0.1."""

    coefficient: Fraction = Fraction(1)
    above: list[Expr] = field(default_factory=list)
    below: list[Expr] = field(default_factory=list)

    def expr(self) -> Expr:
        top = mul(const(float(self.coefficient)), *self.above)
        return div(top, mul(*self.below))


def product(e: Expr) -> Product | None:
    """An expression as a product, None if it has too many factors. The number 0 stays a factor."""
    p = Product()
    stack = [(e, True)]
    for _ in range(8 * MOST):
        if not stack:
            return p if len(p.above) + len(p.below) <= MOST and 1e-300 < abs(p.coefficient) < 1e300 else None
        x, up = stack.pop()
        if x.op == "mul":
            stack.extend((a, up) for a in reversed(x.args))
        elif x.op == "div":
            stack += [(x.args[1], not up), (x.args[0], up)]
        elif x.op == "neg":
            p.coefficient = -p.coefficient
            stack.append((x.args[0], up))
        elif x.value and math.isfinite(x.value):
            p.coefficient = p.coefficient * Fraction(x.value) if up else p.coefficient / Fraction(x.value)
        elif x.op == "pow" and x.args[1].value in (-1.0, -2.0, 2.0, 3.0, 4.0):
            n = int(x.args[1].value or 0)
            stack += [(x.args[0], up == (n > 0))] * abs(n)
        else:
            (p.above if up else p.below).append(x)
    return None


def linear(e: Expr) -> Linear | None:
    """An expression as a sum of terms with numeric coefficients, None if it has too many terms."""
    form: Linear = {}
    stack = [(e, 1.0)]
    for _ in range(8 * MOST):
        if not stack:
            return form if len(form) <= MOST else None
        x, c = stack.pop()
        if x.op == "add":
            stack.extend((a, c) for a in reversed(x.args))
        elif x.op == "neg":
            stack.append((x.args[0], -c))
        elif x.op == "mul" and len(x.args) == 2 and x.args[0].value is not None:
            stack.append((x.args[1], c * x.args[0].value))
        elif x.op == "mul" and len(x.args) == 2 and x.args[1].value is not None:
            stack.append((x.args[0], c * x.args[1].value))
        elif x.op == "div" and x.args[1].value:
            stack.append((x.args[0], c / x.args[1].value))
        elif x.value is not None:
            form[None] = form.get(None, 0.0) + c * x.value
        else:
            form[x] = form.get(x, 0.0) + c
    return None


def ratio(a: Expr, b: Expr) -> float | None:
    """The number r with a = r*b whatever the symbols are, None if there is none (that is plain to see)."""
    if a is b:
        return 1.0
    if a.op != "add" or b.op != "add":
        return None
    over, under = linear(a), linear(b)
    if over is None or under is None or over.keys() != under.keys() or over.keys() <= {None}:
        return None
    if any(v == 0.0 for v in under.values()):
        return None
    ratios = [over[k] / under[k] for k in over]
    r = ratios[0]
    return r if r != 0.0 and all(abs(q - r) <= 1e-15 * abs(r) for q in ratios) else None


def cancel(n: Product, u: Product) -> Product | None:
    """n/u with the factors of u taken out of n where they stand there; None if no factor of u's numerator does."""
    rest = Product(n.coefficient / u.coefficient, list(n.above), list(n.below))
    shared = False
    for factors, same, other in ((u.above, rest.above, rest.below), (u.below, rest.below, rest.above)):
        for f in factors:
            at, r = _first_multiple(same, f)
            if at < 0:
                other.append(f)
                continue
            del same[at]
            shared = shared or same is rest.above
            rest.coefficient = rest.coefficient * Fraction(r) if same is rest.above else rest.coefficient / Fraction(r)
    return rest if shared else None


def _first_multiple(factors: Iterable[Expr], f: Expr) -> tuple[int, float]:
    for i, g in enumerate(factors):
        r = ratio(g, f)
        if r is not None:
            return i, r
    return -1, 1.0


def negated(e: Expr) -> Expr:
    """-e, the sign put where it is easiest to read."""
    if e.op == "div" and (e.args[0].op in ("neg", "div") or e.args[0].value is not None):
        return div(negated(e.args[0]), e.args[1]) if e.args[0].op != "div" else neg(e)
    if e.op == "mul" and e.args[0].value is not None:
        return mul(const(-e.args[0].value), *e.args[1:])
    if e.op == "add" and len(e.args) == 2 and e.args[1].op == "neg":
        return add(e.args[1].args[0], neg(e.args[0]))
    return neg(e)
