"""A time that equals an event's instant reads what was before it, on whichever side rounding has put the instant."""

from __future__ import annotations

import jax
import numpy as np
import pytest

import hybridode as ho

CLOCK = "model m\ntime t from 0\nparam T = 2.7 in (0.01, 100)\nstate x = 0\nstate y = 0\nx' = 1\ny' = 1\n"
LOCATED = {
    "time": CLOCK + "event e when t > T { x := x + 10 }\nobserve x ~ normal(x, 1)\n",
    "state": CLOCK + "event e when y - T rising { x := x + 10 }\nobserve x ~ normal(x, 1)\n",
}
LONG = CLOCK + "state u[40] = 1\nu[i]' = -0.1*u[i] for i in 1..40\nevent e when y > T { x := x + 10 }\nobserve x ~ normal(x, 1)\n"
TIMES = [*np.random.default_rng(0).uniform(0.02, 20, 25), *(np.arange(1, 21) / 10)]


def around(T):
    return np.array([0.0, 0.3 * T, 0.71 * T, T, 1.2 * T, 1.9 * T])


@pytest.mark.parametrize("kind", [*LOCATED, "long vectors"])
def test_located_events(kind):
    solve = ho.parse(LOCATED.get(kind, LONG)).solver(at=np.zeros(6), rtol=1e-9, atol=1e-12)
    with jax.enable_x64(True):
        jitted = jax.jit(lambda T, ts: [solve({"T": T}, at=ts)[name] for name in ("x", "y")])
        for T in TIMES if kind != "long vectors" else TIMES[::5]:
            x, y = jitted(T, around(T))
            np.testing.assert_allclose(y, around(T), rtol=1e-11)
            np.testing.assert_allclose(x, around(T) + np.array([0, 0, 0, 0, 10, 10]), rtol=1e-11)


def test_derivatives_there_are_those_from_the_left():
    text = LOCATED["state"].replace("x := x + 10", "x := 3*T")
    solve = ho.parse(text).solver(at=np.zeros(6), rtol=1e-9, atol=1e-12)
    with jax.enable_x64(True):
        for derive in (jax.jacfwd, jax.jacrev):
            slope = jax.jit(derive(lambda T, ts: solve({"T": T}, at=ts)["x"]))
            for T in TIMES[::4]:
                np.testing.assert_allclose(slope(T, around(T)), [0, 0, 0, 0, 2, 2], atol=1e-9)  # 3 T + (t - T)


@pytest.mark.parametrize("engine", ["native", "diffrax"])
def test_at_statements(engine):
    """Observations read what was before, `sol` what comes after."""
    model = ho.parse(CLOCK + "at T { x := x + 10 }\nobserve x ~ normal(x, 1)\n")
    for T in (0.1 + 0.2, 1 / 3, 2.7, 12.34567):
        sol = model.simulate(at=[0.0, T, 2 * T], set={"T": T}, engine=engine)
        np.testing.assert_allclose(sol["x"], [0, T + 10, 2 * T + 10], rtol=1e-12)
        np.testing.assert_allclose(sol.observed["x"], [0, T, 2 * T + 10], rtol=1e-12)
