"""Algebraic rows, invariants and equations of the start through the passes; their Jacobians against central differences."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from hybridode.equations.system import EquationSystem, Initial, JacobianEntry
from hybridode.equations.verify import verify
from hybridode.expr import Expr, Symbol, sym
from tests.equations.evaluator import evaluate
from tests.solve.dae_models import PENDULUM, ROBER_DAE, marked

CANCELLING = """model cancelling
time t
param k = 2
state x = 1
state z = 0.5
x' = z
z' = 1 - exp(-k*z) - x
"""
GRID = """model grid
const n = 100
param D = 1
state x[n] = 0.1
state z[n] = 0.2
x[i]' = z[i] - x[i] for i in 1..n
z[1]' = z[1] - x[1]
z[i]' = z[i]^3 + z[i] - x[i] - 0.1*z[i-1] for i in 2..n
"""


def dense(system: EquationSystem, entries: Sequence[JacobianEntry], rows: int) -> np.ndarray:
    values = point(system)
    out = np.zeros((rows, len(system.states)))
    for e in entries:
        (out[e.row, e.column],) = evaluate([e.expr], values)
    return out


def point(system: EquationSystem) -> dict[Symbol, float]:
    rng = np.random.default_rng(1)
    names = [*system.states, *system.parameters, Symbol("time", "t")]
    values = dict(zip(names, rng.uniform(0.3, 1.0, len(names)), strict=True))
    for d in system.definitions:
        (values[d.symbol],) = evaluate([d.expr], values)
    return values


def differences(system: EquationSystem, exprs: Sequence[Expr]) -> np.ndarray:
    base, columns = point(system), []
    for s in system.states:
        sides = []
        for step in (1e-5, -1e-5):
            values = base | {s: base[s] + step}
            for d in system.definitions:
                (values[d.symbol],) = evaluate([d.expr], values)
            sides.append(np.array(evaluate(exprs, values), float))
        columns.append((sides[0] - sides[1]) / 2e-5)
    return np.stack(columns, axis=1)


@pytest.mark.parametrize(
    "system",
    [
        marked(ROBER_DAE, ["c"]),
        marked(PENDULUM, invariants=["position", "velocity"]),
        marked(CANCELLING, ["z"]),
        marked(ROBER_DAE, ["c"], given=["a"]),
    ],
    ids=["rober", "pendulum", "cancelling", "given"],
)
def test_jacobians(system: EquationSystem) -> None:
    assert system.initial is not None and system.initial.jacobian is not None
    found = dense(system, system.initial.jacobian, len(system.initial.equations))
    np.testing.assert_allclose(found, differences(system, system.initial.equations), atol=1e-7)
    if system.invariants:
        assert system.invariant_jacobian is not None
        found = dense(system, system.invariant_jacobian, len(system.invariants))
        np.testing.assert_allclose(found, differences(system, [x.expr for x in system.invariants]), atol=1e-7)


def test_an_ode_has_none() -> None:
    system = marked(PENDULUM)
    assert system.algebraic == system.invariants == system.unknowns == ()
    assert system.initial is None and system.invariant_jacobian is None


def test_passes_change_equations_of_the_start() -> None:
    """1 - exp(-k z) is rewritten in the residual and in the start's equation alike."""
    system = marked(CANCELLING, ["z"])
    assert system.initial is not None and system.initial.equations[0] is system.rates[1]
    assert "expm1" in repr(system.rates[1])


def test_families_of_unknowns() -> None:
    """A family of residuals stays one in the equations of the start; its Jacobian has the same entries."""
    system = marked(GRID, ["z"])
    assert system.initial is not None and system.initial.jacobian is not None
    assert len(system.initial.unknowns) == len(system.initial.equations) == 100
    found = dense(system, system.initial.jacobian, 100)
    of_rates = dense(system, system.jacobian or (), 200)
    np.testing.assert_array_equal(found, of_rates[100:])


def test_verify_says_what_is_wrong() -> None:
    system = marked(ROBER_DAE, ["c"])
    initial = system.initial
    assert initial is not None
    wrong = {
        "marks for 3 states": replace(system, algebraic=(True,)),
        "spans of initial equations": replace(system, initial=replace(initial, spans=())),
        "places of starts": replace(system, initial=replace(initial, soft=(2,))),
        "whose start is not computed": replace(system, initial=Initial(initial.equations, initial.spans, (), (0, 1))),
        "reads state q": replace(system, initial=replace(initial, equations=(sym("state", "q"),))),
        "outside its Jacobian": replace(system, initial=replace(initial, jacobian=(JacobianEntry(1, 0, sym("state", "a")),))),
    }
    for words, changed in wrong.items():
        with pytest.raises(AssertionError, match=words):
            verify(changed, "a test")
