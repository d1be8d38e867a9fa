"""Large regular loops are not taken for singular ones; starts that nothing determines stay where they are."""

from __future__ import annotations

import pytest

from hybridode.equations.pipeline import equations_of
from hybridode.equations.system import EquationSystem
from hybridode.errors import Source
from hybridode.expr import symbols
from hybridode.language.check import declare

GRID = """model grid
const n = {n}
state T[n] = 1
alg V[n, n] = 0
T[i]' = -0.1*(T[i] - V[i, 2]) for i in 1..n
V[i, 1] = {left} for i in 1..n
V[i, n] = {right} for i in 1..n
up[i, j] = if i > 1 then V[i-1, j] else V[i, j] for i in 1..n, j in 1..n
down[i, j] = if i < n then V[i+1, j] else V[i, j] for i in 1..n, j in 1..n
0 = up[i, j] + down[i, j] + V[i, j-1] + V[i, j+1] - 4*V[i, j] for i in 1..n, j in 2..n-1
"""


def system(text: str) -> EquationSystem:
    return equations_of(declare(Source("m.ode", text)))


@pytest.mark.parametrize("n", [4, 12])
def test_a_grid_with_given_sides_is_regular(n: int) -> None:
    assert len(system(GRID.format(n=n, left="T[i]", right="0")).rates) >= n


def test_a_grid_without_a_given_side_hides_an_equation() -> None:
    """All fluxes at the sides add up to nothing: the sum of T is 0 at all times, which no equation alone says."""
    s = system(GRID.format(n=5, left="V[i, 2] + T[i]", right="V[i, n-1]"))
    (kept,) = s.invariants
    assert {x.name for x in symbols(kept.expr)} == {"T"} and len(symbols(kept.expr)) == 5


def test_a_start_that_the_equations_do_not_need_stays() -> None:
    s = system("model m\nstate u\nalg z = 1\nu' = -z\nz^3 + z = u\n")
    assert s.initial is not None and [s.states[k].name for k in s.initial.unknowns] == ["z"]
    needed = system("model m\nstate u\nstate v = 2\nalg z\nu' = z\nv' = -z - v\nu + v = 3\n")
    assert needed.initial is not None and [needed.states[k].name for k in needed.initial.unknowns] == ["u"]
