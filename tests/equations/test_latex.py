"""LaTeX of names, expressions and models."""

from __future__ import annotations

import pytest

from hybridode.equations.latex import expr_latex, jacobian_latex, model_latex, system_latex
from hybridode.equations.latex_names import name_latex
from hybridode.equations.pipeline import equations_of
from hybridode.expr import Expr, node, sym
from tests.equations import models
from tests.equations.models import minus, n

X, Y = sym("state", "x"), sym("state", "y")
NET = node("net", (X, Y), "NN_prey")

NAMES = {
    "x": "x", "alpha": r"\alpha", "alpha_m": r"\alpha_{m}",
    "Ca_i": r"\mathrm{Ca}_{i}", "y12": "y_{12}", "k2_max": r"k_{2,\mathrm{max}}",
    "w[1, 2]": "w_{1,2}", "x'": "x'", "θ": r"\theta", "prey": r"\mathrm{prey}", "K_d[3]": "K_{d,3}", "lambda": r"\lambda",
}  # fmt: skip
EXPRESSIONS: list[tuple[Expr, str]] = [
    (minus(X, n("add", X, Y)), r"x - \left(x + y\right)"),
    (n("neg", n("div", n("neg", X), 2.0)), r"-\left(-\frac{x}{2}\right)"),
    (n("div", n("neg", n("add", X, 1.0)), Y), r"-\frac{x + 1}{y}"),
    (n("mul", 2.0, 3.0, X), r"2 \cdot 3 \, x"),
    (n("mul", X, X, X, Y), r"x^{3} \, y"),
    (n("pow", n("neg", X), 2.0), r"\left(-x\right)^{2}"),
    (n("pow", n("pow", X, 2.0), 3.0), r"\left(x^{2}\right)^{3}"),
    (n("mul", 1.5e-7, X), r"1.5 \cdot 10^{-7} \, x"),
    (n("exp", n("div", X, Y)), r"\exp\left(\frac{x}{y}\right)"),
    (n("sqrt", n("abs", X)), r"\sqrt{\left|x\right|}"),
    (n("where", n("lt", X, 0.0), 0.0, n("where", n("ge", X, 1.0), 1.0, X)),
     r"\begin{cases} 0 & \text{if } x < 0 \\ 1 & \text{if } x \ge 1 \\ x & \text{otherwise} \end{cases}"),
    (n("hill", X, Y, 3.0), r"\frac{x^{3}}{y^{3} + x^{3}}"),
    (n("mm", X, Y), r"\frac{x}{y + x}"),
    (node("out", (NET,), 0), r"\mathrm{NN}_{\mathrm{prey}}\left(x, y\right)"),
    (node("out", (NET,), 1), r"\left[\mathrm{NN}_{\mathrm{prey}}\left(x, y\right)\right]_{2}"),
    (node("out", (node("net_jacobian", (X, Y), "U"),), 1), r"\partial_{2} U\left(x, y\right)"),
    (node("table", (X,), "f"), r"f\left(x\right)"),
    (sym("input_rate", "I"), r"\dot{I}"),
    (sym("start_input", "I"), "I(0)"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "expected"), NAMES.items())
def test_names(name: str, expected: str) -> None:
    assert name_latex(name) == expected


@pytest.mark.parametrize(("e", "expected"), EXPRESSIONS)
def test_expressions(e: Expr, expected: str) -> None:
    assert expr_latex(e) == expected


def test_models_are_typeset_without_errors_of_braces() -> None:
    for make in (models.lotka_volterra, models.hodgkin_huxley, models.pollu):
        d = make()
        system = equations_of(d)
        for text in (model_latex(d), system_latex(system), jacobian_latex(system)):
            depth = 0
            for c in text.replace(r"\{", "").replace(r"\}", ""):
                depth += (c == "{") - (c == "}")
                assert depth >= 0
            assert depth == 0 and text.count(r"\left") == text.count(r"\right")


def test_deep_nesting() -> None:
    e: Expr = X
    for _ in range(1000):
        e = n("sin", e)
    assert expr_latex(e).count(r"\sin") == 1000
