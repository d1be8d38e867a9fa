"""Clean-up and sparse Jacobians: fewer instructions, the same values."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hybridode.declarations import Network
from hybridode.expr import Expr, const, node, sym
from hybridode.networks.lower import lower
from hybridode.tape.build import build
from hybridode.tape.derive import forward, reverse
from hybridode.tape.interpret import interpret
from hybridode.tape.optimise import optimise
from hybridode.tape.sparsity import jacobian, pattern
from hybridode.tape.tape import Tape, TapeBuilder
from hybridode.tape.verify import verify
from tests.tape.expressions import LEAVES, expressions
from tests.tape.test_derive import STRUCTURAL, jacobian_forward

POINT = {"y": np.array([0.7, -1.3, 0.2, 2.1]), "p": np.array([0.9]), "t": 1.7}


def computed(tape: Tape) -> int:
    """Numbers that are computed rather than moved (moves may become more: they leave out what nobody reads)."""
    return sum(math.prod(i.shape) for i in tape.instructions if i.op not in ("const", "gather", "concat"))


@settings(max_examples=20, deadline=None)
@given(st.lists(expressions(6), min_size=4, max_size=12))
def test_derived_tapes_keep_their_values(es: list[Expr]):
    tape = build({"f": es}, LEAVES)
    back = reverse(tape, ["y"])
    seeds = {"f.bar": np.linspace(-1, 1, len(es))}
    small = verify(optimise(back))
    assert computed(small) <= computed(back)
    for name, value in interpret(back, {**POINT, **seeds}).items():
        assert interpret(small, {**POINT, **seeds})[name] == pytest.approx(value, rel=1e-13, abs=1e-15)


def test_dead_elements_are_not_computed():
    b = TapeBuilder()
    v, w = b.input("v", (100,)), b.input("w", (50,))
    long = b.concat([b.make("exp", v), b.make("sin", w)])
    f = b.gather(b.mul(long, b.constant(np.arange(150.0))), [3, 120, 7, 3])
    tape = optimise(b.finish({"f": f}))
    verify(tape)
    assert all(i.shape[0] <= 4 for i in tape.instructions)
    inputs = {"v": np.linspace(0, 1, 100), "w": np.linspace(0, 3, 50)}
    assert interpret(tape, inputs)["f"] == pytest.approx(interpret(b.finish({"f": f}), inputs)["f"], rel=1e-15)


def test_dead_parts_and_matrices():
    b = TapeBuilder()
    v, w = b.input("v", (6,)), b.input("w", (2, 3))
    scaled = b.concat([b.make("exp", v), b.make("matvec", w, b.gather(v, range(3)))])
    matrix = b.gather(b.mul(v, v), range(6), (3, 2))
    outputs = {"f": b.gather(scaled, [6, 0]), "g": b.gather(b.sum(matrix, 0), [1]), "h": b.element(b.make("cos", v), 5)}
    tape = b.finish(outputs)
    small = verify(optimise(tape))
    inputs = {"v": np.arange(6.0), "w": np.arange(6.0).reshape(2, 3)}
    for name, value in interpret(tape, inputs).items():
        assert interpret(small, inputs)[name] == pytest.approx(value, rel=1e-15)
    assert small.count("exp") == 1 and small.instructions[[i.op for i in small.instructions].index("exp")].shape == (1,)


def chain(n: int) -> tuple[Tape, dict]:
    x, k = [sym("state", "x", i) for i in range(n)], sym("parameter", "k")
    leaves = {**{s.data: ("y", i) for i, s in enumerate(x)}, k.data: ("p", 0)}
    es = []
    for i in range(n):
        square = node("mul", (x[i], x[i]))
        es.append(
            node(
                "add",
                (node("mul", (k, x[max(i - 1, 0)])), node("neg", (square,)), node("sin", (x[min(i + 1, n - 1)],)), const(1.0)),
            )
        )
    return build({"f": es}, leaves), {"y": np.random.default_rng(0).normal(size=n), "p": [0.4]}


def dense(found, tape: Tape, inputs: dict, shape: tuple[int, int]) -> np.ndarray:
    matrix = np.zeros(shape)
    matrix[found.rows, found.columns] = interpret(verify(found.tape), inputs)["jacobian"]
    return matrix


def test_a_tridiagonal_jacobian_takes_three_sweeps():
    n = 300
    tape, inputs = chain(n)
    found = jacobian(tape, "f", "y")
    assert found.colours == 3 and len(found.rows) == 3 * n - 2
    matrix = dense(found, tape, inputs, (n, n))
    v = np.random.default_rng(1).normal(size=n)
    assert matrix @ v == pytest.approx(interpret(forward(tape, ["y"]), {**inputs, "y.dot": v})["f.dot"], rel=1e-12, abs=1e-13)
    assert (found.rows, found.columns) == tuple(zip(*sorted(zip(found.rows, found.columns, strict=True)), strict=True))


@settings(max_examples=20, deadline=None)
@given(st.lists(expressions(6), min_size=1, max_size=8))
def test_the_jacobian_of_random_systems(es: list[Expr]):
    tape = build({"f": es}, LEAVES)
    structure = pattern(tape, "f", "y")
    if not structure.nnz:
        return
    matrix = dense(jacobian(tape, "f", "y"), tape, POINT, (len(es), 4))
    ahead = forward(tape, ["y"])
    for j in range(4):
        column = interpret(ahead, {**POINT, "y.dot": np.eye(4)[j]})["f.dot"]
        assert matrix[:, j] == pytest.approx(column, rel=1e-12, abs=1e-14)


def test_structure_through_every_kind_of_operation():
    b = TapeBuilder()
    y, w = b.input("y", (4,)), b.input("w", (2, 3))
    head = b.gather(y, [2, 0])
    parts = [
        b.make("matvec", w, b.gather(y, range(1, 4))),
        b.scatter_add(head, [1, 1], (3,)),
        b.make("floor", y),
        b.select(b.make("lt", y, b.const(0.0)), y, b.const(1.0)),
        b.sum(b.gather(y, range(2))),
        b.broadcast(b.element(y, 3), (2,)),
    ]
    tape = verify(b.finish({"f": b.concat(parts)}))
    expected = [[0, 1, 1, 1]] * 2 + [[0] * 4, [1, 0, 1, 0], [0] * 4] + [[0] * 4] * 4
    expected += np.eye(4, dtype=int).tolist() + [[1, 1, 0, 0]] + [[0, 0, 0, 1]] * 2
    assert pattern(tape, "f", "y").toarray().astype(int).tolist() == expected


@pytest.mark.parametrize("name", [n for n in STRUCTURAL if n != "select by vector"])
def test_structure_is_where_the_derivative_is_not_zero(name: str):
    """At random numbers no derivative of these operations is zero by chance."""
    shapes, make, _ = STRUCTURAL[name]
    b = TapeBuilder()
    tape = b.finish({"f": make(b, [b.input(k, s) for k, s in shapes.items()])})
    inputs = {k: np.random.default_rng(3).normal(size=s) for k, s in shapes.items()}
    for wrt in shapes:
        assert (pattern(tape, "f", wrt).toarray() != 0).tolist() == (jacobian_forward(tape, inputs, wrt, "f") != 0).tolist()


def test_the_jacobian_of_a_family_with_one_network_is_sparse():
    n = 12
    net = Network("U", 2, (), hidden=(3,))
    x = [sym("state", "x", i) for i in range(n)]
    values = [node("out", (node("net", (x[i], x[(i + 1) % n]), "U"),), 0) for i in range(n)]
    tape = build({"f": values}, {s.data: ("y", i) for i, s in enumerate(x)}, networks={"U": lower(net)})
    found = jacobian(tape, "f", "y")
    assert len(found.rows) == 2 * n and found.colours == 2
