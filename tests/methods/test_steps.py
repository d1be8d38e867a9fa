"""Step tapes, interpreted, against the same method written out in NumPy (see test_tableaux), and the sparse LU alone."""

from __future__ import annotations

import numpy as np
import pytest

from hybridode.methods.explicit import explicit_step, explicit_step_reverse, interpolant
from hybridode.methods.explicit_tableaux import DOP853, EXPLICIT
from hybridode.methods.ready import explicit_method
from hybridode.methods.rosenbrock import StiffField, rosenbrock_step, rosenbrock_step_reverse
from hybridode.methods.rosenbrock_tableaux import ROSENBROCK
from hybridode.methods.sparse_lu import elimination_order, factor, solve, solve_transposed
from hybridode.tape.derive import forward
from hybridode.tape.interpret import interpret
from hybridode.tape.tape import Tape, TapeBuilder
from tests.methods.test_tableaux import explicit_step as numpy_explicit
from tests.methods.test_tableaux import rate
from tests.methods.test_tableaux import rosenbrock_step as numpy_rosenbrock


def field() -> StiffField:
    """The system of test_tableaux as tapes."""

    def leaves() -> tuple[TapeBuilder, int, int, int]:
        b = TapeBuilder()
        y = b.input("y", (2,))
        return b, b.input("t"), b.element(y, 0), b.element(y, 1)

    def finish(b: TapeBuilder, *parts: int) -> Tape:
        return b.finish({"out": b.concat(parts)})

    b, t, x, z = leaves()
    first = b.sub(b.mul(b.make("cos", t), z), b.mul(b.const(0.2), b.mul(x, x)))
    rates = finish(b, first, b.add(b.neg(b.mul(x, z)), b.make("sin", b.mul(b.const(2.0), t))))
    b, t, x, z = leaves()
    jacobian = finish(b, b.mul(b.const(-0.4), x), b.make("cos", t), b.neg(z), b.neg(x))
    b, t, x, z = leaves()
    slope = finish(b, b.neg(b.mul(b.make("sin", t), z)), b.mul(b.const(2.0), b.make("cos", b.mul(b.const(2.0), t))))
    return StiffField(rates, jacobian, ((0, 0), (0, 1), (1, 0), (1, 1)), slope)


T, Y, H = 0.3, np.array([1.1, 0.7]), 0.125


@pytest.mark.parametrize("method", EXPLICIT.values(), ids=lambda m: m.name)
def test_explicit(method) -> None:
    out = interpret(explicit_step(method, field().rates, 2), {"t": T, "h": H, "y": Y, "k": rate(T, Y)})
    new, error, _ = numpy_explicit(method, T, Y, H)
    np.testing.assert_allclose(out["y"], new, rtol=1e-14)
    np.testing.assert_allclose(out["error"], error, rtol=1e-8, atol=1e-16)  # the rounding of terms up to 0.5, in any order
    np.testing.assert_allclose(out["k"], rate(T + H, new), rtol=1e-14)


def test_dense_output_of_further_stages() -> None:
    """DOP853's, as the loops evaluate it, against the nested form of the book; made within the step and beside it."""
    m, rates = explicit_method(DOP853, field().rates, 2), field().rates
    at = {"t": T, "h": H, "y": Y}
    out = interpret(m.step, {**at, "k": rate(T, Y)})
    assert m.dense is not None
    rows = interpret(m.dense, {**at, "new": out["y"], "stages": out["stages"]})["dense"]
    whole = interpret(explicit_step(DOP853, rates, 2, first_given=False, complete=True), at)["dense"]
    np.testing.assert_allclose(rows, whole, rtol=1e-9, atol=1e-15)
    weights = [np.polynomial.polynomial.polyval(0.4, w) for w in m.weights]
    chord = Y + 0.4 * (out["y"] - Y)
    _, _, expected = numpy_explicit(DOP853, T, Y, H)
    np.testing.assert_allclose(chord + np.array(weights) @ rows.reshape(-1, 2), expected, rtol=2e-15)


@pytest.mark.parametrize("method", ROSENBROCK.values(), ids=lambda m: m.name)
def test_rosenbrock(method) -> None:
    out = interpret(rosenbrock_step(method, field(), 2), {"t": T, "h": H, "y": Y})
    new, error, dense = numpy_rosenbrock(method, T, Y, H)
    np.testing.assert_allclose(out["y"], new, rtol=1e-13)
    np.testing.assert_allclose(out["error"], error, rtol=1e-8, atol=1e-17)
    theta, inner = 0.4, np.zeros(2)
    for row in reversed(out["dense"].reshape(-1, 2)):
        inner = row + theta * inner
    np.testing.assert_allclose((1 - theta) * Y + theta * (out["y"] + (1 - theta) * inner), dense, rtol=1e-13)


