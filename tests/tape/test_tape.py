"""The builder: one node for one value, folding that changes nothing, tapes of 100,000 instructions."""

from __future__ import annotations

import math
import sys
import time
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hybridode.tape.derive import forward, reverse
from hybridode.tape.interpret import Interpreter, interpret
from hybridode.tape.optimise import optimise
from hybridode.tape.print import print_tape
from hybridode.tape.shapes import indices
from hybridode.tape.tape import Tape, TapeBuilder
from hybridode.tape.verify import verify


def test_what_is_computed_alike_is_one_node():
    b = TapeBuilder()
    x, y = b.input("x"), b.input("y")
    assert b.mul(x, y) == b.mul(y, x) and b.add(x, y) == b.add(y, x)
    assert b.sub(x, y) != b.sub(y, x)
    assert b.input("x") == x
    assert b.const(0.0) != b.const(-0.0) and b.const(math.nan) == b.const(math.nan) and b.const(1.0) != b.const(True)
    with pytest.raises(AssertionError, match="input x has shape"):
        b.input("x", (2,))


def test_folding_that_is_done():
    b = TapeBuilder()
    x, y, v = b.input("x"), b.input("y"), b.input("v", (4,))
    one, zero = b.const(1.0), b.const(0.0)
    assert b.mul(x, one) == x and b.div(x, one) == x and b.sub(x, zero) == x and b.neg(b.neg(x)) == x
    assert b.mul(x, b.const(-1.0)) == b.neg(x) and b.add(x, b.neg(y)) == b.sub(x, y) and b.sub(x, b.neg(y)) == b.add(x, y)
    assert b.mul(b.neg(x), b.neg(y)) == b.mul(x, y)
    assert b.constant_of(b.add(b.const(2.0), b.const(3.0))) == 5.0
    assert b.select(b.const(True), x, y) == x and b.select(b.make("lt", x, y), x, x) == x
    assert b.gather(v, range(4)) == v and b.gather(b.gather(v, [3, 2, 1]), [0, 2]) == b.gather(v, [3, 1])
    assert b.element(b.concat([x, v, y]), 5) == y and b.gather(b.concat([x, v, y]), range(1, 5)) == v
    assert b.concat([b.gather(v, [0, 1]), b.gather(v, [2, 3])]) == v
    assert b.concat([b.concat([x, y]), x]) == b.concat([x, y, x])
    assert b.mul(b.broadcast(x, (4,)), v) == b.mul(x, v)
    assert b.mul(b.broadcast(x, (4,)), b.broadcast(y, (4,))) == b.broadcast(b.mul(x, y), (4,))
    assert b.constant([2.0, 2.0]) == b.broadcast(b.const(2.0), (2,))
    assert b.element(b.scatter_add(b.concat([x, y]), [2, 0], (3,)), 0) == y
    assert b.scatter_add(v, [3, 2, 1, 0], (4,)) == b.gather(v, [3, 2, 1, 0])
    assert b.make("exp", b.broadcast(x, (4,))) == b.broadcast(b.make("exp", x), (4,))


def test_folding_that_would_change_a_value_is_not_done():
    b = TapeBuilder()
    x, zero = b.input("x"), b.const(0.0)
    outputs = {"product": b.mul(x, zero), "sum": b.add(x, zero), "difference": b.sub(x, x), "quotient": b.div(x, x)}
    tape = b.finish(outputs)
    for value in (math.nan, math.inf, -0.0, 3.0):
        with np.errstate(all="ignore"):
            v = np.float64(value)
            expected = {"product": v * 0.0, "sum": v + 0.0, "difference": v - v, "quotient": v / v}
        for name, found in interpret(tape, {"x": value}).items():
            np.testing.assert_array_equal(found, expected[name])
            assert np.signbit(found) == np.signbit(expected[name]) or np.isnan(found)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(0, 30), min_size=1, max_size=8))
