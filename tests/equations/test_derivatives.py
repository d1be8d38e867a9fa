"""SymPy's derivatives of shapes, our own rules and differences in 50 digits: every operation, and random expressions."""

from __future__ import annotations

import math

import mpmath
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hybridode.equations.derivative_rules import RULES, gradient
from hybridode.equations.gradients import ShapeCache
from hybridode.expr import BOOLEAN, OPS, Expr, const, node, postorder, sym
from tests.equations.evaluator import evaluate
from tests.equations.models import minus, n

X, Y, Z = (sym("state", name) for name in "xyz")
CACHE = ShapeCache(most_shapes=10_000, most_work=10**9)
DOMAIN = {"acosh": (1.2, 3.0), "asin": (-0.8, 0.8), "acos": (-0.8, 0.8), "atanh": (-0.8, 0.8), "mod": (0.3, 0.33)}
NO_DERIVATIVE_EXPECTED = BOOLEAN | {
    "const",
    "sym",
    "net",
    "net_jacobian",
    "out",
    "table",
    "table_slope",
    "digamma",
    "exprel_slope",
}


def call(op: str) -> Expr:
    """The operation at expressions of x, y, z that stay in its domain for values in its DOMAIN."""
    fewest, most = OPS[op]
    if op == "where":
        return n("where", n("lt", X, Y), n("mul", X, Y), n("sin", X))
    if op == "mod":
        return n("mod", n("add", X, 5.5), n("add", Y, 1.0))
    arguments = [X, n("mul", Y, Y), n("add", Z, 1.5)][: fewest if most > 0 else 3]
    return node(op, arguments)


def dense(partials: dict[Expr, Expr], point: dict) -> list[float]:
    found = dict(zip(partials, evaluate(partials.values(), point), strict=True))
    return [float(found.get(leaf, 0.0)) for leaf in (X, Y, Z)]


def differences(e: Expr, point: dict) -> list[float]:
    """Central differences with Richardson's extrapolation."""
    out = []
    for leaf in (X, Y, Z):

        def f(v: float, leaf: Expr = leaf) -> float:
            return float(evaluate([e], point | {leaf.data: v})[0])

        x, h = point[leaf.data], 1e-3
        d = [(f(x + h / k) - f(x - h / k)) / (2 * h / k) for k in (1, 2, 4)]
        e1 = [(4 * d[1] - d[0]) / 3, (4 * d[2] - d[1]) / 3]
        out.append((16 * e1[1] - e1[0]) / 15)
    return out


@pytest.mark.parametrize("op", sorted(OPS.keys() - NO_DERIVATIVE_EXPECTED))
def test_every_operation(op: str) -> None:
    assert op in RULES
    e, rng = call(op), np.random.default_rng(3)
    low, high = DOMAIN.get(op, (0.15, 0.85))
    for _ in range(5):
        point = dict(zip((X.data, Y.data, Z.data), rng.uniform(low, high, 3), strict=True))
        own, theirs = dense(gradient(e), point), dense(CACHE.gradient(e), point)
        np.testing.assert_allclose(own, theirs, rtol=1e-12, atol=1e-14)
        np.testing.assert_allclose(own, differences(e, point), rtol=1e-7, atol=1e-9)


def choices(a: Expr, b: Expr, c: Expr, safe: Expr) -> list[Expr]:
    """What may be made of three parts; `safe` is at least 1.1."""
    return [
        n("add", a, n("neg", b), c), n("mul", a, b), n("mul", a, b, c), n("div", a, safe), n("exp", n("neg", safe)),
        n("log", safe), n("sqrt", safe), n("tanh", a), n("sin", a), n("pow", safe, 1.7), n("pow", safe, n("tanh", b)),
        n("pow", a, 3.0), n("mm", safe, safe), n("hill", safe, n("exp", n("neg", safe)), 2.3), n("softplus", a),
        n("sigmoid", b), n("exprel", n("tanh", a)), n("where", n("lt", a, b), n("mul", a, c), n("cos", b)),
        n("max", a, b, 0.3), n("abs", a), n("atan2", a, safe), n("log1p", n("mul", a, a)), n("erf", a), n("lgamma", safe),
        n("asinh", a), n("div", minus(a, b), safe),
    ]  # fmt: skip


@st.composite
def expressions(draw: st.DrawFn) -> Expr:
    """Random expressions of x, y, z in (0.2, 2) whose parts stay in the domains of the operations."""
    pool: list[Expr] = [X, Y, Z, const(draw(st.sampled_from([0.5, 2.0, 3.0, 1.25, 10.0])))]
    for _ in range(draw(st.integers(2, 9))):
        a, b, c = (draw(st.sampled_from(pool)) for _ in range(3))
        pool.append(draw(st.sampled_from(choices(a, b, c, n("add", 1.1, n("mul", a, a))))))
    return pool[-1]


@settings(max_examples=60, deadline=None, derandomize=True)
@given(expressions(), st.integers(0, 2**31))
def test_random_expressions(e: Expr, seed: int) -> None:
    point = dict(zip((X.data, Y.data, Z.data), np.random.default_rng(seed).uniform(0.2, 2.0, 3), strict=True))
    own, theirs = dense(gradient(e), point), dense(CACHE.gradient(e), point)
    if np.isfinite(own).all() and max(map(abs, own)) < 1e8:
        scale = max(1.0, *map(abs, own))
        np.testing.assert_allclose(own, theirs, rtol=1e-9, atol=1e-11 * scale)


