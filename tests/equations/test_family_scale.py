"""A family of thousands costs little more than one of ten: its members are never written out."""

from __future__ import annotations

import time

import pytest

from hybridode.compile import tapes_of
from hybridode.equations.pipeline import equations_of
from hybridode.equations.system import EquationSystem, RolledDefinitions, RolledJacobian
from hybridode.errors import Source
from hybridode.language.check import declare
from hybridode.rolled import Rolled
from hybridode.tape.tape import Tape

CHAIN = """model chain
const n = {n}
param k = 1
param c = 0.5
state x[n]
x[i](0) = 0.1*i/n for i in 1..n
flow[i] = k*(x[i] - x[i+1])*(1 + c*x[i]^2) for i in 1..n-1
x[1]' = -flow[1]
x[i]' = flow[i-1] - flow[i] for i in 2..n-1
x[n]' = flow[n-1]
observe x_last ~ normal(x[n], 0.1)
"""
PAIRS = """model pairs
const n = {n}
param a = 1
nn phi: 1 -> 1, hidden=[8], symmetry=odd
state x[n]
x[i](0) = i/n for i in 1..n
x[i]' = sum(j in 1..n if j != i, phi(x[j] - x[i]) + sin(a*(x[j] - x[i]))) for i in 1..n
"""


def compiled(text: str) -> tuple[EquationSystem, dict[str, Tape]]:
    system = equations_of(declare(Source("m.ode", text)))
    return system, tapes_of(system)


def written_out(system: EquationSystem) -> bool:
    assert isinstance(system.rates, Rolled) and isinstance(system.starts, Rolled) and isinstance(system.jacobian, RolledJacobian)
    vectors = [system.rates, system.starts, system.jacobian.exprs]
    if isinstance(system.definitions, RolledDefinitions):
        vectors.append(system.definitions.exprs)
    return any(v.is_written_out for v in vectors)


def test_ten_thousand_cells() -> None:
    compiled(CHAIN.format(n=10))  # imports, SymPy
    began = time.process_time()
    system, tapes = compiled(CHAIN.format(n=10_000))
    assert time.process_time() - began < 8, "about 0.6 s on an idle machine"
    assert len(system.rates) == 10_000 and len(system.jacobian or ()) == 29_998
    assert isinstance(system.definitions, RolledDefinitions)
    assert max(tape.count() for tape in tapes.values()) < 80
    assert not written_out(system)


def test_thousands_of_lines() -> None:
    n = 3_000
    lines = ["model lines", "param k = 1"] + [f"state x{i} = 0" for i in range(n)]
    lines += [f"x{i}' = k*(x{(i + 1) % n} - {i + 1}*x{i})" for i in range(n)]
    system, tapes = compiled("\n".join(lines) + "\n")
    assert tapes["rates"].count() < 30 and tapes["jacobian"].count() < 30
    # 1*x0 was folded, and 2 is a number that rules look at: two lines stay alone.
    assert isinstance(system.rates, Rolled) and len(system.rates.pieces) == 3


@pytest.mark.parametrize("n", [100])
def test_all_pairs(n: int) -> None:
    """9,900 pairs are vectors, and sums of their rows."""
    began = time.process_time()
    system, tapes = compiled(PAIRS.format(n=n))
    assert time.process_time() - began < 8, "about 0.2 s on an idle machine"
    assert len(system.jacobian or ()) == n * n
    assert max(tape.count() for tape in tapes.values()) < 120
    assert any(i.op == "sum" and i.shape == (n,) for i in tapes["rates"].instructions)
    assert not written_out(system)
