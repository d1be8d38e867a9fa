"""Every row of the table of operations: meaning against SymPy, derivatives against SymPy, edge cases, forms."""

from __future__ import annotations

import numpy as np
import pytest
import sympy as sp
from hypothesis import given, settings
from hypothesis import strategies as st

from hybridode.expr import OPS as EXPR_OPS
from hybridode.kernels.jax import EMIT
from hybridode.tape.derive import forward, reverse
from hybridode.tape.fold import FOLDS
from hybridode.tape.interpret import interpret
from hybridode.tape.lower import _OTHER, LOWER
from hybridode.tape.meaning import exprel_slope
from hybridode.tape.ops import OPS
from hybridode.tape.print import print_tape
from hybridode.tape.tape import Tape, TapeBuilder
from hybridode.tape.verify import verify
from tests.tape.cases import ATTRS, EDGES, SYMPY, points

X = sp.symbols("x y z", real=True)
REAL = [name for name, row in OPS.items() if row.partials is not None and name != "table"]


def single(op: str, arity: int, shape: tuple[int, ...] = ()) -> Tape:
    """The tape of one operation."""
    b = TapeBuilder()
    args = tuple(b.input(f"x{j}", shape) for j in range(arity))
    return verify(b.finish({"f": b.node(op, args, ATTRS.get(op))}))


def named(values: tuple[float, ...]) -> dict[str, float]:
    return {f"x{j}": v for j, v in enumerate(values)}


def derivatives(op: str, point: tuple[float, ...]) -> tuple[list[float], list[float]]:
    """All partial derivatives by forward and by reverse mode."""
    tape, names = single(op, len(point)), [f"x{j}" for j in range(len(point))]
    tangent = forward(tape, names)
    seeds = [{f"{n}.dot": float(n == m) for n in names} for m in names]
    ahead = [float(interpret(tangent, {**named(point), **seed})["f.dot"]) for seed in seeds]
    back = interpret(reverse(tape, names), {**named(point), "f.bar": 1.0})
    return ahead, [float(back[f"{n}.bar"]) for n in names]


def test_every_table_has_a_row_for_every_operation():
    assert set(EMIT) == set(OPS) == set(FOLDS)
    assert set(LOWER) | set(_OTHER) == set(EXPR_OPS)
    assert not set(LOWER) & set(_OTHER)
    assert set(SYMPY) == set(REAL)


def test_every_row_is_whole():
    for name, row in OPS.items():
        assert row.name == name
        differentiable = row.gives != "b" and name != "const"
        assert (row.forward is not None) == (row.reverse is not None) == differentiable, name
        assert row.partials is None or row.elementwise, name
        assert len(row.safe) in (0, row.arity), name


@pytest.mark.parametrize("op", REAL)
def test_meaning_is_sympys(op: str):
    row = OPS[op]
    expression = SYMPY[op](*X[: row.arity])
    for point in points(op):
        exact = {x: sp.Rational(v) for x, v in zip(X, point, strict=False)}
        expected = float(sp.N(expression.subs(exact), 40))
        found = float(interpret(single(op, row.arity), named(point))["f"])
        tolerance = 1e-13 if op in ("exprel_slope", "polygamma", "digamma", "gamma", "lgamma") else 4e-15
        # mod's rest is exact only relative to the dividend; a zero of a function is exact only relative to its argument.
        assert found == pytest.approx(expected, rel=tolerance, abs=1e-15 * max(map(abs, point))), point


@pytest.mark.parametrize("op", REAL)
def test_derivatives_are_sympys(op: str):
    arity = OPS[op].arity
    expression = SYMPY[op](*X[:arity])
    partials = [sp.diff(expression, x) for x in X[:arity]]
    if op in ("floor", "mod"):
        # SymPy does not differentiate floor; it is flat between the jumps.
        partials = [sp.S(0)] if op == "floor" else [sp.S(1), -sp.floor(X[0] / X[1])]
    for point in points(op):
        exact = {x: sp.Rational(v) for x, v in zip(X, point, strict=False)}
        expected = [float(sp.N(p.subs(exact), 60)) for p in partials]
        ahead, back = derivatives(op, point)
        assert ahead == pytest.approx(expected, rel=2e-13, abs=1e-16), point
        assert back == pytest.approx(ahead, rel=1e-15, abs=0), point


@pytest.mark.parametrize(("op", "args", "value", "partials"), EDGES)
def test_edges(op: str, args: tuple[float, ...], value: float, partials: tuple[float, ...]):
    assert float(interpret(single(op, len(args)), named(args))["f"]) == pytest.approx(value, rel=1e-15, abs=0)
    ahead, back = derivatives(op, args)
    assert ahead == pytest.approx(partials, rel=1e-12, abs=1e-300)
    assert back == pytest.approx(partials, rel=1e-12, abs=1e-300)