# Where the derivative exists it is a number: (expression, point, derivative by x).
EDGES: list[tuple[Expr, tuple[float, float], float]] = [
    (n("where", n("gt", X, 0.0), n("sqrt", X), 0.0), (0.0, 1.0), 0.0),
    (n("where", n("gt", X, 0.0), n("log", X), n("mul", 2.0, X)), (0.0, 1.0), 2.0),
    (n("where", n("gt", X, 0.0), n("div", Y, X), n("mul", X, Y)), (0.0, 3.0), 3.0),
    (n("pow", X, Y), (0.0, 0.0), 0.0),
    (n("pow", X, Y), (0.0, 1.0), 1.0),
    (n("pow", X, Y), (0.0, 2.0), 0.0),
    (n("pow", X, 2.5), (0.0, 1.0), 0.0),
    (n("pow", X, 1.0), (0.0, 1.0), 1.0),
    (n("pow", n("mul", X, X), 1.5), (0.0, 1.0), 0.0),
    (n("sqrt", n("mul", X, X, X, X)), (0.0, 1.0), 0.0),
    (n("abs", X), (0.0, 1.0), 0.0),
    (n("min", X, Y), (1.0, 1.0), 0.5),
    (n("max", X, 2.0), (2.0, 1.0), 0.5),
    (n("max", n("sqrt", X), 1.0), (0.0, 1.0), 0.0),
    (n("relu", X), (0.0, 1.0), 0.0),
    (n("hill", X, Y, 2.0), (0.0, 1.0), 0.0),
    (n("hill", Y, X, 2.0), (0.0, 1.0), 0.0),
    (n("hill", X, Y, 2.0), (-1.0, 1.0), 0.0),
    (n("mm", X, Y), (0.0, 2.0), 0.5),
    (n("exprel", X), (0.0, 1.0), 0.5),
    (n("div", 1.0, n("exprel", X)), (0.0, 1.0), -0.5),
    (n("sigmoid", X), (800.0, 1.0), 0.0),
    (n("softplus", X), (800.0, 1.0), 1.0),
    (n("softplus", X), (-800.0, 1.0), 0.0),
    (n("mod", X, 24.0), (30.0, 1.0), 1.0),
]


@pytest.mark.parametrize(("e", "at", "expected"), EDGES)
@pytest.mark.parametrize("gradient_of", [gradient, CACHE.gradient])
def test_derivative_is_a_number_where_it_exists(gradient_of, e: Expr, at: tuple[float, float], expected: float) -> None:
    point = {X.data: at[0], Y.data: at[1], Z.data: 0.0}
    assert dense(gradient_of(e), point)[0] == pytest.approx(expected, abs=1e-300)


def test_slope_of_exprel_is_exact() -> None:
    for x in (1e-12, -1e-3, 0.5, -30.0, 5.0):
        with mpmath.workdps(60):
            exact = mpmath.diff(lambda v: mpmath.expm1(v) / v, mpmath.mpf(x))
        assert math.isclose(
            dense(CACHE.gradient(n("exprel", X)), {X.data: x, Y.data: 0, Z.data: 0})[0], float(exact), rel_tol=1e-14
        )


def test_budget_of_shapes_and_of_size() -> None:
    small = ShapeCache(most_shapes=1)
    first, second = n("mul", X, Y), n("sin", n("mul", X, Y))
    assert small.gradient(first) == gradient(first) and small.gradient(second) == gradient(second)
    assert len(small.shapes) == 1
    deep: Expr = X
    for _ in range(1000):
        deep = n("tanh", deep)
    assert dense(small.gradient(deep), {X.data: 0.0, Y.data: 0.0, Z.data: 0.0})[0] == 1.0
    doubled: Expr = X
    for _ in range(60):  # 2^60 nodes as a tree
        doubled = n("add", n("mul", 0.5, doubled), n("mul", 0.5, doubled))
    assert dense(small.gradient(n("tanh", doubled)), {X.data: 0.0, Y.data: 0.0, Z.data: 0.0})[0] == pytest.approx(1.0)


def test_numbers_and_names_share_a_shape() -> None:
    cache = ShapeCache()
    for i in range(50):
        cache.gradient(n("mul", 1.5 + i, sym("parameter", f"k{i}"), sym("state", "x", i)))
    assert len(cache.shapes) == 1


def test_the_right_sides_own_nodes_come_back() -> None:
    """exp(…) of the equation and of its derivative are one node, so it is computed once."""
    e = n("mul", Y, n("exp", n("div", n("neg", n("add", X, 65.0)), 18.0)))
    exps = {x for root in (e, *CACHE.gradient(e).values()) for x in postorder([root]) if x.op == "exp"}
    assert len(exps) == 1


def test_names_that_mean_something_to_sympy_or_python() -> None:
    names = ["S", "E", "I", "N", "lambda", "pi2", "__import__", "oo", "zoo", "beta", "s0000"]
    leaves = [sym("state", name) for name in names]
    e = n("mul", *leaves)
    partials = ShapeCache().gradient(e)
    point = {leaf.data: 1.5 + i for i, leaf in enumerate(leaves)}
    (whole,) = evaluate([e], point)
    assert list(partials) == leaves
    for leaf, value in zip(partials, evaluate(partials.values(), point), strict=True):
        assert value == pytest.approx(whole / point[leaf.data], rel=1e-14)
