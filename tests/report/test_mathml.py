"""MathML is well-formed, keeps the order of operations, and survives large expressions."""

from __future__ import annotations

import math
import xml.etree.ElementTree as ET

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hybridode.expr import BINARY, TERNARY, UNARY, Expr, const, node, sym
from hybridode.report import mathml

X, Y, Z = sym("state", "x"), sym("state", "y"), sym("parameter", "sigma_hare")


NOTATION = mathml.Notation("t", frozenset({"U"}))


def words(expr: Expr) -> str:
    """The characters of the markup in reading order, invisible signs left out."""
    root = ET.fromstring(f"<math>{mathml.expression(expr, NOTATION)}</math>")
    return "".join(root.itertext()).replace("\u2062", "·").replace("\u2061", "")


def neg(e: Expr) -> Expr:
    return node("neg", (e,))


@pytest.mark.parametrize(
    ("expr", "expected"),
    [
        (node("add", (X, neg(Y))), "x−y"),
        (node("add", (X, neg(node("add", (Y, Z))))), "x−(y+σhare)"),
        (node("add", (X, node("add", (Y, const(1))))), "x+(y+1)"),
        (node("mul", (node("add", (X, Y)), X)), "(x+y)·x"),
        (node("mul", (X, neg(Y))), "x·(−y)"),
        (neg(node("mul", (X, Y))), "−x·y"),
        (neg(node("add", (X, Y))), "−(x+y)"),
        (node("mul", (const(2), const(3), X)), "2×3·x"),
        (node("pow", (neg(X), const(2))), "(−x)2"),
        (node("pow", (node("pow", (X, const(2))), const(3))), "(x2)3"),
        (node("pow", (node("div", (X, Y)), const(3))), "(xy)3"),
        (node("add", (X, const(-2.0))), "x−2"),
        (node("mul", (const(-2.0), X)), "−2·x"),
        (node("mul", (neg(X), Y)), "−x·y"),
        (node("add", (X, node("mul", (neg(X), Y)))), "x−x·y"),
        (node("mul", (Y, node("mul", (neg(X), Y)))), "y·(−x·y)"),
        (node("pow", (node("mul", (neg(X), Y)), const(2))), "(−x·y)2"),
        (const(1e-20), "10−20"),
        (const(2.5e-7), "2.5×10−7"),
        (const(float("inf")), "∞"),
        (node("log", (X,)), "ln(x)"),
        (node("where", (node("lt", (X, Y)), X, Y)), "{xif\xa0x<yyotherwise"),
        (node("mul", (node("where", (node("lt", (X, Y)), X, Y)), X)), "({xif\xa0x<yyotherwise)·x"),
        (
            node("and", (node("lt", (X, Y)), node("or", (node("ge", (X, Y)), node("not", (node("eq", (X, Y)),)))))),
            "x<y∧(x≥y∨¬(x=y))",
        ),
        (sym("derivative", "x"), "dxdt"),
        (sym("start_input", "I_in"), "Iin(0)"),
        (sym("state", "theta'"), "θ′"),
        (sym("state", "x", 2), "x3"),
        (node("out", (node("net", (X, Y), "NN_hare"),), 0), "NNhare(x,y)"),
        (node("out", (node("net", (X, Y), "U"),), 0), "U(x,y)1"),
        (node("out", (node("net", (X, Y), "U"),), 1), "U(x,y)2"),
        (const(math.pi), "π"),
    ],
)
def test_what_is_read(expr: Expr, expected: str) -> None:
    assert words(expr) == expected


def test_names_cannot_inject_markup() -> None:
    assert words(sym("state", "<script>&")) == "<script>&"
    assert "<script>" not in mathml.expression(sym("state", "<script>"))


LEAVES = st.one_of(st.sampled_from([X, Y, Z]), st.floats(-1e9, 1e9).map(const))


def grown(children: st.SearchStrategy[Expr]) -> st.SearchStrategy[Expr]:
    return st.one_of(
        st.builds(lambda op, a: node(op, (a,)), st.sampled_from(UNARY), children),
        st.builds(lambda op, a, b: node(op, (a, b)), st.sampled_from([*BINARY, "add", "mul", "min", "and"]), children, children),
        st.builds(
            lambda op, a, b, c: node(op, (a, b, c)), st.sampled_from([*TERNARY, "add", "mul"]), children, children, children
        ),
    )


@settings(max_examples=150, deadline=None)
@given(st.recursive(LEAVES, grown, max_leaves=20))
def test_every_expression_is_well_formed(expr: Expr) -> None:
    ET.fromstring(f"<math>{mathml.expression(expr)}</math>")
    for term in mathml.terms(expr):
        ET.fromstring(f"<math>{term}</math>")


def test_deep_and_shared_expressions_stay_small() -> None:
    deep = X
    for _ in range(1_000):
        deep = node("sin", (deep,))
    assert len(mathml.expression(deep)) < 1_000_000
    shared = X
    for _ in range(200):  # 2^200 leaves as a tree
        shared = node("add", (shared, shared))
    assert len(mathml.expression(shared)) < 1_000_000
