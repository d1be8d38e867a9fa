"""Canonical form: vectors laid out, constants folded or promoted, definitions ordered, starts and derivatives spelled out."""

from __future__ import annotations

import numpy as np
import pytest

from hybridode.declarations import (
    Assignment,
    AtEvent,
    Constant,
    Declarations,
    Definition,
    InputSignal,
    Observation,
    Parameter,
    State,
)
from hybridode.equations.canonical import canonical
from hybridode.equations.pipeline import PASSES, equations_of
from hybridode.equations.verify import verify
from hybridode.errors import Source
from hybridode.expr import Symbol, const, show, sym
from tests.equations import models
from tests.equations.evaluator import Net, evaluate
from tests.equations.models import minus, n, par


def texts(exprs) -> list[str]:
    return [show(e) for e in exprs]


def declared(**parts) -> Declarations:
    return Declarations(Source("m.ode", ""), "m", **parts)


def test_vectors_are_laid_out_row_major() -> None:
    x = [sym("state", "x", i) for i in range(4)]
    w = [sym("parameter", "w", i) for i in range(4)]
    d = declared(
        parameters=(Parameter("w", (1.0, 2.0, 3.0, 4.0), (2, 2)), Parameter("k", (1.0,))),
        states=(
            State("x", (const(0),) * 4, tuple(n("mul", a, b) for a, b in zip(x, w, strict=True)), (2, 2)),
            State("z", (const(1),), (par("k"),)),
        ),
    )
    system = canonical(d)
    assert system.states == (*(Symbol("state", "x", i) for i in range(4)), Symbol("state", "z"))
    assert system.parameters == (*(Symbol("parameter", "w", i) for i in range(4)), Symbol("parameter", "k"))
    assert texts(system.rates) == ["x[1]*w[1]", "x[2]*w[2]", "x[3]*w[3]", "x[4]*w[4]", "k"]


def test_constants_are_folded_or_promoted() -> None:
    d = models.hodgkin_huxley()
    assert "EK" not in show(canonical(d).definitions[0].expr)
    system = equations_of(d, frozenset({"EK"}))
    assert system.parameters[-1] == Symbol("parameter", "EK")
    assert show(system.definitions[0].expr) == "gNa*(m*m*m)*h*(V - 50) + gK*(n*n*(n*n))*(V - EK) + gL*(V + 54.4)"
    with pytest.raises(AssertionError, match="only constants"):
        canonical(d, frozenset({"gNa"}))


def test_definitions_are_ordered_and_derivatives_replaced() -> None:
    a, b, power = (sym("definition", name) for name in ("a", "b", "power"))
    d = declared(
        parameters=(Parameter("k", (2.0,)),),
        states=(State("x", (const(1),), (b,)), State("y", (const(0),), (n("add", power, sym("derivative", "x")),))),
        definitions=(
            Definition("power", (n("mul", sym("derivative", "x"), a),)),
            Definition("b", (n("add", a, 1.0),)),
            Definition("a", (n("mul", par("k"), sym("state", "x")),)),
        ),
        observations=(
            Observation("speed", "normal", (("mean", sym("derivative", "y")), ("sd", const(1))), censored_below=const(0.1)),
        ),
    )
    system = canonical(d)
    assert [x.symbol.name for x in system.definitions] == ["a", "b", "power"]
    assert texts([x.expr for x in system.definitions]) == ["k*x", "a + 1", "b*a"]
    assert texts(system.rates) == ["b", "power + b"]
    assert system.observations[0].names == ("mean", "sd", "censored_below")
    assert texts(system.observations[0].exprs) == ["power + b", "1", "0.1"]


def test_starts_are_expressions_of_parameters() -> None:
    x, y, drive = sym("state", "x"), sym("state", "y"), sym("input", "I")
    d = declared(
        parameters=(Parameter("k", (2.0,)), Parameter("x(0)", (3.0,), start_of="x")),
        states=(
            State("y", (n("add", sym("definition", "s"), drive),), (x,)),
            State("x", (par("x(0)"),), (y,)),
            State("z", (n("mul", y, 2.0),), (sym("time", "t"),)),
        ),
        definitions=(Definition("s", (n("mul", par("k"), x, sym("time", "t")),)), Definition("unread", (n("mul", x, y),))),
        inputs=(InputSignal("I", (("data", "I"),)),),
    )
    system = canonical(d)
    verify(system, "canonical")
    assert texts(system.starts) == ["k*x(0)*t + I(0)", "x(0)", "(k*x(0)*t + I(0))*2"]


