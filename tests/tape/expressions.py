"""Random expressions for property tests, with their SymPy counterparts."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import sympy as sp
from hypothesis import strategies as st

from hybridode.expr import Expr, const, node, postorder, sym
from tests.tape.cases import SYMPY

STATES = tuple(sym("state", "x", i) for i in range(4))
PARAMETER = sym("parameter", "k")
TIME = sym("time", "t")
LEAVES = {**{s.data: ("y", i) for i, s in enumerate(STATES)}, PARAMETER.data: ("p", 0), TIME.data: ("t", -1)}
SYMPY_NAMES = {s.data: sp.Symbol(f"x{i}", real=True) for i, s in enumerate(STATES)} | {
    PARAMETER.data: sp.Symbol("k", real=True), TIME.data: sp.Symbol("t", real=True),
}  # fmt: skip

# Operations that are smooth and tame everywhere, so that every random expression has finite derivatives.
_UNARY = ("neg", "sin", "cos", "tanh", "atan", "sigmoid", "erf", "softplus", "asinh")


def _divided(a: Expr, b: Expr) -> Expr:
    return node("div", (a, node("add", (const(1.5), node("pow", (b, const(2.0)))))))


def _rooted(a: Expr, b: Expr) -> Expr:
    return node("sqrt", (node("add", (const(0.5), node("pow", (a, const(2.0))), node("pow", (b, const(4.0))))),))


def _powered(a: Expr, b: Expr) -> Expr:
    return node("pow", (node("add", (const(0.3), node("sigmoid", (a,)))), node("tanh", (b,))))


def _chosen(a: Expr, b: Expr) -> Expr:
    return node("where", (node("gt", (a, const(0.25))), node("mul", (a, b)), node("add", (a, node("neg", (b,))))))


_BINARY: tuple[Callable[[Expr, Expr], Expr], ...] = (
    lambda a, b: node("add", (a, b)),
    lambda a, b: node("mul", (a, b)),
    lambda a, b: node("add", (a, node("neg", (b,)), const(0.7))),
    lambda a, b: node("atan2", (a, node("add", (const(2.0), node("sigmoid", (b,)))))),
    _divided,
    _rooted,
    _powered,
    _chosen,
)
_LEAVES = st.sampled_from((*STATES, PARAMETER, TIME, const(1.3), const(-0.4)))


def expressions(size: int = 8) -> st.SearchStrategy[Expr]:
    """Expressions of at most about `size` operations."""
    return st.recursive(
        _LEAVES,
        lambda inner: st.one_of(
            st.builds(lambda op, a: node(op, (a,)), st.sampled_from(_UNARY), inner),
            st.builds(lambda f, a, b: f(a, b), st.sampled_from(_BINARY), inner, inner),
        ),
        max_leaves=size,
    )


def to_sympy(root: Expr) -> Any:
    """The same in SymPy (an independent evaluator and differentiator)."""
    done: dict[Expr, Any] = {}
    for e in postorder((root,)):
        args = [done[a] for a in e.args]
        if e.op == "const":
            done[e] = sp.Rational(e.data)
        elif e.op == "sym":
            done[e] = SYMPY_NAMES[e.data]
        elif e.op == "gt":
            done[e] = args[0] > args[1]
        elif e.op == "where":
            done[e] = sp.Piecewise((args[1], args[0]), (args[2], True))
        elif e.op in ("add", "mul"):
            total = args[0]
            for a in args[1:]:
                total = total + a if e.op == "add" else total * a
            done[e] = total
        else:
            done[e] = SYMPY[e.op](*args)
    return done[root]
