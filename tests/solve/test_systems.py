"""Published systems of `design/systems.md` through the public interface."""

from __future__ import annotations

import time
from collections.abc import Iterator

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.optimize import minimize

import hybridode as ho
from tests.solve.native_models import ROBER

CONTROL = """model control "Lotka and Volterra's equations to be held at x = 1"
param alpha = 2.2
param beta = 1
param delta = 2
param gamma = 0.4
state x = 1
state y = 1
dx/dt = alpha*x - beta*x*y
dy/dt = gamma*x*y - delta*y
"""
SPIRAL = """model spiral "A cubic spiral learnt by a network"
state x = 2
state y = 0
nn U: 2 -> 2, hidden=[50], act=tanh, init=glorot, seed=0
[p, q] = U(x^3, y^3)
dx/dt = p
dy/dt = q
"""


@pytest.fixture(autouse=True)
def float64() -> Iterator[None]:
    with jax.enable_x64(True):
        yield


@pytest.fixture(scope="module")
def control():
    return ho.parse(CONTROL)


def loss_of(solve):
    def loss(params):
        sol = solve(params)
        return jnp.sum((sol["x"] - 1) ** 2), sol.result

    return loss


def control_solver(model, gradient):
    return model.solver(at=np.arange(101) / 10, rtol=1e-10, atol=1e-10, method="tsit5", gradient=gradient, engine="diffrax")


@pytest.mark.slow
def test_control_gradients_of_all_modes(control):
    params, found = control.parameters(), {}
    for mode in ("reverse", "forward", "adjoint"):
        loss = loss_of(control_solver(control, mode))
        derivative = jax.jacfwd if mode == "forward" else jax.grad
        value, result = loss(params)
        assert int(result) == 0
        np.testing.assert_allclose(value, 4324.60, atol=0.005)
        found[mode], _ = jax.jit(derivative(loss, has_aux=True))(params)
    for name in params:
        for mode in ("forward", "adjoint"):
            np.testing.assert_allclose(found[mode][name], found["reverse"][name], rtol=1e-6, err_msg=f"{mode} {name}")


@pytest.mark.slow
def test_control_is_reached(control):
    names = list(control.parameters())
    loss = loss_of(control_solver(control, "reverse"))
    both = jax.jit(jax.value_and_grad(lambda p: loss(dict(zip(names, p, strict=True))), has_aux=True))

    def objective(p):
        (value, result), slope = both(p)
        return (float(value), np.asarray(slope)) if int(result) == 0 else (1e10, np.zeros(4))

    start = np.array([float(control.parameters()[name]) for name in names])
    best = minimize(objective, start, jac=True, method="L-BFGS-B", options={"maxiter": 500, "ftol": 1e-20, "gtol": 1e-12})
    assert best.fun < 1e-8
    alpha, beta, delta, gamma = best.x
    np.testing.assert_allclose([alpha / beta, gamma / delta], 1.0, atol=1e-4)


def test_rober():
    """Reference: Hairer & Wanner's test set (1e11), with the two rate-limiting figures to 1e-6."""
    solution = ho.parse(ROBER).simulate(at=[0, 1e5, 1e11], rtol=1e-10, atol=1e-18, engine="diffrax")
    assert solution.stats["method"] == "Kvaerno5" and solution.stats["reason"].startswith("stiff")
    last = [solution[name][-1] for name in "abc"]
    np.testing.assert_allclose(last, [2.0833401497e-8, 8.3333607703e-14, 0.9999999792], rtol=1e-6)
    np.testing.assert_allclose(solution["a + b + c"], 1.0, atol=1e-12)


@pytest.mark.slow
def test_rober_gradient():
    model = ho.parse(ROBER)
    found = {}
    for mode, derivative in (("reverse", jax.jacrev), ("forward", jax.jacfwd)):
        solve = model.solver(at=[1e5], rtol=1e-9, atol=1e-16, gradient=mode, engine="diffrax")
        assert int(solve(model.parameters()).result) == 0
        found[mode] = jax.jit(derivative(lambda p, s=solve: s(p)["b"][-1]))(model.parameters())
    for name, value in found["forward"].items():
        np.testing.assert_allclose(found["reverse"][name], value, rtol=1e-5)


@pytest.mark.slow
def test_spiral_is_learnt():
    ts = np.linspace(0, 1.5, 30)
    truth = ho.parse("model t\nstate x = 2\nstate y = 0\ndx/dt = -0.1*x^3 + 2*y^3\ndy/dt = -2*x^3 - 0.1*y^3\n").simulate(
        at=ts, rtol=1e-10, atol=1e-10
    )
    model = ho.parse(SPIRAL)
    solve = model.solver(at=ts, rtol=1e-6, atol=1e-8, engine="diffrax", method="tsit5")
    flat, unravel = jax.flatten_util.ravel_pytree(model.parameters())

    def loss(p):
        sol = solve(unravel(p))
        return jnp.mean((sol["x"] - truth["x"]) ** 2 + (sol["y"] - truth["y"]) ** 2), sol.result

    both = jax.jit(jax.value_and_grad(loss, has_aux=True))
    (_, result), slope = both(flat)
    assert int(result) == 0
    direction = np.random.default_rng(0).normal(size=len(flat))
    ends = [loss(flat + s * 1e-5 * direction)[0] for s in (1, -1)]
    np.testing.assert_allclose(slope @ direction, (ends[0] - ends[1]) / 2e-5, rtol=1e-3)
    began = time.perf_counter()
    for _ in range(50):
        jax.block_until_ready(both(flat))
    print(f"spiral 2-50-2: value and gradient in {(time.perf_counter() - began) / 50 * 1e3:.2f} ms")

    def objective(p):
        (value, result), slope = both(jnp.asarray(p))
        return (float(value), np.asarray(slope)) if int(result) == 0 else (1e10, np.zeros_like(p))

    best = minimize(objective, np.asarray(flat), jac=True, method="L-BFGS-B", options={"maxiter": 400})
    assert best.fun < 1e-3