def test_events() -> None:
    d = declared(
        parameters=(Parameter("T", (5.0,)),),
        constants=(Constant("dose", (3.0,)),),
        states=(State("x", (const(0),) * 2, (const(0),) * 2, (2,)),),
        definitions=(Definition("late", (n("mul", 2.0, par("T")),)),),
        at_events=(
            AtEvent(
                sym("definition", "late"),
                (Assignment("x", 1, n("add", sym("state", "x", 1), sym("constant", "dose"))),),
                every=par("T"),
            ),
        ),
    )
    (event,) = equations_of(d).at_events
    assert (show(event.time), show(event.every), event.until) == ("2*T", "T", None)
    assert (event.assignments[0].state, show(event.assignments[0].expr)) == (1, "x[2] + 3")


def test_blocks_in_dependency_order() -> None:
    """a <-> b read c; c reads itself; d reads nothing and nothing reads it."""
    a, b, c = (sym("state", k) for k in "abc")
    d = declared(
        states=tuple(
            State(k, (const(0),), (rate,))
            for k, rate in (("a", sym("definition", "m")), ("b", n("add", a, c)), ("c", n("neg", c)), ("d", const(1)))
        ),
        definitions=(Definition("m", (n("mul", b, c),)),),
    )
    system = equations_of(d)
    assert system.incidence == ((1, 2), (0, 2), (2,), ())
    assert set(system.blocks) == {(0, 1), (2,), (3,)} and system.blocks.index((2,)) < system.blocks.index((0, 1))


def test_long_chains_do_not_recurse() -> None:
    count = 20_000
    links = [Definition("d0", (sym("state", "x"),))]
    links += [Definition(f"d{i}", (n("add", sym("definition", f"d{i - 1}"), 1.0),)) for i in range(1, count)]
    last = sym("definition", f"d{count - 1}")
    d = declared(states=(State("x", (const(0),), (last,)), State("y", (last,), (const(0),))), definitions=tuple(reversed(links)))
    system = canonical(d)
    assert [x.symbol.name for x in system.definitions[:2]] == ["d0", "d1"]
    assert evaluate(system.starts, {}) == [0.0, count - 1.0]


def test_a_circle_is_our_mistake() -> None:
    a, b = sym("definition", "a"), sym("definition", "b")
    with pytest.raises(AssertionError, match=r"circular definition: .*a.* -> .*b.* -> .*a"):
        canonical(declared(definitions=(Definition("a", (b,)), Definition("b", (a,)))))


def test_verify_finds_what_is_broken() -> None:
    x = sym("state", "x")
    with pytest.raises(AssertionError, match="reads state nobody"):
        equations_of(declared(states=(State("x", (const(0),), (sym("state", "nobody"),)),)))
    with pytest.raises(AssertionError, match="argument 1 of mul is lt"):
        equations_of(declared(states=(State("x", (const(0),), (n("mul", n("lt", x, 1.0), 2.0),)),)))
    with pytest.raises(AssertionError, match="network U is not declared"):
        equations_of(declared(states=(State("x", (const(0),), (n("out", n("net", x, data="U"), data=0),)),)))


@pytest.mark.parametrize("model", [models.lotka_volterra, models.hodgkin_huxley, models.pollu])
def test_passes_do_not_change_values(model) -> None:
    stages = []
    equations_of(model(), dump=lambda name, system: stages.append((name, system)))
    assert [name for name, _ in stages] == ["canonical", *(name for name, _ in PASSES)]
    nets = {"U": Net(2, 2, 1), "NN_y": Net(2, 1, 2)}
    rng = np.random.default_rng(5)
    for _ in range(5):
        first, results = stages[0][1], []
        symbols = [
            *first.states,
            *first.parameters,
            *first.inputs,
            *(Symbol("start_input", s.name, s.index) for s in first.inputs),
        ]
        point = dict(zip(symbols, rng.uniform(0.1, 2, len(symbols)), strict=True))
        for _, system in stages:
            values = dict(point)
            for definition in system.definitions:
                (values[definition.symbol],) = evaluate([definition.expr], values, nets)
            observed = [e for o in system.observations for e in o.exprs]
            results.append(
                np.array(
                    [values[x.symbol] for x in system.definitions]
                    + evaluate([*system.rates, *system.starts, *observed], values, nets)
                )
            )
        for result in results[1:]:
            np.testing.assert_allclose(result, results[0], rtol=1e-12)


def test_minus_is_shown_as_written() -> None:
    assert show(minus(sym("state", "x"), 2.0)) == "x - 2"
