"""Linear forms against SymPy."""

from __future__ import annotations

import pytest
import sympy

from hybridode.equations.dae.linear import cannot_vanish, form_of, solved
from hybridode.expr import Expr, Symbol, const, node, postorder, sym
from tests.equations.evaluator import evaluate
from tests.equations.models import minus, n

X, Y, T = sym("algebraic", "x"), sym("algebraic", "y"), sym("state", "t")
P, Q = sym("parameter", "p"), sym("parameter", "q")
WANTED = frozenset({X.data, Y.data})
LINEAR = {
    "sum": n("add", n("mul", P, X), n("neg", n("mul", Y, n("exp", T))), 3.0),
    "quotient": n("div", minus(n("mul", 2.0, X), Y), n("add", P, T)),
    "product of a sum": n("mul", P, n("add", X, n("neg", n("div", Y, Q)), T), T),
    "twice": n("add", X, n("mul", 3.0, X), n("neg", Y)),
    "if": n("where", n("gt", T, 0.0), n("mul", 2.0, X), n("add", Y, 1.0)),
    "none": n("sin", n("mul", P, T)),
}
TO_SYMPY = {"neg": lambda a: -a, "div": lambda a, b: a / b, "exp": sympy.exp, "sin": sympy.sin, "gt": lambda a, b: a > b}


def to_sympy(e: Expr) -> sympy.Expr:
    made: dict[Expr, sympy.Expr] = {}
    for x in postorder((e,)):
        args = [made[a] for a in x.args]
        if x.op == "const":
            made[x] = sympy.Float(x.data)
        elif x.op == "sym":
            made[x] = sympy.Symbol(x.data.name, real=True)
        elif x.op in ("add", "mul"):
            made[x] = (sympy.Add if x.op == "add" else sympy.Mul)(*args)
        elif x.op == "where":
            made[x] = sympy.Piecewise((args[1], args[0]), (args[2], True))
        else:
            made[x] = TO_SYMPY[x.op](*args)
    return made[e]


@pytest.mark.parametrize("e", LINEAR.values(), ids=list(LINEAR))
def test_coefficients_are_derivatives(e: Expr) -> None:
    form = form_of(e, WANTED)
    values = {X.data: 0.0, Y.data: 0.0, T.data: 0.7, P.data: 1.3, Q.data: -0.4}
    numbers = [(sympy.Symbol(s.name, real=True), v) for s, v in values.items()]
    assert form.rest is not None
    (rest,) = evaluate([form.rest], values)
    whole = to_sympy(e)
    assert rest == pytest.approx(float(whole.subs(numbers)))
    for s in WANTED:
        (found,) = evaluate([form.coefficients.get(s) or const(0.0)], values)
        assert found == pytest.approx(float(sympy.diff(whole, sympy.Symbol(s.name, real=True)).subs(numbers)))


@pytest.mark.parametrize(
    "e",
    [n("mul", X, Y), n("exp", X), n("div", 1.0, X), n("where", n("gt", X, 0.0), X, Y), n("add", X, n("sin", X))],
    ids=["product", "exp", "below", "condition", "both"],
)
def test_what_is_not_linear(e: Expr) -> None:
    form = form_of(e, WANTED)
    assert form.rest is None and form.coefficients[X.data] is None


def test_one_linear_beside_another_that_is_not() -> None:
    form = form_of(n("add", n("mul", P, X), n("sin", Y)), WANTED)
    assert form.coefficients == {X.data: P, Y.data: None} and form.rest is None


def test_solved() -> None:
    e = n("add", n("neg", n("mul", P, X)), n("mul", 2.0, T), n("neg", n("div", T, Q)))
    form = form_of(e, {X.data})
    assert form.rest is not None and form.coefficients[X.data] is not None
    value = solved(form.coefficients[X.data] or X, form.rest)
    values = {T.data: 0.7, P.data: 1.3, Q.data: -0.4}
    (found,) = evaluate([value], values)
    assert evaluate([e], values | {X.data: found})[0] == pytest.approx(0.0, abs=1e-15)


def test_cannot_vanish() -> None:
    sure = [const(2.0), P, n("neg", P), n("mul", P, n("exp", T)), n("div", n("add", P, Q), n("cosh", T)), n("sin", P)]
    unsure = [const(0.0), T, n("mul", P, T), n("add", P, T), n("sin", T), node("sym", (), Symbol("definition", "y"))]
    assert all(map(cannot_vanish, sure)) and not any(map(cannot_vanish, unsure))
