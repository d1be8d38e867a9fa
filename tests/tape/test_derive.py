"""Forward and reverse mode: random expressions against SymPy and differences, structural operations by their definition."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import sympy as sp
from hypothesis import given, settings
from hypothesis import strategies as st

from hybridode.expr import Expr
from hybridode.tape.build import build
from hybridode.tape.derive import cotangents, forward, reverse, tangents
from hybridode.tape.interpret import interpret
from hybridode.tape.tape import Tape, TapeBuilder
from hybridode.tape.verify import verify
from tests.tape.expressions import LEAVES, SYMPY_NAMES, expressions, to_sympy

POINT = {"y": np.array([0.7, -1.3, 0.2, 2.1]), "p": np.array([0.9]), "t": 1.7}
WRT = ("y", "p", "t")


def jacobian_forward(tape: Tape, inputs: dict, wrt: str, output: str) -> np.ndarray:
    """Columns by forward mode."""
    tangent = verify(forward(tape, [wrt], [output]))
    n = np.size(inputs[wrt])
    columns = [
        interpret(tangent, {**inputs, f"{wrt}.dot": row})[f"{output}.dot"].ravel() for row in _units(n, np.shape(inputs[wrt]))
    ]
    return np.stack(columns, 1)


def jacobian_reverse(tape: Tape, inputs: dict, wrt: str, output: str) -> np.ndarray:
    """Rows by reverse mode."""
    back = verify(reverse(tape, [wrt], [output]))
    shape = tape.shape(tape.output(output))
    rows = [interpret(back, {**inputs, f"{output}.bar": row})[f"{wrt}.bar"].ravel() for row in _units(int(np.prod(shape)), shape)]
    return np.stack(rows)


def differences(tape: Tape, inputs: dict, wrt: str, output: str) -> np.ndarray:
    value = np.asarray(inputs[wrt], float)
    columns = []
    for row in _units(value.size, value.shape):
        h = 1e-6
        up, down = (interpret(tape, {**inputs, wrt: value + s * h * row})[output].ravel() for s in (1, -1))
        columns.append((up - down) / (2 * h))
    return np.stack(columns, 1)


def _units(n: int, shape: tuple[int, ...]) -> list[np.ndarray]:
    return [row.reshape(shape) for row in np.eye(n)]


def read(tape: Tape) -> list[str]:
    return [i.name for i in tape.inputs if i.name in WRT]


@settings(max_examples=25, deadline=None)
@given(expressions())
def test_random_expressions_against_sympy(e: Expr):
    tape = build({"f": [e]}, LEAVES)
    exact = to_sympy(e)
    values = {SYMPY_NAMES[s]: sp.Float(np.ravel(POINT[name])[max(place, 0)], 40) for s, (name, place) in LEAVES.items()}
    assert interpret(tape, POINT)["f"][0] == pytest.approx(float(sp.N(exact.subs(values), 30)), rel=1e-12, abs=1e-13)
    back = interpret(reverse(tape, WRT), {**POINT, "f.bar": [1.0]})
    for symbol, (name, place) in LEAVES.items():
        if f"{name}.bar" in back:
            expected = float(sp.N(sp.diff(exact, SYMPY_NAMES[symbol]).subs(values), 30))
            assert np.ravel(back[f"{name}.bar"])[max(place, 0)] == pytest.approx(expected, rel=1e-10, abs=1e-12)


@settings(max_examples=20, deadline=None)
@given(st.lists(expressions(6), min_size=1, max_size=6))
def test_reverse_is_forward_transposed(es: list[Expr]):
    tape = build({"f": es}, LEAVES)
    for name in read(tape):
        ahead = jacobian_forward(tape, POINT, name, "f")
        assert jacobian_reverse(tape, POINT, name, "f") == pytest.approx(ahead, rel=1e-11, abs=1e-13)
        assert differences(tape, POINT, name, "f") == pytest.approx(ahead, rel=1e-5, abs=1e-6)


@settings(max_examples=15, deadline=None)
@given(expressions(5))
def test_second_derivatives_by_every_order_of_modes(e: Expr):
    """Reverse over forward, forward over reverse: one Hessian, symmetric."""
    tape = build({"f": [e]}, LEAVES)
    if "y" not in read(tape):
        return
    gradient = reverse(tape, ["y"])
    point = {**POINT, "f.bar": [1.0]}
    hessian = jacobian_forward(gradient, point, "y", "y.bar") if "y" in read(gradient) else np.zeros((4, 4))
    assert hessian == pytest.approx(hessian.T, rel=1e-9, abs=1e-10)
    tangent = forward(tape, ["y"], values=False)
    if "y" in read(tangent):
        for k in range(4):
            row = interpret(reverse(tangent, ["y"]), {**POINT, "y.dot": np.eye(4)[k], "f.dot.bar": [1.0]})["y.bar"]
            assert row == pytest.approx(hessian[k], rel=1e-9, abs=1e-10)


Structural = tuple[dict[str, tuple[int, ...]], Callable[[TapeBuilder, list[int]], int], Callable[..., np.ndarray]]
STRUCTURAL: dict[str, Structural] = {
    "gather": ({"x": (5,)}, lambda b, v: b.gather(v[0], [3, 0, 3, 4]), lambda x: x[[3, 0, 3, 4]]),
    "gather matrix": ({"x": (2, 3)}, lambda b, v: b.gather(v[0], [5, 1], (2,)), lambda x: x.ravel()[[5, 1]]),
    "reshape": ({"x": (6,)}, lambda b, v: b.gather(v[0], range(6), (2, 3)), lambda x: x.reshape(2, 3)),
    "slice": ({"x": (6,)}, lambda b, v: b.gather(v[0], range(1, 6, 2)), lambda x: x[1:6:2]),
    "element": ({"x": (6,)}, lambda b, v: b.element(v[0], 4), lambda x: x[4]),
    "scatter_add": (
        {"x": (4,)}, lambda b, v: b.scatter_add(v[0], [2, 0, 2, 4], (5,)), lambda x: np.array([x[1], 0, x[0] + x[2], 0, x[3]]),
    ),
    "scatter to matrix": (
        {"x": (2,)}, lambda b, v: b.scatter_add(v[0], [3, 1], (2, 2)), lambda x: np.array([[0, x[1]], [0, x[0]]]),
    ),
    "concat": (
        {"x": (), "y": (2,), "z": (1, 2)},
        lambda b, v: b.concat(v),
        lambda x, y, z: np.concatenate([[x], y, z.ravel()]),
    ),
    "stack": ({"x": (2,), "y": (2,)}, lambda b, v: b.concat(v, (2, 2)), lambda x, y: np.stack([x, y])),
    "broadcast": ({"x": ()}, lambda b, v: b.broadcast(v[0], (2, 3)), lambda x: np.full((2, 3), x)),
    "broadcast rows": ({"x": (3,)}, lambda b, v: b.broadcast(v[0], (2, 3), 0), lambda x: np.stack([x, x])),
    "broadcast columns": ({"x": (2,)}, lambda b, v: b.broadcast(v[0], (2, 3), 1), lambda x: np.stack([x, x, x], 1)),
    "sum": ({"x": (2, 3)}, lambda b, v: b.sum(v[0]), lambda x: x.sum()),
    "sum rows": ({"x": (2, 3)}, lambda b, v: b.sum(v[0], 1), lambda x: x.sum(1)),
    "sum columns": ({"x": (2, 3)}, lambda b, v: b.sum(v[0], 0), lambda x: x.sum(0)),
    "matvec": ({"a": (2, 3), "x": (3,)}, lambda b, v: b.make("matvec", *v), lambda a, x: a @ x),
    "matvec_transposed": ({"a": (2, 3), "x": (2,)}, lambda b, v: b.make("matvec_transposed", *v), lambda a, x: a.T @ x),
    "outer": ({"x": (2,), "y": (3,)}, lambda b, v: b.make("outer", *v), np.outer),
    "matmul": ({"a": (2, 3), "c": (3, 4)}, lambda b, v: b.make("matmul", *v, attrs=(False, False)), lambda a, c: a @ c),
    "matmul'": ({"a": (2, 3), "c": (4, 3)}, lambda b, v: b.make("matmul", *v, attrs=(False, True)), lambda a, c: a @ c.T),
    "'matmul": ({"a": (3, 2), "c": (3, 4)}, lambda b, v: b.make("matmul", *v, attrs=(True, False)), lambda a, c: a.T @ c),
    "'matmul'": ({"a": (3, 2), "c": (4, 3)}, lambda b, v: b.make("matmul", *v, attrs=(True, True)), lambda a, c: a.T @ c.T),
    "scalar beside vector": ({"x": (), "y": (3,)}, lambda b, v: b.mul(*v), lambda x, y: x * y),
    "select by vector": (
        {"x": (), "y": (3,)},
        lambda b, v: b.select(b.make("lt", b.constant([1.0, 2.0, 3.0]), b.const(2.5)), v[0], v[1]),
        lambda x, y: np.array([x, x, y[2]]),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", STRUCTURAL)
def test_structural_operations(name: str):
    shapes, make, expected = STRUCTURAL[name]
    rng = np.random.default_rng(1)
    b = TapeBuilder()
    nodes = [b.input(k, s) for k, s in shapes.items()]
    tape = verify(b.finish({"f": make(b, nodes)}))
    inputs = {k: rng.normal(size=s) for k, s in shapes.items()}
    value = interpret(tape, inputs)["f"]
    assert value.shape == tape.shape(tape.output("f"))
    assert value == pytest.approx(np.asarray(expected(*inputs.values())), rel=1e-14)
    for wrt in shapes:
        ahead = jacobian_forward(tape, inputs, wrt, "f")
        assert jacobian_reverse(tape, inputs, wrt, "f") == pytest.approx(ahead, rel=1e-14)
        # All are linear in each operand: differences are exact to rounding.
        assert differences(tape, inputs, wrt, "f") == pytest.approx(ahead, rel=1e-7, abs=1e-8)


def test_a_thousand_scalars_of_one_vector_come_back_by_one_scatter():
    b = TapeBuilder()
    y = b.input("y", (1000,))
    f = b.concat([b.mul(b.element(y, (7 * k) % 1000), b.const(float(k))) for k in range(1000)])
    back = reverse(b.finish({"f": f}), ["y"])
    assert back.count("scatter_add") <= 1
    assert len(back.instructions) < 4005
    assert interpret(back, {"f.bar": np.ones(1000)})["y.bar"][7] == 1.0


def test_what_does_not_depend_has_derivative_zero():
    b = TapeBuilder()
    x, y = b.input("x", (2,)), b.input("y", (2,))
    tape = b.finish({"f": b.add(x, x), "g": b.make("floor", y)})
    back = interpret(reverse(tape, ["x", "y"], ["g"]), {"y": [0.0, 1.0], "x": [0.0, 0.0], "g.bar": [1.0, 1.0]})
    assert back["y.bar"].tolist() == [0.0, 0.0] and back["x.bar"].tolist() == [0.0, 0.0]
    assert interpret(forward(tape, ["y"], ["f"], values=False), {})["f.dot"].tolist() == [0.0, 0.0]


def test_a_derivative_by_a_node_that_folding_reads_through_is_refused():
    b = TapeBuilder()
    x = b.concat([b.input("a"), b.input("c")])
    f = b.make("sin", b.element(x, 0))  # reads the input `a`, not the concatenation
    with pytest.raises(AssertionError, match="folding reads through"):
        cotangents(b, {f: b.const(1.0)}, [x])
    with pytest.raises(AssertionError, match="folding reads through"):
        tangents(b, {x: b.constant([1.0, 0.0])}, [f])


def test_one_value_that_is_two_outputs_gets_both_cotangents():
    b = TapeBuilder()
    x = b.input("x")
    v = b.mul(x, x)
    back = reverse(b.finish({"f": v, "g": v}), ["x"])
    assert interpret(back, {"x": 3.0, "f.bar": 1.0, "g.bar": 10.0})["x.bar"] == 66.0