@pytest.mark.parametrize("op", REAL)
def test_derivatives_are_slopes(op: str):
    """Against central differences of the interpreter (an oracle that knows no rule)."""
    for point in points(op)[1:-1]:
        ahead, _ = derivatives(op, point)
        for j, slope in enumerate(ahead):
            h = 1e-5 * max(1e-3, abs(point[j]))
            up, down = ([*point[:j], point[j] + s * h, *point[j + 1 :]] for s in (1, -1))
            tape = single(op, len(point))
            rise = float(interpret(tape, named(tuple(up)))["f"]) - float(interpret(tape, named(tuple(down)))["f"])
            scale = max(abs(slope), 1e-9 / h * abs(float(interpret(tape, named(point))["f"])), 1e-6)
            if op not in ("floor", "sign", "heaviside", "mod") and min(abs(v) for v in point) > 2 * h:
                assert rise / (2 * h) == pytest.approx(slope, abs=2e-4 * scale), (point, j)


@pytest.mark.parametrize("op", [*REAL, "lt", "le", "eq", "ne", "select"])
def test_vectors_are_scalars_side_by_side(op: str):
    rng = np.random.default_rng(0)
    arity = OPS[op].arity
    if op == "select":
        b = TapeBuilder()
        x, y = b.input("x0", (5,)), b.input("x1", (5,))
        tape = b.finish({"f": b.node("select", (b.make("lt", x, y), x, b.input("x2")))})
    elif op in REAL:
        tape = single(op, arity, (5,))
    else:
        b = TapeBuilder()
        c = b.node(op, (b.input("x0", (5,)), b.input("x1", (5,))))
        tape = b.finish({"f": b.select(c, b.const(1.0), b.const(0.0))})
    verify(tape)
    values = {i.name: rng.choice([0.2, 0.3, 0.5], i.shape) for i in tape.inputs}
    whole = interpret(tape, values)["f"]
    for k in range(5):
        one = TapeBuilder()
        nodes = one.inline(tape, {n: one.constant(v) for n, v in values.items()})
        element = one.element(nodes[tape.output("f")], k)
        assert interpret(one.finish({"f": element}), {})["f"] == pytest.approx(whole[k], rel=1e-15, nan_ok=op == "acosh")


def test_conditions():
    b = TapeBuilder()
    x, y = b.input("x", (3,)), b.input("y", (3,))
    lt, le = b.make("lt", x, y), b.make("le", x, y)
    eq, ne = b.make("eq", x, y), b.make("ne", x, y)
    one, zero = b.const(1.0), b.const(0.0)
    nodes = {
        "lt": lt,
        "le": le,
        "eq": eq,
        "ne": ne,
        "and": b.make("and", le, ne),
        "or": b.make("or", lt, eq),
        "not": b.make("not", lt),
    }
    tape = verify(b.finish({name: b.select(n, one, zero) for name, n in nodes.items()}))
    found = interpret(tape, {"x": [1.0, 2.0, np.nan], "y": [2.0, 2.0, 2.0]})
    expected = {
        "lt": [1, 0, 0], "le": [1, 1, 0], "eq": [0, 1, 0], "ne": [1, 0, 1], "and": [1, 0, 0], "or": [1, 1, 0], "not": [0, 1, 1],
    }  # fmt: skip
    assert {name: v.tolist() for name, v in found.items()} == expected


@settings(max_examples=25, deadline=None)
@given(st.floats(-60, 60), st.integers(1, 4))
def test_exprel_slope_is_the_integral(x: float, k: int):
    """E_k(x) = integral of s^k e^(s x) over [0, 1], by Gauss–Legendre quadrature."""
    nodes, weights = np.polynomial.legendre.leggauss(60)
    s = (nodes + 1) / 2
    assert exprel_slope(k)(x) == pytest.approx(0.5 * np.sum(weights * s**k * np.exp(s * x)), rel=2e-12)


def test_printed_form():
    b = TapeBuilder()
    y, w = b.input("y", (3,)), b.input("w", (2, 3))
    x = b.element(y, 1)
    v = b.make("matvec", w, y)
    f = b.concat([b.mul(x, b.gather(y, [2, 0])), b.make("sum", v), b.const(0.5), b.gather(y, [0, 2, 1])])
    text = print_tape(verify(b.finish({"f": f})))
    assert text == (
        "input   y (3)\n"
        "input   w (2, 3)\n"
        "  v2 = y[1]\n"
        "  v3 (2) = w @ y\n"
        "  v4 (2) = y[2, 0]\n"
        "  v5 (2) = v2 * v4\n"
        "  v6 = sum(v3)\n"
        "  v7 = 0.5\n"
        "  v8 (3) = y[0, 2, 1]\n"
        "  v9 (7) = concat(v5, v6, v7, v8)\n"
        "output  f (7) = v9\n"
    )