@pytest.mark.parametrize("seed", range(8))
def test_sparse_lu(seed: int) -> None:
    rng = np.random.default_rng(seed)
    n = int(rng.integers(1, 12))
    dense = np.where(rng.random((n, n)) < 0.3, rng.normal(size=(n, n)), 0.0) + np.diag(4 + rng.random(n))
    pattern = [(int(i), int(j)) for i, j in zip(*np.nonzero(dense), strict=True)]
    b = TapeBuilder()
    entries, right = b.input("a", (len(pattern),)), b.input("r", (n,))
    f = factor(b, n, {e: b.element(entries, k) for k, e in enumerate(pattern)}, elimination_order(n, pattern))
    rights = [b.element(right, i) for i in range(n)]
    tape = b.finish({"x": b.concat(solve(b, f, rights)), "xt": b.concat(solve_transposed(b, f, rights))})
    r = rng.normal(size=n)
    out = interpret(tape, {"a": np.array([dense[e] for e in pattern]), "r": r})
    np.testing.assert_allclose(out["x"], np.linalg.solve(dense, r), rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(out["xt"], np.linalg.solve(dense.T, r), rtol=1e-10, atol=1e-12)


def test_elimination_order_avoids_fill_in() -> None:
    """An arrow pointing the wrong way: eliminating its tip first would fill the matrix."""
    n = 200
    pattern = [(0, j) for j in range(n)] + [(i, 0) for i in range(n)] + [(i, i) for i in range(n)]
    assert elimination_order(n, pattern).index(0) >= n - 2


def with_parameters() -> StiffField:
    """y0' = p0 cos(t) y1 - 0.2 y0^2, y1' = -y0 y1 + p1 sin(2 t), with its Jacobian."""

    def leaves() -> tuple[TapeBuilder, int, int, int, int, int]:
        b = TapeBuilder()
        y, p = b.input("y", (2,)), b.input("p", (2,))
        return b, b.input("t"), b.element(y, 0), b.element(y, 1), b.element(p, 0), b.element(p, 1)

    two = 2.0
    b, t, x, z, p, q = leaves()
    first = b.sub(b.mul(p, b.mul(b.make("cos", t), z)), b.mul(b.const(0.2), b.mul(x, x)))
    rates = b.finish({"out": b.concat([first, b.add(b.neg(b.mul(x, z)), b.mul(q, b.make("sin", b.mul(b.const(two), t))))])})
    b, t, x, z, p, q = leaves()
    jacobian = b.finish({"out": b.concat([b.mul(b.const(-0.4), x), b.mul(p, b.make("cos", t)), b.neg(z), b.neg(x)])})
    b, t, x, z, p, q = leaves()
    slope = [b.neg(b.mul(p, b.mul(b.make("sin", t), z))), b.mul(q, b.mul(b.const(two), b.make("cos", b.mul(b.const(two), t))))]
    return StiffField(rates, jacobian, ((0, 0), (0, 1), (1, 0), (1, 1)), b.finish({"out": b.concat(slope)}))


def check_reverse(step: Tape, backward: Tape, extra: str, spread: tuple[tuple[float, ...], ...] = ()) -> None:
    """<bar, d step> equals <reverse, d inputs>: by central differences, and to the last digits by the step's forward tape."""
    rng = np.random.default_rng(0)
    at = {"t": T, "h": H, "y": Y, "p": np.array([1.3, 0.8])}
    bars = {name: rng.normal(size=step.shape(step.output(name))) for name in ("y", extra)}
    given = at | {f"{name}.bar": bar for name, bar in bars.items()}
    if spread:  # the reverse takes what the rows give the stages
        given["u.bar"] = np.einsum("ri,rk->ik", spread, bars[extra].reshape(len(spread), -1)).ravel()
    out = interpret(backward, {i.name: given[i.name] for i in backward.inputs})
    tangent = forward(step, ["y", "p"], ("y", extra))
    e = 2e-5

    def product(result: dict[str, np.ndarray], suffix: str = "") -> float:
        return sum(float(np.sum(bar * result[name + suffix])) for name, bar in bars.items())

    for name in ("y", "p"):
        for direction in np.eye(2):
            moved = [at | {name: at[name] + sign * e * direction} for sign in (1, -1)]
            up, down = (product(interpret(step, {i.name: m[i.name] for i in step.inputs})) for m in moved)
            # Stages of size 100 leave 1e-14 of rounding in each value, hence atol = 1e-14 / e times a few.
            np.testing.assert_allclose(out[f"{name}.bar"] @ direction, (up - down) / (2 * e), rtol=2e-8, atol=2e-9)
            seeds = at | {"y.dot": np.zeros(2), "p.dot": np.zeros(2)} | {f"{name}.dot": direction}
            exact = product(interpret(tangent, {i.name: seeds[i.name] for i in tangent.inputs}), ".dot")
            np.testing.assert_allclose(out[f"{name}.bar"] @ direction, exact, rtol=1e-11, atol=1e-13)


@pytest.mark.parametrize("method", EXPLICIT.values(), ids=lambda m: m.name)
def test_explicit_reverse(method) -> None:
    rates = with_parameters().rates
    step = explicit_step(method, rates, 2, first_given=False, complete=True)
    check_reverse(step, explicit_step_reverse(method, rates, 2), interpolant(method))


@pytest.mark.parametrize("method", ROSENBROCK.values(), ids=lambda m: m.name)
def test_rosenbrock_reverse(method) -> None:
    step, backward = (make(method, with_parameters(), 2) for make in (rosenbrock_step, rosenbrock_step_reverse))
    check_reverse(step, backward, "dense", method.dense)
