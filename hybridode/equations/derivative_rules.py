"""Our own derivative rules on expressions: one row per operation, and sparse forward accumulation over a graph.

A rule takes a node and gives a function from the derivatives of its arguments ({argument number: derivative}, zeros
left out) to the node's derivative. Rules are written so that a derivative is never NaN where it exists: what an
untaken branch would compute stays behind a `where`, and its arguments are moved to where it is harmless.
Conventions (rules.md C2-C4): d abs/dx at 0 is 0, ties of min and max share equally, steps have derivative 0.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Mapping

from hybridode.expr import BOOLEAN, ONE, ZERO, Expr, add, const, div, mul, neg, node, pow_, sub

Given = Mapping[int, Expr]  # argument number -> derivative of the argument
Rule = Callable[[Expr], Callable[[Given], Expr]]


def total(parts: Iterable[Expr]) -> Expr:
    """A sum in which equal terms are counted: x + x is 2*x (exact)."""
    counts = Counter(parts)
    return add(*(part if n == 1 else mul(const(n), part) for part, n in counts.items()))


def where(condition: Expr, a: Expr, b: Expr) -> Expr:
    """`if condition then a else b`, without the condition if both are one expression."""
    return a if a is b else node("where", (condition, a, b))


def positive(a: Expr) -> Expr:
    return node("gt", (a, ZERO))


def exprel_slope(x: Expr) -> Expr:
    """Derivative of (exp(x) - 1)/x: its Taylor series for |x| < 1, else (exp(x) - exprel(x))/x.

    Relative error below 1e-15; finite where exprel overflows, so that the derivative of 1/exprel(x) there is 0.
    """
    near = node("lt", (node("abs", (x,)), ONE))
    u = where(near, x, ZERO)
    series = const(18 / math.factorial(19))
    for k in range(17, 0, -1):
        series = add(const(k / math.factorial(k + 1)), mul(u, series))
    z = where(near, ONE, node("min", (x, const(700.0))))
    return where(near, series, div(sub(node("exp", (z,)), node("exprel", (z,))), z))


# ---- rules of operations of one argument: the slope at the argument, as an expression -------------------------------
def _f(op: str) -> Callable[[Expr], Expr]:
    return lambda a: node(op, (a,))


def _square(a: Expr) -> Expr:
    return mul(a, a)


_exp, _sqrt, _sigmoid = _f("exp"), _f("sqrt"), _f("sigmoid")
_STEPS = ("sign", "floor", "heaviside")

SLOPES: dict[str, Callable[[Expr], Expr]] = {  # f -> f'(a)
    "exp": _exp,
    "expm1": _exp,
    "exprel": exprel_slope,
    "sin": _f("cos"),
    "cos": lambda a: neg(node("sin", (a,))),
    "tan": lambda a: add(ONE, _square(node("tan", (a,)))),
    "sinh": _f("cosh"),
    "cosh": _f("sinh"),
    "tanh": lambda a: sub(ONE, _square(node("tanh", (a,)))),
    "abs": _f("sign"),
    "gamma": lambda a: mul(node("gamma", (a,)), node("digamma", (a,))),
    "lgamma": _f("digamma"),
    "erf": lambda a: mul(const(2 / math.sqrt(math.pi)), _exp(neg(_square(a)))),
    "softplus": _sigmoid,
    "sigmoid": lambda a: mul(_sigmoid(a), _sigmoid(neg(a))),
    **{op: lambda a: ZERO for op in _STEPS},
}
DIVISORS: dict[str, Callable[[Expr], Expr]] = {  # f -> 1/f'(a)
    "log": lambda a: a,
    "log1p": lambda a: add(ONE, a),
    "log10": lambda a: mul(const(math.log(10.0)), a),
    "log2": lambda a: mul(const(math.log(2.0)), a),
    "sqrt": lambda a: mul(const(2.0), _sqrt(a)),
    "asin": lambda a: _sqrt(mul(sub(ONE, a), add(ONE, a))),
    "acos": lambda a: neg(_sqrt(mul(sub(ONE, a), add(ONE, a)))),
    "atan": lambda a: add(ONE, _square(a)),
    "asinh": lambda a: _sqrt(add(ONE, _square(a))),
    "acosh": lambda a: mul(_sqrt(sub(a, ONE)), _sqrt(add(a, ONE))),
    "atanh": lambda a: mul(sub(ONE, a), add(ONE, a)),
}


# ---- rules of the other operations ----------------------------------------------------------------------------------
def _mul(e: Expr) -> Callable[[Given], Expr]:
    if len(e.args) <= 8:
        return lambda d: total(mul(*(d[j] if j == i else a for j, a in enumerate(e.args))) for i in d)
    before, after = [ONE], [ONE]  # products of the first i and of the last i factors: a long product stays linear
    for a in e.args:
        before.append(mul(before[-1], a))
    for a in reversed(e.args):
        after.append(mul(a, after[-1]))
    n = len(e.args)
    return lambda d: total(mul(before[i], di, after[n - 1 - i]) for i, di in d.items())


def _div(e: Expr) -> Callable[[Given], Expr]:
    a, b = e.args
    return lambda d: total([*([div(d[0], b)] if 0 in d else []), *([neg(div(mul(e, d[1]), b))] if 1 in d else [])])


def _pow(e: Expr) -> Callable[[Given], Expr]:
    a, b = e.args
    if b.value is not None:
        return lambda d: mul(b, pow_(a, const(b.value - 1.0)), d[0])
    no_power, at_zero = node("eq", (b, ZERO)), node("eq", (a, ZERO))
    # x^0 is 1 also at x = 0: its derivative 0 must not become 0*inf. 0^b does not change with b > 0.
    by_base = where(no_power, ZERO, mul(b, pow_(a, sub(where(no_power, ONE, b), ONE))))
    by_exponent = where(at_zero, ZERO, mul(e, node("log", (where(at_zero, ONE, a),))))
    return lambda d: total(mul((by_base, by_exponent)[i], di) for i, di in d.items())


def _where(e: Expr) -> Callable[[Given], Expr]:
    return lambda d: where(e.args[0], d.get(1, ZERO), d.get(2, ZERO))


def _relu(e: Expr) -> Callable[[Given], Expr]:
    return lambda d: where(positive(e.args[0]), d[0], ZERO)


def _extremum(e: Expr) -> Callable[[Given], Expr]:
    """min and max: the arguments that attain it share equally."""
    chosen = [node("eq", (a, e)) for a in e.args]
    count = add(*(where(c, ONE, ZERO) for c in chosen))
    return lambda d: div(total(where(chosen[i], di, ZERO) for i, di in d.items()), count)


def _by_partials(partials: Callable[..., tuple[Expr, ...]]) -> Rule:
    """The rule of an operation whose partial derivatives are these functions of its arguments."""

    def rule(e: Expr) -> Callable[[Given], Expr]:
        slopes = partials(*e.args)
        return lambda d: total(mul(slopes[i], di) for i, di in d.items())

    return rule


def _atan2(y: Expr, x: Expr) -> tuple[Expr, ...]:
    r2 = add(_square(x), _square(y))
    return div(x, r2), neg(div(y, r2))


def _mod(a: Expr, b: Expr) -> tuple[Expr, ...]:
    return ONE, neg(node("floor", (div(a, b),)))


def _mm(x: Expr, k: Expr) -> tuple[Expr, ...]:
    total_ = add(k, x)
    return div(div(k, total_), total_), neg(div(div(x, total_), total_))


def _hill(x: Expr, k: Expr, n: Expr) -> tuple[Expr, ...]:
    """h = x^n/(K^n + x^n): dh = n h (1 - h) (dx/x - dK/K) + h (1 - h) log(x/K) dn, with 1 - h = hill(K, x, n); 0 for x <= 0."""
    up = positive(x)
    x_ = where(up, x, ONE)
    spread = mul(node("hill", (x_, k, n)), node("hill", (k, x_, n)))
    slope = mul(n, spread)
    return where(up, div(slope, x_), ZERO), where(up, neg(div(slope, k)), ZERO), where(up, mul(spread, node("log", (div(x_, k),))), ZERO)


RULES: dict[str, Rule] = {
    "add": lambda e: lambda d: total(d.values()),
    "neg": lambda e: lambda d: neg(d[0]),
    "mul": _mul,
    "div": _div,
    "pow": _pow,
    "where": _where,
    "relu": _relu,
    "min": _extremum,
    "max": _extremum,
    "atan2": _by_partials(_atan2),
    "mod": _by_partials(_mod),
    "mm": _by_partials(_mm),
    "hill": _by_partials(_hill),
    **{op: (lambda slope: lambda e: lambda d: mul(slope(e.args[0]), d[0]))(slope) for op, slope in SLOPES.items()},
    **{op: (lambda by: lambda e: lambda d: div(d[0], by(e.args[0])))(by) for op, by in DIVISORS.items()},
}
LEAVES = frozenset({"sym", "out", "table", "net_jacobian", "table_slope"})


def gradient(root: Expr) -> dict[Expr, Expr]:
    """Partial derivatives of an expression by each of its leaves (symbols, network outputs, table values) in order of
    first occurrence; zeros left out. What stands inside a network or a table is not looked into."""
    found: dict[Expr, dict[Expr, Expr]] = {}
    for e in _down_to_leaves(root):
        if e.op in LEAVES:
            found[e] = {e: ONE}
        elif e.op == "const" or e.op in BOOLEAN:
            found[e] = {}
        else:
            found[e] = _combine(e, found)
    return found[root]


def _combine(e: Expr, found: Mapping[Expr, Mapping[Expr, Expr]]) -> dict[Expr, Expr]:
    by_leaf: dict[Expr, dict[int, Expr]] = {}
    for i, a in enumerate(e.args):
        for leaf, derivative in found[a].items():
            by_leaf.setdefault(leaf, {})[i] = derivative
    if not by_leaf:
        return {}
    rule = RULES[e.op](e)
    return {leaf: value for leaf, given in by_leaf.items() if (value := rule(given)).value != 0.0}


def _down_to_leaves(root: Expr) -> Iterable[Expr]:
    """The nodes below the root, arguments first, not looking into leaves."""
    seen: set[Expr] = set()
    stack: list[tuple[Expr, bool]] = [(root, False)]
    while stack:
        e, ready = stack.pop()
        if ready:
            yield e
        elif e not in seen:
            seen.add(e)
            stack.append((e, True))
            if e.op not in LEAVES:
                stack.extend((a, False) for a in reversed(e.args))
