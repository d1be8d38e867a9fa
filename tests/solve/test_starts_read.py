"""`x(0)` read in dynamics or in other starts is the start that a solve has, whoever gave it; exact solutions."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
import pytest

import hybridode as ho
from hybridode.errors import DataError, UsageError

MODEL = """model m
state x = 1
state y = 0
state z
z(0) = 3*x(0)
x' = -x
y' = x(0)
z' = 0
"""
GIVEN: dict[str, dict[str, Any]] = {
    "set": {"set": {"x(0)": 5.0}},
    "start, by name": {"start": {"x": 5.0}},
    "start, as it is written": {"start": {"x(0)": 5.0}},
}


@pytest.mark.parametrize("engine", ["native", "diffrax"])
def test_simulate(engine: str) -> None:
    model = ho.parse(MODEL)
    for given in (*GIVEN.values(), {"start": [5.0, 0.0, 15.0]}):
        check(model.simulate(at=[2.0], engine=engine, method="tsit5", **given))


def check(sol: ho.Solution) -> None:
    assert sol.successful
    np.testing.assert_allclose([sol["x"][0], sol["y"][0], sol["z"][0]], [5 * np.exp(-2), 10, 15], rtol=1e-5)
    np.testing.assert_allclose(sol["x(0)"], 5.0)


def test_solver_and_gradients() -> None:
    """d y(2) / d x(0) = 2 by start and by parameter, in both modes; what the solver was made with holds as well."""
    model = ho.parse(MODEL)
    solve = model.solver(at=[2.0], method="tsit5")
    ways = {
        "start": lambda v: solve(start={"x": v}),
        "parameter": lambda v: solve({"x(0)": v}),
        "whole": lambda v: solve(start=jnp.stack([v, 0.0 * v, 3 * v])),
    }
    for name, way in ways.items():
        value, found = way(5.0 + jnp.zeros(())), jax.grad(lambda v, way=way: jnp.sum(way(v)["y"] + 10 * way(v)["z"]))(5.0)
        assert value.result == 0, name
        np.testing.assert_allclose(value["y"], 10, rtol=1e-6)
        np.testing.assert_allclose(found, 32.0, rtol=1e-6, err_msg=name)
    np.testing.assert_allclose(jax.jacfwd(lambda v: ways["start"](v)["y"][0])(5.0), 2.0, rtol=1e-6)
    made = model.solver(at=[2.0], method="tsit5", start={"x": 5.0})
    np.testing.assert_allclose(made()["y"], 10, rtol=1e-6)
    np.testing.assert_allclose(made(start={"y": 1.0})["y"], 11, rtol=1e-6)
    np.testing.assert_allclose(made(start={"x": 6.0})["y"], 12, rtol=1e-6)


def test_gradient_by_diffrax() -> None:
    solve = ho.parse(MODEL).solver(at=[2.0], engine="diffrax", method="tsit5", gradient="forward")
    value, slope = jax.jvp(lambda v: solve(start={"x": v})["y"][0], (5.0,), (1.0,))
    np.testing.assert_allclose([value, slope], [10, 2], rtol=1e-6)


def test_learnt_starts_velocities_vectors_and_events() -> None:
    text = """model m
    state x = 1 in (0, 10)
    state q = 2
    state v[2] = [1, 2]
    state y = 0
    x' = 0
    q'' = 0
    v[i]' = 0 for i in 1..2
    y' = x(0) + q'(0) + v[1](0)*v[2](0)
    event late when t > 1 { y := y + x(0) }
    """
    model = ho.parse(text)
    np.testing.assert_allclose(model.simulate(at=[2.0])["y"], 2 * (1 + 0 + 2) + 1)
    sol = model.simulate(at=[2.0], start={"x": 4.0, "q'": 0.5, "v[2]": 3.0})
    np.testing.assert_allclose(sol["y"], 2 * (4 + 0.5 + 3) + 4)
    sol = model.simulate(at=[2.0], set={"x(0)": 4.0, "q'(0)": 0.5, "v(0)": [2.0, 3.0]})
    np.testing.assert_allclose(sol["y"], 2 * (4 + 0.5 + 6) + 4)


def test_algebraic_equations_read_it() -> None:
    text = "model m\nstate x = 1\nalg z = 0\nx' = -z\n0 = z + z^3 - 2*x(0)\n"
    sol = ho.parse(text).simulate(at=[1.0], set={"x(0)": 5.0})
    np.testing.assert_allclose([sol["z"][0], sol["x"][0]], [2, 3], rtol=1e-8)


def test_what_is_computed_is_refused() -> None:
    text = "model m\nparam k = 2\nstate x\nstate y = 0\nx(0) = 3*k\nx' = 0\ny' = x(0)\n"
    model = ho.parse(text)
    np.testing.assert_allclose(model.simulate(at=[1.0], k=1)["y"], 3)
    for ask in (lambda: model.simulate(at=[1.0], start={"x": 1.0}), lambda: model.solver(at=[1.0])(start={"x": 1.0})):
        with pytest.raises(UsageError, match=r"read `x\(0\)`, which the model computes"):
            ask()


def test_a_column_of_the_data() -> None:
    """A column `x(0)` gives each series its own, in the dynamics too; what is computed is refused as before."""
    model = ho.parse(MODEL + "observe y ~ normal(y, 0.1)\n")
    rows = [(f"{v:g}", t, v, v * t) for v in (1.0, 4.0) for t in (0.5, 1.0, 2.0)]
    data = pd.DataFrame(rows, columns=["id", "t", "x(0)", "y"])
    for series, value in (("1", 1.0), ("4", 4.0)):
        sol = model.simulate(at=[2.0], data=data, series=series)  # from the first row, 0.5
        np.testing.assert_allclose(sol["y"], 1.5 * value, rtol=1e-6)
    computed = ho.parse("model m\nparam k = 2\nstate x\nx(0) = k\nstate y = 0\nx' = 0\ny' = x(0)\nobserve y ~ normal(y, 0.1)\n")
    with pytest.raises(DataError, match="read in the dynamics"):
        ho.fit(computed, data)
