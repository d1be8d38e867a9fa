"""Gradients come from the taken branch only, whatever the other one would do, in every mode."""

from __future__ import annotations

import math

import numpy as np
import pytest

from hybridode.expr import Expr, const, node, sym
from hybridode.tape.build import build
from hybridode.tape.derive import forward, reverse
from hybridode.tape.guard import guard
from hybridode.tape.interpret import interpret
from hybridode.tape.tape import Tape
from hybridode.tape.verify import verify

N = 6
XS = [sym("state", "x", i) for i in range(N)]
K = sym("parameter", "k")
LEAVES = {**{x.data: ("y", i) for i, x in enumerate(XS)}, K.data: ("p", 0)}


def f(op: str, *args: Expr | float) -> Expr:
    return node(op, [a if isinstance(a, Expr) else const(a) for a in args])


def positive(x: Expr) -> Expr:
    return f("gt", x, 0.0)


# name -> (x -> expression, x at which the other branch is undefined, value, slope)
BRANCHES = {
    "sqrt": (lambda x: f("where", positive(x), f("sqrt", x), x), -4.0, -4.0, 1.0),
    "sqrt at 0": (lambda x: f("where", positive(x), f("sqrt", x), f("mul", 3.0, x)), 0.0, 0.0, 3.0),
    "log": (lambda x: f("where", positive(x), f("log", x), 0.0), 0.0, 0.0, 0.0),
    "overflow": (lambda x: f("where", f("lt", x, 1.0), f("exp", f("mul", 1000.0, x)), x), 5.0, 5.0, 1.0),
    "reciprocal": (lambda x: f("where", f("ne", x, 0.0), f("div", f("sin", x), x), 1.0), 0.0, 1.0, 0.0),
    "power": (lambda x: f("where", positive(x), f("pow", x, K), f("neg", x)), -2.0, 2.0, -1.0),
    "in a chain": (lambda x: f("where", positive(x), f("mul", f("tanh", f("log", x)), f("sqrt", x)), x), -1.0, -1.0, 1.0),
    "nested": (
        lambda x: f("where", f("lt", x, -1.0), f("mul", x, x), f("where", positive(x), f("log", x), f("sqrt", f("neg", x)))),
        -3.0, 9.0, -6.0,
    ),
    "both sides": (lambda x: f("where", positive(x), f("sqrt", x), f("sqrt", f("neg", x))), -4.0, 2.0, -0.25),
    "condition": (lambda x: f("where", f("or", positive(x), f("lt", x, -9.0)), f("log", x), f("add", x, 1.0)), -1.0, 0.0, 1.0),
    "gamma": (lambda x: f("where", positive(x), f("gamma", x), x), -2.0, -2.0, 1.0),
}  # fmt: skip


def all_finite(tape: Tape, y: np.ndarray) -> dict[str, np.ndarray]:
    inputs = {"y": y, "p": [2.0]}
    n = tape.shape(tape.output("f"))[0]
    wrt = [i.name for i in tape.inputs]
    ahead = forward(tape, wrt)
    seeds = {"y.dot": np.ones(N), "p.dot": [1.0]}
    results = {
        "value": interpret(tape, inputs)["f"],
        "forward": interpret(ahead, {**inputs, **seeds})["f.dot"],
        "reverse": interpret(reverse(tape, wrt), {**inputs, "f.bar": np.ones(n)})["y.bar"],
        "reverse of forward": interpret(reverse(ahead, ["y.dot"], ["f.dot"]), {**inputs, **seeds, "f.dot.bar": np.ones(n)})[
            "y.dot.bar"
        ],
        "second": interpret(reverse(ahead, wrt, ["f.dot"]), {**inputs, **seeds, "f.dot.bar": np.ones(n)})["y.bar"],
    }
    for what, value in results.items():
        assert np.isfinite(value).all(), (what, value)
    return results


@pytest.mark.parametrize("name", BRANCHES)
@pytest.mark.parametrize("grouped", [False, True])
def test_untaken_branches(name: str, grouped: bool):
    make, x, value, slope = BRANCHES[name]
    tape = build({"f": [make(s) for s in XS]}, LEAVES, grouped=grouped)
    found = all_finite(tape, np.full(N, x))
    assert found["value"] == pytest.approx(value)
    for mode in ("forward", "reverse", "reverse of forward"):
        assert found[mode] == pytest.approx(slope), mode


