"""Total time derivatives against SymPy and against differences along a curve."""

from __future__ import annotations

import numpy as np
import pytest

from hybridode.equations.dae.differentiate import CannotDifferentiate, time_derivative
from hybridode.equations.gradients import ShapeCache
from hybridode.expr import ONE, ZERO, Expr, Symbol, node, postorder, sym
from tests.equations.evaluator import Net, evaluate, sine_slope, sine_table
from tests.equations.models import minus, n, par

X, Y, TIME, U = sym("state", "x"), sym("algebraic", "z"), sym("time", "t"), sym("input", "u")
RATES = {X.data: sym("derivative", "x"), Y.data: sym("derivative", "z"), TIME.data: ONE, U.data: sym("input_rate", "u")}
NETS = {"N": Net(2, 2)}
CASES = {
    "circle": minus(n("add", n("pow", X, 2.0), n("pow", Y, 2.0)), n("pow", par("L"), 2.0)),
    "time": n("mul", n("sin", n("mul", par("w"), TIME)), X),
    "input": n("div", U, n("add", 2.0, n("mul", X, X))),
    "net": node("out", (node("net", (X, n("mul", X, Y)), "N"),), 1),
    "net of a net": node("out", (node("net", (node("out", (node("net", (X, Y), "N"),), 0), TIME), "N"),), 1),
    "table": n("mul", Y, node("table", (n("mul", X, X),), "T")),
    "if": n("where", n("gt", X, 0.0), n("mul", X, Y), n("exp", Y)),
    "sqrt": n("sqrt", n("add", n("mul", X, X), n("mul", Y, Y))),
    "fixed": n("exp", par("w")),
}


def rate_of(s: Symbol) -> Expr:
    return RATES.get(s, ZERO)


def along(t: float) -> dict[Symbol, float]:
    curve = {
        X.data: 0.6 + np.sin(t), Y.data: 0.4 + t * t, TIME.data: t, U.data: np.exp(-t),
        sym("derivative", "x").data: np.cos(t), sym("derivative", "z").data: 2 * t, sym("input_rate", "u").data: -np.exp(-t),
    }  # fmt: skip
    return curve | {par("L").data: 1.1, par("w").data: 0.9}


@pytest.mark.parametrize("e", CASES.values(), ids=list(CASES))
def test_against_differences(e: Expr) -> None:
    found = time_derivative(e, rate_of, ShapeCache())
    h, t = 1e-5, 0.3
    (value,) = evaluate([found], along(t), NETS)
    (before,), (after,) = evaluate([e], along(t - h), NETS), evaluate([e], along(t + h), NETS)
    assert value == pytest.approx((after - before) / (2 * h), rel=1e-8, abs=1e-9)


def test_the_second_derivative_of_a_circle() -> None:
    shapes = ShapeCache()
    once = time_derivative(CASES["circle"], rate_of, shapes)
    second = {sym("derivative", "x").data: sym("derivative", "x'"), sym("derivative", "z").data: sym("derivative", "z'")}
    twice = time_derivative(once, lambda s: RATES.get(s) or second.get(s, ZERO), shapes)
    values = along(0.3) | {Symbol("derivative", "x'"): -np.sin(0.3), Symbol("derivative", "z'"): 2.0}
    x, z, dx, dz = 0.6 + np.sin(0.3), 0.49, np.cos(0.3), 0.6
    assert evaluate([twice], values)[0] == pytest.approx(2 * (dx**2 - x * np.sin(0.3) + dz**2 + 2 * z))


def test_a_table_with_kinks_has_no_second_derivative() -> None:
    shapes = ShapeCache()
    once = time_derivative(CASES["table"], rate_of, shapes, {"T"})
    with pytest.raises(CannotDifferentiate):
        time_derivative(once, lambda s: rate_of(s) if s.kind != "derivative" else ONE, shapes, {"T"})


def test_second_derivatives_of_tables_and_networks_by_names() -> None:
    """The slope of a slope is that by both arguments; the Jacobian of a network is a network of its own, `N'`."""
    shapes = ShapeCache()
    acceleration = {sym("derivative", "x").data: ZERO, sym("derivative", "z").data: ZERO}

    def steady(s: Symbol) -> Expr:
        return acceleration.get(s) or rate_of(s)

    table = time_derivative(time_derivative(node("table", (X,), "T"), rate_of, shapes), steady, shapes)
    assert [e.data for e in postorder((table,)) if e.op == "table_slope"] == [("T", 0, 0)]
    net = node("out", (node("net", (X,), "N"),), 1)
    second = time_derivative(time_derivative(net, rate_of, shapes), steady, shapes)
    (found,) = [e for e in postorder((second,)) if e.op == "out"]
    assert found.args[0].op == "net_jacobian" and found.args[0].data == "N'" and found.data == 1


def test_the_oracle_of_tables() -> None:
    assert sine_slope(0, 0.2) == pytest.approx((sine_table(0.2 + 1e-6) - sine_table(0.2 - 1e-6)) / 2e-6)
