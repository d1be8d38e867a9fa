"""Expressions as linear forms in some of their symbols: which enter linearly, with which coefficients.

`a*z + b` is read off the expression as it is written, without algebra: sums, signs, products with one factor that moves,
quotients with a fixed denominator and `if`s with a fixed condition.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import NamedTuple

from hybridode.expr import ONE, ZERO, Expr, Symbol, add, div, mul, neg, node, postorder

POSITIVE = frozenset({"exp", "cosh", "sigmoid", "softplus", "exprel"})  # operations that have no zero
FIXED = frozenset({"parameter", "constant"})  # symbols that do not move in a run


class Form(NamedTuple):
    """`sum of coefficients[s]*s + rest`. A coefficient is None where the symbol enters in any other way; `rest` is then None."""

    coefficients: Mapping[Symbol, Expr | None]
    rest: Expr | None


def form_of(root: Expr, wanted: Collection[Symbol]) -> Form:
    """The form of an expression in the symbols `wanted`."""
    forms: dict[Expr, Form] = {}  # of the nodes that read a wanted symbol
    for e in postorder((root,)):
        if e.op == "sym":
            if e.data in wanted:
                forms[e] = Form({e.data: ONE}, ZERO)
            continue
        moving = [i for i, a in enumerate(e.args) if a in forms]
        if moving:
            forms[e] = _form(e, moving, [forms.get(a) for a in e.args])
    return forms.get(root, Form({}, root))


def _form(e: Expr, moving: list[int], below: list[Form | None]) -> Form:
    if e.op == "add":
        return _sum(e, below)
    if e.op == "neg" or (e.op == "mul" and len(moving) == 1) or (e.op == "div" and moving == [0]):
        return _scaled(e, moving[0], below[moving[0]] or Form({}, ZERO))
    if e.op == "where" and 0 not in moving:
        return _chosen(e, below)
    return Form({s: None for form in below if form is not None for s in form.coefficients}, None)


def _sum(e: Expr, below: list[Form | None]) -> Form:
    terms: dict[Symbol, list[Expr] | None] = {}
    rest: list[Expr] | None = []
    for a, form in zip(e.args, below, strict=True):
        for s, c in ({} if form is None else form.coefficients).items():
            so_far = terms.setdefault(s, [])
            if c is None or so_far is None:
                terms[s] = None
            else:
                so_far.append(c)
        part = a if form is None else form.rest
        if part is None:
            rest = None
        elif rest is not None:
            rest.append(part)
    return Form({s: None if c is None else add(*c) for s, c in terms.items()}, None if rest is None else add(*rest))


def _scaled(e: Expr, place: int, form: Form) -> Form:
    def scale(a: Expr) -> Expr:
        if e.op == "neg":
            return neg(a)
        args = [a if i == place else x for i, x in enumerate(e.args)]
        return div(*args) if e.op == "div" else mul(*args)

    return Form(
        {s: None if c is None else scale(c) for s, c in form.coefficients.items()},
        None if form.rest is None else scale(form.rest),
    )


def _chosen(e: Expr, below: list[Form | None]) -> Form:
    condition = e.args[0]
    one, other = (below[i] or Form({}, e.args[i]) for i in (1, 2))
    found: dict[Symbol, Expr | None] = {}
    for s in dict.fromkeys([*one.coefficients, *other.coefficients]):
        a, b = one.coefficients.get(s, ZERO), other.coefficients.get(s, ZERO)
        found[s] = None if a is None or b is None else a if a is b else node("where", (condition, a, b))
    rest = None if one.rest is None or other.rest is None else node("where", (condition, one.rest, other.rest))
    return Form(found, rest)


def solved(coefficient: Expr, rest: Expr) -> Expr:
    """The z of `coefficient*z + rest = 0`."""
    if coefficient.op == "neg" or (coefficient.value or 0.0) < 0.0:
        return div(rest, neg(coefficient))
    return div(opposite(rest), coefficient)


def opposite(e: Expr) -> Expr:
    """-e, a sum term by term."""
    return add(*map(neg, e.args)) if e.op == "add" else neg(e)


def cannot_vanish(e: Expr) -> bool:
    """Whether a coefficient that is not identically zero is nowhere zero in a run: one of numbers and parameters, of operations
    without a zero, and products and quotients of such."""
    fixed: dict[Expr, bool] = {}
    safe: dict[Expr, bool] = {}
    for x in postorder((e,)):
        fixed[x] = x.op == "const" or (x.op == "sym" and x.data.kind in FIXED) or (bool(x.args) and all(fixed[a] for a in x.args))
        if x.op == "const":
            safe[x] = x.data != 0.0
        elif x.op in ("mul", "div", "neg"):
            safe[x] = all(safe[a] for a in x.args)
        else:
            safe[x] = fixed[x] or x.op in POSITIVE
    return safe[e]