@pytest.mark.parametrize("name", BRANCHES)
def test_values_do_not_change(name: str):
    make = BRANCHES[name][0]
    tape = build({"f": [make(s) for s in XS]}, LEAVES)
    guarded = verify(guard(tape))
    for x in (np.linspace(-3, 3, N), np.array([0.0, 1.0, -1.0, math.inf, -math.inf, math.nan])):
        inputs = {"y": x, "p": [1.5]}
        np.testing.assert_array_equal(interpret(guarded, inputs)["f"], interpret(tape, inputs)["f"])


def test_an_intermediate_used_in_two_branches():
    """It is needed if either branch is taken; a use outside any branch leaves it alone."""
    a, b = XS[0], XS[1]
    root = f("sqrt", a)
    es = [f("where", positive(a), root, 1.0), f("where", f("gt", b, 5.0), root, 2.0)]
    tape = build({"f": es}, LEAVES, grouped=False)
    back = interpret(reverse(tape, ["y"]), {"y": [-1.0, 0, 0, 0, 0, 0], "f.bar": [1.0, 1.0]})["y.bar"]
    assert back.tolist() == [0.0] * N
    taken = interpret(reverse(tape, ["y"]), {"y": [4.0, 6.0, 0, 0, 0, 0], "f.bar": [1.0, 1.0]})["y.bar"]
    assert taken[0] == pytest.approx(0.5)
    outside = build({"f": [es[0], root]}, LEAVES, grouped=False)
    assert guard(outside).count("select") == outside.count("select")


def test_branches_across_gathers_and_concatenations():
    """Intermediates that group apart from the branches that read them, in another order."""
    logs = [f("add", f("log", x), f("sqrt", x), f("exp", x)) for x in XS]
    es = [f("where", positive(x), f("mul", logs[N - 1 - i], logs[i]), x) for i, x in enumerate(XS)]
    tape = build({"f": es}, LEAVES)
    assert tape.count("gather") >= 1
    check_slopes(tape)


def test_branches_over_sums_of_many_terms():
    """Pairs: every term is guarded where its row is not needed."""
    sums = [f("add", *[f("log", f("mul", x, z)) for z in XS for _ in range(2)]) for x in XS]
    tape = build({"f": [f("where", positive(x), s, x) for x, s in zip(XS, sums, strict=True)]}, LEAVES)
    assert tape.count("sum") == 1
    found = all_finite(tape, np.array([-1.0, -2.0, -3.0, -3.0, -2.0, -1.0]))
    assert found["reverse"].tolist() == [1.0] * N


def check_slopes(tape: Tape) -> None:
    y = np.array([-1.0, 2.0, -3.0, -3.0, 2.0, -1.0])
    found = all_finite(tape, y)
    h = 1e-6
    for k in range(N):
        up, down = (interpret(tape, {"y": y + s * h * np.eye(N)[k]})["f"].sum() for s in (1, -1))
        assert found["reverse"][k] == pytest.approx((up - down) / (2 * h), rel=1e-6)


def test_no_branch_no_change_and_twice_is_once():
    plain = build({"f": [f("log", x) for x in XS]}, LEAVES)
    assert guard(plain) is plain
    tape = guard(build({"f": [BRANCHES["nested"][0](s) for s in XS]}, LEAVES))
    assert len(guard(tape).instructions) == len(tape.instructions)


def test_a_condition_that_reads_the_guarded_value():
    """The value is needed to decide whether it is needed: it stays as it is."""
    root = f("sqrt", XS[0])
    inner = f("where", positive(XS[1]), root, 0.0)
    tape = build({"f": [f("where", f("gt", inner, 1.0), root, 5.0)]}, LEAVES, grouped=False)
    verify(guard(tape))
    assert interpret(guard(tape), {"y": [4.0, 1.0, 0, 0, 0, 0]})["f"][0] == 2.0
    assert interpret(guard(tape), {"y": [4.0, -1.0, 0, 0, 0, 0]})["f"][0] == 5.0
