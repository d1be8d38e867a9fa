"""Tapes element by element, in every order, against the interpreter."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from hybridode.tape.interpret import interpret
from hybridode.tape.ops import OPS
from hybridode.tape.scalars import ScalarGraph, scalars, shared_divisors
from hybridode.tape.schedule import demand_order, interleaved
from hybridode.tape.tape import Tape, TapeBuilder


def mixed() -> Tape:
    """Gathers, scatters with empty places, sums, products of matrices; the same value made twice."""
    b = TapeBuilder()
    x, a = b.input("x", (4,)), b.input("a", (3, 4))
    y = b.make("matvec", a, b.mul(x, x))
    z = b.scatter_add(b.gather(x, (3, 1, 3)), (0, 2, 0), (4,))
    s = b.sum(b.mul(z, b.add(x, b.scatter_add(y, (0, 1, 3), (4,)))))
    square = b.make("matmul", a, a, attrs=(False, True))
    return b.finish({"s": s, "v": b.concat([y, b.make("exp", b.neg(z))]), "m": b.sum(square, 0), "w": b.mul(x, x)})


def values(g: ScalarGraph, order: Sequence[int], given: dict[str, np.ndarray]) -> dict[int, float]:
    """The graph's numbers; fails where an operand comes after its reader."""
    found: dict[int, float] = {}
    for n in order:
        op, args, attrs = g.nodes[n]
        if op == "input":
            found[n] = given[attrs[0]].ravel()[attrs[1]]
        elif op == "const":
            found[n] = attrs
        else:
            found[n] = OPS[op].numpy(attrs, ())(*[found[a] for a in args])
    return found


@pytest.mark.parametrize("arrange", [lambda g, order: order, interleaved], ids=["as late as possible", "interleaved"])
def test_values(arrange) -> None:
    tape = mixed()
    rng = np.random.default_rng(0)
    given = {"x": rng.standard_normal(4), "a": rng.standard_normal((3, 4))}
    g, outputs = scalars(tape)
    order = demand_order(g, [n for nodes in outputs.values() for n in nodes])
    arranged = arrange(g, order)
    assert sorted(arranged) == sorted(order)
    found = values(g, arranged, given)
    for name, right in interpret(tape, given).items():
        np.testing.assert_allclose([found[n] for n in outputs[name]], np.ravel(right), rtol=1e-14)


def test_each_value_once_and_nothing_added_to_nothing() -> None:
    b = TapeBuilder()
    x = b.input("x", (3,))
    padded = b.add(b.scatter_add(b.gather(x, (0,)), (1,), (3,)), b.scatter_add(b.gather(x, (2,)), (2,), (3,)))
    twice = b.concat([b.mul(b.element(x, 0), b.element(x, 1)), b.mul(b.element(x, 1), b.element(x, 0))])
    g, outputs = scalars(b.finish({"padded": padded, "twice": twice}))
    assert len(set(outputs["twice"])) == 1
    assert [g.nodes[n].op for n in outputs["padded"]] == ["const", "input", "input"]


def test_late_means_right_before_the_first_reader() -> None:
    b = TapeBuilder()
    x = b.input("x", (2,))
    early, late = b.make("exp", b.element(x, 0)), b.make("sin", b.element(x, 1))
    g, outputs = scalars(b.finish({"first": late, "second": early}))
    ops = [g.nodes[n].op for n in demand_order(g, [outputs["first"][0], outputs["second"][0]])]
    assert ops == ["input", "sin", "input", "exp"]


def test_long_chains_come_first() -> None:
    """Two sums, one of which waits for a division: that is begun at once."""
    b = TapeBuilder()
    x = b.input("x", (3,))
    short = b.add(b.element(x, 0), b.element(x, 1))
    long = b.add(b.div(b.element(x, 1), b.element(x, 2)), b.element(x, 0))
    g, outputs = scalars(b.finish({"short": short, "long": long}))
    order = interleaved(g, demand_order(g, [outputs["short"][0], outputs["long"][0]]))
    assert [g.nodes[n].op for n in order if g.nodes[n].op != "input"] == ["div", "add", "add"]


def test_one_division_for_all_quotients_by_a_divisor() -> None:
    """By y: one inverse. By z, which divides once, and by 3: as written. Zeros, infinities and NaN come out as from divisions."""
    b = TapeBuilder()
    x, y, z = b.input("x", (3,)), b.input("y"), b.input("z")
    three = b.const(3.0)
    tape = b.finish({"q": b.div(x, y), "r": b.div(y, z), "s": b.div(x, three), "i": b.div(b.const(1.0), y)})
    g, outputs = shared_divisors(*scalars(tape))
    order = demand_order(g, [n for nodes in outputs.values() for n in nodes])
    assert sum(g.nodes[n].op == "div" for n in order) == 1 + 1 + 3
    rng = np.random.default_rng(0)
    for divisor in (*rng.normal(size=20), 0.0, -0.0, np.inf, np.nan, 1e-300):
        given = {"x": np.array([*rng.normal(size=2), 0.0]), "y": np.float64(divisor), "z": np.float64(0.7)}
        with np.errstate(all="ignore"):
            found, exact = values(g, order, given), interpret(tape, given)
        for name, right in exact.items():
            np.testing.assert_allclose([found[n] for n in outputs[name]], np.ravel(right), rtol=4e-16)
