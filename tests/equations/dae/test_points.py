"""Identities at random points: zeros up to rounding, and laws that are steep or flat where numbers are not about 1."""

from __future__ import annotations

import pytest

from hybridode.equations.dae.points import Points
from hybridode.expr import Expr, const, node, sym
from tests.equations.dae.reduced import reduced
from tests.equations.models import minus, n

A, B, X = sym("parameter", "a"), sym("parameter", "b"), sym("state", "x")
ZEROS = {
    "number": const(0.0),
    "difference": minus(A, A),
    "decimals": n("add", 0.1, 0.2, n("neg", 0.3)),
    "product": minus(n("mul", n("add", A, B), n("add", A, n("neg", B))), n("add", n("mul", A, A), n("neg", n("mul", B, B)))),
    "circle": n("add", n("pow", n("sin", X), 2.0), n("pow", n("cos", X), 2.0), -1.0),
}
OTHERS = {
    "small": const(1e-30),
    "nearly": minus(n("mul", A, 1.0 + 1e-9), A),
    "cold": n("exp", n("neg", n("div", 6000.0, X))),
    "net": node("out", (node("net", (X,), "N"),), 0),
}


@pytest.mark.parametrize("e", ZEROS.values(), ids=list(ZEROS))
def test_zeros(e: Expr) -> None:
    assert Points({A.data: 1e-12}).vanishes(e)


@pytest.mark.parametrize("e", OTHERS.values(), ids=list(OTHERS))
def test_no_zeros(e: Expr) -> None:
    assert not Points({X.data: 300.0}).vanishes(e)


def test_a_law_that_is_flat_far_from_the_start() -> None:
    """A rate constant of Arrhenius at 300 K; at 1 K it is 0, and the loop would be singular."""
    equations = "0 = exp(-5e4/(8.314*T))*a + b - T\n0 = b - T/2\n"
    system = reduced(f"model m\nstate T = 300\nalg a = 0\nalg b = 0\nT' = -a\n{equations}")
    assert system.algebraic == ()


@pytest.mark.parametrize("diodes", [1, 2, 3])
def test_laws_that_are_steep_far_from_the_start(diodes: int) -> None:
    """Diodes in series with small conductances beside them: nearly singular at 1 V, regular near 0."""
    nodes = range(1, diodes + 1)
    lines = ["model m", "state q = 0.1", *(f"alg v{k} = 0" for k in nodes), *(f"alg i{k} = 0" for k in nodes), "q' = -i1"]
    for k in nodes:
        before = f"v{k - 1}" if k > 1 else "q"
        after = f" + i{k + 1}" if k < diodes else ""
        lines += [f"i{k} = 1e-12*expm1(({before} - v{k})/0.026)", f"i{k} = 1e-3*v{k}{after}"]
    system = reduced("\n".join(lines) + "\n")
    assert len(system.unknowns) >= 1
