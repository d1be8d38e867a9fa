"""Conditions and assignments that read inputs: crossings of signals, jumps that turn a condition true, derivatives by records."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import hybridode as ho

JUMPS = """model m
input u from data.u, interp=previous
param level = 2
state x = 0
discrete n = 0
discrete when = 0
x' = u
event e when u > level { n := n + 1; when := t; x := x + 10*u }
"""


@pytest.mark.parametrize("method", ["tsit5", "rodas5p"])
def test_a_jump_turns_a_condition_true_once(method: str) -> None:
    data = {"u": (np.array([0.0, 1.0, 2.5, 3.0]), np.array([1.0, 5.0, 0.0, 3.0]))}
    sol = ho.parse(JUMPS).solver(at=[0.9, 1.2, 2.0, 2.7, 3.2], method=method, rtol=1e-9, atol=1e-11)(inputs=data)
    assert sol.result == 0
    np.testing.assert_array_equal(sol["n"], [0, 1, 1, 1, 2])
    np.testing.assert_array_equal(sol["when"], [0, 1, 1, 1, 3])
    np.testing.assert_allclose(sol["x"], [0.9, 1 + 50 + 1, 1 + 50 + 5, 1 + 50 + 7.5, 58.5 + 30 + 0.6], rtol=1e-9)


CROSSING = """model m
input u from data.u, interp=%s
param level = 0.6
param k = 0.4
state x = 0.2
state z = 0
x' = -k*x + u
z' = x
event up when x > level + 0.3*u { x := 0.5*x*u; z := z + u }
event down when u - 0.4 falling { z := z + k*x }
"""
KNOTS = np.array([0.0, 0.8, 1.7, 2.4, 3.5, 4.3, 5.0])
VALUES = np.array([0.5, 0.9, 0.2, 1.1, 0.7, 0.1, 0.8])


@pytest.mark.parametrize("kind", ["linear", "cubic", "previous"])
def test_derivatives_by_records_and_levels(kind: str) -> None:
    """Steps do not land on the knots of continuous signals, so differences see the error that is made there."""
    model = ho.parse(CROSSING % kind)
    solver = model.solver(at=[0.7, 1.55, 2.3, 3.3, 4.1, 4.9], method="dop853", rtol=1e-12, atol=1e-14)
    compiled = model.compiled()

    def f(q):
        made = compiled.arguments(data={"u": (KNOTS, VALUES)}).signals
        unit = [compiled.arguments(data={"u": (KNOTS, row)}).signals.coefficients for row in np.eye(len(KNOTS))]
        signals = type(made)(jnp.asarray(made.knots), sum(v * jnp.asarray(c) for v, c in zip(q[2:], unit, strict=True)))
        sol = solver({"level": q[0], "k": q[1]}, inputs=signals)
        return jnp.stack([sol["x"], sol["z"]]), sol.result

    f = jax.jit(f)
    q = np.concatenate([[0.6, 0.4], VALUES])
    assert f(q)[1] == 0 and float(f(q)[0][1, -1]) > 1.5
    back, forth = (jax.jit(d(f, has_aux=True))(q)[0] for d in (jax.jacrev, jax.jacfwd))
    np.testing.assert_allclose(back, forth, rtol=1e-10, atol=1e-10)
    for i, step in enumerate(1e-4 * np.eye(len(q))):
        difference = (f(q + step)[0] - f(q - step)[0]) / 2e-4
        np.testing.assert_allclose(back[..., i], difference, rtol=2e-4, atol=1e-4, err_msg=str(i))
