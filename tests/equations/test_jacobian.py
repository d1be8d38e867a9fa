"""The symbolic Jacobian against central differences of the right side, at random points."""

from __future__ import annotations

import time

import numpy as np
import pytest

from hybridode.declarations import Declarations, Definition, Parameter, State
from hybridode.equations.gradients import ShapeCache
from hybridode.equations.jacobian import MOST_ENTRIES
from hybridode.equations.pipeline import equations_of
from hybridode.equations.system import EquationSystem
from hybridode.errors import Source
from hybridode.expr import Expr, Symbol, const, node, sym
from tests.equations import models
from tests.equations.evaluator import Net, evaluate

NETS = {"U": Net(2, 2, 1), "NN_y": Net(2, 1, 2)}


def point(system: EquationSystem, rng: np.random.Generator, low: float = 0.1, high: float = 2.0) -> dict[Symbol, float]:
    names = [*system.states, *system.parameters, *system.inputs, Symbol("time", "t")]
    return dict(zip(names, rng.uniform(low, high, len(names)), strict=True))


def with_definitions(system: EquationSystem, values: dict[Symbol, float]) -> dict[Symbol, float]:
    values = dict(values)
    for d in system.definitions:
        (values[d.symbol],) = evaluate([d.expr], values, NETS)
    return values


def rates(system: EquationSystem, values: dict[Symbol, float]) -> np.ndarray:
    return np.array(evaluate(system.rates, with_definitions(system, values), NETS), dtype=float)


def dense(system: EquationSystem, values: dict[Symbol, float]) -> np.ndarray:
    out = np.zeros((len(system.states), len(system.states)))
    entries = system.jacobian or ()
    for entry, value in zip(entries, evaluate([e.expr for e in entries], with_definitions(system, values), NETS), strict=True):
        out[entry.row, entry.column] = value
    return out


def differences(system: EquationSystem, values: dict[Symbol, float]) -> np.ndarray:
    columns = []
    for s in system.states:
        h = 1e-5 * max(1.0, abs(values[s]))
        columns.append((rates(system, {**values, s: values[s] + h}) - rates(system, {**values, s: values[s] - h})) / (2 * h))
    return np.array(columns).T


@pytest.mark.parametrize("model", [models.lotka_volterra, models.hodgkin_huxley, models.pollu])
def test_jacobian_equals_differences(model) -> None:
    system = equations_of(model())
    rng = np.random.default_rng(0)
    for _ in range(3):
        values = point(system, rng)
        j = dense(system, values)
        assert np.isfinite(j).all()
        np.testing.assert_allclose(j, differences(system, values), rtol=2e-7, atol=1e-7 * np.abs(j).max())


def test_sparsity_of_pollu() -> None:
    system = equations_of(models.pollu())
    places = {(e.row, e.column) for e in system.jacobian or ()}
    expected = {(i, j - 1) for i, row in enumerate(models.POLLU_SUMS) for r in row for j in models.POLLU_READS[abs(r) - 1]}
    assert places == expected == {(i, j) for i, row in enumerate(system.incidence) for j in row}


def test_a_chain_of_ten_thousand_equations_takes_seconds() -> None:
    n = 10_000
    x = [sym("state", f"x{i}") for i in range(n)]
    k = sym("parameter", "k")
    states = []
    for i in range(n):
        terms = [node("neg", (node("mul", (const(2.0), x[i])),)), *(x[j] for j in (i - 1, i + 1) if 0 <= j < n)]
        states.append(State(f"x{i}", (const(0.0),), (node("mul", (k, node("add", terms))),)))
    began = time.process_time()
    system = equations_of(
        Declarations(Source("chain.ode", ""), "chain", parameters=(Parameter("k", (1.0,)),), states=tuple(states))
    )
    assert time.process_time() - began < 120
    assert len(system.jacobian or ()) == 3 * n - 2
    assert system.blocks == (tuple(range(n)),)


@pytest.mark.parametrize("n", [4_000, pytest.param(20_000, marks=pytest.mark.slow)])
def test_a_long_sum(n: int) -> None:
    x = [sym("state", "x", i) for i in range(n)]
    total: Expr = node("add", [node("mul", (const(i + 1.0), s, s)) for i, s in enumerate(x)])
    declarations = Declarations(
        Source("sum.ode", ""),
        "sum",
        states=(
            State("x", (const(0.0),) * n, (const(0.0),) * n, (n,)),
            State("y", (const(0.0),), (node("tanh", (sym("definition", "s"),)),)),
        ),
        definitions=(Definition("s", (total,)),),
    )
    began = time.process_time()
    system = equations_of(declarations)
    assert time.process_time() - began < 120
    assert [(e.row, e.column) for e in system.jacobian or ()] == [(n, i) for i in range(n)]


def mean_field(n: int) -> Declarations:
    """x_i' = mean(sin(x)) - x_i^2: a full Jacobian."""
    x = [sym("state", "x", i) for i in range(n)]
    mean = node("div", (node("add", [node("sin", (a,)) for a in x]), const(n)))
    rates = tuple(node("add", (sym("definition", "m"), node("neg", (node("mul", (a, a)),)))) for a in x)
    state = State("x", tuple(const(0.1 + i / n) for i in range(n)), rates, (n,))
    return Declarations(Source("mean.ode", ""), "mean", states=(state,), definitions=(Definition("m", (mean,)),))


def test_a_jacobian_with_too_many_entries_is_not_formed_and_not_taken_for_zero() -> None:
    """The compiled rates are then differentiated by JAX: the same numbers as the formula."""
    import jax
    import jax.numpy as jnp

    from hybridode.compile import compile_model

    n = 720
    compiled = compile_model(mean_field(n))
    assert compiled.system.jacobian is None and n * n > MOST_ENTRIES
    with jax.enable_x64(True):
        args = compiled.arguments()
        y, v = np.linspace(0.1, 1.1, n), np.cos(np.arange(n) * 1.0)
        _, product = jax.jvp(lambda y: compiled.rates(0.0, y, args), (jnp.asarray(y),), (jnp.asarray(v),))
    np.testing.assert_allclose(product, np.mean(np.cos(y) * v) - 2 * y * v, rtol=1e-12, atol=1e-14)


def test_pollu_has_two_shapes() -> None:
    cache = ShapeCache()
    equations_of(models.pollu(), shapes=cache)
    assert len(cache.shapes) == 2
