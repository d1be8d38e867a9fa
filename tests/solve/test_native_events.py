"""`at` statements on the native engine: against exact solutions and finite differences."""

from __future__ import annotations

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import hybridode as ho
from hybridode.solve import native, results
from hybridode.solve.events import plan_events
from hybridode.solve.settings import Settings

TIGHT = Settings(rtol=1e-10, atol=1e-12)
DOSES = """model doses
time t
param k = 0.3
param dose = 2
param first = 1
param period = 5
state x = 1
x' = -k*x
at first every period until 10 { x := x + dose }
"""
VALUES = (0.3, 2.0, 1.0, 5.0)


def exact(p, ts, side="right"):
    k, dose, first, period = p
    after = np.greater_equal if side == "right" else np.greater
    out = np.exp(-k * ts)
    for at in np.arange(first, 10 + 1e-9, period):
        out = out + np.where(after(ts, at), dose * np.exp(-k * (ts - at)), 0.0)
    return out


@pytest.fixture(scope="module")
def model():
    return ho.parse(DOSES).compiled()


@pytest.fixture(scope="module")
def plan(model):
    with jax.enable_x64(True):
        return plan_events(model, model.arguments(), 0.0, 12.0, spare=True)


def solve(model, plan, p, ts, method="tsit5"):
    args = model.arguments()
    return native.integrate(model, eqx.tree_at(lambda a: a.parameters, args, p), 0.0, ts, method, TIGHT, events=plan)


@pytest.mark.parametrize("method", ["tsit5", "rodas5p", "dop853"])
def test_both_limits(model, plan, method) -> None:
    ts = np.array([0.0, 0.5, 1.0, 3.0, 6.0, 9.0, 11.0, 12.0])
    raw = jax.jit(lambda p: solve(model, plan, p, ts, method))(jnp.array(VALUES))
    assert raw.result == results.SUCCESS and raw.t_end == 12.0
    np.testing.assert_allclose(raw.ys[:, 0], exact(VALUES, ts), rtol=1e-7)
    np.testing.assert_allclose(raw.ys_left[:, 0], exact(VALUES, ts, "left"), rtol=1e-7)


def test_derivatives_by_times_and_period_in_both_modes_and_batches(model, plan) -> None:
    ts = np.array([0.0, 0.5, 1.7, 6.5, 9.0, 12.0])
    many = np.array([VALUES, (0.2, 1.0, 0.7, 4.0)])

    def values(p):
        return solve(model, plan, p, ts).ys[:, 0]

    assert (jax.vmap(lambda p: solve(model, plan, p, ts).result)(many) == results.SUCCESS).all()
    for derivative in (jax.jacrev, jax.jacfwd):
        found = jax.jit(jax.vmap(derivative(values)))(many)
        for b, p in enumerate(many):
            for i in range(4):
                step = 1e-6 * np.eye(4)[i]
                difference = (exact(p + step, ts) - exact(p - step, ts)) / 2e-6
                np.testing.assert_allclose(found[b, :, i], difference, atol=5e-7)


def test_simulate_runs_natively() -> None:
    found = ho.parse(DOSES).simulate(at=[0.0, 1.0, 12.0])
    assert found.stats["engine"] == "native" and found.successful
    np.testing.assert_allclose(found["x"], exact(VALUES, np.array([0.0, 1.0, 12.0])), rtol=1e-4)
