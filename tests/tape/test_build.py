"""Expressions to tapes: grouped and ungrouped agree, and grouping makes tens of instructions of thousands."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hybridode.declarations import Network, Table
from hybridode.expr import Expr, Symbol, const, node, substitute, sym
from hybridode.networks.initialise import constants, initialise
from hybridode.networks.lower import lower
from hybridode.tape.build import build
from hybridode.tape.derive import reverse
from hybridode.tape.interpret import interpret
from hybridode.tape.print import print_tape
from hybridode.tape.tape import Tape
from tests.tape.expressions import LEAVES, expressions

ROOT = Path(__file__).parents[2]
RNG = np.random.default_rng(3)
K = sym("parameter", "k")


def f(op: str, *args: Expr | float) -> Expr:
    return node(op, [a if isinstance(a, Expr) else const(a) for a in args])


def minus(a: Expr, b: Expr | float) -> Expr:
    return f("add", a, f("neg", b))


def states(n: int) -> tuple[list[Expr], dict[Symbol, tuple[str, int]]]:
    xs = [sym("state", "x", i) for i in range(n)]
    return xs, {**{x.data: ("y", i) for i, x in enumerate(xs)}, K.data: ("p", 0)}


def both(es: list[Expr], leaves, inputs, **how) -> tuple[Tape, Tape]:
    """The grouped and the scalar tape, after comparing their values and gradients."""
    grouped, scalar = build({"f": es}, leaves, **how), build({"f": es}, leaves, grouped=False, **how)
    value = interpret(scalar, inputs)["f"]
    assert interpret(grouped, inputs)["f"] == pytest.approx(value, rel=1e-13, abs=1e-13)
    seed = {"f.bar": RNG.normal(size=len(es))}
    names = [i.name for i in scalar.inputs]
    one, other = (interpret(reverse(t, names), {**inputs, **seed}) for t in (grouped, scalar))
    for name in names:
        assert one[f"{name}.bar"] == pytest.approx(other[f"{name}.bar"], rel=1e-10, abs=1e-12)
    return grouped, scalar


def test_a_small_model_stays_scalar():
    prey, pred = sym("state", "prey"), sym("state", "pred")
    a, b = sym("parameter", "a"), sym("parameter", "b")
    leaves = {prey.data: ("y", 0), pred.data: ("y", 1), a.data: ("p", 0), b.data: ("p", 1)}
    eaten = f("mul", b, prey, pred)
    tape = build({"rates": [minus(f("mul", a, prey), eaten), minus(eaten, pred)]}, leaves)
    assert print_tape(tape) == (
        "input   p (2)\n"
        "input   y (2)\n"
        "  v2 = p[0]\n"
        "  v3 = y[0]\n"
        "  v4 = v2 * v3\n"
        "  v5 = p[1]\n"
        "  v6 = y[1]\n"
        "  v7 = v5 * v3\n"
        "  v8 = v7 * v6\n"
        "  v9 = v4 - v8\n"
        "  v10 = v8 - v6\n"
        "  v11 (2) = concat(v9, v10)\n"
        "output  rates (2) = v11\n"
    )


def test_a_diffusion_chain_of_any_length_is_nine_instructions():
    for n in (50, 1000):
        x, leaves = states(n)
        es = [f("mul", K, f("add", x[max(i - 1, 0)], f("neg", f("mul", 2.0, x[i])), x[min(i + 1, n - 1)])) for i in range(n)]
        inputs = {"y": RNG.normal(size=n), "p": [0.7]}
        grouped, scalar = both(es, leaves, inputs)
        assert len(grouped.instructions) <= 9, print_tape(grouped)
        assert len(scalar.instructions) > 4 * n


def reactions(m: int, r: int) -> tuple[list[Expr], dict[Symbol, tuple[str, int]], list[tuple[Symbol, Expr]]]:
    """A random mass-action network: r rates of first and second order, each species in a few of them."""
    rng = np.random.default_rng(7)
    x, leaves = states(m)
    ks = [sym("parameter", "rate", i) for i in range(r)]
    leaves |= {k.data: ("p", i) for i, k in enumerate(ks)}
    rates = [f("mul", ks[i], x[rng.integers(m)], *([x[rng.integers(m)]] if i % 2 else [])) for i in range(r)]
    definitions = [(Symbol("definition", f"r{i}"), e) for i, e in enumerate(rates)]
    names = [node("sym", (), symbol) for symbol, _ in definitions]
    es = []
    for i in range(m):
        chosen = [names[j] for j in rng.choice(r, rng.integers(2, 8), replace=False)]
        es.append(f("add", *[e if rng.random() < 0.5 else f("neg", e) for e in chosen]))
        if i % 7 == 3:
            es[-1] = f("add", es[-1], f("mul", 2.0, names[i]))
    return es, leaves, definitions


def test_a_reaction_network_of_25_rates():
    es, leaves, definitions = reactions(20, 25)
    inputs = {"y": RNG.random(20), "p": RNG.random(25)}
    grouped, scalar = both(es, leaves, inputs, definitions=definitions)
    assert len(grouped.instructions) <= 30, print_tape(grouped)
    assert len(scalar.instructions) > 120


def test_a_thousand_equations_of_a_network_in_tens_of_instructions_quickly():
    es, leaves, definitions = reactions(1000, 2000)
    started = time.process_time()
    tape = build({"f": es}, leaves, definitions)
    assert time.process_time() - started < 60
    assert len(tape.instructions) <= 40, print_tape(tape)
    inputs = {"y": RNG.random(1000), "p": RNG.random(2000)}
    scalar = build({"f": es}, leaves, definitions, grouped=False)
    assert interpret(tape, inputs)["f"] == pytest.approx(interpret(scalar, inputs)["f"], rel=1e-12, abs=1e-13)


def test_all_pairs_of_particles():
    n = 12
    x, leaves = states(n)

    def force(a: Expr, b: Expr) -> Expr:
        d = minus(b, a)
        return f("div", d, f("pow", f("add", 1.0, f("pow", d, 2.0)), 1.5))

    es = [f("mul", K, f("add", *[force(x[i], x[j]) for j in range(n) if j != i])) for i in range(n)]
    grouped, _ = both(es, leaves, {"y": RNG.normal(size=n), "p": [2.0]})
    assert len(grouped.instructions) <= 16, print_tape(grouped)


def test_a_long_sum_of_one_row():
    n = 20_000
    x, leaves = states(n)
    e = f("add", *[f("mul", x[i], x[n - 1 - i]) for i in range(n)])
    tape = build({"f": [e]}, leaves)
    assert len(tape.instructions) < 10
    y = RNG.normal(size=n)
    assert interpret(tape, {"y": y})["f"][0] == pytest.approx(float(y @ y[::-1]), rel=1e-10)


def test_deep_nesting_and_long_chains_of_intermediates():
    x, leaves = states(1)
    e = x[0]
    for _ in range(3000):
        e = f("sin", f("add", e, 1.0))
    definitions, previous = [], e
    for i in range(3000):
        symbol = Symbol("definition", f"d{i}")
        definitions.append((symbol, f("cos", previous)))
        previous = node("sym", (), symbol)
    both([previous], leaves, {"y": [0.3]}, definitions=definitions)


@settings(max_examples=30, deadline=None)
@given(st.lists(expressions(6), min_size=1, max_size=8), st.booleans())
def test_random_systems(es: list[Expr], shifted: bool):
    """Also with every expression instantiated at other states, so that groups form."""
    if shifted:
        turned = {s: node("sym", (), Symbol("state", "x", (s.index + 1) % 4)) for s in LEAVES if s.kind == "state"}
        for _ in range(4):
            es = [*es, *substitute(es[-len(es) :], turned)][:40]
    both(list(es), LEAVES, {"y": RNG.normal(size=4), "p": [0.6], "t": 0.3})


def test_networks_evaluated_at_many_places_are_one_matrix_product():
    n = 30
    x, leaves = states(n)
    net = Network("U", 2, (2,), hidden=(5, 3), act="swish")
    inputs = {"y": RNG.normal(size=n), "p": [1.7]}
    inputs |= {f"U.{k}": v for k, v in {**initialise(net, 4), **constants(net)}.items()}
    inputs["U.W2"] = RNG.normal(size=(2, 3))
    es = []
    for i in range(n):
        place = (x[i], f("mul", K, x[(i + 1) % n]))
        value, slopes = node("net", place, "U"), node("net_jacobian", place, "U")
        out = [node("out", (value,), j) for j in range(2)] + [node("out", (slopes,), j) for j in range(4)]
        es.append(f("add", minus(out[0], x[i]), f("mul", K, out[1]), f("mul", out[2], out[5]), f("sin", out[3]), out[4]))
    grouped, scalar = both(es, leaves, inputs, networks={"U": lower(net)})
    assert grouped.count("matmul") == 3 + 2 * 3 and grouped.count("matvec") == 0
    # The first product of a slope is the same at every place.
    assert scalar.count("matvec") == n * (3 + 2 * 2) + 2
    single = build({"f": es[:1]}, leaves, networks={"U": lower(net)})
    assert single.count("matmul") == 0
    assert interpret(single, inputs)["f"][0] == pytest.approx(interpret(scalar, inputs)["f"][0], rel=1e-13)


def test_the_jacobian_of_a_network_is_its_slope():
    net = Network("U", 3, (2,), hidden=(4,), symmetry="even", out_scale=2.5, scale=(1.0, 2.0, 0.5))
    x, leaves = states(3)
    arrays = {f"U.{k}": v for k, v in {**initialise(net), **constants(net)}.items()}
    arrays["U.W1"] = RNG.normal(size=(2, 4))
    value = build({"f": [node("out", (node("net", x, "U"),), j) for j in range(2)]}, leaves, networks={"U": lower(net)})
    slope = build({"f": [node("out", (node("net_jacobian", x, "U"),), j) for j in range(6)]}, leaves, networks={"U": lower(net)})
    y, h = np.array([0.3, -0.8, 1.2]), 1e-6
    found = interpret(slope, {"y": y, **arrays})["f"].reshape(2, 3)
    for j in range(3):
        up, down = (interpret(value, {"y": y + s * h * np.eye(3)[j], **arrays})["f"] for s in (1, -1))
        assert found[:, j] == pytest.approx((up - down) / (2 * h), rel=1e-7)


@pytest.mark.parametrize("count", [1, 3])
def test_the_jacobian_of_a_networks_jacobian(count: int):
    """`U'` is the Jacobian of U as a network: its own Jacobian against differences, at one place and at several at once."""
    net = Network("U", 2, (2,), hidden=(4,), act="swish")
    x, leaves = states(2 * count)
    arrays = {f"U.{k}": v for k, v in {**random_weights(net), **constants(net)}.items()}
    places = [tuple(x[2 * i : 2 * i + 2]) for i in range(count)]

    def of(data: str, outputs: int, grouped: bool = True) -> Tape:
        es = [node("out", (node("net_jacobian", p, data),), k) for p in places for k in range(outputs)]
        return build({"f": es}, leaves, networks={"U": lower(net)}, grouped=grouped)

    first, y, h = of("U", 4), RNG.normal(size=2 * count), 1e-6
    slopes = []
    for j in range(2):
        bump = h * np.tile(np.eye(2)[j], count)
        up, down = (interpret(first, {"y": y + s * bump, **arrays})["f"] for s in (1, -1))
        slopes.append((up - down) / (2 * h))
    expected = np.stack(slopes, axis=1).ravel()  # place, output, first input, second input
    for grouped in (True, False):
        found = interpret(of("U'", 8, grouped), {"y": y, **arrays})["f"]
        assert found == pytest.approx(expected, rel=1e-6, abs=1e-8)


@pytest.mark.parametrize("inputs", [1, 2])
@pytest.mark.parametrize("count", [1, 5])
def test_slopes_of_networks_of_few_inputs(inputs: int, count: int):
    """One input is a scalar that folding spreads; elements of a vector are read past it."""
    net = Network("U", inputs, (), hidden=(3,), positive=True)
    x, leaves = states(count + 1)
    arrays = {f"U.{k}": v for k, v in {**random_weights(net), **constants(net)}.items()}
    places = [x[i : i + inputs] for i in range(count)]
    value = build({"f": [node("out", (node("net", p, "U"),), 0) for p in places]}, leaves, networks={"U": lower(net)})
    slopes = [node("out", (node("net_jacobian", p, "U"),), j) for p in places for j in range(inputs)]
    y = np.arange(1.0, count + 2)
    bumps = 1e-6 * np.eye(count + 1)
    expected = []
    for i in range(count):
        for j in range(inputs):
            up, down = (interpret(value, {"y": y + s * bumps[i + j], **arrays})["f"][i] for s in (1, -1))
            expected.append((up - down) / 2e-6)
    for grouped in (True, False):
        found = interpret(build({"f": slopes}, leaves, networks={"U": lower(net)}, grouped=grouped), {"y": y, **arrays})["f"]
        assert found == pytest.approx(expected, rel=1e-6, abs=1e-8)


def random_weights(net: Network) -> dict[str, np.ndarray]:
    return {name: RNG.normal(size=a.shape) for name, a in initialise(net).items()}


def test_tables_and_their_slopes():
    table = Table("g", ("x",), ((0.0, 1.0, 3.0),), (1.0, 2.0, -1.0), "cubic")
    x, leaves = states(8)
    es = [f("add", node("table", (f("mul", K, a),), "g"), node("table_slope", (a,), ("g", 0))) for a in x]
    grouped, _ = both(es, leaves, {"y": np.linspace(-0.9, 3.3, 8), "p": [0.9]}, tables={"g": table})
    assert grouped.count("table") == 2


def test_conditions_as_outputs_and_as_values():
    x, leaves = states(6)
    above = [(Symbol("definition", "above", i), f("gt", a, 0.0)) for i, a in enumerate(x)]
    names = [node("sym", (), s) for s, _ in above]
    es = [*names, *[f("where", f("and", n, f("lt", a, 1.0)), a, 0.5) for n, a in zip(names, x, strict=True)]]
    es += [f("where", f("where", names[0], names[1], f("not", names[2])), 1.0, 2.0)]
    y = np.array([-1.0, 0.5, 2.0, 0.0, 1.0, 0.1])
    grouped, _ = both(es, leaves, {"y": y, "p": [1.0]}, definitions=above)
    assert interpret(grouped, {"y": y})["f"].tolist() == [0, 1, 1, 0, 1, 1, 0.5, 0.5, 0.5, 0.5, 0.5, 0.1, 2.0]


def test_constants_symbols_and_repeated_outputs():
    x, leaves = states(2)
    alias = Symbol("definition", "same")
    es = [const(2.0), x[1], x[0], x[1], node("sym", (), alias), f("ge", x[0], x[1]), f("mm", x[0], K)]
    for grouped in (True, False):
        tape = build({"f": es, "g": [const(1.0)] * 3, "h": [x[0]]}, leaves, [(alias, x[0])], grouped=grouped)
        found = interpret(tape, {"y": [5.0, 7.0], "p": [5.0]})
        assert found["f"].tolist() == [2.0, 7.0, 5.0, 7.0, 5.0, 0.0, 0.5]
        assert found["g"].tolist() == [1.0] * 3 and found["h"].tolist() == [5.0]


def test_the_same_tape_every_time():
    es, leaves, definitions = reactions(50, 80)
    assert build({"f": es}, leaves, definitions) == build({"f": es}, leaves, definitions)


def test_the_same_tape_in_every_process():
    """Also where Python hashes text differently."""
    code = (
        "from tests.tape.test_build import *; from tests.tape.test_guard import *;"
        "from hybridode.tape.guard import guard; from hybridode.tape.print import print_tape;"
        "es, leaves, definitions = reactions(30, 45);"
        "es = es + [make(s) for make, *_ in BRANCHES.values() for s in es[:5]];"
        "print(print_tape(guard(build({'f': es}, leaves, definitions))))"
    )
    texts = []
    for seed in ("1", "2"):
        environment = {**os.environ, "PYTHONHASHSEED": seed}
        run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment, cwd=ROOT)
        texts.append(run.stdout)
    assert texts[0] == texts[1] and texts[0].count("\n") > 100


def test_small_powers_are_products():
    x, leaves = states(1)
    tape = build({"f": [f("pow", x[0], p) for p in (0.0, 1.0, 2.0, 3.0, 4.0)]}, leaves)
    assert tape.count("pow") == 0
    assert interpret(tape, {"y": [-3.0]})["f"].tolist() == [1.0, -3.0, 9.0, -27.0, 81.0]


def test_a_symbol_from_nowhere_is_named():
    with pytest.raises(AssertionError, match="is neither a leaf nor a definition"):
        build({"f": [f("sin", sym("state", "ghost"))]}, {})