def test_places_in_their_one_form(places: list[int]):
    found = indices(places)
    assert list(found) == places
    assert indices(found) == found == indices(iter(places)) and hash(indices(found)) == hash(found)
    steps = {b - a for a, b in pairwise(places)}
    assert isinstance(found, range) == (len(places) == 1 or (len(steps) == 1 and steps != {0}))


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_random_graphs_of_gathers_fold_to_the_same_values(data: st.DataObject):
    """Chains of structural operations, folded by the builder, against NumPy on the way."""
    b = TapeBuilder()
    rng = np.random.default_rng(data.draw(st.integers(0, 10**6)))
    inputs = {"x": np.float64(0.5), "v": rng.normal(size=5), "w": rng.normal(size=3)}
    known = [(b.input(k, a.shape), np.asarray(a)) for k, a in inputs.items()]
    for _ in range(data.draw(st.integers(1, 8))):
        node, value = known[rng.integers(len(known))]
        what = data.draw(st.sampled_from(["gather", "scatter", "concat", "broadcast", "neg"]))
        if what == "gather":
            at = (
                rng.integers(0, value.size, rng.integers(1, 7))
                if rng.random() < 0.6
                else np.arange(value.size)[:: rng.choice([1, -1])]
            )
            known.append((b.gather(node, at.tolist()), value.ravel()[at]))
        elif what == "scatter":
            at, n = rng.integers(0, 6, value.size), 6
            total = np.zeros(n)
            np.add.at(total, at, value.ravel())
            known.append((b.scatter_add(node, at.tolist(), (n,)), total))
        elif what == "concat":
            parts = [known[k] for k in rng.integers(0, len(known), 3)]
            known.append((b.concat([p for p, _ in parts]), np.concatenate([np.ravel(a) for _, a in parts])))
        elif what == "broadcast":
            known.append((b.broadcast(b.element(node, 0), (4,)), np.full(4, value.ravel()[0])))
        else:
            known.append((b.neg(node), -value))
    tape = verify(b.finish({f"f{k}": n for k, (n, _) in enumerate(known)}))
    for name, found in interpret(tape, inputs).items():
        np.testing.assert_allclose(found, known[int(name[1:])][1], rtol=1e-15)


def long_tape(steps: int) -> Tape:
    b = TapeBuilder()
    x, a = b.input("x"), b.input("a")
    one = b.const(1.0 + 2.0**-20)
    for _ in range(steps):
        a = b.add(b.mul(a, one), x)
    return b.finish({"f": a})


def test_a_hundred_thousand_instructions():
    """About half a second to build on a quiet machine; then verified and run, at about a microsecond an instruction."""
    started = time.process_time()
    tape = long_tape(50_000)
    assert time.process_time() - started < 60
    assert len(tape.instructions) == 100_001
    run = Interpreter(verify(tape))
    started = time.process_time()
    value = run({"x": 0.5, "a": 1.0})["f"]
    assert time.process_time() - started < 60
    assert math.isfinite(value)


def test_nothing_recurses():
    limit = sys.getrecursionlimit()
    tape = long_tape(5000)
    back = verify(reverse(tape, ["x", "a"]))
    assert interpret(back, {"x": 0.5, "a": 1.0, "f.bar": 1.0})["a.bar"] == pytest.approx((1 + 2.0**-20) ** 5000, rel=1e-10)
    assert interpret(forward(tape, ["a"]), {"x": 0.5, "a": 1.0, "a.dot": 1.0})["f.dot"] == pytest.approx((1 + 2.0**-20) ** 5000)
    assert print_tape(tape).count("\n") == 10_004
    assert len(optimise(tape).instructions) == 10_001
    assert sys.getrecursionlimit() == limit


def test_a_tape_in_another():
    """`inline` puts a tape into a graph: its inputs become nodes, what is common is found."""
    b = TapeBuilder()
    y = b.input("y", (2,))
    field = b.finish({"f": b.mul(y, b.input("k"))})
    outer = TapeBuilder()
    state = outer.input("state", (2,))
    h = outer.input("h")
    first = outer.inline(field, {"y": state})[field.output("f")]
    second = outer.inline(field, {"y": outer.add(state, outer.mul(h, first))})[field.output("f")]
    again = outer.inline(field, {"y": state})[field.output("f")]
    assert again == first
    step = verify(outer.finish({"next": outer.add(state, outer.mul(h, second))}))
    assert [i.name for i in step.inputs] == ["state", "h", "k"]
    found = interpret(step, {"state": [1.0, 2.0], "h": 0.1, "k": 2.0})["next"]
    assert found == pytest.approx([1.24, 2.48])
    with pytest.raises(AssertionError, match="y takes shape"):
        outer.inline(field, {"y": h})


def test_an_interpreter_checks_shapes_and_can_be_called_again():
    b = TapeBuilder()
    y = b.input("y", (2,))
    run = Interpreter(b.finish({"f": b.make("sum", b.mul(y, y))}))
    assert run({"y": [3.0, 4.0]})["f"] == 25.0 and run({"y": [0.0, 1.0], "unread": 1.0})["f"] == 1.0
    with pytest.raises(AssertionError, match=r"input y has shape \(2,\)"):
        run({"y": [1.0]})
