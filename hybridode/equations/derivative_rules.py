"""Our own derivative rules on expressions: one row per operation, and sparse forward accumulation over a graph.

A rule takes a node and gives a function from the derivatives of its arguments ({argument number: derivative}, zeros
left out) to the node's derivative. Rules are written so that a derivative is never NaN where it exists: what an
untaken branch would compute is fed something harmless. Conventions (rules.md C2-C4, and the tape's rules): d abs/dx
at 0 is 0, ties of min and max share equally, steps have derivative 0, and where a derivative is infinite at the edge of the
domain (sqrt at 0, x^y with y < 1 at 0, asin at 1) it is given as 0, so that a step that starts there stays finite.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Mapping

from hybridode.expr import BOOLEAN, ONE, ZERO, Expr, add, const, div, mul, neg, node, pow_, sub

Given = Mapping[int, Expr]  # argument number -> derivative of the argument
Rule = Callable[[Expr], Callable[[Given], Expr]]
Wanted = Callable[[Expr], bool]
LEAVES = frozenset({"sym", "out", "table", "net_jacobian", "table_slope"})


def total(parts: Iterable[Expr]) -> Expr:
    """A sum in which equal terms are counted: x + x is 2*x (exact)."""
    counts = Counter(parts)
    return add(*(part if n == 1 else mul(const(n), part) for part, n in counts.items()))


# ---- pieces ---------------------------------------------------------------------------------------------------------
def _f(op: str) -> Callable[[Expr], Expr]:
    return lambda a: node(op, (a,))


_exp, _sqrt, _sigmoid, _log = _f("exp"), _f("sqrt"), _f("sigmoid"), _f("log")


def _square(a: Expr) -> Expr:
    return mul(a, a)


def _where(condition: Expr, a: Expr, b: Expr) -> Expr:
    return a if a is b else node("where", (condition, a, b))


def _positive(a: Expr) -> Expr:
    return node("gt", (a, ZERO))


def _nonzero(a: Expr) -> Expr:
    """A divisor: infinity instead of 0, so that the quotient is 0 there."""
    return a if a.value else _where(node("eq", (a, ZERO)), const(math.inf), a)


def _one_minus_square(a: Expr) -> Expr:
    """1 - a^2 without cancellation near 1."""
    return mul(sub(ONE, a), add(ONE, a))


# ---- operations of one argument: the slope at the argument, or what the argument's derivative is divided by ---------
SLOPES: dict[str, Callable[[Expr], Expr]] = {
    "exp": _exp,
    "expm1": _exp,
    "exprel": _f("exprel_slope"),
    "sin": _f("cos"),
    "cos": lambda a: neg(node("sin", (a,))),
    "tan": lambda a: add(ONE, _square(node("tan", (a,)))),
    "sinh": _f("cosh"),
    "cosh": _f("sinh"),
    "tanh": lambda a: _one_minus_square(node("tanh", (a,))),
    "abs": _f("sign"),
    "gamma": lambda a: mul(node("gamma", (a,)), node("digamma", (a,))),
    "lgamma": _f("digamma"),
    "erf": lambda a: mul(const(2 / math.sqrt(math.pi)), _exp(neg(_square(a)))),
    "softplus": _sigmoid,
    "sigmoid": lambda a: mul(_sigmoid(a), _sigmoid(neg(a))),
    "sign": lambda a: ZERO,
    "floor": lambda a: ZERO,
    "heaviside": lambda a: ZERO,
}
DIVISORS: dict[str, Callable[[Expr], Expr]] = {
    "log": lambda a: a,
    "log1p": lambda a: add(ONE, a),
    "log10": lambda a: mul(const(math.log(10.0)), a),
    "log2": lambda a: mul(const(math.log(2.0)), a),
    "sqrt": lambda a: mul(const(2.0), _nonzero(_sqrt(a))),
    "asin": lambda a: _nonzero(_sqrt(_one_minus_square(a))),
    "acos": lambda a: neg(_nonzero(_sqrt(_one_minus_square(a)))),
    "atan": lambda a: add(ONE, _square(a)),
    "asinh": lambda a: _sqrt(add(ONE, _square(a))),
    "acosh": lambda a: _nonzero(_sqrt(mul(sub(a, ONE), add(a, ONE)))),
    "atanh": lambda a: _one_minus_square(a),
}


def _by_slope(slope: Callable[[Expr], Expr]) -> Rule:
    return lambda e: lambda d: mul(slope(e.args[0]), d[0])


def _by_divisor(divisor: Callable[[Expr], Expr]) -> Rule:
    return lambda e: lambda d: div(d[0], divisor(e.args[0]))


# ---- the other operations: partial derivatives by each argument -----------------------------------------------------
def _by_partials(partials: Callable[..., tuple[Expr, ...]]) -> Rule:
    def rule(e: Expr) -> Callable[[Given], Expr]:
        slopes = partials(*e.args)
        return lambda d: total(mul(slopes[i], di) for i, di in d.items())

    return rule


def _atan2(y: Expr, x: Expr) -> tuple[Expr, ...]:
    squares = _nonzero(add(_square(x), _square(y)))
    return div(x, squares), neg(div(y, squares))


def _mod(a: Expr, b: Expr) -> tuple[Expr, ...]:
    return ONE, neg(node("floor", (div(a, b),)))


def _mm(x: Expr, k: Expr) -> tuple[Expr, ...]:
    whole = add(k, x)
    return div(div(k, whole), whole), neg(div(div(x, whole), whole))


def _hill(x: Expr, k: Expr, n: Expr) -> tuple[Expr, ...]:
    """h = x^n/(K^n + x^n): dh = n h (1 - h) (dx/x - dK/K) + h (1 - h) log(x/K) dn, with 1 - h = hill(K, x, n);
    0 where x <= 0 or K <= 0."""
    inside = node("and", (_positive(x), _positive(k)))
    x, k = _where(inside, x, ONE), _where(inside, k, ONE)
    spread = mul(node("hill", (x, k, n)), node("hill", (k, x, n)))
    slope = mul(n, spread)
    partials = div(slope, x), neg(div(slope, k)), mul(spread, _log(div(x, k)))
    return tuple(_where(inside, p, ZERO) for p in partials)


def _pow(a: Expr, b: Expr) -> tuple[Expr, ...]:
    """b a^(b-1), 0 for b = 0 whatever a is and where it would be infinite at a = 0; a^b log(a), 0 for a <= 0 (the limit at
    a = 0; elsewhere a^b is no function of a real exponent)."""
    if b.value is not None and b.value >= 1.0:
        return mul(b, pow_(a, const(b.value - 1.0))), ZERO
    steep = node("and", (node("eq", (a, ZERO)), node("lt", (b, ONE))))
    flat = node("eq", (a, ZERO)) if b.value is not None else node("or", (steep, node("eq", (b, ZERO))))
    lowered = const(b.value - 1.0) if b.value is not None else sub(_where(flat, ONE, b), ONE)
    by_base = _where(flat, ZERO, mul(b, pow_(_where(flat, ONE, a), lowered)))
    base = _where(_positive(a), a, ONE)
    return by_base, _where(_positive(a), mul(pow_(base, b), _log(base)), ZERO)


# ---- operations whose derivative is not a sum of slopes times derivatives -------------------------------------------
def _mul_rule(e: Expr) -> Callable[[Given], Expr]:
    if len(e.args) <= 8:
        return lambda d: total(mul(*(d[j] if j == i else a for j, a in enumerate(e.args))) for i in d)
    before, after = [ONE], [ONE]  # products of the first i and of the last i factors: a long product stays linear
    for a in e.args:
        before.append(mul(before[-1], a))
    for a in reversed(e.args):
        after.append(mul(a, after[-1]))
    n = len(e.args)
    return lambda d: total(mul(before[i], di, after[n - 1 - i]) for i, di in d.items())


def _div_rule(e: Expr) -> Callable[[Given], Expr]:
    b = e.args[1]
    return lambda d: total([*([div(d[0], b)] if 0 in d else []), *([neg(div(mul(e, d[1]), b))] if 1 in d else [])])


def _where_rule(e: Expr) -> Callable[[Given], Expr]:
    return lambda d: _where(e.args[0], d.get(1, ZERO), d.get(2, ZERO))


def _relu_rule(e: Expr) -> Callable[[Given], Expr]:
    return lambda d: _where(_positive(e.args[0]), d[0], ZERO)


def _extremum_rule(e: Expr) -> Callable[[Given], Expr]:
    """min and max: the arguments that attain it share equally."""
    chosen = [node("eq", (a, e)) for a in e.args]
    count = add(*(_where(c, ONE, ZERO) for c in chosen))
    return lambda d: div(total(_where(chosen[i], di, ZERO) for i, di in d.items()), count)


RULES: dict[str, Rule] = {
    "add": lambda e: lambda d: total(d.values()),
    "neg": lambda e: lambda d: neg(d[0]),
    "mul": _mul_rule,
    "div": _div_rule,
    "where": _where_rule,
    "relu": _relu_rule,
    "min": _extremum_rule,
    "max": _extremum_rule,
    "pow": _by_partials(_pow),
    "atan2": _by_partials(_atan2),
    "mod": _by_partials(_mod),
    "mm": _by_partials(_mm),
    "hill": _by_partials(_hill),
    **{op: _by_slope(slope) for op, slope in SLOPES.items()},
    **{op: _by_divisor(divisor) for op, divisor in DIVISORS.items()},
}


# ---- a whole expression ---------------------------------------------------------------------------------------------
def every_leaf(leaf: Expr) -> bool:
    return True


def gradient(root: Expr, wanted: Wanted = every_leaf) -> dict[Expr, Expr]:
    """Partial derivatives of an expression by each wanted leaf (symbols, network outputs, table values) in order of
    first occurrence; zeros left out. What stands inside a network or a table is not looked into."""
    found: dict[Expr, dict[Expr, Expr]] = {}
    for e in down_to_leaves(root):
        if e.op in LEAVES:
            found[e] = {e: ONE} if wanted(e) else {}
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


def down_to_leaves(root: Expr) -> Iterable[Expr]:
    """The nodes below the root once each, arguments first, not looking into leaves."""
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
